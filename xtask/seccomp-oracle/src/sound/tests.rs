// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::action::{ALLOW, ERRNO, LOG};
use crate::insn::{Insn, Register};

const PASS: Insn = Insn::ret(ALLOW);
const DENY: Insn = Insn::ret(ERRNO | 1);

/// Number 1 on `x86_64` under one filter.
fn decided(insns: &[Insn]) -> Sound {
    decide(&[Program::check(insns).unwrap()], 1, Arch::X86_64.audit())
}

fn witness(insns: &[Insn]) -> SeccompData {
    match decided(insns) {
        Sound::Witness(data) => {
            assert_eq!((data.nr, data.arch), (1, Arch::X86_64.audit()));
            assert_ne!(run_chain(&[Program::check(insns).unwrap()], &data), ALLOW);
            data
        }
        other => panic!("{other}"),
    }
}

fn k(arithmetic: Arithmetic, k: u32) -> Insn {
    Op::Arithmetic(arithmetic, Operand::K(k)).into()
}

fn with_x(arithmetic: Arithmetic) -> Insn {
    Op::Arithmetic(arithmetic, Operand::X).into()
}

#[test]
fn what_no_argument_decides_is_computed() {
    assert_eq!(decided(&[PASS]), Sound::Allows);
    assert_eq!(decided(&[Insn::ret(ALLOW | 1)]), Sound::Allows);
    assert_eq!(witness(&[Insn::ret(LOG)]).args, [0; 6]);
    // Far more than the walk follows: 1 * 3 + 4 = 7.
    let computed =
        [Insn::load_nr(), k(Arithmetic::Mul, 3), k(Arithmetic::Add, 4), Insn::jeq(7, 1, 0), DENY, PASS];
    assert_eq!(decided(&computed), Sound::Allows);
    let cell = Op::Store(Register::A, 3).into();
    let back = Op::LoadMemory(Register::A, 3).into();
    let through_memory = [Insn::load_nr(), cell, Insn::load_arg(0), back, Insn::jeq(1, 1, 0), DENY, PASS];
    assert_eq!(decided(&through_memory), Sound::Allows);
    let value = [Insn::plain(crate::opcode::LD_IMM, ALLOW), Insn::ret_a()];
    assert_eq!(decided(&value), Sound::Allows);
}

#[test]
fn an_argument_that_changes_nothing_is_allowed() {
    assert_eq!(decided(&[Insn::load_arg(0), PASS]), Sound::Allows);
    assert_eq!(decided(&[Insn::load_arg(0), Insn::jeq(1, 0, 0), PASS]), Sound::Allows);
    assert_eq!(decided(&[Insn::load_arg(0), Insn::jeq(1, 0, 1), PASS, Insn::ret(ALLOW | 2)]), Sound::Allows);
}

#[test]
fn what_cannot_happen_is_left_out() {
    let masked = [Insn::load_arg(0), Insn::and(0xff), Insn::jgt(0xff, 0, 1), DENY, PASS];
    assert_eq!(decided(&masked), Sound::Allows);
    let twice = [Insn::load_arg(0), Insn::jgt(10, 0, 3), Insn::load_arg(0), Insn::jgt(5, 1, 0), DENY, PASS];
    assert_eq!(decided(&twice), Sound::Allows);
    let shifted = [Insn::load_arg(0), k(Arithmetic::Rsh, 28), Insn::jge(16, 0, 1), DENY, PASS];
    assert_eq!(decided(&shifted), Sound::Allows);
    let ored = [Insn::load_arg(0), k(Arithmetic::Or, 4), Insn::jset(4, 1, 0), DENY, PASS];
    assert_eq!(decided(&ored), Sound::Allows);
    let itself = [Insn::load_arg(0), Insn::plain(crate::opcode::TAX, 0), with_x(Arithmetic::Or)];
    let equal = Op::Branch { test: Test::Equal, against: Operand::X, jt: 1, jf: 0 }.into();
    assert_eq!(decided(&[itself[0], itself[1], equal, DENY, PASS]), Sound::Allows);
}

#[test]
fn words_are_found_for_every_test() {
    assert_eq!(witness(&[Insn::load_arg(2), Insn::jeq(77, 0, 1), DENY, PASS]).args[2], 77);
    assert_ne!(witness(&[Insn::load_arg(2), Insn::jeq(0, 1, 0), DENY, PASS]).args[2], 0);
    let high = witness(&[Insn::load(data::ARGS + 4), Insn::jgt(0xffff_fffe, 0, 1), DENY, PASS]);
    assert_eq!(high.args[0], 0xffff_ffff_0000_0000);
    let pointer = [Insn::load(data::INSTRUCTION_POINTER), Insn::jset(0x8000_0000, 0, 1), DENY, PASS];
    assert_ne!(witness(&pointer).instruction_pointer & 0x8000_0000, 0);
    let range = [
        Insn::load_arg(0),
        Insn::jgt(100, 0, 4),
        Insn::jge(103, 3, 0),
        Insn::jeq(101, 2, 0),
        Insn::jeq(102, 0, 1),
        DENY,
        PASS,
    ];
    assert_eq!(witness(&range).args[0], 102);
}

