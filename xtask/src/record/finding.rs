// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a kernel log said, in `run.json`.

use serde::{Deserialize, Serialize};

/// Something that the kernel log says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRecord {
    /// What sort it is: `oops`, `warning`, …
    pub family: String,
    /// Stable title: no addresses, numbers or offsets.
    pub title: String,
    /// The check during which it came up; empty for none.
    pub check: String,
    /// Where it was seen.
    #[serde(default, skip_serializing_if = "Seen::is_log")]
    pub seen: Seen,
    /// First to last line of the report.
    pub excerpt: Vec<String>,
}

/// Where a finding was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// In the kernel's log, which tells its own messages from those of programs.
    #[default]
    Log,
    /// On the console alone: the log did not come so far. A program can write there, too.
    Console,
}

impl Seen {
    /// Whether it is in the log.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub fn is_log(&self) -> bool {
        *self == Seen::Log
    }
}

/// Something that the kernel log says, and that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExcusedRecord {
    /// Its stable title.
    pub title: String,
    /// The pattern of the entry that excuses it.
    pub pattern: String,
    /// Why, as the entry says.
    pub reason: String,
}
