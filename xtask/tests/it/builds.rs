// SPDX-License-Identifier: MIT OR Apache-2.0
//! Builds that fail: the kernel's fault is a verdict, the host's is not.

use std::fs;
use std::path::Path;

use crate::lab::{CELL, Lab};
use crate::tree::{mail, new_file};

#[test]
fn a_symbol_that_kconfig_drops_is_named() {
    let lab = Lab::new();
    lab.change_tree("fake.drop", "SECCOMP_FILTER\n");
    lab.test_cell(&[]).assert(103, &["BUILD-FAILED", "CONFIG_SECCOMP_FILTER (asked for y, got n)"]);
    lab.assert_cell("build-failed", "not in the final config: CONFIG_SECCOMP_FILTER");
    assert_eq!(lab.calls("make vmlinux"), [""; 0]);
    assert_eq!(lab.calls("boot"), [""; 0]);
}

#[test]
fn a_compile_error_is_told_with_file_and_line() {
    let lab = Lab::new();
    let mbox = lab.write("breaks.mbox", &mail(1, "breaks", &new_file("fake.make", "compile-error")));
    lab.test_series(&mbox)
        .assert(103, &["BUILD-FAILED", "kernel/seccomp.c:12: 'sd' undeclared (first use in this function)"]);
    lab.assert_cell("build-failed", "kernel/seccomp.c:12:");
    let cell = lab.only_cell();
    let log = lab.root().join("results/latest").join(cell["files"]["build.log"].as_str().unwrap());
    assert!(fs::read_to_string(log).unwrap().contains("Error 2"));
    assert_eq!(lab.calls("boot"), [""; 0]);
    // A failure is not kept: the next run asks make again.
    lab.test_series(&mbox).assert(103, &["kernel/seccomp.c:12:"]);
    assert_eq!(lab.calls("make vmlinux").len(), 2);
}

#[test]
fn a_make_that_fails_without_a_word_is_no_good_build() {
    let lab = Lab::new();
    lab.steer("make", "silent");
    lab.test_cell(&[]).assert(103, &["make ended with exit code 2, and its log shows no error"]);
    lab.assert_cell("build-failed", "exit code 2");
}

#[test]
fn a_full_disk_is_no_fault_of_the_kernel() {
    let lab = Lab::new();
    lab.steer("make", "disk-full");
    lab.test_cell(&[]).assert(105, &["INFRA", "No space left on device"]);
    lab.assert_cell("infra", "building a kernel: ");
    lab.steer("make", "good");
    lab.test_cell(&[]).assert(0, &["1 pass"]);
}

#[test]
fn a_make_that_runs_into_its_deadline_is_no_fault_of_the_kernel() {
    let lab = Lab::new();
    lab.change_config(&[], |config| {
        config["deadline"].as_table_mut().unwrap().insert("build".into(), "2s".into());
    });
    lab.steer("make", "hang");
    lab.test_cell(&[]).assert(105, &["INFRA", "make was killed at its deadline"]);
    lab.assert_cell("infra", "make was killed at its deadline");
}

#[test]
fn a_selftest_that_does_not_compile_is_told_with_file_and_line() {
    let lab = Lab::new();
    let file = "tools/testing/selftests/seccomp/seccomp_bpf.c";
    lab.change_tree(file, "int a;\n#error no such call\n");
    lab.test_cell(&[])
        .assert(103, &["seccomp_bpf (64 bits): compiling seccomp_bpf", "seccomp_bpf.c:2:2: error"]);
    lab.assert_cell("build-failed", "seccomp_bpf.c:2:2: error");
    fs::remove_file(lab.tree().join(file)).unwrap();
    lab.test_cell(&[]).assert(103, &["the tree has no tools/testing/selftests/seccomp/seccomp_bpf.c"]);
}

