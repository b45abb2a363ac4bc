// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opcodes that the walk does not follow, though the filter allows whatever they do.

use super::{Case, both};
use crate::action::ALLOW;
use crate::insn::{Arithmetic, Insn, Op, Operand, Register, Test};
use crate::opcode;

pub(super) fn cases() -> Vec<Case> {
    vec![
        both(
            "unfollowed_opcodes",
            "numbers 0 to 30 each carry out another opcode that the walk does not follow, then allow",
            vec![unfollowed()],
            410,
        ),
        both(
            "ret_a",
            "number 7 returns ALLOW out of the accumulator",
            vec![vec![
                Insn::load_nr(),
                Insn::jeq(7, 0, 2),
                Op::Immediate(Register::A, ALLOW).into(),
                Insn::ret_a(),
                Insn::ret(ALLOW),
            ]],
            440,
        ),
        both(
            "ret_a_everywhere",
            "number 0x7fff0000 would be allowed, and no number of the table",
            vec![vec![Insn::load_nr(), Insn::ret_a()]],
            0,
        ),
        both(
            "ret_a_constant",
            "number 7 returns the accumulator; the constant beside it is ALLOW and means nothing",
            vec![vec![
                Insn::load_nr(),
                Insn::jeq(7, 0, 1),
                Insn::plain(opcode::RET_A, ALLOW),
                Insn::ret(ALLOW),
            ]],
            440,
        ),
        both(
            "scratch_memory",
            "the number goes through a scratch cell on every path",
            vec![vec![
                Op::Store(Register::A, 15).into(),
                Insn::load_nr(),
                Op::LoadMemory(Register::A, 15).into(),
                Insn::ret(ALLOW),
            ]],
            0,
        ),
        both(
            "scratch_unreached",
            "a scratch cell is read, unwritten, where no call gets to: the kernel accepts that",
            vec![vec![Insn::jeq(0, 1, 1), Op::LoadMemory(Register::A, 0).into(), Insn::ret(ALLOW)]],
            441,
        ),
    ]
}

/// For each opcode a block that its number alone enters: the opcode, then ALLOW.
fn unfollowed() -> Vec<Insn> {
    let mut filter = vec![Insn::load_nr()];
    for (nr, block) in (0..).zip(blocks()) {
        let skipped = u8::try_from(block.len() + 1).unwrap_or(u8::MAX);
        filter.push(Insn::jeq(nr, 0, skipped));
        filter.extend(block.into_iter().map(Insn::from));
        filter.push(Insn::ret(ALLOW));
    }
    filter.push(Insn::ret(ALLOW));
    filter
}

fn blocks() -> Vec<Vec<Op>> {
    use Register::{A, X};
    let mut blocks = vec![
        vec![Op::Immediate(A, 1)],
        vec![Op::Immediate(X, 1)],
        vec![Op::Length(A)],
        vec![Op::Length(X)],
        vec![Op::Store(A, 0)],
        vec![Op::Store(X, 1)],
        vec![Op::Tax],
        vec![Op::Txa],
        vec![Op::Negate],
    ];
    for arithmetic in Arithmetic::ALL {
        if arithmetic != Arithmetic::And {
            blocks.push(vec![Op::Arithmetic(arithmetic, Operand::K(1))]);
        }
        // A division by the index register, which is 0, would kill.
        if arithmetic != Arithmetic::Div {
            blocks.push(vec![Op::Arithmetic(arithmetic, Operand::X)]);
        }
    }
    for test in Test::ALL {
        blocks.push(vec![Op::Branch { test, against: Operand::X, jt: 0, jf: 0 }]);
    }
    blocks.push(vec![Op::Store(A, 2), Op::LoadMemory(A, 2)]);
    blocks.push(vec![Op::Store(A, 3), Op::LoadMemory(X, 3)]);
    blocks
}
