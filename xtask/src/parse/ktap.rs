// SPDX-License-Identifier: MIT OR Apache-2.0
//! A streaming parser of KTAP, the kernel's dialect of the Test Anything Protocol.
//!
//! It reads what kselftest programs, kselftest's runner and `KUnit` write, also when console lines
//! stand between. It never decides whether a check passed: it reports results and everything that
//! makes the transcript untrustworthy (`judge` does the rest). A line that it does not understand
//! is noise, which is safe because a lost result leaves the plan unfilled.
//!
//! `line` says what one line is, `level` knows one level, `state` puts lines together, `report` is what comes out.

mod level;
mod line;
mod report;
mod state;
#[cfg(test)]
mod tests;

pub use report::{KtapError, KtapReport, Plan, Status, TestResult};

use super::lines::LineSplitter;
use state::State;

/// What to do with two results of one level that have the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepeatedNames {
    /// They make the transcript untrustworthy: a test is perhaps counted for another.
    Error,
    /// The ordinal tells them apart.
    Allowed,
}

/// Bounds on what a transcript may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KtapLimits {
    /// Bytes of a line; the rest of it is dropped.
    pub line_bytes_max: usize,
    /// Results of all levels together; the rest is dropped.
    pub results_max: usize,
    /// Errors kept; the rest is counted.
    pub errors_max: usize,
    /// Lines kept in front of a failing result.
    pub diagnostic_lines_max: usize,
    /// Bytes of all diagnostics together; later ones are dropped.
    pub diagnostic_bytes_max: usize,
    /// Whether names may repeat.
    pub repeated_names: RepeatedNames,
}

impl Default for KtapLimits {
    fn default() -> Self {
        Self {
            line_bytes_max: 4096,
            results_max: 20_000,
            errors_max: 100,
            diagnostic_lines_max: 20,
            diagnostic_bytes_max: 4 << 20,
            repeated_names: RepeatedNames::Error,
        }
    }
}

/// Reads a transcript in pieces of any size.
#[derive(Debug)]
pub struct KtapParser {
    lines: LineSplitter,
    state: State,
}

impl KtapParser {
    /// A parser that has read nothing yet.
    #[must_use]
    pub fn new(limits: KtapLimits) -> Self {
        Self { lines: LineSplitter::new(limits.line_bytes_max), state: State::new(limits) }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.state.count_bytes(bytes.len());
        self.lines.push(bytes, |line| self.state.line(line));
    }

    /// Ends the input, closes what is still open and returns what was said.
    #[must_use]
    pub fn finish(self) -> KtapReport {
        let Self { lines, mut state } = self;
        lines.finish(|line| state.line(line));
        state.close()
    }
}
