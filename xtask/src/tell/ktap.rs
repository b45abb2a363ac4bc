// SPDX-License-Identifier: MIT OR Apache-2.0
//! KTAP: cells, checks and sub-results as nested tests.

use std::fmt::Write as _;

use crate::record::model::{CheckStatus, Outcome, Run};
use crate::tell::visible::plain;

/// The report of a run.
pub fn ktap(run: &Run) -> String {
    let mut text = format!("KTAP version 1\n1..{}\n", run.cells.len());
    for (number, cell) in run.cells.iter().enumerate() {
        if let (Outcome::Pass, Some(other)) = (cell.outcome, &cell.same_as) {
            let _ = writeln!(text, "ok {} {} # SKIP inert: as {}", number + 1, name(&cell.id), name(other));
            continue;
        }
        if !cell.checks.is_empty() {
            let _ = writeln!(text, "  KTAP version 1\n  1..{}", cell.checks.len());
        }
        for (number, check) in cell.checks.iter().enumerate() {
            if !check.subs.is_empty() {
                let _ = writeln!(text, "    KTAP version 1\n    1..{}", check.subs.len());
                for (number, sub) in check.subs.iter().enumerate() {
                    let name = name(&sub.name());
                    text.push_str(&line("    ", number, sub.status, &name, &sub.reason));
                }
            }
            text.push_str(&line("  ", number, check.status, &name(&check.name), &check.reason));
        }
        let status = if cell.outcome == Outcome::Pass { CheckStatus::Pass } else { CheckStatus::Fail };
        text.push_str(&line("", number, status, &name(&cell.id), &cell.reason));
    }
    text
}

fn line(indent: &str, index: usize, status: CheckStatus, name: &str, reason: &str) -> String {
    let reason = plain(reason.lines().next().unwrap_or(""));
    let number = index + 1;
    match status {
        CheckStatus::Pass => format!("{indent}ok {number} {name}\n"),
        CheckStatus::Skip | CheckStatus::Absent => {
            format!("{indent}ok {number} {name} # SKIP {}: {reason}\n", status.word())
        }
        _ if reason.is_empty() => format!("{indent}not ok {number} {name}\n"),
        _ => format!("{indent}# {reason}\n{indent}not ok {number} {name}\n"),
    }
}

/// A `#` would begin a directive.
fn name(name: &str) -> String {
    plain(&name.replace(['#', '\n'], "_")).into_owned()
}
