// SPDX-License-Identifier: MIT OR Apache-2.0
//! Is the index of a bit test masked? A forward analysis over the instructions of a function.
//!
//! A mask is what `cmp INDEX, SIZE; sbb R, R` leaves in `R`: all ones where the index is in bounds,
//! else zero, without a branch. A value is masked once it was ANDed with a mask. What is known at a
//! bit test must hold on *every* path to it: where paths meet, only what all of them know is kept.
//! A test of a bit that is a constant of the code is none: nobody chooses it.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::machine_code::Function;

/// A place that holds a value: a register at its full width, or a slot of the stack. Where RBP is no
/// frame pointer its slots may be anything; a store through another register is not seen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Register(Register),
    Slot(Register, i64),
}

/// What is known of the places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    masks: BTreeSet<Place>,
    masked: BTreeSet<Place>,
    constants: BTreeSet<Place>,
}

impl Known {
    /// A constant on one path and a masked value on the other is a value like a masked one.
    fn meet(&self, other: &Known) -> Known {
        let constants: BTreeSet<Place> = self.constants.intersection(&other.constants).copied().collect();
        let bounded =
            |one: &Known| -> BTreeSet<Place> { one.masked.union(&one.constants).copied().collect() };
        let both: BTreeSet<Place> = bounded(self).intersection(&bounded(other)).copied().collect();
        Known {
            masks: self.masks.intersection(&other.masks).copied().collect(),
            masked: both.difference(&constants).copied().collect(),
            constants,
        }
    }

    fn sets(&mut self) -> [&mut BTreeSet<Place>; 3] {
        [&mut self.masks, &mut self.masked, &mut self.constants]
    }

    fn forget(&mut self, place: Place) {
        self.sets().into_iter().for_each(|places| {
            places.remove(&place);
        });
    }

    fn copy(&mut self, from: Place, to: Place) {
        for places in self.sets() {
            if places.contains(&from) {
                places.insert(to);
            } else {
                places.remove(&to);
            }
        }
    }

    /// What a called function still knows: registers. Its stack is another.
    fn into_callee(self) -> Known {
        let registers = |places: BTreeSet<Place>| {
            places.into_iter().filter(|place| matches!(place, Place::Register(_))).collect()
        };
        Known {
            masks: registers(self.masks),
            masked: registers(self.masked),
            constants: registers(self.constants),
        }
    }
}

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

/// Follows a function, entered with what is known.
pub(super) fn follow(function: &Function, entry: &Known) -> Seen {
    let code = &function.code;
    let before = known_before(code, entry);
    let mut seen = Seen::default();
    for (at, instruction) in code.iter().enumerate() {
        // What no path that we see reaches may be reached by a jump table: nothing is known there.
        let known = before[at].clone().unwrap_or_default();
        if let Some(index) = tested_index(instruction) {
            let place = Place::Register(index.full_register());
            if !known.constants.contains(&place) {
                seen.tests.push(BitTest {
                    function: function.name.clone(),
                    address: instruction.ip(),
                    is_masked: known.masked.contains(&place),
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
fn known_before(code: &[Instruction], entry: &Known) -> Vec<Option<Known>> {
    let index_of: BTreeMap<u64, usize> = code.iter().enumerate().map(|(at, one)| (one.ip(), at)).collect();
    let mut before: Vec<Option<Known>> = vec![None; code.len()];
    let mut open: Vec<usize> = Vec::new();
    if let Some(first) = before.first_mut() {
        *first = Some(entry.clone());
        open.push(0);
    }
    let mut info = InstructionInfoFactory::new();
    while let Some(at) = open.pop() {
        let previous = at.checked_sub(1).and_then(|at| code.get(at));
        let Some(known) = before[at].clone() else { continue };
        let after = step(&mut info, known, &code[at], previous);
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
    previous: Option<&Instruction>,
) -> Known {
    let (first, second) = (operand(instruction, 0), operand(instruction, 1));
    match (instruction.mnemonic(), first, second) {
        (Mnemonic::Sbb, Some(to @ Place::Register(_)), Some(from)) if to == from => {
            known.forget(to);
            if previous.is_some_and(|before| before.mnemonic() == Mnemonic::Cmp) {
                known.masks.insert(to);
            }
        }
        (Mnemonic::And, Some(to), Some(from)) => {
            let is_masked = [to, from].iter().any(|place| known.masks.contains(place))
                || [to, from].iter().any(|place| known.masked.contains(place));
            known.forget(to);
            if is_masked {
                known.masked.insert(to);
            }
        }
        // An AND with a constant keeps an index in its bounds.
        (Mnemonic::And, Some(to), None) => {
            known.masks.remove(&to);
            known.constants.remove(&to);
        }
        (Mnemonic::Mov, Some(to), None) if is_immediate(instruction.op_kind(1)) => {
            known.forget(to);
            known.constants.insert(to);
        }
        (Mnemonic::Mov | Mnemonic::Movsxd | Mnemonic::Movzx | Mnemonic::Movsx, Some(to), Some(from)) => {
            known.copy(from, to);
        }
        (Mnemonic::Cdqe | Mnemonic::Cwde, ..) => {}
        _ => forget_written(info, &mut known, instruction),
    }
    if matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall) {
        use Register::{EAX, ECX, EDI, EDX, ESI, R8D, R9D, R10D, R11D};
        for register in [EAX, ECX, EDX, ESI, EDI, R8D, R9D, R10D, R11D] {
            // In 32-bit code the called function keeps ESI and EDI: forgetting them is only strict.
            known.forget(Place::Register(register.full_register()));
        }
    }
    known
}

/// Whatever an instruction may have written holds something unknown.
fn forget_written(info: &mut InstructionInfoFactory, known: &mut Known, instruction: &Instruction) {
    for used in info.info(instruction).used_registers() {
        if is_write(used.access()) {
            let register = used.register().full_register();
            known.forget(Place::Register(register));
            // Slots are counted from a register: when that moves they are others.
            for places in known.sets() {
                places.retain(|place| !matches!(place, Place::Slot(base, _) if *base == register));
            }
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
