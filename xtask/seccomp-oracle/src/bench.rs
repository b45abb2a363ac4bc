// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the cache costs and saves, in guest instructions: what is measured, and which relations must hold.
//!
//! A guest program (`guest/count.c`) measures under QEMU's instruction counting, where the time stamp counter counts
//! instructions. Figures are exact: the same kernel has the same ones on every host, so relations between them are
//! judged without a tolerance.
//!
//! The request, little-endian: `SLMQ`, u32 version, u32 measurements; per measurement u32 kind, u32 filters, per filter
//! u32 number of instructions and 8 bytes an instruction (oldest filter first), u32 number of the call, six u64
//! arguments, u32 count, u32 samples. The answer is described in [`answer`].

use crate::calls::Facts;
use crate::insn::Insn;

pub mod answer;
mod attach;
mod filters;
mod judge;
mod list;

pub use filters::{NATIVE, NUMBER};
pub use judge::{BYTES, Figures, IRQS_OFF, Section, judge};
pub use list::list;

/// What a request begins with.
pub const MAGIC: [u8; 4] = *b"SLMQ";

/// The version of both formats.
pub const VERSION: u32 = 1;

/// Instructions of the loop around the calls of `guest/counted.h`, without the one that enters the kernel.
pub const LOOP: u64 = 3;

/// What a check measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `getpid()` under chains of different lengths.
    Calls,
    /// Calls under filters that people run.
    Filters,
    /// Attaching a filter.
    Attach,
    /// Reading the cache's file.
    Read,
    /// Memory that a filter takes.
    Memory,
    /// A few of all, to be taken apart by function.
    Profile,
}

impl Part {
    /// All of them, by the names that `lab.toml` has for them.
    pub const ALL: [(&'static str, Self); 6] = [
        ("calls", Self::Calls),
        ("filters", Self::Filters),
        ("attach", Self::Attach),
        ("read", Self::Read),
        ("memory", Self::Memory),
        ("profile", Self::Profile),
    ];
}

/// The kernel that is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its tables, and what the program is compiled for.
    pub facts: Facts,
    /// Whether it has the cache.
    pub cache: Presence,
    /// Whether it has the file that shows the cache.
    pub file: Presence,
    /// Whether it has the interpreter: the JIT is off then.
    pub interpreter: Presence,
}

/// Whether a kernel has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It has.
    There,
    /// It has not.
    Absent,
}

/// What figures may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// What an uncached call pays besides its filters and beyond what a cached call pays, in instructions.
    pub surcharge_max: u64,
    /// Attaching any program, in instructions.
    pub attach_max: u64,
}

/// A filter that people run.
pub type NamedFilters = (String, Vec<Vec<Insn>>);

/// One measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// The name of its figure.
    pub name: String,
    /// What is measured.
    pub what: What,
    /// The filters, oldest first.
    pub filters: Vec<Vec<Insn>>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A call under the filters, in a loop.
    Calls(Call),
    /// Attaching the newest of the filters.
    Attach {
        /// How often, in a task of its own each time.
        samples: u32,
    },
    /// Reading the file from its beginning to its end.
    Read,
    /// Attaching the newest filter so many times, and as many times again.
    Memory {
        /// How many times.
        count: u32,
    },
}

/// A call, made by the instruction of the program's own architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub nr: u32,
    /// Its arguments.
    pub args: [u64; 6],
}

/// Calls of one loop: few enough that most loops see no timer interrupt, which comes every few million instructions.
const LOOP_CALLS: u32 = 100;

/// Loops of each length; the shortest counts.
const LOOP_SAMPLES: u32 = 8;

/// Readings of the file.
const READ_SAMPLES: u32 = 8;

impl Measurement {
    const fn kind(&self) -> u32 {
        match self.what {
            What::Calls(_) => 0,
            What::Attach { .. } => 1,
            What::Read => 2,
            What::Memory { .. } => 3,
        }
    }

    /// How many calls the shortest of its sections has.
    #[must_use]
    pub fn calls(&self) -> u64 {
        match self.what {
            What::Calls(_) => LOOP_CALLS.into(),
            What::Attach { .. } | What::Read | What::Memory { .. } => 1,
        }
    }

    /// Calls or filters that a value of the answer is of, and samples.
    const fn count_and_samples(&self) -> (u32, u32) {
        match self.what {
            What::Calls(_) => (LOOP_CALLS, LOOP_SAMPLES),
            What::Attach { samples } => (1, samples),
            What::Read => (1, READ_SAMPLES),
            What::Memory { count } => (count, 1),
        }
    }
}

/// The request for measurements; the id of one is its place.
#[must_use]
pub fn request(measurements: &[Measurement]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(number(measurements.len()));
    for one in measurements {
        bytes.extend(one.kind().to_le_bytes());
        bytes.extend(number(one.filters.len()));
        for insns in &one.filters {
            bytes.extend(number(insns.len()));
            bytes.extend(insns.iter().flat_map(|insn| insn.to_bytes()));
        }
        let call = match one.what {
            What::Calls(call) => call,
            _ => Call { nr: 0, args: [0; 6] },
        };
        bytes.extend(call.nr.to_le_bytes());
        bytes.extend(call.args.iter().flat_map(|arg| arg.to_le_bytes()));
        let (count, samples) = one.count_and_samples();
        bytes.extend(count.to_le_bytes());
        bytes.extend(samples.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
