// SPDX-License-Identifier: MIT OR Apache-2.0
//! Planted faults: from the verdicts on their cells to who noticed. Pure.

use super::check::CUT;
use crate::lab::mutant::{Expect, KILLER_BOOT, KILLER_BUILD, KILLER_LOG, MutantFacts, STAGES};
use crate::lab::names::CheckName;
use crate::record::model::{CellRecord, CheckRecord, CheckStatus, Outcome, SubRecord};
use crate::record::mutant::{Kill, MutantOutcome, MutantRecord};

/// What is known of a mutant when its cells have their verdicts.
#[derive(Debug, Clone, Copy)]
pub struct MutantEvidence<'a> {
    /// What is declared of it.
    pub facts: &'a MutantFacts,
    /// The check whose kills are counted apart.
    pub reference: &'a CheckName,
    /// Its cells, each with that of the unmutated series on the same flavor.
    pub cells: &'a [(&'a CellRecord, &'a CellRecord)],
    /// What it took, in milliseconds.
    pub ms: u64,
}

/// Says what became of a mutant.
pub fn judge_mutant(evidence: &MutantEvidence<'_>) -> MutantRecord {
    let facts = evidence.facts;
    let cells = || evidence.cells.iter().map(|(cell, _)| *cell);
    let kills: Vec<Kill> =
        evidence.cells.iter().flat_map(|(cell, healthy)| kills_in(cell, healthy)).collect();
    let (outcome, reason) = verdict(facts, cells(), &kills);
    MutantRecord {
        name: facts.name.to_string(),
        class: facts.class.to_string(),
        kind: facts.kind,
        wrong: facts.wrong.clone(),
        equivalent: facts.equivalent,
        killer: facts.killer.clone(),
        cells: cells().map(|cell| cell.id.clone()).collect(),
        outcome,
        reason,
        reference: evidence.reference.to_string(),
        by_reference: is_noticed_by(evidence.reference, cells(), &kills),
        kills,
        ms: evidence.ms,
    }
}

fn verdict<'a>(
    facts: &MutantFacts,
    cells: impl Iterator<Item = &'a CellRecord> + Clone,
    kills: &[Kill],
) -> (MutantOutcome, String) {
    let first = |wanted: &[Outcome]| cells.clone().find(|cell| wanted.contains(&cell.outcome));
    if let Some(cell) = first(&[Outcome::ApplyFailed]) {
        return (MutantOutcome::ApplyFailed, cell.reason.clone());
    }
    if let Some(cell) = first(&[Outcome::Infra, Outcome::Cancelled]) {
        return (MutantOutcome::Undecided, cell.reason.clone());
    }
    if cells.clone().next().is_none() {
        return (MutantOutcome::Undecided, "it has no cell".into());
    }
    if let Some(cell) = first(&[Outcome::BuildFailed])
        && facts.expect != Some(Expect::Build)
    {
        return (MutantOutcome::BuildFailed, cell.reason.clone());
    }
    let Some(kill) = kills.first() else {
        return match facts.equivalent {
            Some(_) => (MutantOutcome::Equivalent, String::new()),
            None => (MutantOutcome::Survived, missed(facts, cells)),
        };
    };
    let wanted: Vec<&Kill> = kills.iter().filter(|kill| is_wanted(kill, facts, cells.clone())).collect();
    if wanted.is_empty() {
        return (MutantOutcome::WrongKiller, missed(facts, cells));
    }
    if !facts.hangs && wanted.iter().all(|kill| kill.by_deadline) {
        return (MutantOutcome::Undecided, only_slow(&wanted));
    }
    if facts.equivalent.is_some() {
        let kill = wanted.iter().find(|kill| !kill.by_deadline).copied().unwrap_or(kill);
        let why = format!("it is declared equivalent, and {} noticed: {}", kill.by, kill.first);
        return (MutantOutcome::Refuted, why);
    }
    (MutantOutcome::Killed, String::new())
}

/// What a slow host can do as well shows nothing.
fn only_slow(kills: &[&Kill]) -> String {
    let mut by: Vec<String> = kills.iter().map(|kill| format!("`{}`", kill.by)).collect();
    by.dedup();
    format!(
        "{} took too long, which a busy host can make it, and noticed nothing else: try again on a quieter \
         one; if the fault makes it hang, say `hangs = true` in mutants.toml",
        by.join(", ")
    )
}

