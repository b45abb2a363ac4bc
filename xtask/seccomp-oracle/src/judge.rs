// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a guest's answer says of the cases that it was asked.
//!
//! Fails closed: every case has a verdict, and one more stands for the answer itself, so that a damaged answer or one
//! to something else is never a pass.

use std::fmt;

use crate::answer::{Answer, Record, Status as Answered, decode};
use crate::cache::{Bitmaps, expected};
use crate::cases::NamedChain;
use crate::chain;
use crate::difference::{Differences, compare};
use crate::dump::Dump;
use crate::errno;
use crate::program::Program;
use crate::tables::Kernel;

/// The name of the verdict about the answer itself.
pub const ANSWER: &str = "answer";

/// How many wrong ids are named.
const IDS_NAMED_MAX: usize = 10;

/// The verdict about one case, or about the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubVerdict {
    /// The name of the case, or [`ANSWER`].
    pub name: String,
    /// The verdict.
    pub status: Status,
    /// What was wrong.
    pub message: Option<String>,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The kernel did what the model says.
    Pass,
    /// It did something else.
    Fail,
    /// There is no answer, or the guest program could not ask.
    NotRun,
    /// The kernel has nothing that it could be about.
    Absent,
}

/// Judges an answer: a verdict for every case, in their order, then the one about the answer. A case's id is its place,
/// as in [`crate::cases::request`].
#[must_use]
pub fn judge(kernel: &Kernel, cases: &[NamedChain], answer: &[u8]) -> Vec<SubVerdict> {
    let answer = decode(answer);
    let mut verdicts: Vec<SubVerdict> =
        (0..).zip(cases).map(|(id, case)| judge_case(kernel, case, id, &answer)).collect();
    verdicts.push(judge_answer(cases.len(), &answer));
    verdicts
}

fn judge_case(kernel: &Kernel, case: &NamedChain, id: u32, answer: &Answer<'_>) -> SubVerdict {
    let mut records = answer.records.iter().filter(|record| record.id == id);
    let (status, message) = match (records.next(), records.next()) {
        (None, _) => (Status::NotRun, Some("the guest gave no answer".to_owned())),
        (Some(_), Some(_)) => (Status::Fail, Some("the guest gave more than one answer".to_owned())),
        (Some(record), None) => judge_record(kernel, case, record),
    };
    SubVerdict { name: case.name.clone(), status, message }
}

fn judge_record(kernel: &Kernel, case: &NamedChain, record: &Record<'_>) -> (Status, Option<String>) {
    let fail = |message: String| (Status::Fail, Some(message));
    match (chain::check(&case.filters), record.status) {
        (_, Answered::ProgramError(_)) => (Status::NotRun, Some(record.status.to_string())),
        (Ok(_), Answered::Refused { .. }) => fail(format!("{}, it must accept it", record.status)),
        (Err(refusal), Answered::Refused { filter, errno }) => {
            if (usize::from(filter), errno) == (refusal.filter, refusal.errno()) {
                return (Status::Pass, None);
            }
            fail(format!("{}, it must be {}", record.status, describe(&refusal)))
        }
        (Err(refusal), Answered::Dumped | Answered::Unreadable(_)) => {
            fail(format!("the kernel accepted the chain, it must refuse {}", describe(&refusal)))
        }
        (Ok(_), Answered::Unreadable(_)) => fail(record.status.to_string()),
        (Ok(chain), Answered::Dumped) => {
            let differences = compare_dump(kernel, &chain, &record.dump);
            if differences.is_empty() { (Status::Pass, None) } else { fail(differences.to_string()) }
        }
    }
}

/// How the dump of a chain departs from the model's, oldest filter first; nothing for the empty dump of no filters.
#[must_use]
pub fn compare_dump(kernel: &Kernel, chain: &[Program], dump: &Dump<'_>) -> Differences {
    compare_bits(chain, &expected(kernel, chain), dump)
}

/// The same with the bitmaps of the chain at hand.
///
/// Packed bits are compared with the model's bits, and texts are made only where those differ.
pub(crate) fn compare_bits(chain: &[Program], wanted: &Bitmaps, dump: &Dump<'_>) -> Differences {
    if chain.is_empty() {
        return compare("", &dump.text());
    }
    if dump.is_packed_as(wanted) { Differences::default() } else { compare(&wanted.dump(), &dump.text()) }
}

pub(crate) fn describe(refusal: &chain::ChainRefusal) -> String {
    let errno = errno::describe(refusal.errno().into());
    format!("filter {} with errno {errno}: {}", refusal.filter, refusal.fault)
}

/// The answer must be undamaged and hold no id that was not asked for.
fn judge_answer(cases: usize, answer: &Answer<'_>) -> SubVerdict {
    let unknown: Vec<u32> = answer
        .records
        .iter()
        .map(|record| record.id)
        .filter(|id| usize::try_from(*id).is_ok_and(|id| id >= cases))
        .collect();
    let mut wrong = Vec::new();
    wrong.extend(answer.damage.map(|damage| damage.to_string()));
    if !unknown.is_empty() {
        let named: Vec<_> = unknown.iter().take(IDS_NAMED_MAX).map(u32::to_string).collect();
        let more = if unknown.len() > IDS_NAMED_MAX { ", ..." } else { "" };
        let count = unknown.len();
        wrong.push(format!("{count} answers to chains that were not asked: {}{more}", named.join(", ")));
    }
    let (status, message) =
        if wrong.is_empty() { (Status::Pass, None) } else { (Status::Fail, Some(wrong.join("\n"))) };
    SubVerdict { name: ANSWER.to_owned(), status, message }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotRun => "not-run",
            Self::Absent => "absent",
        })
    }
}

#[cfg(test)]
mod tests;
