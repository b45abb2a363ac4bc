// SPDX-License-Identifier: MIT OR Apache-2.0
//! The boots of a cell, and which of them may be tried again.

use serde::{Deserialize, Serialize};

use crate::record::model::{CellRecord, CheckStatus, Outcome};

/// One boot of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What came of it.
    pub outcome: Outcome,
    /// From starting QEMU to its end.
    pub ms: u64,
    /// Why it did not count and the cell was booted once more; nothing for one that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_for: Option<String>,
}

impl Attempt {
    /// A boot that counts.
    pub fn new(outcome: Outcome, ms: u64) -> Self {
        Self { outcome, ms, retried_for: None }
    }
}

/// Whose trouble it is that a cell has no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The host's: QEMU did not start or was killed, a download failed, a disk is full.
    Host,
    /// The guest finished, and its kernel log could not have shown a finding: a kernel or a test does that.
    Evidence,
}

impl CellRecord {
    /// Whether another boot hides nothing: the trouble was the host's, and up to then the guest had shown nothing
    /// that speaks against its kernel.
    pub fn may_be_tried_again(&self) -> bool {
        let is_bad = |status| matches!(status, CheckStatus::Fail | CheckStatus::Flaky);
        self.outcome == Outcome::Infra
            && self.trouble == Some(Trouble::Host)
            && self.findings.is_empty()
            && !self.checks.iter().any(|check| is_bad(check.status))
    }

    /// Why boots of this cell did not count, in their order.
    pub fn retries(&self) -> impl Iterator<Item = &str> {
        self.attempts.iter().filter_map(|attempt| attempt.retried_for.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::FindingRecord;
    use crate::record::sample::check;

    fn finding() -> FindingRecord {
        let (family, title) = ("warning".into(), "WARNING in f".into());
        FindingRecord { family, title, ..FindingRecord::default() }
    }

    #[test]
    fn only_trouble_of_the_hosts_that_hides_nothing_is_tried_again() {
        let host = || CellRecord::without_guest("a/b/c", Outcome::Infra, "r".into(), Vec::new());
        assert!(host().may_be_tried_again());
        let worse: [fn(&mut CellRecord); 5] = [
            |cell| cell.trouble = Some(Trouble::Evidence),
            |cell| cell.trouble = None,
            |cell| cell.findings.push(finding()),
            |cell| cell.checks.push(check("a", CheckStatus::Fail, "", Vec::new())),
            |cell| cell.outcome = Outcome::Crashed,
        ];
        for (at, worse) in worse.into_iter().enumerate() {
            let mut cell = host();
            worse(&mut cell);
            assert!(!cell.may_be_tried_again(), "{at}");
        }
    }
}
