// SPDX-License-Identifier: MIT OR Apache-2.0
//! Results of a cell over several runs: what changes, and what changes its mind on the same kernel. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::record::compare::{ItemKey, results};
use crate::record::model::{CellRecord, CheckStatus, Outcome, Run};

/// What the last runs say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trend {
    /// Cells, in the order in which the newest run has them.
    pub cells: Vec<CellTrend>,
}

/// A cell over the runs that had a verdict on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellTrend {
    /// Its id.
    pub id: String,
    /// Ids of the runs, the oldest first.
    pub runs: Vec<String>,
    /// Which kernel each run had: equal numbers are the same kernel, programs and inputs.
    pub kernels: Vec<usize>,
    /// Outcomes, a run each.
    pub outcomes: Vec<Outcome>,
    /// Whether the verdict as a whole changes its mind on the same kernel.
    pub verdict: Steadiness,
    /// Results that are not always the same.
    pub moved: Vec<ItemTrend>,
    /// How many results passed each time.
    pub green: usize,
    /// How many results were always the same, and no pass.
    pub other: usize,
}

/// One result over the runs of its cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemTrend {
    /// Which one.
    #[serde(flatten)]
    pub key: ItemKey,
    /// Its status in each run; nothing where it was not there.
    pub statuses: Vec<Option<CheckStatus>>,
    /// Whether it changes its mind on the same kernel.
    pub steadiness: Steadiness,
}

/// Whether the same kernel always gives the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Steadiness {
    /// It does, as far as was seen.
    Steady,
    /// It does not.
    Flaky {
        /// How often the answer was another than the time before on the same kernel.
        turns: usize,
        /// How many runs had a kernel that gave more than one answer.
        runs: usize,
        /// In how many of those it did not pass.
        bad: usize,
    },
}

impl CellTrend {
    /// Whether anything about it is flaky.
    pub fn is_flaky(&self) -> bool {
        let flaky = |one: &Steadiness| *one != Steadiness::Steady;
        flaky(&self.verdict) || self.moved.iter().any(|item| flaky(&item.steadiness))
    }
}

impl Trend {
    /// Looks at each cell's last `count` runs that have a verdict on it. Runs are given the oldest first.
    ///
    /// A static check looks at a source and not at a guest: where its answer differs on one kernel, the lab has
    /// changed. `is_static` says which are.
    pub fn new(runs: &[Run], count: usize, is_static: &dyn Fn(&str) -> bool) -> Self {
        let mut ids: Vec<&str> = Vec::new();
        let mut seen = BTreeSet::new();
        for cell in runs.iter().rev().flat_map(|run| &run.cells) {
            if seen.insert(cell.id.as_str()) {
                ids.push(&cell.id);
            }
        }
        let of = |id: &str| -> Vec<Seen<'_>> {
            let cells = runs.iter().filter_map(|run| {
                let cell = run.cells.iter().find(|cell| cell.id == *id)?;
                has_own_verdict(cell).then_some(Seen { run, cell })
            });
            let all: Vec<_> = cells.collect();
            all[all.len().saturating_sub(count)..].to_vec()
        };
        let cells = ids.into_iter().map(|id| cell_trend(id, &of(id), is_static));
        Self { cells: cells.filter(|cell| !cell.runs.is_empty()).collect() }
    }

    /// Whether anything is flaky.
    pub fn is_flaky(&self) -> bool {
        self.cells.iter().any(CellTrend::is_flaky)
    }
}

/// What another run or cell showed, or nobody, proves nothing once more.
pub fn has_own_verdict(cell: &CellRecord) -> bool {
    cell.found_in.is_none()
        && cell.same_as.is_none()
        && !matches!(cell.outcome, Outcome::Infra | Outcome::Cancelled)
}

/// A cell in one run.
#[derive(Clone, Copy)]
struct Seen<'a> {
    run: &'a Run,
    cell: &'a CellRecord,
}

/// Whether two boots had the same kernel, programs and inputs.
fn is_same(one: Seen<'_>, other: Seen<'_>) -> bool {
    let (a, b) = (&one.cell.keys, &other.cell.keys);
    let equal = |a: &str, b: &str| !a.is_empty() && a == b;
    if equal(&a.boot, &b.boot) {
        return true;
    }
    // The seed decides what random checks ask, and the accelerator is another machine.
    let kind = |seen: Seen<'_>| seen.cell.accel.as_ref().map(|accel| accel.kind.clone());
    equal(&a.kernel, &b.kernel)
        && equal(&a.image, &b.image)
        && one.run.seed == other.run.seed
        && kind(one) == kind(other)
}

