// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `selfcheck` says of its cases, and of faults in guests.

use std::time::Duration;

use console::Style;

use crate::tell::table::{Align, lay_out};
use crate::tell::terminal::status_line;

/// What came of a fault in a guest.
#[derive(Debug, Clone)]
pub struct FaultResult {
    /// The fault.
    pub name: String,
    /// The class that it belongs to.
    pub wanted: &'static str,
    /// The class that it was found to be in.
    pub got: &'static str,
    /// From starting QEMU to its end.
    pub took: Duration,
    /// Why, as the verdict says.
    pub reason: String,
    /// What is not as declared.
    pub wrong: Vec<String>,
}

/// A case that there is.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The suite that it is in.
    pub suite: &'static str,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub what: String,
}

/// The cases that there are.
pub fn list(cases: &[Listed]) -> String {
    let head = ["suite", "case", "what it is"].map(str::to_owned).to_vec();
    let row = |one: &Listed| vec![one.suite.to_owned(), one.name.clone(), one.what.clone()];
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(cases.iter().map(row)).collect();
    lay_out(&rows, &[Align::Left, Align::Left, Align::Left])
}

/// One line for a fault that has its verdict, and what is wrong with it.
pub fn line(result: &FaultResult) -> String {
    let (how, word) = style(result);
    let text = format!("{}: {}  {}", result.name, result.got, result.reason);
    let mut text = status_line(&how, word, Some(result.took), text.trim_end());
    for wrong in &result.wrong {
        text.push_str(&format!("{:>25}{wrong}\n", ""));
    }
    text
}

/// All of them, with what was wanted.
pub fn table(results: &[FaultResult]) -> String {
    let head = ["fault", "wanted", "got", "seconds", ""].map(str::to_owned).to_vec();
    let row = |result: &FaultResult| {
        let (how, word) = style(result);
        vec![
            result.name.clone(),
            result.wanted.to_owned(),
            how.apply_to(result.got).to_string(),
            format!("{:.1}", result.took.as_secs_f64()),
            if result.wrong.is_empty() { String::new() } else { word.to_lowercase() },
        ]
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(results.iter().map(row)).collect();
    lay_out(&rows, &[Align::Left, Align::Left, Align::Left, Align::Right, Align::Left])
}

fn style(result: &FaultResult) -> (Style, &'static str) {
    match result.wrong.is_empty() {
        true => (Style::new().green().bold(), "PASS"),
        false => (Style::new().red().bold(), "FAIL"),
    }
}
