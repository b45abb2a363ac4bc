// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ways in which a chain is made smaller. Each is tried alone; whether the outcome is any good is found out after.

use crate::action::{ALLOW, ERRNO};
use crate::insn::{Insn, Op};

/// One change. Filters and instructions count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    /// This filter alone.
    KeepFilter(usize),
    /// All but this filter.
    DropFilter(usize),
    /// The filter has no instruction, which the kernel refuses.
    Emptied(usize),
    /// The filter answers this to everything.
    Constant(usize, u32),
    /// Without what no jump leads to, and without jumps that skip nothing.
    Tidy(usize),
    /// Without so many instructions from there on.
    Remove { filter: usize, from: usize, count: usize },
    /// A test that always, or never, holds; then tidy.
    Straight { filter: usize, at: usize, holds: bool },
    /// The simplest constant for each of so many instructions from there on.
    Simplify { filter: usize, from: usize, count: usize },
    /// A simpler instruction in place of another.
    Replace { filter: usize, at: usize, insn: Insn },
}

/// All changes of a chain, those first that take the most away.
pub(super) fn edits(filters: &[Vec<Insn>]) -> Vec<Edit> {
    let places = 0..filters.len();
    let mut edits: Vec<Edit> = places.clone().map(Edit::KeepFilter).collect();
    edits.extend(places.clone().map(Edit::DropFilter));
    edits.extend(
        places.clone().flat_map(|filter| [ALLOW, ERRNO | 1].map(|value| Edit::Constant(filter, value))),
    );
    edits.extend(places.clone().map(Edit::Emptied));
    edits.extend(places.map(Edit::Tidy));
    edits.extend(removals(filters));
    for (filter, insns) in filters.iter().enumerate() {
        for at in (0..insns.len()).filter(|at| matches!(insns[*at].op(), Some(Op::Branch { .. }))) {
            edits.extend([true, false].map(|holds| Edit::Straight { filter, at, holds }));
        }
    }
    edits.extend(simplifications(filters));
    for (filter, insns) in filters.iter().enumerate() {
        for (at, insn) in insns.iter().enumerate() {
            edits.extend(simpler(*insn).into_iter().map(|insn| Edit::Replace { filter, at, insn }));
        }
    }
    edits
}

/// Runs of halving length, over all filters: first half a filter, at last each instruction.
fn removals(filters: &[Vec<Insn>]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut count = filters.iter().map(Vec::len).max().unwrap_or(0) / 2;
    while count > 0 {
        for (filter, insns) in filters.iter().enumerate().filter(|(_, insns)| insns.len() > count) {
            // The last one returns: it goes only by itself.
            let before_last = insns.len() - 1;
            let starts = (0..before_last).step_by(count);
            edits.extend(starts.map(|from| {
                let count = count.min(before_last - from);
                Edit::Remove { filter, from, count }
            }));
            if count == 1 {
                edits.push(Edit::Remove { filter, from: before_last, count });
            }
        }
        count /= 2;
    }
    edits
}

/// Runs of halving length, as [`removals`] has them, but for single instructions.
fn simplifications(filters: &[Vec<Insn>]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut count = filters.iter().map(Vec::len).max().unwrap_or(0);
    while count > 1 {
        for (filter, insns) in filters.iter().enumerate().filter(|(_, insns)| insns.len() >= count) {
            let starts = (0..insns.len()).step_by(count);
            edits.extend(starts.map(|from| Edit::Simplify { filter, from, count }));
        }
        count /= 2;
    }
    edits
}

/// Instructions that are simpler than this one, the simplest first.
fn simpler(insn: Insn) -> Vec<Insn> {
    let k = insn.k;
    let with = |constants: Vec<u32>| {
        constants.into_iter().filter(|simple| *simple < k).map(|k| Insn { k, ..insn }).collect()
    };
    match insn.op() {
        Some(Op::Return(_) | Op::ReturnA) => vec![Insn::ret(ALLOW), Insn::ret(ERRNO | 1)],
        // Tidying up shortens jumps.
        Some(Op::Jump(_)) => vec![],
        Some(Op::Load(_)) => with(vec![0, 4, 16]),
        _ if k == 0 => vec![],
        _ => {
            let mut constants = vec![0, 1, k / 2, k & (k - 1), k - 1];
            constants.dedup();
            with(constants)
        }
    }
}

