// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a filter answers for one call.
//!
//! Source: classic BPF as `bpf_convert_filter` (`net/core/filter.c`) and the interpreter (`kernel/bpf/core.c`) carry it
//! out; `seccomp_run_filters` in `kernel/seccomp.c` for a chain. Shares no decoder with [`crate::walk`].

use crate::action;
use crate::data::{self, SeccompData};
use crate::insn::{Arithmetic, Op, Operand, Register, Test};
use crate::program::{MEMORY_CELLS, Program};

/// What one filter returns for a call.
#[must_use]
pub fn run(program: &Program, data: &SeccompData) -> u32 {
    run_and_see(program, data, |_| {})
}

/// The instructions that are carried out for a call, in order; the last one returns.
#[must_use]
pub fn path(program: &Program, data: &SeccompData) -> Vec<usize> {
    let mut path = Vec::new();
    run_and_see(program, data, |at| path.push(at));
    path
}

/// What a chain returns for a call; filters oldest first.
///
/// The lowest action wins, compared as a signed number without its data; among equals the newest filter's value stays.
/// ALLOW is the start, so it comes back without data. A chain without filters is a task without filters: ALLOW.
#[must_use]
pub fn run_chain(chain: &[Program], data: &SeccompData) -> u32 {
    let rank = |value: u32| (value & action::ACTION_FULL).cast_signed();
    chain.iter().rev().fold(action::ALLOW, |lowest, program| {
        let value = run(program, data);
        if rank(value) < rank(lowest) { value } else { lowest }
    })
}

/// Runs a filter and shows every instruction's index before it is carried out.
fn run_and_see(program: &Program, data: &SeccompData, mut see: impl FnMut(usize)) -> u32 {
    let mut machine = Machine { a: 0, x: 0, memory: [0; MEMORY_CELLS as usize] };
    let mut at = 0;
    while let Some(op) = program.ops().get(at) {
        see(at);
        match machine.step(*op, data) {
            Step::Skip(distance) => at = at.saturating_add(1).saturating_add(distance as usize),
            Step::Return(value) => return value,
        }
    }
    // A checked program ends in a return and no jump leaves it: never reached (a property test shows it).
    action::KILL_PROCESS
}

/// The registers and the scratch cells, all 0 at first.
struct Machine {
    a: u32,
    x: u32,
    memory: [u32; MEMORY_CELLS as usize],
}

/// How it goes on after an instruction.
enum Step {
    /// With the instruction after this many others.
    Skip(u32),
    /// Not at all.
    Return(u32),
}

impl Machine {
    fn step(&mut self, op: Op, data: &SeccompData) -> Step {
        match op {
            // `Program::check` made sure of the offset.
            Op::Load(offset) => self.a = data.word(offset).unwrap_or(0),
            Op::Immediate(register, k) => *self.register(register) = k,
            Op::Length(register) => *self.register(register) = data::SIZE,
            Op::LoadMemory(register, cell) => *self.register(register) = *self.cell(cell),
            Op::Store(register, cell) => *self.cell(cell) = *self.register(register),
            Op::Arithmetic(arithmetic, operand) => match calculate(arithmetic, self.a, self.operand(operand))
            {
                Some(result) => self.a = result,
                // A division by zero ends the filter with 0, which is KILL_THREAD.
                None => return Step::Return(0),
            },
            Op::Negate => self.a = self.a.wrapping_neg(),
            Op::Jump(distance) => return Step::Skip(distance),
            Op::Branch { test, against, jt, jf } => {
                let holds = holds(test, self.a, self.operand(against));
                return Step::Skip(u32::from(if holds { jt } else { jf }));
            }
            Op::Return(value) => return Step::Return(value),
            Op::ReturnA => return Step::Return(self.a),
            Op::Tax => self.x = self.a,
            Op::Txa => self.a = self.x,
        }
        Step::Skip(0)
    }

    fn register(&mut self, register: Register) -> &mut u32 {
        match register {
            Register::A => &mut self.a,
            Register::X => &mut self.x,
        }
    }

    fn cell(&mut self, cell: u32) -> &mut u32 {
        // `Program::check` made sure of the index; the mask only keeps this function total.
        &mut self.memory[(cell % MEMORY_CELLS) as usize]
    }

    fn operand(&self, operand: Operand) -> u32 {
        match operand {
            Operand::K(k) => k,
            Operand::X => self.x,
        }
    }
}

/// `None` for a division by zero. Shifts by a register use its low five bits.
fn calculate(arithmetic: Arithmetic, a: u32, operand: u32) -> Option<u32> {
    Some(match arithmetic {
        Arithmetic::Add => a.wrapping_add(operand),
        Arithmetic::Sub => a.wrapping_sub(operand),
        Arithmetic::Mul => a.wrapping_mul(operand),
        Arithmetic::Div => a.checked_div(operand)?,
        Arithmetic::Or => a | operand,
        Arithmetic::And => a & operand,
        Arithmetic::Lsh => a.wrapping_shl(operand),
        Arithmetic::Rsh => a.wrapping_shr(operand),
        Arithmetic::Xor => a ^ operand,
    })
}

fn holds(test: Test, a: u32, operand: u32) -> bool {
    match test {
        Test::Equal => a == operand,
        Test::Greater => a > operand,
        Test::GreaterOrEqual => a >= operand,
        Test::AnyBit => a & operand != 0,
    }
}

#[cfg(test)]
mod tests;
