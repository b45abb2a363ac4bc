// SPDX-License-Identifier: MIT OR Apache-2.0
//! JUnit XML: a suite a cell, a case a sub-result.

use std::time::Duration;

use anyhow::{Context, Result};
use quick_junit::{FlakyOrRerun, NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use crate::record::compare::{ItemKey, subs};
use crate::record::model::{CellRecord, CheckRecord, CheckStatus, Outcome, Run, SubRecord};
use crate::record::notes::notes;
use crate::record::repeat::{NO_ANSWER, Rate, RepeatRecord};

/// More rounds of one sub-test than this are not told one by one.
const ROUNDS_MAX: usize = 20;

/// The report of a run.
///
/// # Errors
/// If it cannot be written as XML.
pub fn junit(run: &Run) -> Result<String> {
    let mut report = Report::new("seccomp-lab");
    report.add_test_suites(run.cells.iter().map(|cell| suite(cell, run.repeat.as_ref())));
    report.to_string().context("writing JUnit XML")
}

fn suite(cell: &CellRecord, repeat: Option<&RepeatRecord>) -> TestSuite {
    let mut suite = TestSuite::new(cell.id.as_str());
    // What another cell's guest showed stands there, once.
    if cell.same_as.is_some() && cell.outcome == Outcome::Pass {
        suite.add_test_case(verdict_case(cell));
        return suite;
    }
    suite.set_time(Duration::from_millis(cell.timings_ms.get("guest").copied().unwrap_or(0)));
    for check in &cell.checks {
        for (sub, (key, _)) in check.subs.iter().zip(subs(check)) {
            suite.add_test_case(sub_case(cell, check, sub, rate(cell, &key, sub, repeat)));
        }
    }
    // A check can fail although all of its sub-results pass: that must not be lost.
    suite.add_test_cases(cell.checks.iter().map(|check| check_case(cell, check)).collect::<Vec<_>>());
    suite.add_test_case(verdict_case(cell));
    suite
}

/// How often a sub-test that changes its mind passed.
fn rate<'a>(
    cell: &CellRecord,
    key: &ItemKey,
    sub: &SubRecord,
    repeat: Option<&'a RepeatRecord>,
) -> Option<&'a Rate> {
    let repeat = repeat.filter(|_| sub.status == CheckStatus::Flaky)?;
    repeat.rate(&cell.id, &key.check, &key.path, key.nth)
}

fn sub_case(cell: &CellRecord, check: &CheckRecord, sub: &SubRecord, rate: Option<&Rate>) -> TestCase {
    let mut status = status(sub.status, &sub.reason);
    // A reader that takes a flaky test for a passed one must not do so here: it stays a failure.
    status.set_rerun_kind(FlakyOrRerun::Flaky).add_reruns(rate.into_iter().flat_map(bad_rounds));
    let mut case = TestCase::new(format!("{}.{}", check.name, sub.name()), status);
    case.set_classname(cell.id.as_str());
    case
}

/// The rounds in which a sub-test did not pass.
fn bad_rounds(rate: &Rate) -> impl Iterator<Item = TestRerun> {
    let is_bad = |letter: &char| *letter != NO_ANSWER && *letter != CheckStatus::Pass.letter();
    let bad = (1..).zip(rate.seen.chars()).filter(move |(_, letter): &(usize, char)| is_bad(letter));
    bad.take(ROUNDS_MAX).map(|(round, letter)| {
        let word = CheckStatus::of_letter(letter).map_or("", CheckStatus::word);
        let mut rerun = TestRerun::new(NonSuccessKind::Failure);
        rerun.set_type(word).set_message(format!("round {round}: {word}"));
        rerun
    })
}

fn check_case(cell: &CellRecord, check: &CheckRecord) -> TestCase {
    let mut case = TestCase::new(check.name.as_str(), status(check.status, &check.reason));
    case.set_classname(cell.id.as_str()).set_time(Duration::from_millis(check.ms));
    case
}

/// The verdict on the cell as a case of its own: a boot that failed has no other.
fn verdict_case(cell: &CellRecord) -> TestCase {
    let verdict = match cell.outcome {
        Outcome::Pass => match &cell.same_as {
            None => TestCaseStatus::success(),
            Some(other) => {
                let mut skipped = TestCaseStatus::skipped();
                skipped.set_message(format!("inert: its kernel and programs are those of {other}"));
                skipped
            }
        },
        Outcome::Fail => with_text(NonSuccessKind::Failure, cell.outcome.word(), &cell.reason, &cell.excerpt),
        _ => with_text(NonSuccessKind::Error, cell.outcome.word(), &cell.reason, &cell.excerpt),
    };
    let mut verdict = verdict;
    verdict.add_reruns(cell.retries().map(|why| {
        let mut rerun = TestRerun::new(NonSuccessKind::Error);
        rerun.set_type(Outcome::Infra.word()).set_message(why);
        rerun
    }));
    let mut case = TestCase::new("verdict", verdict);
    case.set_classname(cell.id.as_str());
    let notes = notes(cell);
    if !notes.is_empty() {
        case.set_system_out(notes.join("\n"));
    }
    case
}

fn status(status: CheckStatus, reason: &str) -> TestCaseStatus {
    match status {
        CheckStatus::Pass => TestCaseStatus::success(),
        CheckStatus::Skip | CheckStatus::Absent => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(format!("{}: {reason}", status.word()));
            skipped
        }
        CheckStatus::Fail | CheckStatus::Flaky => {
            with_text(NonSuccessKind::Failure, status.word(), reason, &[])
        }
        CheckStatus::NotRun => with_text(NonSuccessKind::Error, status.word(), reason, &[]),
    }
}

fn with_text(kind: NonSuccessKind, word: &str, reason: &str, excerpt: &[String]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(word).set_message(reason);
    if !excerpt.is_empty() {
        status.set_description(excerpt.join("\n"));
    }
    status
}
