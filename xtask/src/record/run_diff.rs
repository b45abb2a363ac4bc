// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two runs compared, cell by cell. Pure.

use serde::Serialize;

use crate::record::compare::{CellDiff, compare};
use crate::record::model::{CellRecord, Outcome, Run, RunState};

/// What differs between two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunDiff {
    /// The older run.
    pub older: RunName,
    /// The newer run.
    pub newer: RunName,
    /// Cells of both, in the order of the newer.
    pub cells: Vec<CellDiff>,
    /// Cells of the older alone: nothing is known of them now.
    pub only_older: Vec<CellName>,
    /// Cells of the newer alone: there is nothing to compare them with.
    pub only_newer: Vec<CellName>,
    /// Cells of both of which one has no verdict, for it was interrupted or never begun: nothing is known of what
    /// changed.
    pub uncompared: Vec<Uncompared>,
    /// Whether any cell of both is worse.
    pub regression: bool,
}

/// Which run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunName {
    /// Its id.
    pub id: String,
    /// How far it came.
    pub state: RunState,
}

/// A cell of both runs that one of them has no verdict on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uncompared {
    /// Its id.
    pub id: String,
    /// Its outcome in the older run.
    pub older: &'static str,
    /// Its outcome in the newer run.
    pub newer: &'static str,
}

/// A cell and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellName {
    /// Its id.
    pub id: String,
    /// Its outcome, as in `run.json`.
    pub outcome: &'static str,
}

impl RunDiff {
    /// Compares two runs. Cells are matched by their ids.
    pub fn new(older: &Run, newer: &Run) -> Self {
        let of_both = newer.cells.iter().filter_map(|cell| Some((cell_of(older, &cell.id)?, cell)));
        let (cut_off, judged): (Vec<_>, Vec<_>) = of_both
            .partition(|(older, newer)| [older, newer].iter().any(|cell| cell.outcome == Outcome::Cancelled));
        let cells: Vec<CellDiff> = judged.into_iter().map(|(older, newer)| compare(older, newer)).collect();
        let uncompared = |(older, newer): (&CellRecord, &CellRecord)| Uncompared {
            id: newer.id.clone(),
            older: older.outcome.word(),
            newer: newer.outcome.word(),
        };
        Self {
            older: RunName { id: older.id.clone(), state: older.state },
            newer: RunName { id: newer.id.clone(), state: newer.state },
            regression: cells.iter().any(CellDiff::is_regression),
            cells,
            uncompared: cut_off.into_iter().map(uncompared).collect(),
            only_older: only(older, newer),
            only_newer: only(newer, older),
        }
    }
}

fn cell_of<'a>(run: &'a Run, id: &str) -> Option<&'a CellRecord> {
    run.cells.iter().find(|cell| cell.id == id)
}

fn only(one: &Run, other: &Run) -> Vec<CellName> {
    let cells = one.cells.iter().filter(|cell| cell_of(other, &cell.id).is_none());
    cells.map(|cell| CellName { id: cell.id.clone(), outcome: cell.outcome.word() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    #[test]
    fn cells_are_matched_by_id_and_the_others_are_named() {
        let older = sample::run(vec![sample::passed(), sample::let_down()]);
        let newer = sample::run(vec![sample::failed(), sample::passed()]);
        let diff = RunDiff::new(&older, &newer);
        assert_eq!(diff.cells.len(), 1);
        assert_eq!(diff.cells[0].newer, sample::passed().id);
        assert_eq!(diff.only_older[0].id, sample::let_down().id);
        assert_eq!(diff.only_newer[0].outcome, "fail");
        assert!(!diff.regression, "what is in one run alone is told, and is no regression");
    }

    #[test]
    fn a_cell_without_a_verdict_is_not_compared() {
        let older = sample::run(vec![sample::passed(), sample::failed()]);
        let mut newer = older.clone();
        newer.cells[0] = CellRecord::never_begun(&older.cells[0].id);
        for (older, newer, words) in
            [(&older, &newer, ("pass", "cancelled")), (&newer, &older, ("cancelled", "pass"))]
        {
            let diff = RunDiff::new(older, newer);
            assert_eq!((diff.cells.len(), diff.regression), (1, false));
            let [cell] = diff.uncompared.as_slice() else { panic!("{diff:?}") };
            assert_eq!((cell.id.as_str(), (cell.older, cell.newer)), (sample::passed().id.as_str(), words));
        }
    }

    #[test]
    fn one_worse_cell_makes_the_run_worse() {
        let older = sample::run(vec![sample::passed(), sample::failed()]);
        let mut newer = older.clone();
        assert!(!RunDiff::new(&older, &newer).regression);
        newer.cells[0].outcome = Outcome::Crashed;
        assert!(RunDiff::new(&older, &newer).regression);
    }
}
