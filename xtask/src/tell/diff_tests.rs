// SPDX-License-Identifier: MIT OR Apache-2.0
//! Differences as people read them.

use expect_test::expect;

use super::*;
use crate::record::compare::compare;
use crate::record::model::{CellRecord, CheckStatus, Outcome, Run};
use crate::record::sample;

/// The run that others are compared with, and one in which much is worse.
fn runs() -> (Run, Run) {
    let older = sample::run(vec![sample::passed(), sample::failed(), sample::let_down()]);
    let mut worse = sample::passed();
    (worse.outcome, worse.reason) = (Outcome::Crashed, "during seccomp_bpf".into());
    worse.checks[0].subs.pop();
    worse.findings = sample::failed().findings;
    let mut mended = sample::failed();
    mended.checks[0].subs[1].status = CheckStatus::Pass;
    mended.findings.clear();
    (older, Run { id: "20270102T000000Z-0000".into(), ..sample::run(vec![worse, mended]) })
}

#[test]
fn the_text_of_a_diff_is_this() {
    let (older, newer) = runs();
    // A line at the margin: what all lines are indented by would be taken away.
    expect![[r#"
        |
          older  20270101T000000Z-abcd (complete)
          newer  20270102T000000Z-0000 (complete)

          cell                         outcome          newly failing  vanished  newly flaky  new  fixed  still failing  unsettled  same  findings
          5.10/none/x86_64             pass to crashed              -         1            -    -      -              -          -     2     +1 -0
          5.10/seccomp-cache@5/compat  fail                         1         -            -    -      1              1          -     2     +0 -1

          5.10/none/x86_64
            outcome: crashed, was pass
            kernel log, new: WARNING in f at k.c (warning)
            vanished: seccomp_bpf.TRAP.dfl

          5.10/seccomp-cache@5/compat
            kernel log, gone: WARNING in f at k.c (warning)
            newly failing: seccomp_bpf (fail: 1 of 4 failed, the first is TRAP.dfl)
            fixed: seccomp_bpf.TRAP.dfl
            still failing: seccomp_bpf.gone (not-run: known from earlier runs, and not there)

          only in 20270101T000000Z-abcd: 5.10/seccomp-cache@5/i386 infra

          worse in 2 of 2 cells
    "#]].assert_eq(&format!("|\n{}", console::strip_ansi_codes(&text(&RunDiff::new(&older, &newer)))));
}

#[test]
fn the_markdown_of_a_diff_is_this() {
    let (older, newer) = runs();
    expect![[r#"
        ### 20270102T000000Z-0000 (complete) against 20270101T000000Z-abcd (complete)

        | cell | outcome | newly failing | vanished | newly flaky | new | fixed | still failing | unsettled | same | findings |
        |---|---|---|---|---|---|---|---|---|---|---|
        | 5.10/none/x86_64 | pass to crashed | - | 1 | - | - | - | - | - | 2 | +1 -0 |
        | 5.10/seccomp-cache@5/compat | fail | 1 | - | - | - | 1 | 1 | - | 2 | +0 -1 |

        **5.10/none/x86_64**

        - **worse** outcome: crashed, was pass
        - **worse** kernel log, new: WARNING in f at k.c (warning)
        - **worse** vanished: seccomp_bpf.TRAP.dfl

        **5.10/seccomp-cache@5/compat**

        - kernel log, gone: WARNING in f at k.c (warning)
        - **worse** newly failing: seccomp_bpf (fail: 1 of 4 failed, the first is TRAP.dfl)
        - fixed: seccomp_bpf.TRAP.dfl
        - still failing: seccomp_bpf.gone (not-run: known from earlier runs, and not there)

        only in 20270101T000000Z-abcd: 5.10/seccomp-cache@5/i386 infra

        worse in 2 of 2 cells
    "#]].assert_eq(&markdown(&RunDiff::new(&older, &newer)));
}

#[test]
fn a_cell_that_was_interrupted_is_named_and_not_worse() {
    let (older, _) = runs();
    let mut newer = older.clone();
    newer.cells[0] = CellRecord::never_begun(&older.cells[0].id);
    let diff = RunDiff::new(&older, &newer);
    for text in [text(&diff), markdown(&diff)] {
        assert!(text.contains("not compared: 5.10/none/x86_64, pass to cancelled: one run has no"), "{text}");
        assert!(text.contains("nothing is worse in 2 cells; 1 not compared"), "{text}");
    }
}

#[test]
fn many_results_of_one_check_are_counted() {
    let many = |status, number: u32| {
        let subs = (1..=number).map(|at| sample::sub(&format!("t{at}"), at, status, "")).collect();
        sample::cell("t/none/x86_64", Outcome::Pass, "", vec![sample::check("c", status, "why", subs)])
    };
    let none = sample::cell("t/none/x86_64", Outcome::Pass, "", Vec::new());
    let told = |older: &CellRecord, newer: &CellRecord| {
        lines(&compare(older, newer)).into_iter().map(|(_, line)| line).collect::<Vec<_>>()
    };
    assert_eq!(told(&none, &many(CheckStatus::Pass, 87)), ["new: 87 results of c"]);
    let gone = told(&many(CheckStatus::Pass, 87), &none);
    assert_eq!(gone.len(), NAMED_MAX + 1);
    assert_eq!(gone[NAMED_MAX], "vanished: 79 other results of c");
}
