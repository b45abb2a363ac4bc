// SPDX-License-Identifier: MIT OR Apache-2.0
//! The constant-allow walk: does a filter allow a call whatever its arguments, by its number and architecture alone?
//!
//! Source: the behaviour of patch 2 of the series (`seccomp_is_const_allow`). It is deliberately narrow: many filters
//! that always allow a call are not found by it, and a model that found more would be wrong. It reads raw opcodes,
//! checked or not, so that it shares nothing with [`crate::interpret`].

use std::fmt;

use crate::action;
use crate::data::{self, Field};
use crate::insn::Insn;
use crate::opcode;

/// What the walk finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The filter allows the call whatever its arguments.
    ConstantAllow,
    /// The walk cannot tell, or the filter does not allow.
    Not {
        /// The instruction that settles it.
        at: usize,
        /// What is in its way.
        why: Reason,
    },
}

/// Why the walk answers no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A load of something that differs from call to call, at this offset of `struct seccomp_data`.
    Loads(u32),
    /// An instruction that the walk does not follow.
    NotFollowed(Insn),
    /// A return of something that is not exactly `SECCOMP_RET_ALLOW`.
    Returns(u32),
    /// There is no instruction there: the program was never checked.
    RanOffTheEnd,
}

/// Walks a filter for one system call number and `AUDIT_ARCH_*` value.
///
/// The accumulator starts at 0, as it does when the filter runs. Every jump goes forward, so the walk ends after at
/// most as many steps as there are instructions.
#[must_use]
pub fn walk(insns: &[Insn], nr: u32, arch: u32) -> Verdict {
    let mut accumulator: u32 = 0;
    let mut at: usize = 0;
    while let Some(insn) = insns.get(at) {
        let k = insn.k;
        let branch = |holds: bool| u32::from(if holds { insn.jt } else { insn.jf });
        let mut skipped = 0;
        match insn.code {
            opcode::LD_W_ABS => match k {
                data::NR => accumulator = nr,
                data::ARCH => accumulator = arch,
                offset => return Verdict::Not { at, why: Reason::Loads(offset) },
            },
            opcode::AND_K => accumulator &= k,
            opcode::JA => skipped = k,
            opcode::JEQ_K => skipped = branch(accumulator == k),
            opcode::JGE_K => skipped = branch(accumulator >= k),
            opcode::JGT_K => skipped = branch(accumulator > k),
            opcode::JSET_K => skipped = branch(accumulator & k != 0),
            opcode::RET_K if k == action::ALLOW => return Verdict::ConstantAllow,
            opcode::RET_K => return Verdict::Not { at, why: Reason::Returns(k) },
            _ => return Verdict::Not { at, why: Reason::NotFollowed(*insn) },
        }
        at = at.saturating_add(1).saturating_add(skipped as usize);
    }
    Verdict::Not { at, why: Reason::RanOffTheEnd }
}

impl Verdict {
    /// Whether the call may be kept in the cache as far as this filter goes.
    #[must_use]
    pub fn is_constant_allow(self) -> bool {
        self == Self::ConstantAllow
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConstantAllow => f.write_str("allowed whatever the arguments"),
            Self::Not { at, why } => write!(f, "instruction {at} {why}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loads(offset) => match Field::at(*offset) {
                Some(field) => write!(f, "loads {field}"),
                None => write!(f, "loads offset {offset}"),
            },
            Self::NotFollowed(insn) => write!(f, "is not followed: {insn}"),
            Self::Returns(value) => write!(f, "returns {}", action::describe(*value)),
            Self::RanOffTheEnd => f.write_str("is past the end"),
        }
    }
}

#[cfg(test)]
mod tests;
