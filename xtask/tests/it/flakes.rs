// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rounds: what changes its mind is told, and is never a pass.

use std::fs;

use crate::lab::{CELL, Lab};

/// What a file of the newest run says.
fn file(lab: &Lab, name: &str) -> String {
    fs::read_to_string(lab.root().join("results/latest").join(name)).unwrap()
}

#[test]
fn a_sub_test_that_changes_its_mind_between_rounds_is_flaky_everywhere() {
    let lab = Lab::new();
    lab.steer("qemu", "good\ngood\nfailing\ngood\n");
    let ran = lab.test_cell(&["--repeat", "4"]);
    let told = format!("flaky  {CELL} seccomp_bpf.global.two: passed 3 of 4  PPFP");
    ran.assert(100, &["4 of 4", "1/2 (1 flaky)", &told, "1 result passed in each, 1 changed their mind"]);
    lab.assert_cell("fail", "flaky: seccomp_bpf.global.two passed 3 of 4 rounds; in 1 of 4 rounds: ");
    let record = lab.record();
    assert_eq!(record["repeat"]["rounds"].as_array().unwrap().len(), 4);
    assert_eq!(record["repeat"]["rates"][1]["passed"], 3, "{record:#}");
    assert_eq!(lab.only_cell()["checks"][0]["status"], "flaky");
    assert_eq!(lab.only_cell()["checks"][0]["subs"][1]["status"], "flaky");
    let xml = file(&lab, "junit.xml");
    assert!(xml.contains("<flakyFailure message=\"round 3: fail\" type=\"fail\""), "{xml}");
    assert!(xml.contains("failures=\"3\""), "sub-test, check and verdict: {xml}");
    assert!(file(&lab, "results.ktap").contains("not ok 2 global.two"), "no pass in KTAP");
    // The console of the round that went wrong is there.
    let console = lab.only_cell()["files"]["console.log"].as_str().unwrap().to_owned();
    assert!(!file(&lab, &console).is_empty());
    lab.run(&["report"]).assert(0, &[&told]);
    lab.run(&["report", "--format", "markdown"]).assert(0, &["**flaky** 1/2 (1 flaky)"]);
    // The rounds stand for themselves: they are not counted twice.
    lab.run(&["trend"]).assert(100, &["PPFP", "no pass in 1 of 4 runs"]);
}

#[test]
fn what_is_flaky_though_every_round_passes_is_no_pass() {
    let lab = Lab::new();
    let entry = "[[expect]]\ncell = \"local/*\"\ncheck = \"seccomp_bpf.global.two\"\nstatus = \"skip\"\n\
        reason = \"no hardware\"\nuntil = \"2099-12-31\"\n";
    lab.write("lab/configs/expected.toml", entry);
    lab.steer("qemu", "good\nskipping\n");
    lab.test_cell(&["--repeat", "2"]).assert(100, &["ROUND", "1 pass", "1 fail", "passed 1 of 2  PS"]);
    lab.assert_cell("fail", "flaky: seccomp_bpf.global.two passed 1 of 2 rounds");
    lab.forget_boots();
    lab.test_cell(&["--repeat", "2", "--exit-codes", "bisect"]).assert(1, &["changed their mind"]);
}

#[test]
fn rounds_that_agree_end_as_each_of_them() {
    let lab = Lab::new();
    lab.test_cell(&["--repeat", "3"]).assert(0, &["2 results passed in each, 0 changed their mind"]);
    lab.assert_cell("pass", "");
    lab.steer("qemu", "failing");
    lab.forget_boots();
    lab.test_cell(&["--repeat", "2"]).assert(100, &["1 never passed", "passed 0 of 2  FF"]);
    lab.assert_cell("fail", "in 2 of 2 rounds: seccomp_bpf fail");
    // One round has nothing to compare, and no record beside its own.
    lab.test_cell(&[]).assert(100, &["1 fail"]);
    assert!(lab.record()["repeat"].is_null());
}

#[test]
fn trouble_of_the_labs_in_a_round_is_no_answer_and_decides_the_exit_code() {
    let lab = Lab::new();
    lab.steer("qemu", "good\nexit-1\ngood\n");
    lab.test_cell(&["--repeat", "3"])
        .assert(105, &["0 results passed in each", "2 passed and were not asked in each"]);
    lab.assert_cell("infra", "in 1 of 3 rounds: QEMU ended with exit code 1");
}
