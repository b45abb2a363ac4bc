// SPDX-License-Identifier: MIT OR Apache-2.0
//! Planted faults: what there is, and who noticed what.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use console::{Style, style};

use crate::lab::mutant::{Equivalent, Mutant};
use crate::record::model::Run;
use crate::record::mutant::{Kill, MutantOutcome, MutantRecord, Score, exit_code};
use crate::tell::table::{Align, lay_out};
use crate::tell::terminal::status_line;

/// Longest name of a first sub-result in the table, in characters.
const FIRST_CHARS_MAX: usize = 48;

/// `mutants --list`.
pub fn list(mutants: &[&Mutant]) -> String {
    let head = ["mutant", "class", "kind", "seen on", "killer", "what is wrong"];
    let mut rows = vec![head.map(|word| style(word).dim().to_string()).to_vec()];
    for Mutant { facts, .. } in mutants {
        let mut seen: Vec<String> = facts.flavors.iter().map(ToString::to_string).collect();
        seen.extend(facts.variant.iter().map(|variant| format!("+{variant}")));
        let killer = match facts.equivalent {
            Some(Equivalent::Proof) => "(equivalent)",
            Some(Equivalent::Cost) => "(costs time)",
            None => facts.killer.as_deref().unwrap_or("-"),
        };
        rows.push(vec![
            facts.name.to_string(),
            facts.class.to_string(),
            format!("{:?}", facts.kind).to_lowercase(),
            if seen.is_empty() { "default".into() } else { seen.join(" ") },
            killer.to_owned(),
            facts.wrong.clone(),
        ]);
    }
    lay_out(&rows, &[Align::Left; 6])
}

/// One line for a mutant that has its verdict.
pub fn line(mutant: &MutantRecord) -> String {
    let text = match mutant.kills.first() {
        Some(kill) => format!("{}: {}", mutant.name, noticed(kill)),
        None => mutant.name.clone(),
    };
    let mut line = status_line(
        &outcome_style(mutant.outcome),
        &mutant.outcome.word().to_uppercase(),
        Some(Duration::from_millis(mutant.ms)),
        &text,
    );
    if !mutant.reason.is_empty() {
        let _ = writeln!(line, "{:>14}{}", "", mutant.reason);
    }
    line
}

/// Everything that `mutants` ends with. Told again from a record it is the same.
pub fn summary(run: &Run, folder: &Path) -> String {
    let mut text = String::from("\n");
    text.push_str(&table(&run.mutants));
    text.push('\n');
    for mutant in run.mutants.iter().filter(|mutant| !mutant.outcome.is_good()) {
        let word = mutant.outcome.word().to_uppercase();
        let about = format!("{}: {}", mutant.name, mutant.wrong);
        text.push_str(&status_line(&outcome_style(mutant.outcome), &word, None, &about));
        let _ = writeln!(text, "{:>25}{}", "", mutant.reason);
    }
    text.push_str(&totals(run));
    let _ = writeln!(text, "{:>25}{}", "", style(folder.join("run.json").display()).dim());
    let bad: Vec<&str> =
        run.mutants.iter().filter(|one| !one.outcome.is_good()).map(|one| one.name.as_str()).collect();
    if !bad.is_empty() {
        let _ = writeln!(text, "       rerun:             cargo xtask mutants {}", bad.join(" "));
    }
    text
}

fn table(mutants: &[MutantRecord]) -> String {
    let head = ["mutant", "class", "outcome", "noticed by", reference(mutants), "time"];
    let mut rows: Vec<Vec<String>> = vec![head.map(|word| style(word).dim().to_string()).to_vec()];
    for mutant in mutants {
        rows.push(vec![
            mutant.name.clone(),
            mutant.class.clone(),
            outcome_style(mutant.outcome).apply_to(mutant.outcome.word()).to_string(),
            who(&mutant.kills),
            if mutant.by_reference { "yes" } else { "-" }.to_owned(),
            format!("{:.1}s", Duration::from_millis(mutant.ms).as_secs_f64()),
        ]);
    }
    lay_out(&rows, &[Align::Left, Align::Left, Align::Left, Align::Left, Align::Left, Align::Right])
}

/// The check whose kills are counted apart: one for all mutants of a run.
fn reference(mutants: &[MutantRecord]) -> &str {
    mutants.first().map_or("", |mutant| mutant.reference.as_str())
}

/// The first that noticed, and the others by name.
fn who(kills: &[Kill]) -> String {
    let Some(first) = kills.first() else {
        return "-".into();
    };
    let mut others: Vec<&str> = Vec::new();
    for kill in kills {
        if kill.by != first.by && !others.contains(&kill.by.as_str()) {
            others.push(&kill.by);
        }
    }
    let more = if others.is_empty() { String::new() } else { format!(", {}", others.join(", ")) };
    format!("{}{more}", noticed(first))
}

fn noticed(kill: &Kill) -> String {
    let first: String = kill.first.chars().take(FIRST_CHARS_MAX).collect();
    let cut = if first.len() < kill.first.len() { "…" } else { "" };
    let how = if kill.by_deadline { ", by deadline" } else { "" };
    format!("{} ({first}{cut}{how})", kill.by)
}

fn totals(run: &Run) -> String {
    if run.mutants.is_empty() {
        return status_line(&Style::new().red().bold(), "SUMMARY", None, "no mutant was judged");
    }
    let score = Score::of(&run.mutants);
    let is_good = exit_code(&run.mutants) == crate::fault::EXIT_OK;
    let how = if is_good { Style::new().green().bold() } else { Style::new().red().bold() };
    let mut text = format!(
        "{} of {} that can be noticed: {} %; {} equivalent",
        score.killed,
        score.observable,
        score.percent(),
        score.equivalent
    );
    if score.undecided > 0 {
        let _ = write!(text, "; {} without a verdict", score.undecided);
    }
    let took = run.timings_ms.get("total").map(|ms| Duration::from_millis(*ms));
    let mut lines = status_line(&how, "SCORE", took, &text);
    let text = format!("{} of them by {} alone", score.by_reference, reference(&run.mutants));
    lines.push_str(&status_line(&Style::new().dim(), "", None, &text));
    lines
}

fn outcome_style(outcome: MutantOutcome) -> Style {
    match outcome {
        MutantOutcome::Killed => Style::new().green().bold(),
        MutantOutcome::Equivalent => Style::new().green(),
        MutantOutcome::Undecided => Style::new().magenta().bold(),
        _ => Style::new().red().bold(),
    }
}

#[cfg(test)]
#[path = "mutants_tests.rs"]
mod tests;
