// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known of a 32-bit value: a range, and some of its bits.

use crate::insn::{Arithmetic, Test};

use super::term::calculate;

/// A set of values that holds every value that is possible, and perhaps more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Domain {
    /// Bits that are 0.
    pub(super) zeros: u32,
    /// Bits that are 1.
    pub(super) ones: u32,
    /// The least value.
    pub(super) low: u32,
    /// The greatest value.
    pub(super) high: u32,
}

impl Domain {
    pub(super) const FULL: Self = Self { zeros: 0, ones: 0, low: 0, high: u32::MAX };

    pub(super) const fn single(value: u32) -> Self {
        Self { zeros: !value, ones: value, low: value, high: value }
    }

    pub(super) const fn bits(zeros: u32, ones: u32) -> Self {
        Self { zeros, ones, low: ones, high: !zeros }
    }

    pub(super) fn is_single(self) -> Option<u32> {
        (self.low == self.high).then_some(self.low)
    }

    pub(super) fn contains(self, value: u32) -> bool {
        value & self.zeros == 0 && value & self.ones == self.ones && (self.low..=self.high).contains(&value)
    }

    /// The values in both; `None` if there is none for sure.
    pub(super) fn and(self, other: Self) -> Option<Self> {
        Self {
            zeros: self.zeros | other.zeros,
            ones: self.ones | other.ones,
            low: self.low.max(other.low),
            high: self.high.min(other.high),
        }
        .tightened()
    }

    /// Lets the range and the bits tell each other what they know.
    fn tightened(mut self) -> Option<Self> {
        self.low = self.low.max(self.ones);
        self.high = self.high.min(!self.zeros);
        if self.low > self.high || self.zeros & self.ones != 0 {
            return None;
        }
        // The leading bits in which both ends agree are those of everything between.
        let common = !u32::MAX.checked_shr((self.low ^ self.high).leading_zeros()).unwrap_or(0);
        self.ones |= self.low & common;
        self.zeros |= !self.low & common;
        if self.zeros & self.ones != 0 {
            return None;
        }
        // One value is left, and the bits may forbid it.
        if self.low == self.high && !self.contains(self.low) { None } else { Some(self) }
    }

    /// Those for which a test against a constant holds, or does not.
    pub(super) fn refined(self, test: Test, k: u32, holds: bool) -> Option<Self> {
        match (test, holds) {
            (Test::Equal, true) => self.contains(k).then_some(Self::single(k)),
            (Test::Equal, false) => match (self.low == k, self.high == k) {
                (true, true) => None,
                (true, false) => Self { low: k + 1, ..self }.tightened(),
                (false, true) => Self { high: k - 1, ..self }.tightened(),
                (false, false) => Some(self),
            },
            (Test::Greater, true) => Self { low: self.low.max(k.checked_add(1)?), ..self }.tightened(),
            (Test::Greater, false) => Self { high: self.high.min(k), ..self }.tightened(),
            (Test::GreaterOrEqual, true) => Self { low: self.low.max(k), ..self }.tightened(),
            (Test::GreaterOrEqual, false) => {
                Self { high: self.high.min(k.checked_sub(1)?), ..self }.tightened()
            }
            (Test::AnyBit, true) => match k & !self.zeros {
                0 => None,
                bit if bit.is_power_of_two() => Self { ones: self.ones | bit, ..self }.tightened(),
                _ => Some(self),
            },
            (Test::AnyBit, false) => Self { zeros: self.zeros | k, ..self }.tightened(),
        }
    }

    /// What arithmetic makes of values of these domains.
    pub(super) fn forward(arithmetic: Arithmetic, left: Self, right: Self) -> Self {
        let constant = right.is_single();
        if let (Some(left), Some(right)) = (left.is_single(), constant) {
            return Self::single(calculate(arithmetic, left, right));
        }
        match (arithmetic, constant) {
            (Arithmetic::And, _) => Self::bits(left.zeros | right.zeros, left.ones & right.ones),
            (Arithmetic::Or, _) => Self::bits(left.zeros & right.zeros, left.ones | right.ones),
            (Arithmetic::Xor, _) => Self::bits(
                (left.zeros & right.zeros) | (left.ones & right.ones),
                (left.zeros & right.ones) | (left.ones & right.zeros),
            ),
            (Arithmetic::Lsh, Some(k)) => {
                let k = k & 31;
                Self::bits((left.zeros << k) | !(u32::MAX << k), left.ones << k)
            }
            (Arithmetic::Rsh, Some(k)) => {
                let k = k & 31;
                Self::bits((left.zeros >> k) | !(u32::MAX >> k), left.ones >> k)
            }
            (Arithmetic::Div, Some(k)) if k > 0 => {
                Self { low: left.low / k, high: left.high / k, ..Self::FULL }
            }
            _ => Self::FULL,
        }
    }

    /// What must be true of the left value, where arithmetic with a constant on the right gave one of these.
    pub(super) fn backward(self, arithmetic: Arithmetic, k: u32) -> Self {
        match arithmetic {
            Arithmetic::And => Self::bits(self.zeros & k, self.ones & k),
            Arithmetic::Or => Self::bits(self.zeros & !k, self.ones & !k),
            Arithmetic::Xor => {
                Self::bits((self.zeros & !k) | (self.ones & k), (self.ones & !k) | (self.zeros & k))
            }
            Arithmetic::Lsh => {
                let k = k & 31;
                Self::bits(self.zeros >> k, self.ones >> k)
            }
            Arithmetic::Rsh => {
                let k = k & 31;
                Self::bits(self.zeros << k, self.ones << k)
            }
            Arithmetic::Add | Arithmetic::Sub => match self.is_single() {
                Some(sum) if arithmetic == Arithmetic::Add => Self::single(sum.wrapping_sub(k)),
                Some(difference) => Self::single(difference.wrapping_add(k)),
                None => Self::FULL,
            },
            Arithmetic::Mul | Arithmetic::Div => Self::FULL,
        }
    }
}
