// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::action::{ALLOW, ERRNO};
use crate::insn::Register;

fn refused(insns: &[Insn]) -> Refusal {
    Program::check(insns).expect_err("the checker must refuse this")
}

fn fault_before_return(op: Op) -> Refusal {
    refused(&[op.into(), Insn::ret(ALLOW)])
}

#[test]
fn length_is_1_to_4096() {
    assert_eq!(refused(&[]).fault, Fault::Empty);
    let longest = vec![Insn::ret(ALLOW); 4096];
    assert_eq!(Program::check(&longest).unwrap().insns(), longest);
    assert_eq!(refused(&vec![Insn::ret(ALLOW); 4097]), Refusal { at: 4097, fault: Fault::TooLong });
}

#[test]
fn jumps_end_inside() {
    let ja = |distance| [Insn::ja(distance), Insn::ret(0), Insn::ret(ALLOW)];
    assert!(Program::check(&ja(1)).is_ok());
    assert_eq!(refused(&ja(2)), Refusal { at: 0, fault: Fault::JumpTarget(3) });
    assert_eq!(refused(&ja(u32::MAX)), Refusal { at: 0, fault: Fault::JumpTarget(1 << 32) });
    let branch = |jt, jf| [Insn::load_nr(), Insn::jeq(1, jt, jf), Insn::ret(0), Insn::ret(ALLOW)];
    assert!(Program::check(&branch(1, 1)).is_ok());
    assert_eq!(refused(&branch(2, 0)), Refusal { at: 1, fault: Fault::JumpTarget(4) });
    assert_eq!(refused(&branch(0, 255)), Refusal { at: 1, fault: Fault::JumpTarget(257) });
}

#[test]
fn last_instruction_returns() {
    assert_eq!(refused(&[Insn::ret(ALLOW), Insn::load_nr()]), Refusal { at: 1, fault: Fault::NoReturn });
    assert!(Program::check(&[Insn::ret_a()]).is_ok());
}

#[test]
fn constants_are_checked() {
    let k = Operand::K;
    assert_eq!(fault_before_return(Op::Arithmetic(Arithmetic::Div, k(0))).fault, Fault::DivisionByZero);
    assert_eq!(fault_before_return(Op::Arithmetic(Arithmetic::Lsh, k(32))).fault, Fault::Shift(32));
    assert_eq!(
        fault_before_return(Op::Arithmetic(Arithmetic::Rsh, k(u32::MAX))).fault,
        Fault::Shift(u32::MAX)
    );
    assert_eq!(fault_before_return(Op::Store(Register::X, 16)).fault, Fault::Cell(16));
    assert_eq!(fault_before_return(Op::LoadMemory(Register::A, 16)).fault, Fault::Cell(16));
    for op in [
        Op::Arithmetic(Arithmetic::Div, k(1)),
        Op::Arithmetic(Arithmetic::Div, Operand::X),
        Op::Arithmetic(Arithmetic::Mul, k(0)),
        Op::Arithmetic(Arithmetic::Lsh, k(31)),
        Op::Store(Register::A, 15),
    ] {
        assert!(Program::check(&[op.into(), Insn::ret(ALLOW)]).is_ok(), "{op:?}");
    }
}

#[test]
fn opcodes_of_sockets_are_refused() {
    // MOD K, LD H ABS, LD B ABS, LD W IND, LDX B MSH, and two that nobody knows.
    for code in [0x94, 0x28, 0x30, 0x40, 0xb1, 0x8c, 0xffff] {
        let refusal = refused(&[Insn::plain(code, 4), Insn::ret(ALLOW)]);
        assert_eq!(refusal, Refusal { at: 0, fault: Fault::Opcode(code) });
        assert_eq!(refusal.errno(), 22);
    }
}

#[test]
fn loads_are_aligned_and_inside() {
    assert!(Program::check(&[Insn::load(60), Insn::ret(ALLOW)]).is_ok());
    for offset in [1, 2, 62, 64, u32::MAX, 0xffff_f000] {
        assert_eq!(fault_before_return(Op::Load(offset)).fault, Fault::Offset(offset));
    }
}

/// Stores cell 3 on one side of a branch or on both, then loads it.
fn store_then_load(both: bool) -> [Insn; 6] {
    let store = Op::Store(Register::A, 3).into();
    let other = if both { store } else { Insn::load_nr() };
    [Insn::jeq(0, 0, 2), store, Insn::ja(1), other, Op::LoadMemory(Register::X, 3).into(), Insn::ret(ALLOW)]
}

