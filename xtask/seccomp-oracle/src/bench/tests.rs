// SPDX-License-Identifier: MIT OR Apache-2.0

use super::answer::decode;
use super::*;
use crate::calls::{Word, X32};
use crate::judge::{Status, SubVerdict};
use crate::tables::{Arch, Kernel};

const BOUNDS: Bounds = Bounds { surcharge_max: 40, attach_max: 1_000_000 };

fn subject(cache: Presence) -> Subject {
    let kernel = Kernel::native(Arch::X86_64, 441).with_compat(Arch::Ia32, 441);
    let facts = Facts { kernel, program: Word::Bits64, x32: X32::Disabled };
    Subject { facts, cache, file: Presence::There, interpreter: Presence::There }
}

/// An answer in which a measurement has these values.
fn answer(list: &[Measurement], values: &dyn Fn(&Measurement) -> (u64, u64)) -> Vec<u8> {
    let mut bytes = b"SLMA".to_vec();
    let words =
        |bytes: &mut Vec<u8>, words: &[u32]| words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    words(&mut bytes, &[VERSION, 64, 0]);
    for (id, one) in (0..).zip(list) {
        bytes.extend(b"SLMR");
        words(&mut bytes, &[id, 0, 0, id, 1]);
        let (first, second) = values(one);
        for value in [first, second, 0, 0] {
            bytes.extend(value.to_le_bytes());
        }
    }
    bytes.extend(b"SLME");
    words(&mut bytes, &[u32::try_from(list.len()).unwrap()]);
    bytes
}

/// What a loop takes that calls of this cost are made in.
fn loops(cost: u64) -> (u64, u64) {
    (6 + 100 * (cost + LOOP), 6 + 200 * (cost + LOOP))
}

/// A cost for each measurement by its name, where filters and a cache cost so much.
fn cost(one: &Measurement, cached: u64, filter: u64, uncached: u64) -> u64 {
    let filters = one.filters.len() as u64;
    let is_cached = one.filters.iter().all(|filter| filter.len() == 1);
    match filters {
        0 => 190,
        _ if is_cached => 190 + cached,
        filters => 190 + uncached + filter * filters,
    }
}

fn verdicts(values: &dyn Fn(&Measurement) -> (u64, u64)) -> Vec<SubVerdict> {
    let subject = subject(Presence::There);
    let list = list(Part::Calls, &subject, &[], 8);
    judge(Part::Calls, &subject, BOUNDS, &list, &answer(&list, values), Ok(&[])).0
}

fn statuses(verdicts: &[SubVerdict]) -> Vec<Status> {
    verdicts.iter().map(|verdict| verdict.status).collect()
}

use Status::{Absent, Fail, NotRun, Pass};

#[test]
fn a_kernel_that_asks_the_cache_passes() {
    let found = verdicts(&|one| loops(cost(one, 135, 148, 150)));
    assert_eq!(statuses(&found), [Pass, Pass, Pass, Pass], "{found:?}");
    assert_eq!(found[1].message.as_deref(), Some("325 instructions, 8 lengths"));
}

#[test]
fn a_kernel_whose_cache_is_empty_or_is_asked_too_late_fails() {
    // What is cached costs as if it were not.
    let grows = |one: &Measurement| {
        loops(if one.filters.is_empty() { 190 } else { 340 + 148 * one.filters.len() as u64 })
    };
    let found = verdicts(&grows);
    assert_eq!(statuses(&found), [Pass, Fail, Fail, Pass], "{found:?}");
    assert!(found[1].message.as_deref().unwrap().contains("636 instructions under 2 filters, 488 under 1"));
}

#[test]
fn one_instruction_more_under_one_length_is_seen() {
    let one_more = |one: &Measurement| loops(cost(one, 135, 148, 150) + u64::from(one.filters.len() == 7));
    assert_eq!(statuses(&verdicts(&one_more)), [Pass, Fail, Pass, Pass]);
}

#[test]
fn an_uncached_call_may_not_pay_much_more() {
    assert_eq!(statuses(&verdicts(&|one| loops(cost(one, 135, 148, 175))))[3], Pass);
    assert_eq!(statuses(&verdicts(&|one| loops(cost(one, 135, 148, 176))))[3], Fail);
}

