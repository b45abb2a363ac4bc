// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command that runs cells again, with the flags of their run.

use crate::record::model::Run;
use crate::sys::process::quote;

/// Flags with a value that a rerun keeps.
const KEPT: [&str; 12] = [
    "--repeat",
    "--filters",
    "--tree",
    "--series",
    "--series-version",
    "--after",
    "--check",
    "--accel",
    "--deadline",
    "--kernel",
    "--cache-dir",
    "--results-dir",
];

/// Flags that say which chains `fuzz` makes.
const CHAINS: [&str; 4] = ["--seed", "--chains", "--seconds", "--replay"];

/// The command that runs these cells again, with the flags of this run.
pub fn rerun(run: &Run, cells: &[&str]) -> String {
    let given = run.command.get(2..).unwrap_or_default();
    let is_fuzz = verb(given) == Some("fuzz");
    let verb = verb(given).filter(|verb| ["fuzz", "bench"].contains(verb)).unwrap_or("test");
    let mut words = vec![format!("cargo xtask {verb}")];
    if is_fuzz {
        words.extend(chains(run, given));
    }
    words.extend(kept(run));
    words.extend(cells.iter().map(|cell| quote(cell)));
    words.join(" ")
}

/// The flags of this run that its cells need to be known by their ids, and to be run in the same way.
pub fn kept(run: &Run) -> Vec<String> {
    let mut words = Vec::new();
    let mut given = run.command.iter().skip(2);
    while let Some(word) = given.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        if !KEPT.contains(&name) {
            words.extend(
                ["--at-base", "--real-time", "--profile"].contains(&word.as_str()).then(|| word.clone()),
            );
            continue;
        }
        match value {
            Some(value) => words.push(format!("{name}={}", quote(&from_anywhere(value)))),
            None => {
                let value = given.next().map(String::as_str).unwrap_or_default();
                words.extend(
                    is_ad_hoc(name, value).then(|| format!("{name} {}", quote(&from_anywhere(value)))),
                );
            }
        }
    }
    words
}

/// The verb of a command: flags may stand before it.
fn verb(given: &[String]) -> Option<&str> {
    let mut given = given.iter().map(String::as_str);
    while let Some(word) = given.next() {
        match word {
            // The flags of all verbs that take a value.
            "--cache-dir" | "--results-dir" => drop(given.next()),
            flag if flag.starts_with('-') => {}
            verb => return Some(verb),
        }
    }
    None
}

/// Which chains a run of `fuzz` was given: a seed that nobody chose is in the record.
fn chains(run: &Run, given: &[String]) -> Vec<String> {
    let value = |flag: &str| {
        given.iter().enumerate().find_map(|(at, word)| match word.split_once('=') {
            Some((name, value)) => (name == flag).then(|| value.to_owned()),
            None => (word == flag).then(|| given.get(at + 1).cloned().unwrap_or_default()),
        })
    };
    let [seed, count, seconds, replay] = CHAINS.map(value);
    if let Some(file) = replay {
        return vec![format!("--replay {}", quote(&from_anywhere(&format!("./{file}"))))];
    }
    let checks = run.cells.iter().flat_map(|cell| &cell.checks);
    let asked = || checks.filter_map(|check| check.figures.get("chains")).max().map(ToString::to_string);
    let mut words = vec![format!("--seed {}", seed.unwrap_or_else(|| run.seed.to_string()))];
    match seconds {
        Some(seconds) => words.push(format!("--seconds {seconds}")),
        None => words.extend(count.or_else(asked).map(|count| format!("--chains {count}"))),
    }
    words
}

/// Trees, series and flavors are in the ids; what was given ad hoc is not known without.
fn is_ad_hoc(name: &str, value: &str) -> bool {
    !matches!(name, "--tree" | "--series")
        || value.contains('=')
        || value.starts_with(crate::run::commits::PREFIX)
        || value.rsplit_once('@').is_some_and(|(_, part)| part.contains('-'))
        || crate::run::mailbox::is_path(value)
}

/// A path that was given relative to a folder that the reader may not be in.
pub fn from_anywhere(value: &str) -> String {
    if let Some(range) = value.strip_prefix(crate::run::commits::PREFIX) {
        // Without a folder it is looked for in the tree that is given along, or where the reader is.
        return match range.rsplit_once(':') {
            Some((folder, range)) => format!("git:{}:{range}", from_anywhere(&format!("./{folder}"))),
            None => value.to_owned(),
        };
    }
    if let Some((name, path)) = value.split_once("path=").filter(|(name, _)| name.is_empty()) {
        return format!("{name}path={}", from_anywhere(&format!("./{path}")));
    }
    if let Some((name, path)) = value.split_once("=path:") {
        return format!("{name}=path:{}", from_anywhere(&format!("./{path}")));
    }
    if !crate::run::mailbox::is_path(value) {
        return value.to_owned();
    }
    let value = value.strip_prefix(".//").map_or(value.to_owned(), |rest| format!("/{rest}"));
    let value = value.as_str();
    std::path::absolute(value).map_or_else(|_| value.to_owned(), |path| path.display().to_string())
}
