// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `run.json` says of planted faults, beside the cells that they were judged in.

use serde::{Deserialize, Serialize};

use crate::fault;
use crate::lab::mutant::{Equivalent, MutantKind};
use crate::record::model::{Outcome, worst_exit_code};

/// A planted fault and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutantRecord {
    /// Its name.
    pub name: String,
    /// What sort of mistake it stands for.
    pub class: String,
    /// What it touches.
    pub kind: MutantKind,
    /// What is wrong in it.
    pub wrong: String,
    /// Why it need not be noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equivalent: Option<Equivalent>,
    /// The check that is meant to notice it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killer: Option<String>,
    /// Its cells.
    pub cells: Vec<String>,
    /// What became of it.
    pub outcome: MutantOutcome,
    /// Why, where that is not as it should be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What noticed it, cell by cell, in the order of the checks.
    #[serde(default)]
    pub kills: Vec<Kill>,
    /// The check whose kills are counted apart.
    pub reference: String,
    /// Whether that check alone would have noticed it.
    pub by_reference: bool,
    /// Applying and building, and the longest of its guests, in milliseconds. On a busy machine that
    /// holds the time waited for other builds.
    pub ms: u64,
}

/// Something that noticed a planted fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// In which cell.
    pub cell: String,
    /// A check, or how far the kernel came: `build`, `boot`, `kernel-log`.
    pub by: String,
    /// The first sub-result, the title of the finding, or the reason.
    pub first: String,
    /// Whether that was only that it took too long, which a busy host can make it, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_deadline: bool,
}

/// What became of a planted fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MutantOutcome {
    /// A check noticed it.
    Killed,
    /// It was noticed, but not by the check that is meant to.
    WrongKiller,
    /// Nothing noticed it.
    Survived,
    /// Nothing noticed it, as is proved.
    Equivalent,
    /// It is said to be equivalent, and something noticed it.
    Refuted,
    /// Its patch does not apply.
    ApplyFailed,
    /// Its kernel does not build, which nobody expects of it.
    BuildFailed,
    /// The lab failed, or was interrupted.
    Undecided,
}

impl MutantOutcome {
    /// The word for it, as in `run.json`.
    pub fn word(self) -> &'static str {
        match self {
            MutantOutcome::Killed => "killed",
            MutantOutcome::WrongKiller => "wrong-killer",
            MutantOutcome::Survived => "survived",
            MutantOutcome::Equivalent => "equivalent",
            MutantOutcome::Refuted => "refuted",
            MutantOutcome::ApplyFailed => "apply-failed",
            MutantOutcome::BuildFailed => "build-failed",
            MutantOutcome::Undecided => "undecided",
        }
    }

    /// Whether it is as it should be.
    pub fn is_good(self) -> bool {
        matches!(self, MutantOutcome::Killed | MutantOutcome::Equivalent)
    }

    /// The outcome of a cell that calls for the same exit code.
    fn as_cell(self) -> Outcome {
        match self {
            MutantOutcome::Killed | MutantOutcome::Equivalent => Outcome::Pass,
            MutantOutcome::WrongKiller | MutantOutcome::Survived | MutantOutcome::Refuted => Outcome::Fail,
            MutantOutcome::ApplyFailed => Outcome::ApplyFailed,
            MutantOutcome::BuildFailed => Outcome::BuildFailed,
            MutantOutcome::Undecided => Outcome::Infra,
        }
    }
}

/// The exit code of a run of mutants: 0 only if each was noticed or is proved equivalent.
pub fn exit_code(mutants: &[MutantRecord]) -> u8 {
    if mutants.is_empty() {
        // Nothing was tried, and nothing is proved.
        return fault::EXIT_INTERNAL;
    }
    worst_exit_code(mutants.iter().map(|mutant| mutant.outcome.as_cell()))
}

/// Counts over a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Score {
    /// Noticed.
    pub killed: usize,
    /// That can be noticed: equivalent ones and those without a verdict left out.
    pub observable: usize,
    /// Noticed by the reference check alone.
    pub by_reference: usize,
    /// Not noticed, and proved to be equivalent.
    pub equivalent: usize,
    /// Without a verdict.
    pub undecided: usize,
}

impl Score {
    /// Counts.
    pub fn of(mutants: &[MutantRecord]) -> Self {
        let count = |wanted: &[MutantOutcome]| {
            mutants.iter().filter(|mutant| wanted.contains(&mutant.outcome)).count()
        };
        use MutantOutcome::{
            ApplyFailed, BuildFailed, Equivalent, Killed, Refuted, Survived, Undecided, WrongKiller,
        };
        let killed = count(&[Killed, WrongKiller, Refuted]);
        Self {
            killed,
            observable: killed + count(&[Survived]),
            by_reference: mutants.iter().filter(|mutant| mutant.by_reference).count(),
            equivalent: count(&[Equivalent]),
            undecided: count(&[ApplyFailed, BuildFailed, Undecided]),
        }
    }

    /// Of those that can be noticed, how many are, in percent; rounded down, so that 100 means all.
    pub fn percent(self) -> usize {
        (self.killed * 100).checked_div(self.observable).unwrap_or(0)
    }
}
