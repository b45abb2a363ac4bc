// SPDX-License-Identifier: MIT OR Apache-2.0
//! Labs that are interrupted or killed, and labs that share a cache.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::lab::{CELL, Lab};
use crate::tree::{change, mail, new_file};

const WORDS: [&str; 6] = ["--series", "none", "--flavor", "x86_64", "--check", "seccomp_bpf"];

#[test]
fn a_lab_killed_in_a_build_leaves_no_make_and_the_next_run_recovers() {
    let lab = Lab::new();
    lab.steer("make", "hang");
    let mut running = lab.start_test(&WORDS);
    lab.await_mark(&mut running, "make.waiting");
    running.signal(Signal::KILL);
    let ran = running.finish();
    assert_eq!(ran.signal, Some(9), "{}", ran.said);
    assert_eq!(lab.record()["state"], "running", "nobody was there to say otherwise");
    assert_eq!(lab.record()["cells"][0]["outcome"], "cancelled");
    lab.steer("make", "good");
    lab.forget_calls();
    lab.test_cell(&[]).assert(0, &["NOTE", "was killed", "files that it wrote are removed", "1 pass"]);
    // The half object looked newer than its source: it must have been made again.
    assert!(lab.calls("cc ").contains(&"cc kernel/seccomp.o".to_owned()), "{:?}", lab.calls("cc "));
    lab.assert_cell("pass", "");
}

#[test]
fn an_interrupt_in_a_build_ends_it_and_the_next_run_works() {
    for signal in [Signal::INT, Signal::TERM] {
        let lab = Lab::new();
        lab.steer("make", "hang");
        let mut running = lab.start_test(&WORDS);
        lab.await_mark(&mut running, "make.waiting");
        running.signal(signal);
        running.finish().assert(130, &["interrupted"]);
        let record = lab.record();
        assert_eq!(record["state"], "cancelled", "{record:#}");
        assert_eq!(record["cells"][0]["outcome"], "cancelled", "{record:#}");
        assert_eq!(record["cells"][0]["reason"], "interrupted", "its turn had come: {record:#}");
        assert!(record["ended"].is_string());
        lab.steer("make", "good");
        lab.test_cell(&[]).assert(0, &["files that it wrote are removed", "1 pass"]);
    }
}

#[test]
fn an_interrupt_in_a_guest_ends_it_and_the_next_run_works() {
    let lab = Lab::new();
    lab.steer("qemu", "hang");
    let mut running = lab.start_test(&WORDS);
    lab.await_mark(&mut running, "qemu.waiting");
    running.signal(Signal::INT);
    running.finish().assert(130, &["interrupted"]);
    let record = lab.record();
    assert_eq!(record["state"], "cancelled", "{record:#}");
    let cell = &record["cells"][0];
    assert_eq!(
        (&cell["outcome"], &cell["reason"]),
        (&"cancelled".into(), &"interrupted".into()),
        "{record:#}"
    );
    let check = &cell["checks"][0];
    assert_eq!(
        (&check["status"], &check["reason"]),
        (&"not-run".into(), &"interrupted".into()),
        "{record:#}"
    );
    let reply = lab.run(&["report", "--format", "reply"]);
    reply.assert(0, &["was interrupted", CELL]);
    assert!(!reply.said.contains("its turn"), "{}", reply.said);
    lab.steer("qemu", "good");
    lab.test_cell(&[]).assert(0, &["CACHED", "1 pass"]);
    // Nothing is known of what changed: neither better nor worse.
    let told = ["not compared: ", "cancelled to pass", "no cell can be compared"];
    lab.run(&["diff", "latest~1", "latest"]).assert(4, &told);
}

#[test]
fn an_interrupt_ends_all_rounds() {
    let lab = Lab::new();
    lab.steer("qemu", "hang");
    let mut running = lab.start_test(&[&WORDS[..], &["--repeat", "5", "--retries", "5"]].concat());
    lab.await_mark(&mut running, "qemu.waiting");
    running.signal(Signal::INT);
    running.finish().assert(130, &[]);
    assert_eq!(lab.calls("boot").len(), 1);
}

#[test]
fn a_lab_killed_in_a_guest_leaves_no_qemu() {
    let lab = Lab::new();
    lab.steer("qemu", "no-hello");
    let mut running = lab.start_test(&WORDS);
    lab.await_mark(&mut running, "qemu.waiting");
    running.signal(Signal::KILL);
    assert_eq!(running.finish().signal, Some(9));
    lab.steer("qemu", "good");
    lab.test_cell(&[]).assert(0, &["1 pass"]);
}

