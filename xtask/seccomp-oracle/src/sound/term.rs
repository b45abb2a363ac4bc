// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values that depend on words which are not known.

use std::collections::BTreeMap;

use crate::data::SeccompData;
use crate::insn::{Arithmetic, Test};

/// What a register or a scratch cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// This, whatever the words.
    Known(u32),
    /// What a term says.
    Term(TermId),
}

/// A term's place; the terms that it is made of come before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TermId(pub(super) usize);

/// How a value comes from words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    /// The word at this offset of `struct seccomp_data`.
    Word(u32),
    /// Arithmetic on two values, not both known.
    Binary(Arithmetic, Value, Value),
}

/// All terms of a search, each once.
#[derive(Debug, Default)]
pub(super) struct Terms {
    terms: Vec<Term>,
    ids: BTreeMap<(u8, Value, Value), TermId>,
}

impl Terms {
    pub(super) fn word(&mut self, offset: u32) -> Value {
        self.intern(word_key(offset), Term::Word(offset))
    }

    /// The word at an offset, where a search came across it.
    pub(super) fn find_word(&self, offset: u32) -> Option<Value> {
        self.ids.get(&word_key(offset)).copied().map(Value::Term)
    }

    /// The result of arithmetic. A division must not be by a known 0; it is by none in a path that goes on.
    pub(super) fn binary(&mut self, arithmetic: Arithmetic, left: Value, right: Value) -> Value {
        if let (Value::Known(left), Value::Known(right)) = (left, right) {
            return Value::Known(calculate(arithmetic, left, right));
        }
        self.intern((arithmetic as u8, left, right), Term::Binary(arithmetic, left, right))
    }

    fn intern(&mut self, key: (u8, Value, Value), term: Term) -> Value {
        let id = *self.ids.entry(key).or_insert_with(|| {
            self.terms.push(term);
            TermId(self.terms.len() - 1)
        });
        Value::Term(id)
    }

    /// The term with an id that this collection gave out.
    pub(super) fn get(&self, id: TermId) -> Term {
        // Ids come from `intern` alone; the word 8 only keeps this function total.
        self.terms.get(id.0).copied().unwrap_or(Term::Word(8))
    }

    /// What every term up to this one is worth for a call.
    pub(super) fn values(&self, last: TermId, data: &SeccompData) -> Vec<u32> {
        let mut values = Vec::with_capacity(last.0 + 1);
        for term in self.terms.iter().take(last.0 + 1) {
            let value = match *term {
                Term::Word(offset) => data.word(offset).unwrap_or(0),
                Term::Binary(arithmetic, left, right) => {
                    calculate(arithmetic, value_in(&values, left), value_in(&values, right))
                }
            };
            values.push(value);
        }
        values
    }
}

/// No arithmetic has this number, so no other term has this key.
fn word_key(offset: u32) -> (u8, Value, Value) {
    (u8::MAX, Value::Known(offset), Value::Known(0))
}

/// What a value is worth, given what its terms are.
pub(super) fn value_in(values: &[u32], value: Value) -> u32 {
    match value {
        Value::Known(known) => known,
        Value::Term(id) => values.get(id.0).copied().unwrap_or(0),
    }
}

/// Arithmetic as a filter does it; a division by 0 gives 0, and no path goes on with that.
pub(super) fn calculate(arithmetic: Arithmetic, left: u32, right: u32) -> u32 {
    match arithmetic {
        Arithmetic::Add => left.wrapping_add(right),
        Arithmetic::Sub => left.wrapping_sub(right),
        Arithmetic::Mul => left.wrapping_mul(right),
        Arithmetic::Div => left.checked_div(right).unwrap_or(0),
        Arithmetic::Or => left | right,
        Arithmetic::And => left & right,
        Arithmetic::Lsh => left << (right & 31),
        Arithmetic::Rsh => left >> (right & 31),
        Arithmetic::Xor => left ^ right,
    }
}

/// Whether a test holds.
pub(super) fn holds(test: Test, left: u32, right: u32) -> bool {
    match test {
        Test::Equal => left == right,
        Test::Greater => left > right,
        Test::GreaterOrEqual => left >= right,
        Test::AnyBit => left & right != 0,
    }
}
