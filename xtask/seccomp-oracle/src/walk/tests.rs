// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::action::{ALLOW, ERRNO, LOG};

const X86_64: u32 = 0xc000_003e;

fn not(at: usize, why: Reason) -> Verdict {
    Verdict::Not { at, why }
}

/// Whether the walk takes the true side of a test of the number.
fn taken(branch: Insn, nr: u32) -> bool {
    walk(&[Insn::load_nr(), Insn { jt: 0, jf: 1, ..branch }, Insn::ret(ALLOW), Insn::ret(ERRNO)], nr, X86_64)
        .is_constant_allow()
}

#[test]
fn only_exact_allow_counts() {
    assert_eq!(walk(&[Insn::ret(ALLOW)], 0, X86_64), Verdict::ConstantAllow);
    for value in [ALLOW | 1, ALLOW | 0xffff, LOG, ERRNO, 0, 0xffff_0000, 0x7ffe_0000] {
        assert_eq!(walk(&[Insn::ret(value)], 0, X86_64), not(0, Reason::Returns(value)));
    }
    assert_eq!(walk(&[Insn::ret_a()], ALLOW, X86_64), not(0, Reason::NotFollowed(Insn::ret_a())));
}

#[test]
fn number_and_architecture_are_known() {
    let arch =
        [Insn::load_nr(), Insn::load_arch(), Insn::jeq(X86_64, 0, 1), Insn::ret(ALLOW), Insn::ret(ERRNO)];
    assert_eq!(walk(&arch, 7, X86_64), Verdict::ConstantAllow);
    assert_eq!(walk(&arch, X86_64, 7), not(4, Reason::Returns(ERRNO)));
}

#[test]
fn any_other_load_answers_no() {
    for offset in (8..64).step_by(4).chain([1, 2, 3, 64, u32::MAX]) {
        let insns = [Insn::load_nr(), Insn::load(offset), Insn::ret(ALLOW)];
        assert_eq!(walk(&insns, 0, X86_64), not(1, Reason::Loads(offset)));
    }
}

#[test]
fn tests_are_unsigned_and_sharp() {
    assert!(taken(Insn::jeq(100, 0, 0), 100) && !taken(Insn::jeq(100, 0, 0), 99));
    assert!(taken(Insn::jge(100, 0, 0), 100) && !taken(Insn::jge(100, 0, 0), 99));
    assert!(taken(Insn::jgt(100, 0, 0), 101) && !taken(Insn::jgt(100, 0, 0), 100));
    assert!(taken(Insn::jset(6, 0, 0), 12) && !taken(Insn::jset(6, 0, 0), 9));
    assert!(!taken(Insn::jset(0, 0, 0), 9));
    for high in [0x8000_0000, u32::MAX] {
        assert!(!taken(Insn::jge(high, 0, 0), 440) && taken(Insn::jge(high, 0, 0), u32::MAX));
        assert!(!taken(Insn::jgt(high, 0, 0), 440) && taken(Insn::jgt(440, 0, 0), high));
    }
}

#[test]
fn and_changes_the_accumulator_until_it_is_loaded_again() {
    let masked = [Insn::load_nr(), Insn::and(0x0f), Insn::jeq(5, 0, 1), Insn::ret(ALLOW), Insn::ret(ERRNO)];
    assert!(walk(&masked, 0x125, X86_64).is_constant_allow());
    assert!(!walk(&masked, 0x126, X86_64).is_constant_allow());
    let again =
        [Insn::load_nr(), Insn::and(0), Insn::load_nr(), Insn::jeq(9, 0, 1), Insn::ret(ALLOW), Insn::ret(0)];
    assert!(walk(&again, 9, X86_64).is_constant_allow());
}

#[test]
fn accumulator_starts_at_zero() {
    let insns = [Insn::jeq(0, 0, 1), Insn::ret(ALLOW), Insn::ret(ERRNO)];
    assert!(walk(&insns, 5, X86_64).is_constant_allow());
}

#[test]
fn every_other_opcode_answers_no() {
    let followed = [0x20, 0x05, 0x15, 0x25, 0x35, 0x45, 0x54, 0x06];
    for code in (0..=u16::MAX).filter(|code| !followed.contains(code)) {
        let odd = Insn { code, ..Insn::jeq(0, 0, 0) };
        assert_eq!(walk(&[odd, Insn::ret(ALLOW)], 0, X86_64), not(0, Reason::NotFollowed(odd)));
    }
    for code in followed {
        let even = Insn { code, ..Insn::default() };
        let verdict = walk(&[even, Insn::ret(ALLOW)], 0, X86_64);
        assert!(!matches!(verdict, Verdict::Not { why: Reason::NotFollowed(_), .. }), "{even}");
    }
}

#[test]
fn long_jumps_are_taken_in_full() {
    let mut insns = vec![Insn::ja(300)];
    insns.resize(301, Insn::ret(ERRNO));
    insns.push(Insn::ret(ALLOW));
    assert_eq!(walk(&insns, 0, X86_64), Verdict::ConstantAllow);
}

#[test]
fn unchecked_programs_end_too() {
    let past = |at| not(at, Reason::RanOffTheEnd);
    assert_eq!(walk(&[], 0, X86_64), past(0));
    assert_eq!(walk(&[Insn::load_nr()], 0, X86_64), past(1));
    assert_eq!(walk(&[Insn::ja(u32::MAX)], 0, X86_64), past(1 << 32));
    assert_eq!(walk(&[Insn::jeq(0, 255, 0)], 0, X86_64), past(256));
}

#[test]
fn verdicts_name_the_instruction() {
    let text = |insns: &[Insn]| walk(insns, 0, X86_64).to_string();
    assert_eq!(text(&[Insn::ret(ALLOW)]), "allowed whatever the arguments");
    assert_eq!(text(&[Insn::load_nr(), Insn::load_arg(1)]), "instruction 1 loads args[1].lo");
    assert_eq!(text(&[Insn::ret(ALLOW | 1)]), "instruction 0 returns ALLOW with data 0x1");
    assert_eq!(text(&[Insn::plain(0x07, 0)]), "instruction 0 is not followed: tax");
    assert_eq!(text(&[]), "instruction 0 is past the end");
}
