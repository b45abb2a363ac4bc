// SPDX-License-Identifier: MIT OR Apache-2.0
//! What rounds of one plan said together: how often each result passed.

use std::fmt::Write as _;

use console::style;

use crate::record::model::{CheckStatus, Run};
use crate::record::repeat::{Rate, RepeatRecord};

/// More results than this are counted, and not named.
const RATES_SHOWN: usize = 20;

/// More rounds than this are told as a number alone.
const LETTERS_SHOWN: usize = 60;

/// How a result fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// It passed in each round.
    Always,
    /// It was not always the same.
    Flaky,
    /// It never passed.
    Never,
    /// The kernel has no such thing.
    Absent,
    /// It passed wherever it was asked, and that was not in each round.
    Seldom,
}

impl Sort {
    fn of(rate: &Rate, rounds: usize) -> Self {
        match rate {
            _ if rate.is_flaky() => Self::Flaky,
            _ if rate.seen.chars().all(|letter| letter == CheckStatus::Absent.letter()) => Self::Absent,
            Rate { passed, of, .. } if passed < of || *of == 0 => Self::Never,
            Rate { of, .. } if *of < rounds => Self::Seldom,
            _ => Self::Always,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Flaky => "flaky",
            Self::Never => "never",
            Self::Absent => "absent",
            Self::Seldom => "seldom",
        }
    }
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// The results that did not pass each time, those that changed their mind first.
pub fn section(run: &Run) -> String {
    let Some(RepeatRecord { rounds, rates }) = &run.repeat else { return String::new() };
    let told = |sort: Sort| rates.iter().filter(move |rate| Sort::of(rate, rounds.len()) == sort);
    let count = |sort: Sort| told(sort).count();
    let mut text = format!(
        "       rounds:             {}: {} passed in each, {} changed their mind, {} never passed",
        rounds.len(),
        counted(count(Sort::Always), "result", "results"),
        count(Sort::Flaky),
        count(Sort::Never)
    );
    for (sort, what) in [(Sort::Absent, "absent"), (Sort::Seldom, "passed and were not asked in each")] {
        if count(sort) > 0 {
            let _ = write!(text, ", {} {what}", count(sort));
        }
    }
    text.push('\n');
    let bad: Vec<&Rate> = [Sort::Flaky, Sort::Never, Sort::Seldom].into_iter().flat_map(told).collect();
    for rate in bad.iter().take(RATES_SHOWN) {
        let word = Sort::of(rate, rounds.len()).word();
        let line = format!(
            "{:>25}{} {}: passed {} of {}",
            format!("{word}  "),
            rate.cell,
            rate.name(),
            rate.passed,
            rate.of
        );
        let letters = if rate.seen.len() > LETTERS_SHOWN { "" } else { rate.seen.as_str() };
        let _ =
            writeln!(text, "{}  {letters}", if rate.is_flaky() { style(line).red() } else { style(line) });
    }
    let more = bad.len().saturating_sub(RATES_SHOWN);
    if more > 0 {
        let _ = writeln!(text, "{:>25}… {more} more in the record", "");
    }
    text
}
