// SPDX-License-Identifier: MIT OR Apache-2.0
//! Smaller chains that still fail.
//!
//! Whoever tests them does many at once (a guest boot costs more than a chain), so variants come in pages. Every
//! variant is smaller than its chain by [`Measure`], which is well-founded, so that shrinking ends.

use std::collections::HashSet;

use crate::action::{ALLOW, ERRNO};
use crate::chain;
use crate::insn::{Insn, Op};
use crate::random::is_attachable;

mod edit;

use edit::{Edit, edits};

/// The most variants of a page.
pub const CANDIDATES_MAX: usize = 400;

/// Where a page ends that has less variants: so many instructions were made for it, 8 MiB of them.
pub const PAGE_INSNS_MAX: usize = 1 << 20;

/// The most pages of a round. Only chains of thousands of instructions have more; their last steps are not worth it.
pub const PAGES_MAX: usize = 16;

/// How large a chain is: compared by instructions, then by filters, then by the weight of the instructions.
///
/// Three natural numbers in the order of a dictionary: no chain can be made smaller for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measure {
    /// Instructions in all filters.
    pub insns: usize,
    /// Filters.
    pub filters: usize,
    /// The weights of all instructions: constants and distances as they are, ALLOW less than ERRNO(1) less than any
    /// other answer, a plain jump less than a test.
    pub weight: u128,
}

impl Measure {
    /// Measures a chain.
    #[must_use]
    pub fn of(filters: &[Vec<Insn>]) -> Self {
        Self {
            insns: filters.iter().map(Vec::len).sum(),
            filters: filters.len(),
            weight: filters.iter().flatten().map(|insn| u128::from(weight(*insn))).sum(),
        }
    }
}

fn weight(insn: Insn) -> u64 {
    let k = u64::from(insn.k);
    match insn.op() {
        Some(Op::Return(ALLOW)) => 0,
        Some(Op::Return(value)) if value == ERRNO | 1 => 1,
        Some(Op::Return(_)) => 2,
        Some(Op::ReturnA) => 3,
        Some(Op::Branch { jt, jf, .. }) => 16 + k + u64::from(jt) + u64::from(jf),
        Some(_) => 4 + k,
        None => 32 + k + u64::from(insn.jt) + u64::from(insn.jf),
    }
}

/// The first page of smaller variants of a chain, smallest first.
///
/// Where the kernel accepts the chain, it accepts them; where every filter that others follow lets `seccomp()` through,
/// theirs do too.
#[must_use]
pub fn candidates(filters: &[Vec<Insn>]) -> Vec<Vec<Vec<Insn>>> {
    Pages::of(filters).next().unwrap_or_default()
}

/// Makes a chain smaller for as long as a variant still fails.
///
/// `still_fails` is given a page of variants, smallest first, and says of each whether it fails; what it says nothing
/// of counts as not failing, and an empty answer stops the search, for a caller that cannot go on. Every round goes on
/// with the smallest one that fails of the first page that has one; the search ends after [`PAGES_MAX`] without any. What comes back is the chain itself or one for which `still_fails` said yes.
pub fn shrink(
    filters: &[Vec<Insn>],
    mut still_fails: impl FnMut(&[Vec<Vec<Insn>>]) -> Vec<bool>,
) -> Vec<Vec<Insn>> {
    let mut smallest = filters.to_vec();
    loop {
        let mut smaller = None;
        for page in Pages::of(&smallest).take(PAGES_MAX) {
            let answer = still_fails(&page);
            if answer.is_empty() {
                return smallest;
            }
            let failing = page.into_iter().zip(answer).find(|(_, fails)| *fails);
            if let Some((candidate, _)) = failing {
                smaller = Some(candidate);
                break;
            }
        }
        match smaller {
            Some(candidate) => smallest = candidate,
            None => return smallest,
        }
    }
}

/// The variants of a chain, page by page, those with the largest steps first.
struct Pages<'a> {
    filters: &'a [Vec<Insn>],
    measure: Measure,
    is_accepted: bool,
    is_attachable: bool,
    edits: std::vec::IntoIter<Edit>,
}

impl<'a> Pages<'a> {
    fn of(filters: &'a [Vec<Insn>]) -> Self {
        Self {
            filters,
            measure: Measure::of(filters),
            is_accepted: chain::check(filters).is_ok(),
            is_attachable: is_attachable(filters),
            edits: edits(filters).into_iter(),
        }
    }

    fn is_welcome(&self, candidate: &[Vec<Insn>]) -> bool {
        !candidate.is_empty()
            && Measure::of(candidate) < self.measure
            && (!self.is_accepted || chain::check(candidate).is_ok())
            && (!self.is_attachable || is_attachable(candidate))
    }
}

impl Iterator for Pages<'_> {
    type Item = Vec<Vec<Vec<Insn>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut seen = HashSet::new();
        // Counts variants that turn out to be none too: runs of equal instructions give the same one over and over.
        let mut insns = 0;
        while seen.len() < CANDIDATES_MAX && (insns < PAGE_INSNS_MAX || seen.is_empty()) {
            let Some(edit) = self.edits.next() else { break };
            let Some(candidate) = edit.apply(self.filters) else { continue };
            insns += candidate.iter().map(Vec::len).sum::<usize>();
            if self.is_welcome(&candidate) {
                seen.insert(candidate);
            }
        }
        let mut page: Vec<_> = seen.into_iter().collect();
        // The order of a set differs from run to run: a full order makes the page a function of the chain.
        page.sort_by_cached_key(|candidate| (Measure::of(candidate), bytes(candidate)));
        (!page.is_empty()).then_some(page)
    }
}

fn bytes(filters: &[Vec<Insn>]) -> Vec<Vec<[u8; Insn::SIZE]>> {
    filters.iter().map(|insns| insns.iter().map(|insn| insn.to_bytes()).collect()).collect()
}

#[cfg(test)]
mod tests;
