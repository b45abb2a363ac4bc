// SPDX-License-Identifier: MIT OR Apache-2.0
//! What attaching is measured with: the shortest program, real ones, and those that cost a walk the most.

use super::list::{cached, one};
use super::{Measurement, NamedFilters, What};
use crate::action::ALLOW;
use crate::insn::Insn;

/// The longest program: `BPF_MAXINSNS` (`include/uapi/linux/bpf_common.h`).
const INSNS_MAX: usize = 4096;

/// Attachments of a short program.
const SAMPLES: u32 = 8;

/// Attachments of a long one, of which the first warms up.
const SAMPLES_LONG: u32 = 4;

/// A number that no table has.
const NO_CALL: u32 = 0x0fff_ffff;

pub(super) fn list(named: &[NamedFilters]) -> Vec<Measurement> {
    let attach =
        |name: &str, samples, filters| one(format!("attach.{name}"), What::Attach { samples }, filters);
    let mut list = vec![attach("one", SAMPLES, vec![cached()])];
    for (name, chain) in named {
        list.push(attach(name, SAMPLES, chain.clone()));
        if list.len() == 2 {
            // Only what the older filter always allows is left to be looked at.
            list.push(attach(&format!("one-on-{name}"), SAMPLES, [chain.clone(), vec![cached()]].concat()));
        }
    }
    for (name, body) in worst() {
        list.push(attach(&format!("worst-{name}"), SAMPLES_LONG, vec![longest(&body)]));
    }
    list
}

/// The longest program that repeats a body, with the return at its very end.
fn longest(body: &[Insn]) -> Vec<Insn> {
    let repeated = body.iter().copied().cycle().take(INSNS_MAX - 2);
    std::iter::once(Insn::load_nr()).chain(repeated).chain([Insn::ret(ALLOW)]).collect()
}

/// Bodies that every number passes through whole. Jumps lead on in both cases: none may lead out of the program.
fn worst() -> Vec<(&'static str, Vec<Insn>)> {
    vec![
        ("jeq", vec![Insn::jeq(NO_CALL, 0, 0)]),
        ("jgt", vec![Insn::jgt(NO_CALL, 0, 0)]),
        ("jge", vec![Insn::jge(NO_CALL, 0, 0)]),
        ("jset", vec![Insn::jset(NO_CALL, 0, 0)]),
        ("and", vec![Insn::and(u32::MAX)]),
        ("loads", vec![Insn::load_arch(), Insn::load_nr()]),
        // What a walk of all numbers at once finds dearest: accumulators that are made anew each time.
        ("masked", vec![Insn::load_nr(), Insn::and(0xff)]),
        // Each test leads half of the numbers past an instruction that changes what the others know.
        ("split", vec![Insn::jset(1, 1, 0), Insn::and(0xff), Insn::load_nr(), Insn::jgt(200, 0, 0)]),
    ]
}
