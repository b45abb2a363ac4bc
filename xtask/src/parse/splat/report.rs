// SPDX-License-Identifier: MIT OR Apache-2.0
//! One report of the kernel while its lines come in, and the finding that it becomes.

use super::super::lines::{clean, shorten};
use super::scan::Finding;
use super::title::{frame_function, normalise, register_function};
use super::{Function, Rule, Splats};

/// Lines kept of a report: those of KASAN and lockdep have more than a hundred.
const EXCERPT_LINES_MAX: usize = 128;
/// Bytes kept of a line.
pub(super) const LINE_BYTES_MAX: usize = 512;

/// A report that is not over.
#[derive(Debug)]
pub(super) struct Report<T> {
    /// `None`: no rule matched, but it is a report.
    pub(super) rule: Option<usize>,
    /// Rules that have joined.
    pub(super) joined: Vec<usize>,
    pub(super) head: String,
    excerpt: Vec<String>,
    pub(super) length: usize,
    /// Lines at the end that look foreign.
    pub(super) foreign: usize,
    in_trace: bool,
    registers: Option<String>,
    trace: Option<String>,
    /// As `trace`, of frames that the unwinder doubts: some kernels have no others.
    doubted: Option<String>,
    index: u64,
    tag: T,
}

impl<T: Copy> Report<T> {
    pub(super) fn new(rule: Option<usize>, index: u64, tag: T, before: Vec<String>) -> Self {
        Self {
            rule,
            joined: Vec::new(),
            head: String::new(),
            length: before.len(),
            excerpt: before,
            foreign: 0,
            in_trace: false,
            registers: None,
            trace: None,
            doubted: None,
            index,
            tag,
        }
    }

    pub(super) fn push(&mut self, line: &str, splats: &Splats) {
        self.length += 1;
        if self.excerpt.len() < EXCERPT_LINES_MAX {
            self.excerpt.push(kept(line));
        }
        match looks(line) {
            Looks::OfReport => self.foreign = 0,
            // Behind a line of something else it may belong to that.
            Looks::Indented if self.foreign == 0 => {}
            Looks::Indented | Looks::Foreign => self.foreign += 1,
        }
        let lower = line.trim_start();
        if lower.starts_with("Call Trace")
            || lower.starts_with("backtrace")
            || lower.starts_with("stack backtrace")
        {
            self.in_trace = true;
        }
        if self.registers.is_none() {
            self.registers = register_function(line).map(str::to_owned);
        }
        let certain = line.trim_start();
        let (frame, first) = match certain.strip_prefix("? ") {
            Some(doubted) => (doubted, &mut self.doubted),
            None => (certain, &mut self.trace),
        };
        if self.in_trace && first.is_none() {
            let function = frame_function(frame).filter(|function| !splats.is_reporter(function));
            *first = function.map(str::to_owned);
        }
    }

    /// The head and the finding.
    pub(super) fn finish(mut self, splats: &Splats) -> (String, Finding<T>) {
        let kept = self.length.saturating_sub(self.foreign).max(1);
        self.excerpt.truncate(kept);
        let (family, title) = if let Some(rule) = self.rule.map(|rule| &splats.rules[rule]) {
            (rule.family.clone(), self.title(rule))
        } else {
            let title = format!("report of an unknown kind: {}", normalise(&self.head));
            ("unknown".to_owned(), title)
        };
        let finding =
            Finding { family, title, excerpt: self.excerpt, first_line_index: self.index, tag: self.tag };
        (self.head, finding)
    }

    fn title(&self, rule: &Rule) -> String {
        let traced = || self.trace.as_ref().or(self.doubted.as_ref());
        let function = match rule.function {
            Function::None => None,
            Function::Registers => self.registers.as_ref().or_else(traced),
            Function::Trace => traced().or(self.registers.as_ref()),
        };
        let place = function.map(|name| format!(" in {name}")).unwrap_or_default();
        let (Some(template), Some(groups)) = (&rule.title, rule.pattern.captures(&self.head)) else {
            return normalise(&self.head) + &place;
        };
        let mut title = template.replace("{in}", &place);
        for name in rule.pattern.capture_names().flatten() {
            let value = groups.name(name).map_or("", |group| group.as_str());
            title = title.replace(&format!("{{{name}}}"), &normalise(value));
        }
        title
    }
}

/// A line as it is kept: short, without control characters.
pub(super) fn kept(line: &str) -> String {
    clean(shorten(line, LINE_BYTES_MAX).as_bytes())
}

/// What a line looks like within a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// As a part of one.
    OfReport,
    /// It goes on with what the line before it says.
    Indented,
    /// As something else.
    Foreign,
}

/// What a line looks like. Exactness does not matter: a few lines that are foreign are taken along.
fn looks(line: &str) -> Looks {
    const STARTS: [&str; 36] = [
        "CPU:",
        "Hardware name",
        "Call Trace",
        "Modules linked",
        "RIP",
        "EIP",
        "RSP",
        "Code:",
        "PKRU",
        "---",
        "===",
        "#PF",
        "PGD",
        "*pde",
        "*pdpt",
        "Oops",
        "Workqueue:",
        "irq event",
        "hardirqs",
        "softirqs",
        "stack backtrace",
        "FS:",
        "CS:",
        "DS:",
        "The buggy",
        "Memory state",
        "page:",
        "Allocated by",
        "Freed by",
        "Read of",
        "Write of",
        ">ffff",
        "Kernel Offset",
        "Kernel panic",
        "other info",
        "Sending NMI",
    ];
    let Some(first) = line.as_bytes().first() else {
        return Looks::OfReport;
    };
    let register = || {
        let (name, _) = line.split_once(": ").unwrap_or((line, ""));
        (2..=4).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let address = || line.len() > 16 && line.bytes().take(8).all(|byte| byte.is_ascii_hexdigit());
    let is_of_report = *first == b'['
        || STARTS.iter().any(|start| line.starts_with(start))
        || line.contains("+0x")
        || register()
        || address();
    match first {
        _ if is_of_report => Looks::OfReport,
        b' ' | b'\t' => Looks::Indented,
        _ => Looks::Foreign,
    }
}
