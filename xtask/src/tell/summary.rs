// SPDX-License-Identifier: MIT OR Apache-2.0
//! The summary: a table of cells and checks, the failures once more, and how to run them again.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use console::{Style, style};

use crate::record::baseline::deciding_outcomes;
use crate::record::model::{CellRecord, INERT, Outcome, Run, RunState, Seen};
use crate::record::notes::notes;
use crate::tell::grid::{self, check_counts};
use crate::tell::rerun::rerun;
use crate::tell::terminal::status_line;
use crate::tell::visible::plain;
use crate::tell::{baseline, patches, repeat};

/// The colour of an outcome.
pub fn outcome_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Pass => Style::new().green().bold(),
        Outcome::Cancelled => Style::new().yellow(),
        Outcome::Infra => Style::new().magenta().bold(),
        _ => Style::new().red().bold(),
    }
}

/// The colour of a cell: an inert one is not as good as one that was booted.
pub fn cell_style(cell: &CellRecord) -> Style {
    if cell.word() == INERT { Style::new().cyan() } else { outcome_style(cell.outcome) }
}

/// Everything that `test` ends with.
pub fn summary(run: &Run, folder: &Path) -> String {
    let mut text = String::new();
    let bad: Vec<&CellRecord> = run.cells.iter().filter(|cell| cell.outcome != Outcome::Pass).collect();
    text.push('\n');
    let table = patches::table(run).unwrap_or_else(|| grid::table(&run.cells));
    text.push_str(&table);
    text.push('\n');
    for cell in &bad {
        let word = cell.outcome.word().to_uppercase();
        let line = format!("{}: {}", cell.id, plain(&cell.reason));
        text.push_str(&status_line(&outcome_style(cell.outcome), &word, None, &line));
        for kind in ["console.log", "ktap", "build.log"] {
            if let Some(file) = cell.files.get(kind) {
                let _ = writeln!(text, "{:>25}{}", "", style(folder.join(file).display()).dim());
            }
        }
    }
    for (cell, note) in
        run.cells.iter().flat_map(|cell| notes(cell).into_iter().map(move |note| (cell, note)))
    {
        let line = format!("{}: {}", cell.id, plain(&note));
        text.push_str(&status_line(&Style::new().yellow(), "NOTE", None, &line));
    }
    text.push_str(&repeat::section(run));
    text.push_str(&baseline::section(run));
    text.push_str(&accelerators(&run.cells));
    text.push_str(&totals(run));
    let _ = writeln!(text, "{:>25}{}", "", style(folder.join("run.json").display()).dim());
    let again: Vec<&str> =
        bad.iter().filter(|cell| cell.outcome != Outcome::Cancelled).map(|cell| cell.id.as_str()).collect();
    if !again.is_empty() {
        let _ = writeln!(text, "       rerun:             {}", rerun(run, &again));
    }
    text
}

/// What ran the guests, each way once.
fn accelerators(cells: &[CellRecord]) -> String {
    let mut told: Vec<String> = Vec::new();
    for accel in cells.iter().filter_map(|cell| cell.accel.as_ref()) {
        let line = format!("{}: {}", accel.kind.to_uppercase(), accel.reason);
        if !told.contains(&line) {
            told.push(line);
        }
    }
    told.iter().map(|line| format!("       guests:             {line}\n")).collect()
}

fn totals(run: &Run) -> String {
    let mut counts: Vec<(&CellRecord, usize)> = Vec::new();
    for cell in &run.cells {
        match counts.iter_mut().find(|(other, _)| other.word() == cell.word()) {
            Some((_, count)) => *count += 1,
            None => counts.push((cell, 1)),
        }
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(cell, n)| cell_style(cell).apply_to(format!("{n} {}", cell.word())).to_string())
        .collect();
    let cells = if run.cells.len() == 1 { "1 cell".to_owned() } else { format!("{} cells", run.cells.len()) };
    let state = match run.state {
        RunState::Complete => String::new(),
        state => format!(" ({})", state.words()),
    };
    let is_good = run.state == RunState::Complete
        && deciding_outcomes(run).iter().all(|outcome| *outcome == Outcome::Pass);
    let how = if is_good { Style::new().green().bold() } else { Style::new().red().bold() };
    status_line(&how, "SUMMARY", span(run), &format!("{cells}: {}{state}", counts.join(", ")))
}

fn span(run: &Run) -> Option<Duration> {
    if let Some(ms) = run.timings_ms.get("total") {
        return Some(Duration::from_millis(*ms));
    }
    let parse = |text: &str| humantime::parse_rfc3339(text).ok();
    let ended: SystemTime = parse(run.ended.as_deref()?)?;
    ended.duration_since(parse(&run.started)?).ok()
}

/// Every sub-result of every cell.
pub fn full(run: &Run) -> String {
    let mut text = String::new();
    for cell in &run.cells {
        let _ = writeln!(text, "{} {} {}", cell.id, cell.word(), plain(&cell.reason));
        for check in &cell.checks {
            let _ = writeln!(
                text,
                "  {} {} {} {}",
                check.name,
                check.status.word(),
                check_counts(check),
                plain(&check.reason)
            );
            for sub in &check.subs {
                let _ =
                    writeln!(text, "    {:4} {:8} {}", sub.ordinal, sub.status.word(), plain(&sub.name()));
                for line in sub.reason.lines() {
                    let _ = writeln!(text, "               {}", plain(line));
                }
            }
        }
        for finding in &cell.findings {
            let place = match finding.seen {
                Seen::Log => "kernel log",
                Seen::Console => "console only",
            };
            let _ = writeln!(text, "  {place}: {} ({})", plain(&finding.title), finding.family);
            for line in &finding.excerpt {
                let _ = writeln!(text, "    {}", plain(line));
            }
        }
        for note in notes(cell) {
            let _ = writeln!(text, "  note: {}", plain(&note));
        }
    }
    text
}
