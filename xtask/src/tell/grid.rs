// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of cells and checks, and how checks of one family are told together.

use std::time::Duration;

use console::{measure_text_width, style};

use crate::record::model::{CellRecord, CheckRecord, CheckStatus, Outcome};
use crate::tell::summary::cell_style;
use crate::tell::table::{Align, lay_out};

/// More checks than this stand one below the other, where the cells are few.
const CHECKS_BESIDE_MAX: usize = 4;

/// More cells than this stand one below the other.
const CELLS_BESIDE_MAX: usize = 6;

/// `87/87`; with skips named, since a skip is no pass.
pub fn check_counts(check: &CheckRecord) -> String {
    Counts::of(std::slice::from_ref(&check)).to_string()
}

/// The same of several checks together.
pub fn counts_of(checks: &[&CheckRecord]) -> String {
    Counts::of(checks).to_string()
}

/// Results of one or more checks.
struct Counts {
    passed: usize,
    /// Unknown where a check printed no plan.
    planned: Option<u64>,
    skipped: usize,
    not_run: usize,
    flaky: usize,
}

impl Counts {
    fn of(checks: &[&CheckRecord]) -> Self {
        let count = |status| checks.iter().map(|check| check.count(status)).sum();
        Self {
            passed: count(CheckStatus::Pass),
            planned: checks.iter().map(|check| check.plan.map(u64::from)).sum(),
            skipped: count(CheckStatus::Skip),
            not_run: count(CheckStatus::NotRun),
            flaky: count(CheckStatus::Flaky),
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let planned = self.planned.map_or_else(|| "?".to_owned(), |plan| plan.to_string());
        write!(f, "{}/{planned}", self.passed)?;
        for (count, word) in [(self.skipped, "skipped"), (self.not_run, "not run"), (self.flaky, "flaky")] {
            if count > 0 {
                write!(f, " ({count} {word})")?;
            }
        }
        Ok(())
    }
}

/// The names of the checks of some cells, each once, in their order.
pub fn check_names(cells: &[CellRecord]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for check in cells.iter().flat_map(|cell| &cell.checks) {
        if !names.contains(&check.name.as_str()) {
            names.push(&check.name);
        }
    }
    names
}

/// What a check's name begins with: `review` of `review.kconfig`.
fn family(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The checks of a cell as one line: `seccomp_bpf 87/87, review 12/12`.
pub fn families_line(cell: &CellRecord) -> String {
    let mut families: Vec<(&str, Vec<&CheckRecord>)> = Vec::new();
    for check in &cell.checks {
        let name = family(&check.name);
        match families.iter_mut().find(|(other, _)| *other == name) {
            Some((_, checks)) => checks.push(check),
            None => families.push((name, vec![check])),
        }
    }
    families.iter().map(|(name, checks)| family_word(name, checks)).collect::<Vec<_>>().join(", ")
}

/// A family with one check goes by the name of that.
fn family_word(family: &str, checks: &[&CheckRecord]) -> String {
    let name = if let [only] = checks { only.name.as_str() } else { family };
    let there: Vec<&CheckRecord> =
        checks.iter().copied().filter(|check| check.status != CheckStatus::Absent).collect();
    match (there.as_slice(), checks.len() - there.len()) {
        ([], _) => format!("{name} absent"),
        (some, 0) => format!("{name} {}", Counts::of(some)),
        (some, absent) => format!("{name} {} ({absent} absent)", Counts::of(some)),
    }
}

/// The table: few cells with many checks stand side by side, else each has a row.
pub fn table(cells: &[CellRecord]) -> String {
    let names = check_names(cells);
    let may_be_below = cells.len() <= CELLS_BESIDE_MAX;
    if names.len() > CHECKS_BESIDE_MAX && may_be_below {
        return checks_below(cells, &names);
    }
    let table = checks_beside(cells, &names);
    let is_too_wide = |width: usize| table.lines().any(|line| measure_text_width(line) > width);
    let width = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    if may_be_below && width.is_some_and(is_too_wide) { checks_below(cells, &names) } else { table }
}

/// A row for each cell.
fn checks_beside(cells: &[CellRecord], names: &[&str]) -> String {
    let head = ["cell", "outcome"].into_iter().chain(names.iter().copied()).chain(["guest"]);
    let mut rows: Vec<Vec<String>> = vec![head.map(|word| style(word).dim().to_string()).collect()];
    for cell in cells {
        let mut row = vec![cell.id.clone(), outcome_cell(cell)];
        row.extend(names.iter().map(|name| check_cell(cell, name)));
        row.push(guest_cell(cell));
        rows.push(row);
    }
    let mut align = vec![Align::Left, Align::Left];
    align.resize(names.len() + 3, Align::Right);
    lay_out(&rows, &align)
}

/// A row for each check. What all ids begin with stands once, above the names of the checks.
fn checks_below(cells: &[CellRecord], names: &[&str]) -> String {
    let prefix = common_prefix(cells);
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |title: &str, value: &dyn Fn(&CellRecord) -> String| {
        rows.push(std::iter::once(title.to_owned()).chain(cells.iter().map(value)).collect());
    };
    let dim = |text: &str| style(text).dim().to_string();
    row(&dim(prefix.trim_end_matches('/')), &|cell| dim(&cell.id[prefix.len()..]));
    row("outcome", &outcome_cell);
    for name in names {
        row(name, &|cell| check_cell(cell, name));
    }
    row("guest", &guest_cell);
    let mut align = vec![Align::Left];
    align.resize(cells.len() + 1, Align::Right);
    lay_out(&rows, &align)
}

/// What all ids have in common, up to a slash.
fn common_prefix(cells: &[CellRecord]) -> &str {
    let Some(first) = cells.first() else { return "" };
    let ends = first.id.match_indices('/').map(|(at, _)| at + 1);
    let common = ends.filter(|end| cells.iter().all(|cell| cell.id.starts_with(&first.id[..*end])));
    &first.id[..common.max().unwrap_or(0)]
}

fn outcome_cell(cell: &CellRecord) -> String {
    cell_style(cell).apply_to(cell.word()).to_string()
}

fn guest_cell(cell: &CellRecord) -> String {
    let seconds = |ms: &u64| format!("{:.1}s", Duration::from_millis(*ms).as_secs_f64());
    cell.timings_ms.get("guest").map_or_else(|| "-".into(), seconds)
}

fn check_cell(cell: &CellRecord, name: &str) -> String {
    // What was cut off in the middle has no counts worth a word.
    let check = cell.checks.iter().find(|check| check.name == name);
    let Some(check) = check.filter(|_| cell.outcome != Outcome::Cancelled) else {
        return "-".into();
    };
    match check.status {
        CheckStatus::Pass => check_counts(check),
        CheckStatus::Absent => style("absent").yellow().to_string(),
        status => {
            let counts =
                if check.subs.is_empty() { String::new() } else { format!(" {}", check_counts(check)) };
            style(format!("{}{counts}", status.word())).red().to_string()
        }
    }
}
