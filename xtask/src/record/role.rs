// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a cell is for.

use serde::{Deserialize, Serialize};

/// What a cell is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellRole {
    /// It is tested.
    #[default]
    Subject,
    /// Others are compared with it. Its verdict is found again where nothing that decides it has changed.
    Baseline,
    /// A kernel without a series, with the tests that the series brings: they should fail there.
    Probe,
}

impl CellRole {
    /// Whether it is the one that needs no word in the record.
    pub fn is_subject(&self) -> bool {
        *self == CellRole::Subject
    }
}
