// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests that a series brings show: each new sub-test on the kernel without the series, and with
//! it. Pure.

use std::collections::BTreeMap;

use crate::plan::probe::series_of_tests;
use crate::record::baseline::baseline_of;
use crate::record::cell_id::CellId;
use crate::record::compare::{ItemKey, Shown, results};
use crate::record::model::{CellRecord, CheckStatus, Outcome, Run};

/// The new sub-tests of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs<'a> {
    /// The cell.
    pub cell: &'a CellRecord,
    /// The kernel without the series.
    pub probe: &'a CellRecord,
    /// Each new sub-test, and what it shows. Nothing where the probe has no verdict.
    pub tests: Option<Vec<(ItemKey, Proof)>>,
}

/// What a new sub-test shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// It fails without the series, and passes with it.
    Proves,
    /// It passes without the series too.
    PassesWithout,
    /// It does not pass with the series.
    FailsWith,
    /// It has no result on the kernel without the series: skipped, or not run.
    NotSeen,
}

impl Proof {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Proof::Proves => "fails without the series and passes with it",
            Proof::PassesWithout => "passes without the series too",
            Proof::FailsWith => "does not pass with the series",
            Proof::NotSeen => "has no result without the series",
        }
    }
}

/// Each cell that was probed.
pub fn pairs(run: &Run) -> Vec<Pairs<'_>> {
    run.cells.iter().filter_map(|cell| pairs_of(run, cell)).collect()
}

fn pairs_of<'a>(run: &'a Run, cell: &'a CellRecord) -> Option<Pairs<'a>> {
    let id = CellId::parse(&cell.id)?;
    let name = series_of_tests(id.series, id.applied?);
    let wanted = CellId { series: &name, applied: Some(0), ..id };
    let probe = run.probes.iter().find(|probe| CellId::parse(&probe.id) == Some(wanted))?;
    let baseline = baseline_of(run, cell)?;
    let is_judged = |cell: &CellRecord| matches!(cell.outcome, Outcome::Pass | Outcome::Fail);
    let tests = (is_judged(cell) && is_judged(probe) && is_judged(baseline)).then(|| {
        let statuses = |cell: &CellRecord| -> BTreeMap<ItemKey, CheckStatus> {
            results(cell).into_iter().map(|(key, shown)| (key, shown.status)).collect()
        };
        let (old, without) = (statuses(baseline), statuses(probe));
        let is_probed = |key: &ItemKey| probe.checks.iter().any(|check| check.name == key.check);
        let is_new = |key: &ItemKey| !key.path.is_empty() && is_probed(key) && !old.contains_key(key);
        let new = results(cell).into_iter().filter(|(key, _)| is_new(key));
        let told = |(key, with): (ItemKey, Shown)| {
            let proof = proof(without.get(&key).copied(), with.status);
            (key, proof)
        };
        new.map(told).collect()
    });
    Some(Pairs { cell, probe, tests })
}

fn proof(without: Option<CheckStatus>, with: CheckStatus) -> Proof {
    match (without, with) {
        (Some(CheckStatus::Fail), CheckStatus::Pass) => Proof::Proves,
        (Some(CheckStatus::Pass), CheckStatus::Pass) => Proof::PassesWithout,
        (_, CheckStatus::Pass) => Proof::NotSeen,
        _ => Proof::FailsWith,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::{CellRole, CheckRecord, SubRecord};
    use crate::record::sample::{cell, run};

    fn with(id: &str, role: CellRole, subs: &[(&str, CheckStatus)]) -> CellRecord {
        let sub = |(at, (name, status)): (usize, &(&str, CheckStatus))| SubRecord {
            path: vec![(*name).to_owned()],
            ordinal: u32::try_from(at).unwrap() + 1,
            status: *status,
            reason: String::new(),
        };
        let subs: Vec<SubRecord> = subs.iter().enumerate().map(sub).collect();
        let fails = subs.iter().any(|sub| sub.status != CheckStatus::Pass);
        let check = CheckRecord {
            name: "seccomp_bpf".into(),
            status: if fails { CheckStatus::Fail } else { CheckStatus::Pass },
            reason: String::new(),
            plan: Some(u32::try_from(subs.len()).unwrap()),
            boot: None,
            leftover: 0,
            ms: 1,
            figures: BTreeMap::new(),
            subs,
        };
        let outcome = if fails { Outcome::Fail } else { Outcome::Pass };
        CellRecord { role, findings: Vec::new(), ..cell(id, outcome, "", vec![check]) }
    }

    use CheckStatus::{Fail, Pass, Skip};

    fn sample() -> Run {
        let mut run = run(vec![
            with("t/s@0/f", CellRole::Baseline, &[("old", Pass)]),
            with("t/s@1/f", CellRole::Subject, &[("old", Pass)]),
            with(
                "t/s@2/f",
                CellRole::Subject,
                &[("old", Pass), ("a", Pass), ("b", Pass), ("c", Fail), ("d", Pass)],
            ),
        ]);
        let probe = [("old", Pass), ("a", Fail), ("b", Pass), ("c", Fail), ("d", Skip)];
        run.probes = vec![with("t/s-tests-of-2-alone@0/f", CellRole::Probe, &probe)];
        run
    }

    #[test]
    fn only_what_fails_without_and_passes_with_the_series_proves_it() {
        let run = sample();
        let found = pairs(&run);
        assert_eq!((found.len(), found[0].cell.id.as_str()), (1, "t/s@2/f"));
        let tests = found[0].tests.clone().unwrap();
        let tests: Vec<(String, Proof)> = tests.into_iter().map(|(key, proof)| (key.name(), proof)).collect();
        let name = |sub: &str| format!("seccomp_bpf.{sub}");
        assert_eq!(
            tests,
            [
                (name("a"), Proof::Proves),
                (name("b"), Proof::PassesWithout),
                (name("c"), Proof::FailsWith),
                (name("d"), Proof::NotSeen),
            ]
        );
    }

    #[test]
    fn a_probe_without_verdict_proves_nothing() {
        let mut run = sample();
        run.probes[0].id = "t/s-tests-of-1-alone@0/f".into();
        assert_eq!(pairs(&run)[0].cell.id, "t/s@1/f", "a probe has the tests of one point");
        run.probes[0].id = "t/s-tests-of-2-alone@0/f".into();
        run.probes[0].outcome = Outcome::Crashed;
        assert_eq!(pairs(&run)[0].tests, None);
        run.probes.clear();
        assert!(pairs(&run).is_empty());
    }
}
