// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cells against their baseline: what the series changes, and what does not count against it.

use crate::record::cell_id::CellId;
use crate::record::compare::{CellDiff, Change, Item, compare};
use crate::record::model::{CellRecord, CellRole, CheckStatus, Outcome, Run};

/// The comparison of each cell that has a baseline in the run.
pub fn comparisons(run: &Run) -> Vec<CellDiff> {
    let pairs = run.cells.iter().filter_map(|cell| Some((baseline_of(run, cell)?, cell)));
    pairs
        .filter(|(baseline, _)| is_judged(baseline))
        .map(|(baseline, cell)| compare(baseline, cell))
        .collect()
}

/// The outcomes that decide the exit code. A baseline's failures are not the series'; a cell that fails in
/// nothing but what its baseline fails in as well counts as passed. Where there is no verdict on the
/// baseline nothing is excused.
pub fn deciding_outcomes(run: &Run) -> Vec<Outcome> {
    deciding(run).map(|(_, outcome)| outcome).collect()
}

/// Every cell with the outcome that it counts for, as [`deciding_outcomes`] has them.
pub fn deciding(run: &Run) -> impl Iterator<Item = (&CellRecord, Outcome)> {
    run.cells.iter().chain(&run.probes).map(|cell| (cell, deciding_outcome(run, cell)))
}

fn deciding_outcome(run: &Run, cell: &CellRecord) -> Outcome {
    if cell.role != CellRole::Subject {
        return match cell.outcome {
            Outcome::Infra | Outcome::Cancelled => cell.outcome,
            _ => Outcome::Pass,
        };
    }
    let is_excused = cell.outcome == Outcome::Fail
        // What was asked for and is absent with the series and without is no failure that both have.
        && !cell.shows_nothing_but(&[CheckStatus::Absent])
        && baseline_of(run, cell)
            .is_some_and(|baseline| is_judged(baseline) && brings_no_fault(&compare(baseline, cell)));
    if is_excused { Outcome::Pass } else { cell.outcome }
}

/// Nothing is worse, and what is new passes: a new test that is skipped shows nothing.
fn brings_no_fault(diff: &CellDiff) -> bool {
    let passes = |item: &Item| item.newer.as_ref().is_some_and(|newer| newer.status == CheckStatus::Pass);
    !diff.is_regression() && diff.with(Change::New).all(passes)
}

/// The baseline of a cell: the same tree and flavor without the series.
pub fn baseline_of<'a>(run: &'a Run, cell: &CellRecord) -> Option<&'a CellRecord> {
    if cell.role != CellRole::Subject {
        return None;
    }
    let wanted = CellId { applied: Some(0), ..CellId::parse(&cell.id)? };
    let is_it =
        |other: &&CellRecord| other.role == CellRole::Baseline && CellId::parse(&other.id) == Some(wanted);
    run.cells.iter().find(is_it)
}

fn is_judged(cell: &CellRecord) -> bool {
    matches!(cell.outcome, Outcome::Pass | Outcome::Fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::{CheckRecord, SubRecord};
    use crate::record::sample::{cell, run};

    fn with(id: &str, role: CellRole, statuses: &[CheckStatus]) -> CellRecord {
        let sub = |(at, status): (usize, &CheckStatus)| SubRecord {
            path: vec![format!("t{at}")],
            ordinal: u32::try_from(at).unwrap() + 1,
            status: *status,
            reason: String::new(),
        };
        let fails = statuses.contains(&CheckStatus::Fail);
        let check = CheckRecord {
            name: "seccomp_bpf".into(),
            status: if fails { CheckStatus::Fail } else { CheckStatus::Pass },
            reason: String::new(),
            plan: Some(u32::try_from(statuses.len()).unwrap()),
            ms: 1,
            figures: std::collections::BTreeMap::new(),
            boot: None,
            leftover: 0,
            subs: statuses.iter().enumerate().map(sub).collect(),
        };
        let outcome = if fails { Outcome::Fail } else { Outcome::Pass };
        CellRecord { role, findings: Vec::new(), ..cell(id, outcome, "", vec![check]) }
    }

    use CheckStatus::{Fail, Pass};

    fn outcomes(baseline: &[CheckStatus], subject: &[CheckStatus]) -> Vec<Outcome> {
        deciding_outcomes(&run(vec![
            with("t/s@0/f", CellRole::Baseline, baseline),
            with("t/s@2/f", CellRole::Subject, subject),
        ]))
    }

    #[test]
    fn what_fails_in_both_is_excused_and_nothing_else() {
        assert_eq!(outcomes(&[Pass, Fail], &[Pass, Fail]), [Outcome::Pass, Outcome::Pass]);
        assert_eq!(outcomes(&[Pass, Fail], &[Fail, Pass]), [Outcome::Pass, Outcome::Fail]);
        assert_eq!(outcomes(&[Pass, Pass], &[Pass, Fail]), [Outcome::Pass, Outcome::Fail]);
        // A test that is gone beside one that fails in both.
        assert_eq!(outcomes(&[Fail, Pass], &[Fail]), [Outcome::Pass, Outcome::Fail]);
    }

    #[test]
    fn without_a_verdict_on_the_baseline_nothing_is_excused() {
        let mut run = run(vec![
            with("t/s@0/f", CellRole::Baseline, &[Fail]),
            with("t/s@2/f", CellRole::Subject, &[Fail]),
        ]);
        for (outcome, counts) in [
            (Outcome::BuildFailed, Outcome::Pass),
            (Outcome::Infra, Outcome::Infra),
            (Outcome::Cancelled, Outcome::Cancelled),
        ] {
            run.cells[0].outcome = outcome;
            assert_eq!(deciding_outcomes(&run), [counts, Outcome::Fail]);
        }
        assert!(comparisons(&run).is_empty());
    }

    #[test]
    fn what_is_absent_in_both_and_a_new_test_that_is_skipped_are_not_excused() {
        let absent = |id: &str, role| {
            let mut record = with(id, role, &[]);
            record.checks[0].status = CheckStatus::Absent;
            record.outcome = Outcome::Fail;
            record
        };
        let run = run(vec![absent("t/s@0/f", CellRole::Baseline), absent("t/s@2/f", CellRole::Subject)]);
        assert_eq!(deciding_outcomes(&run), [Outcome::Pass, Outcome::Fail]);
        assert_eq!(outcomes(&[Fail], &[Fail, Pass]), [Outcome::Pass, Outcome::Pass]);
        assert_eq!(outcomes(&[Fail], &[Fail, CheckStatus::Skip]), [Outcome::Pass, Outcome::Fail]);
    }

    #[test]
    fn another_flavor_is_no_baseline() {
        let run = run(vec![
            with("t/s@0/f", CellRole::Baseline, &[Fail]),
            with("t/s@2/g", CellRole::Subject, &[Fail]),
        ]);
        assert_eq!(deciding_outcomes(&run), [Outcome::Pass, Outcome::Fail]);
    }

    #[test]
    fn a_cell_that_does_not_come_further_is_not_excused_by_its_baseline() {
        let mut run = run(vec![
            with("t/s@0/f", CellRole::Baseline, &[Fail]),
            with("t/s@2/f", CellRole::Subject, &[Fail]),
        ]);
        run.cells[1].outcome = Outcome::Crashed;
        assert_eq!(deciding_outcomes(&run), [Outcome::Pass, Outcome::Crashed]);
    }
}
