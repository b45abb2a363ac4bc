// SPDX-License-Identifier: MIT OR Apache-2.0
//! Oracles: what a guest program is asked, and what the model says of its answer.
//!
//! The only place where the engine meets the model of the seccomp cache.

use anyhow::Result;
use seccomp_oracle::cases::{Case, cases, request};
use seccomp_oracle::judge::{Status, SubVerdict, judge};

use crate::lab::check::Oracle;
use crate::lab::kernel::Arch;
use crate::record::model::{CheckStatus, SubRecord};
use crate::run::tree_facts::TreeFacts;

/// The kernel that is asked.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its source.
    pub facts: &'a TreeFacts,
    /// Its architecture.
    pub arch: Arch,
    /// Whether it runs 32-bit programs beside 64-bit ones.
    pub has_compat: bool,
}

/// A question to one guest.
pub struct Question {
    /// What the guest program reads on its standard input.
    pub input: Vec<u8>,
    asked: Asked,
}

/// What the answer is judged by.
enum Asked {
    Cases(Vec<Case>),
}

impl Question {
    /// Puts an oracle's question.
    ///
    /// # Errors
    /// If what is asked does not fit the format.
    pub fn put(oracle: &Oracle) -> Result<Self> {
        match oracle {
            Oracle::Cache => Self::cases(cases()),
        }
    }

    fn cases(cases: Vec<Case>) -> Result<Self> {
        let input = request(&cases).map_err(|error| anyhow::anyhow!("writing chains: {error}"))?;
        Ok(Self { input, asked: Asked::Cases(cases) })
    }

    /// What the model says of an answer.
    ///
    /// # Errors
    /// If the tree lacks a table that the model needs.
    pub fn verdicts(&self, subject: Subject<'_>, answer: &[u8]) -> Result<Vec<SubRecord>> {
        let kernel = subject.facts.kernel(subject.arch, subject.has_compat)?;
        match &self.asked {
            Asked::Cases(cases) => Ok(records(judge(&kernel, cases, answer))),
        }
    }
}

/// Numbers the verdicts of a model.
fn records(verdicts: Vec<SubVerdict>) -> Vec<SubRecord> {
    let record = |(ordinal, verdict): (u32, SubVerdict)| SubRecord {
        path: vec![verdict.name],
        ordinal,
        status: match verdict.status {
            Status::Pass => CheckStatus::Pass,
            Status::Fail => CheckStatus::Fail,
            Status::NotRun => CheckStatus::NotRun,
        },
        reason: verdict.message.unwrap_or_default(),
    };
    (1..).zip(verdicts).map(record).collect()
}