#[test]
fn cells_are_written_on_every_path() {
    assert_eq!(fault_before_return(Op::LoadMemory(Register::A, 0)).fault, Fault::UnwrittenCell(0));
    assert_eq!(refused(&store_then_load(false)), Refusal { at: 4, fault: Fault::UnwrittenCell(3) });
    assert!(Program::check(&store_then_load(true)).is_ok());
    let other_cell =
        [Op::Store(Register::A, 2).into(), Op::LoadMemory(Register::A, 3).into(), Insn::ret(ALLOW)];
    assert_eq!(refused(&other_cell).fault, Fault::UnwrittenCell(3));
}

#[test]
fn what_no_path_reaches_is_checked_as_the_kernel_does() {
    let load = Insn::from(Op::LoadMemory(Register::A, 0));
    // After a jump every cell counts as written; after a return only what was written before it.
    assert!(Program::check(&[Insn::ja(1), load, Insn::ret(ALLOW)]).is_ok());
    assert!(Program::check(&[Insn::jeq(0, 1, 1), load, Insn::ret(ALLOW)]).is_ok());
    let after_return = [Insn::ret(ALLOW), load, Insn::ret(ALLOW)];
    assert_eq!(refused(&after_return), Refusal { at: 1, fault: Fault::UnwrittenCell(0) });
    let store = Insn::from(Op::Store(Register::A, 0));
    assert!(Program::check(&[store, Insn::ret(ALLOW), load, Insn::ret(ALLOW)]).is_ok());
}

#[test]
fn converted_length_is_that_of_the_kernel() {
    let added = |insn: Insn| {
        let filler = [Insn::ret(ERRNO); 9];
        let without = Program::check(&filler).unwrap().converted_len();
        let with = [&[insn][..], &filler].concat();
        Program::check(&with).unwrap().converted_len() - without
    };
    assert_eq!(Program::check(&[Insn::ret(ALLOW)]).unwrap().converted_len(), 3 + 2);
    assert_eq!(Program::check(&[Insn::ret_a()]).unwrap().converted_len(), 3 + 1);
    let by_insn = [
        (Insn::load_nr(), 1),
        (Insn::ja(4), 1),
        (Insn::jeq(5, 1, 0), 1),
        (Insn::jeq(5, 0, 1), 1),
        (Insn::jgt(5, 0, 1), 1),
        (Insn::jge(5, 0, 1), 1),
        (Insn::jset(5, 0, 1), 2),
        (Insn::jset(5, 0, 0), 1),
        (Insn::jeq(5, 1, 2), 2),
        (Insn::jeq(0x7fff_ffff, 1, 2), 2),
        (Insn::jeq(0x8000_0000, 1, 2), 3),
        (Insn::jset(0xffff_ffff, 1, 0), 2),
        (Op::Arithmetic(Arithmetic::Div, Operand::X).into(), 5),
        (Op::Arithmetic(Arithmetic::Div, Operand::K(2)).into(), 1),
        (Op::Branch { test: Test::Equal, against: Operand::X, jt: 1, jf: 2 }.into(), 2),
        (Op::Length(Register::A).into(), 1),
    ];
    for (insn, wanted) in by_insn {
        assert_eq!(added(insn), wanted, "{insn}");
    }
}

#[test]
fn refusals_say_where() {
    assert_eq!(refused(&[]).to_string(), "a program without instructions");
    assert_eq!(refused(&vec![Insn::ret(0); 5000]).to_string(), "5000 instructions, at most 4096 are allowed");
    let refusal = refused(&[Insn::load_nr(), Insn::plain(0x94, 0), Insn::ret(0)]);
    assert_eq!(refusal.to_string(), "instruction 1: opcode 0x94 is not admitted");
}

#[test]
fn listing_is_numbered() {
    let program =
        Program::check(&[Insn::load_nr(), Insn::jge(100, 0, 1), Insn::ret(ERRNO | 1), Insn::ret(ALLOW)]);
    let listing = program.unwrap().to_string();
    assert_eq!(
        listing,
        "   0: ld [nr]\n   1: jge #0x64, +0, +1\n   2: ret #0x50001 ; ERRNO(1)\n   3: ret #0x7fff0000 ; ALLOW\n"
    );
}
