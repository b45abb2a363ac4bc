// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chains that the kernel must refuse.

use crate::insn::{Arithmetic, Insn, Op, Operand, Register};
use crate::program::{INSNS_MAX, MEMORY_CELLS, Program};

use super::dice::Dice;

/// Opcodes that sockets have and seccomp has not (MOD, half words and bytes, indirect loads, the length of a header),
/// and some that nobody has.
const OPCODES: [u16; 14] =
    [0x94, 0x9c, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1, 0x85, 0x0e, 0x8c, 0x1d05, 0xa004, 0xffff];

/// What is done to a program.
#[derive(Debug, Clone, Copy)]
enum Break {
    Emptied,
    NoReturn,
    TooLong,
    FarJump,
    FarBranch,
    Opcode,
    Constant,
    Cell,
    Offset,
}

/// Breaks one filter. Those before it can still be attached.
pub(super) fn break_one(dice: &mut Dice, filters: &mut [Vec<Insn>]) {
    let place = dice.index(filters.len());
    let Some(filter) = filters.get_mut(place) else { return };
    let kinds = [
        (4, Break::Emptied),
        (14, Break::NoReturn),
        (2, Break::TooLong),
        (16, Break::FarJump),
        (24, Break::FarBranch),
        (24, Break::Opcode),
        (14, Break::Constant),
        (14, Break::Cell),
        (14, Break::Offset),
    ];
    let kind = dice.weighted(&kinds);
    break_program(dice, filter, kind);
    if Program::check(filter).is_ok() {
        filter.push(Insn::load_nr());
    }
}

fn break_program(dice: &mut Dice, filter: &mut Vec<Insn>, kind: Break) {
    // How far it is to just past the end, for the instruction at `at`.
    let at = dice.index(filter.len());
    let past = u32::try_from(filter.len() - 1 - at).unwrap_or(u32::MAX);
    let Some(insn) = filter.get_mut(at) else { return };
    let k = dice.below(3);
    let zero_or_far = |arithmetic| match arithmetic {
        Arithmetic::Div => Op::Arithmetic(arithmetic, Operand::K(0)),
        _ => Op::Arithmetic(arithmetic, Operand::K(32 + k)),
    };
    *insn = match kind {
        Break::Emptied => return filter.clear(),
        Break::NoReturn => return filter.push(Insn::and(k)),
        Break::TooLong => {
            let len = INSNS_MAX + 1 + dice.index(3);
            return filter.resize(len, Insn::ret(0));
        }
        Break::FarJump if dice.percent(50) => Insn::ja(u32::MAX - k),
        Break::FarJump => Insn::ja(past + k),
        Break::FarBranch => {
            let far = u8::try_from(past + k).unwrap_or(u8::MAX);
            let (jt, jf) = if dice.percent(50) { (far, 0) } else { (0, far) };
            Insn::jeq(k, jt, jf)
        }
        Break::Opcode => Insn { code: dice.pick(&OPCODES), ..*insn },
        Break::Constant => {
            zero_or_far(dice.pick(&[Arithmetic::Div, Arithmetic::Lsh, Arithmetic::Rsh])).into()
        }
        Break::Cell if dice.percent(50) => Op::LoadMemory(Register::A, 7).into(),
        Break::Cell => Op::Store(Register::X, MEMORY_CELLS + k).into(),
        Break::Offset => Insn::load(dice.pick(&[1, 2, 3, 6, 62, 63, 64, 68, 0xffff_f000, 0xffff_fffc])),
    };
}
