// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of `bench`: a row for each figure, a column for each kernel.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use console::{Style, style};
use seccomp_oracle::bench::{NATIVE, NUMBER};

use crate::record::bench::{ATTACH, RelationRecord, figures};
use crate::record::cell_id::CellId;
use crate::record::model::{CellRecord, CheckStatus, Run};
use crate::run::bench::BY_FUNCTION;
use crate::tell::table::{Align, lay_out};
use crate::tell::terminal::status_line;

/// Families of figures, in the order in which they stand.
const FAMILIES: [&str; 8] =
    ["native", "cached.", "uncached.", "on-cached.", "docker", "podman", "systemd", "attach."];

/// Functions of a measurement that are told; the record has all.
const FUNCTIONS_MAX: usize = 16;

/// Cells that stand side by side.
pub struct Group<'a> {
    /// What they have in common.
    pub title: String,
    /// The name of each in its column, and the cell.
    pub columns: Vec<(String, &'a CellRecord)>,
}

/// The cells of a run in groups: by flavor where there are several kernels of one, else all together.
pub fn groups(run: &Run) -> Vec<Group<'_>> {
    let mut flavors: Vec<&str> = Vec::new();
    let parsed: Vec<(CellId<'_>, &CellRecord)> =
        run.cells.iter().filter_map(|cell| Some((CellId::parse(&cell.id)?, cell))).collect();
    for (id, _) in &parsed {
        if !flavors.contains(&id.flavor) {
            flavors.push(id.flavor);
        }
    }
    if flavors.len() == parsed.len() {
        let title = parsed.first().map(|(id, _)| kernel(id)).unwrap_or_default();
        let same = parsed.iter().all(|(id, _)| kernel(id) == title);
        let name = |id: &CellId<'_>| {
            if same { id.flavor.to_owned() } else { format!("{}/{}", kernel(id), id.flavor) }
        };
        let columns = parsed.iter().map(|(id, cell)| (name(id), *cell)).collect();
        return vec![Group { title: if same { title } else { String::new() }, columns }];
    }
    let of_flavor = |flavor: &str| Group {
        title: flavor.to_owned(),
        columns: parsed
            .iter()
            .filter(|(id, _)| id.flavor == flavor)
            .map(|(id, cell)| (kernel(id), *cell))
            .collect(),
    };
    flavors.into_iter().map(of_flavor).collect()
}

/// `5.10/seccomp-cache@5`.
fn kernel(id: &CellId<'_>) -> String {
    let applied = id.applied.map_or_else(String::new, |applied| format!("@{applied}"));
    format!("{}/{}{applied}", id.tree, id.series)
}

/// The rows of a group: a title and a text for each column.
pub fn rows(group: &Group<'_>) -> Vec<(String, Vec<String>)> {
    let all: Vec<_> = group.columns.iter().map(|(_, cell)| figures(cell)).collect();
    let mut names: Vec<&str> = all.iter().flat_map(|figures| figures.keys().copied()).collect();
    names.sort_by_key(|name| place(name));
    names.dedup();
    // What is told along with another figure has no row of its own.
    names.retain(|name| !name.ends_with(NATIVE) && !name.ends_with(NUMBER));
    leave_out_small(&mut names, &all);
    let rows = names.into_iter().map(|name| {
        let first = all.first().and_then(|figures| figures.get(name)).copied();
        let texts = all.iter().enumerate().map(|(column, figures)| {
            let Some(figure) = figures.get(name) else { return "-".to_owned() };
            let native = figures.get(format!("{name}{NATIVE}").as_str());
            let against = first.filter(|_| column > 0 && is_compared(group));
            let number = figures.get(format!("{name}{NUMBER}").as_str());
            let number = number.map_or_else(String::new, |number| format!("({number}) "));
            number + &cell_text(name, *figure, native.copied(), against)
        });
        (name.strip_prefix(BY_FUNCTION).unwrap_or(name).to_owned(), texts.collect())
    });
    rows.collect()
}

/// Of what is told by function the dearest of each measurement come first, and the rest is left out.
fn leave_out_small(names: &mut Vec<&str>, all: &[BTreeMap<&str, u64>]) {
    let most = |name: &str| all.iter().filter_map(|figures| figures.get(name)).max().copied().unwrap_or(0);
    let measurement = |name: &str| {
        let rest = name.strip_prefix(BY_FUNCTION)?;
        let known = all.iter().flat_map(BTreeMap::keys).filter(|known| !known.starts_with(BY_FUNCTION));
        let own = known.filter(|known| rest.strip_prefix(**known).is_some_and(|rest| rest.starts_with('.')));
        own.max_by_key(|known| known.len()).map(|known| (*known).to_owned())
    };
    let (mut by_function, others): (Vec<&str>, Vec<&str>) =
        names.iter().partition(|name| name.starts_with(BY_FUNCTION));
    by_function
        .sort_by_key(|name| (measurement(name).map(|known| place(&known)), std::cmp::Reverse(most(name))));
    let mut told: Vec<(Option<String>, usize)> = Vec::new();
    by_function.retain(|name| {
        let of = measurement(name);
        match told.iter_mut().find(|(known, _)| *known == of) {
            Some((_, count)) => {
                *count += 1;
                *count <= FUNCTIONS_MAX
            }
            None => {
                told.push((of, 1));
                true
            }
        }
    });
    *names = others.into_iter().chain(by_function).collect();
}

/// Several kernels of one flavor are compared with the first.
fn is_compared(group: &Group<'_>) -> bool {
    !group.title.contains('/') && !group.title.is_empty()
}

