// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a text read from `/proc/<pid>/seccomp_cache` departs from the one that is expected.
//!
//! Lines are matched by architecture and number, so that one missing line is one difference and not all that follow.

use std::collections::HashMap;
use std::fmt;

/// How many differences are kept.
pub const SHOWN_MAX: usize = 20;

/// How many characters of a wrong line are kept.
pub const LINE_CHARS_MAX: usize = 80;

/// One departure. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The right call with the wrong verdict.
    Verdict {
        /// Where, in the text that was read.
        line: usize,
        /// The line that was wanted.
        wanted: String,
        /// The line that was read.
        got: String,
    },
    /// The right number and another architecture's name.
    Name {
        /// Where, in the text that was read.
        line: usize,
        /// The line that was wanted.
        wanted: String,
        /// The line that was read.
        got: String,
    },
    /// A line that is not there.
    Missing {
        /// Where, in the text that was wanted.
        line: usize,
        /// The line that was wanted.
        wanted: String,
    },
    /// A line that is unknown, or repeated, or out of order.
    Extra {
        /// Where, in the text that was read.
        line: usize,
        /// The line that was read.
        got: String,
    },
    /// A line that is not of the form `<arch> <number> <ALLOW|FILTER>`, or that has no end.
    Malformed {
        /// Where, in the text that was read.
        line: usize,
        /// The line that was wanted, where one was.
        wanted: Option<String>,
        /// The line that was read, made printable.
        got: String,
    },
}

/// All departures: the first ones, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Differences {
    /// The first [`SHOWN_MAX`].
    pub shown: Vec<Difference>,
    /// How many there are in all.
    pub total: usize,
}

impl Differences {
    /// Whether the texts are equal, byte for byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    fn push(&mut self, difference: impl FnOnce() -> Difference) {
        self.total += 1;
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(difference());
        }
    }
}

/// Compares what was read with the text of [`crate::cache::expected_dump`].
#[must_use]
pub fn compare(wanted: &str, got: &[u8]) -> Differences {
    let mut comparison = Comparison::of(wanted);
    let mut lines = got.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((index, raw)) = lines.next() {
        if let Some(line) = Line::parse(raw) {
            comparison.line(index + 1, &line);
            continue;
        }
        // It stands in place of the wanted line, or it was put before it.
        let inserted = lines.peek().and_then(|(_, next)| Line::parse(next)).is_some_and(|next| {
            comparison.wanted_now().and_then(Line::of).is_some_and(|line| line.key() == next.key())
        });
        comparison.malformed(index + 1, raw, inserted);
    }
    comparison.missing_to(comparison.wanted.len());
    comparison.found
}

/// A line in its only valid form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line<'a> {
    arch: &'a str,
    nr: u32,
    verdict: &'a str,
}

impl<'a> Line<'a> {
    /// Takes a line with its end.
    fn parse(raw: &'a [u8]) -> Option<Self> {
        Self::of(std::str::from_utf8(raw).ok()?.strip_suffix('\n')?)
    }

    /// Takes a line without its end; accepts only what prints as it stands.
    fn of(text: &'a str) -> Option<Self> {
        let mut words = text.split(' ');
        let (arch, number, verdict) = (words.next()?, words.next()?, words.next()?);
        let nr: u32 = number.parse().ok()?;
        let arch_ok =
            !arch.is_empty() && arch.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let number_ok = nr.to_string() == number;
        let verdict_ok = matches!(verdict, "ALLOW" | "FILTER");
        (arch_ok && number_ok && verdict_ok && words.next().is_none()).then_some(Self { arch, nr, verdict })
    }

    fn key(&self) -> (&'a str, u32) {
        (self.arch, self.nr)
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.arch, self.nr, self.verdict)
    }
}

/// The wanted lines, how far they were met, and what was found on the way.
struct Comparison<'a> {
    wanted: Vec<&'a str>,
    by_key: HashMap<(&'a str, u32), usize>,
    next: usize,
    found: Differences,
}

impl<'a> Comparison<'a> {
    fn of(wanted: &'a str) -> Self {
        let wanted: Vec<_> = wanted.lines().collect();
        let keyed = wanted.iter().enumerate().filter_map(|(at, text)| Some((Line::of(text)?.key(), at)));
        Self { by_key: keyed.collect(), next: 0, found: Differences::default(), wanted }
    }

    /// The wanted line that was not met yet.
    fn wanted_now(&self) -> Option<&'a str> {
        self.wanted.get(self.next).copied()
    }

    fn line(&mut self, number: usize, line: &Line<'_>) {
        let got = || line.to_string();
        match self.by_key.get(&line.key()) {
            Some(&at) if at >= self.next => {
                self.missing_to(at);
                self.next = at + 1;
                let wanted = self.wanted[at];
                if wanted != got() {
                    let wanted = wanted.to_owned();
                    self.found.push(|| Difference::Verdict { line: number, wanted, got: got() });
                }
            }
            Some(_) => self.found.push(|| Difference::Extra { line: number, got: got() }),
            None => match self.wanted_now() {
                Some(wanted) if Line::of(wanted).is_some_and(|wanted| wanted.nr == line.nr) => {
                    self.next += 1;
                    let wanted = wanted.to_owned();
                    self.found.push(|| Difference::Name { line: number, wanted, got: got() });
                }
                _ => self.found.push(|| Difference::Extra { line: number, got: got() }),
            },
        }
    }

    fn malformed(&mut self, number: usize, raw: &[u8], inserted: bool) {
        let wanted = if inserted { None } else { self.wanted_now().map(str::to_owned) };
        self.next += usize::from(wanted.is_some());
        self.found.push(|| Difference::Malformed { line: number, wanted, got: printable(raw) });
    }

    fn missing_to(&mut self, end: usize) {
        for at in self.next..end {
            let wanted = self.wanted[at];
            self.found.push(|| Difference::Missing { line: at + 1, wanted: wanted.to_owned() });
        }
        self.next = end;
    }
}

/// A line without its end, with everything unusual escaped; says where an end is missing.
fn printable(raw: &[u8]) -> String {
    let (text, end) = match raw.strip_suffix(b"\n") {
        Some(text) => (text, ""),
        None => (raw, " (no end of line)"),
    };
    let mut shown: String = text.escape_ascii().take(LINE_CHARS_MAX).map(char::from).collect();
    if text.escape_ascii().count() > LINE_CHARS_MAX {
        shown.push_str("...");
    }
    shown + end
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict { line, wanted, got } => {
                write!(f, "line {line}: wanted \"{wanted}\", got \"{got}\"")
            }
            Self::Name { line, wanted, got } => {
                write!(f, "line {line}: wrong name, wanted \"{wanted}\", got \"{got}\"")
            }
            Self::Missing { line, wanted } => {
                write!(f, "missing: \"{wanted}\" (line {line} of the expected text)")
            }
            Self::Extra { line, got } => write!(f, "line {line}: extra, got \"{got}\""),
            Self::Malformed { line, wanted: Some(wanted), got } => {
                write!(f, "line {line}: malformed, wanted \"{wanted}\", got \"{got}\"")
            }
            Self::Malformed { line, wanted: None, got } => write!(f, "line {line}: malformed, got \"{got}\""),
        }
    }
}

/// One line a difference, then how many more there are. Nothing where there is none.
impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, difference) in self.shown.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{difference}")?;
        }
        match self.total.saturating_sub(self.shown.len()) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more, {} differences in all", self.total),
        }
    }
}

#[cfg(test)]
mod tests;
