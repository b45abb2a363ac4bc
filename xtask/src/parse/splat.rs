// SPDX-License-Identifier: MIT OR Apache-2.0
//! Findings: what the kernel log says about a kernel in trouble.
//!
//! The patterns are data (`configs/splats.toml`); this file reads and checks them, `scan` puts the
//! lines of a report together, `title` gives it a name that is the same in every boot.
//!
//! The scanner fails closed: a report whose kind nobody knows (`cut here` without a line that a
//! rule matches, `end trace` without a beginning) is a finding too, and a list without a single
//! deny rule is refused.

#[cfg(test)]
mod corpus_tests;
mod report;
mod scan;
#[cfg(test)]
mod tests;
mod title;

pub use scan::{Allowed, Finding, Findings, Scanner};

use anyhow::{Context as _, Result, bail, ensure};
use regex::{Regex, RegexSet};
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// A day, to compare with the end of an allow entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl FromStr for Date {
    type Err = anyhow::Error;

    /// Reads `YYYY-MM-DD` and nothing else.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || format!("`{text}` is no date (YYYY-MM-DD)");
        let bytes = text.as_bytes();
        let digits = bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        ensure!(bytes.len() == 10 && digits, wrong());
        let date = Self {
            year: text[..4].parse().with_context(wrong)?,
            month: text[5..7].parse().with_context(wrong)?,
            day: text[8..].parse().with_context(wrong)?,
        };
        let leap =
            date.year.is_multiple_of(4) && (!date.year.is_multiple_of(100) || date.year.is_multiple_of(400));
        let days = match date.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            _ => 0,
        };
        ensure!((1..=days).contains(&date.day), wrong());
        Ok(date)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// What ends a report, besides lines that do not belong to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum End {
    /// Nothing else.
    #[default]
    Quiet,
    /// `---[ end trace`.
    Trace,
    /// A line of `=`.
    Bar,
    /// `---[ end Kernel panic`.
    Panic,
    /// The first line is all of it.
    Line,
}

/// Where the function in a title comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Function {
    #[default]
    None,
    /// `RIP:` or `EIP:`; without a name there, the trace.
    Registers,
    /// The first frame that is not one of `reporters`; without one, the registers.
    Trace,
}

