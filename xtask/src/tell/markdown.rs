// SPDX-License-Identifier: MIT OR Apache-2.0
//! Markdown: for a step summary or a mail.

use std::fmt::Write as _;

use crate::record::model::{CellRecord, CheckStatus, Outcome, Run, RunState};
use crate::record::notes::notes;
use crate::tell::grid::{check_counts, check_names};
use crate::tell::visible;

/// GitHub drops a step summary of more than 1 MiB as a whole; this leaves room for other texts beside it.
const BYTES_MAX: usize = 900 * 1024;

/// The report of a run.
pub fn markdown(run: &Run) -> String {
    let names = check_names(&run.cells);
    let mut head = format!("### Kernel test lab: run {}\n\n", run.id);
    if run.state != RunState::Complete {
        let _ = writeln!(head, "**This run is not complete: {}.**\n", run.state.words());
    }
    let row = |words: &[&str]| format!("| {} |\n", words.join(" | "));
    head.push_str(&row(&[&["cell", "outcome"], names.as_slice()].concat()));
    let _ = writeln!(head, "|---|---|{}", "---|".repeat(names.len()));
    let rows = run.cells.iter().map(|cell| {
        let checks: Vec<String> = names.iter().map(|name| check_cell(cell, name)).collect();
        let checks = checks.iter().map(String::as_str);
        let words: Vec<&str> = [cell.id.as_str(), cell.word()].into_iter().chain(checks).collect();
        row(&words)
    });
    let bad = run.cells.iter().filter(|cell| cell.outcome != Outcome::Pass).map(|cell| {
        let mut text = format!("\n**{}** {}: {}\n", cell.id, cell.word(), plain(&cell.reason));
        if !cell.excerpt.is_empty() {
            let _ = writeln!(
                text,
                "\n```\n{}\n```",
                visible::plain(&cell.excerpt.join("\n")).replace("```", "'''")
            );
        }
        text
    });
    let noted = run.cells.iter().map(|cell| {
        let line = |note: String| format!("\n{}: note: {}\n", cell.id, plain(&note));
        notes(cell).into_iter().map(line).collect()
    });
    let mut end = String::new();
    for (name, tree) in &run.trees {
        let _ = writeln!(end, "\nTree {name}: {}, version {}.", tree.source, tree.version);
    }
    for shard in &run.shards {
        let host = &shard.host;
        let _ = writeln!(
            end,
            "\nShard {} ({}): {} cells, {}, {}, {} CPUs.",
            shard.id,
            shard.state.words(),
            shard.cells.len(),
            host.kernel,
            host.cpu,
            host.cpus
        );
    }
    within_limit(head, rows.chain(bad).chain(noted), &end)
}

fn check_cell(cell: &CellRecord, name: &str) -> String {
    match cell.checks.iter().find(|check| check.name == name) {
        None => "-".to_owned(),
        Some(check) if check.status == CheckStatus::Pass => check_counts(check),
        Some(check) => format!("**{}** {}", check.status.word(), check_counts(check)),
    }
}

/// A text of a head, as many parts as there is room for, and an end. What is left out is said.
pub fn within_limit(head: String, parts: impl Iterator<Item = String>, end: &str) -> String {
    let mut text = head;
    let mut left_out = 0_usize;
    for part in parts {
        // Once something is missing the rest is, too: a later part must not look like the one after.
        if left_out > 0 || text.len() + part.len() + end.len() > BYTES_MAX {
            left_out += 1;
        } else {
            text.push_str(&part);
        }
    }
    if left_out > 0 {
        let _ =
            writeln!(text, "\n**{left_out} more parts of this report are left out: it would be too long.**");
    }
    text.push_str(end);
    text
}

/// A line that nothing in it can make a table, a heading or a tag of.
pub fn plain(text: &str) -> String {
    visible::plain(&text.replace(['\n', '\r'], " ")).replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    #[test]
    fn a_report_of_any_run_fits_a_step_summary_and_says_what_is_left_out() {
        let cells = (0..3000).map(|number| {
            let mut cell = sample::failed();
            cell.id = format!("5.10/s@{number}/x86_64");
            cell.excerpt = vec!["x".repeat(100); 40];
            cell
        });
        let text = markdown(&sample::run(cells.collect()));
        assert!(text.len() < 1024 * 1024 && text.len() > BYTES_MAX / 2, "{}", text.len());
        assert!(text.contains("more parts of this report are left out"));
        assert!(text.contains("Tree 5.10: "), "the end is kept");
        assert!(text.contains("| 5.10/s@2999/x86_64 | fail |"), "the table comes first");
    }

    #[test]
    fn a_run_that_did_not_end_and_its_shards_are_told() {
        let mut run = sample::run(vec![sample::passed()]);
        run.state = RunState::Cancelled;
        assert!(markdown(&run).contains("**This run is not complete: interrupted.**"));
        assert!(!markdown(&sample::run(vec![sample::passed()])).contains("not complete"));
    }
}
