// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the sources of a run came from.

use serde::{Deserialize, Serialize};

use crate::lab::provenance::Answer;

/// Where a series came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesRecord {
    /// A folder of the lab, or the file that was given.
    pub origin: String,
    /// The commit it was made on, where its mails say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    /// N of `[PATCH vN …]`, where it came as mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Message id of its cover letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<String>,
    /// Patch ids (`git patch-id --stable`) of what its mails say must be applied before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<String>,
    /// `2-4 of 5`, where it is a part of a longer series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// The series that is applied, whole, before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What was left out or assumed when it was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How many of its patches were applied, a number for each point of the run.
    #[serde(default)]
    pub applied: Vec<usize>,
    /// Its patches.
    pub patches: Vec<PatchRecord>,
}

/// One patch of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchRecord {
    /// File name, or number of the mail.
    pub file: String,
    /// Subject without `[PATCH …]`.
    pub subject: String,
    /// SHA-256 of the diff.
    pub digest: String,
    /// N of `[PATCH vN …]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// `Reviewed-by: …` and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trailers: Vec<String>,
    /// Message id of the mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Trailers that others gave in their answers to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// The commit that it was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Where a tree came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeRecord {
    /// What a person would call the source.
    pub source: String,
    /// The version that was found.
    pub version: String,
    /// git's id of the tree object that was imported.
    pub tree: String,
}
