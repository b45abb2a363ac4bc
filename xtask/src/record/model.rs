// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model of `run.json`. Times are UTC, spans are milliseconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::shard::Shard;
pub use crate::record::attempt::{Attempt, Trouble};
use crate::record::bench::BenchRecord;
use crate::record::bisect::BisectRecord;
pub use crate::record::finding::{ExcusedRecord, FindingRecord, Seen};
use crate::record::merge::ShardRecord;
use crate::record::mutant::MutantRecord;
pub use crate::record::origin::{PatchRecord, SeriesRecord, TreeRecord};
pub use crate::record::outcome::{INTERRUPTED, NEVER_BEGUN, Outcome, worst_exit_code, worst_first};
use crate::record::repeat::RepeatRecord;
pub use crate::record::role::CellRole;

/// Schema of the record; a reader refuses a newer one.
pub const SCHEMA: u32 = 1;

/// One run of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `YYYYMMDDThhmmssZ-`, and four hex digits.
    pub id: String,
    /// How far it has come.
    pub state: RunState,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// The command line.
    pub command: Vec<String>,
    /// The machine it ran on.
    pub host: Host,
    /// Seed of everything random.
    pub seed: u64,
    /// Where the series came from, by name.
    pub series: BTreeMap<String, SeriesRecord>,
    /// Where the trees came from, by name.
    pub trees: BTreeMap<String, TreeRecord>,
    /// One entry a planned cell.
    pub cells: Vec<CellRecord>,
    /// One entry a planted fault, in a run of `mutants`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mutants: Vec<MutantRecord>,
    /// The trees without a series, and with its tests: what those tests say there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<CellRecord>,
    /// What a search for a patch came to, in a run of `bisect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bisect: Option<BisectRecord>,
    /// What figures are to each other, in a run of `bench`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bench: Option<BenchRecord>,
    /// Time per stage.
    #[serde(default)]
    pub timings_ms: BTreeMap<String, u64>,
    /// Which part of a selection it is, where that was dealt out to several runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The runs that this record was merged from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardRecord>,
    /// The rounds that this record sums up, where a plan was carried out several times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<RepeatRecord>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It has begun; if the lab is gone, it was killed.
    Running,
    /// All cells have an outcome of their own.
    Complete,
    /// It was interrupted.
    Cancelled,
    /// The lab failed.
    Failed,
}

impl RunState {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            RunState::Running => "the run did not end",
            RunState::Complete => "complete",
            RunState::Cancelled => "interrupted",
            RunState::Failed => "the lab failed",
        }
    }
}

/// The machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `uname -sr`.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// Usable CPUs.
    pub cpus: usize,
    /// First line of `qemu-system-x86_64 --version`.
    pub qemu: String,
    /// Version of the lab.
    pub lab: String,
}

/// A cell and its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellRecord {
    /// `5.10/seccomp-cache@5/compat`.
    pub id: String,
    /// The verdict.
    pub outcome: Outcome,
    /// Why, in one line; empty for a pass.
    pub reason: String,
    /// Whose trouble it is, where the outcome is `infra`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// Names of stored things.
    #[serde(default)]
    pub keys: Keys,
    /// What ran the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accel: Option<AccelRecord>,
    /// The compiler that built the kernel.
    #[serde(default)]
    pub toolchain: String,
    /// One entry a boot.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The checks.
    #[serde(default)]
    pub checks: Vec<CheckRecord>,
    /// What the kernel log said.
    #[serde(default)]
    pub findings: Vec<FindingRecord>,
    /// How many more it said than are kept.
    #[serde(default, skip_serializing_if = "is_none")]
    pub findings_dropped: u64,
    /// What it said that an entry of `splats.toml` excuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excused: Vec<ExcusedRecord>,
    /// Time per stage.
    #[serde(default)]
    pub timings_ms: BTreeMap<String, u64>,
    /// Files of this cell, relative to the run's folder, by what they are.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The lines that show why, for anything but a pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excerpt: Vec<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "CellRole::is_subject")]
    pub role: CellRole,
    /// The cell whose guest showed this: an inert point has no boot of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// The run that came to this verdict, by its id: it was found again by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_in: Option<String>,
}

/// The name of a sub-result that passes and has something to tell all the same.
pub const REMARKS: &str = "remarks";

/// The word for a cell that passes by what another cell's guest showed.
pub const INERT: &str = "inert";

