// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs longer than most, and chains around the limit of all filters together.

use crate::action::ALLOW;
use crate::chain::{OLDER_FILTER_PENALTY, PATH_INSNS_MAX};
use crate::insn::Insn;
use crate::program::INSNS_MAX;

use super::SHORT_INSNS_MAX;
use super::constants::{Mood, mask, middle, number};
use super::dice::Dice;
use super::{profile, soup};

/// The longest straight line: the walk takes every step of it, for every number.
const LINE_INSNS_MAX: usize = 600;

/// The most numbers on a list.
const LIST_MAX: usize = 300;

/// A filter of `n` instructions that jump to its end counts 4 more than it has: see [`crate::program::Program`].
const CONVERTED_MORE: usize = 4;

/// A long program of at most `longest` instructions.
pub(super) fn program(dice: &mut Dice, mood: Mood, longest: usize) -> Vec<Insn> {
    match dice.below(5) {
        0 => {
            let count = dice.length(SHORT_INSNS_MAX, LIST_MAX);
            profile::sized(dice, mood, count)
        }
        1 => line(dice),
        2 => {
            let len = if dice.percent(50) { longest } else { dice.length(SHORT_INSNS_MAX, longest) };
            far(dice, mood, len)
        }
        _ => {
            let len = dice.length(SHORT_INSNS_MAX, longest - 1);
            [vec![Insn::load_nr()], soup::long(dice, mood, len)].concat()
        }
    }
}

/// No way around any instruction.
fn line(dice: &mut Dice) -> Vec<Insn> {
    let len = dice.length(SHORT_INSNS_MAX, LINE_INSNS_MAX);
    let mut insns = Vec::with_capacity(len + 3);
    for _ in 0..len {
        insns.push(match dice.below(6) {
            0 => Insn::load_nr(),
            1 => Insn::load_arch(),
            2 => Insn::and(mask(dice)),
            3 => Insn::ja(0),
            4 => Insn::jset(mask(dice), 0, 0),
            _ => Insn::jeq(number(dice), 0, 0),
        });
    }
    insns.extend([Insn::load_nr(), Insn::jge(middle(dice), 0, 1), Insn::ret(0), Insn::ret(ALLOW)]);
    insns
}

/// A jump over almost everything, for one side of a test.
fn far(dice: &mut Dice, mood: Mood, len: usize) -> Vec<Insn> {
    let rest = soup::long(dice, mood, len - 3);
    let distance = u32::try_from(rest.len() - 1).unwrap_or(u32::MAX);
    [vec![Insn::load_nr(), Insn::jge(middle(dice), 1, 0), Insn::ja(distance)], rest].concat()
}

/// Eight filters that just fit the limit, or are too long by a little.
pub(super) fn around_the_limit(dice: &mut Dice) -> Vec<Vec<Insn>> {
    let older = PATH_INSNS_MAX / INSNS_MAX - 1;
    let rest = PATH_INSNS_MAX - older * (INSNS_MAX + CONVERTED_MORE + OLDER_FILTER_PENALTY) - CONVERTED_MORE;
    let last = rest + dice.index(5) - 2;
    let mut filters = vec![jump_to_end(dice, INSNS_MAX); older];
    filters.push(jump_to_end(dice, last));
    filters
}

/// Jumps over almost everything, but for one number, which takes every step; both come to the same return.
fn jump_to_end(dice: &mut Dice, len: usize) -> Vec<Insn> {
    let mut insns = vec![Insn::load_nr(); len];
    let distance = u32::try_from(len - 4).unwrap_or_default();
    let head = [Insn::load_nr(), Insn::jeq(number(dice), 1, 0), Insn::ja(distance)];
    insns.splice(..head.len(), head);
    if let Some(last) = insns.last_mut() {
        *last = Insn::ret(ALLOW);
    }
    insns
}
