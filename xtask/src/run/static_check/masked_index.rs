// SPDX-License-Identifier: MIT OR Apache-2.0
//! Is the index of a bit test masked? A forward analysis over the instructions of a function.
//!
//! A mask is what `cmp INDEX, SIZE; sbb R, R` leaves in `R`: all ones where the index is in bounds,
//! else zero, without a branch. It masks that index, whatever register or stack slot holds it, and
//! nothing else; with another size than those that are right it is no mask. A value is masked once
//! it was ANDed with a mask of its own. What is known at a bit test must hold on *every* path to it:
//! where paths meet, only what all of them know is kept. A test of a bit that is a constant of the
//! code is none: nobody chooses it.

use std::collections::BTreeMap;

use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, RflagsBits,
};

pub(super) use super::known::Known;
use super::known::Place;
use super::machine_code::Function;

/// A bit test with a variable index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BitTest {
    /// The function that it is in.
    pub(super) function: String,
    /// Its address.
    pub(super) address: u64,
    /// Whether its index is masked on every path.
    pub(super) is_masked: bool,
}

/// What a function does that this analysis asks about.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Its bit tests.
    pub(super) tests: Vec<BitTest>,
    /// The calls it makes, and what is known there.
    pub(super) calls: Vec<(u64, Known)>,
}

/// Follows a function, entered with what is known. `sizes` are those that an index may be compared
/// with for a mask.
pub(super) fn follow(function: &Function, entry: &Known, sizes: &[u64]) -> Seen {
    let code = &function.code;
    let before = known_before(code, entry, sizes);
    let mut seen = Seen::default();
    for (at, instruction) in code.iter().enumerate() {
        // What no path that we see reaches may be reached by a jump table: nothing is known there.
        let known = before[at].clone().unwrap_or_default();
        if let Some(index) = tested_index(instruction) {
            let place = Place::Register(index.full_register());
            if !known.is_constant(place) {
                seen.tests.push(BitTest {
                    function: function.name.clone(),
                    address: instruction.ip(),
                    is_masked: known.is_masked(place),
                });
            }
        }
        // A jump out of the function is a call that does not come back.
        let leaves = instruction.flow_control() == FlowControl::UnconditionalBranch
            && !code.iter().any(|other| other.ip() == instruction.near_branch_target());
        if instruction.flow_control() == FlowControl::Call || leaves {
            seen.calls.push((instruction.near_branch_target(), known.into_callee()));
        }
    }
    seen
}

/// The index register of a bit test on memory that is no static variable: those are the kernel's
/// own masks, of processors for instance.
fn tested_index(instruction: &Instruction) -> Option<Register> {
    let is_test = matches!(instruction.code(), Code::Bt_rm16_r16 | Code::Bt_rm32_r32 | Code::Bt_rm64_r64);
    let base = instruction.memory_base();
    let is_static = matches!(base, Register::None | Register::RIP | Register::EIP);
    (is_test && instruction.op0_kind() == OpKind::Memory && !is_static).then(|| instruction.op1_register())
}

/// What is known before each instruction; nothing for those that no path reaches.
fn known_before(code: &[Instruction], entry: &Known, sizes: &[u64]) -> Vec<Option<Known>> {
    let index_of: BTreeMap<u64, usize> = code.iter().enumerate().map(|(at, one)| (one.ip(), at)).collect();
    let mut before: Vec<Option<Known>> = vec![None; code.len()];
    let mut open: Vec<usize> = Vec::new();
    if let Some(first) = before.first_mut() {
        *first = Some(entry.clone());
        open.push(0);
    }
    let mut info = InstructionInfoFactory::new();
    while let Some(at) = open.pop() {
        let Some(known) = before[at].clone() else { continue };
        let after = step(&mut info, known, &code[at], sizes);
        for next in successors(&code[at], at, code.len(), &index_of) {
            let merged = match &before[next] {
                Some(there) => there.meet(&after),
                None => after.clone(),
            };
            if before[next].as_ref() != Some(&merged) {
                before[next] = Some(merged);
                open.push(next);
            }
        }
    }
    before
}

