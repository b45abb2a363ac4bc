// SPDX-License-Identifier: MIT OR Apache-2.0
//! JUnit XML: a suite a cell, a case a sub-result.

use std::time::Duration;

use anyhow::{Context, Result};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::record::model::{CellRecord, CheckRecord, CheckStatus, Outcome, Run, SubRecord};

/// The report of a run.
///
/// # Errors
/// If it cannot be written as XML.
pub fn junit(run: &Run) -> Result<String> {
    let mut report = Report::new("seccomp-lab");
    report.add_test_suites(run.cells.iter().map(suite));
    report.to_string().context("writing JUnit XML")
}

fn suite(cell: &CellRecord) -> TestSuite {
    let mut suite = TestSuite::new(cell.id.as_str());
    // What another cell's guest showed stands there, once.
    if cell.same_as.is_some() && cell.outcome == Outcome::Pass {
        suite.add_test_case(verdict_case(cell));
        return suite;
    }
    suite.set_time(Duration::from_millis(cell.timings_ms.get("guest").copied().unwrap_or(0)));
    let of_subs =
        cell.checks.iter().flat_map(|check| check.subs.iter().map(move |sub| sub_case(cell, check, sub)));
    suite.add_test_cases(of_subs.collect::<Vec<_>>());
    // A check can fail although all of its sub-results pass: that must not be lost.
    suite.add_test_cases(cell.checks.iter().map(|check| check_case(cell, check)).collect::<Vec<_>>());
    suite.add_test_case(verdict_case(cell));
    suite
}

fn sub_case(cell: &CellRecord, check: &CheckRecord, sub: &SubRecord) -> TestCase {
    let mut case = TestCase::new(format!("{}.{}", check.name, sub.name()), status(sub.status, &sub.reason));
    case.set_classname(cell.id.as_str());
    case
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
    let mut case = TestCase::new("verdict", verdict);
    case.set_classname(cell.id.as_str());
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
