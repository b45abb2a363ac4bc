// SPDX-License-Identifier: MIT OR Apache-2.0
//! A chain of filters, oldest first, that the kernel accepts one after the other.
//!
//! Source: `seccomp_attach_filter` in `kernel/seccomp.c`.

use std::fmt;

use crate::errno;
use crate::insn::Insn;
use crate::program::{Program, Refusal};

/// `MAX_INSNS_PER_PATH`: 256 KiB of `struct sock_filter`, counted in converted instructions.
pub const PATH_INSNS_MAX: usize = 32768;

/// What every older filter costs on top of its instructions.
pub const OLDER_FILTER_PENALTY: usize = 4;

/// The first filter of a chain that the kernel refuses, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainRefusal {
    /// The filter, from 0, oldest first.
    pub filter: usize,
    /// What is wrong with it.
    pub fault: ChainFault,
}

/// Why a filter cannot be attached to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainFault {
    /// Its program is refused.
    Program(Refusal),
    /// With it the chain counts this many instructions, more than [`PATH_INSNS_MAX`].
    TooLong(usize),
}

impl ChainRefusal {
    /// The error that `seccomp()` gives for that filter.
    #[must_use]
    pub fn errno(&self) -> u16 {
        match self.fault {
            ChainFault::Program(refusal) => refusal.errno(),
            ChainFault::TooLong(_) => errno::ENOMEM,
        }
    }
}

/// Checks filters in the order in which they are attached, oldest first.
///
/// # Errors
///
/// The first filter that the kernel refuses.
pub fn check(filters: &[Vec<Insn>]) -> Result<Vec<Program>, ChainRefusal> {
    let mut programs = Vec::new();
    let mut older_insns = 0;
    for (filter, insns) in filters.iter().enumerate() {
        let refuse = |fault| ChainRefusal { filter, fault };
        let program = Program::check(insns).map_err(|refusal| refuse(ChainFault::Program(refusal)))?;
        let len = program.converted_len();
        if older_insns + len > PATH_INSNS_MAX {
            return Err(refuse(ChainFault::TooLong(older_insns + len)));
        }
        older_insns += len + OLDER_FILTER_PENALTY;
        programs.push(program);
    }
    Ok(programs)
}

impl fmt::Display for ChainRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter {}: {}", self.filter, self.fault)
    }
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(refusal) => refusal.fmt(f),
            Self::TooLong(total) => {
                write!(f, "the chain would count {total} instructions, at most {PATH_INSNS_MAX} are allowed")
            }
        }
    }
}

impl std::error::Error for ChainRefusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::ALLOW;
    use crate::program::Fault;

    /// A filter that counts `len` + 4 instructions: three in front, and a return counts twice.
    fn filter(len: usize) -> Vec<Insn> {
        let mut insns = vec![Insn::load_nr(); len - 1];
        insns.push(Insn::ret(ALLOW));
        insns
    }

    #[test]
    fn converted_instructions_and_penalties_are_counted() {
        let mut filters = vec![filter(4096); 7];
        filters.push(filter(PATH_INSNS_MAX - 7 * (4100 + 4) - 4));
        assert_eq!(check(&filters).unwrap().len(), 8);
        filters[7].push(Insn::ret(ALLOW));
        // A second return at the end counts twice.
        let refusal = check(&filters).unwrap_err();
        assert_eq!(refusal, ChainRefusal { filter: 7, fault: ChainFault::TooLong(PATH_INSNS_MAX + 2) });
        assert_eq!(refusal.errno(), 12);
        assert_eq!(
            refusal.to_string(),
            "filter 7: the chain would count 32770 instructions, at most 32768 are allowed"
        );
    }

    #[test]
    fn the_newest_filter_pays_no_penalty() {
        // 5 each: (5 + 4) n + 5 <= 32768, so 3640 of them under the last one.
        let mut filters = vec![vec![Insn::ret(ALLOW)]; 3641];
        assert!(check(&filters).is_ok());
        filters.push(vec![Insn::ret(ALLOW)]);
        assert_eq!(check(&filters).unwrap_err().filter, 3641);
    }

    #[test]
    fn a_bad_program_is_named() {
        let refusal = check(&[filter(2), vec![Insn::ja(0)], vec![]]).unwrap_err();
        assert_eq!(refusal.filter, 1);
        assert_eq!(refusal.errno(), 22);
        let fault = Fault::JumpTarget(1);
        assert_eq!(refusal.fault, ChainFault::Program(Refusal { at: 0, fault }));
    }

    #[test]
    fn no_filter_is_a_chain() {
        assert_eq!(check(&[]).unwrap(), []);
    }
}
