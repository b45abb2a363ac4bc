// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `fuzz` ends with: how many chains each cell got, how many differ, how fast.

use std::collections::BTreeMap;
use std::time::Duration;

use console::{Style, style};
use seccomp_oracle::agree::Agreement;

use crate::record::model::Run;
use crate::run::oracle::UNSAFE_CHAINS;
use crate::tell::table::{Align, lay_out};
use crate::tell::terminal::status_line;

/// Counts over all rounds, by cell.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    cells: BTreeMap<String, Counts>,
    agreements: Vec<(String, String, Agreement)>,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    figures: BTreeMap<String, u64>,
    ms: u64,
}

impl Tally {
    /// Adds a round.
    pub fn add(&mut self, run: &Run) {
        for cell in &run.cells {
            let counts = self.cells.entry(cell.id.clone()).or_default();
            for check in &cell.checks {
                counts.ms += check.ms;
                for (name, count) in &check.figures {
                    *counts.figures.entry(name.clone()).or_default() += count;
                }
            }
        }
    }

    /// Adds what pairs of kernels said of the same chains.
    pub fn agree(&mut self, pairs: impl Iterator<Item = (String, String, Agreement)>) {
        for (first, second, agreement) in pairs {
            let of_pair = |one: &&mut (String, String, Agreement)| one.0 == first && one.1 == second;
            match self.agreements.iter_mut().find(of_pair) {
                Some((_, _, sum)) => sum.add(agreement),
                None => self.agreements.push((first, second, agreement)),
            }
        }
    }

    fn sum(&self, name: &str) -> u64 {
        self.cells.values().map(|counts| counts.get(name)).sum()
    }
}

impl Counts {
    fn get(&self, name: &str) -> u64 {
        self.figures.get(name).copied().unwrap_or(0)
    }

    /// Chains that were answered as the model says.
    fn right(&self) -> u64 {
        self.get("dumped") + self.get("refused")
    }
}

/// The table and one line for all cells. A seed is told where chains were made by chance.
pub fn told(tally: &Tally, seed: Option<u64>, took: Duration) -> String {
    let head = [
        "cell",
        "chains",
        "as the model",
        "refused",
        "different",
        "unsafe",
        "unanswered",
        "mixed",
        "chains/s",
    ];
    let mut rows: Vec<Vec<String>> = vec![head.map(|word| style(word).dim().to_string()).into()];
    for (cell, counts) in &tally.cells {
        let (asked, different) = (counts.get("chains"), counts.get("different"));
        let unanswered = asked.saturating_sub(counts.right() + different);
        let red = |count: u64| match count {
            0 => "0".to_owned(),
            _ => style(count).red().bold().to_string(),
        };
        rows.push(vec![
            cell.clone(),
            asked.to_string(),
            counts.right().to_string(),
            counts.get("refused").to_string(),
            red(different),
            red(counts.get(UNSAFE_CHAINS)),
            red(unanswered),
            share(counts.get("mixed"), asked),
            rate(counts.right() + different, counts.ms),
        ]);
    }
    let mut align = vec![Align::Left];
    align.resize(head.len(), Align::Right);
    let (asked, different) = (tally.sum("chains"), tally.sum("different"));
    let right: u64 = tally.cells.values().map(Counts::right).sum();
    let is_good = asked > 0 && right == asked;
    let how = if is_good { Style::new().green().bold() } else { Style::new().red().bold() };
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let seed = seed.map_or_else(String::new, |seed| format!("seed {seed}: "));
    let line = format!(
        "{seed}{asked} chains, {different} differences{}, {} mixed, {} chains/s over all guests",
        how_bad(different, tally.sum(UNSAFE_CHAINS)),
        share(tally.sum("mixed"), asked),
        rate(asked, millis)
    );
    let agreements: String = tally.agreements.iter().map(agreement).collect();
    let table = lay_out(&rows, &align);
    format!("\n{table}\n{agreements}{}", status_line(&how, "FUZZ", Some(took), &line))
}

/// How many of the chains that differ let a call through.
fn how_bad(different: u64, unsafe_ones: u64) -> String {
    match (different, unsafe_ones) {
        (0, _) => String::new(),
        (_, 0) => " (none of them was seen to cache a call that the filters do not allow)".to_owned(),
        (_, 1) => " (1 of them caches a call that the filters do not allow)".to_owned(),
        (_, more) => format!(" ({more} of them cache a call that the filters do not allow)"),
    }
}

/// One line for two kernels, and the first chains on which they differ.
fn agreement((first, second, agreement): &(String, String, Agreement)) -> String {
    let Agreement { dumped, bits, refused, different, alone, damage } = agreement;
    let green = agreement.is_whole();
    let how = if green { Style::new().green() } else { Style::new().red().bold() };
    let word = if green { "AGREE" } else { "DISAGREE" };
    let line = format!(
        "{first} and {second}: {bits} bits of {dumped} chains, {refused} refused by both, {} differ, {} without a pair",
        different.len(),
        alone.len()
    );
    let mut text = status_line(&how, word, None, &line);
    for (id, what) in different.iter().take(5) {
        text.push_str(&format!("{:>25}chain {id}: {what}\n", ""));
    }
    text.extend(damage.iter().map(|what| format!("{:>25}{what}\n", "")));
    text
}

fn share(part: u64, whole: u64) -> String {
    match (part * 100).checked_div(whole) {
        Some(percent) => format!("{percent} %"),
        None => "-".into(),
    }
}

fn rate(count: u64, ms: u64) -> String {
    (count * 1000).checked_div(ms).map_or_else(|| "-".into(), |rate| rate.to_string())
}
