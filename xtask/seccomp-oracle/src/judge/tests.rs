// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::answer::encode;
use crate::cache::expected_dump;
use crate::cases::{golden_kernel, named};

/// What a correct kernel would answer to a case.
fn right(case: &NamedChain) -> (Answered, String) {
    match chain::check(&case.filters) {
        Ok(chain) => (Answered::Dumped, expected_dump(&golden_kernel(), Some(&chain))),
        Err(refusal) => {
            let filter = u16::try_from(refusal.filter).unwrap();
            (Answered::Refused { filter, errno: refusal.errno() }, String::new())
        }
    }
}

/// Judges all cases after a change to what a correct kernel would answer.
fn judged(change: impl FnOnce(&mut Vec<(u32, Answered, String)>)) -> Vec<SubVerdict> {
    let cases = named();
    let mut answers: Vec<_> =
        (0..).zip(&cases).map(|(id, case)| (id, right(case).0, right(case).1)).collect();
    change(&mut answers);
    let records: Vec<_> = answers
        .iter()
        .map(|(id, status, dump)| Record { id: *id, status: *status, dump: Dump::Text(dump.as_bytes()) })
        .collect();
    judge(&golden_kernel(), &cases, &encode(&records).unwrap())
}

/// The verdicts that are no pass, one line each.
fn told(verdicts: &[SubVerdict]) -> Vec<String> {
    assert_eq!(verdicts.len(), named().len() + 1);
    let wrong = verdicts.iter().filter(|verdict| verdict.status != Status::Pass);
    wrong
        .map(|SubVerdict { name, status, message }| {
            format!("{name} {status}: {}", message.as_deref().unwrap_or("-"))
        })
        .collect()
}

fn place(name: &str) -> usize {
    named().iter().position(|case| case.name == name).unwrap()
}

#[test]
fn a_correct_kernel_passes() {
    let verdicts = judged(|_| {});
    assert_eq!(told(&verdicts), [""; 0]);
    assert_eq!(verdicts[0].name, "no_filter");
    assert_eq!(verdicts.last().unwrap().name, ANSWER);
}

#[test]
fn a_wrong_bit_is_named() {
    let at = place("deny_from_100");
    let verdicts =
        judged(|answers| answers[at].2 = answers[at].2.replacen("ia32 100 FILTER", "ia32 100 ALLOW", 1));
    assert_eq!(
        told(&verdicts),
        ["deny_from_100 fail: line 542: wanted \"ia32 100 FILTER\", got \"ia32 100 ALLOW\""]
    );
}

#[test]
fn text_without_filters_is_a_failure() {
    let verdicts = judged(|answers| answers[0].2 = "x86_64 0 FILTER\n".into());
    assert_eq!(told(&verdicts), ["no_filter fail: line 1: extra, got \"x86_64 0 FILTER\""]);
}

#[test]
fn missing_doubled_and_unknown_answers() {
    let gone = place("ret_log");
    let verdicts = judged(|answers| {
        answers.remove(gone);
    });
    assert_eq!(told(&verdicts), ["ret_log not-run: the guest gave no answer"]);
    let verdicts = judged(|answers| {
        let again = answers[1].clone();
        answers.push(again);
    });
    assert_eq!(told(&verdicts), ["ret_allow fail: the guest gave more than one answer"]);
    let verdicts = judged(|answers| answers.push((7777, Answered::Dumped, String::new())));
    assert_eq!(told(&verdicts), ["answer fail: 1 answers to chains that were not asked: 7777"]);
}

#[test]
fn a_damaged_answer_is_no_pass() {
    let all = named();
    let verdicts = judge(&golden_kernel(), &all, b"");
    assert!(verdicts[..all.len()].iter().all(|verdict| verdict.status == Status::NotRun));
    assert_eq!(verdicts[all.len()].status, Status::Fail);
    let record = Record { id: 0, status: Answered::Dumped, dump: Dump::EMPTY };
    let mut bytes = encode(&[record]).unwrap();
    bytes.truncate(bytes.len() - 1);
    let verdicts = judge(&golden_kernel(), &all[..1], &bytes);
    assert_eq!((verdicts[0].status, verdicts[1].status), (Status::Pass, Status::Fail));
}

#[test]
fn refusals_must_be_the_right_ones() {
    let (accepted, refused) = (place("ret_allow"), place("refuse_second"));
    let with =
        |at: usize, status| told(&judged(|answers| (answers[at].1, answers[at].2) = (status, String::new())));
    assert_eq!(
        with(accepted, Answered::Refused { filter: 0, errno: 22 }),
        ["ret_allow fail: the kernel refused filter 0 with errno 22 (EINVAL), it must accept it"]
    );
    let wanted = "filter 1 with errno 22 (EINVAL): instruction 0: jump to instruction 1, outside the program";
    assert_eq!(
        with(refused, Answered::Dumped),
        [format!("refuse_second fail: the kernel accepted the chain, it must refuse {wanted}")]
    );
    for (filter, errno, text) in [(0, 22, "22 (EINVAL)"), (1, 12, "12 (ENOMEM)")] {
        assert_eq!(
            with(refused, Answered::Refused { filter, errno }),
            [format!(
                "refuse_second fail: the kernel refused filter {filter} with errno {text}, it must be {wanted}"
            )]
        );
    }
}

#[test]
fn a_program_error_is_no_verdict_about_the_kernel() {
    let at = place("ret_allow");
    let verdicts =
        judged(|answers| (answers[at].1, answers[at].2) = (Answered::ProgramError(11), String::new()));
    assert_eq!(told(&verdicts), ["ret_allow not-run: the guest program failed, errno 11 (EAGAIN)"]);
    let verdicts =
        judged(|answers| (answers[at].1, answers[at].2) = (Answered::Unreadable(2), String::new()));
    assert_eq!(told(&verdicts), ["ret_allow fail: the file could not be opened or read, errno 2 (ENOENT)"]);
}

#[test]
fn packed_and_as_text_say_the_same() {
    let kernel = golden_kernel();
    let case = &named()[place("deny_from_100")];
    let chain = chain::check(&case.filters).unwrap();
    let right = expected_dump(&kernel, Some(&chain));
    let wrong = right.replacen("x86_64 7 ALLOW", "x86_64 7 FILTER", 1);
    let short = right.replacen("ia32 440 FILTER\n", "", 1);
    let swapped = right.replace("x86_64", "x32");
    for (text, count) in [(&right, 0), (&wrong, 1), (&short, 1), (&swapped, 441)] {
        let packed = crate::dump::pack(text.as_bytes()).unwrap();
        let packed = compare_dump(&kernel, &chain, &Dump::unpack(&packed).unwrap());
        assert_eq!(packed, compare_dump(&kernel, &chain, &Dump::Text(text.as_bytes())));
        assert_eq!(packed.total, count);
        // Without filters every line is one too many.
        let none = crate::dump::pack(text.as_bytes()).unwrap();
        let none = compare_dump(&kernel, &[], &Dump::unpack(&none).unwrap());
        assert_eq!(none.total, text.lines().count());
    }
    assert!(compare_dump(&kernel, &[], &Dump::EMPTY).is_empty());
    assert_eq!(compare_dump(&kernel, &chain, &Dump::EMPTY).total, 882);
}