/// Whether a kill is by the killer that is named, and if one is, for the finding that is named.
fn is_wanted<'a>(kill: &Kill, facts: &MutantFacts, mut cells: impl Iterator<Item = &'a CellRecord>) -> bool {
    let is_by_killer = facts.killer.as_ref().is_none_or(|killer| is_by(kill, killer));
    let is_the_finding = |part: &String| {
        let here = cells.find(|cell| cell.id == kill.cell).into_iter().flat_map(|cell| &cell.findings);
        let mut those = here.filter(|finding| finding.title == kill.first);
        those.any(|finding| finding.family.contains(part.as_str()) || finding.title.contains(part.as_str()))
    };
    is_by_killer && facts.finding.as_ref().is_none_or(is_the_finding)
}

/// Why the killer that was named is not among those that noticed.
fn missed<'a>(facts: &MutantFacts, mut cells: impl Iterator<Item = &'a CellRecord>) -> String {
    let Some(killer) = &facts.killer else {
        return "no check is named that is meant to notice it".into();
    };
    if let Some(finding) = &facts.finding {
        return format!("`{killer}` is meant to notice it by a finding of `{finding}`, and did not");
    }
    let mut asked = cells.by_ref().flat_map(|cell| &cell.checks);
    let was_asked = STAGES.contains(&killer.as_str()) || asked.any(|check| is_under(&check.name, killer));
    if was_asked {
        format!("`{killer}` is meant to notice it, and did not")
    } else {
        format!("`{killer}` is meant to notice it, and no such check was asked")
    }
}

fn is_under(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A killer is a stage, a check, a family of checks, or a check with a sub-result.
fn is_by(kill: &Kill, killer: &str) -> bool {
    is_under(&kill.by, killer) || is_under(&format!("{}.{}", kill.by, kill.first), killer)
}

/// A kernel that does not boot is noticed by whatever is run on it; a finding of the kernel log
/// only by those who read that.
fn is_noticed_by<'a>(
    check: &CheckName,
    mut cells: impl Iterator<Item = &'a CellRecord>,
    kills: &[Kill],
) -> bool {
    kills.iter().any(|kill| is_under(&kill.by, check.as_str()))
        || cells.any(|cell| cell.outcome == Outcome::BootFailed)
}

/// What noticed in one cell, in the order of a kernel's life. Empty for a cell that passes, or that
/// nothing can be learnt from.
fn kills_in(cell: &CellRecord, healthy: &CellRecord) -> Vec<Kill> {
    let kill = |by: &str, first: &str| Kill {
        cell: cell.id.clone(),
        by: by.into(),
        first: first.into(),
        by_deadline: cell.outcome == Outcome::TimedOut,
    };
    match cell.outcome {
        Outcome::Pass | Outcome::ApplyFailed | Outcome::Infra | Outcome::Cancelled => return Vec::new(),
        Outcome::BuildFailed => return vec![kill(KILLER_BUILD, &cell.reason)],
        Outcome::BootFailed => return vec![kill(KILLER_BOOT, &cell.reason)],
        Outcome::Fail | Outcome::Crashed | Outcome::TimedOut => {}
    }
    let mut kills: Vec<Kill> = Vec::new();
    for check in &cell.checks {
        let before = healthy.checks.iter().find(|other| other.name == check.name);
        let is_as_before = before.is_some_and(|before| before.status == check.status);
        // A check that a crash cut off failed, since it did not end; those after it noticed nothing.
        if matches!(check.status, CheckStatus::Pass | CheckStatus::NotRun) || is_as_before {
            continue;
        }
        // A check that was cut off, or the last that the guest came to when its time was up.
        let by_deadline =
            check.reason.starts_with(CUT) || (cell.outcome == Outcome::TimedOut && check.ms == 0);
        kills.push(Kill { by_deadline, ..kill(&check.name, &first_of(check, before)) });
    }
    kills.extend(
        cell.findings.iter().map(|finding| Kill { by_deadline: false, ..kill(KILLER_LOG, &finding.title) }),
    );
    if kills.is_empty() {
        kills.push(kill(KILLER_BOOT, &cell.reason));
    }
    kills
}

/// Whether a sub-result was the same on the healthy kernel.
fn was_so(before: Option<&CheckRecord>, sub: &SubRecord) -> bool {
    let is_same = |other: &SubRecord| other.name() == sub.name() && other.status == sub.status;
    before.is_some_and(|before| before.subs.iter().any(is_same))
}

/// The first sub-result that is otherwise than on the healthy kernel.
fn first_of(check: &CheckRecord, before: Option<&CheckRecord>) -> String {
    let differs = check.subs.iter().find(|sub| sub.status != CheckStatus::Pass && !was_so(before, sub));
    differs.map_or_else(|| check.reason.clone(), |sub| sub.name())
}

#[cfg(test)]
#[path = "mutant_tests.rs"]
mod tests;
