// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports, listings and cleaning.

use std::fs;

use serde_json::Value;

use crate::lab::{CELL, Lab};

#[test]
fn every_format_of_a_report_can_be_made_again() {
    let lab = Lab::new();
    lab.steer("qemu", "failing");
    lab.test_cell(&[]).assert(100, &[]);
    let reason = "seccomp_bpf fail: 1 of 2 failed, the first is global.two";
    for (format, words) in [
        ("summary", [CELL, reason]),
        ("full", ["global.two", "two.c:7"]),
        ("junit", ["<testsuites", "seccomp_bpf.global.two"]),
        ("ktap", ["KTAP version 1", "not ok 1 local/none/x86_64"]),
        ("markdown", ["| cell | outcome | seccomp_bpf |", reason]),
        ("json", ["\"schema\"", reason]),
    ] {
        lab.run(&["report", "--format", format]).assert(0, &words);
    }
    let printed = lab.run(&["report", "--format", "json"]).said;
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), lab.record());
    let junit = fs::read_to_string(lab.root().join("results/latest/junit.xml")).unwrap();
    assert_eq!(lab.run(&["report", "--format", "junit"]).said.trim(), junit.trim());
    let id = lab.record()["id"].as_str().unwrap().to_owned();
    lab.run(&["report", &id]).assert(0, &[CELL]);
    lab.run(&["report", "never"]).assert(2, &["`never` is no run"]);
}

#[test]
fn a_record_that_is_none_is_refused() {
    let lab = Lab::new();
    lab.write("lab/results/one/run.json", "{}");
    lab.run(&["report", "one"]).assert(2, &["is no record of this lab"]);
    lab.run(&["report"]).assert(2, &["`latest` is no run", "help: "]);
}

#[test]
fn listings_can_be_read_by_programs() {
    let lab = Lab::new();
    let tree = format!("path={}", lab.tree().display());
    let words = ["list", "--tree", &tree, "--series", "none", "--format"];
    let ran = lab.run(&[&words[..], &["json"]].concat());
    ran.assert(0, &[]);
    let listed: Value = serde_json::from_str(&ran.said).unwrap();
    let ids: Vec<&str> =
        listed["cells"].as_array().unwrap().iter().map(|cell| cell["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [CELL, "local/none/compat", "local/none/i386"]);
    let ran = lab.run(&[&words[..], &["github"]].concat());
    let jobs: Value = serde_json::from_str(&ran.said).unwrap();
    assert_eq!(jobs["include"][0]["cells"], "local/none/x86_64 local/none/compat");
    assert_eq!(jobs["include"].as_array().unwrap().len(), 2, "a job a kernel");
    lab.run(&["list"]).assert(
        0,
        &[
            "5.10/seccomp-cache@5/compat",
            "seccomp_bpf",
            "matrices: bench, bench-profile, bench-real-time, default, full, nightly",
        ],
    );
    assert!(!lab.path("cache").exists(), "a listing needs no cache");
}

#[test]
fn cleaning_removes_what_it_is_told_to_and_nothing_else() {
    let lab = Lab::new();
    lab.test_cell(&[]).assert(0, &[]);
    lab.test_cell(&[]).assert(0, &[]);
    let runs = || {
        let entries = fs::read_dir(lab.root().join("results")).unwrap().filter_map(Result::ok);
        entries.filter(|entry| entry.file_type().unwrap().is_dir()).count()
    };
    lab.run(&["clean"]).assert(0, &["kernels", "cache in all", "results"]);
    assert_eq!(runs(), 2);
    lab.run(&["clean", "--keep-runs", "1"]).assert(0, &["runs removed: 1"]);
    assert_eq!(runs(), 1);
    assert_eq!(lab.only_cell()["outcome"], "pass", "the newest run is the one that is kept");
    lab.run(&["clean", "--older-than", "1day"]).assert(0, &["stored objects removed: 0"]);
    lab.run(&["clean", "--tree", "locla"]).assert(2, &["no tree `locla` is in the cache", "local"]);
    lab.run(&["clean", "--tree", "local"]).assert(0, &["removed "]);
    lab.forget_calls();
    lab.test_cell(&[]).assert(0, &["CACHED", "1 pass"]);
    assert_eq!(lab.calls("make vmlinux"), [""; 0], "stored kernels outlive the tree");
    lab.run(&["clean", "--all", "--keep-runs", "0"]).assert(0, &["removed "]);
    assert!(!lab.path("cache").exists());
    assert_eq!(runs(), 0);
    assert!(lab.record_if_any().is_none());
}

#[test]
fn a_folder_that_is_no_cache_is_not_removed() {
    let lab = Lab::new();
    let precious = lab.write("home/letters/one.txt", "dear");
    let folder = lab.path("home");
    lab.run(&["clean", "--all", "--cache-dir", &folder.to_string_lossy()])
        .assert(2, &["is no cache of this lab"]);
    assert!(fs::exists(precious).unwrap());
}
