// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `bench` holds a kernel's figures against: those of the tree without the series, and saved ones. Pure.

use std::collections::BTreeMap;

use seccomp_oracle::bench::IRQS_OFF;
use serde::{Deserialize, Serialize};

use crate::lab::bench::BenchBounds;
use crate::record::model::{CellRecord, CheckStatus, Run};

/// How figures of attaching begin.
pub const ATTACH: &str = "attach.";

/// How figures of calls for which filters run begin or end.
const UNCACHED: [&str; 4] = ["uncached.", "on-cached.", ".uncached", ".denied"];

/// What relations between kernels came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchRecord {
    /// One entry a relation and cell.
    pub relations: Vec<RelationRecord>,
}

/// Something that the figures of a cell must be to those of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationRecord {
    /// The cell.
    pub cell: String,
    /// Its name: `bench.attach.against-baseline`.
    pub name: String,
    /// `pass`, `fail`, or `not-run` where a figure is missing.
    pub status: CheckStatus,
    /// The figures.
    pub text: String,
}

impl RelationRecord {
    /// A cell that was to be held against another, which is not there.
    pub fn without_baseline(cell: &str, baseline: &str) -> Self {
        Self {
            cell: cell.to_owned(),
            name: "bench.against-baseline".to_owned(),
            status: CheckStatus::NotRun,
            text: format!("there are no figures of {baseline}"),
        }
    }
}

/// The figures of a cell, whatever check they are of.
pub fn figures(cell: &CellRecord) -> BTreeMap<&str, u64> {
    let checks = cell.checks.iter().filter(|check| check.name.starts_with("bench"));
    checks.flat_map(|check| &check.figures).map(|(name, figure)| (name.as_str(), *figure)).collect()
}

/// Holds a cell against the same flavor of the tree without the series.
pub fn against_baseline(
    cell: &CellRecord,
    baseline: &CellRecord,
    bounds: &BenchBounds,
) -> Vec<RelationRecord> {
    let (ours, theirs) = (figures(cell), figures(baseline));
    let pairs: Vec<(&str, u64, Option<u64>)> =
        ours.iter().map(|(name, figure)| (*name, *figure, theirs.get(name).copied())).collect();
    let record = |name: &str, (status, text): (CheckStatus, String)| RelationRecord {
        cell: cell.id.clone(),
        name: name.to_owned(),
        status,
        text,
    };
    let mut relations = vec![record("bench.attach.against-baseline", attach(&pairs, bounds))];
    if let Some(more_max) = bounds.uncached_more_max {
        relations.push(record("bench.calls.against-baseline", uncached(&pairs, more_max)));
    }
    relations
}

