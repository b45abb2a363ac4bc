// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two records of one cell compared, sub-test by sub-test: a baseline or an older run with a newer one. Pure.
//!
//! It fails closed: what had a result and has none any more is a regression, and so is a cell that passed
//! and does not, whatever its checks say.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use crate::record::change::{Change, change};
use crate::record::model::{CellRecord, CheckRecord, CheckStatus, FindingRecord, Outcome};

/// What a result is called by: the same in every run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ItemKey {
    /// The check.
    pub check: String,
    /// The names of the sub-test; empty for the check itself.
    pub path: Vec<String>,
    /// Which of those of this name in the check, from 1: numbers of a plan move when a test is added.
    pub nth: u32,
}

impl ItemKey {
    /// `CHECK.SUB`, with the number of a name that occurs more than once.
    pub fn name(&self) -> String {
        let words = std::iter::once(self.check.as_str()).chain(self.path.iter().map(String::as_str));
        let name = words.collect::<Vec<_>>().join(".");
        if self.nth > 1 { format!("{name} #{}", self.nth) } else { name }
    }
}

/// A result as one run has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its status.
    pub status: CheckStatus,
    /// Why, where it does not pass.
    pub reason: String,
}

/// One result in both records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Which one.
    #[serde(flatten)]
    pub key: ItemKey,
    /// What became of it.
    pub change: Change,
    /// As it was; nothing where it was not there.
    pub older: Option<Shown>,
    /// As it is; nothing where it is not there.
    pub newer: Option<Shown>,
}

impl Item {
    /// Whether the newer record is worse for it.
    pub fn is_regression(&self) -> bool {
        match self.change {
            Change::NewlyFailing | Change::Vanished | Change::NewlyFlaky => true,
            Change::New => self.newer.as_ref().is_some_and(|newer| {
                matches!(newer.status, CheckStatus::Fail | CheckStatus::NotRun | CheckStatus::Flaky)
            }),
            Change::Fixed | Change::StillFailing | Change::Unsettled | Change::Same => false,
        }
    }
}

/// A finding of the kernel log, without what differs from boot to boot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FindingKey {
    /// What sort it is.
    pub family: String,
    /// Its stable title.
    pub title: String,
}

/// The outcome in both records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutcomeChange {
    /// As it was.
    pub older: Outcome,
    /// As it is.
    pub newer: Outcome,
}

impl OutcomeChange {
    /// Whether the newer one came less far, or has no verdict where there was one.
    pub fn is_worse(self) -> bool {
        match (stage(self.older), stage(self.newer)) {
            (_, Some(Stage::Judged)) | (None, None) => false,
            (None, Some(_)) | (Some(_), None) => true,
            (Some(older), Some(newer)) => newer < older,
        }
    }
}

/// How far a kernel came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Apply,
    Build,
    Boot,
    Checks,
    Judged,
}

/// The stage at which a cell ended; nothing where the lab has no verdict.
fn stage(outcome: Outcome) -> Option<Stage> {
    match outcome {
        Outcome::ApplyFailed => Some(Stage::Apply),
        Outcome::BuildFailed => Some(Stage::Build),
        Outcome::BootFailed => Some(Stage::Boot),
        Outcome::Crashed | Outcome::TimedOut => Some(Stage::Checks),
        Outcome::Pass | Outcome::Fail => Some(Stage::Judged),
        Outcome::Infra | Outcome::Cancelled => None,
    }
}

/// What differs between two records of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellDiff {
    /// The older cell's id: that of a baseline is another point.
    pub older: String,
    /// The newer cell's id.
    pub newer: String,
    /// Both outcomes.
    pub outcome: OutcomeChange,
    /// Results that differ, or fail in both, in the order of the newer record; those that are gone are last.
    pub items: Vec<Item>,
    /// How many results are the same in both and do not fail.
    pub same: usize,
    /// What the kernel log says now and did not.
    pub new_findings: Vec<FindingKey>,
    /// What the kernel log said and does not any more.
    pub gone_findings: Vec<FindingKey>,
}

