// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a series changes: cells against their baseline.

use std::fmt::Write as _;

use console::{Style, style};

use crate::record::baseline::{baseline_of, comparisons};
use crate::record::compare::{CellDiff, Change};
use crate::record::model::{CellRole, INERT, Outcome, Run};
use crate::record::pairs::{Pairs, Proof, pairs};
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
    for pairs in pairs(run) {
        text.push_str(&proofs(&pairs));
    }
    if run.cells.iter().any(|cell| cell.role == CellRole::Baseline) { text } else { String::new() }
}

/// Most sub-tests that are told one by one.
const TOLD_MAX: usize = 20;

/// What the tests that a series brings show of it.
fn proofs(pairs: &Pairs<'_>) -> String {
    let yellow = Style::new().yellow();
    let Some(tests) = &pairs.tests else {
        let line = format!(
            "{}: its new tests have no verdict without the series: {}: {} {}",
            pairs.cell.id,
            pairs.probe.id,
            pairs.probe.word(),
            pairs.probe.reason
        );
        return status_line(&yellow, "UNPROBED", None, &line);
    };
    if tests.is_empty() {
        let line = format!("{}: the series touches tests, and brings no new sub-test", pairs.cell.id);
        return status_line(&Style::new().dim(), "TESTS", None, &line);
    }
    let is_proof = |proof: Proof| proof == Proof::Proves;
    let proving = tests.iter().filter(|(_, proof)| is_proof(*proof)).count();
    let how = if proving == tests.len() { Style::new().green() } else { yellow };
    let line =
        format!("{}: {proving} of {} new sub-tests {}", pairs.cell.id, tests.len(), Proof::Proves.words());
    let mut text = status_line(&how, "TESTS", None, &line);
    // What proves nothing is what a reader has to look at.
    let mut sorted: Vec<_> = tests.iter().collect();
    sorted.sort_by_key(|(_, proof)| std::cmp::Reverse(*proof));
    for (key, proof) in sorted.iter().take(TOLD_MAX) {
        let _ = writeln!(text, "{:>14}{} {}", "", key.name(), proof.words());
    }
    if sorted.len() > TOLD_MAX {
        let _ = writeln!(text, "{:>14}… {} more in the record", "", sorted.len() - TOLD_MAX);
    }
    text
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