#[test]
fn words_are_found_through_arithmetic() {
    let masks = [
        Insn::load_arg(1),
        Insn::and(0xff),
        Insn::jeq(0x12, 0, 4),
        Insn::load_arg(1),
        Insn::and(0xff00),
        Insn::jeq(0x3400, 0, 1),
        DENY,
        PASS,
    ];
    assert_eq!(witness(&masks).args[1] & 0xffff, 0x3412);
    let chain = [
        Insn::load_arg(0),
        k(Arithmetic::Add, 9),
        k(Arithmetic::Xor, 0x5555),
        k(Arithmetic::Mul, 7),
        Insn::plain(crate::opcode::NEG, 0),
        Insn::jeq(0xdead_beef, 0, 1),
        DENY,
        PASS,
    ];
    witness(&chain);
    let both = [
        Insn::load_arg(0),
        Insn::plain(crate::opcode::TAX, 0),
        Insn::load_arg(1),
        with_x(Arithmetic::Sub),
        Insn::jeq(5, 0, 1),
        DENY,
        PASS,
    ];
    let data = witness(&both);
    assert_eq!(data.args[1].wrapping_sub(data.args[0]) & 0xffff_ffff, 5);
}

#[test]
fn a_division_by_a_word_can_kill() {
    let divide = [Insn::load_arg(0), Insn::plain(crate::opcode::TAX, 0), with_x(Arithmetic::Div), PASS];
    assert_eq!(witness(&divide).args[0] & 0xffff_ffff, 0);
    let guarded = [
        Insn::load_arg(0),
        Insn::jeq(0, 2, 0),
        Insn::plain(crate::opcode::TAX, 0),
        with_x(Arithmetic::Div),
        PASS,
    ];
    assert_eq!(decided(&guarded), Sound::Allows);
}

#[test]
fn a_word_that_is_returned_can_be_anything() {
    witness(&[Insn::load_arg(0), Insn::ret_a()]);
    let allowed = [Insn::load_arg(0), Insn::and(0xffff), k(Arithmetic::Or, ALLOW), Insn::ret_a()];
    assert_eq!(decided(&allowed), Sound::Allows);
}

#[test]
fn every_filter_counts() {
    let pass = Program::check(&[PASS]).unwrap();
    let argument = Program::check(&[Insn::load_arg(5), Insn::jeq(3, 0, 1), DENY, PASS]).unwrap();
    for chain in [[pass.clone(), argument.clone()], [argument, pass]] {
        assert!(matches!(decide(&chain, 1, 0), Sound::Witness(data) if data.args[5] == 3));
    }
    assert_eq!(decide(&[], 1, 0), Sound::Allows);
}

#[test]
fn what_is_too_much_is_undecided() {
    // Twenty tests of other bits of an argument: a million paths, all of them to ALLOW.
    let mut insns = Vec::new();
    for bit in 0..20 {
        insns.extend([Insn::load_arg(0), Insn::jset(1 << bit, 0, 1), Insn::and(1)]);
    }
    insns.push(PASS);
    let doubt = Doubt { filter: 0, why: Obstacle::Paths };
    assert_eq!(decided(&insns), Sound::Undecided(doubt));
    assert_eq!(Sound::Undecided(doubt).to_string(), "undecided: filter 0: more than 1024 paths");
    // A number whose square is 2 does not exist, which is not found out.
    let square = [
        Insn::load_arg(0),
        Insn::plain(crate::opcode::TAX, 0),
        with_x(Arithmetic::Mul),
        Insn::jeq(2, 0, 1),
        DENY,
        PASS,
    ];
    assert_eq!(decided(&square), Sound::Undecided(Doubt { filter: 0, why: Obstacle::NoWords(4) }));
}

#[test]
fn an_audit_tells_which_bits_are_wrong() {
    let kernel = Kernel::native(Arch::X86_64, 4).with_compat(Arch::Ia32, 2).with_always_allowed(&[3]);
    let everything = crate::cache::expected(&kernel, &[Program::check(&[PASS]).unwrap()]);
    let filter = [Insn::load_nr(), Insn::jge(1, 0, 2), Insn::load_arg(0), Insn::jeq(9, 1, 0), PASS, DENY];
    let audit = audit(&kernel, &[Program::check(&filter).unwrap()], &everything);
    assert_eq!(audit.allowed, 2);
    let calls: Vec<_> = audit.witnesses.iter().map(|(arch, nr, data)| (*arch, *nr, data.args[0])).collect();
    assert_eq!(calls, [(Arch::X86_64, 1, 9), (Arch::X86_64, 2, 9), (Arch::Ia32, 1, 9)]);
    assert_eq!(audit.undecided, []);
}