impl CellDiff {
    /// The results with this change.
    pub fn with(&self, change: Change) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.change == change)
    }

    /// The results for which the newer record is worse.
    pub fn regressions(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.is_regression())
    }

    /// Whether the newer record is worse in anything. A failure that both have is not.
    pub fn is_regression(&self) -> bool {
        self.regressions().next().is_some()
            || !self.new_findings.is_empty()
            || self.outcome.is_worse()
            // Whatever made it fail is none of the above; it passed before.
            || (self.outcome.older == Outcome::Pass && self.outcome.newer != Outcome::Pass)
    }
}

/// Compares two records of one cell, or a cell with its baseline.
pub fn compare(older: &CellRecord, newer: &CellRecord) -> CellDiff {
    let mut items = Vec::new();
    let (older_checks, newer_checks) = (by_name(older), by_name(newer));
    for check in &newer.checks {
        let before = older_checks.get(check.name.as_str()).copied();
        compare_check(before, Some(check), &mut items);
    }
    for check in older.checks.iter().filter(|check| !newer_checks.contains_key(check.name.as_str())) {
        compare_check(Some(check), None, &mut items);
    }
    let compared = items.len();
    items.retain(|item| item.change != Change::Same);
    let (said, says) = (findings(&older.findings), findings(&newer.findings));
    CellDiff {
        older: older.id.clone(),
        newer: newer.id.clone(),
        outcome: OutcomeChange { older: older.outcome, newer: newer.outcome },
        same: compared - items.len(),
        items,
        new_findings: says.difference(&said).cloned().collect(),
        gone_findings: said.difference(&says).cloned().collect(),
    }
}

fn by_name(cell: &CellRecord) -> BTreeMap<&str, &CheckRecord> {
    cell.checks.iter().map(|check| (check.name.as_str(), check)).collect()
}

fn findings(findings: &[FindingRecord]) -> BTreeSet<FindingKey> {
    let key =
        |finding: &FindingRecord| FindingKey { family: finding.family.clone(), title: finding.title.clone() };
    findings.iter().map(key).collect()
}

/// The results of a cell by their keys, in their order: its sub-tests, and of each check what no sub-test tells.
pub fn results(cell: &CellRecord) -> Vec<(ItemKey, Shown)> {
    let mut all = Vec::new();
    for check in &cell.checks {
        if check.subs.is_empty() || own_fault(check).is_some() {
            all.push((check_key(&check.name), own_result(check)));
        }
        all.extend(subs(check));
    }
    all
}

fn check_key(name: &str) -> ItemKey {
    ItemKey { check: name.to_owned(), path: Vec::new(), nth: 1 }
}

/// The sub-tests of a check by their keys, in their order.
pub fn subs(check: &CheckRecord) -> Vec<(ItemKey, Shown)> {
    let mut seen: BTreeMap<&[String], u32> = BTreeMap::new();
    let mut all = Vec::with_capacity(check.subs.len());
    for sub in &check.subs {
        let nth = seen.entry(&sub.path).or_default();
        *nth += 1;
        let key = ItemKey { check: check.name.clone(), path: sub.path.clone(), nth: *nth };
        all.push((key, Shown { status: sub.status, reason: sub.reason.clone() }));
    }
    all
}

/// What is wrong with a check that none of its sub-tests tells: its exit code, its plan, its deadline.
pub fn own_fault(check: &CheckRecord) -> Option<&str> {
    if check.status == CheckStatus::Pass || check.subs.is_empty() {
        return None;
    }
    // The judge sums sub-tests up as `2 of 87 failed, the first is …`; a fault of the check has other words.
    let summed_up = check.reason.split_once(" of ").is_some_and(|(bad, rest)| {
        bad.parse::<usize>().is_ok()
            && rest.split(' ').next().and_then(|all| all.parse().ok()) == Some(check.subs.len())
            && rest.contains(", the first is ")
    });
    let told = check.count(check.status) > 0;
    (!(summed_up && told)).then_some(check.reason.as_str())
}

