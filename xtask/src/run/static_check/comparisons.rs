// SPDX-License-Identifier: MIT OR Apache-2.0
//! Comparisons with constants in machine code. Storing a constant is none.

use std::collections::BTreeMap;

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use super::machine_code::Function;

/// A comparison that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    /// The function that it is in.
    pub(super) function: String,
    /// Its address.
    pub(super) address: u64,
    /// The constant.
    pub(super) constant: u32,
}

/// The comparisons of a function with any of the constants: as an immediate operand, or with a
/// register that was loaded with it. Whether the result is used as flags (`cmp`) or as a difference
/// that is zero or not (`sub`, `xor`) makes none.
pub(super) fn find(function: &Function, constants: &[u32]) -> Vec<Comparison> {
    let mut loaded: BTreeMap<Register, u32> = BTreeMap::new();
    let mut info = InstructionInfoFactory::new();
    let mut found = Vec::new();
    for instruction in &function.code {
        let immediate = immediate(instruction).filter(|value| constants.contains(value));
        let compares = matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Sub | Mnemonic::Xor)
            && !is_with_itself(instruction);
        let registers = (0..instruction.op_count())
            .filter(|number| instruction.op_kind(*number) == OpKind::Register)
            .map(|number| instruction.op_register(number).full_register());
        let constant = immediate.or_else(|| registers.clone().find_map(|one| loaded.get(&one).copied()));
        if let Some(constant) = constant.filter(|_| compares) {
            let (function, address) = (function.name.clone(), instruction.ip());
            found.push(Comparison { function, address, constant });
        }
        for used in info.info(instruction).used_registers() {
            if !matches!(used.access(), OpAccess::None | OpAccess::Read | OpAccess::CondRead) {
                loaded.remove(&used.register().full_register());
            }
        }
        if let (Mnemonic::Mov, Some(constant), OpKind::Register) =
            (instruction.mnemonic(), immediate, instruction.op0_kind())
        {
            loaded.insert(instruction.op0_register().full_register(), constant);
        }
    }
    found
}

/// A register with itself: that clears it, whatever it held.
fn is_with_itself(instruction: &Instruction) -> bool {
    instruction.op0_kind() == OpKind::Register
        && instruction.op1_kind() == OpKind::Register
        && instruction.op0_register() == instruction.op1_register()
}

/// The low 32 bits of an immediate operand.
fn immediate(instruction: &Instruction) -> Option<u32> {
    let number = (0..instruction.op_count()).find(|number| {
        use OpKind::{Immediate32, Immediate32to64, Immediate64};
        matches!(instruction.op_kind(*number), Immediate32 | Immediate32to64 | Immediate64)
    })?;
    let bytes = instruction.immediate(number).to_le_bytes();
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::super::masked_index::tests::function;
    use super::*;

    const X86_64: u32 = 0xc000_003e;

    #[test]
    fn what_is_compared_counts_and_what_is_stored_does_not() {
        // mov dword [rsp+0x4c], X; mov eax, X; mov [rdi], eax
        let stored = function(
            64,
            &[
                &[0xc7, 0x44, 0x24, 0x4c, 0x3e, 0x00, 0x00, 0xc0],
                &[0xb8, 0x3e, 0x00, 0x00, 0xc0],
                &[0x89, 0x07],
            ],
        );
        assert_eq!(find(&stored, &[X86_64]), []);
        // cmp eax, X; xor ecx, X; mov edx, X; cmp esi, edx
        let compared = function(
            64,
            &[
                &[0x3d, 0x3e, 0x00, 0x00, 0xc0],
                &[0x81, 0xf1, 0x3e, 0x00, 0x00, 0xc0],
                &[0xba, 0x3e, 0x00, 0x00, 0xc0],
                &[0x39, 0xd6],
            ],
        );
        assert_eq!(find(&compared, &[X86_64]).len(), 3);
        assert_eq!(find(&compared, &[0x4000_0003]), []);
        // mov edx, X; xor edx, edx (the constant is gone); cmp esi, edx
        let gone = function(64, &[&[0xba, 0x3e, 0x00, 0x00, 0xc0], &[0x31, 0xd2], &[0x39, 0xd6]]);
        assert_eq!(find(&gone, &[X86_64]), []);
        // The same with sub edx, edx, and with mov edx, ecx
        let gone = function(64, &[&[0xba, 0x3e, 0x00, 0x00, 0xc0], &[0x29, 0xd2], &[0x39, 0xd6]]);
        assert_eq!(find(&gone, &[X86_64]), []);
        let gone = function(64, &[&[0xba, 0x3e, 0x00, 0x00, 0xc0], &[0x89, 0xca], &[0x39, 0xd6]]);
        assert_eq!(find(&gone, &[X86_64]), []);
    }
}
