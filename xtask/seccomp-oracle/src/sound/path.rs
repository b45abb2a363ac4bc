// SPDX-License-Identifier: MIT OR Apache-2.0
//! One path through a filter: the registers, and what must be true of the words for it to be taken.

use crate::insn::{Arithmetic, Operand, Register, Test};
use crate::program::MEMORY_CELLS;

use super::Domain;
use super::term::{Term, TermId, Terms, Value, holds};

/// How deep a term is looked into for what is known of it: each level can double the work.
const DEPTH_MAX: u32 = 5;

/// A test of a term, and how it must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) term: TermId,
    pub(super) test: Test,
    pub(super) against: Value,
    pub(super) holds: bool,
}

/// A path up to an instruction.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// The instruction.
    pub(super) at: usize,
    /// The accumulator.
    pub(super) a: Value,
    /// The index register.
    pub(super) x: Value,
    memory: [Value; MEMORY_CELLS as usize],
    /// What must be true.
    pub(super) facts: Vec<Fact>,
    domains: Vec<(TermId, Domain)>,
}

impl Fact {
    /// The fact that a test holds; where it needs no words, whether it does.
    pub(super) fn of(test: Test, left: Value, right: Value) -> Result<bool, Self> {
        match (left, right) {
            (Value::Known(left), Value::Known(right)) => Ok(holds(test, left, right)),
            (Value::Term(term), Value::Term(other)) if term == other && test != Test::AnyBit => {
                Ok(test != Test::Greater)
            }
            (Value::Term(term), against) => Err(Self { term, test, against, holds: true }),
            (against, Value::Term(term)) => Err(match test {
                Test::Equal | Test::AnyBit => Self { term, test, against, holds: true },
                // k > x is not x >= k, and k >= x is not x > k.
                Test::Greater => Self { term, test: Test::GreaterOrEqual, against, holds: false },
                Test::GreaterOrEqual => Self { term, test: Test::Greater, against, holds: false },
            }),
        }
    }

    pub(super) fn negated(self) -> Self {
        Self { holds: !self.holds, ..self }
    }
}

impl Path {
    /// Before the first instruction everything is 0.
    pub(super) fn start() -> Self {
        let zero = Value::Known(0);
        let memory = [zero; MEMORY_CELLS as usize];
        Self { at: 0, a: zero, x: zero, memory, facts: Vec::new(), domains: Vec::new() }
    }

    pub(super) fn skip(&mut self, distance: u32) {
        self.at = self.at.saturating_add(1).saturating_add(distance as usize);
    }

    pub(super) fn register(&mut self, register: Register) -> &mut Value {
        match register {
            Register::A => &mut self.a,
            Register::X => &mut self.x,
        }
    }

    pub(super) fn cell(&mut self, cell: u32) -> &mut Value {
        // `Program::check` made sure of the index; the remainder only keeps this function total.
        &mut self.memory[(cell % MEMORY_CELLS) as usize]
    }

    pub(super) fn operand(&self, operand: Operand) -> Value {
        match operand {
            Operand::K(k) => Value::Known(k),
            Operand::X => self.x,
        }
    }

    /// Adds a fact. False if no words can make all facts true; true does not mean that some can.
    pub(super) fn assume(&mut self, terms: &Terms, fact: Fact) -> bool {
        if self.facts.contains(&fact.negated()) {
            return false;
        }
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
        let known = self.domain(terms, Value::Term(fact.term), DEPTH_MAX);
        let against = self.domain(terms, fact.against, DEPTH_MAX).and_then(Domain::is_single);
        let refined = match against {
            Some(k) => known.and_then(|known| known.refined(fact.test, k, fact.holds)),
            None => known,
        };
        match refined {
            Some(refined) => self.learn(terms, fact.term, refined) && self.spares(fact.term, refined),
            None => false,
        }
    }

    /// Whether a term of which only one value is left makes every fact about it true.
    fn spares(&self, term: TermId, domain: Domain) -> bool {
        let Some(value) = domain.is_single() else { return true };
        let mut about = self.facts.iter().filter(|fact| fact.term == term);
        about.all(|fact| match fact.against {
            Value::Known(k) => holds(fact.test, value, k) == fact.holds,
            Value::Term(_) => true,
        })
    }

    /// What is known of a value on this path; `None` if it can have none.
    pub(super) fn domain(&self, terms: &Terms, value: Value, depth: u32) -> Option<Domain> {
        let id = match value {
            Value::Known(known) => return Some(Domain::single(known)),
            Value::Term(id) => id,
        };
        let stored =
            self.domains.iter().find(|(term, _)| *term == id).map_or(Domain::FULL, |(_, domain)| *domain);
        match terms.get(id) {
            Term::Binary(arithmetic, left, right) if depth > 0 => {
                let left = self.domain(terms, left, depth - 1)?;
                let right = self.domain(terms, right, depth - 1)?;
                stored.and(Domain::forward(arithmetic, left, right))
            }
            _ => Some(stored),
        }
    }

    /// Keeps what is known of a term, and what follows for the terms that it is made of.
    fn learn(&mut self, terms: &Terms, mut id: TermId, mut domain: Domain) -> bool {
        loop {
            match self.domains.iter_mut().find(|(term, _)| *term == id) {
                Some((_, stored)) => match stored.and(domain) {
                    Some(both) => *stored = both,
                    None => return false,
                },
                None => self.domains.push((id, domain)),
            }
            let (inner, learned) = match terms.get(id) {
                Term::Binary(arithmetic, Value::Term(inner), Value::Known(k)) => {
                    (inner, domain.backward(arithmetic, k))
                }
                Term::Binary(
                    arithmetic @ (Arithmetic::Add | Arithmetic::And | Arithmetic::Or | Arithmetic::Xor),
                    Value::Known(k),
                    Value::Term(inner),
                ) => (inner, domain.backward(arithmetic, k)),
                _ => return true,
            };
            if learned == Domain::FULL {
                return true;
            }
            (id, domain) = (inner, learned);
        }
    }
}
