// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a guest's answer says of the calls that it was asked to make.
//!
//! Fails closed like [`crate::judge`]: every case has a verdict for each setting of the JIT, and one more stands for
//! the answer itself.

use std::fmt::Write as _;

use super::answer::{Answer, Outcome, Pass, Record, Status as Answered, decode};
use super::expect::{expected, filters_say};
use super::{Call, CallCase, Entry, Facts};
use crate::action;
use crate::chain;
use crate::errno;
use crate::judge::{ANSWER, Status, SubVerdict};
use crate::program::Program;

/// The settings of the JIT, in the order in which they are tried, and what their verdicts' names begin with.
pub const SETTINGS: [(u32, &str); 2] = [(0, "jit-off"), (1, "jit-on")];

/// How many wrong calls of a case are told.
const CALLS_TOLD_MAX: usize = 8;

/// Judges an answer to [`super::request`] of the same cases.
#[must_use]
pub fn judge(facts: &Facts, cases: &[CallCase], answer: &[u8]) -> Vec<SubVerdict> {
    let answer = decode(answer);
    let mut verdicts = Vec::new();
    for (jit, setting) in SETTINGS {
        let mut passes = answer.passes.iter().filter(|pass| pass.jit == jit);
        let pass = passes.next();
        for (id, case) in (0..).zip(cases) {
            let (status, message) = judge_case(facts, case, id, pass);
            verdicts.push(SubVerdict { name: format!("{setting}.{}", case.name), status, message });
        }
    }
    verdicts.push(judge_answer(facts, cases.len(), &answer));
    verdicts
}

type Judged = (Status, Option<String>);

fn fail(message: String) -> Judged {
    (Status::Fail, Some(message))
}

fn judge_case(facts: &Facts, case: &CallCase, id: u32, pass: Option<&Pass>) -> Judged {
    let mut records = pass.map(|pass| pass.records.as_slice()).unwrap_or_default().iter();
    let mut records = records.by_ref().filter(|record| record.id == id);
    match (records.next(), records.next()) {
        (None, _) => (Status::NotRun, Some(why_not_run(pass))),
        (Some(_), Some(_)) => fail("the guest gave more than one answer".to_owned()),
        (Some(record), None) => judge_record(facts, case, record),
    }
}

fn why_not_run(pass: Option<&Pass>) -> String {
    match pass {
        Some(pass) if pass.errno != 0 => knob_error(pass),
        _ => "the guest gave no answer".to_owned(),
    }
}

fn knob_error(pass: &Pass) -> String {
    let errno = errno::describe(pass.errno);
    format!("net.core.bpf_jit_enable could not be set to {}, errno {errno}", pass.jit)
}

fn judge_record(facts: &Facts, case: &CallCase, record: &Record) -> Judged {
    match (chain::check(&case.filters), &record.status) {
        (_, Answered::ProgramError(errno)) => {
            (Status::NotRun, Some(format!("the guest program failed, errno {}", errno::describe(*errno))))
        }
        (Ok(chain), Answered::Made(outcomes)) => judge_calls(facts, &chain, &case.calls, outcomes),
        (Ok(_), Answered::Refused(filter, errno)) => fail(format!(
            "the kernel refused filter {filter} with errno {}, it must accept it",
            errno::describe(*errno)
        )),
        (Err(refusal), Answered::Refused(filter, errno))
            if (refusal.filter, u32::from(refusal.errno())) == (*filter as usize, *errno) =>
        {
            (Status::Pass, None)
        }
        (Err(refusal), answered) => fail(format!("it must refuse {refusal}, got {answered:?}")),
    }
}

fn judge_calls(facts: &Facts, chain: &[Program], calls: &[Call], outcomes: &[Outcome]) -> Judged {
    if calls.len() != outcomes.len() {
        return fail(format!("{} calls were asked, {} were answered", calls.len(), outcomes.len()));
    }
    let wrong: Vec<String> =
        calls.iter().zip(outcomes).filter_map(|(call, outcome)| wrong(facts, chain, call, outcome)).collect();
    if wrong.is_empty() {
        return (Status::Pass, None);
    }
    let mut message = wrong.iter().take(CALLS_TOLD_MAX).cloned().collect::<Vec<_>>().join("\n");
    if wrong.len() > CALLS_TOLD_MAX {
        // Writing to a string cannot fail.
        let _ = write!(message, "\nand {} more of {} calls", wrong.len() - CALLS_TOLD_MAX, calls.len());
    }
    fail(message)
}

fn wrong(facts: &Facts, chain: &[Program], call: &Call, outcome: &Outcome) -> Option<String> {
    let expected = expected(facts, chain, call);
    if expected.fits(outcome) {
        return None;
    }
    let answer = action::describe(filters_say(facts, chain, call));
    Some(format!("{}: expected {expected} (filters: {answer}), got {}", describe(call), outcome.seen))
}

fn describe(call: &Call) -> String {
    let entry = match call.entry {
        Entry::Syscall => "syscall",
        Entry::Int80 => "int $0x80",
    };
    let nr = if (0..4096).contains(&call.nr) { call.nr.to_string() } else { format!("{:#x}", call.nr) };
    if call.args == [0; 6] {
        return format!("{entry} {nr}");
    }
    let args: Vec<String> = call.args.iter().map(|arg| format!("{arg:#x}")).collect();
    format!("{entry} {nr}({})", args.join(", "))
}

fn judge_answer(facts: &Facts, cases: usize, answer: &Answer) -> SubVerdict {
    let mut wrong: Vec<String> = answer.damage.iter().cloned().collect();
    let bits = facts.program.bits();
    if answer.bits.is_some_and(|said| said != bits) {
        wrong.push(format!("the guest program is not the one of {bits} bits that was asked"));
    }
    wrong.extend(answer.passes.iter().filter(|pass| pass.errno != 0).map(knob_error));
    let passes: Vec<u32> = answer.passes.iter().map(|pass| pass.jit).collect();
    if passes != SETTINGS.map(|(jit, _)| jit) {
        wrong.push(format!("the JIT was to be off, then on; it was tried: {passes:?}"));
    }
    let records = answer.passes.iter().flat_map(|pass| &pass.records);
    let unknown = records.filter(|record| record.id as usize >= cases).count();
    if unknown > 0 {
        wrong.push(format!("{unknown} answers to cases that were not asked"));
    }
    let (status, message) =
        if wrong.is_empty() { (Status::Pass, None) } else { (Status::Fail, Some(wrong.join("\n"))) };
    SubVerdict { name: ANSWER.to_owned(), status, message }
}
