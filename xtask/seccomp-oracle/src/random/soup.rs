// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of any instructions, whose jumps stay inside.

use crate::data;
use crate::insn::{Arithmetic, Insn, Op, Operand, Register, Test};
use crate::program::MEMORY_CELLS;

use super::constants::{Holds, Mood, constant, mask, middle, number};
use super::dice::Dice;

/// The kinds of instructions that the walk follows.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Load,
    And,
    Jump,
    Branch,
    Return,
}

/// How often an instruction is one that the walk does not follow, in percent.
#[derive(Debug, Clone, Copy)]
struct Spice(u32);

/// A program of at most `longest` instructions.
pub(super) fn program(dice: &mut Dice, mood: Mood, longest: usize) -> Vec<Insn> {
    let spice = Spice(dice.weighted(&[(50, 0), (35, 4), (15, 12)]));
    let len = if dice.percent(70) { dice.length(5, 20) } else { dice.length(2, longest) };
    let mut insns = vec![Insn::load_nr()];
    if dice.percent(12) {
        insns = vec![Insn::load_arch()];
    }
    let holds = if insns == [Insn::load_nr()] { Holds::Nr } else { Holds::Arch };
    if holds == Holds::Nr && dice.percent(60) {
        let (value, (jt, jf)) = (mood.value(dice), dice.pick(&[(0, 1), (1, 0)]));
        insns.extend([Insn::jge(middle(dice), jt, jf), Insn::ret(value)]);
    }
    insns.extend(soup(dice, mood, len, holds, spice));
    insns
}

/// A test of the number, and a program for each of its sides; one of them may do what the walk does not follow.
pub(super) fn split(dice: &mut Dice, mood: Mood) -> Vec<Insn> {
    let spices = dice.weighted(&[(45, (0, 0)), (20, (0, 15)), (20, (15, 0)), (8, (60, 0)), (7, (0, 60))]);
    let test = match dice.below(8) {
        0 => Test::AnyBit,
        1..4 => Test::Greater,
        _ => Test::GreaterOrEqual,
    };
    let k = if test == Test::AnyBit { 1 << dice.below(9) } else { middle(dice) };
    // One side allows more than the other, so that most programs do both.
    let (more, less) = (mood.shifted(30), mood.shifted(-30));
    let moods = if dice.percent(50) { (more, less) } else { (less, more) };
    let mut part = |mood, spice| {
        let len = dice.length(1, 24);
        soup(dice, mood, len, Holds::Nr, Spice(spice))
    };
    let (no, yes) = (part(moods.0, spices.0), part(moods.1, spices.1));
    // A part has at most 24 instructions.
    let jt = u8::try_from(no.len()).unwrap_or(u8::MAX);
    let branch = Op::Branch { test, against: Operand::K(k), jt, jf: 0 }.into();
    [&[Insn::load_nr(), branch], &no[..], &yes[..]].concat()
}

/// `len` instructions of any kind, the last one a return.
pub(super) fn long(dice: &mut Dice, mood: Mood, len: usize) -> Vec<Insn> {
    let spice = Spice(dice.pick(&[0, 1, 5]));
    soup(dice, mood, len, Holds::Other, spice)
}

fn soup(dice: &mut Dice, mood: Mood, len: usize, mut holds: Holds, spice: Spice) -> Vec<Insn> {
    let mut insns = Vec::with_capacity(len);
    for at in 1..len {
        // How many instructions there are between this one and the last.
        let room = len - at - 1;
        let op = if dice.percent(spice.0) {
            unfollowed(dice, mood, room, &mut holds)
        } else {
            followed(dice, mood, room, &mut holds)
        };
        insns.push(op.into());
    }
    insns.push(if dice.per_mille(15) { Insn::ret_a() } else { Insn::ret(mood.value(dice)) });
    insns
}

fn followed(dice: &mut Dice, mood: Mood, room: usize, holds: &mut Holds) -> Op {
    let kinds = [(14, Kind::Load), (4, Kind::And), (4, Kind::Jump), (54, Kind::Branch), (24, Kind::Return)];
    match dice.weighted(&kinds) {
        Kind::Load if dice.percent(75) => {
            *holds = Holds::Nr;
            Op::Load(data::NR)
        }
        Kind::Load => {
            *holds = Holds::Arch;
            Op::Load(data::ARCH)
        }
        Kind::And => Op::Arithmetic(Arithmetic::And, Operand::K(mask(dice))),
        Kind::Jump => Op::Jump(u32::from(distance(dice, room))),
        Kind::Branch => {
            let test = dice.pick(&Test::ALL);
            let k = match test {
                Test::AnyBit => mask(dice),
                _ => constant(dice, *holds),
            };
            Op::Branch { test, against: Operand::K(k), jt: distance(dice, room), jf: distance(dice, room) }
        }
        Kind::Return => Op::Return(mood.value(dice)),
    }
}

/// An instruction that the walk stops at; some of them are followed by accident, which is as well.
fn unfollowed(dice: &mut Dice, mood: Mood, room: usize, holds: &mut Holds) -> Op {
    let register = dice.pick(&[Register::A, Register::X]);
    let cell = dice.below(MEMORY_CELLS.min(4)) + if dice.percent(10) { MEMORY_CELLS - 4 } else { 0 };
    let test = dice.pick(&Test::ALL);
    let before = *holds;
    *holds = Holds::Other;
    match dice.below(20) {
        0..6 => Op::Load(4 * (2 + dice.below(14))),
        6 => Op::Immediate(register, constant(dice, before)),
        7 => Op::Length(register),
        8 | 9 => Op::Store(register, cell),
        10 => Op::LoadMemory(register, cell),
        11..14 => arithmetic(dice),
        14 => Op::Negate,
        15 => Op::Tax,
        16 => Op::Txa,
        17 | 18 => {
            Op::Branch { test, against: Operand::X, jt: distance(dice, room), jf: distance(dice, room) }
        }
        _ if dice.percent(40) => Op::ReturnA,
        _ => Op::Return(mood.value(dice)),
    }
}

fn arithmetic(dice: &mut Dice) -> Op {
    let arithmetic = dice.pick(&Arithmetic::ALL);
    if dice.percent(35) {
        return Op::Arithmetic(arithmetic, Operand::X);
    }
    let k = match arithmetic {
        Arithmetic::Lsh | Arithmetic::Rsh => dice.below(32),
        Arithmetic::Div | Arithmetic::Mul => 1 + number(dice),
        _ => mask(dice),
    };
    Op::Arithmetic(arithmetic, Operand::K(k))
}

/// How far to jump: mostly a little, at most `room`.
fn distance(dice: &mut Dice, room: usize) -> u8 {
    let wanted = match dice.below(20) {
        0..12 => dice.index(4),
        12..19 => dice.index(12),
        _ => dice.index(256),
    };
    u8::try_from(wanted.min(room)).unwrap_or(u8::MAX)
}
