// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of KTAP put together: levels, plans, ordinals, names.
//!
//! Results of a subtest come *before* the line of their parent, so a stack of open levels is kept
//! and the parent's name is put into its children's paths when its own result arrives.

use super::super::kmsg::split_stamp;
use super::super::lines::{Line, LineEnd, LineLength, clean, shorten};
use super::level::Level;
use super::line::{self, Item, Nesting, PlanLine, ResultLine};
use super::{KtapError, KtapLimits, KtapReport, Plan, Status, TestResult};
use std::collections::VecDeque;

/// Levels of nesting; the kernel's own logs have three.
const DEPTH_MAX: usize = 8;
/// Bytes kept of a name, a reason or a diagnostic line.
const TEXT_BYTES_MAX: usize = 512;

/// What was read so far.
#[derive(Debug)]
pub(super) struct State {
    limits: KtapLimits,
    report: KtapReport,
    /// Outermost first; indents rise strictly.
    levels: Vec<Level>,
    recent: VecDeque<String>,
    diagnostic_bytes: usize,
    /// A `# Subtest:` of a level that has not begun.
    announced: Option<String>,
    full: bool,
}

impl State {
    pub(super) fn new(limits: KtapLimits) -> Self {
        Self {
            limits,
            report: KtapReport {
                plan: Plan::Missing,
                results: Vec::new(),
                errors: Vec::new(),
                errors_dropped: 0,
                bail_out: None,
                unfinished: None,
                lines: 0,
                lines_cut: 0,
                bytes: 0,
            },
            levels: Vec::new(),
            recent: VecDeque::new(),
            diagnostic_bytes: 0,
            announced: None,
            full: false,
        }
    }

    fn error(&mut self, error: KtapError) {
        if self.report.errors.len() < self.limits.errors_max {
            self.report.errors.push(error);
        } else {
            self.report.errors_dropped += 1;
        }
    }

    pub(super) fn count_bytes(&mut self, bytes: usize) {
        self.report.bytes += bytes as u64;
    }

    pub(super) fn line(&mut self, line: Line<'_>) {
        self.report.lines += 1;
        let cleaned = clean(line.bytes);
        let text = split_stamp(&cleaned).map_or(cleaned.as_str(), |(_, rest)| rest);
        let placed = line::place(text);
        if line.length == LineLength::Cut {
            self.report.lines_cut += 1;
        }
        if matches!(placed.item, Item::Plan(_) | Item::Result(_) | Item::Unnumbered) {
            if line.length == LineLength::Cut {
                let line_bytes_max = self.limits.line_bytes_max;
                self.error(KtapError::LineTooLong { line_bytes_max });
            }
            if line.end == LineEnd::EndOfInput {
                // `ok 8` may be the beginning of `ok 87`.
                let line = kept(text);
                self.error(KtapError::UnfinishedLine { line });
            }
        }
        self.item(text, placed);
    }

    fn item(&mut self, text: &str, placed: line::Placed<'_>) {
        let line::Placed { indent, nesting, item } = placed;
        match item {
            Item::Text => self.remember(text),
            Item::Ok => {}
            Item::BailOut(reason) => {
                self.report.bail_out.get_or_insert_with(|| kept(reason));
            }
            Item::Subtest(name) => self.subtest(indent, name),
            Item::Run(name) => {
                if let Some(level) = self.level(indent, text) {
                    level.running = Some(kept(name));
                }
            }
            Item::Version => {
                self.level(indent, text);
            }
            Item::Plan(plan) => self.plan(indent, text, &plan),
            Item::Unnumbered => {
                // Without any KTAP before it, it is prose.
                if self.levels.is_empty() || nesting == Nesting::Hash {
                    self.remember(text);
                } else {
                    self.error(KtapError::ResultWithoutNumber { line: kept(text) });
                }
            }
            Item::Result(result) => {
                if self.is_comment(indent, nesting, result.ordinal) {
                    self.remember(text);
                } else {
                    self.result(indent, text, &result);
                }
            }
        }
    }

    /// `# ok 7 threads` in a program's own comments is no result of a subtest: a level of the
    /// runner begins with a header, a plan or result 1.
    fn is_comment(&self, indent: usize, nesting: Nesting, ordinal: u32) -> bool {
        nesting == Nesting::Hash && ordinal != 1 && !self.levels.iter().any(|level| level.indent == indent)
    }

    fn remember(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() || self.limits.diagnostic_lines_max == 0 {
            return;
        }
        if self.recent.len() >= self.limits.diagnostic_lines_max {
            self.recent.pop_front();
        }
        self.recent.push_back(kept(text));
    }

    /// Goes to the level of this indent, closing deeper ones and opening it if it is new. `None` if
    /// that would be too deep.
    fn level(&mut self, indent: usize, text: &str) -> Option<&mut Level> {
        while self.levels.len() > 1 && self.levels.last().is_some_and(|level| level.indent > indent) {
            self.close_level(None);
        }
        match self.levels.last().map(|level| level.indent) {
            Some(deepest) if deepest == indent => {}
            Some(deepest) if deepest > indent => {
                // The log began inside a subtest; this is the first line of its parent's level.
                self.levels.insert(0, Level::new(indent, 0));
                self.close_level(None);
            }
            _ if self.levels.len() >= DEPTH_MAX => {
                self.error(KtapError::TooDeep { line: kept(text) });
                return None;
            }
            _ => {
                let mut level = Level::new(indent, self.report.results.len());
                level.announced = self.announced.take().unwrap_or_default();
                self.levels.push(level);
            }
        }
        self.levels.last_mut()
    }

