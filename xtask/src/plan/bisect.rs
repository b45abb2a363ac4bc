// SPDX-License-Identifier: MIT OR Apache-2.0
//! The search for the patch that changes a check: which point to ask next, and what can be told.
//!
//! Points are 0 (no patch) to N (all of them); patch `p` is what makes point `p` of point `p - 1`. A point
//! passes, fails, or cannot be tested. Two points whose kernels and programs are alike, which a *key* says,
//! show the same, so that one of them is asked. Pure: whoever carries it out asks, builds, and tells.

use std::collections::BTreeMap;

use crate::fault::Fault;

/// What a check says at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Passes,
    /// It does not, whether it fails, is skipped, or is not there.
    Fails,
}

/// What is known of a point that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The check has a verdict.
    Verdict(Verdict),
    /// It does not apply, build or boot.
    Untestable,
}

/// Which way a check changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// From passing to failing.
    Broken,
    /// From failing to passing.
    Fixed,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The check is asked at this point.
    Ask(usize),
    /// This point is built, and not booted: only its key is wanted.
    Build(usize),
    /// Nothing: this is what can be told.
    Done(Answer),
}

/// What can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The check changes.
    Found(Found),
    /// It does not.
    SameEverywhere {
        /// What it says at both ends.
        verdict: Verdict,
        /// Points that could not be tested.
        untestable: Vec<usize>,
    },
    /// No point can be tested.
    Untestable,
}

/// Where a check changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which way.
    pub change: Change,
    /// The last point before the change that was tested.
    pub before: usize,
    /// The first point after it that was tested: where the change is exposed.
    pub exposed: usize,
    /// The first patch that may have done it; the last is [`Found::exposed`].
    pub first: usize,
    /// Candidates that by themselves change nothing that is run.
    pub inert: Vec<usize>,
    /// Points among the candidates that could not be tested.
    pub untestable: Vec<usize>,
}

/// Between which points to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The first point.
    pub first: usize,
    /// The last point.
    pub last: usize,
    /// Which way the user says that the check changes between them.
    pub claimed: Option<Change>,
}

impl Limits {
    /// The limits in a series of `count` patches: `good` and `bad` are points that the user knows of, and
    /// `wanted` is the change looked for, where that was said.
    ///
    /// # Errors
    /// A usage fault for points that there are not, or that are in the wrong order.
    pub fn new(
        count: usize,
        good: Option<usize>,
        bad: Option<usize>,
        wanted: Option<Change>,
    ) -> Result<Self, Fault> {
        for (flag, point) in [("--good", good), ("--bad", bad)] {
            if let Some(point) = point.filter(|point| *point > count) {
                return Err(Fault::usage(format!("{flag} {point}: the series has {count} patches")));
            }
        }
        let is_fix = wanted == Some(Change::Fixed);
        // What comes first in time, what last, and what the flags are called.
        let (before, after, names) =
            if is_fix { (bad, good, "--bad, --good") } else { (good, bad, "--good, --bad") };
        let (first, last) = (before.unwrap_or(0), after.unwrap_or(count));
        if first >= last {
            let fault = Fault::usage(format!("{names}: @{first} is not before @{last}"));
            return Err(match (good, bad) {
                (Some(_), Some(_)) if !is_fix && first > last => {
                    fault.help("to look for the patch that makes a check pass, add --fixed")
                }
                _ => fault
                    .help(format!("points are 0 to {count}, and the change is after the first of the two")),
            });
        }
        let is_said = wanted.is_some() || good.is_some() || bad.is_some();
        let claimed = is_said.then_some(if is_fix { Change::Fixed } else { Change::Broken });
        Ok(Self { first, last, claimed })
    }
}

/// A search, and all that it was told.
#[derive(Debug, Clone, Default)]
pub struct Search {
    first: usize,
    last: usize,
    seen: BTreeMap<usize, Seen>,
    /// What a point would show, as a key; none for one that has none.
    keys: BTreeMap<usize, Option<String>>,
}

impl Search {
    /// A search between two points, `first` before `last`.
    pub fn new(first: usize, last: usize) -> Self {
        Self { first, last, ..Self::default() }
    }

    /// Takes what was seen at a point.
    pub fn saw(&mut self, point: usize, seen: Seen) {
        self.seen.insert(point, seen);
        if seen == Seen::Untestable {
            self.keys.entry(point).or_insert(None);
        }
    }