#[test]
fn each_filter_costs_the_same_and_one_length_proves_nothing() {
    let third = |one: &Measurement| loops(cost(one, 135, 148, 150) + 9 * u64::from(one.name == "uncached.3"));
    assert_eq!(statuses(&verdicts(&third)), [Pass, Pass, Pass, Fail]);
    let subject = subject(Presence::There);
    let list = list(Part::Calls, &subject, &[], 1);
    let answer = answer(&list, &|one| loops(cost(one, 135, 148, 150)));
    let found = judge(Part::Calls, &subject, BOUNDS, &list, &answer, Ok(&[])).0;
    assert_eq!(statuses(&found), [Pass, NotRun, Pass, Pass]);
}

#[test]
fn what_is_no_whole_number_a_call_is_not_measured() {
    let found = verdicts(&|one| {
        let (once, twice) = loops(cost(one, 135, 148, 150));
        (once, twice + u64::from(one.name == "native"))
    });
    assert_eq!(statuses(&found), [Fail, Pass, Pass, NotRun], "{found:?}");
}

#[test]
fn without_a_cache_there_is_nothing_to_relate() {
    let subject = subject(Presence::Absent);
    let list = list(Part::Calls, &subject, &[], 8);
    let answer = answer(&list, &|one| loops(cost(one, 135, 148, 150)));
    let (found, figures) = judge(Part::Calls, &subject, BOUNDS, &list, &answer, Ok(&[]));
    assert_eq!(statuses(&found), [Pass, Absent, Absent, Absent]);
    assert_eq!(figures["native"], 190);
}

#[test]
fn an_answer_that_ends_early_is_no_pass() {
    let subject = subject(Presence::There);
    let list = list(Part::Calls, &subject, &[], 8);
    let whole = answer(&list, &|one| loops(cost(one, 135, 148, 150)));
    for cut in [0, 5, 16, 100, whole.len() - 1] {
        let (found, _) = judge(Part::Calls, &subject, BOUNDS, &list, &whole[..cut], Ok(&[]));
        assert_eq!(found[0].status, Fail, "cut at {cut}");
        assert_eq!(decode(&whole[..cut]).sections(), None);
    }
    assert_eq!(decode(&whole).sections(), Some(list.len()));
}

#[test]
fn attaching_is_bounded_and_needs_the_plugin() {
    let subject = subject(Presence::There);
    let list =
        list(Part::Attach, &subject, &[("docker".into(), vec![vec![Insn::ret(crate::action::ALLOW)]])], 8);
    let answer = answer(&list, &|_| (5000, 0));
    let sections = |most: u64| -> Vec<Section> {
        let total = |one: &Measurement| if one.name == "attach.docker" { most } else { 5000 };
        list.iter().map(|one| Section { total: total(one), off: 9, off_longest: 7 }).collect()
    };
    let judged =
        |sections: Result<&[Section], &str>| judge(Part::Attach, &subject, BOUNDS, &list, &answer, sections);
    let (within, over) = (sections(1_000_000), sections(1_000_001));
    let (found, figures) = judged(Ok(&within));
    assert_eq!(statuses(&found), [Pass, Pass], "{found:?}");
    assert_eq!(figures["attach.docker.irqs-off"], 7);
    assert_eq!(statuses(&judged(Ok(&over)).0), [Pass, Fail]);
    assert_eq!(judged(Err("no plugin")).0[0].status, Fail);
    assert_eq!(judged(Ok(&within[1..])).0[0].status, Fail);
}

#[test]
fn long_chains_are_measured_at_some_lengths() {
    let names = |length| {
        let list = list(Part::Calls, &subject(Presence::There), &[], length);
        let cached = list.iter().filter_map(|one| one.name.strip_prefix("cached.").map(str::to_owned));
        cached.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(1), "1");
    assert_eq!(names(8), "1 2 3 4 5 6 7 8");
    assert_eq!(names(16), "1 2 3 4 5 6 7 8 16");
    assert_eq!(names(100), "1 2 3 4 5 6 7 8 16 32 64 100");
}
