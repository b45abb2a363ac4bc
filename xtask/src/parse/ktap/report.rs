// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a KTAP transcript says: the results, and everything that is wrong with it.

use std::fmt;

/// The plan of the outermost level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// No plan line was seen: nobody knows how many results there should be.
    Missing,
    /// `1..N`: this many results are to come.
    Count(u32),
    /// `1..0 # SKIP reason`: the program ran nothing. The reason may be empty.
    SkipAll(String),
}

/// How one test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// `ok` without a directive.
    Pass,
    /// `not ok` without a directive.
    Fail,
    /// `# SKIP`, behind `ok` or, in kselftest runners before 5.8, behind `not ok`.
    Skip,
    /// `# TODO`: known to be unfinished, whatever the result.
    Todo,
    /// `# XFAIL`: failed as expected.
    Xfail,
    /// `# XPASS`: passed although a failure was expected.
    Xpass,
    /// `# TIMEOUT`: the kselftest runner stopped it.
    Timeout,
    /// `# ERROR`: the test could not do its work.
    Error,
}

impl Status {
    /// Whether a parent over this result cannot be `ok`. A skip is not a failure here (and not a pass).
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Self::Fail | Self::Xpass | Self::Timeout | Self::Error => true,
            Self::Pass | Self::Skip | Self::Todo | Self::Xfail => false,
        }
    }
}

/// One result line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// Names of the enclosing tests, outermost first; empty at the outermost level.
    pub path: Vec<String>,
    /// The number of the result within its level, from 1.
    pub ordinal: u32,
    /// The name, without control characters; empty if neither the result nor a `RUN` line had one.
    pub name: String,
    /// How the test ended.
    pub status: Status,
    /// The text behind the directive, or behind a plain `#` (`exit=1`).
    pub reason: Option<String>,
    /// For failures: the last lines that were written before the result.
    pub diagnostics: Vec<String>,
}

/// Something that makes a transcript untrustworthy. Ordinals count from 1; `subtest` is `None` for
/// the outermost level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KtapError {
    /// Fewer results than planned: the program stopped early.
    PlanNotFilled {
        /// The level.
        subtest: Option<String>,
        /// Results planned.
        planned: u32,
        /// The first missing ordinals.
        missing: Vec<u32>,
        /// How many are missing altogether.
        missing_count: u32,
    },
    /// A subtest has results or a header and no plan.
    SubtestWithoutPlan {
        /// Its name, or an empty text.
        subtest: String,
    },
    /// A subtest began and the line with its own result never came.
    SubtestWithoutResult {
        /// Its name as announced, or an empty text.
        subtest: String,
    },
    /// A result whose ordinal is above the plan.
    PastPlan {
        /// The ordinal.
        ordinal: u32,
        /// The plan.
        planned: u32,
        /// The name of the result.
        name: String,
    },
    /// Results before and after a plan line; it must be first or last.
    PlanInTheMiddle {
        /// The first ordinal after the plan.
        ordinal: u32,
    },
    /// Two results of one level have the same ordinal.
    DuplicateOrdinal {
        /// The ordinal.
        ordinal: u32,
        /// The name of the second.
        name: String,
    },
    /// Two results of one level have the same name.
    DuplicateName {
        /// The ordinal of the second.
        ordinal: u32,
        /// The name.
        name: String,
    },
    /// An ordinal below one that was seen before.
    OutOfOrder {
        /// The ordinal.
        ordinal: u32,
        /// The highest ordinal before it.
        highest: u32,
    },
    /// A second plan line in one level.
    SecondPlan {
        /// The line.
        line: String,
    },
    /// A plan line whose number is out of range.
    MalformedPlan {
        /// The line.
        line: String,
    },
    /// `ok` or `not ok` with no number, or with one that is zero or out of range.
    ResultWithoutNumber {
        /// The line.
        line: String,
    },
    /// A parent says `ok` and a result below it failed.
    ParentContradictsChild {
        /// The parent's ordinal.
        ordinal: u32,
        /// The parent's name.
        name: String,
    },
    /// More results than the limit; the rest was dropped.
    TooManyResults {
        /// The limit.
        results_max: usize,
    },
    /// Levels nested deeper than the limit.
    TooDeep {
        /// The line.
        line: String,
    },
    /// A plan or a result longer than the limit, cut there.
    LineTooLong {
        /// The limit in bytes.
        line_bytes_max: usize,
    },
    /// A plan or a result without a newline, at the end of the input: it may be cut.
    UnfinishedLine {
        /// The line.
        line: String,
    },
}

