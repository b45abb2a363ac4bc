// SPDX-License-Identifier: MIT OR Apache-2.0
//! System calls that are made for real under a chain of filters, and what must come of them.
//!
//! The expectation comes from [`crate::interpret`] alone: no table of the cache, no walk. So it holds for a kernel with
//! the cache and for one without, and a call that the cache lets through wrongly shows.
//!
//! The request, little-endian: `SLBQ`, u32 version, u32 cases; per case u32 id, u32 filters, per filter u32 number of
//! instructions and 8 bytes an instruction (oldest filter first), u32 calls, per call u32 entry (0 `syscall`, 1
//! `int $0x80`), u32 number, six u64 arguments. The answer is described in [`answer`].

use std::fmt;

use crate::data::SeccompData;
use crate::insn::Insn;
use crate::tables::{Arch, Kernel, Table};

pub mod answer;
pub mod cases;
pub mod expect;
pub mod judge;

pub use cases::cases;
pub use judge::judge;

/// What a request begins with.
pub const MAGIC: [u8; 4] = *b"SLBQ";

/// The version of both formats.
pub const VERSION: u32 = 1;

/// The most filters of a case and the most calls of a case that the guest program takes.
pub const COUNT_MAX: usize = 8192;

/// What is known of the kernel and of the program that makes the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The system call tables. A 64-bit kernel without the compat table has no `int $0x80`.
    pub kernel: Kernel,
    /// What the guest program was compiled for.
    pub program: Word,
    /// Whether x32 numbers reach their calls: the config symbol, and where the tree has it the boot parameter.
    pub x32: X32,
}

/// What a program was compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// 32 bits.
    Bits32,
    /// 64 bits.
    Bits64,
}

impl Word {
    /// The number of bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits32 => 32,
            Self::Bits64 => 64,
        }
    }
}

/// What a kernel does with x32 numbers that its filters allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum X32 {
    /// It makes the call.
    Enabled,
    /// It answers ENOSYS.
    Disabled,
}

impl Facts {
    /// The instructions by which the program can make calls.
    #[must_use]
    pub const fn entries(&self) -> &'static [Entry] {
        match self.program {
            Word::Bits32 => &[Entry::Int80],
            Word::Bits64 => &[Entry::Syscall, Entry::Int80],
        }
    }

    /// The table of an architecture, where the kernel has one.
    #[must_use]
    pub fn table(&self, arch: Arch) -> Option<Table> {
        self.kernel.tables().find(|table| table.arch == arch)
    }
}

/// The instruction that makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// `syscall`: 64-bit x86, and x32 by the number.
    Syscall,
    /// `int $0x80`: 32-bit x86, from a program of either kind.
    Int80,
}

impl Entry {
    /// The architecture that filters see.
    #[must_use]
    pub const fn arch(self) -> Arch {
        match self {
            Self::Syscall => Arch::X86_64,
            Self::Int80 => Arch::Ia32,
        }
    }

    /// The instruction pointer that filters see: behind the instruction, which stands at an address that
    /// `guest/call_task.h` has as well. Both instructions are two bytes long.
    #[must_use]
    pub const fn instruction_pointer(self) -> u64 {
        match self {
            Self::Syscall => 0x1000_0002,
            Self::Int80 => 0x1000_0012,
        }
    }

    const fn code(self) -> u32 {
        match self {
            Self::Syscall => 0,
            Self::Int80 => 1,
        }
    }
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// How it is made.
    pub entry: Entry,
    /// Its number.
    pub nr: i32,
    /// Its arguments; those of `int $0x80` are 32 bits wide.
    pub args: [u64; 6],
}

impl Call {
    /// A call without arguments.
    #[must_use]
    pub const fn plain(entry: Entry, nr: i32) -> Self {
        Self { entry, nr, args: [0; 6] }
    }

    /// The call that filters see as `data`. `None` where the program cannot make such a call: another architecture,
    /// 64-bit arguments of a 32-bit call, an instruction pointer that is neither 0 (any) nor the instruction's own.
    #[must_use]
    pub fn of(facts: &Facts, data: &SeccompData) -> Option<Self> {
        let entry = facts.entries().iter().copied().find(|entry| entry.arch().audit() == data.arch)?;
        let elsewhere = ![0, entry.instruction_pointer()].contains(&data.instruction_pointer);
        let too_wide = entry == Entry::Int80 && data.args.iter().any(|arg| *arg > u64::from(u32::MAX));
        if elsewhere || too_wide {
            return None;
        }
        Some(Self { entry, nr: data.nr, args: data.args })
    }

    /// What filters see of it.
    #[must_use]
    pub fn data(&self) -> SeccompData {
        let mask = match self.entry {
            Entry::Syscall => u64::MAX,
            Entry::Int80 => u64::from(u32::MAX),
        };
        SeccompData {
            nr: self.nr,
            arch: self.entry.arch().audit(),
            instruction_pointer: self.entry.instruction_pointer(),
            args: self.args.map(|arg| arg & mask),
        }
    }
}

/// A chain and calls to make under it. A call that ends its task is followed by a new task under the same chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCase {
    /// The name of the sub-result, which comes once for each setting of the JIT.
    pub name: String,
    /// What it is about, in one line.
    pub doc: String,
    /// The filters, oldest first; all but the newest must allow `seccomp()`.
    pub filters: Vec<Vec<Insn>>,
    /// The calls.
    pub calls: Vec<Call>,
}

/// The number of something that the guest program does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany(pub usize);

/// The request for cases; the id of a case is its place.
///
/// # Errors
/// Numbers that are past [`COUNT_MAX`] or, of instructions, past [`crate::request::FILTER_INSNS_MAX`].
pub fn request(cases: &[CallCase]) -> Result<Vec<u8>, TooMany> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(count(cases.len(), usize::MAX)?);
    for (id, case) in (0_u32..).zip(cases) {
        bytes.extend(id.to_le_bytes());
        bytes.extend(count(case.filters.len(), COUNT_MAX)?);
        for insns in &case.filters {
            bytes.extend(count(insns.len(), crate::request::FILTER_INSNS_MAX)?);
            bytes.extend(insns.iter().flat_map(|insn| insn.to_bytes()));
        }
        bytes.extend(count(case.calls.len(), COUNT_MAX)?);
        for Call { entry, nr, args } in &case.calls {
            bytes.extend(entry.code().to_le_bytes());
            bytes.extend(nr.to_le_bytes());
            bytes.extend(args.iter().flat_map(|arg| arg.to_le_bytes()));
        }
    }
    Ok(bytes)
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases, filters, instructions or calls at one place are too many for a request", self.0)
    }
}

impl std::error::Error for TooMany {}

fn count(len: usize, len_max: usize) -> Result<[u8; 4], TooMany> {
    let number = u32::try_from(len).map_err(|_| TooMany(len))?;
    if len > len_max { Err(TooMany(len)) } else { Ok(number.to_le_bytes()) }
}

#[cfg(test)]
mod tests;
