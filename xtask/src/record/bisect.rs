// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a search for a patch came to, as it stands in `run.json`.

use serde::{Deserialize, Serialize};

/// What a search asked, and what can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BisectRecord {
    /// What was asked at each point: `CHECK` or `CHECK.SUB`.
    pub check: String,
    /// Patches that were put on every point, by their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlay: Vec<usize>,
    /// The points that were asked, in the order of asking; those of the proof are the last.
    pub asked: Vec<AskedRecord>,
    /// What the search came to.
    pub answer: AnswerKind,
    /// Where the check changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<FoundRecord>,
    /// How sure that is, in parts of a thousand, where every point was asked more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_permille: Option<u32>,
}

/// What a search came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    /// It did not end.
    #[default]
    Open,
    /// The check changes, and did so once more in the proof.
    Found,
    /// The check changed, and not so in the proof.
    NotProved,
    /// The check is the same at both ends.
    SameEverywhere,
    /// No point can be tested.
    Untestable,
}

/// Where a check changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundRecord {
    /// `broken` or `fixed`.
    pub change: String,
    /// The patches one of which does it.
    pub candidates: Vec<CandidateRecord>,
    /// The cell of the last point before the change.
    pub before: String,
    /// The cell of the first point after it.
    pub exposed: String,
    /// Commands that run both again.
    #[serde(default)]
    pub rerun: Vec<String>,
    /// Why it is a range, if it is one, and what else is to be known of it.
    pub why: Vec<String>,
}

/// A patch that may have done it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Its number in the series, from 1.
    pub number: usize,
    /// Its subject.
    pub subject: String,
    /// Its file.
    pub file: String,
}

/// One point that was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedRecord {
    /// The number of the point.
    pub point: usize,
    /// The cell.
    pub cell: String,
    /// `passes`, `fails`, or `untestable`.
    pub says: String,
    /// Runs that passed.
    pub passed: u32,
    /// Runs that did not.
    pub failed: u32,
    /// What the last run that did not pass said, else what the last that passed said.
    pub reason: String,
}