#[test]
fn a_damaged_kernel_in_the_cache_is_told_and_built_again() {
    let lab = Lab::new();
    lab.test_cell(&[]).assert(0, &["1 pass"]);
    let key = lab.only_cell()["keys"]["kernel"].as_str().unwrap().to_owned();
    let stored = lab.path("cache/objects/kernels").join(&key).join("vmlinux");
    let whole = fs::read(&stored).unwrap();
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    fs::write(&stored, damaged).unwrap();
    lab.forget_calls();
    lab.test_cell(&[]).assert(0, &["NOTE", "vmlinux is not what was stored", "built again", "1 pass"]);
    assert_eq!(lab.calls("make vmlinux").len(), 1);
    assert_eq!(fs::read(&stored).unwrap(), whole);
}

#[test]
fn one_kernel_that_fails_does_not_hide_the_others() {
    let lab = Lab::new();
    let breaks = lab.write("breaks.mbox", &mail(1, "breaks", &new_file("fake.make", "compile-error")));
    let cell_flags = ["--flavor", "x86_64", "--check", "seccomp_bpf"];
    lab.test(&[&["--series", "none", "--series", &breaks], &cell_flags[..]].concat())
        .assert(103, &["1 pass", "1 build-failed", CELL]);
    assert_eq!(lab.record()["state"], "complete");
    lab.forget_calls();
    let ran =
        lab.test(&[&["--series", &breaks, "--series", "none", "--fail-fast"], &cell_flags[..]].concat());
    ran.assert(103, &["build-failed"]);
    let record = lab.record();
    let outcomes: Vec<&str> =
        record["cells"].as_array().unwrap().iter().map(|cell| cell["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["build-failed", "cancelled"], "{record:#}");
    assert_eq!(lab.calls("boot"), [""; 0]);
}

#[test]
fn a_variant_boots_the_image_that_it_names() {
    let lab = Lab::new();
    let words = ["--series", "none", "--flavor", "x86_64+debug", "--check", "seccomp_bpf"];
    lab.test(&words).assert(0, &["1 pass"]);
    assert_eq!(lab.calls("make bzImage").len(), 1);
    assert_eq!(lab.calls("make vmlinux"), [""; 0]);
    let record = lab.record();
    let key = record["cells"][0]["keys"]["kernel"].as_str().unwrap();
    let stored = lab.path("cache/objects/kernels").join(key);
    assert!(stored.join("vmlinux").is_file() && stored.join("bzImage").is_file(), "{}", stored.display());
    let command = record["cells"][0]["files"]["qemu.sh"].as_str().unwrap();
    let command = fs::read_to_string(lab.root().join("results/latest").join(command)).unwrap();
    assert!(command.contains(&format!("{}/bzImage", key)), "{command}");
    // With the image both are found again, and both are looked at.
    lab.forget_calls();
    lab.test(&words).assert(0, &["CACHED", "1 pass"]);
    assert_eq!(lab.calls("make"), [""; 0]);
    fs::write(stored.join("bzImage"), "half").unwrap();
    lab.test(&words).assert(0, &["bzImage is not what was stored", "1 pass"]);
    assert_eq!(lab.calls("make bzImage").len(), 1);
}

/// Changes a byte of every file below a folder, but for digests. Says how many.
fn damage(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += damage(&path);
        } else if path.file_name().is_some_and(|name| name != "digests.json") {
            let mut bytes = fs::read(&path).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 0x20;
            fs::write(&path, bytes).unwrap();
            count += 1;
        }
    }
    count
}

#[test]
fn whatever_is_damaged_in_the_cache_is_told_and_made_again() {
    let lab = Lab::new();
    lab.test_cell(&[]).assert(0, &["1 pass"]);
    for (folders, told) in [
        (&["objects/kernels"][..], &["cached kernels ", "it is built again"][..]),
        (
            &["objects/headers", "objects/programs"],
            &["cached headers ", "cached programs ", "it is made again"],
        ),
        (&["objects/images"], &["cached images "]),
        (&["requests"], &["cached answer ", "it is found out again"]),
    ] {
        for folder in folders {
            assert!(damage(&lab.path("cache").join(folder)) > 0, "{folder}");
        }
        lab.test_cell(&[]).assert(0, &[told, &["NOTE", "1 pass"]].concat());
        let again = lab.test_cell(&[]);
        again.assert(0, &["1 pass"]);
        assert!(!again.said.contains("NOTE"), "{}", again.said);
    }
}