/// Whether a line may name a report that `cut here` has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Rank {
    #[default]
    Strong,
    /// Behind `cut here` it is the message of a WARN; the line that says where is still to come.
    Weak,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    reporters: Vec<String>,
    #[serde(default)]
    of_programs: Vec<String>,
    #[serde(default)]
    deny: Vec<DenyEntry>,
    #[serde(default)]
    allow: Vec<AllowEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DenyEntry {
    name: String,
    family: String,
    pattern: String,
    title: Option<String>,
    #[serde(default)]
    function: Function,
    #[serde(default)]
    end: End,
    #[serde(default)]
    rank: Rank,
    #[serde(default)]
    joins: Vec<String>,
    #[serde(default)]
    ignore_first: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowEntry {
    pattern: String,
    reason: String,
    until: String,
}

#[derive(Debug)]
struct Rule {
    family: String,
    pattern: Regex,
    /// `None`: the line itself and `{in}`.
    title: Option<String>,
    function: Function,
    end: End,
    rank: Rank,
    /// Indices of the rules whose reports this one continues.
    joins: Vec<usize>,
    ignore_first: u32,
}

/// One excuse: findings that it matches are known, until a day.
#[derive(Debug, Clone)]
pub struct Allow {
    /// Tried on the title and on the first line of a finding.
    pub pattern: Regex,
    /// Why it is no trouble.
    pub reason: String,
    /// The last day on which it holds.
    pub until: Date,
}

/// The checked patterns.
#[derive(Debug)]
pub struct Splats {
    rules: Vec<Rule>,
    heads: RegexSet,
    of_programs: RegexSet,
    reporters: Vec<String>,
    allows: Vec<Allow>,
}

impl Splats {
    /// Reads and checks `configs/splats.toml`.
    ///
    /// # Errors
    ///
    /// Unknown or missing fields, a pattern that is no regex or not anchored, an unknown name in
    /// `joins` or in a title, an allow entry without reason or date, and a list without a deny rule.
    pub fn parse(toml_text: &str) -> Result<Self> {
        let file: File = toml::from_str(toml_text).context("reading the list of splats")?;
        ensure!(
            !file.deny.is_empty(),
            "the list of splats has no [[deny]] entry: every log would look clean"
        );
        let names: Vec<String> = file.deny.iter().map(|entry| entry.name.clone()).collect();
        for (at, name) in names.iter().enumerate() {
            ensure!(!names[..at].contains(name), "deny entry `{name}` stands twice in the list of splats");
        }
        let heads = RegexSet::new(file.deny.iter().map(|entry| &entry.pattern))
            .context("compiling the deny patterns of the list of splats")?;
        for pattern in &file.of_programs {
            anchored(pattern).context("reading `of_programs` of the list of splats")?;
        }
        let of_programs = RegexSet::new(&file.of_programs)
            .context("compiling the patterns of `of_programs` of the list of splats")?;
        let rules = file
            .deny
            .into_iter()
            .map(|entry| {
                let context = format!("reading deny entry `{}` of the list of splats", entry.name);
                rule(entry, &names).context(context)
            })
            .collect::<Result<_>>()?;
        let allows = file
            .allow
            .into_iter()
            .map(|entry| {
                let context = format!("reading allow entry `{}` of the list of splats", entry.pattern);
                allow(entry).context(context)
            })
            .collect::<Result<_>>()?;
        Ok(Self { rules, heads, of_programs, reporters: file.reporters, allows })
    }

    /// The allow entries that no longer hold on this day (`YYYY-MM-DD`). The scanner knows no clock
    /// and still applies them: use [`Splats::without_expired`] for that.
    ///
    /// # Errors
    ///
    /// `today` is not a date.
    pub fn expired(&self, today: &str) -> Result<Vec<&Allow>> {
        let today: Date = today.parse()?;
        Ok(self.allows.iter().filter(|allow| allow.until < today).collect())
    }

    /// The allow entries.
    pub fn allows(&self) -> &[Allow] {
        &self.allows
    }

    /// The same list without the allow entries that no longer hold on this day.
    ///
    /// # Errors
    ///
    /// `today` is not a date.
    pub fn without_expired(mut self, today: &str) -> Result<Self> {
        let today: Date = today.parse()?;
        self.allows.retain(|allow| allow.until >= today);
        Ok(self)
    }

    /// The first rule that a line matches.
    fn head(&self, line: &str) -> Option<usize> {
        // Nearly every line ends here, without an allocation.
        if !self.heads.is_match(line) {
            return None;
        }
        self.heads.matches(line).iter().next()
    }

    /// Whether a record is about a program, and begins with the name that this has given itself.
    fn is_of_program(&self, record: &str) -> bool {
        self.of_programs.is_match(record)
    }

    fn is_reporter(&self, function: &str) -> bool {
        self.reporters.iter().any(|reporter| match reporter.split_once('*') {
            Some((start, end)) => {
                function.len() >= start.len() + end.len()
                    && function.starts_with(start)
                    && function.ends_with(end)
            }
            None => function == reporter,
        })
    }
}

fn rule(entry: DenyEntry, names: &[String]) -> Result<Rule> {
    ensure!(!entry.family.trim().is_empty(), "the family is empty");
    let pattern = Regex::new(&entry.pattern)?;
    anchored(&entry.pattern)?;
    ensure!(!pattern.is_match(""), "the pattern matches an empty line: {}", entry.pattern);
    if let Some(title) = &entry.title {
        for name in placeholders(title) {
            let known = name == "in" || pattern.capture_names().flatten().any(|group| group == name);
            ensure!(known, "the title names {{{name}}}, which the pattern has no group for");
        }
    }
    let joins = entry
        .joins
        .iter()
        .map(|join| match names.iter().position(|name| name == join) {
            Some(at) => Ok(at),
            None => bail!("`joins` names `{join}`, which is no deny entry"),
        })
        .collect::<Result<_>>()?;
    Ok(Rule {
        family: entry.family,
        pattern,
        title: entry.title,
        function: entry.function,
        end: entry.end,
        rank: entry.rank,
        joins,
        ignore_first: entry.ignore_first,
    })
}

fn allow(entry: AllowEntry) -> Result<Allow> {
    ensure!(!entry.reason.trim().is_empty(), "the reason is empty");
    ensure!(!entry.pattern.trim().is_empty(), "the pattern is empty");
    let pattern = Regex::new(&entry.pattern)?;
    ensure!(!pattern.is_match(""), "the pattern would excuse everything");
    anchored(&entry.pattern)?;
    Ok(Allow { pattern, reason: entry.reason, until: entry.until.parse()? })
}

/// Whether a pattern fits the beginning of a line alone. One that fits anywhere would also fit what a report
/// says of other things, and as an excuse whole families.
fn anchored(pattern: &str) -> Result<()> {
    ensure!(pattern.starts_with('^'), "the pattern must begin with ^: {pattern}");
    ensure!(
        !has_choice(pattern),
        "only the first of its choices begins with ^: put them in (?:…): {pattern}"
    );
    Ok(())
}

/// Whether a pattern is a choice as a whole: a `|` outside of all brackets.
fn has_choice(pattern: &str) -> bool {
    let (mut depth, mut in_class, mut bytes) = (0_usize, false, pattern.bytes());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b']' => in_class = false,
            b'[' => in_class = true,
            b'(' if !in_class => depth += 1,
            b')' if !in_class => depth = depth.saturating_sub(1),
            b'|' if !in_class && depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// The names between braces.
fn placeholders(title: &str) -> impl Iterator<Item = &str> {
    title.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
}
