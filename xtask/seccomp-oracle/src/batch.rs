// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a guest's answer says of many chains that have ids and no names.
//!
//! Fails closed: a batch is right only if every chain has exactly one answer, each is the one that the model gives, and
//! the answer as a whole is undamaged.

use std::collections::HashMap;

use crate::answer::{Damage, Record, Status, decode};
use crate::cache::{Bitmaps, expected};
use crate::chain::{self, ChainRefusal};
use crate::difference::Difference;
use crate::judge::{compare_bits, describe};
use crate::program::Program;
use crate::request::Chain;
use crate::tables::{Arch, Kernel};

mod denied;
mod explain;

pub use explain::{explain_line, explain_text};

/// How many bits of a chain are explained.
pub const EXPLAINED_MAX: usize = 3;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Chains that were asked.
    pub asked: usize,
    /// Those that were attached and have every bit that they must have.
    pub dumped: usize,
    /// Those that were refused as they must be: the same filter, the same error.
    pub refused: usize,
    /// Those for which the model has both cached and uncached numbers, whatever the guest answered.
    pub mixed: usize,
    /// Where kernel and model differ, in the order of the chains.
    pub mismatches: Vec<Mismatch>,
    /// Chains that the guest program could not ask, in the order of the chains, and why.
    pub not_run: Vec<Mismatch>,
    /// Chains without an answer, in their order. If there is damage, the guest died at the first one.
    pub unanswered: Vec<u32>,
    /// Ids that have an answer and were not asked.
    pub unasked: Vec<u32>,
    /// What is wrong with the answer as a whole.
    pub damage: Option<Damage>,
}

/// One chain and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The chain.
    pub id: u32,
    /// A paragraph.
    pub message: String,
    /// A call that the dump shows as cached, and that the filters do not allow: the cache lets it through.
    pub denied: Option<(Arch, u32)>,
}

impl Report {
    /// Whether everything that was asked was answered as the model does. Never so if nothing was asked.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.asked > 0
            && self.asked == self.dumped + self.refused
            && self.mismatches.is_empty()
            && self.not_run.is_empty()
            && self.unanswered.is_empty()
            && self.unasked.is_empty()
            && self.damage.is_none()
    }

    /// The chain at which the guest died: the first one without an answer, where the answer breaks off.
    #[must_use]
    pub fn died_at(&self) -> Option<u32> {
        self.damage.and(self.unanswered.first().copied())
    }
}

/// What became of one chain.
enum Outcome {
    Dumped,
    Refused,
    Mismatch(String, Option<(Arch, u32)>),
    NotRun(String),
    Unanswered,
}

/// Judges an answer to chains. Ids must differ; two chains with one id share their answers, and so both are wrong.
#[must_use]
pub fn judge(kernel: &Kernel, chains: &[Chain], answer: &[u8]) -> Report {
    let answer = decode(answer);
    let mut records: HashMap<u32, Vec<&Record<'_>>> = HashMap::new();
    for record in &answer.records {
        records.entry(record.id).or_default().push(record);
    }
    let mut report = Report { asked: chains.len(), damage: answer.damage, ..Report::default() };
    for Chain { id, filters } in chains {
        let programs = chain::check(filters);
        let model = programs.map(|programs| (expected(kernel, &programs), programs));
        report.mixed += usize::from(model.as_ref().is_ok_and(|(bitmaps, _)| is_mixed(bitmaps)));
        let of_chain = records.get(id).map(Vec::as_slice).unwrap_or_default();
        match judge_chain(kernel, &model, filters.len(), of_chain) {
            Outcome::Dumped => report.dumped += 1,
            Outcome::Refused => report.refused += 1,
            Outcome::Mismatch(message, denied) => {
                report.mismatches.push(Mismatch { id: *id, message, denied });
            }
            Outcome::NotRun(message) => report.not_run.push(Mismatch { id: *id, message, denied: None }),
            Outcome::Unanswered => report.unanswered.push(*id),
        }
    }
    for Chain { id, .. } in chains {
        records.remove(id);
    }
    report.unasked = records.into_keys().collect();
    report.unasked.sort_unstable();
    report
}

