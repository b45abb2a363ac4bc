// SPDX-License-Identifier: MIT OR Apache-2.0
//! What mailers do to patches: lines wrapped, tabs made spaces, spaces lost. Pure: a diff, and the text it was made for.

use std::fmt;

/// A line from which on a mailer may wrap, in characters.
const WRAP_CHARS_MIN: usize = 60;

/// A diff that is not what its author wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The line of the diff that shows it, from 1.
    pub line: usize,
    /// What is wrong with it: a sentence whose subject is that line.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of its diff {}", self.line, self.what)
    }
}

/// A line of a hunk.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

/// What can be seen in the diff alone: lines that no hunk can have, and hunks that end too early.
pub fn in_diff(diff: &str) -> Option<Damage> {
    let (mut old, mut new, mut begun) = (0_i64, 0_i64, 0);
    let mut before = "";
    for (at, line) in diff.lines().enumerate() {
        let number = at + 1;
        if old <= 0 && new <= 0 {
            if let Some((a, b)) = crate::lab::patch::hunk_range(line) {
                (old, new, begun) = (a, b, number);
            }
            before = line;
            continue;
        }
        match line.chars().next() {
            Some('-') if line == "-- " && (old != 1 || new > 0) => return Some(cut(begun, number)),
            Some('-') => old -= 1,
            Some('+') => new -= 1,
            Some('\\') => {}
            Some(' ') | None => (old, new) = (old - 1, new - 1),
            Some('\r') if line.len() == 1 => (old, new) = (old - 1, new - 1),
            Some(_) => return Some(foreign(line, number, before, begun)),
        }
        before = line;
    }
    let is_cut = old > 0 || new > 0;
    is_cut.then(|| cut(begun, diff.lines().count()))
}

fn cut(begun: usize, line: usize) -> Damage {
    Damage { line, what: format!("is where the hunk that begins at line {begun} is cut short") }
}

/// A line of a hunk with something else in its first column than a diff has there.
fn foreign(line: &str, number: usize, before: &str, begun: usize) -> Damage {
    if line.starts_with('\u{a0}') {
        return Damage {
            line: number,
            what: "begins with a non-breaking space where a diff has a space".into(),
        };
    }
    if line.starts_with('>') {
        return Damage { line: number, what: "is quoted: it begins with `>`".into() };
    }
    if line.starts_with("@@ ") || line.starts_with("diff --git ") {
        return cut(begun, number);
    }
    if before.chars().count() >= WRAP_CHARS_MIN {
        let what = format!("is the rest of line {}, which was wrapped", number - 1);
        return Damage { line: number, what };
    }
    let what = if line.starts_with('\t') {
        "begins with a tab: the space of its first column was lost"
    } else {
        "begins with neither a space nor `+` nor `-`: a line was wrapped, or its first column lost"
    };
    Damage { line: number, what: what.into() }
}

/// What can be seen against the file: a hunk that fits but for white space. The hunk is the one of `file` that
/// begins at its line `start`; `text` is the file as it is.
pub fn against(diff: &str, file: &str, start: usize, text: &str) -> Option<Damage> {
    let wanted = old_lines(diff, file, start)?;
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    let bare_wanted: Vec<String> = wanted.iter().map(|line| bare(line.text)).collect();
    let bare_lines: Vec<String> = lines.iter().map(|line| bare(line)).collect();
    // White space alone fits everywhere.
    if wanted.is_empty() || bare_wanted.iter().all(String::is_empty) {
        return None;
    }
    let fits = |at: &usize| bare_lines[*at..*at + wanted.len()] == bare_wanted[..];
    let places = (0..=lines.len().checked_sub(wanted.len())?).filter(fits);
    let place = places.min_by_key(|at| at.abs_diff(start.saturating_sub(1)))?;
    let (line, at) = wanted.iter().zip(place..).find(|(line, at)| line.text != lines[*at])?;
    let there = format!("line {} of {file}", at + 1);
    Some(Damage { line: line.number, what: format!("{} ({there})", difference(line.text, lines[at])) })
}

/// Context and removed lines of a hunk.
fn old_lines<'a>(diff: &'a str, file: &str, start: usize) -> Option<Vec<Line<'a>>> {
    let mut is_file = false;
    let (mut old, mut new, mut is_wanted) = (0_i64, 0_i64, false);
    let mut found = Vec::new();
    for (at, line) in diff.lines().enumerate() {
        if old <= 0 && new <= 0 {
            if is_wanted {
                break;
            }
            if let Some(path) = line.strip_prefix("--- ") {
                let path = path.split('\t').next().unwrap_or(path).trim_end();
                is_file = path.strip_prefix("a/").unwrap_or(path) == file;
            } else if let Some((a, b)) = crate::lab::patch::hunk_range(line) {
                (old, new) = (a, b);
                let begins =
                    line.strip_prefix("@@ -").and_then(|rest| rest.split([',', ' ']).next()?.parse().ok());
                is_wanted = is_file && begins == Some(start);
            }
            continue;
        }
        let (is_old, is_new, skip) = match line.chars().next() {
            Some('-') => (true, false, 1),
            Some('+') => (false, true, 1),
            Some('\\') => continue,
            None => (true, true, 0),
            Some(first) => (true, true, first.len_utf8()),
        };
        old -= i64::from(is_old);
        new -= i64::from(is_new);
        if is_wanted && is_old {
            // `lines` takes a CR away with the line's end.
            found.push(Line { number: at + 1, text: &line[skip..] });
        }
    }
    is_wanted.then_some(found)
}

/// A line without any white space.
fn bare(line: &str) -> String {
    line.chars().filter(|c| !c.is_whitespace() && !is_invisible(*c)).collect()
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{feff}' | '\u{2060}')
}

/// How a line of a patch differs from the file's, where only white space does.
fn difference(patch: &str, file: &str) -> &'static str {
    let tabs = |text: &str| text.matches('\t').count();
    let has_foreign =
        |text: &str| text.chars().any(|c| is_invisible(c) || c.is_whitespace() && !c.is_ascii());
    if has_foreign(patch) && !has_foreign(file) {
        return "has non-breaking or other foreign spaces where the file has plain ones";
    }
    if file.strip_suffix('\r') == Some(patch) {
        return "ends in LF, and the file's line in CRLF";
    }
    if patch.trim_end() == file.trim_end() {
        return if patch.len() < file.len() {
            "lost the white space at its end"
        } else {
            "has white space at its end that the file does not have"
        };
    }
    if patch.strip_prefix(' ') == Some(file) {
        return "has one space too many at its beginning, as format=flowed adds it";
    }
    if tabs(patch) < tabs(file) {
        return "has spaces where the file has tabs";
    }
    if tabs(patch) > tabs(file) {
        return "has tabs where the file has spaces";
    }
    "has other white space than the file"
}

#[cfg(test)]
#[path = "damage_tests.rs"]
mod tests;
