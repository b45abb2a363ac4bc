// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a series changes: cells against their baseline.

use std::fmt::Write as _;

use console::{Style, style};

use crate::record::baseline::{baseline_of, comparisons};
use crate::record::compare::{CellDiff, Change};
use crate::record::model::{CellRole, INERT, Outcome, Run};
use crate::tell::diff;
use crate::tell::terminal::status_line;

/// A line for each cell that was compared, with the results for which it is worse, and those that fail in
/// both. Empty without a baseline.
pub fn section(run: &Run) -> String {
    let mut text = String::new();
    for cell in run.cells.iter().filter(|cell| cell.same_as.is_none()) {
        let Some(baseline) = baseline_of(run, cell) else { continue };
        if !matches!(baseline.outcome, Outcome::Pass | Outcome::Fail) {
            let line = format!("{}: no verdict on {} ({})", cell.id, baseline.id, baseline.word());
            text.push_str(&status_line(&Style::new().yellow(), "UNCOMPARED", None, &line));
        }
    }
    let inert = |id: &str| run.cells.iter().any(|cell| cell.id == id && cell.word() == INERT);
    for diff in comparisons(run).iter().filter(|diff| !inert(&diff.newer)) {
        text.push_str(&lines(diff));
    }
    if run.cells.iter().any(|cell| cell.role == CellRole::Baseline) { text } else { String::new() }
}

fn lines(diff: &CellDiff) -> String {
    let (how, word) = match diff.is_regression() {
        true => (Style::new().red().bold(), "WORSE"),
        false => (Style::new().green(), "NO WORSE"),
    };
    let mut parts: Vec<String> = Change::TOLD
        .iter()
        .map(|change| (diff.with(*change).count(), change.words()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    parts.push(format!("{} the same", diff.same));
    if !diff.new_findings.is_empty() {
        parts.insert(0, format!("{} new in the kernel log", diff.new_findings.len()));
    }
    let line = format!("{} against {}: {}", diff.newer, diff.older, parts.join(", "));
    let mut text = status_line(&how, word, None, &line);
    let told: Vec<String> = diff::lines(diff)
        .into_iter()
        .filter_map(|(is_bad, line)| match (is_bad, line.starts_with(Change::StillFailing.words())) {
            (true, _) => Some(style(line).red().to_string()),
            (false, true) => Some(line),
            (false, false) => None,
        })
        .collect();
    for line in told {
        let _ = writeln!(text, "{:>14}{line}", "");
    }
    text
}
