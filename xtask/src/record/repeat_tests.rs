// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::record::model::CheckStatus::{Absent, Fail, Flaky, NotRun, Pass, Skip};
use crate::record::model::{CheckStatus, FindingRecord, Outcome};
use crate::record::sample;

/// A cell with one check, of sub-tests with these statuses.
fn cell(outcome: Outcome, statuses: &[CheckStatus]) -> CellRecord {
    let subs = (1..).zip(statuses).map(|(n, status)| sample::sub(&format!("t{n}"), n, *status, "")).collect();
    let bad = statuses.iter().find(|status| **status != Pass).copied();
    let count = statuses.iter().filter(|status| Some(**status) == bad).count();
    let reason =
        bad.map_or(String::new(), |_| format!("{count} of {} failed, the first is t", statuses.len()));
    let why = if outcome == Outcome::Pass { "" } else { "why" };
    sample::cell("t/s@1/f", outcome, why, vec![sample::check("c", bad.unwrap_or(Pass), &reason, subs)])
}

fn folded(cells: impl IntoIterator<Item = CellRecord>) -> Run {
    let mut rounds = Rounds::default();
    for (number, cell) in cells.into_iter().enumerate() {
        rounds.add(Run { id: format!("run{number}"), ..sample::run(vec![cell]) });
    }
    rounds.record("all".into(), RunState::Complete).unwrap()
}

fn seen(run: &Run) -> Vec<String> {
    let rates = &run.repeat.as_ref().unwrap().rates;
    rates.iter().map(|rate| format!("{} {}/{} {}", rate.name(), rate.passed, rate.of, rate.seen)).collect()
}

#[test]
fn what_always_passes_passes() {
    let run = folded(vec![cell(Outcome::Pass, &[Pass, Pass]); 3]);
    assert_eq!(seen(&run), ["c.t1 3/3 PPP", "c.t2 3/3 PPP"]);
    assert_eq!(run.cells[0].outcome, Outcome::Pass);
    assert_eq!(run.cells[0].reason, "");
    assert_eq!(run.cells[0].checks[0].status, Pass);
    assert_eq!(run.repeat.unwrap().rounds, ["run0", "run1", "run2"]);
    assert_eq!(run.cells[0].attempts.len(), 3);
}

#[test]
fn a_sub_test_that_changes_its_mind_is_flaky_and_its_cell_no_pass() {
    let (good, bad) = (cell(Outcome::Pass, &[Pass, Pass]), cell(Outcome::Fail, &[Pass, Fail]));
    let run = folded([good.clone(), good.clone(), bad, good]);
    assert_eq!(seen(&run), ["c.t1 4/4 PPPP", "c.t2 3/4 PPFP"]);
    let cell = &run.cells[0];
    assert_eq!(cell.outcome, Outcome::Fail);
    assert_eq!(cell.reason, "flaky: c.t2 passed 3 of 4 rounds; in 1 of 4 rounds: why");
    assert_eq!(cell.files["console.log"], "run2/t--s@1--f.console.log", "of the round that went worst");
    let check = &cell.checks[0];
    assert_eq!((check.status, check.subs[0].status, check.subs[1].status), (Flaky, Pass, Flaky));
    assert_eq!(check.reason, "1 of 2 flaky, the first is t2");
    assert_eq!(check.subs[1].reason, "passed 3 of 4 rounds: PPFP");
}

#[test]
fn what_every_round_passes_and_is_flaky_all_the_same_is_no_pass() {
    // A failure that is expected, and a skip that is: each round passes.
    for other in [Fail, Skip] {
        let mut known = cell(Outcome::Pass, &[Pass, other]);
        known.checks[0].status = Pass;
        let run = folded([cell(Outcome::Pass, &[Pass, Pass]), known]);
        assert_eq!(run.cells[0].outcome, Outcome::Fail, "{other:?}");
        assert_eq!(run.cells[0].reason, "flaky: c.t2 passed 1 of 2 rounds");
    }
}

#[test]
fn what_always_fails_keeps_its_status() {
    let run = folded(vec![cell(Outcome::Fail, &[Fail, Pass]); 2]);
    assert_eq!(seen(&run), ["c.t1 0/2 FF", "c.t2 2/2 PP"]);
    assert_eq!(run.cells[0].checks[0].status, Fail);
    assert_eq!(run.cells[0].reason, "in 2 of 2 rounds: why");
    assert_eq!(run.repeat.unwrap().flaky().count(), 0);
}

