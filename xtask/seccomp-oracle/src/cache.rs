// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bitmaps that a kernel keeps for a chain of filters, and the text that it shows for them.
//!
//! Source: patches 1, 2 and 5 of the series: `struct action_cache`, the preparation at attach, the lookup, and
//! `/proc/<pid>/seccomp_cache`.

use std::fmt;
use std::fmt::Write as _;

use crate::program::Program;
use crate::tables::{Arch, Kernel, Table};
use crate::walk::{Verdict, walk};

/// The bits of one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    arch: Arch,
    bits: Vec<bool>,
}

/// The bits of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmaps {
    /// Those of the native architecture.
    pub native: Bitmap,
    /// Those of the compat architecture, where there is one.
    pub compat: Option<Bitmap>,
}

/// The bitmaps that belong to a chain, oldest filter first.
///
/// The first filter starts full, every other one with its predecessor's bits, and each clears what it does not always
/// allow: so a bit says that all filters are constant allows. Numbers that are always allowed stay set.
#[must_use]
pub fn expected(kernel: &Kernel, chain: &[Program]) -> Bitmaps {
    let none: &[u32] = &[];
    Bitmaps {
        native: bitmap(kernel.native, &kernel.always_allowed_native, chain),
        compat: kernel.compat.map(|table| bitmap(table, none, chain)),
    }
}

/// The text of `/proc/<pid>/seccomp_cache` for a task with this chain; empty for a task without filters.
#[must_use]
pub fn expected_dump(kernel: &Kernel, chain: Option<&[Program]>) -> String {
    match chain {
        None | Some([]) => String::new(),
        Some(chain) => expected(kernel, chain).dump(),
    }
}

fn bitmap(table: Table, always_allowed: &[u32], chain: &[Program]) -> Bitmap {
    let is_kept = |nr: u32| {
        always_allowed.contains(&nr)
            || chain.iter().all(|program| walk(program.insns(), nr, table.arch.audit()).is_constant_allow())
    };
    Bitmap { arch: table.arch, bits: (0..table.count).map(is_kept).collect() }
}

impl Bitmap {
    /// The architecture.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Whether a number is in the cache; never, if it is below 0 or past the end.
    #[must_use]
    pub fn allows(&self, nr: i32) -> bool {
        usize::try_from(nr).is_ok_and(|nr| self.bits.get(nr).copied().unwrap_or(false))
    }

    /// How many numbers are in the cache.
    #[must_use]
    pub fn allowed_count(&self) -> usize {
        self.bits.iter().filter(|bit| **bit).count()
    }

    /// How many numbers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bits.len()
    }

    /// Whether there are no numbers at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }

    /// The bits, by number.
    #[must_use]
    pub fn bits(&self) -> &[bool] {
        &self.bits
    }
}

impl Bitmaps {
    /// The lookup of a system call (`seccomp_cache_check_allow`): whether it is allowed before any filter runs. Where
    /// there is one architecture, the call's is not looked at; where there are two, any other is not cached.
    #[must_use]
    pub fn allows(&self, nr: i32, audit_arch: u32) -> bool {
        match &self.compat {
            None => self.native.allows(nr),
            Some(_) if audit_arch == self.native.arch.audit() => self.native.allows(nr),
            Some(compat) => audit_arch == compat.arch.audit() && compat.allows(nr),
        }
    }

    /// The bitmaps in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = &Bitmap> {
        std::iter::once(&self.native).chain(&self.compat)
    }

    /// The text of the `/proc` file: `<arch> <number> <ALLOW|FILTER>`, native first.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for bitmap in self.iter() {
            for (nr, bit) in bitmap.bits.iter().enumerate() {
                let verdict = if *bit { "ALLOW" } else { "FILTER" };
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{} {nr} {verdict}", bitmap.arch);
            }
        }
        text
    }
}

/// Why a call is in the cache or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explanation {
    /// The kernel has no such architecture.
    NoSuchArch,
    /// The number is outside the bitmap.
    OutOfRange,
    /// The number is allowed whatever the filters say.
    AlwaysAllowed,
    /// There is no filter, so there is no cache.
    NoFilter,
    /// Every filter is a constant allow.
    Cached,
    /// This filter of the chain, from 0, oldest first, is the first one that is not.
    NotCached {
        /// The filter.
        filter: usize,
        /// What the walk found there.
        verdict: Verdict,
    },
}

/// Says why a number is in the cache of a chain or not.
#[must_use]
pub fn explain(kernel: &Kernel, chain: &[Program], arch: Arch, nr: u32) -> Explanation {
    let Some(table) = kernel.tables().find(|table| table.arch == arch) else {
        return Explanation::NoSuchArch;
    };
    if nr >= table.count {
        return Explanation::OutOfRange;
    }
    if chain.is_empty() {
        return Explanation::NoFilter;
    }
    if table == kernel.native && kernel.always_allowed_native.contains(&nr) {
        return Explanation::AlwaysAllowed;
    }
    for (filter, program) in chain.iter().enumerate() {
        let verdict = walk(program.insns(), nr, arch.audit());
        if !verdict.is_constant_allow() {
            return Explanation::NotCached { filter, verdict };
        }
    }
    Explanation::Cached
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchArch => f.write_str("not cached: the kernel has no such architecture"),
            Self::OutOfRange => f.write_str("not cached: the number is outside the bitmap"),
            Self::AlwaysAllowed => f.write_str("cached: the kernel always allows it"),
            Self::NoFilter => f.write_str("not cached: there is no filter"),
            Self::Cached => f.write_str("cached: every filter allows it whatever the arguments"),
            Self::NotCached { filter, verdict } => write!(f, "not cached: filter {filter}, {verdict}"),
        }
    }
}

#[cfg(test)]
mod tests;
