// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether two kernels gave the same chains the same bits, on the numbers that both have. No model has a say in it.

use std::collections::HashMap;

use crate::answer::{Record, Status, decode};
use crate::dump::{Dump, Run};
use crate::tables::Arch;

/// What was compared, and what differs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agreement {
    /// Chains that both dumped.
    pub dumped: usize,
    /// Bits of those that were compared.
    pub bits: usize,
    /// Chains that both refused, the same filter with the same error.
    pub refused: usize,
    /// Chains that differ, and how.
    pub different: Vec<(u32, String)>,
    /// Chains that not both answered.
    pub alone: Vec<u32>,
    /// What is wrong with an answer as a whole.
    pub damage: Vec<String>,
}

impl Agreement {
    /// Adds what was compared in another round.
    pub fn add(&mut self, other: Self) {
        self.dumped += other.dumped;
        self.bits += other.bits;
        self.refused += other.refused;
        self.different.extend(other.different);
        self.alone.extend(other.alone);
        self.damage.extend(other.damage);
    }

    /// Whether everything was compared and nothing differs. Never so if nothing was compared.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.bits > 0 && self.different.is_empty() && self.alone.is_empty() && self.damage.is_empty()
    }
}

/// Compares two answers to the same chains. `exempt` are the numbers of the 64-bit table that one of the kernels allows
/// whatever a filter says: those are not compared.
#[must_use]
pub fn agree(first: &[u8], second: &[u8], exempt: &[u32]) -> Agreement {
    let (first, second) = (decode(first), decode(second));
    let mut agreement = Agreement::default();
    agreement.damage.extend([first.damage, second.damage].iter().flatten().map(ToString::to_string));
    let mut others: HashMap<u32, &Record<'_>> = HashMap::new();
    for record in &second.records {
        if others.insert(record.id, record).is_some() {
            agreement.damage.push(format!("two answers to chain {}", record.id));
        }
    }
    for record in &first.records {
        match others.remove(&record.id) {
            Some(other) => compare(&mut agreement, record, other, exempt),
            None => agreement.alone.push(record.id),
        }
    }
    let mut left: Vec<u32> = others.into_keys().collect();
    left.sort_unstable();
    agreement.alone.extend(left);
    agreement
}

fn compare(agreement: &mut Agreement, first: &Record<'_>, second: &Record<'_>, exempt: &[u32]) {
    if first.status != second.status {
        let what = format!("one kernel: {}; the other: {}", first.status, second.status);
        agreement.different.push((first.id, what));
        return;
    }
    match first.status {
        Status::Dumped => {}
        Status::Refused { .. } => {
            agreement.refused += 1;
            return;
        }
        // That both guest programs failed in one way says nothing of the kernels.
        Status::Unreadable(_) | Status::ProgramError(_) => {
            agreement.alone.push(first.id);
            return;
        }
    }
    let empty = Vec::new();
    let (runs, others) = match (&first.dump, &second.dump) {
        (Dump::Packed(runs), Dump::Packed(others)) => (runs, others),
        // The text of a task without filters.
        (Dump::Text(b""), Dump::Text(b"")) => (&empty, &empty),
        _ => {
            agreement.different.push((first.id, "a dump is not of the usual form".into()));
            return;
        }
    };
    let names = |runs: &[Run<'_>]| runs.iter().map(|run| run.name().to_owned()).collect::<Vec<_>>();
    if names(runs) != names(others) {
        let what = format!("one kernel shows {:?}, the other {:?}", names(runs), names(others));
        agreement.different.push((first.id, what));
        return;
    }
    agreement.dumped += 1;
    for (run, other) in runs.iter().zip(others) {
        let is_exempt = |nr: u32| run.name() == Arch::X86_64.name() && exempt.contains(&nr);
        let pairs = (0_u32..).zip(run.bits().zip(other.bits())).filter(|(nr, _)| !is_exempt(*nr));
        let mut wrong = None;
        for (nr, (bit, other)) in pairs {
            agreement.bits += 1;
            if bit != other && wrong.is_none() {
                let word = |bit| if bit { "ALLOW" } else { "FILTER" };
                wrong = Some(format!("{} {nr}: {} and {}", run.name(), word(bit), word(other)));
            }
        }
        agreement.different.extend(wrong.map(|what| (first.id, what)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::encode;
    use crate::cache::expected;
    use crate::chain::check;
    use crate::random;
    use crate::tables::Kernel;

    /// The answer of a right kernel to some chains.
    fn answer(kernel: &Kernel, ids: std::ops::Range<u32>) -> Vec<u8> {
        let mut texts = Vec::new();
        for chain in random::chains(3, ids) {
            texts.push(match check(&chain.filters) {
                Ok(programs) => (chain.id, Status::Dumped, expected(kernel, &programs).dump()),
                Err(refusal) => {
                    let filter = u16::try_from(refusal.filter).unwrap();
                    (chain.id, Status::Refused { filter, errno: refusal.errno() }, String::new())
                }
            });
        }
        let records: Vec<Record<'_>> = texts
            .iter()
            .map(|(id, status, text)| Record { id: *id, status: *status, dump: Dump::Text(text.as_bytes()) })
            .collect();
        encode(&records).unwrap()
    }

    fn kernel(count: u32) -> Kernel {
        Kernel::native(Arch::X86_64, count).with_compat(Arch::Ia32, count)
    }

    #[test]
    fn kernels_with_more_numbers_agree_on_those_that_both_have() {
        let agreement = agree(&answer(&kernel(441), 0..300), &answer(&kernel(451), 0..300), &[]);
        assert!(agreement.is_whole(), "{agreement:?}");
        assert_eq!(agreement.bits, agreement.dumped * 882);
        assert_eq!(agreement.dumped + agreement.refused, 300);
        assert!(agreement.refused > 0);
    }

    #[test]
    fn an_exception_of_one_kernel_is_seen_unless_it_is_exempt() {
        let (plain, with) = (kernel(441), kernel(441).with_always_allowed(&[335]));
        let answers = (answer(&plain, 0..300), answer(&with, 0..300));
        let agreement = agree(&answers.0, &answers.1, &[]);
        assert!(agreement.different.iter().all(|(_, what)| what == "x86_64 335: FILTER and ALLOW"));
        assert!(!agreement.different.is_empty());
        assert!(agree(&answers.0, &answers.1, &[335]).is_whole());
    }

    #[test]
    fn guest_programs_that_fail_alike_do_not_agree() {
        let failed = Record { id: 0, status: Status::ProgramError(12), dump: Dump::Text(b"") };
        let answers = encode(&[failed]).unwrap();
        assert_eq!(agree(&answers, &answers, &[]).alone, [0]);
    }

    #[test]
    fn what_only_one_answered_is_told() {
        let whole = answer(&kernel(441), 0..3);
        let agreement = agree(&whole, &answer(&kernel(441), 1..4), &[]);
        assert_eq!(agreement.alone, [0, 3]);
        let cut = agree(&whole, &whole[..whole.len() - 1], &[]);
        assert!(!cut.is_whole());
        assert_eq!(cut.damage.len(), 1);
        assert!(!agree(&answer(&kernel(441), 0..0), &answer(&kernel(441), 0..0), &[]).is_whole());
    }
}
