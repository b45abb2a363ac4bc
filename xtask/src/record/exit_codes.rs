// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exit codes for `git bisect run`: good, bad, cannot tell, stop. Pure.

use crate::fault;
use crate::record::model::{CellRecord, CheckStatus, Outcome};

/// The commit is good.
pub const GOOD: u8 = 0;
/// It is bad.
pub const BAD: u8 = 1;
/// It cannot be told: git takes another.
pub const CANNOT_TELL: u8 = 125;
/// The lab cannot go on: git stops, and blames nothing.
pub const STOP: u8 = 128;

/// Whose exit codes a run ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ExitCodes {
    /// The lab's own.
    #[default]
    Lab,
    /// Those of `git bisect run`: 0 good, 1 bad, 125 cannot tell, 128 and above stop.
    Bisect,
}

/// What makes a commit bad. What fails before it comes to that cannot be told; what fails after it is good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum BadIf {
    /// It does not build.
    Build,
    /// It does not boot, crashes or hangs.
    Boot,
    /// A check fails, or the kernel crashes or hangs in one.
    #[default]
    Check,
}

impl ExitCodes {
    /// Whose codes a command line wants, before it is known to be a good one: a flag with a slip in it
    /// must not make a commit bad.
    pub fn wanted(words: impl IntoIterator<Item = String>) -> Self {
        let words: Vec<String> = words.into_iter().collect();
        let is_flag = |pair: &[String]| pair[0] == "--exit-codes" && pair[1] == "bisect";
        match words.iter().any(|word| word == "--exit-codes=bisect") || words.windows(2).any(is_flag) {
            true => Self::Bisect,
            false => Self::Lab,
        }
    }

    /// The code for an error, of which `code` is the lab's own.
    pub fn of_error(self, code: u8) -> u8 {
        match (self, code) {
            (Self::Lab, _) | (Self::Bisect, fault::EXIT_OK | fault::EXIT_INTERRUPTED) => code,
            (Self::Bisect, _) => STOP,
        }
    }
}

/// What a cell that does not pass rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Something that was seen.
    Seen,
    /// What was asked for is absent or skipped, and nothing else is wrong: no commit is bad for that.
    NothingRan,
}

/// What a cell's outcome rests on.
pub fn ground(cell: &CellRecord) -> Ground {
    let nothing_ran = cell.shows_nothing_but(&[CheckStatus::Absent, CheckStatus::Skip]);
    if cell.outcome == Outcome::Fail && nothing_ran { Ground::NothingRan } else { Ground::Seen }
}

/// The code for a run's outcomes. The lab's own trouble stops git; else a bad cell makes the commit bad,
/// whatever could not be told of others.
pub fn bisect_code(outcomes: impl IntoIterator<Item = (Outcome, Ground)>, bad_if: BadIf) -> u8 {
    const WORST_FIRST: [u8; 5] = [fault::EXIT_INTERRUPTED, STOP, BAD, CANNOT_TELL, GOOD];
    let code = |(outcome, ground): (Outcome, Ground)| match (ground, bad_if) {
        (Ground::NothingRan, BadIf::Check) if outcome == Outcome::Fail => CANNOT_TELL,
        _ => code(outcome, bad_if),
    };
    let codes: Vec<u8> = outcomes.into_iter().map(code).collect();
    WORST_FIRST.into_iter().find(|worst| codes.contains(worst)).unwrap_or(CANNOT_TELL)
}

fn code(outcome: Outcome, bad_if: BadIf) -> u8 {
    use BadIf::{Boot, Build, Check};
    match (outcome, bad_if) {
        (Outcome::Cancelled, _) => fault::EXIT_INTERRUPTED,
        (Outcome::Infra, _) => STOP,
        (Outcome::ApplyFailed, _) | (Outcome::BuildFailed, Boot | Check) | (Outcome::BootFailed, Check) => {
            CANNOT_TELL
        }
        (Outcome::BuildFailed, Build)
        | (Outcome::BootFailed, Boot)
        | (Outcome::Crashed | Outcome::TimedOut, Boot | Check)
        | (Outcome::Fail, Check) => BAD,
        (Outcome::Pass, _)
        | (Outcome::BootFailed | Outcome::Crashed | Outcome::TimedOut, Build)
        | (Outcome::Fail, Build | Boot) => GOOD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    #[test]
    fn every_outcome_has_a_code_for_each_way_to_be_bad() {
        use BadIf::{Boot, Build, Check};
        let table = [
            (Outcome::Pass, [0, 0, 0]),
            (Outcome::Fail, [0, 0, 1]),
            (Outcome::ApplyFailed, [125, 125, 125]),
            (Outcome::BuildFailed, [1, 125, 125]),
            (Outcome::BootFailed, [0, 1, 125]),
            (Outcome::Crashed, [0, 1, 1]),
            (Outcome::TimedOut, [0, 1, 1]),
            (Outcome::Infra, [128, 128, 128]),
            (Outcome::Cancelled, [130, 130, 130]),
        ];
        for (outcome, codes) in table {
            assert_eq!(
                [Build, Boot, Check].map(|bad_if| bisect_code([(outcome, Ground::Seen)], bad_if)),
                codes,
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn what_is_absent_or_skipped_makes_no_commit_bad() {
        use CheckStatus::{Absent, Fail, Pass, Skip};
        let with = |statuses: &[CheckStatus]| {
            let checks = statuses.iter().map(|status| sample::check("c", *status, "", Vec::new())).collect();
            sample::cell("t/s@1/f", Outcome::Fail, "", checks)
        };
        let of = |statuses: &[CheckStatus]| {
            let cell = with(statuses);
            bisect_code([(cell.outcome, ground(&cell))], BadIf::Check)
        };
        assert_eq!(of(&[Pass, Absent]), CANNOT_TELL);
        assert_eq!(of(&[Skip]), CANNOT_TELL);
        assert_eq!(of(&[Absent, Fail]), BAD);
        // The kernel log can make it fail beside checks that pass.
        let found = CellRecord { findings: sample::failed().findings, ..with(&[Pass]) };
        assert!(!found.findings.is_empty());
        assert_eq!(ground(&found), Ground::Seen);
    }

    #[test]
    fn of_several_cells_the_one_that_git_must_hear_of_counts() {
        use Outcome::{BuildFailed, Cancelled, Fail, Infra, Pass};
        let of = |outcomes: &[Outcome]| {
            bisect_code(outcomes.iter().map(|outcome| (*outcome, Ground::Seen)), BadIf::Check)
        };
        assert_eq!(of(&[Pass, Fail, BuildFailed]), BAD);
        assert_eq!(of(&[Pass, BuildFailed]), CANNOT_TELL);
        assert_eq!(of(&[Fail, Infra]), STOP);
        assert_eq!(of(&[Fail, Cancelled]), fault::EXIT_INTERRUPTED);
        // Nothing ran: nothing is known.
        assert_eq!(of(&[]), CANNOT_TELL);
    }

    #[test]
    fn no_error_is_taken_for_a_bad_commit() {
        for code in 1..=u8::MAX {
            assert!(ExitCodes::Bisect.of_error(code) >= STOP, "{code}");
            assert_eq!(ExitCodes::Lab.of_error(code), code);
        }
        let words = |text: &str| ExitCodes::wanted(text.split(' ').map(str::to_owned));
        assert_eq!(words("xtask test --exit-codes bisect --nosuch"), ExitCodes::Bisect);
        assert_eq!(words("xtask test --exit-codes=bisect"), ExitCodes::Bisect);
        assert_eq!(words("xtask bisect"), ExitCodes::Lab);
    }
}
