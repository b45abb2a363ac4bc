// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a chain allows a call whatever its arguments: decided apart from [`crate::walk`], over everything that
//! classic BPF can do.
//!
//! The number and the architecture are known; the words of the instruction pointer and of the arguments are not. Every
//! path through a filter is followed that some words could take. A path that ends in another answer than ALLOW is
//! turned into words that lead there, and [`run_chain`] must confirm them. Source: none but the meaning of the
//! instructions; it decodes through [`Op`] and shares nothing with the walk.

use std::fmt;

use crate::action;
use crate::cache::Bitmaps;
use crate::data::{self, SeccompData};
use crate::insn::{Arithmetic, Op, Operand, Test};
use crate::interpret::run_chain;
use crate::program::Program;
use crate::tables::{Arch, Kernel};

use domain::Domain;
use path::{Fact, Path};
use solve::solve;
use term::{Terms, Value};

mod domain;
mod path;
mod solve;
mod term;

/// How many paths through one filter are followed.
pub const PATHS_MAX: usize = 1024;

/// How many instructions are followed in one filter, over all paths.
pub const STEPS_MAX: usize = 100_000;

/// For how many paths of one filter words are looked for.
pub const SOLUTIONS_TRIED_MAX: usize = 64;

/// What is known of a call under a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// Every filter answers ALLOW, with or without data, whatever the words.
    Allows,
    /// The chain answers something else for this call; the interpreter says so too.
    Witness(SeccompData),
    /// Neither could be shown.
    Undecided(Doubt),
}

/// Why it could not be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doubt {
    /// The filter, from 0, oldest first.
    pub filter: usize,
    /// What was in the way.
    pub why: Obstacle,
}

/// What is in the way of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// More than [`PATHS_MAX`] paths.
    Paths,
    /// More than [`STEPS_MAX`] instructions on them.
    Steps,
    /// A path ends in something else than ALLOW at this instruction, and no words were found that take it.
    NoWords(usize),
}

/// What was found for the calls that are said to be cached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// How many are allowed whatever the words.
    pub allowed: usize,
    /// Those that are not, with a call that shows it.
    pub witnesses: Vec<(Arch, u32, SeccompData)>,
    /// Those that could not be decided.
    pub undecided: Vec<(Arch, u32, Doubt)>,
}

/// Decides one call under a chain, oldest filter first.
#[must_use]
pub fn decide(chain: &[Program], nr: i32, arch: u32) -> Sound {
    let mut doubt = None;
    for (filter, program) in chain.iter().enumerate() {
        let mut search = Search::new(program, nr, arch);
        let found = search.run(|data| action::Action::of(run_chain(chain, data)) != action::Action::Allow);
        match found {
            Found::Nothing => {}
            Found::Witness(data) => return Sound::Witness(data),
            Found::Obstacle(why) => doubt = doubt.or(Some(Doubt { filter, why })),
        }
    }
    doubt.map_or(Sound::Allows, Sound::Undecided)
}

/// Decides every call that the bitmaps say is cached, but for those that the kernel always allows.
#[must_use]
pub fn audit(kernel: &Kernel, chain: &[Program], bitmaps: &Bitmaps) -> Audit {
    let mut audit = Audit::default();
    for (bitmap, native) in bitmaps.iter().zip([true, false]) {
        let arch = bitmap.arch();
        for (nr, bit) in (0_u32..).zip(bitmap.bits()) {
            if !*bit || (native && kernel.always_allowed_native.contains(&nr)) {
                continue;
            }
            match decide(chain, nr.cast_signed(), arch.audit()) {
                Sound::Allows => audit.allowed += 1,
                Sound::Witness(data) => audit.witnesses.push((arch, nr, data)),
                Sound::Undecided(doubt) => audit.undecided.push((arch, nr, doubt)),
            }
        }
    }
    audit
}

/// What the paths of one filter showed.
enum Found {
    Nothing,
    Witness(SeccompData),
    Obstacle(Obstacle),
}

/// The paths of one filter that are still to be followed.
struct Search<'a> {
    ops: &'a [Op],
    nr: i32,
    arch: u32,
    terms: Terms,
    todo: Vec<Path>,
    paths: usize,
    steps: usize,
    tried: usize,
}

/// How a path goes on after an instruction.
enum Step {
    /// With the instruction after this many others.
    Skip(u32),
    /// With one of two distances, and what must hold for the first.
    Fork(Fact, u32, u32),
    /// It ends with this answer.
    Return(Value),
    /// It ends with 0 unless this holds, and else goes on with the next instruction and this accumulator.
    Divide(Fact, Value),
}

impl<'a> Search<'a> {
    fn new(program: &'a Program, nr: i32, arch: u32) -> Self {
        let terms = Terms::default();
        Self { ops: program.ops(), nr, arch, terms, todo: vec![Path::start()], paths: 0, steps: 0, tried: 0 }
    }

    /// Follows the paths until one ends in another answer than ALLOW and `confirms` agrees.
    fn run(&mut self, confirms: impl Fn(&SeccompData) -> bool) -> Found {
        let mut obstacle = None;
        while let Some(path) = self.todo.pop() {
            self.paths += 1;
            if self.paths > PATHS_MAX {
                return Found::Obstacle(Obstacle::Paths);
            }
            let Ok(end) = self.follow(path) else { return Found::Obstacle(Obstacle::Steps) };
            let Some(end) = end else { continue };
            let found = if self.tried < SOLUTIONS_TRIED_MAX { self.words(&end) } else { None };
            self.tried += 1;
            match found.filter(&confirms) {
                Some(data) => return Found::Witness(data),
                None => obstacle = obstacle.or(Some(Obstacle::NoWords(end.at))),
            }
        }
        obstacle.map_or(Found::Nothing, Found::Obstacle)
    }

