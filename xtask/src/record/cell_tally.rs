// SPDX-License-Identifier: MIT OR Apache-2.0
//! One cell over several rounds. Pure.

use std::collections::BTreeMap;

use crate::record::compare::{ItemKey, results};
use crate::record::model::{
    Attempt, CellRecord, CheckRecord, CheckStatus, FindingRecord, Outcome, SubRecord, worst_first,
};
use crate::record::repeat::{NO_ANSWER, Rate, is_mixed};
use crate::record::trend::has_own_verdict;

/// What the rounds so far said of a cell.
#[derive(Debug)]
pub struct CellTally {
    id: String,
    /// The round that went worst, and in how many it went that way.
    worst: Option<(CellRecord, usize)>,
    rounds: usize,
    attempts: Vec<Attempt>,
    findings: Vec<FindingRecord>,
    checks: Vec<CheckTally>,
    items: Vec<ItemTally>,
    known: BTreeMap<ItemKey, usize>,
}

/// A check over the rounds.
#[derive(Debug)]
struct CheckTally {
    /// As the last round had it that asked it.
    last: CheckRecord,
    /// What its silence about a sub-test meant in each round.
    silence: String,
    /// Its own status in each round.
    seen: String,
    /// Why it did not pass, where it did not.
    reason: String,
}

/// A result over the rounds.
#[derive(Debug)]
struct ItemTally {
    key: ItemKey,
    /// Its number in its plan; 0 for a check itself.
    ordinal: u32,
    seen: String,
    reason: String,
}

/// A status, or nothing, at the end of a line of letters that has one for each round.
fn put(seen: &mut String, round: usize, letter: char) {
    let missing = round.saturating_sub(seen.len());
    seen.extend(std::iter::repeat_n(NO_ANSWER, missing));
    seen.push(letter);
}

impl CellTally {
    /// Nothing yet.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            worst: None,
            rounds: 0,
            attempts: Vec::new(),
            findings: Vec::new(),
            checks: Vec::new(),
            items: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// The cell.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes what a round, counted from 0, said of it.
    pub fn add(&mut self, round: usize, run: &str, cell: &CellRecord) {
        self.rounds += 1;
        self.attempts.extend(cell.attempts.iter().cloned());
        for finding in &cell.findings {
            let is_it = |other: &FindingRecord| other.title == finding.title && other.check == finding.check;
            if !self.findings.iter().any(is_it) {
                self.findings.push(finding.clone());
            }
        }
        match &mut self.worst {
            Some((worst, count)) if worst.outcome == cell.outcome => *count += 1,
            Some((worst, _)) if worst_first(worst.outcome) <= worst_first(cell.outcome) => {}
            worst => *worst = Some((with_origin(run, cell), 1)),
        }
        // What another's guest or another run showed is no answer of this round's.
        if has_own_verdict(cell) {
            self.add_checks(round, cell);
        }
    }

    fn add_checks(&mut self, round: usize, cell: &CellRecord) {
        // A guest that ended early has not said what it did not come to.
        let is_finished = matches!(cell.outcome, Outcome::Pass | Outcome::Fail);
        for check in &cell.checks {
            if check.status == CheckStatus::NotRun && !is_finished {
                continue;
            }
            let at = self.checks.iter().position(|known| known.last.name == check.name);
            let at = at.unwrap_or_else(|| {
                self.checks.push(CheckTally::new(check));
                self.checks.len() - 1
            });
            self.checks[at].add(round, check, is_finished);
        }
        let mut ordinals = cell.checks.iter().flat_map(|check| &check.subs).map(|sub| sub.ordinal);
        for (key, shown) in results(cell) {
            let ordinal = if key.path.is_empty() { 0 } else { ordinals.next().unwrap_or(0) };
            if shown.status == CheckStatus::NotRun && !is_finished {
                continue;
            }
            let at = *self.known.entry(key.clone()).or_insert_with(|| {
                self.items.push(ItemTally { key, ordinal, seen: String::new(), reason: String::new() });
                self.items.len() - 1
            });
            let item = &mut self.items[at];
            put(&mut item.seen, round, shown.status.letter());
            if item.reason.is_empty() {
                item.reason = shown.reason;
            }
        }
    }

    /// What all rounds say, and how often each result passed.
    pub fn record(mut self, rounds: usize) -> (CellRecord, Vec<Rate>) {
        let Some((mut record, like_it)) = self.worst.take() else {
            return (CellRecord::never_begun(&self.id), Vec::new());
        };
        let rates: Vec<Rate> = self.items.iter().map(|item| self.rate(item, rounds)).collect();
        if !self.checks.is_empty() {
            record.checks = self.checks.iter().map(|check| self.check(check, &rates)).collect();
        }
        record.attempts = self.attempts;
        record.findings = self.findings;
        if record.outcome != Outcome::Pass && self.rounds > 1 {
            record.reason = format!("in {like_it} of {} rounds: {}", self.rounds, record.reason);
        }
        let mut flaky = rates.iter().filter(|rate| rate.is_flaky());
        if let Some(first) = flaky.next() {
            let more = match flaky.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let told =
                format!("flaky: {} passed {} of {} rounds{more}", first.name(), first.passed, first.of);
            let bad = record.outcome != Outcome::Pass;
            record.reason = if bad { format!("{told}; {}", record.reason) } else { told };
            // Whatever each round made of it: two answers to one question are no pass.
            if record.outcome == Outcome::Pass {
                record.outcome = Outcome::Fail;
            }
        }
        (record, rates)
    }

