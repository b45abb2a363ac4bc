// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rounds of one plan as one record: how often each result passed, and which changed their mind. Pure.
//!
//! Rounds come one after the other and are not kept: a letter of each result is, and for each cell the round that
//! went worst. What a round could not ask, since the lab was in trouble or the guest ended early, is no answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::cell_tally::CellTally;
use crate::record::model::{CellRecord, Run, RunState};

/// No answer in a round.
pub const NO_ANSWER: char = '.';

/// What rounds of one plan said, result by result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepeatRecord {
    /// Ids of the rounds, in their order: each has a record of its own.
    pub rounds: Vec<String>,
    /// Every result of every cell.
    pub rates: Vec<Rate>,
}

/// How often one result passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The cell.
    pub cell: String,
    /// The check.
    pub check: String,
    /// The names of the sub-test; empty for the check itself.
    pub path: Vec<String>,
    /// Which of those of this name in the check, from 1.
    pub nth: u32,
    /// In how many rounds it passed.
    pub passed: usize,
    /// In how many rounds it was asked.
    pub of: usize,
    /// A letter a round, as `CheckStatus::letter` has them; `.` where it was not asked.
    pub seen: String,
}

impl Rate {
    /// `CHECK.SUB`.
    pub fn name(&self) -> String {
        let words = std::iter::once(self.check.as_str()).chain(self.path.iter().map(String::as_str));
        words.collect::<Vec<_>>().join(".")
    }

    /// Whether the answer was not always the same.
    pub fn is_flaky(&self) -> bool {
        is_mixed(&self.seen)
    }
}

/// Whether letters tell of different answers.
pub fn is_mixed(seen: &str) -> bool {
    let mut answers = seen.chars().filter(|letter| *letter != NO_ANSWER);
    answers.next().is_some_and(|first| answers.any(|letter| letter != first))
}

impl RepeatRecord {
    /// The results that were not always the same.
    pub fn flaky(&self) -> impl Iterator<Item = &Rate> {
        self.rates.iter().filter(|rate| rate.is_flaky())
    }

    /// The rate of a sub-test.
    pub fn rate(&self, cell: &str, check: &str, path: &[String], nth: u32) -> Option<&Rate> {
        let is_it =
            |rate: &&Rate| rate.nth == nth && rate.path == path && rate.check == check && rate.cell == cell;
        self.rates.iter().find(is_it)
    }
}

/// Rounds as they come.
#[derive(Debug, Default)]
pub struct Rounds {
    first_started: String,
    ids: Vec<String>,
    last: Option<Run>,
    timings_ms: BTreeMap<String, u64>,
    cells: Vec<CellTally>,
    probes: Vec<CellTally>,
}

impl Rounds {
    /// How many have come.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Takes a round.
    pub fn add(&mut self, run: Run) {
        if self.ids.is_empty() {
            self.first_started.clone_from(&run.started);
        }
        let round = self.ids.len();
        self.ids.push(run.id.clone());
        for (name, ms) in &run.timings_ms {
            *self.timings_ms.entry(name.clone()).or_default() += ms;
        }
        for (tallies, cells) in [(&mut self.cells, &run.cells), (&mut self.probes, &run.probes)] {
            for cell in cells {
                let at = tallies.iter().position(|tally| tally.id() == cell.id).unwrap_or_else(|| {
                    tallies.push(CellTally::new(&cell.id));
                    tallies.len() - 1
                });
                tallies[at].add(round, &run.id, cell);
            }
        }
        self.last = Some(run);
    }

    /// One record of all of them, with an id of its own. Files are named `ID/FILE`, after the round that they are of.
    /// Nothing where no round has come.
    pub fn record(self, id: String, state: RunState) -> Option<Run> {
        let last = self.last?;
        let rounds = self.ids.len();
        let mut rates = Vec::new();
        let mut told = |tallies: Vec<CellTally>| -> Vec<CellRecord> {
            let one = |tally: CellTally| {
                let (record, of_cell) = tally.record(rounds);
                rates.extend(of_cell);
                record
            };
            tallies.into_iter().map(one).collect()
        };
        let (cells, probes) = (told(self.cells), told(self.probes));
        Some(Run {
            id,
            state,
            started: self.first_started,
            cells,
            probes,
            timings_ms: self.timings_ms,
            repeat: Some(RepeatRecord { rounds: self.ids, rates }),
            ..last
        })
    }
}

#[cfg(test)]
#[path = "repeat_tests.rs"]
mod tests;