    fn subtest(&mut self, indent: usize, name: &str) {
        match self.levels.iter().position(|level| level.indent == indent) {
            // A new level, or one of the runner's lines before a program's header.
            None | Some(0) => self.announced = Some(kept(name)),
            Some(at) if self.levels[at].results > 0 || at + 1 < self.levels.len() => {
                // A sibling begins, and the one before it never had its own result.
                while self.levels.len() > at {
                    self.close_level(None);
                }
                self.announced = Some(kept(name));
            }
            Some(at) => self.levels[at].announced = kept(name),
        }
    }

    fn plan(&mut self, indent: usize, text: &str, plan: &PlanLine<'_>) {
        let plan = match plan {
            PlanLine::Count(count) => Plan::Count(*count),
            PlanLine::SkipAll(reason) => Plan::SkipAll(kept(reason)),
            PlanLine::Malformed => {
                self.error(KtapError::MalformedPlan { line: kept(text) });
                return;
            }
        };
        let Some(level) = self.level(indent, text) else {
            return;
        };
        if level.plan.is_some() {
            self.error(KtapError::SecondPlan { line: kept(text) });
        } else {
            level.results_before_plan = level.results;
            level.plan = Some(plan);
        }
    }

    fn result(&mut self, indent: usize, text: &str, result: &ResultLine<'_>) {
        let name = self.name(indent, result);
        let child_failed = self.close_child(indent, &name);
        if self.level(indent, text).is_none() {
            return;
        }
        if child_failed && matches!(result.status, Status::Pass | Status::Skip) {
            let (ordinal, name) = (result.ordinal, name.clone());
            self.error(KtapError::ParentContradictsChild { ordinal, name });
        }
        self.store(name, result);
    }

    /// Closes the level whose parent is the result `name` at `indent`. Returns whether a result in it failed.
    fn close_child(&mut self, indent: usize, name: &str) -> bool {
        // Deeper levels than the direct child's never got their parent's result.
        while let [.., outer, _] = self.levels.as_slice()
            && outer.indent > indent
        {
            self.close_level(None);
        }
        let Some(child) = self.levels.last().filter(|level| level.indent > indent) else {
            return false;
        };
        let at = self.levels.len() - 1;
        if at == 0 || self.levels[at - 1].indent < indent {
            // The beginning of the parent's level is lost: put it below its child.
            let first_result = child.first_result;
            self.levels.insert(at, Level::new(indent, first_result));
        }
        self.close_level(Some(name))
    }

    /// The result's own name, or the one that its level's `RUN` line announced.
    fn name(&mut self, indent: usize, result: &ResultLine<'_>) -> String {
        let level = self.levels.iter_mut().find(|level| level.indent == indent);
        let running = level.and_then(|level| level.running.take());
        if result.name.is_empty() { running.unwrap_or_default() } else { kept(result.name) }
    }

    fn store(&mut self, name: String, result: &ResultLine<'_>) {
        let recent: Vec<String> = self.recent.drain(..).collect();
        self.announced = None;
        if self.report.results.len() >= self.limits.results_max {
            if !self.full {
                self.full = true;
                let results_max = self.limits.results_max;
                self.error(KtapError::TooManyResults { results_max });
            }
            return;
        }
        if let Some(level) = self.levels.last_mut() {
            let errors = level.add(&name, result.ordinal, result.status, self.limits.repeated_names);
            for error in errors {
                self.error(error);
            }
        }
        let mut diagnostics = Vec::new();
        if result.status.is_failure() {
            let bytes: usize = recent.iter().map(String::len).sum();
            if self.diagnostic_bytes + bytes <= self.limits.diagnostic_bytes_max {
                self.diagnostic_bytes += bytes;
                diagnostics = recent;
            }
        }
        self.report.results.push(TestResult {
            path: Vec::new(),
            ordinal: result.ordinal,
            name,
            status: result.status,
            reason: result.reason.map(kept),
            diagnostics,
        });
    }

    /// Closes the deepest level. `parent` is the name from the parent's result; without it the
    /// result never came. Returns whether a result in it failed.
    fn close_level(&mut self, parent: Option<&str>) -> bool {
        let Some(level) = self.levels.pop() else {
            return false;
        };
        let subtest = match parent {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => level.announced.clone(),
        };
        for result in self.report.results.iter_mut().skip(level.first_result) {
            result.path.insert(0, subtest.clone());
        }
        if let Some(error) = level.unfilled(Some(&subtest)) {
            self.error(error);
        }
        if parent.is_none() {
            self.error(KtapError::SubtestWithoutResult { subtest });
            self.report.unfinished = level.running.or(self.report.unfinished.take());
        }
        if parent.is_none()
            && let Some(outer) = self.levels.last_mut()
        {
            // Nobody else will tell the grandparent.
            outer.failed |= level.failed;
        }
        level.failed
    }

    pub(super) fn close(mut self) -> KtapReport {
        while self.levels.len() > 1 {
            self.close_level(None);
        }
        if let Some(level) = self.levels.pop() {
            if let Some(error) = level.unfilled(None) {
                self.error(error);
            }
            self.report.plan = level.plan.unwrap_or(Plan::Missing);
            // A level inside knows better what was running.
            let unfinished = self.report.unfinished.take();
            self.report.unfinished = unfinished.or(level.running);
        }
        self.report
    }
}

/// A text as it is kept: short, without blanks around it.
fn kept(text: &str) -> String {
    shorten(text.trim(), TEXT_BYTES_MAX).to_owned()
}
