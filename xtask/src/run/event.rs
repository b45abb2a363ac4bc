// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events: the whole contract between the engine and those who tell about it.

use std::time::Duration;

use crate::record::model::{CellRecord, TreeRecord};

/// Something that happened, or is about to.
#[derive(Debug, Clone)]
pub enum Event {
    /// The lab waits for another one.
    Waiting(String),
    /// Something a person should know that is no outcome.
    Note(String),
    /// A step has something to do that may take a while.
    Begin {
        /// Which one.
        step: Step,
        /// Of what: `5.10`, `5.10/seccomp-cache@5/x86_64`.
        subject: String,
        /// What it is about.
        detail: String,
    },
    /// A kernel build has come some way.
    Built {
        /// Of what.
        subject: String,
        /// Objects made so far.
        objects: u64,
        /// Objects expected in all.
        expected: u64,
    },
    /// A step has ended.
    Done {
        /// Which one.
        step: Step,
        /// Of what.
        subject: String,
        /// What came of it, in a few words.
        detail: String,
        /// How long it took.
        took: Duration,
        /// Whether it was found in the cache.
        cached: Cached,
    },
    /// What a tree turned out to be.
    Tree {
        /// Its name.
        name: String,
        /// What it is.
        record: TreeRecord,
    },
    /// A guest has come some way.
    Guest {
        /// The cell.
        cell: String,
        /// How far.
        progress: GuestProgress,
    },
    /// A cell has its verdict.
    Cell(Box<CellRecord>),
}

/// A step of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Fetching and importing a tree.
    Fetch,
    /// Applying a series.
    Apply,
    /// Configuring and building a kernel.
    Build,
    /// Building guest programs.
    Programs,
    /// A static check.
    Check,
    /// Finding out what KVM can do.
    Probe,
}

impl Step {
    /// The word for it while it goes on.
    pub fn doing(self) -> &'static str {
        match self {
            Step::Fetch => "FETCHING",
            Step::Apply => "APPLYING",
            Step::Build => "BUILDING",
            Step::Programs => "COMPILING",
            Step::Check => "CHECKING",
            Step::Probe => "PROBING",
        }
    }

    /// The word for it when it has ended.
    pub fn done(self) -> &'static str {
        match self {
            Step::Fetch => "FETCHED",
            Step::Apply => "APPLIED",
            Step::Build => "BUILT",
            Step::Programs => "COMPILED",
            Step::Check => "CHECKED",
            Step::Probe => "PROBED",
        }
    }
}

/// Whether something was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cached {
    /// It was.
    Yes,
    /// It was made.
    No,
}

/// How far a guest has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestProgress {
    /// QEMU runs.
    Started,
    /// Init has spoken.
    Booted,
    /// A check has begun.
    Check(String),
}
