// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of the kernel log put together to reports.
//!
//! A report begins at a line that a rule matches (or at the `cut here` before it) and ends at its
//! end marker, or when several lines in a row look like nothing that a report contains. Reports of
//! two CPUs interleave: each head opens one, end markers close the oldest that waits for one.

use super::super::lines::shorten;
use super::report::{LINE_BYTES_MAX, Report, kept};
use super::{Allow, End, Rank, Splats};

/// Findings kept, and as many excused ones; of findings the rest is counted.
const FINDINGS_MAX: usize = 1000;
/// A report that is longer than this is closed.
const REPORT_LINES_MAX: usize = 4000;
/// Reports open at the same time; the oldest is closed for a fifth.
const OPEN_MAX: usize = 4;
/// Lines between `cut here` (or a bar) and the head of the report.
const PENDING_LINES_MAX: usize = 8;
const CUT_HERE: &str = "------------[ cut here ]------------";

/// One report of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<T> {
    /// The class, as the rule names it; `unknown` if no rule matched.
    pub family: String,
    /// A name without numbers and addresses, equal for equal trouble.
    pub title: String,
    /// The report from its first line on, capped.
    pub excerpt: Vec<String>,
    /// The number of the first line, counted from 0 over all lines that the scanner was given.
    pub first_line_index: u64,
    /// What the caller gave with the first line.
    pub tag: T,
}

/// A finding that an allow entry excuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed<T> {
    /// What was found.
    pub finding: Finding<T>,
    /// The pattern of the entry.
    pub pattern: String,
    /// Its reason.
    pub reason: String,
}

/// All that a scanner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings<T> {
    /// Trouble, in the order of first lines.
    pub findings: Vec<Finding<T>>,
    /// Excused trouble.
    pub allowed: Vec<Allowed<T>>,
    /// Patterns of allow entries that excused nothing in this log.
    pub unused: Vec<String>,
    /// Findings beyond the limit, only counted.
    pub findings_dropped: u64,
    /// Lines read.
    pub lines: u64,
}

/// Reads the lines of one boot.
#[derive(Debug)]
pub struct Scanner<'a, T> {
    splats: &'a Splats,
    lines: u64,
    /// How often each rule matched.
    matched: Vec<u32>,
    /// Oldest first.
    open: Vec<Report<T>>,
    /// The report that got the last line; an index into `open`.
    current: usize,
    pending: Option<Pending<T>>,
    allow_used: Vec<bool>,
    found: Findings<T>,
}

/// Lines that may turn out to be the beginning of a report.
#[derive(Debug)]
struct Pending<T> {
    kind: PendingKind,
    lines: Vec<String>,
    index: u64,
    tag: T,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PendingKind {
    /// `cut here`: a report for certain.
    Cut,
    /// A line of `=`, which lockdep and the sanitizers begin with; many programs print one.
    Bar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    CutHere,
    Bar,
    EndTrace,
    EndPanic,
}

fn marker(line: &str) -> Option<Marker> {
    match line.as_bytes().first()? {
        b'-' if line.starts_with(CUT_HERE) => Some(Marker::CutHere),
        b'-' if line.starts_with("---[ end trace") => Some(Marker::EndTrace),
        b'-' if line.starts_with("---[ end Kernel panic") => Some(Marker::EndPanic),
        b'=' if line.len() >= 20 && line.bytes().all(|byte| byte == b'=') => Some(Marker::Bar),
        _ => None,
    }
}

impl<'a, T: Copy> Scanner<'a, T> {
    /// A scanner for one boot.
    #[must_use]
    pub fn new(splats: &'a Splats) -> Self {
        Self {
            splats,
            lines: 0,
            matched: vec![0; splats.rules.len()],
            open: Vec::new(),
            current: 0,
            pending: None,
            allow_used: vec![false; splats.allows.len()],
            found: Findings {
                findings: Vec::new(),
                allowed: Vec::new(),
                unused: Vec::new(),
                findings_dropped: 0,
                lines: 0,
            },
        }
    }

    /// Takes the text of one record, without its time stamp. `tag` says where it is from. Give only
    /// records of the kernel itself: a program may write anything to `/dev/kmsg`.
    ///
    /// Only the first line of a record begins a report, or ends one: what follows may be the name of a program,
    /// which may have a newline in it. The same goes for a record that begins with such a name.
    pub fn line(&mut self, text: &str, tag: T) {
        let is_of_program = self.splats.is_of_program(text);
        for (at, line) in text.split('\n').map(str::trim_end).enumerate() {
            if at == 0 && !is_of_program {
                self.one(line, tag);
            } else {
                self.inner(line);
            }
            self.lines += 1;
        }
    }

    /// Ends the log.
    #[must_use]
    pub fn finish(mut self) -> Findings<T> {
        self.drop_pending();
        while !self.open.is_empty() {
            self.close(0);
        }
        let mut found = self.found;
        found.findings.sort_by_key(|finding| finding.first_line_index);
        found.lines = self.lines;
        found.unused = (self.splats.allows.iter())
            .zip(&self.allow_used)
            .filter(|(_, used)| !**used)
            .map(|(allow, _)| allow.pattern.as_str().to_owned())
            .collect();
        found
    }

    fn one(&mut self, line: &str, tag: T) {
        if let Some(rule) = self.splats.head(line) {
            self.matched[rule] = self.matched[rule].saturating_add(1);
            if self.matched[rule] > self.splats.rules[rule].ignore_first {
                self.head(rule, line, tag);
                return;
            }
        }
        match marker(line) {
            Some(Marker::CutHere) => self.wait(PendingKind::Cut, line, tag),
            Some(Marker::Bar) => match self.open.iter().rposition(|r| self.end(r) == End::Bar) {
                Some(at) => self.end_at(at, line),
                None => self.wait(PendingKind::Bar, line, tag),
            },
            Some(Marker::EndTrace) => self.end_marker(End::Trace, line, tag),
            Some(Marker::EndPanic) => self.end_marker(End::Panic, line, tag),
            None => self.inner(line),
        }
    }

