// SPDX-License-Identifier: MIT OR Apache-2.0
//! What works: a first run, a second one, a small change, rounds, plans.

use std::fs;

use crate::lab::{CELL, Lab};
use crate::tree::{change, mail};

#[test]
fn a_good_run_passes_and_leaves_a_complete_record() {
    let lab = Lab::new();
    lab.test_cell(&[]).assert(0, &["FETCHED", "BUILT", "PASS", CELL, "seccomp_bpf 2/2", "1 pass"]);
    let cell = lab.only_cell();
    assert_eq!(cell["id"], CELL);
    assert_eq!(cell["outcome"], "pass");
    assert_eq!(cell["reason"], "");
    assert_eq!(cell["checks"][0]["subs"][1]["path"][0], "global.two");
    assert_eq!(cell["accel"]["kind"], "tcg");
    assert_eq!(cell["attempts"].as_array().unwrap().len(), 1);
    let latest = lab.root().join("results/latest");
    for kind in ["console.log", "transcript.bin", "qemu.sh", "job.bin", "ktap", "kmsg", "config", "build.log"]
    {
        let name = cell["files"][kind].as_str().unwrap_or_else(|| panic!("no {kind} in {cell:#}"));
        assert!(fs::metadata(latest.join(name)).unwrap().len() > 0, "{name} is empty");
    }
    let junit = fs::read_to_string(latest.join("junit.xml")).unwrap();
    assert!(junit.contains("failures=\"0\"") && junit.contains(CELL), "{junit}");
    assert!(latest.join("results.ktap").is_file());
}

#[test]
fn models_on_the_host_agree_with_a_right_kernel_on_every_flavor() {
    let lab = Lab::new();
    lab.test(&["--series", "none", "--check", "seccomp_bpf", "--check", "timers.nanosleep"])
        .assert(0, &["3 cells", "3 pass"]);
    // A model on the host agrees with the answer, for kernels with one table and with two.
    lab.write("lab/kernel-patches/fake/series.toml", FAKE_SERIES);
    lab.write("lab/kernel-patches/fake/0001-five.patch", &mail(1, "five", &change("int five;", "int V;")));
    let ran = lab.test(&["--series", "fake"]);
    ran.assert(0, &["seccomp_cache.dump", "seccomp_cache.access", "3 pass"]);
    let record = lab.record();
    for cell in record["cells"].as_array().unwrap() {
        let checks = cell["checks"].as_array().unwrap();
        let named = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap();
        assert!(named("seccomp_cache.dump")["plan"].as_u64().unwrap() > 20);
        assert!(named("profiles")["plan"].as_u64().unwrap() > 30);
        assert_eq!(named("random")["figures"]["chains"], 400);
    }
}

/// A series that brings the symbol which the checks of the cache require.
const FAKE_SERIES: &str =
    "title = \"fake\"\n[[symbol]]\nname = \"SECCOMP_CACHE_DEBUG\"\nvalue = \"y\"\nfrom = 1\n";

#[test]
fn a_second_run_builds_and_compiles_nothing() {
    let lab = Lab::new();
    lab.test_cell(&[]).assert(0, &["BUILT"]);
    assert_eq!(lab.calls("make vmlinux").len(), 1);
    assert_eq!(lab.calls("gcc init -m64").len(), 1);
    lab.forget_calls();
    lab.test_cell(&[]).assert(0, &["CACHED", "1 pass"]);
    assert_eq!(lab.calls(""), ["boot tcg"]);
}

#[test]
fn one_changed_file_compiles_one_object() {
    let lab = Lab::new();
    lab.test_cell(&[]).assert(0, &["BUILT"]);
    assert_eq!(lab.calls("cc ").len(), 3);
    let first = lab.only_cell();
    lab.forget_calls();
    lab.change_tree("kernel/fork.c", "int spoon;\n");
    lab.test_cell(&[]).assert(0, &["BUILT", "1 pass"]);
    assert_eq!(lab.calls("cc "), ["cc kernel/fork.o"]);
    assert_ne!(first["keys"]["kernel"], lab.only_cell()["keys"]["kernel"]);
}

