// SPDX-License-Identifier: MIT OR Apache-2.0
//! One filter that the kernel's checker accepts.
//!
//! Source: `bpf_check_basics_ok`, `bpf_check_classic`, `check_load_and_stores` and `bpf_convert_filter` in
//! `net/core/filter.c`, `seccomp_check_filter` in `kernel/seccomp.c`, in that order.

use std::fmt;

use crate::data::Field;
use crate::errno;
use crate::insn::{Arithmetic, Insn, Op, Operand, Test};

/// `BPF_MAXINSNS`: the longest program.
pub const INSNS_MAX: usize = 4096;

/// `BPF_MEMWORDS`: scratch cells.
pub const MEMORY_CELLS: u32 = 16;

/// A filter that the kernel accepts.
///
/// So: every jump ends inside, no load leaves `struct seccomp_data`, the last instruction returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    insns: Vec<Insn>,
    ops: Vec<Op>,
}

/// Why the kernel refuses a filter, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The instruction, from 0; for a program that is too short or too long, the length that it has.
    pub at: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What the checker finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No instruction at all.
    Empty,
    /// More than [`INSNS_MAX`] instructions.
    TooLong,
    /// An opcode that seccomp does not admit.
    Opcode(u16),
    /// A division by the constant 0.
    DivisionByZero,
    /// A shift by a constant of 32 or more.
    Shift(u32),
    /// A scratch cell that does not exist.
    Cell(u32),
    /// A jump whose target, given as an instruction, is outside.
    JumpTarget(u64),
    /// A last instruction that is no return.
    NoReturn,
    /// A load from a scratch cell that some path leaves unwritten.
    UnwrittenCell(u32),
    /// A load from an offset that is unaligned or outside `struct seccomp_data`.
    Offset(u32),
}

impl Refusal {
    /// The error that `seccomp()` gives: EINVAL for all of them.
    #[must_use]
    pub fn errno(&self) -> u16 {
        errno::EINVAL
    }
}

impl Program {
    /// Checks a filter as the kernel does when it is attached.
    ///
    /// # Errors
    ///
    /// The first thing that the kernel would stop at. It checks constants and jumps of the whole program, then its last
    /// instruction, then scratch cells along the paths, then the offsets of loads. One thing is told earlier than the
    /// kernel finds it: an opcode that sockets may use and seccomp may not.
    pub fn check(insns: &[Insn]) -> Result<Self, Refusal> {
        if insns.is_empty() {
            return Err(Refusal { at: 0, fault: Fault::Empty });
        }
        if insns.len() > INSNS_MAX {
            return Err(Refusal { at: insns.len(), fault: Fault::TooLong });
        }
        let mut ops = Vec::with_capacity(insns.len());
        for (at, insn) in insns.iter().enumerate() {
            let op = insn.op().ok_or(Refusal { at, fault: Fault::Opcode(insn.code) })?;
            check_constants(at, insns.len(), op).map_err(|fault| Refusal { at, fault })?;
            ops.push(op);
        }
        if !matches!(ops.last(), Some(Op::Return(_) | Op::ReturnA)) {
            return Err(Refusal { at: insns.len() - 1, fault: Fault::NoReturn });
        }
        check_cells(&ops)?;
        for (at, op) in ops.iter().enumerate() {
            match *op {
                Op::Load(offset) if Field::at(offset).is_none() => {
                    return Err(Refusal { at, fault: Fault::Offset(offset) });
                }
                _ => {}
            }
        }
        Ok(Self { insns: insns.to_vec(), ops })
    }

    /// The instructions as they were given.
    #[must_use]
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// The instructions decoded.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// `prog->len`: the length after the kernel converted the program to eBPF, which is what the limit on a chain
    /// counts (`bpf_convert_filter`, `seccomp_attach_filter`). Constant blinding (`bpf_jit_harden`) would add to it.
    #[must_use]
    pub fn converted_len(&self) -> usize {
        const PROLOGUE: usize = 3;
        PROLOGUE + self.ops.iter().map(|op| converted_len(*op)).sum::<usize>()
    }
}

