// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of patches and flavors, where each patch of a series was tested.

use console::{style, truncate_str};

use crate::record::cell_id::CellId;
use crate::record::model::{CellRecord, CheckRecord, CheckStatus, INERT, REMARKS, Run};
use crate::tell::grid::{self, counts_of};
use crate::tell::summary::cell_style;
use crate::tell::table::{Align, lay_out};

/// Fewer points than this stand in the table of checks.
const POINTS_MIN: usize = 3;

/// Longest subject that is shown, in columns.
const SUBJECT_COLUMNS: usize = 52;

/// A series on a tree.
struct Group<'a> {
    tree: &'a str,
    series: &'a str,
    points: Vec<usize>,
    flavors: Vec<&'a str>,
    cells: Vec<(usize, &'a str, &'a CellRecord)>,
}

/// A table for each series of which many points were tested, and the table of checks for the rest.
/// Nothing if there is no such series.
pub fn table(run: &Run) -> Option<String> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut rest: Vec<CellRecord> = Vec::new();
    for cell in &run.cells {
        match CellId::parse(&cell.id) {
            Some(CellId { tree, series, applied: Some(applied), flavor }) => {
                add(&mut groups, (tree, series), applied, flavor, cell);
            }
            _ => rest.push(cell.clone()),
        }
    }
    let (many, few): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|group| group.points.len() >= POINTS_MIN);
    rest.extend(few.iter().flat_map(|group| group.cells.iter().map(|(_, _, cell)| (*cell).clone())));
    if many.is_empty() {
        return None;
    }
    let mut tables: Vec<String> = many.iter().map(|group| rows(run, group)).collect();
    if !rest.is_empty() {
        tables.push(grid::table(&rest));
    }
    Some(tables.join("\n"))
}

fn add<'a>(
    groups: &mut Vec<Group<'a>>,
    (tree, series): (&'a str, &'a str),
    applied: usize,
    flavor: &'a str,
    cell: &'a CellRecord,
) {
    let at = groups.iter().position(|group| (group.tree, group.series) == (tree, series));
    let at = at.unwrap_or_else(|| {
        let (points, flavors, cells) = (Vec::new(), Vec::new(), Vec::new());
        groups.push(Group { tree, series, points, flavors, cells });
        groups.len() - 1
    });
    let group = &mut groups[at];
    if !group.points.contains(&applied) {
        group.points.push(applied);
        group.points.sort_unstable();
    }
    if !group.flavors.contains(&flavor) {
        group.flavors.push(flavor);
    }
    group.cells.push((applied, flavor, cell));
}

fn rows(run: &Run, group: &Group<'_>) -> String {
    let dim = |text: &str| style(text).dim().to_string();
    let mut head = vec![dim(&format!("{}/{}", group.tree, group.series)), String::new()];
    head.extend(group.flavors.iter().map(|flavor| dim(flavor)));
    let mut rows = vec![head];
    for applied in &group.points {
        let mut row = vec![format!("@{applied}"), subject(run, group.series, *applied)];
        row.extend(group.flavors.iter().map(|flavor| {
            let mut cells = group.cells.iter();
            let cell = cells.find(|(other, of, _)| other == applied && of == flavor);
            cell.map_or_else(|| "-".to_owned(), |(_, _, cell)| summary(cell))
        }));
        rows.push(row);
    }
    let mut align = vec![Align::Left, Align::Left];
    align.resize(group.flavors.len() + 2, Align::Right);
    lay_out(&rows, &align) + &remarks(group)
}

/// What checks have to remark on each patch, though they pass; the same on several flavors is told once.
fn remarks(group: &Group<'_>) -> String {
    let mut told: Vec<String> = Vec::new();
    for applied in &group.points {
        let cells = group.cells.iter().filter(|(other, _, _)| other == applied);
        for check in cells.flat_map(|(_, _, cell)| &cell.checks) {
            for sub in check.subs.iter().filter(|sub| sub.name() == REMARKS) {
                for line in sub.reason.lines() {
                    let line = format!("  @{applied}  {}: {line}\n", check.name);
                    if !told.contains(&line) {
                        told.push(line);
                    }
                }
            }
        }
    }
    told.concat()
}

fn subject(run: &Run, series: &str, applied: usize) -> String {
    let patch = applied.checked_sub(1).and_then(|at| run.series.get(series)?.patches.get(at));
    patch.map_or_else(
        || style("without the series").dim().to_string(),
        |patch| truncate_str(&patch.subject, SUBJECT_COLUMNS, "…").into_owned(),
    )
}

fn summary(cell: &CellRecord) -> String {
    let word = cell_style(cell).apply_to(cell.word());
    // What is absent planned nothing.
    let checks: Vec<&CheckRecord> =
        cell.checks.iter().filter(|check| check.status != CheckStatus::Absent).collect();
    if checks.is_empty() || cell.word() == INERT {
        return word.to_string();
    }
    format!("{word} {}", counts_of(&checks))
}
