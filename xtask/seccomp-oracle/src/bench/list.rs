// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lists of what is measured.

use super::{Call, Measurement, NamedFilters, Part, Presence, Subject, What, attach, filters};
use crate::action::ALLOW;
use crate::calls::Word;
use crate::insn::Insn;

/// Chains of cached filters up to this length are measured one by one; longer ones double.
const LENGTHS_EACH: usize = 8;

/// The longest chain of filters that cannot be cached.
const UNCACHED_MAX: usize = 4;

/// Filters of one instruction that are attached for their memory, and then as many again: half of what a kernel admits.
const MEMORY_COUNT: u32 = 1000;

/// Filters of a container that are attached for their memory, and then as many again.
const MEMORY_COUNT_LARGE: u32 = 8;

/// What a part measures. `length_max` is that of the longest chain of cached filters.
#[must_use]
pub fn list(part: Part, subject: &Subject, named: &[NamedFilters], length_max: usize) -> Vec<Measurement> {
    match part {
        Part::Calls => calls(subject, length_max),
        Part::Filters => filters::list(subject, named),
        Part::Attach => attach::list(named),
        Part::Read if subject.file == Presence::Absent => Vec::new(),
        Part::Read => vec![one("read", What::Read, vec![cached()])],
        Part::Memory => memory(named),
        Part::Profile => profile(subject, named),
    }
}

/// A filter that allows everything: the shortest one.
pub(super) fn cached() -> Vec<Insn> {
    vec![Insn::ret(ALLOW)]
}

/// A filter that allows everything, and looks at an argument for it.
pub(super) fn uncached() -> Vec<Insn> {
    vec![Insn::load_arg(0), Insn::ret(ALLOW)]
}

pub(super) fn one(name: impl Into<String>, what: What, filters: Vec<Vec<Insn>>) -> Measurement {
    Measurement { name: name.into(), what, filters }
}

/// `getpid()`.
pub(super) fn getpid(subject: &Subject) -> Call {
    let nr = match subject.facts.program {
        Word::Bits64 => 39,
        Word::Bits32 => 20,
    };
    Call { nr, args: [0; 6] }
}

/// The lengths that are measured of chains of cached filters.
fn lengths(length_max: usize) -> Vec<usize> {
    let each = 1..=length_max.min(LENGTHS_EACH);
    let doubled = std::iter::successors(Some(LENGTHS_EACH * 2), |length| length.checked_mul(2));
    let mut lengths: Vec<usize> = each.chain(doubled.take_while(|length| *length < length_max)).collect();
    if lengths.last().is_some_and(|last| *last < length_max) {
        lengths.push(length_max);
    }
    lengths
}

fn calls(subject: &Subject, length_max: usize) -> Vec<Measurement> {
    let what = What::Calls(getpid(subject));
    let mut list = vec![one("native", what, Vec::new())];
    for length in lengths(length_max) {
        list.push(one(format!("cached.{length}"), what, vec![cached(); length]));
    }
    for length in 1..=UNCACHED_MAX {
        list.push(one(format!("uncached.{length}"), what, vec![uncached(); length]));
    }
    for length in 1..=2 {
        let chain = [vec![cached(); 2], vec![uncached(); length]].concat();
        list.push(one(format!("on-cached.{length}"), what, chain));
    }
    list
}

fn memory(named: &[NamedFilters]) -> Vec<Measurement> {
    let mut list = vec![one("memory.one", What::Memory { count: MEMORY_COUNT }, vec![cached()])];
    if let Some((name, chain)) = named.first() {
        let what = What::Memory { count: MEMORY_COUNT_LARGE };
        list.push(one(format!("memory.{name}"), what, chain.iter().take(1).cloned().collect()));
    }
    list
}

fn profile(subject: &Subject, named: &[NamedFilters]) -> Vec<Measurement> {
    let what = What::Calls(getpid(subject));
    let mut list = vec![
        one("native", what, Vec::new()),
        one("cached", what, vec![cached()]),
        one("uncached", what, vec![uncached()]),
    ];
    list.extend(attach::list(&named[..named.len().min(1)]).into_iter().take(2));
    list
}
