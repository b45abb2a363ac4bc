// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verdicts on planted faults, and the exit code of a run.

use super::*;
use crate::lab::mutant::{Equivalent, MutantKind};
use crate::lab::names::{MutantClass, MutantName};
use crate::record::model::FindingRecord;
use crate::record::mutant::{Score, exit_code};
use crate::record::sample::{cell, check, sub};

fn facts(killer: Option<&str>) -> MutantFacts {
    MutantFacts {
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
        killer: killer.map(str::to_owned),
        finding: None,
        hangs: false,
    }
}

fn equivalent() -> MutantFacts {
    MutantFacts { equivalent: Some(Equivalent::Proof), proof: Some("p".into()), ..facts(None) }
}

/// Two checks with two sub-results each; the second of `bpf` is a known skip.
fn run_of(outcome: Outcome, bpf: CheckStatus, dump: CheckStatus) -> CellRecord {
    let subs = |status| vec![sub("one", 1, CheckStatus::Pass, ""), sub("two", 2, status, "")];
    let mut bpf_subs = subs(bpf);
    bpf_subs.insert(0, sub("known", 0, CheckStatus::Skip, ""));
    let checks = vec![check("bpf", bpf, "why", bpf_subs), check("cache.dump", dump, "why", subs(dump))];
    cell("5.10/mutant-m@1/x86_64", outcome, "reason", checks)
}

fn healthy() -> CellRecord {
    run_of(Outcome::Pass, CheckStatus::Pass, CheckStatus::Pass)
}

fn judged(facts: &MutantFacts, cells: &[CellRecord]) -> MutantRecord {
    let (reference, before) = (CheckName::parse("bpf").unwrap(), healthy());
    let pairs: Vec<(&CellRecord, &CellRecord)> = cells.iter().map(|cell| (cell, &before)).collect();
    judge_mutant(&MutantEvidence { facts, reference: &reference, cells: &pairs, ms: 7 })
}

fn dump_fails() -> CellRecord {
    run_of(Outcome::Fail, CheckStatus::Pass, CheckStatus::Fail)
}

#[test]
fn a_check_that_fails_kills_and_is_named_with_its_first_sub_result() {
    let record = judged(&facts(Some("cache")), &[healthy(), dump_fails()]);
    assert_eq!(record.outcome, MutantOutcome::Killed);
    assert_eq!(record.kills.len(), 1);
    assert_eq!((record.kills[0].by.as_str(), record.kills[0].first.as_str()), ("cache.dump", "two"));
    assert!(!record.by_reference && record.reason.is_empty() && record.ms == 7);
    // The known skip comes first and is no news.
    let record = judged(&facts(None), &[run_of(Outcome::Fail, CheckStatus::Fail, CheckStatus::Pass)]);
    assert_eq!((record.kills[0].by.as_str(), record.kills[0].first.as_str()), ("bpf", "two"));
    assert!(record.by_reference);
}

#[test]
fn what_passes_everywhere_survives_and_says_who_was_to_notice() {
    for (killer, words) in [
        (None, "no check is named"),
        (Some("cache.dump"), "`cache.dump` is meant to notice it, and did not"),
        (Some("kernel-log"), "and did not"),
        (Some("review"), "no such check was asked"),
        (Some("cache.du"), "no such check was asked"),
    ] {
        let record = judged(&facts(killer), &[healthy(), healthy()]);
        assert_eq!(record.outcome, MutantOutcome::Survived);
        assert!(record.reason.contains(words), "{}", record.reason);
    }
}

#[test]
fn a_killer_that_is_named_has_to_be_among_those_that_noticed() {
    for (killer, outcome) in [
        ("cache", MutantOutcome::Killed),
        ("cache.dump", MutantOutcome::Killed),
        ("cache.dump.two", MutantOutcome::Killed),
        ("cache.dump.one", MutantOutcome::WrongKiller),
        ("bpf", MutantOutcome::WrongKiller),
        ("kernel-log", MutantOutcome::WrongKiller),
        ("build", MutantOutcome::WrongKiller),
    ] {
        assert_eq!(judged(&facts(Some(killer)), &[dump_fails()]).outcome, outcome, "{killer}");
    }
}

