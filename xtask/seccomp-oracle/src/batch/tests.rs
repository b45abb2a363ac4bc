// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::action::{ALLOW, ERRNO};
use crate::answer::encode;
use crate::cases::golden_kernel;
use crate::dump::Dump;
use crate::insn::Insn;
use crate::random;

const PASS: Insn = Insn::ret(ALLOW);

fn chains() -> Vec<Chain> {
    let below_100 = vec![Insn::load_nr(), Insn::jge(100, 0, 1), Insn::ret(ERRNO | 1), PASS];
    vec![
        Chain { id: 10, filters: vec![vec![PASS], below_100] },
        Chain { id: 11, filters: vec![vec![PASS], vec![Insn::ja(7), PASS]] },
        Chain { id: 12, filters: vec![vec![PASS]] },
    ]
}

/// What a correct kernel answers.
fn right(chains: &[Chain]) -> Vec<(u32, Status, String)> {
    let answer = |chain: &Chain| match chain::check(&chain.filters) {
        Ok(programs) => (chain.id, Status::Dumped, expected(&golden_kernel(), &programs).dump()),
        Err(refusal) => {
            let filter = u16::try_from(refusal.filter).unwrap();
            (chain.id, Status::Refused { filter, errno: refusal.errno() }, String::new())
        }
    };
    chains.iter().map(answer).collect()
}

fn bytes(answers: &[(u32, Status, String)]) -> Vec<u8> {
    let record = |(id, status, dump): &'_ (u32, Status, String)| (*id, *status, dump.clone().into_bytes());
    let records: Vec<_> = answers.iter().map(record).collect();
    let borrowed: Vec<_> = records
        .iter()
        .map(|(id, status, dump)| Record { id: *id, status: *status, dump: Dump::Text(dump) })
        .collect();
    encode(&borrowed).unwrap()
}

/// The report after a change to what a correct kernel answers to [`chains`].
fn judged(change: impl FnOnce(&mut Vec<(u32, Status, String)>)) -> Report {
    let mut answers = right(&chains());
    change(&mut answers);
    judge(&golden_kernel(), &chains(), &bytes(&answers))
}

fn only_mismatch(report: &Report) -> (u32, &str) {
    assert!(!report.is_right());
    assert_eq!(report.mismatches.len(), 1, "{report:?}");
    (report.mismatches[0].id, &report.mismatches[0].message)
}

#[test]
fn a_correct_kernel_is_right() {
    let report = judged(|_| {});
    assert!(report.is_right(), "{report:?}");
    assert_eq!((report.asked, report.dumped, report.refused, report.mixed), (3, 2, 1, 1));
    assert_eq!(report.died_at(), None);
}

#[test]
fn random_chains_are_judged() {
    let chains = random::chains(1, 0..300);
    let report = judge(&golden_kernel(), &chains, &bytes(&right(&chains)));
    assert!(report.is_right(), "{report:?}");
    assert!(report.mixed > 180 && report.refused > 0, "{report:?}");
}

#[test]
fn a_chain_of_no_filters_has_an_empty_dump() {
    let chains = [Chain { id: 0, filters: vec![] }];
    let answered = |dump: String| judge(&golden_kernel(), &chains, &bytes(&[(0, Status::Dumped, dump)]));
    assert!(answered(String::new()).is_right());
    assert!(!answered(expected(&golden_kernel(), &[]).dump()).is_right());
}

#[test]
fn nothing_asked_is_not_right() {
    assert!(!judge(&golden_kernel(), &[], &bytes(&[])).is_right());
}

#[test]
fn wrong_bits_are_explained() {
    let report = judged(|answers| {
        answers[0].2 = answers[0].2.replacen("x86_64 100 FILTER", "x86_64 100 ALLOW", 1);
        answers[0].2 = answers[0].2.replacen("ia32 5 ALLOW", "ia32 5 FILTER", 1);
    });
    assert_eq!((report.dumped, report.refused), (1, 1));
    let (id, message) = only_mismatch(&report);
    assert_eq!(id, 10);
    assert!(message.contains("x86_64 100 ALLOW"), "{message}");
    assert!(
        message.contains(
            "x86_64 100: not cached: filter 1, instruction 2 `ret #0x50001 ; ERRNO(1)` returns ERRNO(1)"
        ),
        "{message}"
    );
    assert!(message.contains("ia32 5: cached: every filter allows it whatever the arguments"), "{message}");
}

#[test]
fn only_what_the_filters_do_not_allow_is_denied() {
    let report = |filter: Vec<Insn>, from: &str, to: &str| {
        let asked = [Chain { id: 1, filters: vec![filter] }];
        let mut answers = right(&asked);
        assert!(answers[0].2.contains(from), "{from}");
        answers[0].2 = answers[0].2.replacen(from, to, 1);
        judge(&golden_kernel(), &asked, &bytes(&answers))
    };
    let denied = |report: Report| report.mismatches[0].denied;
    let only_0 = || vec![Insn::load_nr(), Insn::jeq(0, 0, 1), PASS, Insn::ret(ERRNO | 1)];
    let let_through = report(only_0(), "ia32 7 FILTER", "ia32 7 ALLOW");
    assert_eq!(denied(let_through), Some((Arch::Ia32, 7)));
    // Forgotten: it costs time, and nothing else.
    assert_eq!(denied(report(only_0(), "ia32 0 ALLOW", "ia32 0 FILTER")), None);
    // An argument is looked at, and whatever it is, the answer is ALLOW.
    let looks = vec![Insn::load_arg(0), Insn::jeq(3, 0, 0), PASS];
    assert_eq!(denied(report(looks, "x86_64 9 FILTER", "x86_64 9 ALLOW")), None);
    let by_argument = vec![Insn::load_arg(0), Insn::jeq(3, 0, 1), Insn::ret(ERRNO | 1), PASS];
    let let_through = report(by_argument, "x86_64 9 FILTER", "x86_64 9 ALLOW");
    assert_eq!(denied(let_through), Some((Arch::X86_64, 9)));
}

