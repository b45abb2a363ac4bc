// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs as compilers of profiles make them: an architecture test, then numbers as a ladder or as a binary tree.

use crate::action::{ALLOW, KILL_PROCESS};
use crate::insn::Insn;
use crate::tables::Arch;

use super::constants::Holds;
use super::constants::{Mood, arch, constant, mask, number, refusal};
use super::dice::Dice;

/// How a section finds a number.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// A test each, and one return for all of them behind the last.
    Ladder,
    /// A test and a return each.
    Steps,
    /// Halves of halves.
    Tree,
}

/// What a section answers.
#[derive(Debug, Clone, Copy)]
struct Answers {
    /// For the numbers on its list.
    listed: u32,
    /// For all others.
    default: u32,
}

/// Which architectures a program has a section for.
#[derive(Debug, Clone, Copy)]
enum Sections {
    /// One for all, without a test.
    Untested,
    /// One each.
    Each,
    /// One of them only.
    One,
}

/// A program of at most about 64 instructions.
pub(super) fn program(dice: &mut Dice, mood: Mood) -> Vec<Insn> {
    let longest = if dice.percent(80) { 16 } else { 28 };
    let count = dice.length(1, longest);
    sized(dice, mood, count)
}

/// A program with lists of this many numbers.
pub(super) fn sized(dice: &mut Dice, mood: Mood, count: usize) -> Vec<Insn> {
    match dice.weighted(&[(40, Sections::Untested), (48, Sections::Each), (12, Sections::One)]) {
        Sections::Untested => section(dice, mood, count),
        Sections::Each => {
            let first = arch(dice);
            let second = if first == Arch::X86_64 { Arch::Ia32 } else { Arch::X86_64 };
            let half = count.div_ceil(2);
            let sections = [(first, section(dice, mood, half)), (second, section(dice, mood, half))];
            tested(&sections, refusal(dice))
        }
        Sections::One => {
            let sections = [(arch(dice), section(dice, mood, count))];
            // systemd attaches a filter for each architecture that lets the other one through.
            let other = if dice.percent(70) { ALLOW } else { refusal(dice) };
            tested(&sections, other)
        }
    }
}

/// Sections behind tests of the architecture.
fn tested(sections: &[(Arch, Vec<Insn>)], other: u32) -> Vec<Insn> {
    let mut insns = vec![Insn::load_arch()];
    for (arch, section) in sections {
        match u8::try_from(section.len()) {
            Ok(len) => insns.push(Insn::jeq(arch.audit(), 0, len)),
            Err(_) => {
                insns.push(Insn::jeq(arch.audit(), 1, 0));
                insns.push(Insn::ja(u32::try_from(section.len()).unwrap_or(u32::MAX)));
            }
        }
        insns.extend(section);
    }
    insns.push(Insn::ret(other));
    insns
}

fn section(dice: &mut Dice, mood: Mood, count: usize) -> Vec<Insn> {
    let answers = if dice.percent(mood.allow_percent) {
        Answers { listed: refusal(dice), default: ALLOW }
    } else {
        Answers { listed: ALLOW, default: refusal(dice) }
    };
    let mut numbers: Vec<u32> = (0..count).map(|_| number(dice)).collect();
    let mut insns = vec![Insn::load_nr()];
    if dice.percent(15) {
        // x32 numbers are not for this profile.
        insns.extend([Insn::jge(0x4000_0000, 0, 1), Insn::ret(KILL_PROCESS)]);
    }
    match dice.pick(&[Layout::Ladder, Layout::Steps, Layout::Tree]) {
        Layout::Ladder if count <= 200 => ladder(&numbers, answers, &mut insns),
        Layout::Ladder | Layout::Steps => {
            for number in numbers {
                insns.extend(entry(dice, number, answers));
            }
            insns.push(Insn::ret(answers.default));
        }
        Layout::Tree => {
            numbers.sort_unstable();
            insns.extend(tree(&numbers, answers));
        }
    }
    insns
}

fn ladder(numbers: &[u32], answers: Answers, insns: &mut Vec<Insn>) {
    for (place, number) in numbers.iter().enumerate() {
        // At most 200: over the tests that follow, and the default's return.
        let listed = u8::try_from(numbers.len() - place).unwrap_or(u8::MAX);
        insns.push(Insn::jeq(*number, listed, 0));
    }
    insns.extend([Insn::ret(answers.default), Insn::ret(answers.listed)]);
}

/// A test of one number; now and then its answer hangs on an argument.
fn entry(dice: &mut Dice, number: u32, answers: Answers) -> Vec<Insn> {
    let (listed, default) = (Insn::ret(answers.listed), Insn::ret(answers.default));
    if !dice.percent(12) {
        return vec![Insn::jeq(number, 0, 1), listed];
    }
    let load = Insn::load(16 + 4 * dice.below(12));
    let mut test = vec![load];
    if dice.percent(40) {
        test.push(Insn::and(mask(dice)));
    }
    let k = constant(dice, Holds::Other);
    test.extend([Insn::jeq(k, 0, 1), listed, default]);
    let len = u8::try_from(test.len()).unwrap_or(u8::MAX);
    [&[Insn::jeq(number, 0, len)], &test[..]].concat()
}

fn tree(numbers: &[u32], answers: Answers) -> Vec<Insn> {
    if numbers.len() <= 2 {
        let tests = numbers.iter().flat_map(|number| [Insn::jeq(*number, 0, 1), Insn::ret(answers.listed)]);
        return tests.chain([Insn::ret(answers.default)]).collect();
    }
    let (low, high) = numbers.split_at(numbers.len() / 2);
    let pivot = high.first().copied().unwrap_or_default();
    let (low, high) = (tree(low, answers), tree(high, answers));
    let branch = match u8::try_from(low.len()) {
        Ok(len) => vec![Insn::jge(pivot, len, 0)],
        Err(_) => vec![Insn::jge(pivot, 0, 1), Insn::ja(u32::try_from(low.len()).unwrap_or(u32::MAX))],
    };
    [branch, low, high].concat()
}