fn is_mixed(bitmaps: &Bitmaps) -> bool {
    let mut bits = bitmaps.iter().flat_map(|bitmap| bitmap.bits());
    bits.next().is_some_and(|first| bits.any(|bit| bit != first))
}

fn judge_chain(
    kernel: &Kernel,
    model: &Result<(Bitmaps, Vec<Program>), ChainRefusal>,
    filters: usize,
    records: &[&Record<'_>],
) -> Outcome {
    let wrong = |message| Outcome::Mismatch(message, None);
    let record = match records {
        [] => return Outcome::Unanswered,
        [record] => record,
        _ => return wrong(format!("the guest gave {} answers to it", records.len())),
    };
    match (model, record.status) {
        (_, Status::ProgramError(_)) => Outcome::NotRun(record.status.to_string()),
        (Ok((_, programs)), Status::Refused { filter, .. }) => {
            wrong(format!("{}; {}", record.status, why_accepted(programs, filters, filter)))
        }
        (Err(refusal), Status::Refused { filter, errno }) => {
            if (usize::from(filter), errno) == (refusal.filter, refusal.errno()) {
                return Outcome::Refused;
            }
            wrong(format!("{}, it must be {}", record.status, describe(refusal)))
        }
        (Err(refusal), Status::Dumped | Status::Unreadable(_)) => {
            wrong(format!("the kernel accepted the chain, it must refuse {}", describe(refusal)))
        }
        (Ok(_), Status::Unreadable(_)) => wrong(record.status.to_string()),
        (Ok((bitmaps, programs)), Status::Dumped) => match difference(kernel, programs, bitmaps, record) {
            None => Outcome::Dumped,
            Some(message) => Outcome::Mismatch(message, denied::cached(programs, bitmaps, &record.dump)),
        },
    }
}

/// Why the model takes a chain of which the kernel refused a filter.
fn why_accepted(programs: &[Program], filters: usize, filter: u16) -> String {
    let lens: Vec<_> = programs.iter().take(usize::from(filter) + 1).map(Program::converted_len).collect();
    let penalty = lens.len().saturating_sub(1) * chain::OLDER_FILTER_PENALTY;
    let total = lens.iter().sum::<usize>() + penalty;
    let insns = programs.get(usize::from(filter)).map_or(0, |program| program.insns().len());
    format!(
        "the model accepts all {filters} filters: the {insns} instructions of filter {filter} end in a return, jump \
         inside and use what seccomp admits, and with it the chain counts {total} of {} instructions",
        chain::PATH_INSNS_MAX
    )
}

/// How a dump departs from the bitmaps, with the first bits explained; `None` where it is right.
fn difference(
    kernel: &Kernel,
    programs: &[Program],
    bitmaps: &Bitmaps,
    record: &Record<'_>,
) -> Option<String> {
    let differences = compare_bits(programs, bitmaps, &record.dump);
    if differences.is_empty() {
        return None;
    }
    let wrong = differences.shown.iter().filter_map(wrong_bit).take(EXPLAINED_MAX);
    let explained: Vec<_> = wrong
        .map(|(arch, nr)| format!("{arch} {nr}: {}", explain_line(kernel, programs, arch, nr)))
        .collect();
    Some([differences.to_string(), explained.join("\n")].join("\n").trim_end().to_owned())
}

/// The call of a line with the wrong verdict.
fn wrong_bit(difference: &Difference) -> Option<(Arch, u32)> {
    let Difference::Verdict { wanted, .. } = difference else { return None };
    call_of(wanted)
}

/// The call that a line of a dump is about: `x86_64 135 ALLOW`.
fn call_of(line: &str) -> Option<(Arch, u32)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let arch = Arch::ALL.into_iter().find(|arch| arch.name() == name)?;
    Some((arch, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
