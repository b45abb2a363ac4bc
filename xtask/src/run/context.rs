// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every step of the work needs.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::run::cache::Cache;
use crate::run::compiler::Toolchain;
use crate::run::event::{Cached, Event, Step};
use crate::sys::lock::Lock;

/// How guests are accelerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AccelChoice {
    /// KVM where it works, else TCG, and says which.
    Auto,
    /// KVM, or nothing.
    Kvm,
    /// Emulation.
    Tcg,
}

/// What the user decided about the running.
#[derive(Debug, Clone)]
pub struct Options {
    /// Guests at once; kernels are built one after the other.
    pub jobs: usize,
    /// The accelerator.
    pub accel: AccelChoice,
    /// Replaces the guest's deadline of `lab.toml`.
    pub deadline: Option<Duration>,
    /// Stop at the first cell that does not pass.
    pub fail_fast: bool,
    /// How often a cell is tried again after trouble of the lab's own.
    pub retries: u32,
    /// A kernel that the user built, instead of building one.
    pub kernel: Option<PathBuf>,
    /// What becomes of checks that a crash has cut off.
    pub cut_off: CutOff,
}

/// What becomes of checks that a crash has cut off before they began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutOff {
    /// They run once more, in a guest of their own.
    RunAgain,
    /// They stay as they are.
    Left,
}

/// What every step of the work needs.
pub struct Context<'a> {
    /// The configuration.
    pub lab: &'a Lab,
    /// The cache.
    pub cache: &'a Cache,
    /// The compiler, once it has been asked.
    pub toolchain: Toolchain,
    /// What the user decided.
    pub options: &'a Options,
    /// Where files of this run go.
    pub folder: PathBuf,
    events: Sender<Event>,
}

impl<'a> Context<'a> {
    /// A context that sends its events to `events`.
    pub fn new(
        lab: &'a Lab,
        cache: &'a Cache,
        toolchain: Toolchain,
        options: &'a Options,
        folder: PathBuf,
        events: Sender<Event>,
    ) -> Self {
        Self { lab, cache, toolchain, options, folder, events }
    }

    /// Tells what happened. If nobody listens any more, the run is over anyway.
    pub fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Tells something that is no outcome.
    pub fn note(&self, text: impl Into<String>) {
        self.tell(Event::Note(text.into()));
    }

    /// Starts the clock of a step.
    pub fn timer(&self, step: Step, subject: &str) -> StepTimer {
        StepTimer { step, subject: subject.to_owned(), started: Instant::now() }
    }

    /// Tells that a step really has something to do, and what.
    pub fn announce(&self, timer: &StepTimer, detail: &str) {
        let (step, subject) = (timer.step, timer.subject.clone());
        self.tell(Event::Begin { step, subject, detail: detail.to_owned() });
    }

    /// Tells that a step has ended.
    pub fn done(&self, timer: StepTimer, detail: impl Into<String>, cached: Cached) -> Duration {
        let took = timer.started.elapsed();
        self.tell(Event::Done {
            step: timer.step,
            subject: timer.subject,
            detail: detail.into(),
            took,
            cached,
        });
        took
    }

    /// Takes a lock, telling what is waited for.
    ///
    /// # Errors
    /// As [`crate::sys::lock::lock`].
    pub fn lock(&self, path: &std::path::Path, what: &str) -> anyhow::Result<Lock> {
        crate::sys::lock::lock(path, what, &|text| self.tell(Event::Waiting(text.to_owned())))
    }

    /// Takes a place among all labs of this machine.
    ///
    /// # Errors
    /// As [`crate::sys::lock::slot`].
    pub fn slot(&self, kind: &str, count: usize) -> anyhow::Result<Lock> {
        crate::sys::lock::slot(kind, count, &|text| self.tell(Event::Waiting(text.to_owned())))
    }
}

/// A step that is under way.
pub struct StepTimer {
    step: Step,
    subject: String,
    started: Instant,
}
