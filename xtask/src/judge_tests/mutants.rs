// SPDX-License-Identifier: MIT OR Apache-2.0
//! Planted faults that crash a guest or make it hang: from what it said to who noticed.

use super::guest::{Guest, good};
use crate::judge::mutant::{MutantEvidence, judge_mutant};
use crate::lab::mutant::{MutantFacts, MutantKind};
use crate::lab::names::{CheckName, MutantClass, MutantName};
use crate::record::model::{CellRecord, CheckStatus};
use crate::record::mutant::{MutantOutcome, MutantRecord};
use crate::record::sample::cell;
use crate::sys::process::Exit;
use crate::vm::frame::FrameType::{Done, Start};

fn cell_of(guest: &Guest) -> CellRecord {
    let verdict = guest.judged();
    let mut record = cell("5.10/mutant-m@1/x86_64", verdict.outcome, &verdict.reason, verdict.checks);
    record.findings = verdict.findings;
    record
}

/// `beta` is meant to notice, and is the reference.
fn judged(guest: &Guest) -> MutantRecord {
    let facts = MutantFacts {
        name: MutantName::parse("m").unwrap(),
        class: MutantClass::parse("walk").unwrap(),
        kind: MutantKind::C,
        wrong: "w".into(),
        like: "l".into(),
        flavors: Vec::new(),
        variant: None,
        expect: None,
        equivalent: None,
        proof: None,
        killer: Some("beta".into()),
        finding: None,
        hangs: false,
    };
    let (cell, healthy) = (cell_of(guest), cell_of(&good()));
    let reference = CheckName::parse("beta").unwrap();
    judge_mutant(&MutantEvidence { facts: &facts, reference: &reference, cells: &[(&cell, &healthy)], ms: 0 })
}

#[track_caller]
fn is(guest: &Guest, kills: &[&str], outcome: MutantOutcome, by_reference: bool) {
    let record = judged(guest);
    let by: Vec<&str> = record.kills.iter().map(|kill| kill.by.as_str()).collect();
    assert_eq!((by.as_slice(), record.outcome, record.by_reference), (kills, outcome, by_reference));
}

#[test]
fn the_check_that_ran_noticed_a_crash_and_the_one_after_it_did_not() {
    for exit in [Exit::Code(0), Exit::Deadline] {
        let during_alpha = good().silent_from(Done, 0).ending(exit);
        let statuses: Vec<CheckStatus> = cell_of(&during_alpha).checks.iter().map(|one| one.status).collect();
        assert_eq!(statuses[..2], [CheckStatus::Fail, CheckStatus::NotRun]);
        assert_eq!(judged(&during_alpha).kills[0].by_deadline, exit == Exit::Deadline);
        is(&during_alpha, &["alpha"], MutantOutcome::WrongKiller, false);
        // Whether the guest hung or the host was slow is nothing that a deadline tells.
        let outcome = match exit {
            Exit::Deadline => MutantOutcome::Undecided,
            _ => MutantOutcome::Killed,
        };
        is(&good().silent_from(Done, 1).ending(exit), &["beta"], outcome, true);
    }
}

#[test]
fn a_panic_is_the_kernel_logs_and_the_running_checks() {
    let mut guest = good().silent_from(Done, 0);
    guest.console.push("Kernel panic - not syncing: Attempted to kill init!".into());
    is(&guest, &["alpha", "kernel-log"], MutantOutcome::WrongKiller, false);
}

#[test]
fn a_check_that_was_cut_off_noticed_by_deadline() {
    let guest = good().with(Done, 1, "exit 0", "deadline");
    let kills = judged(&guest).kills;
    assert_eq!((kills.len(), kills[0].by.as_str(), kills[0].by_deadline), (1, "beta", true));
}

#[test]
fn a_crash_between_checks_is_no_checks_merit() {
    is(&good().silent_from(Start, 1), &["boot"], MutantOutcome::WrongKiller, false);
}