    /// A line that neither begins a report nor ends one.
    fn inner(&mut self, line: &str) {
        if self.pending.is_some() {
            self.pend(line);
        } else {
            self.body(line);
        }
    }

    fn end(&self, report: &Report<T>) -> End {
        report.rule.map_or(End::Trace, |rule| self.splats.rules[rule].end)
    }

    /// A line that a rule matches: continues a report or begins one.
    fn head(&mut self, rule: usize, line: &str, tag: T) {
        let splats = self.splats;
        let fresh = (self.pending.as_ref()).is_some_and(|pending| pending.kind == PendingKind::Cut);
        if fresh && splats.rules[rule].rank == Rank::Weak {
            self.pend(line);
            return;
        }
        let joinable = |report: &Report<T>| {
            let waits = report.rule.is_some_and(|open| splats.rules[rule].joins.contains(&open));
            waits && !report.joined.contains(&rule)
        };
        // `cut here` in front of it says that it is not the same report.
        if let Some(at) = self.open.iter().position(joinable).filter(|_| !fresh) {
            self.drop_pending();
            self.open[at].joined.push(rule);
            self.current = at;
            self.body(line);
            return;
        }
        let mut report = match self.pending.take() {
            Some(pending) => Report::new(Some(rule), pending.index, pending.tag, pending.lines),
            None => Report::new(Some(rule), self.lines, tag, Vec::new()),
        };
        shorten(line, LINE_BYTES_MAX).clone_into(&mut report.head);
        report.push(line, splats);
        // Reports that wait for no end marker are over when the next begins.
        while let Some(at) = self.open.iter().position(|open| self.end(open) == End::Quiet) {
            self.close(at);
        }
        self.begin(report);
        if splats.rules[rule].end == End::Line {
            self.close(self.open.len() - 1);
        }
    }

    fn begin(&mut self, report: Report<T>) {
        if self.open.len() >= OPEN_MAX {
            self.close(0);
        }
        self.open.push(report);
        self.current = self.open.len() - 1;
    }

    fn wait(&mut self, kind: PendingKind, line: &str, tag: T) {
        self.drop_pending();
        self.pending = Some(Pending { kind, lines: vec![line.to_owned()], index: self.lines, tag });
    }

    fn pend(&mut self, line: &str) {
        let Some(pending) = &mut self.pending else {
            return;
        };
        pending.lines.push(kept(line));
        if pending.lines.len() > PENDING_LINES_MAX {
            self.drop_pending();
        }
    }

    /// No head came: after `cut here` that is a report of an unknown kind, after a bar it is nothing.
    fn drop_pending(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        if pending.kind == PendingKind::Bar {
            for line in pending.lines {
                self.body(&line);
            }
            return;
        }
        let head = pending.lines.get(1).cloned().unwrap_or_default();
        let mut report = Report::new(None, pending.index, pending.tag, Vec::new());
        report.head = head;
        for line in &pending.lines {
            report.push(line, self.splats);
        }
        self.begin(report);
    }

    fn body(&mut self, line: &str) {
        let current = self.current;
        let Some(report) = self.open.get_mut(current) else {
            return;
        };
        report.push(line, self.splats);
        let foreign_max = match report.rule.map(|rule| self.splats.rules[rule].end) {
            Some(End::Quiet | End::Line) => 8,
            Some(End::Trace | End::Bar) | None => 40,
            Some(End::Panic) => 200,
        };
        if report.foreign > foreign_max || report.length > REPORT_LINES_MAX {
            self.close(current);
        }
    }

    /// `---[ end …`: closes the oldest report that waits for it. Without one, its beginning is lost.
    fn end_marker(&mut self, end: End, line: &str, tag: T) {
        self.drop_pending();
        if let Some(at) = self.open.iter().position(|report| self.end(report) == end) {
            self.end_at(at, line);
        } else if self.open.is_empty() {
            let mut report = Report::new(None, self.lines, tag, Vec::new());
            "the beginning of a report is missing".clone_into(&mut report.head);
            report.push(line, self.splats);
            self.begin(report);
            self.close(self.open.len() - 1);
        } else {
            self.end_at(self.current.min(self.open.len() - 1), line);
        }
    }

    fn end_at(&mut self, at: usize, line: &str) {
        self.drop_pending();
        self.open[at].push(line, self.splats);
        self.close(at);
    }

    fn close(&mut self, at: usize) {
        let report = self.open.remove(at);
        if self.current >= at && self.current > 0 {
            self.current -= 1;
        }
        let (head, finding) = report.finish(self.splats);
        let excuse = self
            .splats
            .allows
            .iter()
            .position(|allow| allow.pattern.is_match(&finding.title) || allow.pattern.is_match(&head));
        match excuse {
            Some(at) => {
                self.allow_used[at] = true;
                let Allow { pattern, reason, .. } = &self.splats.allows[at];
                let (pattern, reason) = (pattern.as_str().to_owned(), reason.clone());
                if self.found.allowed.len() < FINDINGS_MAX {
                    self.found.allowed.push(Allowed { finding, pattern, reason });
                }
            }
            None if self.found.findings.len() < FINDINGS_MAX => self.found.findings.push(finding),
            None => self.found.findings_dropped += 1,
        }
    }
}
