// SPDX-License-Identifier: MIT OR Apache-2.0
//! Markdown: for a step summary or a mail.

use std::fmt::Write as _;

use crate::record::model::{CheckStatus, Outcome, Run};
use crate::tell::grid::{check_counts, check_names};

/// The report of a run.
pub fn markdown(run: &Run) -> String {
    let names = check_names(&run.cells);
    let mut text = format!("### Kernel test lab: run {}\n\n", run.id);
    let row = |words: &[&str]| format!("| {} |\n", words.join(" | "));
    text.push_str(&row(&[&["cell", "outcome"], names.as_slice()].concat()));
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(names.len()));
    for cell in &run.cells {
        let checks: Vec<String> = names
            .iter()
            .map(|name| match cell.checks.iter().find(|check| check.name == *name) {
                None => "-".to_owned(),
                Some(check) if check.status == CheckStatus::Pass => check_counts(check),
                Some(check) => format!("**{}** {}", check.status.word(), check_counts(check)),
            })
            .collect();
        let checks = checks.iter().map(String::as_str);
        let words: Vec<&str> = [cell.id.as_str(), cell.word()].into_iter().chain(checks).collect();
        text.push_str(&row(&words));
    }
    for cell in run.cells.iter().filter(|cell| cell.outcome != Outcome::Pass) {
        let _ = writeln!(text, "\n**{}** {}: {}", cell.id, cell.word(), cell.reason);
        if !cell.excerpt.is_empty() {
            let _ = writeln!(text, "\n```\n{}\n```", cell.excerpt.join("\n").replace("```", "'''"));
        }
    }
    for (name, tree) in &run.trees {
        let _ = writeln!(text, "\nTree {name}: {}, version {}.", tree.source, tree.version);
    }
    text
}