#[test]
fn a_dump_of_another_form_is_a_mismatch() {
    for change in [
        |text: &mut String| text.clear(),
        |text: &mut String| text.push('\n'),
        |text: &mut String| *text = text.to_lowercase(),
    ] {
        assert_eq!(only_mismatch(&judged(|answers| change(&mut answers[2].2))).0, 12);
    }
}

#[test]
fn refusals_must_agree_both_ways() {
    let refused = judged(|answers| answers[0].1 = Status::Refused { filter: 1, errno: 22 });
    let (id, message) = only_mismatch(&refused);
    assert_eq!(id, 10);
    assert!(
        message.contains("refused filter 1 with errno 22 (EINVAL); the model accepts all 2"),
        "{message}"
    );
    let accepted = judged(|answers| answers[1].1 = Status::Dumped);
    let (id, message) = only_mismatch(&accepted);
    assert_eq!(id, 11);
    assert!(
        message.contains("must refuse filter 1 with errno 22 (EINVAL): instruction 0: jump to"),
        "{message}"
    );
    let other = judged(|answers| answers[1].1 = Status::Refused { filter: 0, errno: 22 });
    assert!(only_mismatch(&other).1.contains("must be filter 1"));
    let unreadable = judged(|answers| answers[2].1 = Status::Unreadable(13));
    assert!(only_mismatch(&unreadable).1.contains("EACCES"));
}

#[test]
fn what_did_not_run_is_not_right() {
    let failed = judged(|answers| answers[2].1 = Status::ProgramError(12));
    assert!(!failed.is_right());
    assert_eq!(failed.not_run[0].id, 12);
    let missing = judged(|answers| drop(answers.remove(1)));
    assert!(!missing.is_right());
    assert_eq!((missing.died_at(), missing.mismatches.len(), missing.unanswered), (None, 0, vec![11]));
    let twice = judged(|answers| answers.push(answers[0].clone()));
    assert_eq!(only_mismatch(&twice), (10, "the guest gave 2 answers to it"));
    let unasked = judged(|answers| answers.push((99, Status::Dumped, String::new())));
    assert!(!unasked.is_right());
    assert_eq!(unasked.unasked, [99]);
}

#[test]
fn a_guest_that_dies_is_placed() {
    let whole = bytes(&right(&chains()));
    for len in (0..whole.len()).step_by(613) {
        let report = judge(&golden_kernel(), &chains(), &whole[..len]);
        assert!(!report.is_right() && report.damage.is_some(), "{len} bytes");
        assert_eq!(report.dumped + report.refused + report.unanswered.len(), 3);
    }
    let report = judge(&golden_kernel(), &chains(), &whole[..whole.len() - 100]);
    assert_eq!((report.died_at(), report.unanswered), (Some(12), vec![12]));
}

#[test]
fn a_call_is_explained_with_the_path() {
    let programs = chain::check(&chains()[0].filters).unwrap();
    expect_test::expect![[r#"
        x86_64 100: FILTER
        not cached: filter 1, instruction 2 `ret #0x50001 ; ERRNO(1)` returns ERRNO(1)
        filter 1 of 2, oldest first, 4 instructions; the walk took:
              0: ld [nr]
              1: jge #0x64, +0, +1
        ->    2: ret #0x50001 ; ERRNO(1)
    "#]]
    .assert_eq(&explain_text(&golden_kernel(), &programs, Arch::X86_64, 100));
    expect_test::expect![[r#"
        ia32 7: ALLOW
        cached: every filter allows it whatever the arguments
        filter 0 of 2, oldest first, 1 instructions; the walk took:
              0: ret #0x7fff0000 ; ALLOW
        filter 1 of 2, oldest first, 4 instructions; the walk took:
              0: ld [nr]
              1: jge #0x64, +0, +1
              3: ret #0x7fff0000 ; ALLOW
    "#]]
    .assert_eq(&explain_text(&golden_kernel(), &programs, Arch::Ia32, 7));
    let text = explain_text(&golden_kernel(), &programs, Arch::Ia32, 441);
    assert_eq!(text, "ia32 441: no bit\nnot cached: the number is outside the bitmap\n");
}

#[test]
fn a_long_path_is_cut_in_the_middle() {
    let line = [vec![Insn::and(1); 200], vec![Insn::load_arg(0), PASS]].concat();
    let text = explain_text(&golden_kernel(), &chain::check(&[line]).unwrap(), Arch::X86_64, 1);
    assert_eq!(text.lines().count(), 3 + 2 * 24 + 1);
    assert!(text.contains("... 153 more ..."), "{text}");
    assert!(text.ends_with("->  200: ld [args[0].lo]\n"), "{text}");
}
