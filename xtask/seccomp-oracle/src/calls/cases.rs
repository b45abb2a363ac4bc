// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fixed cases of the check `behaviour.calls`.
//!
//! Filters answer with errors that no harmless call gives, so that a result tells who gave it. Cases are the same for
//! every kernel and program but for the sizes of the tables; a program makes those calls that it has the instruction
//! for.

use super::expect::Known;
use super::{Call, CallCase, Entry, Facts, Word};
use crate::action::{ALLOW, ERRNO};
use crate::insn::Insn;
use crate::tables::Arch;

mod answers;
mod numbers;
mod programs;

const PASS: Insn = Insn::ret(ALLOW);

/// All cases for a kernel and a program. Their names are the same for all of them.
#[must_use]
pub fn cases(facts: &Facts) -> Vec<CallCase> {
    let mut cases = [numbers::cases(facts), answers::cases(), programs::cases()].concat();
    for case in &mut cases {
        case.calls.retain(|call| facts.program == Word::Bits64 || call.entry == Entry::Int80);
    }
    cases
}

/// An error as a filter's answer.
const fn deny(errno: u16) -> Insn {
    Insn::ret(ERRNO | errno as u32)
}

/// A filter with a part for each architecture; each part returns.
fn by_arch(x86_64: &[Insn], ia32: &[Insn]) -> Vec<Insn> {
    let skipped = u32::try_from(x86_64.len()).unwrap_or(u32::MAX);
    let head = [Insn::load_arch(), Insn::jeq(Arch::X86_64.audit(), 1, 0), Insn::ja(skipped)];
    [&head, x86_64, ia32].concat()
}

/// A filter that answers so to `getpid` on both architectures and allows all else.
fn answer_getpid(value: u32) -> Vec<Insn> {
    answer_known(Known::Pid, value)
}

fn answer_known(known: Known, value: u32) -> Vec<Insn> {
    let part = |arch| {
        let nr = known.nr(arch).cast_unsigned();
        [Insn::load_nr(), Insn::jeq(nr, 0, 1), Insn::ret(value), PASS]
    };
    by_arch(&part(Arch::X86_64), &part(Arch::Ia32))
}

/// The calls whose results are known, by both instructions.
fn known_calls() -> Vec<Call> {
    let of = |entry: Entry| Known::ALL.map(|known| Call::plain(entry, known.nr(entry.arch())));
    [of(Entry::Syscall), of(Entry::Int80)].concat()
}

/// Calls without arguments to the same numbers by both instructions.
fn same_numbers(numbers: &[i32]) -> Vec<Call> {
    let of = |entry| numbers.iter().map(move |nr| Call::plain(entry, *nr));
    of(Entry::Syscall).chain(of(Entry::Int80)).collect()
}

fn case(name: &str, doc: &str, filters: Vec<Vec<Insn>>, calls: Vec<Call>) -> CallCase {
    CallCase { name: name.into(), doc: doc.into(), filters, calls }
}

/// A case with the known calls.
fn known(name: &str, doc: &str, filters: Vec<Vec<Insn>>) -> CallCase {
    case(name, doc, filters, known_calls())
}