impl CellRecord {
    /// A cell that never got to a guest.
    pub fn without_guest(id: &str, outcome: Outcome, reason: String, excerpt: Vec<String>) -> Self {
        Self {
            id: id.to_owned(),
            outcome,
            reason,
            trouble: (outcome == Outcome::Infra).then_some(Trouble::Host),
            keys: Keys::default(),
            accel: None,
            toolchain: String::new(),
            attempts: Vec::new(),
            checks: Vec::new(),
            findings: Vec::new(),
            findings_dropped: 0,
            excused: Vec::new(),
            timings_ms: BTreeMap::new(),
            files: BTreeMap::new(),
            excerpt,
            role: CellRole::Subject,
            same_as: None,
            found_in: None,
        }
    }

    /// A cell that nobody has begun.
    pub fn never_begun(id: &str) -> Self {
        Self::without_guest(id, Outcome::Cancelled, NEVER_BEGUN.into(), Vec::new())
    }

    /// Whether all of its checks pass but for these statuses, and its kernel log has no finding: if it fails, then
    /// for want of something to look at.
    pub fn shows_nothing_but(&self, statuses: &[CheckStatus]) -> bool {
        let is_silent =
            |check: &CheckRecord| check.status == CheckStatus::Pass || statuses.contains(&check.status);
        self.findings.is_empty() && self.checks.iter().all(is_silent)
    }

    /// The word for its outcome: a verdict that another's guest showed is not called a pass.
    pub fn word(&self) -> &'static str {
        match (self.outcome, &self.same_as) {
            (Outcome::Pass, Some(_)) => INERT,
            (outcome, _) => outcome.word(),
        }
    }
}

/// Names of stored things that decided a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Of the request for a kernel.
    pub request: String,
    /// Of the kernel.
    pub kernel: String,
    /// Of what the kernel executes, without line numbers: equal code behaves alike. Empty where nobody
    /// looked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// Of the image.
    pub image: String,
    /// Of the boot: kernel, image, machine, and checks.
    pub boot: String,
}

/// What ran a guest, and why that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccelRecord {
    /// `kvm` or `tcg`.
    pub kind: String,
    /// Why.
    pub reason: String,
}

/// A check and its sub-results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// `CHECK` or `CHECK.SUB`.
    pub name: String,
    /// Of the check as a whole.
    pub status: CheckStatus,
    /// Why, where it does not pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How many sub-results were planned; absent where no plan came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<u32>,
    /// Time in the guest.
    pub ms: u64,
    /// What was counted, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, u64>,
    /// Which boot of the cell this is from, if not the first: the first crashed before the check began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<u32>,
    /// Processes that it left behind, and that init killed.
    #[serde(default, skip_serializing_if = "is_none")]
    pub leftover: u64,
    /// The sub-results.
    pub subs: Vec<SubRecord>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl CheckRecord {
    /// How many sub-results have a status.
    pub fn count(&self, status: CheckStatus) -> usize {
        self.subs.iter().filter(|sub| sub.status == status).count()
    }
}

/// One sub-result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubRecord {
    /// Names of the enclosing tests and of this one.
    pub path: Vec<String>,
    /// Its number in its plan.
    pub ordinal: u32,
    /// Its status.
    pub status: CheckStatus,
    /// Why, where it does not pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl SubRecord {
    /// The path as one name.
    pub fn name(&self) -> String {
        self.path.join(".")
    }
}

/// The status of a check or a sub-result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckStatus {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// It was skipped.
    Skip,
    /// The kernel lacks what it requires.
    Absent,
    /// It changed its mind.
    Flaky,
    /// It was planned and has no result.
    NotRun,
}

impl CheckStatus {
    /// The word for it, as in `run.json`.
    pub fn word(self) -> &'static str {
        match self {
            CheckStatus::Pass => "pass",
            CheckStatus::Fail => "fail",
            CheckStatus::Skip => "skip",
            CheckStatus::Absent => "absent",
            CheckStatus::Flaky => "flaky",
            CheckStatus::NotRun => "not-run",
        }
    }

    /// The letter for it, where many stand side by side.
    pub fn letter(self) -> char {
        match self {
            CheckStatus::Pass => 'P',
            CheckStatus::Fail => 'F',
            CheckStatus::Skip => 'S',
            CheckStatus::Absent => 'A',
            CheckStatus::Flaky => '~',
            CheckStatus::NotRun => 'N',
        }
    }

    /// The status of a letter.
    pub fn of_letter(letter: char) -> Option<Self> {
        use CheckStatus::{Absent, Fail, Flaky, NotRun, Pass, Skip};
        [Pass, Fail, Skip, Absent, Flaky, NotRun].into_iter().find(|status| status.letter() == letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_file() {
        for outcome in [Outcome::Pass, Outcome::ApplyFailed, Outcome::TimedOut] {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("\"{}\"", outcome.word()));
        }
        let status = CheckStatus::NotRun;
        assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{}\"", status.word()));
    }
}
