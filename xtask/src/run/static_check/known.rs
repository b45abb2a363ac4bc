// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known of the registers and stack slots at one point of a function.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::Register;

/// A place that holds a value: a register at its full width, or a slot of the stack. Where RBP is no
/// frame pointer its slots may be anything; a store through another register is not seen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Register(Register),
    Slot(Register, i64),
}

/// What is known of the places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Pairs of places that hold one value; each pair is there both ways.
    same: BTreeSet<(Place, Place)>,
    /// Places with the value that the carry flag says to be in bounds, or not.
    compared: BTreeSet<Place>,
    /// A mask, and a place with the value that it was made for.
    masks: BTreeSet<(Place, Place)>,
    masked: BTreeSet<Place>,
    /// With the constant, where every path brings the same.
    constants: BTreeMap<Place, Option<u64>>,
}

impl Known {
    /// A constant on one path and a masked value on the other is a value like a masked one.
    pub(super) fn meet(&self, other: &Known) -> Known {
        let both = |(place, value): (&Place, &Option<u64>)| {
            let there = other.constants.get(place)?;
            Some((*place, value.filter(|_| value == there)))
        };
        let constants: BTreeMap<Place, Option<u64>> = self.constants.iter().filter_map(both).collect();
        let bounded = |one: &Known| -> BTreeSet<Place> {
            one.masked.iter().chain(one.constants.keys()).copied().collect()
        };
        let bounded = bounded(self).intersection(&bounded(other)).copied().collect::<BTreeSet<Place>>();
        Known {
            same: self.same.intersection(&other.same).copied().collect(),
            compared: self.compared.intersection(&other.compared).copied().collect(),
            masks: self.masks.intersection(&other.masks).copied().collect(),
            masked: bounded.into_iter().filter(|place| !constants.contains_key(place)).collect(),
            constants,
        }
    }

    /// Keeps what is known of some places, and of pairs of them.
    fn retain(&mut self, keep: impl Fn(&Place) -> bool) {
        self.same.retain(|(one, other)| keep(one) && keep(other));
        self.compared.retain(&keep);
        self.masks.retain(|(mask, value)| keep(mask) && keep(value));
        self.masked.retain(&keep);
        self.constants.retain(|place, _| keep(place));
    }

    /// A place holds something unknown.
    pub(super) fn forget(&mut self, place: Place) {
        self.retain(|other| *other != place);
    }

    /// A register holds something unknown; slots that are counted from it are others.
    pub(super) fn forget_register(&mut self, register: Register) {
        self.retain(|place| match place {
            Place::Register(other) | Place::Slot(other, _) => *other != register,
        });
    }

    /// A place holds what another does.
    pub(super) fn copy(&mut self, from: Place, to: Place) {
        if from == to {
            return;
        }
        self.forget(to);
        for place in self.with_value_of(from) {
            self.same.extend([(place, to), (to, place)]);
        }
        if self.compared.contains(&from) {
            self.compared.insert(to);
        }
        let masks: Vec<(Place, Place)> = self
            .masks
            .iter()
            .filter_map(|(mask, value)| match (*mask == from, *value == from) {
                (true, _) => Some((to, *value)),
                (_, true) => Some((*mask, to)),
                _ => None,
            })
            .collect();
        self.masks.extend(masks);
        if self.masked.contains(&from) {
            self.masked.insert(to);
        }
        if let Some(value) = self.constants.get(&from).copied() {
            self.constants.insert(to, value);
        }
    }

    /// A place holds a constant of the code.
    pub(super) fn set(&mut self, place: Place, constant: u64) {
        self.forget(place);
        self.constants.insert(place, Some(constant));
    }

    /// The places with the value of one, itself among them.
    fn with_value_of(&self, place: Place) -> BTreeSet<Place> {
        let others = self.same.iter().filter(|(one, _)| *one == place).map(|(_, other)| *other);
        others.chain([place]).collect()
    }

    /// The carry flag says whether the value of a place is below a bound.
    pub(super) fn compare(&mut self, place: Place) {
        self.compared = self.with_value_of(place);
    }

    /// The carry flag says something else.
    pub(super) fn forget_flags(&mut self) {
        self.compared.clear();
    }

    /// A place holds all ones if the carry flag is set, else zero. Without a value that was compared
    /// it is no mask of anything.
    pub(super) fn spread_carry(&mut self, to: Place) {
        self.forget(to);
        let pairs = self.compared.iter().map(|value| (to, *value));
        self.masks.extend(pairs);
    }

    /// A place is ANDed with another.
    pub(super) fn and(&mut self, to: Place, from: Place) {
        let is_masked = self.masks.contains(&(to, from))
            || self.masks.contains(&(from, to))
            || [to, from].iter().any(|place| self.masked.contains(place));
        self.forget(to);
        if is_masked {
            self.masked.insert(to);
        }
    }

    /// A place is ANDed with a constant: that keeps an index in its bounds.
    pub(super) fn and_constant(&mut self, to: Place) {
        let is_masked = self.masked.contains(&to);
        self.forget(to);
        if is_masked {
            self.masked.insert(to);
        }
    }

    /// Whether the value of a place was masked.
    pub(super) fn is_masked(&self, place: Place) -> bool {
        self.masked.contains(&place)
    }

    /// Whether a place holds some constant of the code.
    pub(super) fn is_constant(&self, place: Place) -> bool {
        self.constants.contains_key(&place)
    }

    /// The constant in a place, if it is known.
    pub(super) fn constant(&self, place: Place) -> Option<u64> {
        self.constants.get(&place).copied().flatten()
    }

    /// What a called function still knows: registers. Its stack is another.
    pub(super) fn into_callee(mut self) -> Known {
        self.retain(|place| matches!(place, Place::Register(_)));
        self.forget_flags();
        self
    }
}