/// The result of a check by itself: where its sub-tests tell everything it passes.
fn own_result(check: &CheckRecord) -> Shown {
    let status = match own_fault(check) {
        None if !check.subs.is_empty() => CheckStatus::Pass,
        _ => check.status,
    };
    let reason = if status == CheckStatus::Pass { String::new() } else { check.reason.clone() };
    Shown { status, reason }
}

fn compare_check(older: Option<&CheckRecord>, newer: Option<&CheckRecord>, items: &mut Vec<Item>) {
    let Some(name) = newer.or(older).map(|check| check.name.as_str()) else { return };
    let had = older.map(subs).unwrap_or_default();
    let has = newer.map(subs).unwrap_or_default();
    let before: BTreeMap<ItemKey, Shown> = had.iter().cloned().collect();
    let counts = Counting::of(older, newer);
    let first = items.len();
    for (key, result) in has.iter().cloned() {
        items.push(item(counts, key.clone(), before.get(&key).cloned(), Some(result)));
    }
    let now: BTreeSet<&ItemKey> = has.iter().map(|(key, _)| key).collect();
    let gone = had.iter().filter(|(key, _)| !now.contains(key));
    for (key, result) in gone.cloned() {
        items.push(item(counts, key, Some(result), None));
    }
    let lost = items[first..].iter().any(|item| item.change == Change::Vanished);
    if let Some(own) = own_item(name, older, newer, counts, lost) {
        items.insert(first, own);
    }
}

/// The item of a check itself, where its sub-tests do not tell it already.
fn own_item(
    name: &str,
    older: Option<&CheckRecord>,
    newer: Option<&CheckRecord>,
    counts: Counting,
    lost: bool,
) -> Option<Item> {
    let mut own = item(Counting::All, check_key(name), older.map(own_result), newer.map(own_result));
    let shrank = counts == Counting::All && plan_shrank(older, newer);
    if shrank && !lost && !own.is_regression() {
        own.change = Change::Vanished;
        if let (Some(result), Some(plan)) = (&mut own.newer, newer.and_then(|check| check.plan)) {
            result.reason = format!("{plan} sub-tests are planned, and fewer than before");
        }
        return Some(own);
    }
    let has_subs = |check: Option<&CheckRecord>| check.is_some_and(|check| !check.subs.is_empty());
    let is_told = match own.change {
        Change::Same => has_subs(older) || has_subs(newer),
        Change::New => has_subs(newer),
        Change::Vanished => has_subs(older),
        _ => false,
    };
    // What is wrong with the check itself is told by no sub-test.
    let is_own = newer.is_some_and(|check| own_fault(check).is_some());
    (!is_told || is_own).then_some(own)
}

fn plan_shrank(older: Option<&CheckRecord>, newer: Option<&CheckRecord>) -> bool {
    let plan = |check: Option<&CheckRecord>| check.and_then(|check| check.plan);
    matches!((plan(older), plan(newer)), (Some(older), Some(newer)) if newer < older)
}

/// What the sub-tests of a check stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// Everything that it looks at.
    All,
    /// It counts what is right, and names single things only where they are wrong.
    WrongOnly,
}

impl Counting {
    /// A check with figures counts.
    fn of(older: Option<&CheckRecord>, newer: Option<&CheckRecord>) -> Self {
        match (older, newer) {
            (Some(older), Some(newer)) if !older.figures.is_empty() && !newer.figures.is_empty() => {
                Counting::WrongOnly
            }
            _ => Counting::All,
        }
    }
}

fn item(counts: Counting, key: ItemKey, older: Option<Shown>, newer: Option<Shown>) -> Item {
    let status = |result: &Option<Shown>| result.as_ref().map(|result| result.status);
    let (was, is) = (status(&older), status(&newer));
    let change = match (counts, was, is) {
        // It was among those that were counted as right, and is again.
        (Counting::WrongOnly, None, Some(CheckStatus::Fail | CheckStatus::NotRun)) => Change::NewlyFailing,
        (Counting::WrongOnly, Some(CheckStatus::Fail | CheckStatus::NotRun), None) => Change::Fixed,
        _ => change(was, is),
    };
    Item { key, change, older, newer }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
