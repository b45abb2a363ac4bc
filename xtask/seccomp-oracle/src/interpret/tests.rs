// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::action::{ALLOW, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, TRACE, TRAP, USER_NOTIF};
use crate::insn::Insn;

fn data() -> SeccompData {
    SeccompData {
        nr: 39,
        arch: 0xc000_003e,
        instruction_pointer: 0x7fff_0000_1234,
        args: [7, 8 << 32, 0, 0, 0, 9],
    }
}

/// Runs instructions and returns the accumulator that they leave.
fn accumulator(ops: &[Op]) -> u32 {
    let mut insns: Vec<Insn> = ops.iter().map(|op| Insn::from(*op)).collect();
    insns.push(Insn::ret_a());
    run(&Program::check(&insns).unwrap(), &data())
}

#[test]
fn registers_and_cells() {
    use Register::{A, X};
    assert_eq!(accumulator(&[]), 0);
    assert_eq!(accumulator(&[Op::Txa]), 0);
    assert_eq!(accumulator(&[Op::Load(0)]), 39);
    assert_eq!(accumulator(&[Op::Load(4)]), 0xc000_003e);
    assert_eq!(accumulator(&[Op::Load(12)]), 0x7fff);
    assert_eq!(accumulator(&[Op::Load(28)]), 8);
    assert_eq!(accumulator(&[Op::Immediate(A, 5)]), 5);
    assert_eq!(accumulator(&[Op::Immediate(X, 5)]), 0);
    assert_eq!(accumulator(&[Op::Immediate(X, 5), Op::Txa]), 5);
    assert_eq!(accumulator(&[Op::Length(A)]), 64);
    assert_eq!(accumulator(&[Op::Length(X), Op::Txa]), 64);
    assert_eq!(accumulator(&[Op::Load(0), Op::Tax, Op::Immediate(A, 1), Op::Txa]), 39);
    let through_cells = [
        Op::Load(0),
        Op::Store(A, 0),
        Op::Immediate(X, 6),
        Op::Store(X, 15),
        Op::LoadMemory(X, 0),
        Op::LoadMemory(A, 15),
        Op::Arithmetic(Arithmetic::Sub, Operand::X),
    ];
    assert_eq!(accumulator(&through_cells), 6_u32.wrapping_sub(39));
}

#[test]
fn arithmetic() {
    use Arithmetic::{Add, And, Div, Lsh, Mul, Or, Rsh, Sub, Xor};
    let cases = [
        (Add, u32::MAX, 2, 1),
        (Sub, 1, 2, u32::MAX),
        (Mul, 0x8000_0001, 2, 2),
        (Div, u32::MAX, 2, 0x7fff_ffff),
        (Or, 0xf0, 0x0f, 0xff),
        (And, 0xff, 0x0f, 0x0f),
        (Xor, 0xff, 0x0f, 0xf0),
        (Lsh, 3, 31, 0x8000_0000),
        (Rsh, 0xc000_0000, 30, 3),
    ];
    for (arithmetic, a, k, wanted) in cases {
        let start = Op::Immediate(Register::A, a);
        let by_constant = [start, Op::Arithmetic(arithmetic, Operand::K(k))];
        let by_register = [start, Op::Immediate(Register::X, k), Op::Arithmetic(arithmetic, Operand::X)];
        assert_eq!(accumulator(&by_constant), wanted, "{arithmetic:?}");
        assert_eq!(accumulator(&by_register), wanted, "{arithmetic:?}");
    }
    assert_eq!(accumulator(&[Op::Immediate(Register::A, 1), Op::Negate]), u32::MAX);
}

#[test]
fn shifts_by_a_register_use_five_bits() {
    let shift = |arithmetic, by| {
        let operand = Op::Immediate(Register::X, by);
        accumulator(&[Op::Immediate(Register::A, 0x10), operand, Op::Arithmetic(arithmetic, Operand::X)])
    };
    assert_eq!(shift(Arithmetic::Lsh, 33), 0x20);
    assert_eq!(shift(Arithmetic::Rsh, 36), 1);
}

#[test]
fn division_by_a_zero_register_kills() {
    let insns = [Op::Load(0).into(), Op::Arithmetic(Arithmetic::Div, Operand::X).into(), Insn::ret(ALLOW)];
    assert_eq!(run(&Program::check(&insns).unwrap(), &data()), KILL_THREAD);
}

#[test]
fn tests_are_unsigned() {
    use Test::{AnyBit, Equal, Greater, GreaterOrEqual};
    let cases = [
        (Equal, 5, 5, true),
        (Equal, 5, 4, false),
        (Greater, 0xffff_ff00, 1, true),
        (Greater, 1, 0xffff_ff00, false),
        (Greater, 5, 5, false),
        (GreaterOrEqual, 5, 5, true),
        (GreaterOrEqual, 4, 5, false),
        (GreaterOrEqual, 0x8000_0000, 0x7fff_ffff, true),
        (AnyBit, 6, 4, true),
        (AnyBit, 6, 1, false),
        (AnyBit, 6, 0, false),
    ];
    for (test, a, k, wanted) in cases {
        for against in [Operand::K(k), Operand::X] {
            let branch = Op::Branch { test, against, jt: 1, jf: 0 };
            let insns = [
                Op::Immediate(Register::A, a).into(),
                Op::Immediate(Register::X, k).into(),
                branch.into(),
                Insn::ret(0),
                Insn::ret(1),
            ];
            let program = Program::check(&insns).unwrap();
            assert_eq!(run(&program, &data()) == 1, wanted, "{test:?} {a:#x} {against:?}");
        }
    }
}

#[test]
fn path_names_what_was_carried_out() {
    let insns = [Insn::load_nr(), Insn::jgt(39, 1, 0), Insn::ja(1), Insn::ret(0), Insn::ret(ALLOW)];
    let program = Program::check(&insns).unwrap();
    assert_eq!(path(&program, &data()), [0, 1, 2, 4]);
    assert_eq!(path(&program, &SeccompData { nr: 40, ..data() }), [0, 1, 3]);
    assert_eq!(path(&program, &SeccompData { nr: -1, ..data() }), [0, 1, 3]);
}

/// What a chain of filters with these answers, oldest first, gives.
fn chain_of(values: &[u32]) -> u32 {
    let chain: Vec<Program> =
        values.iter().map(|value| Program::check(&[Insn::ret(*value)]).unwrap()).collect();
    run_chain(&chain, &data())
}

#[test]
fn lowest_action_wins() {
    let by_rank = [KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIF, TRACE, LOG, ALLOW];
    for (rank, lower) in by_rank.iter().enumerate() {
        for higher in &by_rank[rank..] {
            assert_eq!(chain_of(&[*lower, *higher]), *lower);
            assert_eq!(chain_of(&[*higher, *lower]), *lower);
        }
    }
}

#[test]
fn newest_of_equals_wins_and_data_does_not_count() {
    assert_eq!(chain_of(&[ERRNO | 1, ERRNO | 2]), ERRNO | 2);
    assert_eq!(chain_of(&[ERRNO | 2, ERRNO | 1]), ERRNO | 1);
    assert_eq!(chain_of(&[ERRNO | 1, TRAP | 9, ERRNO | 2]), TRAP | 9);
}

#[test]
fn allow_comes_back_without_data() {
    assert_eq!(chain_of(&[ALLOW | 5]), ALLOW);
    assert_eq!(chain_of(&[]), ALLOW);
    assert_eq!(chain_of(&[LOG | 5, ALLOW | 1]), LOG | 5);
}