#[test]
fn rounds_without_a_verdict_of_their_own_are_no_answers_but_count_for_the_outcome() {
    let good = cell(Outcome::Pass, &[Pass]);
    let infra = CellRecord { checks: Vec::new(), ..cell(Outcome::Infra, &[]) };
    let mut found = good.clone();
    found.found_in = Some("earlier".into());
    let run = folded([infra, good.clone(), found.clone(), good.clone()]);
    assert_eq!(seen(&run), ["c.t1 2/2 .P.P"]);
    assert_eq!(run.cells[0].outcome, Outcome::Infra);
    assert_eq!(run.cells[0].checks[0].status, Pass);
    // Where no round booted it, what was found is all there is.
    let run = folded([found.clone(), found]);
    assert_eq!(seen(&run), [""; 0]);
    assert_eq!(run.cells[0].checks, good.checks);
}

#[test]
fn a_guest_that_ended_early_says_nothing_of_what_it_did_not_come_to() {
    let mut crashed = cell(Outcome::Crashed, &[Pass]);
    crashed.checks[0].status = Fail;
    crashed.checks[0].reason = "it did not end".into();
    let run = folded([cell(Outcome::Pass, &[Pass, Pass]), crashed]);
    assert_eq!(seen(&run), ["c.t1 2/2 PP", "c.t2 1/1 P.", "c 1/2 PF"]);
    assert_eq!(run.cells[0].outcome, Outcome::Crashed);
    assert_eq!(run.cells[0].checks[0].status, Flaky);
    assert_eq!(run.cells[0].checks[0].reason, "PF: it did not end");
}

#[test]
fn a_sub_test_that_is_gone_in_a_round_is_flaky() {
    let run = folded([cell(Outcome::Pass, &[Pass, Pass]), cell(Outcome::Pass, &[Pass])]);
    assert_eq!(seen(&run), ["c.t1 2/2 PP", "c.t2 1/2 PN"]);
    assert_eq!(run.cells[0].outcome, Outcome::Fail);
    assert_eq!(run.cells[0].checks[0].plan, Some(2));
    // One that was not there from the first round on as well.
    let run = folded([cell(Outcome::Pass, &[Pass]), cell(Outcome::Pass, &[Pass, Pass])]);
    assert_eq!(seen(&run), ["c.t1 2/2 PP", "c.t2 1/2 NP"]);
}

#[test]
fn a_check_that_counts_what_is_right_passed_what_it_does_not_name() {
    let counting = |outcome, statuses: &[CheckStatus]| {
        let mut cell = cell(outcome, statuses);
        cell.checks[0].figures.insert("chains".into(), 100);
        cell
    };
    let run = folded([counting(Outcome::Pass, &[Pass]), counting(Outcome::Fail, &[Pass, Fail])]);
    assert_eq!(seen(&run), ["c.t1 2/2 PP", "c.t2 1/2 PF"]);
}

#[test]
fn a_check_that_comes_and_goes_and_findings_are_told() {
    let absent = |status| {
        let check = sample::check("c", status, "without CONFIG_X", Vec::new());
        sample::cell("t/s@1/f", Outcome::Pass, "", vec![check])
    };
    let run = folded([absent(Absent), cell(Outcome::Pass, &[Pass])]);
    assert_eq!(run.cells[0].checks[0].status, Flaky);
    assert_eq!(run.cells[0].outcome, Outcome::Fail);
    let mut noisy = cell(Outcome::Fail, &[Pass]);
    noisy.findings.push(FindingRecord {
        family: "warning".into(),
        title: "WARNING in f".into(),
        check: "c".into(),
        excerpt: Vec::new(),
        ..FindingRecord::default()
    });
    let run = folded([noisy.clone(), noisy, cell(Outcome::Pass, &[Pass])]);
    assert_eq!(run.cells[0].findings.len(), 1, "each once");
    assert_eq!(run.cells[0].reason, "in 2 of 3 rounds: why");
}

#[test]
fn letters_are_those_of_one_status_each() {
    for status in [Pass, Fail, Skip, Absent, Flaky, NotRun] {
        assert_eq!(CheckStatus::of_letter(status.letter()), Some(status));
    }
    assert_eq!(CheckStatus::of_letter(NO_ANSWER), None);
    assert!(Rounds::default().record("x".into(), RunState::Complete).is_none());
}

#[test]
fn a_record_of_rounds_comes_back_as_it_was_written() {
    let run = folded([cell(Outcome::Pass, &[Pass]), cell(Outcome::Fail, &[Fail])]);
    let text = serde_json::to_string(&run).unwrap();
    assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
}
