// SPDX-License-Identifier: MIT OR Apache-2.0
//! Trends: a letter for each run.

use std::fmt::Write as _;

use console::Style;

use crate::record::model::{CheckStatus, Outcome};
use crate::record::trend::{CellTrend, Steadiness, Trend};
use crate::tell::markdown;
use crate::tell::table::lay_out;

/// A folder of results that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub run: String,
    /// Why.
    pub why: String,
}

/// More runs than this that are left out are counted, and not named.
const LEFT_OUT_MAX: usize = 5;

/// For people.
pub fn text(trend: &Trend, left_out: &[LeftOut]) -> String {
    let mut text = String::new();
    for cell in trend.cells.iter().filter(|cell| has_moved(cell)) {
        let _ = writeln!(text, "  {}  {}", cell.id, counts(cell));
        let rows: Vec<Vec<String>> = rows(cell)
            .into_iter()
            .map(|row| {
                let told = match row.is_flaky {
                    true => Style::new().red().apply_to(row.told).to_string(),
                    false => row.told,
                };
                vec![String::new(), row.name, row.letters, told]
            })
            .collect();
        if !rows.is_empty() {
            text.push_str(&lay_out(&rows, &[]));
        }
    }
    for line in steady_lines(trend) {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "\n  {}", verdict(trend));
    if trend.cells.iter().any(has_moved) {
        let _ = writeln!(text, "  {LEGEND}");
    }
    for line in left_out_lines(left_out) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// For a step summary or a mail.
pub fn markdown(trend: &Trend, left_out: &[LeftOut]) -> String {
    let cells = trend.cells.iter().filter(|cell| has_moved(cell)).map(|cell| {
        let mut part = format!("\n**{}** {}\n", cell.id, counts(cell));
        let rows = rows(cell);
        if !rows.is_empty() {
            part.push_str("\n| result | runs | |\n|---|---|---|\n");
        }
        for row in rows {
            let told = if row.is_flaky { format!("**{}**", row.told) } else { row.told };
            let _ = writeln!(part, "| {} | `{}` | {told} |", markdown::plain(&row.name), row.letters);
        }
        part
    });
    let end: String =
        left_out_lines(left_out).iter().map(|line| format!("\n{}\n", markdown::plain(line))).collect();
    let steady: String = steady_lines(trend).iter().map(|line| format!("\n{line}\n")).collect();
    markdown::within_limit(
        "### The last runs\n".to_owned(),
        cells,
        &format!("{steady}\n{}\n\n{LEGEND}\n{end}", verdict(trend)),
    )
}

/// Whether a row of it is told.
fn has_moved(cell: &CellTrend) -> bool {
    !rows(cell).is_empty()
}

/// Cells in which nothing changed, counted.
fn steady_lines(trend: &Trend) -> Vec<String> {
    let steady: Vec<&CellTrend> = trend.cells.iter().filter(|cell| !has_moved(cell)).collect();
    let (once, often): (Vec<&CellTrend>, Vec<&CellTrend>) =
        steady.into_iter().partition(|cell| cell.runs.len() == 1);
    let sum = |cells: &[&CellTrend], what: fn(&CellTrend) -> usize| {
        cells.iter().map(|cell| what(cell)).sum::<usize>()
    };
    let mut lines = Vec::new();
    if !often.is_empty() {
        let (runs, green) = (sum(&often, |cell| cell.runs.len()), sum(&often, |cell| cell.green));
        let other = sum(&often, |cell| cell.other);
        lines.push(format!(
            "{} cells in {runs} runs: nothing changed, {green} results always pass, {other} never do",
            often.len()
        ));
    }
    if !once.is_empty() {
        lines.push(format!("{} cells in one run only: nothing to compare", once.len()));
    }
    lines
}

const LEGEND: &str = "a letter a run, the oldest first: P pass, F fail, S skip, A absent, ~ flaky, N not run, \
. not there; of a verdict also a did not apply, b did not build, o did not boot, c crashed, t timed out; | another kernel";

struct Row {
    name: String,
    letters: String,
    told: String,
    is_flaky: bool,
}

/// The verdict, where it is not always the same, and each result that is not.
fn rows(cell: &CellTrend) -> Vec<Row> {
    let mut rows = Vec::new();
    let row = |name: String, letters: Vec<char>, steadiness: &Steadiness| Row {
        name,
        letters: with_kernels(&letters, &cell.kernels),
        told: steadiness_words(steadiness),
        is_flaky: *steadiness != Steadiness::Steady,
    };
    if cell.outcomes.windows(2).any(|pair| pair[0] != pair[1]) {
        let letters = cell.outcomes.iter().map(|outcome| outcome_letter(*outcome)).collect();
        rows.push(row("(verdict)".into(), letters, &cell.verdict));
    }
    for item in &cell.moved {
        let letters = item.statuses.iter().map(|status| status_letter(*status)).collect();
        rows.push(row(item.key.name(), letters, &item.steadiness));
    }
    rows
}

/// A bar stands where the kernel is not that of the run before.
fn with_kernels(letters: &[char], kernels: &[usize]) -> String {
    let mut text = String::new();
    for (at, letter) in letters.iter().enumerate() {
        if at > 0 && kernels.get(at) != kernels.get(at - 1) {
            text.push('|');
        }
        text.push(*letter);
    }
    text
}

fn status_letter(status: Option<CheckStatus>) -> char {
    status.map_or('.', CheckStatus::letter)
}

fn outcome_letter(outcome: Outcome) -> char {
    match outcome {
        Outcome::Pass => 'P',
        Outcome::Fail => 'F',
        Outcome::ApplyFailed => 'a',
        Outcome::BuildFailed => 'b',
        Outcome::BootFailed => 'o',
        Outcome::Crashed => 'c',
        Outcome::TimedOut => 't',
        Outcome::Infra | Outcome::Cancelled => '.',
    }
}

fn steadiness_words(steadiness: &Steadiness) -> String {
    match steadiness {
        Steadiness::Steady => String::new(),
        Steadiness::Flaky { turns, runs, bad } => {
            let times = if *turns == 1 { "once".to_owned() } else { format!("{turns} times") };
            format!("flaky: changed its mind {times} on the same kernel, no pass in {bad} of {runs} runs")
        }
    }
}

fn counts(cell: &CellTrend) -> String {
    let runs = if cell.runs.len() == 1 { "1 run".to_owned() } else { format!("{} runs", cell.runs.len()) };
    let other = match cell.other {
        0 => String::new(),
        other => format!(", {other} always the same and no pass"),
    };
    format!("{runs}: {} always pass{other}, {} changed", cell.green, cell.moved.len())
}

fn verdict(trend: &Trend) -> String {
    let flaky = trend.cells.iter().filter(|cell| cell.is_flaky()).count();
    match flaky {
        0 => "nothing is flaky".to_owned(),
        _ => format!("flaky: {flaky} of {} cells", trend.cells.len()),
    }
}

fn left_out_lines(left_out: &[LeftOut]) -> Vec<String> {
    let mut lines: Vec<String> = left_out
        .iter()
        .rev()
        .take(LEFT_OUT_MAX)
        .map(|one| format!("left out: {}: {}", one.run, one.why))
        .collect();
    if left_out.len() > LEFT_OUT_MAX {
        lines.push(format!("left out: {} older ones", left_out.len() - LEFT_OUT_MAX));
    }
    lines
}