/// Attaching may cost so many times as much.
fn attach(pairs: &[(&str, u64, Option<u64>)], bounds: &BenchBounds) -> (CheckStatus, String) {
    let of_attach = pairs.iter().filter(|(name, _, _)| name.starts_with(ATTACH) && !name.ends_with(IRQS_OFF));
    let (mut told, mut wrong, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for (name, ours, theirs) in of_attach {
        let Some(times_max) = bounds.times_max(name) else { continue };
        let Some(theirs) = theirs.filter(|theirs| *theirs > 0) else {
            missing.push((*name).to_owned());
            continue;
        };
        let is_over = *ours as f64 > theirs as f64 * times_max;
        let text = format!("{name}: {ours} instructions, {} without the series", times(*ours, theirs));
        if is_over {
            wrong.push(format!("{text}; {times_max} times are allowed"))
        } else {
            told.push((*ours as f64 / theirs as f64, text))
        }
    }
    told.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    conclude(wrong, missing, told.into_iter().next().map(|(_, text)| format!("the most: {text}")))
}

/// Calls for which filters run may cost so many instructions more.
fn uncached(pairs: &[(&str, u64, Option<u64>)], more_max: u64) -> (CheckStatus, String) {
    let (mut told, mut wrong, mut missing) = (None, Vec::new(), Vec::new());
    let is_run = |name: &str| UNCACHED.iter().any(|part| name.starts_with(part) || name.ends_with(part));
    for (name, ours, theirs) in pairs.iter().filter(|(name, _, _)| is_run(name)) {
        let Some(theirs) = theirs else {
            missing.push((*name).to_owned());
            continue;
        };
        let more = ours.saturating_sub(*theirs);
        let text = format!(
            "{name}: {ours} instructions, {theirs} without the series: {more} more, {more_max} are allowed"
        );
        if more > more_max { wrong.push(text) } else { told = told.max(Some((more, text))) }
    }
    conclude(wrong, missing, told.map(|(_, text)| format!("the most: {text}")))
}

fn conclude(wrong: Vec<String>, missing: Vec<String>, told: Option<String>) -> (CheckStatus, String) {
    match (wrong.is_empty(), missing.is_empty(), told) {
        (false, _, _) => (CheckStatus::Fail, wrong.join("\n")),
        (true, false, _) => {
            (CheckStatus::NotRun, format!("not measured without the series: {}", missing.join(", ")))
        }
        (true, true, Some(told)) => (CheckStatus::Pass, told),
        (true, true, None) => (CheckStatus::NotRun, "figures are missing".to_owned()),
    }
}

/// `10.08 times 529834`.
fn times(ours: u64, theirs: u64) -> String {
    format!("{:.2} times the {theirs}", ours as f64 / theirs as f64)
}

/// The cell of a run by its id.
pub fn cell_of<'a>(run: &'a Run, id: &str) -> Option<&'a CellRecord> {
    run.cells.iter().find(|cell| cell.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::{CheckRecord, Outcome};
    use crate::record::sample::cell;

    fn measured(figures: &[(&str, u64)]) -> CellRecord {
        let check = CheckRecord {
            name: "bench.attach".into(),
            status: CheckStatus::Pass,
            reason: String::new(),
            plan: None,
            ms: 1,
            figures: figures.iter().map(|(name, figure)| ((*name).to_owned(), *figure)).collect(),
            subs: Vec::new(),
            boot: None,
            leftover: 0,
        };
        cell("t/s@1/f", Outcome::Pass, "", vec![check])
    }

    fn statuses(ours: &[(&str, u64)], theirs: &[(&str, u64)]) -> Vec<CheckStatus> {
        let bounds: BenchBounds =
            toml::from_str("uncached_more_max = 40\nattach_times_max = { '*' = 3.0, 'attach.docker' = 2.0 }")
                .unwrap();
        let relations = against_baseline(&measured(ours), &measured(theirs), &bounds);
        relations.iter().map(|relation| relation.status).collect()
    }

    use CheckStatus::{Fail, NotRun, Pass};

    #[test]
    fn bounds_are_included_and_no_more() {
        let theirs = [("attach.one", 100), ("attach.docker", 100), ("uncached.1", 500)];
        let ours = |one, docker, uncached| {
            [("attach.one", one), ("attach.docker", docker), ("uncached.1", uncached)]
        };
        assert_eq!(statuses(&ours(300, 200, 540), &theirs), [Pass, Pass]);
        assert_eq!(statuses(&ours(301, 200, 541), &theirs), [Fail, Fail]);
        assert_eq!(statuses(&ours(300, 201, 540), &theirs), [Fail, Pass]);
    }

    #[test]
    fn what_is_missing_is_no_pass() {
        assert_eq!(statuses(&[("attach.one", 1), ("uncached.1", 1)], &[]), [NotRun, NotRun]);
        assert_eq!(statuses(&[], &[("attach.one", 1)]), [NotRun, NotRun]);
        // With interrupts off nothing is bounded by times.
        assert_eq!(statuses(&[("attach.one.irqs-off", 9)], &[("attach.one.irqs-off", 1)]), [NotRun, NotRun]);
    }
}
