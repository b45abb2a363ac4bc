// SPDX-License-Identifier: MIT OR Apache-2.0
//! The edges of tests, masks and jumps.

use super::{Case, both, counted};
use crate::action::{ALLOW, ERRNO};
use crate::insn::Insn;
use crate::program::INSNS_MAX;

const DENY: Insn = Insn::ret(ERRNO | 1);
const PASS: Insn = Insn::ret(ALLOW);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = tests();
    cases.extend(accumulator());
    cases.extend(jumps());
    cases
}

/// A filter that denies where a test of the number holds.
fn deny_if(test: Insn) -> Vec<Vec<Insn>> {
    vec![vec![Insn::load_nr(), test, DENY, PASS]]
}

fn tests() -> Vec<Case> {
    let sides = vec![Insn::load_nr(), Insn::jgt(99, 2, 1), DENY, PASS, DENY];
    let negative_arch = vec![Insn::load_arch(), Insn::jgt(0x7fff_ffff, 0, 1), PASS, DENY];
    vec![
        both("jgt_edge", "JGT 99 holds from 100 on", deny_if(Insn::jgt(99, 0, 1)), 100),
        both("jge_edge", "JGE 99 holds from 99 on", deny_if(Insn::jge(99, 0, 1)), 99),
        both("jgt_sides", "JGT with both sides away from the next instruction", vec![sides], 100),
        both(
            "jgt_unsigned_edge",
            "JGT with the sign bit: no number is greater",
            deny_if(Insn::jgt(0xffff_ff00, 0, 1)),
            441,
        ),
        both(
            "jge_unsigned_edge",
            "JGE with the sign bit: no number reaches it",
            deny_if(Insn::jge(0x8000_0000, 0, 1)),
            441,
        ),
        counted(
            "arch_unsigned",
            "x86_64's architecture value has the sign bit and is greater",
            vec![negative_arch],
            441,
            0,
        ),
        both(
            "jset",
            "JSET 0x41 holds for odd numbers and those with bit 6",
            deny_if(Insn::jset(0x41, 0, 1)),
            125,
        ),
        both("jset_all_bits", "JSET holds with any bit, not only with all", deny_if(Insn::jset(!0, 0, 1)), 1),
        both("jset_0", "JSET 0 never holds", deny_if(Insn::jset(0, 0, 1)), 441),
    ]
}

fn accumulator() -> Vec<Case> {
    let nr = Insn::load_nr();
    vec![
        both(
            "and_mask",
            "numbers whose low byte is 42 are denied",
            vec![vec![nr, Insn::and(0xff), Insn::jeq(42, 0, 1), DENY, PASS]],
            439,
        ),
        both(
            "and_x32_bit",
            "the x32 bit is masked out and tested",
            vec![vec![nr, Insn::and(0x4000_0000), Insn::jeq(0, 0, 1), PASS, DENY]],
            441,
        ),
        both(
            "and_then_load",
            "a load replaces what a mask left",
            vec![vec![nr, Insn::and(0), nr, Insn::jge(100, 0, 1), DENY, PASS]],
            100,
        ),
        both(
            "test_before_load",
            "the accumulator is 0 before the first load",
            vec![vec![Insn::jeq(0, 0, 1), PASS, DENY]],
            441,
        ),
    ]
}

fn jumps() -> Vec<Case> {
    let mut longest = vec![Insn::load_nr(); INSNS_MAX - 1];
    longest.push(PASS);
    let mut over_all = vec![DENY; INSNS_MAX];
    over_all[0] = Insn::ja(u32::try_from(INSNS_MAX - 2).unwrap_or_default());
    over_all[INSNS_MAX - 1] = PASS;
    let mut deny_from_200 = vec![Insn::load_nr(), Insn::jge(200, 0, 1), Insn::ja(300), PASS];
    deny_from_200.resize(303, PASS);
    deny_from_200.push(DENY);
    let mut farthest = vec![Insn::load_nr(), Insn::jge(200, 255, 254)];
    farthest.resize(256, DENY);
    farthest.extend([PASS, DENY]);
    vec![
        both("longest_program", "4096 instructions, all of them walked", vec![longest], 441),
        both("longest_jump", "JA over 4094 instructions", vec![over_all], 441),
        both("long_jump_ja", "JA over more than a conditional jump can", vec![deny_from_200], 200),
        both("farthest_branches", "conditional jumps of 255 and 254", vec![farthest], 200),
    ]
}
