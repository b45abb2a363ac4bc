// SPDX-License-Identifier: MIT OR Apache-2.0
//! What became of a status: the words, and the table of all pairs. Pure.

use serde::Serialize;

use crate::record::model::CheckStatus;

/// What became of a result between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It fails, and did not: it passed, was skipped or did not run.
    NewlyFailing,
    /// It had a result, and has none: it is not there, its plan shrank, or it is skipped or does not run.
    Vanished,
    /// It changes its mind, and did not.
    NewlyFlaky,
    /// It is there, and was not, or was absent or skipped: what it brings is in its status.
    New,
    /// It passes, and failed or did not run.
    Fixed,
    /// It fails or does not run in both.
    StillFailing,
    /// One of the two says that it changes its mind, and the newer is no worse for it.
    Unsettled,
    /// Nothing.
    Same,
}

impl Change {
    /// All of them but [`Change::Same`], in the order in which they are told.
    pub const TOLD: [Change; 7] = [
        Change::NewlyFailing,
        Change::Vanished,
        Change::NewlyFlaky,
        Change::New,
        Change::Fixed,
        Change::StillFailing,
        Change::Unsettled,
    ];

    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Change::NewlyFailing => "newly failing",
            Change::Vanished => "vanished",
            Change::NewlyFlaky => "newly flaky",
            Change::New => "new",
            Change::Fixed => "fixed",
            Change::StillFailing => "still failing",
            Change::Unsettled => "unsettled",
            Change::Same => "same",
        }
    }
}

/// What became of a status. Nothing stands for a result that is not there.
pub fn change(older: Option<CheckStatus>, newer: Option<CheckStatus>) -> Change {
    use CheckStatus::{Absent, Fail, Flaky, NotRun, Pass, Skip};
    match (older, newer) {
        (None | Some(Absent), None | Some(Absent)) => Change::Same,
        (None | Some(Absent), Some(_)) => Change::New,
        (Some(_), None) => Change::Vanished,
        (Some(Pass), Some(Pass)) => Change::Same,
        (Some(Pass | Flaky | Fail), Some(Skip | NotRun | Absent)) => Change::Vanished,
        (Some(Pass | Skip | NotRun), Some(Fail)) => Change::NewlyFailing,
        (Some(Pass | Skip | NotRun), Some(Flaky)) => Change::NewlyFlaky,
        (Some(Fail), Some(Fail)) | (Some(NotRun), Some(NotRun)) => Change::StillFailing,
        (Some(Fail | NotRun), Some(Pass)) => Change::Fixed,
        // Neither a pass nor a failure: nothing is proved by it.
        (Some(Fail), Some(Flaky)) | (Some(Flaky), Some(Pass | Fail | Flaky)) => Change::Unsettled,
        (Some(Skip), Some(Pass)) => Change::New,
        (Some(Skip), Some(NotRun)) => Change::Vanished,
        (Some(Skip | NotRun), Some(Skip | Absent)) => Change::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckStatus::{Absent, Fail, Flaky, NotRun, Pass, Skip};

    #[test]
    fn every_pair_of_statuses_has_its_change() {
        use Change::{Fixed, New, NewlyFailing, NewlyFlaky, Same, StillFailing, Unsettled, Vanished};
        let columns = [Some(Pass), Some(Fail), Some(Skip), Some(NotRun), Some(Absent), Some(Flaky), None];
        #[rustfmt::skip]
        let table = [
            (Some(Pass),   [Same,  NewlyFailing, Vanished, Vanished,     Vanished, NewlyFlaky, Vanished]),
            (Some(Fail),   [Fixed, StillFailing, Vanished, Vanished,     Vanished, Unsettled,  Vanished]),
            (Some(Skip),   [New,   NewlyFailing, Same,     Vanished,     Same,     NewlyFlaky, Vanished]),
            (Some(NotRun), [Fixed, NewlyFailing, Same,     StillFailing, Same,     NewlyFlaky, Vanished]),
            (Some(Absent), [New,   New,          New,      New,          Same,     New,        Same]),
            (Some(Flaky),  [Unsettled, Unsettled, Vanished, Vanished,    Vanished, Unsettled,  Vanished]),
            (None,         [New,   New,          New,      New,          Same,     New,        Same]),
        ];
        for (older, row) in table {
            for (newer, expected) in columns.into_iter().zip(row) {
                assert_eq!(change(older, newer), expected, "{older:?} to {newer:?}");
            }
        }
    }
}
