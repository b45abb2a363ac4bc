// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fixed chains of the check `seccomp_cache.dump`: every property of the walk, the edges of its tests, chains, and
//! programs that a kernel must refuse.
//!
//! A filter that has others after it allows `seccomp()` itself on both architectures, so that they can be attached.

use crate::insn::Insn;
use crate::request::{self, Chain, TooMuch};
use crate::tables::{Arch, Kernel};

mod chained;
mod edges;
mod opcodes;
mod refused;
mod simple;

/// A chain with a name: what is asked, and what its verdict is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedChain {
    /// The name.
    pub name: String,
    /// The filters, oldest first; no filter at all is a chain too.
    pub filters: Vec<Vec<Insn>>,
}

/// A chain that was made by hand for one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The name of the sub-result.
    pub name: String,
    /// What it is about, in one line.
    pub doc: String,
    /// The filters, oldest first; no filter at all is a case too.
    pub filters: Vec<Vec<Insn>>,
    /// What a person counted for it, by which the tests of this crate hold the model.
    pub golden: Golden,
}

/// What a person counted for a case on [`golden_kernel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Golden {
    /// The file is empty.
    Empty,
    /// So many numbers are in the cache.
    Allowed {
        /// Of the native architecture's.
        x86_64: usize,
        /// Of the compat architecture's.
        ia32: usize,
    },
    /// The kernel refuses this filter with this error.
    Refused {
        /// The filter, from 0, oldest first.
        filter: usize,
        /// The error.
        errno: u16,
    },
}

/// The kernel that the golden counts are for: 64-bit x86 of Linux 5.10 with `IA32_EMULATION`.
#[must_use]
pub fn golden_kernel() -> Kernel {
    Kernel::native(Arch::X86_64, 441).with_compat(Arch::Ia32, 441)
}

/// All cases. Their order, and so their ids, may change from version to version; their names do not.
#[must_use]
pub fn cases() -> Vec<Case> {
    [simple::cases(), edges::cases(), opcodes::cases(), chained::cases(), refused::cases()].concat()
}

/// The chains of all cases.
#[must_use]
pub fn named() -> Vec<NamedChain> {
    cases().into_iter().map(|case| NamedChain { name: case.name, filters: case.filters }).collect()
}

/// The file that asks the guest program for chains: a chain's id is its place.
///
/// # Errors
///
/// Chains that do not fit the file format.
pub fn request(named: &[NamedChain]) -> Result<Vec<u8>, TooMuch> {
    let chains: Vec<Chain> =
        (0..).zip(named).map(|(id, chain)| Chain { id, filters: chain.filters.clone() }).collect();
    request::encode(&chains)
}

/// A case with the same counts for both architectures.
fn both(name: &str, doc: &str, filters: Vec<Vec<Insn>>, count: usize) -> Case {
    counted(name, doc, filters, count, count)
}

fn counted(name: &str, doc: &str, filters: Vec<Vec<Insn>>, x86_64: usize, ia32: usize) -> Case {
    Case { name: name.into(), doc: doc.into(), filters, golden: Golden::Allowed { x86_64, ia32 } }
}

#[cfg(test)]
mod tests;
