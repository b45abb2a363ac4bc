// SPDX-License-Identifier: MIT OR Apache-2.0
//! What rounds of one plan said together: how often each result passed.

use std::fmt::Write as _;

use console::style;

use crate::record::model::Run;
use crate::record::repeat::{Rate, RepeatRecord};

/// More results than this are counted, and not named.
const RATES_SHOWN: usize = 20;

/// More rounds than this are told as a number alone.
const LETTERS_SHOWN: usize = 60;

/// The results that did not pass each time, those that changed their mind first.
pub fn section(run: &Run) -> String {
    let Some(RepeatRecord { rounds, rates }) = &run.repeat else { return String::new() };
    let (good, bad): (Vec<&Rate>, Vec<&Rate>) =
        rates.iter().partition(|rate| rate.passed == rate.of && rate.of > 0);
    let (flaky, never): (Vec<&Rate>, Vec<&Rate>) = bad.into_iter().partition(|rate| rate.is_flaky());
    let mut text = format!(
        "       rounds:             {}: {} results passed each time, {} changed their mind, {} never passed\n",
        rounds.len(),
        good.len(),
        flaky.len(),
        never.len()
    );
    let shown = flaky.iter().chain(&never).take(RATES_SHOWN);
    for rate in shown {
        let word = if rate.is_flaky() { "flaky" } else { "never" };
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
    let more = (flaky.len() + never.len()).saturating_sub(RATES_SHOWN);
    if more > 0 {
        let _ = writeln!(text, "{:>25}… {more} more in the record", "");
    }
    text
}