/// A number for each boot: the first boot of that kernel.
fn kernels(seen: &[Seen<'_>]) -> Vec<usize> {
    let first = |at: usize| seen[..at].iter().position(|other| is_same(*other, seen[at])).unwrap_or(at);
    (0..seen.len()).map(first).collect()
}

fn cell_trend(id: &str, seen: &[Seen<'_>], is_static: &dyn Fn(&str) -> bool) -> CellTrend {
    let kernels = kernels(seen);
    let mut keys: Vec<ItemKey> = Vec::new();
    let mut known = BTreeSet::new();
    let mut by_run: Vec<BTreeMap<ItemKey, CheckStatus>> = Vec::new();
    for one in seen {
        let statuses: Vec<_> =
            results(one.cell).into_iter().map(|(key, shown)| (key, shown.status)).collect();
        for (key, _) in &statuses {
            if known.insert(key.clone()) {
                keys.push(key.clone());
            }
        }
        by_run.push(statuses.into_iter().collect());
    }
    let (mut moved, mut green, mut other) = (Vec::new(), 0, 0);
    for key in keys {
        let statuses: Vec<_> = by_run.iter().map(|run| run.get(&key).copied()).collect();
        let is_moved = statuses.windows(2).any(|pair| pair[0] != pair[1])
            || statuses.contains(&Some(CheckStatus::Flaky));
        if is_moved {
            let steadiness = if is_static(&key.check) {
                Steadiness::Steady
            } else {
                steadiness(&statuses, &kernels, |status| *status == CheckStatus::Pass)
            };
            moved.push(ItemTrend { key, statuses, steadiness });
        } else if statuses.first() == Some(&Some(CheckStatus::Pass)) {
            green += 1;
        } else {
            other += 1;
        }
    }
    let outcomes: Vec<Outcome> = seen.iter().map(|one| one.cell.outcome).collect();
    // A verdict that only a static check decides is no guest's.
    let of_guest: Vec<Option<Outcome>> = seen
        .iter()
        .map(|one| Some(one.cell.outcome).filter(|_| !is_static_failure(one.cell, is_static)))
        .collect();
    CellTrend {
        id: id.to_owned(),
        runs: seen.iter().map(|one| one.run.id.clone()).collect(),
        verdict: steadiness(&of_guest, &kernels, |outcome| *outcome == Outcome::Pass),
        kernels,
        outcomes,
        moved,
        green,
        other,
    }
}

fn is_static_failure(cell: &CellRecord, is_static: &dyn Fn(&str) -> bool) -> bool {
    let mut bad = cell
        .checks
        .iter()
        .filter(|check| !matches!(check.status, CheckStatus::Pass | CheckStatus::Absent))
        .peekable();
    cell.outcome == Outcome::Fail
        && cell.findings.is_empty()
        && bad.peek().is_some()
        && bad.all(|check| is_static(&check.name))
}

/// Whether answers of the same kernel differ. Where there was none, nothing was said.
fn steadiness<T: PartialEq>(
    answers: &[Option<T>],
    kernels: &[usize],
    is_good: impl Fn(&T) -> bool,
) -> Steadiness {
    let mut of_kernel: BTreeMap<usize, Vec<&T>> = BTreeMap::new();
    for (answer, kernel) in answers.iter().zip(kernels) {
        if let Some(answer) = answer {
            of_kernel.entry(*kernel).or_default().push(answer);
        }
    }
    let (mut turns, mut runs, mut bad) = (0, 0, 0);
    for answers in of_kernel.values() {
        let turned = answers.windows(2).filter(|pair| pair[0] != pair[1]).count();
        if turned > 0 {
            turns += turned;
            runs += answers.len();
            bad += answers.iter().filter(|answer| !is_good(answer)).count();
        }
    }
    if turns == 0 { Steadiness::Steady } else { Steadiness::Flaky { turns, runs, bad } }
}

#[cfg(test)]
#[path = "trend_tests.rs"]
mod tests;
