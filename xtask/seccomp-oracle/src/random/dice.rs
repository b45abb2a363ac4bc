// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random draws whose results are the same for ever.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random words.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, index: u64) -> Self {
        let mut key = [0; 32];
        let (low, _) = key.split_at_mut(8);
        low.copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(index);
        Self(rng)
    }

    pub(super) fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number below `limit`; 0 where that is 0. For a limit far below 2^32 as good as even.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        let product = u64::from(self.word()) * u64::from(limit);
        // The high word of a product of two words fits one.
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// A place below `limit`, for limits that fit 32 bits.
    pub(super) fn index(&mut self, limit: usize) -> usize {
        self.below(u32::try_from(limit).unwrap_or(u32::MAX)) as usize
    }

    /// A length from `low` to `high`, both included.
    pub(super) fn length(&mut self, low: usize, high: usize) -> usize {
        low + self.index(high.saturating_sub(low) + 1)
    }

    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    pub(super) fn per_mille(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// One of the choices, which must not be none.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// One of the choices, by weight; they must not be none.
    pub(super) fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let mut left = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return *choice,
            }
        }
        choices[0].1
    }
}
