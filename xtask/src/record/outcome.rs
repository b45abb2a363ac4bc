// SPDX-License-Identifier: MIT OR Apache-2.0
//! Outcomes of cells, and the exit codes that they call for.

use serde::{Deserialize, Serialize};

use crate::fault;

/// The reason of a cell that nobody has begun.
pub const NEVER_BEGUN: &str = "it had no verdict when the run ended";

/// The reason of a cell, or of a check in it, that the user has cut off.
pub const INTERRUPTED: &str = "interrupted";

/// The verdict on a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything that was planned ran and is as expected.
    Pass,
    /// A check failed, was skipped or absent, or the kernel log has a finding.
    Fail,
    /// The series did not apply.
    ApplyFailed,
    /// The kernel or a program of the tree did not build, or the config lacks a symbol.
    BuildFailed,
    /// Init never spoke.
    BootFailed,
    /// The guest ended without its end record.
    Crashed,
    /// The guest was killed at its deadline.
    TimedOut,
    /// The lab's surroundings failed.
    Infra,
    /// It was interrupted, or never came to its turn.
    Cancelled,
}

impl Outcome {
    /// The word for it, as in `run.json`.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::ApplyFailed => "apply-failed",
            Outcome::BuildFailed => "build-failed",
            Outcome::BootFailed => "boot-failed",
            Outcome::Crashed => "crashed",
            Outcome::TimedOut => "timed-out",
            Outcome::Infra => "infra",
            Outcome::Cancelled => "cancelled",
        }
    }

    /// The exit code that it calls for.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Pass => fault::EXIT_OK,
            Outcome::Fail => fault::EXIT_CHECK,
            Outcome::ApplyFailed => fault::EXIT_APPLY,
            Outcome::BuildFailed => fault::EXIT_BUILD,
            Outcome::BootFailed | Outcome::Crashed | Outcome::TimedOut => fault::EXIT_BOOT,
            Outcome::Infra => fault::EXIT_INFRA,
            Outcome::Cancelled => fault::EXIT_INTERRUPTED,
        }
    }
}

/// The worst exit code wins: the lab's own trouble, then the earlier stage.
pub fn worst_exit_code(outcomes: impl IntoIterator<Item = Outcome>) -> u8 {
    outcomes
        .into_iter()
        .min_by_key(|outcome| worst_first(*outcome))
        .map_or(fault::EXIT_OK, Outcome::exit_code)
}

/// Where an outcome stands in an order from the worst to the best.
pub fn worst_first(outcome: Outcome) -> usize {
    // An interrupted run is an error of its own; what `--fail-fast` left out decides nothing.
    const ORDER: [u8; 7] = [
        fault::EXIT_INFRA,
        fault::EXIT_APPLY,
        fault::EXIT_BUILD,
        fault::EXIT_BOOT,
        fault::EXIT_CHECK,
        fault::EXIT_INTERRUPTED,
        fault::EXIT_OK,
    ];
    let code = outcome.exit_code();
    ORDER.iter().position(|other| *other == code).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_decides_the_exit_code() {
        use Outcome::{ApplyFailed, BootFailed, BuildFailed, Fail, Infra, Pass};
        assert_eq!(worst_exit_code([]), 0);
        assert_eq!(worst_exit_code([Pass, Pass]), 0);
        assert_eq!(worst_exit_code([Pass, Fail]), 100);
        assert_eq!(worst_exit_code([BootFailed, Fail]), 104);
        assert_eq!(worst_exit_code([BootFailed, BuildFailed]), 103);
        assert_eq!(worst_exit_code([BuildFailed, ApplyFailed]), 102);
        assert_eq!(worst_exit_code([ApplyFailed, Infra]), 105);
        assert_eq!(worst_exit_code([Fail, Outcome::Cancelled]), 100);
        assert_eq!(worst_exit_code([Pass, Outcome::Cancelled]), 130);
    }
}
