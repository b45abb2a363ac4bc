// SPDX-License-Identifier: MIT OR Apache-2.0
//! The constants that random programs are made of.

use crate::action::{ALLOW, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, TRACE, TRAP, USER_NOTIF};
use crate::tables::Arch;

use super::dice::Dice;

/// A little more than the most numbers of any kernel that is tested.
const NR_LIMIT: u32 = 480;

/// Numbers around the ends of tables (5.10, 6.1 and 7.2 have 441, 451 and 472), `seccomp()` itself, the two of the
/// uprobe exception, and the numbers of x32.
const NR_EDGES: [u32; 20] =
    [0, 1, 2, 31, 32, 63, 64, 317, 335, 336, 354, 439, 440, 441, 450, 451, 471, 472, 512, 547];

/// Where signed and unsigned, or one bit more and one less, make a difference.
const EDGES: [u32; 12] = [
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
    0xffff_fffe,
    0x4000_0000,
    0x3fff_ffff,
    0x4000_0001,
    0xffff,
    0x1_0000,
    ALLOW,
    0xc000_0000,
];

/// The two of the cache, and what is near to them: a bit more or less, another byte order, other architectures.
const ARCHES: [u32; 14] = [
    0xc000_003e,
    0x4000_0003,
    0xc000_003e,
    0x4000_0003,
    0xc000_003e,
    0x4000_0003,
    0xc000_003e,
    0x4000_0003,
    0x8000_003e,
    0x4000_003e,
    0xc000_0003,
    0xc000_00b7,
    0x4000_0028,
    0,
];

/// All actions but ALLOW, and what is nearly ALLOW.
const REFUSALS: [u32; 22] = [
    ERRNO | 1,
    ERRNO | 1,
    ERRNO | 38,
    ERRNO,
    ERRNO | 0xffff,
    KILL_PROCESS,
    KILL_PROCESS,
    KILL_THREAD,
    TRAP,
    TRAP | 7,
    USER_NOTIF,
    TRACE,
    TRACE | 0xffff,
    LOG,
    LOG,
    ALLOW | 1,
    ALLOW | 1,
    ALLOW | 0xffff,
    ALLOW | 0x8000,
    ALLOW | KILL_PROCESS,
    0x7ffe_0000,
    0x7fff,
];

/// What the answers of a program lean to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mood {
    /// How often a value that is returned is ALLOW.
    pub(super) allow_percent: u32,
}

/// What the accumulator holds, as far as the order of the instructions tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Nr,
    Arch,
    Other,
}

impl Mood {
    /// One that allows so many percent more, or less.
    pub(super) fn shifted(self, percent: i32) -> Self {
        Self { allow_percent: self.allow_percent.saturating_add_signed(percent).min(95) }
    }

    /// A value to return.
    pub(super) fn value(self, dice: &mut Dice) -> u32 {
        if dice.percent(self.allow_percent) { ALLOW } else { refusal(dice) }
    }
}

/// A value that is not ALLOW.
pub(super) fn refusal(dice: &mut Dice) -> u32 {
    dice.pick(&REFUSALS)
}

/// A system call number, or nearly one.
pub(super) fn number(dice: &mut Dice) -> u32 {
    match dice.below(10) {
        0 => dice.pick(&NR_EDGES),
        _ => dice.below(NR_LIMIT),
    }
}

/// A number in the middle of every table: both sides of a test with it are taken.
pub(super) fn middle(dice: &mut Dice) -> u32 {
    20 + dice.below(380)
}

pub(super) fn mask(dice: &mut Dice) -> u32 {
    match dice.below(8) {
        0 => dice.word(),
        1 => dice.pick(&EDGES),
        2 => !(1 << dice.below(32)),
        3 => u32::MAX << dice.below(10),
        4 => 1 << dice.below(9),
        _ => (2 << dice.below(10)) - 1,
    }
}

/// A constant to test against what the accumulator holds.
pub(super) fn constant(dice: &mut Dice, holds: Holds) -> u32 {
    let fitting = dice.percent(85);
    match holds {
        Holds::Nr if fitting => number(dice),
        Holds::Arch if fitting => dice.pick(&ARCHES),
        _ => match dice.below(8) {
            0..3 => dice.pick(&EDGES),
            3 => dice.pick(&ARCHES),
            4 => dice.word(),
            5 => dice.below(16),
            _ => number(dice),
        },
    }
}

/// An architecture of the cache.
pub(super) fn arch(dice: &mut Dice) -> Arch {
    dice.pick(&Arch::ALL)
}
