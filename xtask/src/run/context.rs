// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every step of the work needs.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::plan::key::Key;
use crate::run::cache::{Cache, Found, Kind};
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

/// What the time of a guest is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChoice {
    /// The host's time.
    Host,
    /// Its own instructions, which are counted.
    Instructions(Counted),
}

/// How instructions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Whether they are told apart by their addresses.
    pub by_address: bool,
    /// The longest chain of cached filters that is measured.
    pub length_max: usize,
}

impl ClockChoice {
    /// How many times longer than in the host's time boots and checks may take.
    pub fn slower(self) -> u32 {
        match self {
            ClockChoice::Host => 1,
            // Counting costs, and no second CPU of the host helps.
            ClockChoice::Instructions(_) => 4,
        }
    }

    /// The longest chain of cached filters that is measured; none where nothing is.
    pub fn length_max(self) -> usize {
        match self {
            ClockChoice::Host => 0,
            ClockChoice::Instructions(counted) => counted.length_max,
        }
    }
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
    /// What the guests' time is made of.
    pub clock: ClockChoice,
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

impl Options {
    /// What a context has to hold where no guest is started.
    pub fn without_guests() -> Self {
        Self {
            jobs: 1,
            accel: AccelChoice::Tcg,
            deadline: None,
            fail_fast: false,
            retries: 0,
            clock: ClockChoice::Host,
            kernel: None,
            cut_off: CutOff::Left,
        }
    }
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

    /// What an earlier run found out for a request. One that is damaged is told, and found out again.
    pub fn answer<T: for<'de> serde::Deserialize<'de>>(&self, request: &Key) -> Option<T> {
        self.cache.find_answer(request).unwrap_or_else(|why| {
            self.note(format!("cached {why}; it is found out again"));
            None
        })
    }

    /// A stored object that is whole. One that is damaged is told, and made again.
    ///
    /// # Errors
    /// As [`Cache::find`].
    pub fn object(&self, kind: Kind, key: &Key) -> anyhow::Result<Option<PathBuf>> {
        Ok(match self.cache.find(kind, key)? {
            Found::Whole(folder) => Some(folder),
            Found::Nothing => None,
            Found::Damaged(what) => {
                let made = if kind == Kind::Kernel { "built" } else { "made" };
                self.note(format!("cached {what}: it is {made} again"));
                None
            }
        })
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
