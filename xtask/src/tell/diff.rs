// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two runs compared: a table of cells, and below it what changed in each.

use std::fmt::Write as _;

use console::Style;

use crate::record::compare::{CellDiff, Change, Item};
use crate::record::run_diff::{CellName, RunDiff, RunName};
use crate::tell::markdown;
use crate::tell::table::{Align, lay_out};

/// More results than this with one change in one check are counted, and not named.
const NAMED_MAX: usize = 8;

/// For people.
pub fn text(diff: &RunDiff) -> String {
    let mut text = format!("  older  {}\n  newer  {}\n\n", run_name(&diff.older), run_name(&diff.newer));
    let mut align = vec![Align::Left, Align::Left];
    align.resize(Change::TOLD.len() + 4, Align::Right);
    text.push_str(&lay_out(&table(diff), &align));
    for cell in diff.cells.iter().filter(|cell| has_news(cell)) {
        let _ = writeln!(text, "\n  {}", cell.newer);
        for (is_bad, line) in lines(cell) {
            let line = if is_bad { Style::new().red().apply_to(line).to_string() } else { line };
            let _ = writeln!(text, "    {line}");
        }
    }
    for line in only(diff) {
        let _ = writeln!(text, "\n  {line}");
    }
    let _ = writeln!(text, "\n  {}", verdict(diff));
    text
}

/// For a step summary or a mail.
pub fn markdown(diff: &RunDiff) -> String {
    let rows: Vec<String> = table(diff).iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    let mut text = format!("### {} against {}\n\n", run_name(&diff.newer), run_name(&diff.older));
    for (number, row) in rows.iter().enumerate() {
        text.push_str(row);
        if number == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(Change::TOLD.len() + 4));
        }
    }
    let cells = diff.cells.iter().filter(|cell| has_news(cell)).map(|cell| {
        let mut part = format!("\n**{}**\n\n", cell.newer);
        for (is_bad, line) in lines(cell) {
            let mark = if is_bad { "**worse** " } else { "" };
            let _ = writeln!(part, "- {mark}{}", markdown::plain(&line));
        }
        part
    });
    let end: String = only(diff).iter().map(|line| format!("\n{line}\n")).collect();
    markdown::within_limit(text, cells, &format!("{end}\n{}\n", verdict(diff)))
}

fn run_name(run: &RunName) -> String {
    format!("{} ({})", run.id, run.state.words())
}

/// A row for each cell, and the number of results with each change.
fn table(diff: &RunDiff) -> Vec<Vec<String>> {
    let mut head = vec!["cell".to_owned(), "outcome".to_owned()];
    head.extend(Change::TOLD.iter().map(|change| change.words().to_owned()));
    head.extend(["same", "findings"].map(str::to_owned));
    let mut rows = vec![head];
    for cell in &diff.cells {
        let outcome = match cell.outcome.older == cell.outcome.newer {
            true => cell.outcome.newer.word().to_owned(),
            false => format!("{} to {}", cell.outcome.older.word(), cell.outcome.newer.word()),
        };
        let count = |count: usize| if count == 0 { "-".to_owned() } else { count.to_string() };
        let mut row = vec![cell.newer.clone(), outcome];
        row.extend(Change::TOLD.iter().map(|change| count(cell.with(*change).count())));
        row.push(count(cell.same));
        row.push(match (cell.new_findings.len(), cell.gone_findings.len()) {
            (0, 0) => "-".to_owned(),
            (new, gone) => format!("+{new} -{gone}"),
        });
        rows.push(row);
    }
    rows
}

fn has_news(cell: &CellDiff) -> bool {
    cell.is_regression()
        || !cell.items.is_empty()
        || !cell.gone_findings.is_empty()
        || cell.outcome.older != cell.outcome.newer
}

/// What changed in a cell, a line each, and whether that is a regression.
pub fn lines(cell: &CellDiff) -> Vec<(bool, String)> {
    let mut lines = Vec::new();
    if cell.outcome.older != cell.outcome.newer {
        let line = format!("outcome: {}, was {}", cell.outcome.newer.word(), cell.outcome.older.word());
        lines.push((cell.outcome.is_worse() || cell.is_regression(), line));
    }
    for finding in &cell.new_findings {
        lines.push((true, format!("kernel log, new: {} ({})", finding.title, finding.family)));
    }
    for finding in &cell.gone_findings {
        lines.push((false, format!("kernel log, gone: {} ({})", finding.title, finding.family)));
    }
    for change in Change::TOLD {
        let mut checks: Vec<&str> = Vec::new();
        for item in cell.with(change) {
            if !checks.contains(&item.key.check.as_str()) {
                checks.push(&item.key.check);
            }
        }
        for check in checks {
            let items = cell.with(change).filter(|item| item.key.check == check);
            item_lines(change, check, &items.collect::<Vec<_>>(), &mut lines);
        }
    }
    lines
}

/// Items of one check with one change. Those that are worse come first.
fn item_lines(change: Change, check: &str, items: &[&Item], lines: &mut Vec<(bool, String)>) {
    let (bad, good): (Vec<&Item>, Vec<&Item>) = items.iter().copied().partition(|item| item.is_regression());
    let words = change.words();
    for (is_bad, items) in [(true, bad), (false, good)] {
        // What is new and passes is many, and all of it good.
        let is_many = items.len() > NAMED_MAX || (change == Change::New && !is_bad && items.len() > 1);
        let named = if is_many && !is_bad { 0 } else { NAMED_MAX };
        for item in items.iter().take(named) {
            lines.push((is_bad, format!("{words}: {}{}", item.key.name(), reason(item))));
        }
        let more = items.len().saturating_sub(named);
        if more > 0 {
            let other = if named == 0 { "" } else { "other " };
            lines.push((is_bad, format!("{words}: {more} {other}results of {check}")));
        }
    }
}

/// Why, in one line: of the newer result, where it does not pass.
fn reason(item: &Item) -> String {
    let Some(newer) = &item.newer else { return String::new() };
    match (newer.status.word(), newer.reason.lines().next().unwrap_or("").trim()) {
        ("pass", _) => String::new(),
        (status, "") => format!(" ({status})"),
        (status, reason) => format!(" ({status}: {reason})"),
    }
}

/// Cells that cannot be compared: one run has no verdict on them, or has them alone.
fn only(diff: &RunDiff) -> Vec<String> {
    let line = |cells: &[CellName], run: &RunName| {
        let mut names: Vec<String> =
            cells.iter().take(NAMED_MAX).map(|cell| format!("{} {}", cell.id, cell.outcome)).collect();
        if cells.len() > NAMED_MAX {
            names.push(format!("{} more", cells.len() - NAMED_MAX));
        }
        (!cells.is_empty()).then(|| format!("only in {}: {}", run.id, names.join(", ")))
    };
    let uncompared = diff.uncompared.iter().map(|cell| {
        format!("not compared: {}, {} to {}: one run has no verdict on it", cell.id, cell.older, cell.newer)
    });
    let alone = [line(&diff.only_older, &diff.older), line(&diff.only_newer, &diff.newer)];
    uncompared.chain(alone.into_iter().flatten()).collect()
}

fn verdict(diff: &RunDiff) -> String {
    let worse = diff.cells.iter().filter(|cell| cell.is_regression()).count();
    let not_compared = match diff.uncompared.len() {
        0 => String::new(),
        cells => format!("; {cells} not compared"),
    };
    match worse {
        0 => format!("nothing is worse in {} cells{not_compared}", diff.cells.len()),
        _ => format!("worse in {worse} of {} cells{not_compared}", diff.cells.len()),
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
