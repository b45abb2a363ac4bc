// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree's own `scripts/checkpatch.pl`, on one patch.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use crate::run::git::Git;
use crate::sys::process::{Exit, capture, command, is_host_trouble, tail};

/// The script.
const SCRIPT: &str = "scripts/checkpatch.pl";

/// What it reads beside itself, where the tree has it.
const BESIDE: [&str; 2] = ["scripts/spelling.txt", "scripts/const_structs.checkpatch"];

/// Longest that it may take on one patch.
const DEADLINE: Duration = Duration::from_secs(120);

/// How much something weighs, in the script's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// `ERROR`.
    Error,
    /// `WARNING`, and anything else that it prints.
    Warning,
    /// `CHECK`.
    Check,
}

/// A line that the script printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// How much it weighs.
    pub weight: Weight,
    /// `FILE:LINE: TYPE: …`.
    pub text: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It ran.
    Ran(Vec<Complaint>),
    /// The tree has no such script.
    NoScript,
    /// It failed by itself, with these words.
    Broke(String),
}

/// Runs the script of `tree` on a patch, in `scratch`, outside of any tree.
///
/// # Errors
/// If git or perl cannot be run.
pub fn run(git: &Git, tree: &str, scratch: &Path, patch: &[u8]) -> Result<Checked> {
    let Some(script) = git.file(tree, SCRIPT)? else { return Ok(Checked::NoScript) };
    fs::create_dir_all(scratch.join("scripts"))?;
    fs::write(scratch.join(SCRIPT), script)?;
    for name in BESIDE {
        if let Some(text) = git.file(tree, name)? {
            fs::write(scratch.join(name), text)?;
        }
    }
    let mut perl = command("perl");
    perl.args([SCRIPT, "--no-tree", "-q", "--terse", "--no-summary", "--mailback", "--showfile", "-"]);
    // A checkout above the scratch folder is none of its business.
    perl.current_dir(scratch).env("GIT_CEILING_DIRECTORIES", scratch.parent().unwrap_or(scratch));
    let captured = capture(perl, SCRIPT, DEADLINE, patch)?;
    crate::sys::interrupt::check()?;
    let complaints = complaints(&captured.text());
    let is_broken =
        !matches!(captured.exit, Exit::Code(0 | 1)) || is_host_trouble(captured.exit, &captured.stderr);
    if is_broken || !captured.exit.is_success() && complaints.is_empty() {
        return Ok(Checked::Broke(format!("{}: {}", captured.exit, tail(&captured.stderr, 2000))));
    }
    Ok(Checked::Ran(complaints))
}

/// The lines that it printed; `:NUMBER: ` before one is a line of the mail, and says little.
fn complaints(printed: &str) -> Vec<Complaint> {
    let lines = printed.lines().map(str::trim).filter(|line| !line.is_empty());
    let complaint = |line: &str| {
        let weight = [("ERROR:", Weight::Error), ("WARNING:", Weight::Warning), ("CHECK:", Weight::Check)];
        let found = weight
            .iter()
            .filter_map(|(word, weight)| Some((line.find(word)?, *weight)))
            .min_by_key(|(at, _)| *at);
        let text = line.strip_prefix(':').or_else(|| line.strip_prefix("-:"));
        let text = text.and_then(|rest| rest.split_once(": ")).filter(|(at, _)| at.parse::<u32>().is_ok());
        let text = text.map_or(line, |(_, text)| text).to_owned();
        Complaint { weight: found.map_or(Weight::Warning, |(_, weight)| weight), text }
    };
    lines.map(complaint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_weighs_what_its_first_word_says() {
        let printed = "-:12: WARNING: not an ERROR: x\n\nk/f.c:3: ERROR: y\nf.c:1: CHECK: z\nwhat?\n";
        let weights: Vec<Weight> = complaints(printed).iter().map(|one| one.weight).collect();
        assert_eq!(weights, [Weight::Warning, Weight::Error, Weight::Check, Weight::Warning]);
        assert_eq!(complaints(":7: WARNING: no description\n")[0].text, "WARNING: no description");
        assert_eq!(complaints(printed)[1].text, "k/f.c:3: ERROR: y");
    }
}