/// What can be said of an instruction without looking at others (`bpf_check_classic`).
fn check_constants(at: usize, len: usize, op: Op) -> Result<(), Fault> {
    let inside = |distance: u32| {
        let target = at as u64 + 1 + u64::from(distance);
        if target < len as u64 { Ok(()) } else { Err(Fault::JumpTarget(target)) }
    };
    match op {
        Op::Arithmetic(Arithmetic::Div, Operand::K(0)) => Err(Fault::DivisionByZero),
        Op::Arithmetic(Arithmetic::Lsh | Arithmetic::Rsh, Operand::K(k)) if k >= 32 => Err(Fault::Shift(k)),
        Op::LoadMemory(_, cell) | Op::Store(_, cell) if cell >= MEMORY_CELLS => Err(Fault::Cell(cell)),
        Op::Jump(distance) => inside(distance),
        Op::Branch { jt, jf, .. } => inside(u32::from(jt)).and_then(|()| inside(u32::from(jf))),
        _ => Ok(()),
    }
}

/// Refuses a load from a scratch cell that some path leaves unwritten (`check_load_and_stores`).
///
/// One pass suffices, since jumps only go forward. Two habits of the kernel are kept: what follows a jump and is no
/// target counts as having every cell written, and what follows a return inherits what the return saw.
fn check_cells(ops: &[Op]) -> Result<(), Refusal> {
    const ALL: u16 = u16::MAX;
    let mut written_at = vec![ALL; ops.len()];
    let mut written = 0;
    for (at, op) in ops.iter().enumerate() {
        written &= written_at[at];
        let mut flows_to = |distance: usize, written: u16| {
            if let Some(mask) = written_at.get_mut(at + 1 + distance) {
                *mask &= written;
            }
        };
        match *op {
            Op::Store(_, cell) => written |= 1 << cell,
            Op::LoadMemory(_, cell) if written & (1 << cell) == 0 => {
                return Err(Refusal { at, fault: Fault::UnwrittenCell(cell) });
            }
            Op::Jump(distance) => {
                flows_to(distance as usize, written);
                written = ALL;
            }
            Op::Branch { jt, jf, .. } => {
                flows_to(usize::from(jt), written);
                flows_to(usize::from(jf), written);
                written = ALL;
            }
            _ => {}
        }
    }
    Ok(())
}

/// How many eBPF instructions `bpf_convert_filter` makes of one of a seccomp filter.
fn converted_len(op: Op) -> usize {
    match op {
        // Moves X, tests it for zero, and returns 0 if it is.
        Op::Arithmetic(Arithmetic::Div, Operand::X) => 5,
        Op::Branch { test, against, jt, jf } => {
            // eBPF's constants are signed: a large one goes through a register.
            let constant = usize::from(matches!(against, Operand::K(k) if k > i32::MAX.cast_unsigned()));
            let one_jump = jf == 0 || (jt == 0 && test != Test::AnyBit);
            constant + if one_jump { 1 } else { 2 }
        }
        Op::Return(_) => 2,
        _ => 1,
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Empty => f.write_str("a program without instructions"),
            Fault::TooLong => write!(f, "{} instructions, at most {INSNS_MAX} are allowed", self.at),
            fault => write!(f, "instruction {}: {fault}", self.at),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no instruction"),
            Self::TooLong => f.write_str("too many instructions"),
            Self::Opcode(code) => write!(f, "opcode {code:#x} is not admitted"),
            Self::DivisionByZero => f.write_str("division by the constant 0"),
            Self::Shift(k) => write!(f, "shift by the constant {k}"),
            Self::Cell(cell) => write!(f, "scratch cell {cell} of {MEMORY_CELLS}"),
            Self::JumpTarget(target) => write!(f, "jump to instruction {target}, outside the program"),
            Self::NoReturn => f.write_str("the last instruction is no return"),
            Self::UnwrittenCell(cell) => write!(f, "some path leaves scratch cell {cell} unwritten"),
            Self::Offset(offset) => {
                write!(f, "load from offset {offset}, unaligned or outside struct seccomp_data")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// A listing, one numbered line an instruction.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, insn) in self.insns.iter().enumerate() {
            writeln!(f, "{at:4}: {insn}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