impl Edit {
    /// The changed chain; `None` where there is nothing to change.
    pub(super) fn apply(self, filters: &[Vec<Insn>]) -> Option<Vec<Vec<Insn>>> {
        let replaced = |filter: usize, insns: Vec<Insn>| {
            let mut filters = filters.to_vec();
            *filters.get_mut(filter)? = insns;
            Some(filters)
        };
        match self {
            Self::KeepFilter(filter) => Some(vec![filters.get(filter)?.clone()]),
            Self::DropFilter(filter) => {
                let mut filters = filters.to_vec();
                filters.remove(filter);
                Some(filters)
            }
            Self::Emptied(filter) => replaced(filter, Vec::new()),
            Self::Constant(filter, value) => replaced(filter, vec![Insn::ret(value)]),
            Self::Tidy(filter) => replaced(filter, tidy(filters.get(filter)?)),
            Self::Remove { filter, from, count } => {
                let insns = filters.get(filter)?;
                replaced(filter, keep(insns, |at| !(from..from + count).contains(&at)))
            }
            Self::Straight { filter, at, holds } => {
                let mut insns = filters.get(filter)?.clone();
                let insn = insns.get_mut(at)?;
                *insn = Insn::ja(u32::from(if holds { insn.jt } else { insn.jf }));
                replaced(filter, tidy(&insns))
            }
            Self::Simplify { filter, from, count } => {
                let mut insns = filters.get(filter)?.clone();
                for insn in insns.iter_mut().skip(from).take(count) {
                    *insn = simpler(*insn).first().copied().unwrap_or(*insn);
                }
                replaced(filter, insns)
            }
            Self::Replace { filter, at, insn } => {
                let mut insns = filters.get(filter)?.clone();
                *insns.get_mut(at)? = insn;
                replaced(filter, insns)
            }
        }
    }
}

/// The instructions that `is_kept` says, with jumps that lead where they led, or to what follows it if that is gone.
/// What led outside leads as far outside.
fn keep(insns: &[Insn], is_kept: impl Fn(usize) -> bool) -> Vec<Insn> {
    let mut kept_before = Vec::with_capacity(insns.len() + 1);
    let mut count: u32 = 0;
    for at in 0..insns.len() {
        kept_before.push(count);
        count += u32::from(is_kept(at));
    }
    kept_before.push(count);
    let distance = |at: usize, old: u32| {
        let target = at.saturating_add(1).saturating_add(old as usize);
        match kept_before.get(target) {
            Some(new) => new - kept_before[at] - 1,
            // As far past the end as before.
            None => {
                let to_the_end = u32::try_from(insns.len() - at).unwrap_or(u32::MAX);
                old.saturating_sub(to_the_end) + (count - kept_before[at])
            }
        }
    };
    let narrow = |distance: u32| u8::try_from(distance).unwrap_or(u8::MAX);
    let kept = insns.iter().enumerate().filter(|(at, _)| is_kept(*at));
    kept.map(|(at, insn)| match insn.op() {
        Some(Op::Jump(old)) => Insn::ja(distance(at, old)),
        Some(Op::Branch { jt, jf, .. }) => {
            Insn { jt: narrow(distance(at, u32::from(jt))), jf: narrow(distance(at, u32::from(jf))), ..*insn }
        }
        _ => *insn,
    })
    .collect()
}

/// Without what no jump leads to, without jumps that skip nothing, and with plain jumps for tests whose sides are one.
fn tidy(insns: &[Insn]) -> Vec<Insn> {
    let mut insns = insns.to_vec();
    loop {
        for insn in &mut insns {
            if let Some(Op::Branch { jt, jf, .. }) = insn.op()
                && jt == jf
            {
                *insn = Insn::ja(u32::from(jt));
            }
        }
        let reached = reached(&insns);
        let is_kept = |at: usize| reached[at] && insns[at] != Insn::ja(0);
        let kept = keep(&insns, is_kept);
        if kept.len() == insns.len() {
            return kept;
        }
        insns = kept;
    }
}

/// Which instructions a path leads to. Jumps go forward, so one pass suffices.
fn reached(insns: &[Insn]) -> Vec<bool> {
    let mut reached = vec![false; insns.len()];
    let mark = |reached: &mut Vec<bool>, at: usize, distance: usize| {
        if let Some(target) = reached.get_mut(at.saturating_add(distance)) {
            *target = true;
        }
    };
    mark(&mut reached, 0, 0);
    for (at, insn) in insns.iter().enumerate() {
        if !reached[at] {
            continue;
        }
        match insn.op() {
            Some(Op::Return(_) | Op::ReturnA) => {}
            Some(Op::Jump(distance)) => mark(&mut reached, at + 1, distance as usize),
            Some(Op::Branch { jt, jf, .. }) => {
                mark(&mut reached, at + 1, usize::from(jt));
                mark(&mut reached, at + 1, usize::from(jf));
            }
            _ => mark(&mut reached, at + 1, 0),
        }
    }
    reached
}
