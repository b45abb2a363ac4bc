// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests that misbehave: whatever they do, they end, and none of them is taken for a pass.

use std::fs;
use std::time::{Duration, Instant};

use crate::lab::Lab;

/// Most memory that the lab may take, in KiB.
const PEAK_KIB_MAX: u64 = 100 << 10;

/// Plays one scenario: exit code, what is said, the outcome and its reason.
fn plays(lab: &Lab, scenario: &str, words: &[&str], code: i32, outcome: &str, reason: &str) {
    lab.steer("qemu", scenario);
    lab.test_cell(words).assert(code, &[&outcome.to_uppercase(), reason]);
    lab.assert_cell(outcome, reason);
}

#[test]
fn a_guest_that_never_speaks_ends_at_the_boot_deadline() {
    let lab = Lab::with_boot_deadline("700ms");
    plays(&lab, "no-hello", &[], 104, "boot-failed", "no sign of init before the boot deadline");
}

#[test]
fn a_check_that_hangs_ends_at_the_guests_deadline_and_is_named() {
    let lab = Lab::new();
    let begun = Instant::now();
    plays(&lab, "hang", &["--deadline", "1s"], 104, "timed-out", "killed at the deadline during seccomp_bpf");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_guest_that_ends_without_its_end_record_is_no_pass() {
    let lab = Lab::new();
    let reason = "the guest ended without its end record during seccomp_bpf";
    plays(&lab, "crash", &[], 104, "crashed", reason);
    let cell = lab.only_cell();
    assert!(cell["findings"][0]["title"].as_str().unwrap().contains("NULL pointer"), "{cell:#}");
    assert!(cell["excerpt"].as_array().unwrap().len() > 1);
    // Results on the console are only text.
    plays(&lab, "forged", &[], 104, "crashed", reason);
    assert_ne!(lab.only_cell()["checks"][0]["status"], "pass");
}

#[test]
fn records_that_are_cut_short_or_of_another_boot_are_no_pass() {
    let lab = Lab::new();
    plays(&lab, "truncated", &[], 104, "crashed", "the guest's records cannot be trusted");
    plays(&lab, "wrong-nonce", &[], 104, "crashed", "the guest's records carry another boot's nonce");
}

#[test]
fn a_guest_whose_log_shows_no_planted_warning_is_no_pass() {
    let lab = Lab::new();
    plays(&lab, "no-plant", &[], 105, "infra", "init did not plant its warning");
}

#[test]
fn a_failed_sub_test_fails_its_cell_and_is_named() {
    let lab = Lab::new();
    plays(&lab, "failing", &[], 100, "fail", "seccomp_bpf fail: 1 of 2 failed, the first is global.two");
    let sub = &lab.only_cell()["checks"][0]["subs"][1];
    assert_eq!(sub["status"], "fail");
    assert!(sub["reason"].as_str().unwrap().contains("two.c:7"), "{sub:#}");
}

#[test]
fn a_plan_that_is_not_filled_is_no_pass() {
    let lab = Lab::new();
    plays(&lab, "unfilled", &[], 100, "fail", "seccomp_bpf fail");
}

#[test]
fn a_sub_test_that_was_known_and_vanishes_is_no_pass() {
    let lab = Lab::new();
    lab.test_cell(&["--save-names"]).assert(0, &["1 pass"]);
    let names = lab.root().join("configs/names/local/seccomp_bpf.txt");
    assert!(fs::read_to_string(names).unwrap().contains("\nglobal.two\n"));
    lab.test_cell(&[]).assert(0, &["1 pass"]);
    lab.forget_boots();
    plays(&lab, "vanished", &[], 100, "fail", "`global.two` among them");
}

#[test]
fn a_skip_needs_an_entry_with_a_reason() {
    let lab = Lab::new();
    plays(&lab, "skipping", &[], 100, "fail", "1 of 2 skipped without an entry in expected.toml");
    let entry = "[[expect]]\ncell = \"local/*\"\ncheck = \"seccomp_bpf.global.two\"\nstatus = \"skip\"\n\
        reason = \"no hardware\"\nuntil = \"UNTIL\"\n";
    lab.write("lab/configs/expected.toml", &entry.replace("UNTIL", "2099-12-31"));
    lab.test_cell(&[]).assert(0, &["1/2 (1 skipped)", "1 pass"]);
    lab.write("lab/configs/expected.toml", &entry.replace("UNTIL", "2020-12-31"));
    lab.test_cell(&[]).assert(100, &["without an entry"]);
}

#[test]
fn a_warning_of_the_kernel_fails_its_cell_although_all_tests_pass() {
    let lab = Lab::new();
    plays(&lab, "finding", &[], 100, "fail", "kernel log: WARNING");
    let cell = lab.only_cell();
    assert_eq!(cell["checks"][0]["status"], "pass");
    assert_eq!(cell["findings"][0]["check"], "seccomp_bpf");
    assert_eq!(cell["findings"].as_array().unwrap().len(), 1, "the planted one is none: {cell:#}");
}

#[test]
fn a_qemu_that_does_not_start_is_the_labs_trouble_and_its_words_are_told() {
    let lab = Lab::new();
    plays(&lab, "exit-1", &[], 105, "infra", "QEMU ended with exit code 1 before init spoke");
    let ran = lab.test_cell(&[]);
    ran.assert(105, &["cannot set up guest memory"]);
    // Only that is tried again, and a later good boot counts.
    lab.forget_boots();
    lab.steer("qemu", "exit-1\ngood\n");
    lab.test_cell(&["--retries", "2"]).assert(
        0,
        &[
            "NOTE",
            "tried again",
            "1 pass",
            "a boot did not count, and another was made: QEMU ended with exit code 1",
        ],
    );
    let attempts = lab.only_cell()["attempts"].clone();
    assert_eq!(attempts[0]["outcome"], "infra", "{attempts:#}");
    assert_eq!(attempts[1]["outcome"], "pass", "{attempts:#}");
}

#[test]
fn a_kernels_failure_is_never_tried_again() {
    let lab = Lab::with_boot_deadline("700ms");
    for (scenario, code, told) in [
        ("failing", 100, "1 fail"),
        ("skipping", 100, "1 fail"),
        ("finding", 100, "1 fail"),
        ("crash", 104, "1 crashed"),
        ("truncated", 104, "1 crashed"),
        ("no-hello", 104, "1 boot-failed"),
        // The lab cannot judge these, and another boot would hide what they have shown.
        ("failing-then-killed", 105, "1 infra"),
        ("failing-with-a-hole", 105, "1 infra"),
    ] {
        lab.steer("qemu", &format!("{scenario}\ngood\n"));
        lab.forget_boots();
        lab.forget_calls();
        lab.test_cell(&["--retries", "3"]).assert(code, &[told]);
        assert_eq!(lab.calls("boot").len(), 1, "{scenario}");
        assert_eq!(lab.only_cell()["attempts"].as_array().unwrap().len(), 1, "{scenario}");
    }
}

#[test]
fn a_lab_that_stays_in_trouble_is_tried_as_often_as_asked_and_no_more() {
    let lab = Lab::new();
    lab.steer("qemu", "exit-1");
    lab.test_cell(&["--retries", "2"]).assert(105, &["tried again", "1 infra"]);
    assert_eq!(lab.calls("boot").len(), 3);
    assert_eq!(lab.only_cell()["attempts"].as_array().unwrap().len(), 3);
    // Trouble first, and then a failure: that is the kernel's, and counts.
    lab.forget_boots();
    lab.forget_calls();
    lab.steer("qemu", "exit-1\nfailing\ngood\n");
    lab.test_cell(&["--retries", "5"]).assert(100, &["1 fail"]);
    assert_eq!(lab.calls("boot").len(), 2);
}

#[test]
fn a_qemu_that_stays_when_the_lab_hangs_up_is_killed() {
    let lab = Lab::new();
    lab.steer("qemu", "deaf");
    let begun = Instant::now();
    lab.test_cell(&["--deadline", "2s"]).assert(0, &["1 pass"]);
    assert!(begun.elapsed() < Duration::from_secs(30));
    lab.assert_cell("pass", "");
}

#[test]
fn what_qemu_leaves_behind_is_killed() {
    let lab = Lab::new();
    lab.steer("qemu", "leaves-child");
    // That nothing is left is asserted after every run.
    lab.test_cell(&[]).assert(0, &["1 pass"]);
}

#[test]
fn a_flood_of_output_takes_little_memory_and_loses_no_result() {
    let lab = Lab::new();
    lab.steer("qemu", "flood");
    let ran = lab.test_cell(&[]);
    ran.assert(0, &["1 pass"]);
    assert!(ran.peak_kib > 1000, "the peak was not seen");
    assert!(ran.peak_kib < PEAK_KIB_MAX, "{} KiB", ran.peak_kib);
    let folder: u64 = fs::read_dir(lab.root().join("results/latest/"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(folder < 160 << 20, "{folder} bytes of records");
}

#[test]
fn the_first_bad_cell_is_the_last_one_with_fail_fast() {
    let lab = Lab::new();
    lab.steer("qemu", "failing");
    let words = ["--series", "none", "--check", "seccomp_bpf", "--jobs", "1", "--fail-fast"];
    lab.test(&words).assert(100, &["1 fail", "2 cancelled"]);
    assert_eq!(lab.calls("boot").len(), 1);
    assert_eq!(lab.record()["state"], "complete");
    lab.forget_calls();
    lab.test(&[&words[..], &["--repeat", "3"]].concat()).assert(100, &["1 of 3", "2 cancelled"]);
    assert_eq!(lab.calls("boot").len(), 1);
    // Without it the others run.
    lab.test(&words[..6]).assert(100, &["3 fail"]);
}

#[test]
fn a_host_without_kvm_is_told_and_emulates() {
    let lab = Lab::new();
    let tree = format!("path={}", lab.tree().display());
    let words = ["test", "--tree", &tree, "--series", "none", "--flavor", "x86_64", "--check", "seccomp_bpf"];
    let words = [&words[..], &["--skip-host-check"]].concat();
    lab.run(&words).assert(0, &["TCG: no KVM: ", "1 pass"]);
    assert_eq!(lab.only_cell()["accel"]["kind"], "tcg");
    lab.run(&[&words[..], &["--accel", "kvm"]].concat())
        .assert(105, &["--accel kvm: ", "run with --accel tcg"]);
    lab.assert_cell("infra", "--accel kvm: ");
}
