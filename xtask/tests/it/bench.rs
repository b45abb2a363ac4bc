// SPDX-License-Identifier: MIT OR Apache-2.0
//! `bench`: figures, what they are held against, and what cannot be measured.

use std::fs;

use crate::lab::{CELL, Lab};
use crate::process::Ran;

const HEADER: &str = "arch/x86/include/asm/seccomp.h";

/// The checks whose figures follow a rule that the fake guest has too.
const PARTS: [&str; 3] = ["bench.calls", "bench.attach", "bench.memory"];

/// A lab whose tree has a cache, by the name of its tables.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.change_tree(HEADER, "#define SECCOMP_ARCH_NATIVE AUDIT_ARCH_X86_64\n");
    lab.change_config(&[], |config| {
        let matrix = config["matrix"]["bench"].as_table_mut().unwrap();
        matrix.insert("checks".into(), PARTS.to_vec().into());
    });
    lab
}

fn bench(lab: &Lab, scenario: &str, words: &[&str]) -> Ran {
    lab.forget_boots();
    lab.steer("qemu", scenario);
    let tree = format!("path={}", lab.tree().display());
    lab.run(&[&["bench", CELL, "--tree", &tree, "--skip-host-check"], words].concat())
}

#[test]
fn figures_are_told_and_kept() {
    let lab = lab();
    let ran = bench(&lab, "good", &[]);
    ran.assert(0, &["cached.8", "325", "uncached.2", "625", "attach.worst-jeq", "counted", "1 pass"]);
    let cell = lab.only_cell();
    let calls = cell["checks"].as_array().unwrap().iter().find(|check| check["name"] == "bench.calls");
    assert_eq!(calls.unwrap()["figures"]["cached.5"], 325);
    let run = lab.record()["id"].as_str().unwrap().to_owned();
    assert!(
        fs::read_to_string(lab.path("lab/results").join(run).join("bench.svg")).unwrap().contains("</svg>")
    );
}

#[test]
fn a_kernel_that_runs_the_filters_all_the_same_fails() {
    bench(&lab(), "runs-filters", &[])
        .assert(100, &["same-at-any-length", "625 instructions under 2 filters, 475 under 1"]);
}

#[test]
fn without_a_cache_relations_are_absent() {
    let lab = lab();
    lab.change_tree(HEADER, "/* nothing */\n");
    // Nobody has asked for it here: a series that brings the check does.
    bench(&lab, "good", &[]).assert(0, &["bench.calls", "absent"]);
}

#[test]
fn saved_figures_are_held_against_later_ones() {
    let lab = lab();
    bench(&lab, "good", &["--save", "a"]).assert(0, &["SAVED", "configs/bench/a.toml"]);
    bench(&lab, "good", &["--against", "a"]).assert(0, &["EQUAL"]);
    bench(&lab, "dearer", &["--against", "a"]).assert(100, &["DIFFERENT", "native: 190 saved, 191 now (+1)"]);
    let file = lab.root().join("configs/bench/a.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("compiler = \"", "compiler = \"other ")).unwrap();
    bench(&lab, "good", &["--against", "a"]).assert(2, &["another compiler", "other ", "--save a"]);
    bench(&lab, "good", &["--against", "b"]).assert(2, &["no figures were saved as `b`", "did you mean `a`"]);
    bench(&lab, "good", &["--save", "../a"]).assert(2, &["no name for saved figures"]);
    bench(&lab, "runs-filters", &["--save", "bad"]).assert(100, &["NOT SAVED"]);
}

#[test]
fn formats_leave_standard_output_to_the_figures() {
    let lab = lab();
    let ran = bench(&lab, "good", &["--format", "json"]);
    // Both streams are in one file here; the other lines are not indented, and stand before.
    let from = ran.said.find("{\n").unwrap();
    let figures: serde_json::Value = serde_json::from_str(&ran.said[from..]).unwrap();
    assert_eq!(figures[CELL]["cached.1"], 325);
    let ran = bench(&lab, "good", &["--format", "markdown"]);
    assert!(ran.said.contains("\n| local/none | x86_64 |\n|---|---:|\n"), "{}", ran.said);
}

#[test]
fn what_cannot_be_measured_is_told() {
    let lab = lab();
    bench(&lab, "no-icount", &[]).assert(105, &["-icount"]);
    bench(&lab, "crash", &[]).assert(104, &["NULL pointer", "rerun:", "cargo xtask bench"]);
    bench(&lab, "no-plugin", &[]).assert(100, &["attach.one", "plugin"]);
    bench(&lab, "good", &["--accel", "kvm"]).assert(2, &["under emulation alone", "--real-time"]);
    bench(&lab, "good", &["--filters", "0"]).assert(2, &["--filters"]);
    lab.test_cell(&["--check", "bench.calls"]).assert(2, &["counted instructions", "cargo xtask bench"]);
}
