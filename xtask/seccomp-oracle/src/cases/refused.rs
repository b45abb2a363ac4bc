// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chains that a kernel must refuse.

use super::chained::{LAST_FILTER_MAX, up_to_the_limit};
use super::{Case, Golden};
use crate::action::ALLOW;
use crate::errno::{EINVAL, ENOMEM};
use crate::insn::{Arithmetic, Insn, Op, Operand, Register};

const PASS: Insn = Insn::ret(ALLOW);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = programs();
    cases.extend(constants());
    cases.push(refused(
        "refuse_second",
        "the second filter of three is refused",
        vec![vec![PASS], vec![Insn::ja(0)], vec![PASS]],
        1,
        EINVAL,
    ));
    cases.push(refused(
        "refuse_chain_over_limit",
        "32769 instructions in all, as the kernel counts them",
        up_to_the_limit(LAST_FILTER_MAX + 1),
        7,
        ENOMEM,
    ));
    cases
}

fn programs() -> Vec<Case> {
    let store = Op::Store(Register::A, 3).into();
    let load = Op::LoadMemory(Register::A, 3).into();
    vec![
        single("refuse_empty", "a program without instructions", vec![]),
        single("refuse_too_long", "4097 instructions", vec![PASS; 4097]),
        single("refuse_no_return", "the last instruction is no return", vec![PASS, Insn::load_nr()]),
        single(
            "refuse_jump_true",
            "a test jumps one too far where it holds",
            vec![Insn::jeq(0, 2, 0), PASS, PASS],
        ),
        single(
            "refuse_jump_false",
            "a test jumps one too far where not",
            vec![Insn::jeq(0, 0, 2), PASS, PASS],
        ),
        single("refuse_ja", "JA jumps one too far", vec![Insn::ja(1), PASS]),
        single("refuse_ja_back", "JA by -1, which is no way back", vec![Insn::ja(u32::MAX), PASS]),
        single("refuse_unwritten_cell", "a scratch cell is read and never written", vec![load, PASS]),
        single(
            "refuse_half_written_cell",
            "a scratch cell is written on one of two paths",
            vec![Insn::load_nr(), Insn::jeq(1, 0, 1), store, load, PASS],
        ),
    ]
}

fn constants() -> Vec<Case> {
    let before_return = |insn: Insn| vec![insn, PASS];
    let arithmetic = |arithmetic, k| before_return(Op::Arithmetic(arithmetic, Operand::K(k)).into());
    vec![
        single(
            "refuse_modulo",
            "MOD, which sockets have and seccomp has not",
            before_return(Insn::plain(0x94, 3)),
        ),
        single("refuse_half_word", "LD H ABS, which sockets have", before_return(Insn::plain(0x28, 0))),
        single("refuse_indirect", "LD W IND, which sockets have", before_return(Insn::plain(0x40, 0))),
        single("refuse_unknown_opcode", "an opcode that nobody has", before_return(Insn::plain(0xffff, 0))),
        single("refuse_unaligned_load", "LD ABS 2", before_return(Insn::load(2))),
        single("refuse_load_past_end", "LD ABS 64", before_return(Insn::load(64))),
        single("refuse_division_by_0", "DIV by the constant 0", arithmetic(Arithmetic::Div, 0)),
        single("refuse_left_shift", "LSH by 32", arithmetic(Arithmetic::Lsh, 32)),
        single("refuse_right_shift", "RSH by 32", arithmetic(Arithmetic::Rsh, 32)),
        single("refuse_cell_16", "ST to cell 16 of 16", before_return(Op::Store(Register::A, 16).into())),
    ]
}

/// One program, refused with EINVAL.
fn single(name: &str, doc: &str, filter: Vec<Insn>) -> Case {
    refused(name, doc, vec![filter], 0, EINVAL)
}

fn refused(name: &str, doc: &str, filters: Vec<Vec<Insn>>, filter: usize, errno: u16) -> Case {
    Case { name: name.into(), doc: doc.into(), filters, golden: Golden::Refused { filter, errno } }
}
