// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chains of filters out of a seed and an index.
//!
//! A pure function: the same two numbers give the same chain on every host and for every kernel, so that one chain out
//! of many can be had again alone. The numbers come from ChaCha8 with the seed as key and the index as stream (RFC
//! 8439 with 8 rounds and a 64-bit stream, as `rand_chacha` has it); every draw is a multiplication of one word of it.
//!
//! Weighted so that most chains leave both cached and uncached numbers, on kernels with and without a compat
//! architecture. Every filter that another follows lets `seccomp()` itself through, whatever the arguments; nothing
//! else is asked of a filter, since the task makes no call after the last `seccomp()`.

use std::ops::Range;

use crate::insn::{Insn, Op, Register};
use crate::program::{Fault, INSNS_MAX, Program};
use crate::request::Chain;

use constants::Mood;
use dice::Dice;

pub use attach::{SECCOMP_CALLS, is_attachable, lets_seccomp_through};

mod attach;
mod broken;
mod constants;
mod dice;
mod long;
mod profile;
mod soup;

/// The version of the function: a new one means that a seed and an index give other chains than before.
pub const VERSION: u32 = 1;

/// The most filters of a chain, but for those that are about the limit of all filters together.
pub const FILTERS_MAX: usize = 5;

/// What share of the chains is broken on purpose.
const BROKEN_PERCENT: u32 = 4;

/// Out of a thousand chains, how many go up to the limit of all filters together, or over it.
const LIMIT_PER_MILLE: u32 = 1;

/// What share of the programs of a chain is long: out of a thousand.
const LONG_PER_MILLE: u32 = 4;

/// The longest program that is not called long.
const SHORT_INSNS_MAX: usize = 64;

/// How a program is made.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// As profiles are: an architecture test, then a ladder or a tree of numbers.
    Profile,
    /// Two parts behind a test of the number.
    Split,
    /// Any instructions.
    Soup,
    /// One answer for everything.
    Constant,
}

/// The chain with this index, oldest filter first.
#[must_use]
pub fn chain(seed: u64, index: u64) -> Vec<Vec<Insn>> {
    let mut dice = Dice::new(seed, index);
    if dice.per_mille(LIMIT_PER_MILLE) {
        return long::around_the_limit(&mut dice);
    }
    let broken = dice.percent(BROKEN_PERCENT);
    let depth = dice.weighted(&[(40, 1), (25, 2), (15, 3), (10, 4), (10, FILTERS_MAX)]);
    let mut filters: Vec<_> = (1..=depth).map(|place| filter(&mut dice, depth, place == depth)).collect();
    if broken {
        broken::break_one(&mut dice, &mut filters);
    }
    filters
}

/// The chains with these indices; a chain's id is its index.
#[must_use]
pub fn chains(seed: u64, indices: Range<u32>) -> Vec<Chain> {
    indices.map(|id| Chain { id, filters: chain(seed, id.into()) }).collect()
}

/// One filter of a chain of `depth`.
fn filter(dice: &mut Dice, depth: usize, last: bool) -> Vec<Insn> {
    // Each filter can only clear bits: the more there are, the more each allows.
    let allow_percent = match depth {
        1 => 50,
        2 => 62,
        3 => 70,
        4 => 76,
        _ => 80,
    };
    let mood = Mood { allow_percent };
    let room = if last { INSNS_MAX } else { INSNS_MAX - attach::GUARD_INSNS_MAX };
    let body = if dice.per_mille(LONG_PER_MILLE) {
        long::program(dice, mood, room)
    } else {
        match dice.weighted(&[
            (30, Shape::Profile),
            (46, Shape::Split),
            (22, Shape::Soup),
            (2, Shape::Constant),
        ]) {
            Shape::Profile => profile::program(dice, mood),
            Shape::Split => soup::split(dice, mood),
            Shape::Soup => soup::program(dice, mood, SHORT_INSNS_MAX),
            Shape::Constant => vec![Insn::ret(mood.value(dice))],
        }
    };
    let body = with_cells_written(body);
    if last || Program::check(&body).is_ok_and(|program| lets_seccomp_through(&program)) {
        return body;
    }
    attach::guarded(dice, body)
}

/// Turns loads from cells that some path leaves unwritten into stores to them.
fn with_cells_written(mut insns: Vec<Insn>) -> Vec<Insn> {
    // Every round writes one more cell, or repairs one more place.
    while let Err(refusal) = Program::check(&insns) {
        let Fault::UnwrittenCell(cell) = refusal.fault else { break };
        let Some(insn) = insns.get_mut(refusal.at) else { break };
        *insn = Op::Store(Register::A, cell).into();
    }
    insns
}

#[cfg(test)]
mod tests;
