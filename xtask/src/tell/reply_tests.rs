// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replies to the list.

use expect_test::expect;

use super::*;
use crate::record::model::{CellRole, ExcusedRecord};
use crate::record::sample;

fn variants() -> Vec<String> {
    ["debug", "x32"].map(str::to_owned).to_vec()
}

#[test]
fn the_reply_for_a_good_run_is_this() {
    let mut kvm = sample::passed();
    kvm.id = "5.10/none/x86_64+debug".into();
    kvm.accel.as_mut().unwrap().kind = "kvm".into();
    let run = sample::run(vec![sample::passed(), kvm]);
    expect![[r#"
        PASS: 2 of 2 test configurations passed.

        Series seccomp-cache v3, with all 2 patches applied. Tree 5.10: Debian
        linux, version 5.10.262-1. Built with gcc 14.2. Configurations: 1 under
        KVM and 1 emulated (QEMU TCG).

        Passed results of each check, in all configurations: seccomp_bpf 4/4.

        Not run: Absent, since the kernel lacks what they require:
        seccomp_cache.dump (2 of 2). Kernel variants that were not asked for:
        x32.
    "#]]
    .assert_eq(&reply(&run, &variants()));
}

#[test]
fn the_reply_for_a_bad_run_is_this() {
    let mut cancelled = sample::let_down();
    (cancelled.id, cancelled.outcome) = ("5.10/none/i386".into(), Outcome::Cancelled);
    cancelled.reason = "interrupted".into();
    let cut_off = sample::check("seccomp_bpf", CheckStatus::NotRun, "interrupted", Vec::new());
    cancelled.checks.push(cut_off);
    let never = CellRecord::never_begun("5.10/none/compat");
    let mut run = sample::run(vec![sample::passed(), sample::failed(), sample::let_down(), cancelled, never]);
    run.series.get_mut("seccomp-cache").unwrap().applied = vec![1, 0];
    run.state = RunState::Cancelled;
    expect![[r#"
        NOT PASSED: 1 of 5 test configurations passed. The run was interrupted,
        so this is no verdict.

        Series seccomp-cache v3, with the first 0 and 1 of 2 patches applied.
        Tree 5.10: Debian linux, version 5.10.262-1. Built with gcc 14.2.
        Configurations: 2 emulated (QEMU TCG).

        Passed results of each check, in all configurations: seccomp_bpf 3/6,
        not passed in 1 of 2.

        5.10/seccomp-cache@5/compat fail: seccomp_bpf fail: 1 of 4 failed, the
        first is TRAP.dfl.

        Not run: Absent, since the kernel lacks what they require:
        seccomp_cache.dump (1 of 5). Without a result: seccomp_bpf (1 of 5).
        Results that were skipped: 1. Results that were planned and did not run:
        1. Configurations of which each had no verdict when the run ended:
        5.10/none/compat. Configurations of which each was interrupted:
        5.10/none/i386. Configurations of which each was lost to trouble of the
        test machine: 5.10/seccomp-cache@5/i386. Kernel variants that were not
        asked for: debug and x32.
    "#]]
    .assert_eq(&reply(&run, &variants()));
}

#[test]
fn only_a_complete_run_of_passes_is_a_pass() {
    let good = sample::run(vec![sample::passed()]);
    assert!(reply(&good, &[]).starts_with("PASS: 1 of 1 "));
    let states = [RunState::Running, RunState::Cancelled, RunState::Failed];
    let unfinished = states.map(|state| Run { state, ..good.clone() });
    let others = [sample::run(Vec::new()), sample::run(vec![sample::passed(), sample::let_down()])];
    for run in unfinished.into_iter().chain(others) {
        assert!(reply(&run, &[]).starts_with("NOT PASSED: "), "{run:?}");
    }
}

#[test]
fn no_line_is_too_long_or_holds_what_a_terminal_obeys() {
    let mut failed = sample::failed();
    failed.reason = format!("\u{1b}[31m {} {}", "word ".repeat(100), "x".repeat(100));
    let text = reply(&sample::run(vec![failed, sample::let_down()]), &variants());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > WIDTH).collect();
    // A word that is longer stands alone.
    assert!(long.iter().all(|line| !line.contains(' ')) && long.len() == 1, "{long:?}");
}

#[test]
fn an_inert_point_is_no_pass_and_what_fails_without_the_series_is_excused() {
    let at = |cell: CellRecord, point: &str, role| CellRecord {
        id: format!("5.10/s@{point}/x86_64"),
        role,
        findings: Vec::new(),
        ..cell
    };
    let (baseline, subject) = (CellRole::Baseline, CellRole::Subject);
    let inert = CellRecord { same_as: Some("5.10/s@0/x86_64".into()), ..at(sample::passed(), "1", subject) };
    let first = |run: &Run| reply(run, &[]).split("\n\n").next().unwrap().replace('\n', " ");
    let run =
        sample::run(vec![at(sample::passed(), "0", baseline), inert, at(sample::passed(), "2", subject)]);
    assert!(first(&run).starts_with("PASS: 2 of 3 test configurations passed, 1 inert ("), "{}", first(&run));
    let both_fail =
        sample::run(vec![at(sample::failed(), "0", baseline), at(sample::failed(), "2", subject)]);
    // Nothing was seen to pass.
    assert!(first(&both_fail).starts_with("NOT PASSED: 0 of 2"), "{}", first(&both_fail));
    let mut one_passes = both_fail.clone();
    one_passes.cells.push(at(sample::passed(), "3", subject));
    assert!(first(&one_passes).contains("does not count"), "{}", first(&one_passes));
    let only_series =
        sample::run(vec![at(sample::passed(), "0", baseline), at(sample::failed(), "2", subject)]);
    assert!(first(&only_series).starts_with("NOT PASSED: 1 of 2"), "{}", first(&only_series));
}

#[test]
fn what_was_excused_and_booted_again_is_told() {
    let mut cell = sample::passed();
    let words = ["WARNING in f", "^WARNING in f", "reported"].map(str::to_owned);
    let [title, pattern, reason] = words;
    cell.excused = vec![ExcusedRecord { title, pattern, reason }];
    cell.attempts[0].retried_for = Some("QEMU was killed by signal 9".into());
    let text = reply(&sample::run(vec![cell.clone(), cell]), &[]);
    assert!(text.contains("Kernel reports that did not count: WARNING in f (reported)."), "{text}");
    let text = text.replace('\n', " ");
    assert!(text.contains("since the test machine was in trouble: 2 configurations."), "{text}");
}
