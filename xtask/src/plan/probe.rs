// SPDX-License-Identifier: MIT OR Apache-2.0
//! Probes: the tests that a series brings, on the kernel without it. A test that passes there as well
//! does not show what the series mends.

use anyhow::Result;

use crate::lab::Lab;
use crate::lab::check::CheckKind;
use crate::lab::names::{NAME_BYTES_MAX, SeriesName};
use crate::lab::patch::Patch;
use crate::lab::provenance::SeriesProvenance;
use crate::lab::series::{Point, Series, SeriesFacts, SeriesOrigin};
use crate::plan::cell::Cell;
use crate::plan::select::{Selected, Selection, select};
use crate::plan::work::{GuestWork, Plan, PlannedCheck, SourceWork};
use crate::record::model::CellRole;

/// The name of the series that has no patch, and the tests that another has with so many applied. Of a long
/// name the end is left out.
pub fn series_of_tests(series: &str, applied: usize) -> String {
    let end = format!("-tests-of-{applied}-alone");
    let length = NAME_BYTES_MAX.saturating_sub(end.len());
    format!("{}{end}", series.get(..length).unwrap_or(series))
}

/// The guests to boot beside those of a plan: for each tree and flavor whose baseline is selected, the kernel
/// without patches with the tests of the last point, where the series touches tests that are planned.
///
/// A selection may be dealt out: the plan with the last point gets the probe, wherever the baseline is.
///
/// # Errors
/// The faults of [`select`]; a usage fault for a series that the lab does not know.
pub fn probes(lab: &mut Lab, selection: &Selection, plan: &Plan) -> Result<Plan> {
    let mut probes = Plan::default();
    let all = select(lab, &Selection { shard: None, ..selection.clone() })?;
    for guest in plan.guests.iter().filter(|guest| is_last_of_its_series(&all, guest)) {
        let patches = lab.patches(&guest.cell.point)?;
        let checks: Vec<PlannedCheck> =
            guest.checks.iter().filter(|planned| is_touched(planned, &patches)).cloned().collect();
        if checks.is_empty() {
            continue;
        }
        let name =
            SeriesName::parse(&series_of_tests(guest.cell.point.series.as_str(), guest.cell.point.applied))?;
        if !lab.series.contains_key(&name) {
            let of = lab.series(&guest.cell.point.series)?;
            let facts = SeriesFacts {
                title: format!("tests of {} alone", guest.cell.point),
                requires: of.facts.requires.clone(),
                ..SeriesFacts::default()
            };
            let (origin, provenance) = (SeriesOrigin::Shipped, SeriesProvenance::default());
            let series = Series { name: name.clone(), origin, facts, patches: Vec::new(), provenance };
            lab.series.insert(name.clone(), series);
        }
        let cell = Cell { point: Point { series: name, applied: 0 }, ..guest.cell.clone() };
        let tests = SourceWork { tree: guest.cell.tree.clone(), point: guest.cell.point.clone() };
        probes.probe(lab, cell, guest.abi, checks, tests)?;
    }
    Ok(probes)
}

/// Whether it is the last point of a series that is compared with its baseline.
fn is_last_of_its_series(all: &[Selected], guest: &GuestWork) -> bool {
    let alike = |other: &&Selected| {
        other.cell.tree == guest.cell.tree
            && other.cell.flavor == guest.cell.flavor
            && other.cell.point.series == guest.cell.point.series
    };
    let mut others = all.iter().filter(alike);
    guest.role == CellRole::Subject
        && others.clone().any(|other| other.role == CellRole::Baseline)
        && others.all(|other| other.cell.point.applied <= guest.cell.point.applied)
}

/// Whether a patch touches the selftests that a check is of.
fn is_touched(planned: &PlannedCheck, patches: &[&Patch]) -> bool {
    let CheckKind::Kselftest { target, .. } = &planned.check.kind else { return false };
    let folder = format!("tools/testing/selftests/{target}/");
    patches.iter().flat_map(|patch| &patch.files).any(|file| file.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_of_a_series_makes_a_name_too() {
        assert_eq!(series_of_tests("mine", 12), "mine-tests-of-12-alone");
        for length in [1, 40, 47, NAME_BYTES_MAX] {
            let name = series_of_tests(&"a".repeat(length), 12);
            assert!(SeriesName::parse(&name).is_ok() && name.ends_with("-tests-of-12-alone"), "{name}");
        }
    }
}