#[test]
fn two_labs_on_one_cache_both_succeed_and_the_second_says_what_it_waits_for() {
    let lab = Lab::new();
    lab.steer("make", "wait");
    let mut first = lab.start_test(&WORDS).not_alone();
    lab.await_mark(&mut first, "make.waiting");
    let mut second = lab.start_test(&WORDS).not_alone();
    second.await_that("a word about the wait", |second| second.said().contains("WAITING"));
    assert!(!second.said().contains("BUILDING"), "it waits, and builds nothing: {}", second.said());
    lab.write("tools/make.go", "");
    first.finish().assert(0, &["BUILT", "1 pass", CELL]);
    second.finish().assert(0, &["WAITING", "tree", ", which process ", "CACHED", "1 pass"]);
    assert_eq!(lab.calls("make vmlinux").len(), 1);
    // Both are gone, and with them all that they have started.
    lab.run(&["list"]).assert(0, &[]);
}

#[test]
fn what_a_make_left_that_the_host_broke_off_is_not_believed() {
    let lab = Lab::new();
    lab.steer("make", "disk-full");
    lab.test_cell(&[]).assert(105, &["No space left on device"]);
    lab.steer("make", "good");
    lab.test_cell(&[]).assert(0, &["broken off", "files that it wrote are removed", "1 pass"]);
    // A tree that does not compile is no such thing.
    lab.steer("make", "compile-error");
    lab.change_tree("kernel/sys.c", "int other;\n");
    lab.test_cell(&[]).assert(103, &["'sd' undeclared"]);
    lab.steer("make", "good");
    let ran = lab.test_cell(&[]);
    ran.assert(0, &["1 pass"]);
    assert!(!ran.said.contains("broken off"), "{}", ran.said);
}

#[test]
fn what_a_killed_lab_had_locked_stays_locked_until_its_make_is_gone() {
    let lab = Lab::new();
    lab.steer("make", "hang");
    let mut running = lab.start_test(&WORDS).not_alone();
    let make = lab.await_mark(&mut running, "make.waiting");
    // What kills the make of a killed lab comes late: as late as this test.
    kill_process(running.reaper(), Signal::KILL).unwrap();
    running.signal(Signal::KILL);
    assert_eq!(running.finish().signal, Some(9));
    lab.steer("make", "good");
    lab.forget_calls();
    let mut second = lab.start_test(&WORDS).not_alone();
    second.await_that("a wait or a verdict", |second| {
        second.said().contains("WAITING") || second.said().contains("SUMMARY")
    });
    assert!(second.said().contains("WAITING"), "it works beside the make of a dead lab: {}", second.said());
    assert!(lab.calls("make").is_empty(), "{:?}", lab.calls("make"));
    assert!(Path::new(&format!("/proc/{make}")).exists());
    kill_process_group(Pid::from_raw(make).unwrap(), Signal::KILL).unwrap();
    second.finish().assert(0, &["files that it wrote are removed", "1 pass"]);
    lab.run(&["list"]).assert(0, &[]);
}

#[test]
fn a_kernel_that_is_there_is_found_while_another_lab_has_the_work_tree() {
    let lab = Lab::new();
    lab.test(&WORDS).assert(0, &["BUILT", "1 pass"]);
    let with = |series: &str| {
        ["--series", series, "--flavor", "x86_64", "--check", "seccomp_bpf"].map(str::to_owned)
    };
    let code = lab.write("code.mbox", &mail(1, "five", &change("int five;", "int V;")));
    let docs = lab.write("docs.mbox", &mail(1, "docs", &new_file("Documentation/x.rst", "Words.")));
    lab.steer("make", "wait");
    let mut first = lab.start_test(&with(&code).each_ref().map(String::as_str)).not_alone();
    lab.await_mark(&mut first, "make.waiting");
    // Never tested with these patches, and yet the kernel is the same.
    let mut second = lab.start_test(&with(&docs).each_ref().map(String::as_str)).not_alone();
    second.await_that("a verdict or a wait", |second| {
        second.said().contains("SUMMARY") || second.said().contains("WAITING")
    });
    let told = second.said();
    lab.write("tools/make.go", "");
    first.finish().assert(0, &["BUILT", "1 pass"]);
    let ran = second.finish();
    ran.assert(0, &["CACHED", "1 pass"]);
    assert!(!ran.said.contains("WAITING"), "{told}");
}

#[test]
fn two_labs_that_begin_at_once_on_an_empty_cache_both_succeed() {
    let lab = Lab::new();
    let labs = [lab.start_test(&WORDS).not_alone(), lab.start_test(&WORDS).not_alone()];
    for running in labs {
        running.finish().assert(0, &["1 pass"]);
    }
    assert_eq!(lab.calls("make vmlinux").len(), 1);
    lab.run(&["list"]).assert(0, &[]);
}

#[test]
fn an_interrupt_ends_a_wait_for_another_lab() {
    let lab = Lab::new();
    lab.steer("make", "wait");
    let mut first = lab.start_test(&WORDS).not_alone();
    lab.await_mark(&mut first, "make.waiting");
    let mut second = lab.start_test(&WORDS).not_alone();
    second.await_that("a word about the wait", |second| second.said().contains("WAITING"));
    second.signal(Signal::INT);
    second.finish().assert(130, &["interrupted"]);
    lab.write("tools/make.go", "");
    first.finish().assert(0, &["1 pass"]);
}