    fn rate(&self, item: &ItemTally, rounds: usize) -> Rate {
        let silence = self.checks.iter().find(|check| check.last.name == item.key.check);
        let silence: Vec<char> = silence.map(|check| check.silence.chars().collect()).unwrap_or_default();
        let mut seen: Vec<char> = item.seen.chars().collect();
        seen.resize(rounds, NO_ANSWER);
        for (at, letter) in seen.iter_mut().enumerate().filter(|(_, letter)| **letter == NO_ANSWER) {
            let meant = silence.get(at).copied().unwrap_or(NO_ANSWER);
            // A check tells itself only where it is at fault by itself.
            let is_told = !item.key.path.is_empty() || meant == NO_ANSWER;
            *letter = if is_told { meant } else { CheckStatus::Pass.letter() };
        }
        let of = seen.iter().filter(|letter| **letter != NO_ANSWER).count();
        let passed = seen.iter().filter(|letter| **letter == CheckStatus::Pass.letter()).count();
        Rate {
            cell: self.id.clone(),
            check: item.key.check.clone(),
            path: item.key.path.clone(),
            nth: item.key.nth,
            passed,
            of,
            seen: seen.into_iter().collect(),
        }
    }

    /// A check by all rounds: what every round said the same of keeps its status.
    fn check(&self, tally: &CheckTally, rates: &[Rate]) -> CheckRecord {
        let mine = self.items.iter().zip(rates).filter(|(item, _)| item.key.check == tally.last.name);
        let mut is_flaky = is_mixed(&tally.seen);
        let mut subs = Vec::new();
        for (item, rate) in mine {
            is_flaky |= rate.is_flaky();
            if item.key.path.is_empty() {
                continue;
            }
            let letter = rate.seen.chars().find(|letter| *letter != NO_ANSWER);
            let (status, reason) = match (rate.is_flaky(), letter) {
                (true, _) => (CheckStatus::Flaky, told(rate, &item.reason)),
                (false, letter) => (letter.map_or(CheckStatus::NotRun, status_of), item.reason.clone()),
            };
            subs.push(SubRecord { path: item.key.path.clone(), ordinal: item.ordinal, status, reason });
        }
        let status = match tally.seen.chars().find(|letter| *letter != NO_ANSWER) {
            _ if is_flaky => CheckStatus::Flaky,
            None => CheckStatus::NotRun,
            Some(letter) => status_of(letter),
        };
        let reason = match status {
            CheckStatus::Flaky => told_of_check(tally, &subs),
            _ => tally.reason.clone(),
        };
        CheckRecord { status, reason, subs, ..tally.last.clone() }
    }
}

impl CheckTally {
    fn new(check: &CheckRecord) -> Self {
        let last = check.clone();
        Self { last, silence: String::new(), seen: String::new(), reason: String::new() }
    }

    fn add(&mut self, round: usize, check: &CheckRecord, is_finished: bool) {
        put(&mut self.seen, round, check.status.letter());
        let silence = match (is_finished && check.status != CheckStatus::Absent, check.figures.is_empty()) {
            (false, _) => NO_ANSWER,
            (true, true) => CheckStatus::NotRun.letter(),
            // It counts what is right, and names what is wrong.
            (true, false) => CheckStatus::Pass.letter(),
        };
        put(&mut self.silence, round, silence);
        if self.reason.is_empty() {
            self.reason.clone_from(&check.reason);
        }
        let plan = self.last.plan.max(check.plan);
        self.last = CheckRecord { plan, subs: Vec::new(), ..check.clone() };
    }
}

/// A record whose files say which run they are of.
fn with_origin(run: &str, cell: &CellRecord) -> CellRecord {
    let mut cell = cell.clone();
    for file in cell.files.values_mut() {
        *file = format!("{run}/{file}");
    }
    cell
}

fn told(rate: &Rate, reason: &str) -> String {
    let rounds = format!("passed {} of {} rounds: {}", rate.passed, rate.of, rate.seen);
    if reason.is_empty() { rounds } else { format!("{rounds}\n{reason}") }
}

fn told_of_check(tally: &CheckTally, subs: &[SubRecord]) -> String {
    let mut flaky = subs.iter().filter(|sub| sub.status == CheckStatus::Flaky);
    match flaky.next() {
        Some(first) => {
            let name = first.path.join(".");
            format!("{} of {} flaky, the first is {name}", flaky.count() + 1, subs.len())
        }
        None => format!("{}: {}", tally.seen, tally.reason),
    }
}

fn status_of(letter: char) -> CheckStatus {
    CheckStatus::of_letter(letter).unwrap_or(CheckStatus::NotRun)
}