fn successors(
    instruction: &Instruction,
    at: usize,
    count: usize,
    index_of: &BTreeMap<u64, usize>,
) -> impl Iterator<Item = usize> {
    let target = || index_of.get(&instruction.near_branch_target()).copied();
    let following = (at + 1 < count).then_some(at + 1);
    let (one, two) = match instruction.flow_control() {
        FlowControl::UnconditionalBranch => (target(), None),
        FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend => (target(), following),
        FlowControl::IndirectBranch | FlowControl::Return => (None, None),
        // A warning is a ud2, and the kernel goes on behind it.
        _ => (following, None),
    };
    one.into_iter().chain(two)
}

/// What is known after an instruction.
fn step(
    info: &mut InstructionInfoFactory,
    mut known: Known,
    instruction: &Instruction,
    sizes: &[u64],
) -> Known {
    let (first, second) = (operand(instruction, 0), operand(instruction, 1));
    let is_size = |known: &Known| compared_with(known, instruction).is_some_and(|size| sizes.contains(&size));
    match (instruction.mnemonic(), first, second) {
        (Mnemonic::Cmp, Some(value), _) if is_size(&known) => {
            known.compare(value);
            return known;
        }
        (Mnemonic::Cmp, ..) => {}
        (Mnemonic::Sbb, Some(to @ Place::Register(_)), Some(from)) if to == from => known.spread_carry(to),
        (Mnemonic::And, Some(to), Some(from)) => known.and(to, from),
        (Mnemonic::And, Some(to), None) if is_immediate(instruction.op_kind(1)) => known.and_constant(to),
        (Mnemonic::Mov, Some(to), None) if is_immediate(instruction.op_kind(1)) => {
            known.set(to, instruction.immediate(1));
        }
        (Mnemonic::Mov | Mnemonic::Movsxd | Mnemonic::Movzx | Mnemonic::Movsx, Some(to), Some(from)) => {
            known.copy(from, to);
        }
        (Mnemonic::Cdqe | Mnemonic::Cwde, ..) => {}
        _ => forget_written(info, &mut known, instruction),
    }
    let is_call = matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
    if is_call {
        use Register::{EAX, ECX, EDI, EDX, ESI, R8D, R9D, R10D, R11D};
        for register in [EAX, ECX, EDX, ESI, EDI, R8D, R9D, R10D, R11D] {
            // In 32-bit code the called function keeps ESI and EDI: forgetting them is only strict.
            known.forget(Place::Register(register.full_register()));
        }
    }
    if is_call || instruction.rflags_modified() & RflagsBits::CF != 0 {
        known.forget_flags();
    }
    known
}

/// What a comparison compares with, if that is a constant.
fn compared_with(known: &Known, instruction: &Instruction) -> Option<u64> {
    if is_immediate(instruction.op_kind(1)) {
        return Some(instruction.immediate(1));
    }
    known.constant(operand(instruction, 1)?)
}

/// Whatever an instruction may have written holds something unknown.
fn forget_written(info: &mut InstructionInfoFactory, known: &mut Known, instruction: &Instruction) {
    for used in info.info(instruction).used_registers() {
        if is_write(used.access()) {
            known.forget_register(used.register().full_register());
        }
    }
    if let Some(slot @ Place::Slot(..)) = operand(instruction, 0) {
        known.forget(slot);
    }
}

fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

fn is_write(access: OpAccess) -> bool {
    !matches!(access, OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess)
}

/// The place that an operand is, if it is one that is followed.
fn operand(instruction: &Instruction, number: u32) -> Option<Place> {
    if number >= instruction.op_count() {
        return None;
    }
    match instruction.op_kind(number) {
        OpKind::Register => {
            let register = instruction.op_register(number);
            // Half a register says nothing of the whole.
            (register.is_gpr32() || register.is_gpr64()).then(|| Place::Register(register.full_register()))
        }
        OpKind::Memory => {
            let base = instruction.memory_base().full_register();
            let is_stack =
                matches!(base, Register::RSP | Register::RBP) && instruction.memory_index() == Register::None;
            let offset = i64::from_ne_bytes(instruction.memory_displacement64().to_ne_bytes());
            is_stack.then_some(Place::Slot(base, offset))
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "masked_index_tests.rs"]
pub(super) mod tests;