#[test]
fn a_change_of_a_selftest_alone_builds_no_kernel() {
    let lab = Lab::new();
    lab.test_cell(&[]).assert(0, &["BUILT"]);
    let first = lab.only_cell();
    lab.forget_calls();
    lab.change_tree("tools/testing/selftests/seccomp/seccomp_bpf.c", "int main(void) { return 1; }\n");
    lab.test_cell(&[]).assert(0, &["1 pass"]);
    assert_eq!(lab.calls("make vmlinux"), [""; 0]);
    assert_eq!(lab.calls("gcc seccomp_bpf").len(), 1);
    let second = lab.only_cell();
    assert_eq!(first["keys"]["kernel"], second["keys"]["kernel"]);
    assert_ne!(first["keys"]["image"], second["keys"]["image"]);
}

#[test]
fn the_users_tree_is_only_read() {
    let lab = Lab::new();
    let list = || {
        let mut files = Vec::new();
        let mut open = vec![lab.tree()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                files.push((entry.path(), entry.metadata().unwrap().modified().unwrap()));
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                }
            }
        }
        files.sort();
        files
    };
    let before = list();
    lab.test_cell(&[]).assert(0, &[]);
    assert_eq!(before, list());
}

#[test]
fn a_series_of_an_mbox_is_applied_and_recorded() {
    let lab = Lab::new();
    let text =
        mail(1, "five", &change("int five;", "int cinq;")) + &mail(2, "more", &change("int cinq;", "int V;"));
    let mbox = lab.write("v5.mbox", &text);
    lab.test_series(&mbox).assert(0, &["APPLIED", "2 patches", "local/v5@2/x86_64"]);
    let record = lab.record();
    assert_eq!(record["series"]["v5"]["patches"][0]["message_id"], "1@example.org");
    assert_eq!(record["series"]["v5"]["patches"][1]["subject"], "more");
    lab.forget_calls();
    // The first patch alone is another kernel, of which one object differs.
    lab.test_series(&format!("{mbox}@1")).assert(0, &["local/v5@1/x86_64"]);
    assert_eq!(lab.calls("cc "), ["cc kernel/seccomp.o"]);
}

#[test]
fn the_worst_of_several_rounds_decides() {
    let lab = Lab::new();
    lab.steer("qemu", "failing\ngood\n");
    lab.test_cell(&["--repeat", "2"]).assert(100, &["1 of 2", "2 of 2", "1 fail", "1 pass"]);
    assert_eq!(lab.calls("boot").len(), 2);
    assert_eq!(lab.calls("make vmlinux").len(), 1);
    let runs = fs::read_dir(lab.root().join("results"))
        .unwrap()
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().join("run.json").is_file()));
    // A folder each, one for both, and the link to that one.
    assert_eq!(runs.count(), 4);
}

#[test]
fn a_dry_run_touches_nothing() {
    let lab = Lab::new();
    lab.test_cell(&["--dry-run"]).assert(0, &["source local/none", "kernel x86_64", CELL, "seccomp_bpf"]);
    assert_eq!(lab.calls(""), [""; 0]);
    assert!(!lab.path("cache").exists());
    assert!(lab.record_if_any().is_none());
    assert!(!lab.root().join("results").exists());
}

#[test]
fn a_kernel_that_the_user_built_is_booted_and_none_is_made() {
    let lab = Lab::new();
    let kernel = lab.write("mine/vmlinux", &format!("\x7fELF{:14}\x3e\0\narch x86_64\ntables 440 440\n", ""));
    lab.test_cell(&["--kernel", &kernel]).assert(0, &["1 pass"]);
    assert_eq!(lab.calls("make vmlinux"), [""; 0]);
    let no_kernel = lab.write("mine/other", "text");
    lab.test_cell(&["--kernel", &no_kernel]).assert(2, &["neither a vmlinux nor a bzImage"]);
}