#[test]
fn what_is_proved_equivalent_must_not_be_noticed() {
    assert_eq!(judged(&equivalent(), &[healthy()]).outcome, MutantOutcome::Equivalent);
    let record = judged(&equivalent(), &[healthy(), dump_fails()]);
    assert_eq!(record.outcome, MutantOutcome::Refuted);
    assert!(record.reason.contains("cache.dump noticed: two"), "{}", record.reason);
}

#[test]
fn a_finding_of_the_kernel_log_kills_and_is_not_the_reference_checks_merit() {
    let mut found = run_of(Outcome::Fail, CheckStatus::Pass, CheckStatus::Pass);
    found.findings.push(FindingRecord {
        family: "refcount".into(),
        title: "refcount_t: underflow".into(),
        check: "bpf".into(),
        excerpt: Vec::new(),
        ..FindingRecord::default()
    });
    let record = judged(&facts(Some("kernel-log")), &[found]);
    assert_eq!((record.outcome, record.by_reference), (MutantOutcome::Killed, false));
    assert_eq!(record.kills[0].first, "refcount_t: underflow");
}

#[test]
fn a_finding_that_is_named_has_to_be_the_one() {
    let mut found = run_of(Outcome::Fail, CheckStatus::Pass, CheckStatus::Pass);
    found.findings.push(FindingRecord {
        family: "kasan".into(),
        title: "BUG: KASAN: use-after-free in f".into(),
        check: "bpf".into(),
        excerpt: Vec::new(),
        ..FindingRecord::default()
    });
    for (finding, outcome) in [
        ("KASAN", MutantOutcome::Killed),
        ("kasan", MutantOutcome::Killed),
        ("in f", MutantOutcome::Killed),
        ("leak", MutantOutcome::WrongKiller),
    ] {
        let facts = MutantFacts { finding: Some(finding.into()), ..facts(Some("kernel-log")) };
        let record = judged(&facts, std::slice::from_ref(&found));
        assert_eq!(record.outcome, outcome, "{finding}");
        let missed = record.reason.contains("by a finding of `leak`");
        assert_eq!(missed, outcome == MutantOutcome::WrongKiller, "{}", record.reason);
    }
}

#[test]
fn what_only_took_too_long_shows_nothing_unless_the_fault_hangs() {
    let cut = |by_bpf: CheckStatus| {
        let mut cell = run_of(Outcome::Fail, by_bpf, CheckStatus::Fail);
        cell.checks[1].reason = "killed at its deadline after 7 ms".into();
        cell
    };
    use CheckStatus::{Fail, Pass};
    let killer = facts(Some("cache"));
    let record = judged(&killer, &[healthy(), cut(Pass)]);
    assert_eq!(record.outcome, MutantOutcome::Undecided);
    assert!(record.reason.contains("`cache.dump` took too long"), "{}", record.reason);
    // What another check says is no word of the killer's.
    assert_eq!(judged(&killer, &[cut(Fail)]).outcome, MutantOutcome::Undecided);
    assert_eq!(judged(&facts(None), &[cut(Fail)]).outcome, MutantOutcome::Killed);
    assert_eq!(judged(&facts(None), &[cut(Pass)]).outcome, MutantOutcome::Undecided);
    // In one cell it was cut off, and in the other it noticed.
    assert_eq!(judged(&killer, &[cut(Pass), dump_fails()]).outcome, MutantOutcome::Killed);
    let hangs = MutantFacts { hangs: true, ..killer };
    assert_eq!(judged(&hangs, &[cut(Pass)]).outcome, MutantOutcome::Killed);
    // A slow host refutes no proof.
    assert_eq!(judged(&equivalent(), &[cut(Pass)]).outcome, MutantOutcome::Undecided);
    assert_eq!(judged(&equivalent(), &[cut(Fail)]).outcome, MutantOutcome::Refuted);
}