impl fmt::Display for KtapError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlanNotFilled { subtest, planned, missing, missing_count } => {
                write_missing(out, subtest.as_deref(), *planned, missing, *missing_count)
            }
            Self::SubtestWithoutPlan { subtest } => {
                write!(out, "subtest `{subtest}` has no plan")
            }
            Self::SubtestWithoutResult { subtest } => {
                write!(out, "subtest `{subtest}` began and has no result")
            }
            Self::PastPlan { ordinal, planned, name } => {
                write!(out, "result {ordinal} `{name}` is past the plan of {planned}")
            }
            Self::PlanInTheMiddle { ordinal } => {
                write!(out, "the plan stands between results (result {ordinal} follows it)")
            }
            Self::DuplicateOrdinal { ordinal, name } => {
                write!(out, "result {ordinal} came twice (second: `{name}`)")
            }
            Self::DuplicateName { ordinal, name } => {
                write!(out, "the name `{name}` came twice (second: result {ordinal})")
            }
            Self::OutOfOrder { ordinal, highest } => {
                write!(out, "result {ordinal} came after result {highest}")
            }
            Self::SecondPlan { line } => write!(out, "a second plan: `{line}`"),
            Self::MalformedPlan { line } => write!(out, "not a usable plan: `{line}`"),
            Self::ResultWithoutNumber { line } => {
                write!(out, "a result without a usable number: `{line}`")
            }
            Self::ParentContradictsChild { ordinal, name } => {
                write!(out, "result {ordinal} `{name}` says ok, but a result below it failed")
            }
            Self::TooManyResults { results_max } => {
                write!(out, "more than {results_max} results; the rest was dropped")
            }
            Self::TooDeep { line } => write!(out, "nested too deeply: `{line}`"),
            Self::LineTooLong { line_bytes_max } => {
                write!(out, "a result or plan longer than {line_bytes_max} bytes")
            }
            Self::UnfinishedLine { line } => {
                write!(out, "the output ends in the middle of a line: `{line}`")
            }
        }
    }
}

impl std::error::Error for KtapError {}

fn write_missing(
    out: &mut fmt::Formatter<'_>,
    subtest: Option<&str>,
    planned: u32,
    missing: &[u32],
    missing_count: u32,
) -> fmt::Result {
    let numbers: Vec<String> = missing.iter().map(u32::to_string).collect();
    let more = if (missing.len() as u64) < u64::from(missing_count) { ", …" } else { "" };
    if let Some(subtest) = subtest {
        write!(out, "subtest `{subtest}`: ")?;
    }
    write!(out, "{missing_count} of {planned} planned results are missing ({}{more})", numbers.join(", "))
}

/// Everything a transcript said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KtapReport {
    /// The plan of the outermost level.
    pub plan: Plan,
    /// All results, of all levels, in the order in which they were written.
    pub results: Vec<TestResult>,
    /// What is wrong with the transcript, in the order in which it was noticed.
    pub errors: Vec<KtapError>,
    /// Errors beyond the limit, only counted.
    pub errors_dropped: u64,
    /// The text behind the first `Bail out!`.
    pub bail_out: Option<String>,
    /// The test that a `RUN` line announced last, if no result followed it.
    pub unfinished: Option<String>,
    /// Lines read.
    pub lines: u64,
    /// Lines cut at the limit, of any kind.
    pub lines_cut: u64,
    /// Bytes read.
    pub bytes: u64,
}

impl KtapReport {
    /// Results of the outermost level.
    pub fn outermost(&self) -> impl Iterator<Item = &TestResult> {
        self.results.iter().filter(|result| result.path.is_empty())
    }

    /// Whether the plan is there and filled exactly, nobody bailed out, and nothing is wrong with the
    /// transcript. It says nothing about passing: a complete transcript may hold failures and skips.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let planned = match self.plan {
            Plan::Missing => return false,
            Plan::Count(count) => u64::from(count),
            Plan::SkipAll(_) => 0,
        };
        self.errors.is_empty()
            && self.errors_dropped == 0
            && self.bail_out.is_none()
            && self.outermost().count() as u64 == planned
    }
}
