// SPDX-License-Identifier: MIT OR Apache-2.0
//! The terminal: a line for everything that has happened, a bar for what is happening.
//!
//! Where the error stream is no terminal there are no bars, and a long build says how far it is
//! from time to time.

use std::collections::HashMap;
use std::time::Duration;

use console::{Style, style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::record::model::{CellRecord, CellRole, Outcome};
use crate::record::notes::notes;
use crate::run::event::{Cached, Event, GuestProgress, Step};
use crate::tell::grid::families_line;
use crate::tell::summary::cell_style;
use crate::tell::visible::plain;

/// Lines of an excerpt that are shown at once; the rest is in the record.
const EXCERPT_LINES_SHOWN: usize = 16;

/// Draws events.
pub struct Terminal {
    bars: MultiProgress,
    lines: Stream,
    running: HashMap<String, ProgressBar>,
    is_terminal: bool,
    quarters: HashMap<String, u64>,
}

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Output,
    Error,
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Terminal {
    /// A terminal on the process's own streams.
    pub fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            lines: Stream::Output,
            running: HashMap::new(),
            is_terminal: console::Term::stderr().is_term(),
            quarters: HashMap::new(),
        }
    }

    /// A terminal whose lines leave standard output to something else.
    pub fn on_stderr() -> Self {
        Self { lines: Stream::Error, ..Self::new() }
    }

    /// Takes one event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Waiting(what) => self.line(&Style::new().yellow(), "WAITING", None, what),
            Event::Note(text) => self.line(&Style::new().yellow(), "NOTE", None, text),
            Event::Tree { .. } => {}
            Event::Begin { step, subject, detail } => self.begin(*step, subject, detail),
            Event::Built { subject, objects, expected } => self.built(subject, *objects, *expected),
            Event::Done { step, subject, detail, took, cached } => {
                self.done(*step, subject, detail, *took, *cached);
            }
            Event::Guest { cell, progress } => self.guest(cell, progress),
            Event::Cell(record) => self.cell(record),
        }
    }

    /// Removes what is left of the bars.
    pub fn finish(&mut self) {
        for (_, bar) in self.running.drain() {
            bar.finish_and_clear();
        }
        let _ = self.bars.clear();
    }

    /// Prints lines between the bars.
    pub fn print(&self, text: &str) {
        self.bars.suspend(|| match self.lines {
            Stream::Output => crate::tell::print(text),
            Stream::Error => crate::tell::print_error(text),
        });
    }

    fn line(&self, how: &Style, word: &str, took: Option<Duration>, text: &str) {
        self.print(&status_line(how, word, took, &plain(text)));
    }

    fn begin(&mut self, step: Step, subject: &str, detail: &str) {
        let word = step.doing();
        let text = plain(&format!("{subject}: {detail}")).into_owned();
        if self.is_terminal {
            let bar = self.bars.add(ProgressBar::new_spinner());
            bar.set_style(spinner());
            bar.set_prefix(word);
            bar.set_message(text);
            bar.enable_steady_tick(Duration::from_millis(120));
            self.running.insert(key(step, subject), bar);
        } else if step != Step::Apply {
            self.line(&Style::new().cyan(), word, None, &text);
        }
    }

    fn built(&mut self, subject: &str, objects: u64, expected: u64) {
        if let Some(bar) = self.running.get(&key(Step::Build, subject)) {
            if bar.length().is_none() {
                bar.set_style(progress());
                bar.set_message(subject.to_owned());
            }
            bar.set_length(expected);
            bar.set_position(objects);
        } else if !self.is_terminal {
            let quarter = objects * 4 / expected.max(1);
            let told = self.quarters.entry(subject.to_owned()).or_insert(0);
            if quarter > *told && quarter < 4 {
                *told = quarter;
                let text = format!("{subject}: {objects} of about {expected} objects");
                self.line(&Style::new().cyan(), "BUILDING", None, &text);
            }
        }
    }

    fn done(&mut self, step: Step, subject: &str, detail: &str, took: Duration, cached: Cached) {
        if let Some(bar) = self.running.remove(&key(step, subject)) {
            bar.finish_and_clear();
        }
        let word = match (step, cached) {
            (Step::Build, Cached::Yes) => "CACHED",
            (_, Cached::Yes) => return,
            (_, Cached::No) => step.done(),
        };
        self.line(&Style::new().cyan(), word, Some(took), &format!("{subject}: {detail}"));
    }

    fn guest(&mut self, cell: &str, progress: &GuestProgress) {
        if !self.is_terminal {
            return;
        }
        let message = match progress {
            GuestProgress::Started => format!("{cell}: booting"),
            GuestProgress::Booted => format!("{cell}: init is there"),
            GuestProgress::Check(name) => format!("{cell}: {name}"),
        };
        let bars = &self.bars;
        let bar = self.running.entry(cell.to_owned()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(spinner());
            bar.set_prefix("GUEST");
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(message);
    }

    fn cell(&mut self, record: &CellRecord) {
        if let Some(bar) = self.running.remove(&record.id) {
            bar.finish_and_clear();
        }
        self.print(&cell_lines(record));
    }
}

/// One status line: a word in twelve columns, the time, and what it is about.
pub fn status_line(how: &Style, word: &str, took: Option<Duration>, text: &str) -> String {
    let word = how.apply_to(format!("{word:>12}"));
    match took {
        Some(took) => format!("{word} [{:>8.1}s] {text}\n", took.as_secs_f64()),
        None => format!("{word}             {text}\n"),
    }
}

/// The lines for a cell: its verdict, and for anything but a pass why.
pub fn cell_lines(record: &CellRecord) -> String {
    let took = record.timings_ms.get("guest").map(|ms| Duration::from_millis(*ms));
    let mut text = record.id.clone();
    if record.role == CellRole::Probe {
        // Here a failure is what a new test is for, and no bad news.
        text.push_str(&format!("  {} without the series: {}", families_line(record), record.word()));
        return status_line(&Style::new().cyan(), "PROBED", took, &text);
    }
    let word = record.word().to_uppercase();
    if let Some(other) = &record.same_as {
        text.push_str(&format!("  its kernel and programs are those of {other}"));
    } else if let Some(run) = &record.found_in {
        text.push_str(&format!("  found again: run {run}"));
    } else if record.outcome == Outcome::Pass {
        text.push_str("  ");
        text.push_str(&style(families_line(record)).dim().to_string());
    }
    let mut lines = status_line(&cell_style(record), &word, took, &text);
    if record.outcome != Outcome::Pass {
        lines.push_str(&format!("{:>14}{}\n", "", plain(&record.reason)));
        let shown = record.excerpt.iter().take(EXCERPT_LINES_SHOWN);
        lines.extend(shown.map(|line| format!("{:>14}{} {}\n", "", style("|").dim(), plain(line))));
        let more = record.excerpt.len().saturating_sub(EXCERPT_LINES_SHOWN);
        if more > 0 {
            lines.push_str(&format!("{:>14}{} … {more} more lines in the record\n", "", style("|").dim()));
        }
    }
    for note in notes(record) {
        lines.push_str(&format!("{:>14}note: {}\n", "", plain(&note)));
    }
    lines
}

fn key(step: Step, subject: &str) -> String {
    format!("{step:?} {subject}")
}

fn spinner() -> ProgressStyle {
    template("{prefix:>12.cyan} [{elapsed:>8}]  {wide_msg}")
}

fn progress() -> ProgressStyle {
    template("{prefix:>12.cyan} [{elapsed:>8}]  {msg} {bar:24} {pos}/{len} objects, {eta} left")
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
