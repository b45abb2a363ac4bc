// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls under filters that people run: the first, the middle and the last number that is cached, and one that is not.

use super::list::{cached, getpid, one};
use super::{Call, Measurement, NamedFilters, Subject, What};
use crate::action::{ALLOW, ERRNO};
use crate::cache::expected;
use crate::calls::Word;
use crate::chain;
use crate::data::SeccompData;
use crate::interpret::run_chain;
use crate::program::Program;
use crate::tables::Arch;

/// Behind the name of a figure: the same call without filters.
pub const NATIVE: &str = ".native";

/// Behind the name of a figure: the number of the call.
pub const NUMBER: &str = ".number";

/// How figures of cached calls end.
pub(super) const CACHED: [&str; 3] = ["first", "middle", "last"];

/// How the figure of an uncached call that is allowed ends.
pub(super) const ALLOWED: &str = "uncached";

/// How the figure of an uncached call that is denied with an error ends.
pub(super) const DENIED: &str = "denied";

/// `SECCOMP_RET_ACTION_FULL`, which leaves the data of an answer out.
const ACTION: u32 = 0xffff_0000;

/// Numbers whose calls do nothing with arguments of which every bit is set: bad descriptors, bad addresses, bad flags.
const HARMLESS_64: [u32; 26] = [
    0, 1, 3, 5, 8, 17, 18, 32, 39, 72, 74, 102, 104, 107, 108, 110, 124, 186, 217, 257, 293, 318, 332, 434,
    436, 439,
];
const HARMLESS_32: [u32; 24] = [
    3, 4, 6, 19, 20, 41, 55, 64, 108, 118, 147, 180, 181, 199, 200, 201, 202, 220, 224, 295, 331, 355, 434,
    439,
];

/// `personality(0xffffffff)`, which asks: containers allow it for a few arguments.
const ASKING_64: u32 = 135;
const ASKING_32: u32 = 136;

/// The measurements: each call under its filters, and without any.
pub(super) fn list(subject: &Subject, named: &[NamedFilters]) -> Vec<Measurement> {
    let getpid = What::Calls(getpid(subject));
    let mut list = vec![one("native", getpid, Vec::new()), one("cached.1", getpid, vec![cached()])];
    for (name, filters) in named {
        // What the model takes for refused is measured all the same: the kernel has to say so.
        let programs = chain::check(filters).unwrap_or_default();
        for (end, call) in chosen(subject, &programs) {
            let name = format!("{name}.{end}");
            list.push(one(name.clone(), What::Calls(call), filters.clone()));
            if end != DENIED {
                list.push(one(format!("{name}{NATIVE}"), What::Calls(call), Vec::new()));
            }
        }
    }
    list
}

/// The calls to make under a chain, with what each stands for.
fn chosen(subject: &Subject, programs: &[Program]) -> Vec<(&'static str, Call)> {
    let (arch, harmless, asking, set): (_, &[u32], _, _) = match subject.facts.program {
        Word::Bits64 => (Arch::X86_64, &HARMLESS_64, ASKING_64, u64::MAX),
        Word::Bits32 => (Arch::Ia32, &HARMLESS_32, ASKING_32, u64::from(u32::MAX)),
    };
    let bits = expected(&subject.facts.kernel, programs);
    let is_cached = |nr: u32| bits.allows(nr.cast_signed(), arch.audit());
    let all_set = |nr: u32| Call { nr, args: [set; 6] };
    let cached: Vec<u32> = harmless.iter().copied().filter(|nr| is_cached(*nr)).collect();
    let mut chosen = Vec::new();
    if let (Some(first), Some(last)) = (cached.first(), cached.last()) {
        let middle = cached[cached.len() / 2];
        chosen.extend(CACHED.into_iter().zip([*first, middle, *last].map(all_set)));
    }
    let answer = |call: &Call| {
        let (nr, arch) = (call.nr.cast_signed(), arch.audit());
        run_chain(programs, &SeccompData { nr, arch, instruction_pointer: 0, args: call.args })
    };
    let asking = Call { nr: asking, args: [u64::from(u32::MAX), 0, 0, 0, 0, 0] };
    let count = subject.facts.table(arch).map_or(0, |table| table.count);
    if !is_cached(asking.nr) && answer(&asking) == ALLOW {
        chosen.push((ALLOWED, asking));
    } else if let Some(nr) = (0..count).find(|nr| answer(&all_set(*nr)) & ACTION == ERRNO) {
        // It is never made: so any number will do.
        chosen.push((DENIED, all_set(nr)));
    }
    chosen
}
