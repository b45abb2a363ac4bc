// SPDX-License-Identifier: MIT OR Apache-2.0
//! Words that make all facts of a path true.
//!
//! Each word in turn takes the candidate that makes the most facts true. That is no proof search: it finds what the
//! usual filters ask of their arguments, and where it finds nothing the caller says so.

use crate::data::{self, SeccompData};
use crate::insn::Arithmetic;

use super::path::{Fact, Path};
use super::term::{Term, TermId, Terms, Value, holds, value_in};

/// How often every word is tried anew.
const ROUNDS_MAX: usize = 4;

/// How deep a term is looked into for its words: each level can double the work.
const DEPTH_MAX: u32 = 12;

/// Candidates for a word.
struct Candidates {
    offset: u32,
    values: Vec<u32>,
}

/// A call like `start` that takes a path, where one is found.
pub(super) fn solve(terms: &Terms, path: &Path, start: SeccompData) -> Option<SeccompData> {
    let Some(last) = path.facts.iter().flat_map(terms_of).max() else {
        return Some(start);
    };
    let truths = |data: &SeccompData| {
        let values = terms.values(last, data);
        path.facts.iter().filter(|fact| is_true(&values, fact)).count()
    };
    let all = path.facts.len();
    let mut data = start;
    let mut best = truths(&data);
    let candidates = candidates(terms, path);
    for _ in 0..ROUNDS_MAX {
        for Candidates { offset, values } in &candidates {
            for value in values {
                if best == all {
                    return Some(data);
                }
                let mut other = data;
                set_word(&mut other, *offset, *value);
                let truths = truths(&other);
                if truths > best {
                    (data, best) = (other, truths);
                }
            }
        }
    }
    (best == all).then_some(data)
}

fn terms_of(fact: &Fact) -> Vec<TermId> {
    match fact.against {
        Value::Known(_) => vec![fact.term],
        Value::Term(other) => vec![fact.term, other],
    }
}

fn is_true(values: &[u32], fact: &Fact) -> bool {
    holds(fact.test, value_in(values, Value::Term(fact.term)), value_in(values, fact.against)) == fact.holds
}

/// Values worth trying for every word that the facts speak of: those that make a test equal, those beside them, and
/// the edges of what is known.
fn candidates(terms: &Terms, path: &Path) -> Vec<Candidates> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for fact in &path.facts {
        for term in terms_of(fact) {
            let k = match fact.against {
                Value::Known(k) => k,
                Value::Term(_) => 0,
            };
            for target in [k, k.wrapping_add(1), k.wrapping_sub(1), !k, 0, u32::MAX] {
                invert(terms, term, target, DEPTH_MAX, &mut found);
            }
        }
    }
    let mut offsets: Vec<u32> = found.iter().map(|(offset, _)| *offset).collect();
    offsets.sort_unstable();
    offsets.dedup();
    offsets
        .into_iter()
        .map(|offset| {
            let edges = [0, 1, u32::MAX, 0x7fff_ffff, 0x8000_0000, 0x5555_5555];
            let values = found.iter().filter(|(of, _)| *of == offset).map(|(_, value)| *value).chain(edges);
            Candidates { offset, values: fitted(terms, path, offset, values) }
        })
        .collect()
}

/// Gives values the bits that the word is known to have, and adds the ends of its range.
fn fitted(terms: &Terms, path: &Path, offset: u32, values: impl Iterator<Item = u32>) -> Vec<u32> {
    let Some(domain) = terms.find_word(offset).and_then(|word| path.domain(terms, word, 0)) else {
        return values.collect();
    };
    let ends = [domain.low, domain.high, domain.low.wrapping_add(1), domain.high.wrapping_sub(1)];
    let mut fitted: Vec<u32> =
        ends.into_iter().chain(values).map(|value| (value & !domain.zeros) | domain.ones).collect();
    fitted.sort_unstable();
    fitted.dedup();
    fitted
}

/// Words that would make a term worth `target`, each if the others of the term were 0.
fn invert(terms: &Terms, id: TermId, target: u32, depth: u32, found: &mut Vec<(u32, u32)>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match terms.get(id) {
        Term::Word(offset) => found.push((offset, target)),
        Term::Binary(arithmetic, Value::Term(left), Value::Known(k)) => {
            invert(terms, left, left_of(arithmetic, target, k), depth, found);
        }
        Term::Binary(arithmetic, Value::Known(k), Value::Term(right)) => {
            let target = match arithmetic {
                Arithmetic::Sub => k.wrapping_sub(target),
                Arithmetic::Div => k.checked_div(target).unwrap_or(0),
                Arithmetic::Lsh | Arithmetic::Rsh => target & 31,
                _ => left_of(arithmetic, target, k),
            };
            invert(terms, right, target, depth, found);
        }
        Term::Binary(_, left, right) => {
            for side in [left, right] {
                if let Value::Term(side) = side {
                    invert(terms, side, target, depth, found);
                }
            }
        }
    }
}

/// A left operand that gives `target` with `k`, where there is one.
fn left_of(arithmetic: Arithmetic, target: u32, k: u32) -> u32 {
    match arithmetic {
        Arithmetic::Add => target.wrapping_sub(k),
        Arithmetic::Sub => target.wrapping_add(k),
        Arithmetic::Mul if k % 2 == 1 => target.wrapping_mul(inverse(k)),
        Arithmetic::Mul => target.checked_div(k).unwrap_or(0),
        Arithmetic::Div => target.wrapping_mul(k),
        Arithmetic::Or => target & !k,
        Arithmetic::And => target & k,
        Arithmetic::Lsh => target >> (k & 31),
        Arithmetic::Rsh => target << (k & 31),
        Arithmetic::Xor => target ^ k,
    }
}

/// The number that an odd one is multiplied with to give 1: every step doubles the bits that are right.
fn inverse(odd: u32) -> u32 {
    (0..5).fold(odd, |inverse, _| inverse.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(inverse))))
}

fn set_word(data: &mut SeccompData, offset: u32, value: u32) {
    let field = if offset < data::ARGS {
        Some(&mut data.instruction_pointer)
    } else {
        data.args.get_mut(((offset - data::ARGS) / 8) as usize)
    };
    let Some(field) = field else { return };
    let (low, high) = (*field & 0xffff_ffff, *field >> 32);
    let value = u64::from(value);
    *field = if offset.is_multiple_of(8) { (high << 32) | value } else { (value << 32) | low };
}