#[test]
fn a_check_that_never_ran_noticed_nothing() {
    use CheckStatus::{Fail, NotRun, Pass};
    let record = judged(&facts(Some("cache")), &[run_of(Outcome::Crashed, Fail, NotRun)]);
    assert_eq!(record.kills.iter().map(|kill| kill.by.as_str()).collect::<Vec<_>>(), ["bpf"]);
    assert_eq!((record.outcome, record.by_reference), (MutantOutcome::WrongKiller, true));
    // A crash that no check shows is a crash all the same, and no check's merit.
    for checks in [(Pass, Pass), (Pass, NotRun), (NotRun, NotRun)] {
        let record = judged(&facts(None), &[run_of(Outcome::Crashed, checks.0, checks.1)]);
        assert_eq!(record.kills.iter().map(|kill| kill.by.as_str()).collect::<Vec<_>>(), ["boot"]);
        assert_eq!((record.outcome, record.by_reference), (MutantOutcome::Killed, false));
    }
}

#[test]
fn a_kernel_that_does_not_boot_is_noticed_by_any_check() {
    let record = judged(&facts(None), &[cell("x", Outcome::BootFailed, "reset", Vec::new())]);
    assert_eq!((record.outcome, record.by_reference), (MutantOutcome::Killed, true));
    assert_eq!(record.kills[0].by, "boot");
}

#[test]
fn a_kernel_that_does_not_build_is_the_mutants_fault_unless_expected() {
    let broken = cell("x", Outcome::BuildFailed, "error: undeclared", Vec::new());
    assert_eq!(judged(&facts(None), std::slice::from_ref(&broken)).outcome, MutantOutcome::BuildFailed);
    assert_eq!(judged(&equivalent(), std::slice::from_ref(&broken)).outcome, MutantOutcome::BuildFailed);
    let expecting = MutantFacts { expect: Some(Expect::Build), ..facts(Some("build")) };
    let record = judged(&expecting, std::slice::from_ref(&broken));
    assert_eq!((record.outcome, record.by_reference), (MutantOutcome::Killed, false));
    assert_eq!(judged(&expecting, &[healthy()]).outcome, MutantOutcome::Survived);
}

#[test]
fn without_a_verdict_on_a_cell_there_is_none_on_the_mutant() {
    for outcome in [Outcome::Infra, Outcome::Cancelled] {
        let record = judged(&facts(None), &[dump_fails(), cell("x", outcome, "disk", Vec::new())]);
        assert_eq!((record.outcome, record.reason.as_str()), (MutantOutcome::Undecided, "disk"));
    }
    assert_eq!(judged(&facts(None), &[]).outcome, MutantOutcome::Undecided);
    let record = judged(&facts(None), &[cell("x", Outcome::ApplyFailed, "hunk 1", Vec::new())]);
    assert_eq!(record.outcome, MutantOutcome::ApplyFailed);
}

#[test]
fn the_exit_code_is_0_only_if_all_are_noticed_or_proved() {
    let of = |outcomes: &[MutantOutcome]| -> Vec<MutantRecord> {
        let record = judged(&facts(None), &[dump_fails()]);
        outcomes.iter().map(|outcome| MutantRecord { outcome: *outcome, ..record.clone() }).collect()
    };
    use MutantOutcome::{
        ApplyFailed, BuildFailed, Equivalent as Same, Killed, Refuted, Survived, Undecided, WrongKiller,
    };
    for (outcomes, code) in [
        (vec![Killed, Same], 0),
        (vec![Killed, Survived], 100),
        (vec![Killed, WrongKiller], 100),
        (vec![Refuted], 100),
        (vec![Survived, BuildFailed], 103),
        (vec![ApplyFailed, BuildFailed], 102),
        (vec![Undecided, ApplyFailed], 105),
        (vec![], 1),
    ] {
        assert_eq!(exit_code(&of(&outcomes)), code, "{outcomes:?}");
    }
    let score = Score::of(&of(&[Killed, Refuted, WrongKiller, Survived, Same, Undecided]));
    assert_eq!((score.killed, score.observable, score.percent()), (3, 4, 75));
    assert_eq!((score.equivalent, score.undecided), (1, 1));
    assert_eq!(Score::of(&[]).percent(), 0);
}