    /// Takes the key of a point: none where it does not build, or where nothing is like it.
    pub fn built(&mut self, point: usize, key: Option<String>) {
        self.keys.insert(point, key);
    }

    /// What is known of a point: what was seen there, or at one that is alike.
    pub fn seen_at(&self, point: usize) -> Option<Seen> {
        if let Some(seen) = self.seen.get(&point) {
            return Some(*seen);
        }
        let key = self.keys.get(&point)?.as_ref()?;
        let alike = |other: &&usize| self.keys.get(other).is_some_and(|known| known.as_ref() == Some(key));
        let twin = self.seen.keys().find(alike)?;
        self.seen.get(twin).copied()
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        let (start, end) = match (self.end(self.first..=self.last), self.end((self.first..=self.last).rev()))
        {
            // The last first: tests are held at it, and it is built last by whoever tests a series.
            (_, Err(ask)) | (Err(ask), _) => return Next::Ask(ask),
            (Ok(Some(start)), Ok(Some(end))) => (start, end),
            (Ok(None), _) | (_, Ok(None)) => return Next::Done(Answer::Untestable),
        };
        if start.1 == end.1 {
            let untestable = self.untestable(self.first..=self.last);
            return Next::Done(Answer::SameEverywhere { verdict: end.1, untestable });
        }
        let says = |point: usize, verdict| self.seen_at(point) == Some(Seen::Verdict(verdict));
        let exposed = (start.0..=end.0).find(|point| says(*point, end.1)).unwrap_or(end.0);
        let before = (start.0..exposed).rev().find(|point| says(*point, start.1)).unwrap_or(start.0);
        let open: Vec<usize> = (before + 1..exposed).filter(|point| self.seen_at(*point).is_none()).collect();
        if let Some(middle) = open.get(open.len() / 2) {
            return Next::Ask(*middle);
        }
        match self.inert_before(before) {
            Err(point) => Next::Build(point),
            Ok(first) => Next::Done(Answer::Found(Found {
                change: if end.1 == Verdict::Fails { Change::Broken } else { Change::Fixed },
                before,
                exposed,
                first,
                inert: (first..=before).collect(),
                untestable: self.untestable(first..=exposed),
            })),
        }
    }

    /// The first of these points that can be tested, and its verdict; or the point to ask for it.
    fn end(&self, points: impl Iterator<Item = usize>) -> Result<Option<(usize, Verdict)>, usize> {
        for point in points {
            match self.seen_at(point) {
                None => return Err(point),
                Some(Seen::Verdict(verdict)) => return Ok(Some((point, verdict))),
                Some(Seen::Untestable) => {}
            }
        }
        Ok(None)
    }

    fn untestable(&self, points: impl Iterator<Item = usize>) -> Vec<usize> {
        points.filter(|point| self.seen_at(*point) == Some(Seen::Untestable)).collect()
    }

    /// The first of the patches right before the change that together change nothing that is run: they may
    /// hold what a later one exposes. Points between them that do not build are passed over. Or the point that
    /// has to be built to know.
    fn inert_before(&self, before: usize) -> Result<usize, usize> {
        let Some(key) = self.keys.get(&before).ok_or(before)? else { return Ok(before + 1) };
        let mut first = before + 1;
        for point in (0..before).rev() {
            match self.keys.get(&point).ok_or(point)? {
                None => {}
                Some(other) if other == key => first = point + 1,
                Some(_) => break,
            }
        }
        Ok(first)
    }
}

/// How sure an answer is, if faults show by chance.
///
/// The model: at a point that has the fault, each run fails with the same chance, whatever the others do, and
/// at one that has not, none fails. The chance is taken from the runs of the points that failed: one failure
/// and one pass are added to what was counted. A point that passed `passed[i]` times has the fault all the
/// same with the chance that so many runs miss it; the answer is right if no point does.
pub fn confidence(passed: &[u32], failures: u32, runs_of_failing: u32) -> f64 {
    let chance = (f64::from(failures) + 1.0) / (f64::from(runs_of_failing) + 2.0);
    passed.iter().map(|runs| 1.0 - (1.0 - chance).powf(f64::from(*runs))).product()
}

#[cfg(test)]
#[path = "bisect_tests.rs"]
mod tests;