fn cell_text(name: &str, figure: u64, native: Option<u64>, first: Option<u64>) -> String {
    let mut text = digits(figure);
    if let Some(native) = native.filter(|native| *native <= figure) {
        text = format!("{} + {}", digits(native), digits(figure - native));
    }
    match first {
        Some(first) if first != figure && name.starts_with(ATTACH) && first > 0 => {
            let _ = write!(text, " x{:.2}", figure as f64 / first as f64);
        }
        Some(first) if first != figure => {
            let _ = write!(text, " {:+}", i128::from(figure) - i128::from(first));
        }
        _ => {}
    }
    text
}

/// `5 340 123`.
fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut text = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Where a figure stands: by its family, then by the numbers in its name.
fn place(name: &str) -> (usize, Vec<String>) {
    let family = FAMILIES.iter().position(|family| name.starts_with(family)).unwrap_or(FAMILIES.len());
    let padded = name.split('.').map(|word| match word.parse::<u64>() {
        Ok(number) => format!("{number:08}"),
        // First, middle and last stand in this order.
        Err(_) => match word {
            "first" => "0first".to_owned(),
            "middle" => "1middle".to_owned(),
            "last" => "2last".to_owned(),
            other => other.to_owned(),
        },
    });
    (family, padded.collect())
}

/// The tables and the relations, for a terminal.
pub fn table(run: &Run) -> String {
    let mut text = String::new();
    for group in groups(run) {
        let dim = |text: &str| style(text).dim().to_string();
        let head = std::iter::once(dim(&group.title)).chain(group.columns.iter().map(|(name, _)| dim(name)));
        let mut lines: Vec<Vec<String>> = vec![head.collect()];
        lines.extend(
            rows(&group).into_iter().map(|(title, texts)| std::iter::once(title).chain(texts).collect()),
        );
        let mut align = vec![Align::Left];
        align.resize(group.columns.len() + 1, Align::Right);
        let _ = write!(text, "\n{}", lay_out(&lines, &align));
    }
    text.push_str("\n  Guest instructions, exact; bytes for memory and what ends in .bytes. (N) A + B: of call\n  N without filters, and what the filters add.\n\n");
    for relation in run.bench.iter().flat_map(|bench| &bench.relations) {
        text.push_str(&relation_line(relation));
    }
    text
}

fn relation_line(relation: &RelationRecord) -> String {
    let (how, word) = match relation.status {
        CheckStatus::Pass => (Style::new().green().bold(), "HOLDS"),
        CheckStatus::Fail => (Style::new().red().bold(), "BROKEN"),
        _ => (Style::new().yellow().bold(), "NOT-RUN"),
    };
    let mut lines = relation.text.lines();
    let head = format!("{}  {}: {}", relation.cell, relation.name, lines.next().unwrap_or_default());
    let mut text = status_line(&how, word, None, &head);
    lines.for_each(|line| text.push_str(&format!("{:>25}{line}\n", "")));
    text
}

/// The same as Markdown, for a cover letter.
pub fn markdown(run: &Run) -> String {
    let mut text = String::new();
    for group in groups(run) {
        let names: Vec<&str> = group.columns.iter().map(|(name, _)| name.as_str()).collect();
        let _ = writeln!(text, "| {} | {} |", group.title, names.join(" | "));
        let _ = writeln!(text, "|---|{}", "---:|".repeat(names.len()));
        for (title, texts) in rows(&group) {
            let _ = writeln!(text, "| {title} | {} |", texts.join(" | "));
        }
        text.push('\n');
    }
    let cells = run.cells.first();
    let compiler = cells.map(|cell| cell.toolchain.as_str()).unwrap_or_default();
    let _ = writeln!(
        text,
        "Guest instructions, counted by {} (`-icount shift=0`); kernels built by {compiler}. Bytes for memory and what \
         ends in `.bytes`. (N) A + B: of call N without filters, and what the filters add.",
        run.host.qemu
    );
    for relation in run.bench.iter().flat_map(|bench| &bench.relations) {
        let _ = writeln!(
            text,
            "- {} {}: {} ({})",
            relation.cell,
            relation.name,
            relation.text.replace('\n', "; "),
            relation.status.word()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_by_family_and_number() {
        let mut names = [
            "attach.one",
            "memory.one",
            "cached.16",
            "cached.2",
            "uncached.1",
            "native",
            "docker.last",
            "docker.first",
            "attach.docker-tree",
            "attach.docker.irqs-off",
            "attach.docker",
        ];
        names.sort_by_key(|name| place(name));
        assert_eq!(
            names,
            [
                "native",
                "cached.2",
                "cached.16",
                "uncached.1",
                "docker.first",
                "docker.last",
                "attach.docker",
                "attach.docker.irqs-off",
                "attach.docker-tree",
                "attach.one",
                "memory.one"
            ]
        );
    }

    #[test]
    fn a_figure_is_told_with_what_it_is_held_against() {
        assert_eq!(digits(5_340_123), "5 340 123");
        assert_eq!(digits(12), "12");
        assert_eq!(cell_text("uncached.1", 497, None, Some(474)), "497 +23");
        assert_eq!(cell_text("attach.docker", 5_340_000, None, Some(530_000)), "5 340 000 x10.08");
        assert_eq!(cell_text("docker.first", 325, Some(190), None), "190 + 135");
        assert_eq!(cell_text("native", 190, None, Some(190)), "190");
    }
}