    fn words(&self, end: &Path) -> Option<SeccompData> {
        let start = SeccompData { nr: self.nr, arch: self.arch, ..SeccompData::default() };
        solve(&self.terms, end, start)
    }

    /// Follows one path to its end, putting those that branch off aside. Gives the path if it ends in another answer
    /// than ALLOW, nothing if it ends in ALLOW or no words take it, and an error if there were too many steps.
    fn follow(&mut self, mut path: Path) -> Result<Option<Path>, ()> {
        loop {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err(());
            }
            let Some(op) = self.ops.get(path.at) else {
                // Not in a checked program. Never taken for an ALLOW.
                return Ok(Some(path));
            };
            match self.step(&mut path, *op) {
                Step::Skip(distance) => path.skip(distance),
                Step::Return(Value::Known(value)) => return Ok((!allows(value)).then_some(path)),
                Step::Return(value) => return Ok(self.not_allowed(path, value)),
                Step::Fork(fact, yes, no) => {
                    let mut other = path.clone();
                    let taken = path.assume(&self.terms, fact);
                    if other.assume(&self.terms, fact.negated()) {
                        other.skip(no);
                        if !taken {
                            path = other;
                            continue;
                        }
                        self.todo.push(other);
                    } else if !taken {
                        return Ok(None);
                    }
                    path.skip(yes);
                }
                Step::Divide(fact, quotient) => {
                    let mut zero = path.clone();
                    if zero.assume(&self.terms, fact.negated()) {
                        if path.assume(&self.terms, fact) {
                            path.a = quotient;
                            path.skip(0);
                            self.todo.push(path);
                        }
                        return Ok(Some(zero));
                    }
                    path.a = quotient;
                    path.skip(0);
                }
            }
        }
    }

    /// The path, if a value that is returned can be another action than ALLOW.
    fn not_allowed(&mut self, mut path: Path, value: Value) -> Option<Path> {
        let action = self.terms.binary(Arithmetic::And, value, Value::Known(action::ACTION_FULL));
        match Fact::of(Test::Equal, action, Value::Known(action::ALLOW)) {
            Ok(holds) => (!holds).then_some(path),
            Err(fact) => path.assume(&self.terms, fact.negated()).then_some(path),
        }
    }

    fn step(&mut self, path: &mut Path, op: Op) -> Step {
        match op {
            Op::Load(data::NR) => path.a = Value::Known(self.nr.cast_unsigned()),
            Op::Load(data::ARCH) => path.a = Value::Known(self.arch),
            Op::Load(offset) => path.a = self.terms.word(offset),
            Op::Immediate(register, k) => *path.register(register) = Value::Known(k),
            Op::Length(register) => *path.register(register) = Value::Known(data::SIZE),
            Op::LoadMemory(register, cell) => *path.register(register) = *path.cell(cell),
            Op::Store(register, cell) => *path.cell(cell) = *path.register(register),
            Op::Arithmetic(Arithmetic::Div, operand) => return self.divide(path, operand),
            Op::Arithmetic(arithmetic, operand) => {
                path.a = self.terms.binary(arithmetic, path.a, path.operand(operand));
            }
            Op::Negate => path.a = self.terms.binary(Arithmetic::Sub, Value::Known(0), path.a),
            Op::Jump(distance) => return Step::Skip(distance),
            Op::Branch { test, against, jt, jf } => {
                let (jt, jf) = (u32::from(jt), u32::from(jf));
                return match Fact::of(test, path.a, path.operand(against)) {
                    Ok(holds) => Step::Skip(if holds { jt } else { jf }),
                    Err(_) if jt == jf => Step::Skip(jt),
                    Err(fact) => Step::Fork(fact, jt, jf),
                };
            }
            Op::Return(value) => return Step::Return(Value::Known(value)),
            Op::ReturnA => return Step::Return(path.a),
            Op::Tax => path.x = path.a,
            Op::Txa => path.a = path.x,
        }
        Step::Skip(0)
    }

    /// A division by 0 ends a filter with 0, which is KILL_THREAD.
    fn divide(&mut self, path: &mut Path, operand: Operand) -> Step {
        let divisor = path.operand(operand);
        let quotient = self.terms.binary(Arithmetic::Div, path.a, divisor);
        match Fact::of(Test::Equal, divisor, Value::Known(0)) {
            Ok(true) => Step::Return(Value::Known(0)),
            Ok(false) => {
                path.a = quotient;
                Step::Skip(0)
            }
            Err(is_zero) => Step::Divide(is_zero.negated(), quotient),
        }
    }
}

fn allows(value: u32) -> bool {
    value & action::ACTION_FULL == action::ALLOW
}

impl fmt::Display for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allows => f.write_str("allowed whatever the arguments"),
            Self::Witness(data) => {
                let SeccompData { nr, arch, instruction_pointer, args } = data;
                write!(f, "not allowed for nr {nr}, arch {arch:#x}, ip {instruction_pointer:#x}, args")?;
                args.iter().try_for_each(|arg| write!(f, " {arg:#x}"))
            }
            Self::Undecided(doubt) => write!(f, "undecided: {doubt}"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter {}: {}", self.filter, self.why)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paths => write!(f, "more than {PATHS_MAX} paths"),
            Self::Steps => write!(f, "more than {STEPS_MAX} instructions on its paths"),
            Self::NoWords(at) => write!(f, "no words were found for a path that ends at instruction {at}"),
        }
    }
}

#[cfg(test)]
mod tests;
