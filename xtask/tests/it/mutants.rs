// SPDX-License-Identifier: MIT OR Apache-2.0
//! `mutants`: planted faults that are noticed, that are not, and that cannot be judged.

use std::fmt::Write as _;
use std::fs;

use crate::lab::Lab;
use crate::process::Ran;
use crate::tree::{change, mail, new_file};

const SERIES: &str = "lab/kernel-patches/seccomp-cache";

/// A diff that replaces the line of `kernel/sys.c`.
fn sys(to: &str) -> String {
    format!(
        "Subject: [PATCH] planted\n\n---\ndiff --git a/kernel/sys.c b/kernel/sys.c\n--- a/kernel/sys.c\n\
         +++ b/kernel/sys.c\n@@ -1 +1 @@\n-int sys;\n+{to}\n"
    )
}

/// A lab whose series is one patch on the planted tree, with these mutants: a name, more facts, a patch.
fn lab(mutants: &[(&str, &str, String)]) -> Lab {
    let lab = Lab::new();
    lab.change_config(&["5.10"], |config| {
        let matrix = config["matrix"]["default"].as_table_mut().unwrap();
        matrix.insert("checks".into(), vec!["seccomp_bpf"].into());
    });
    // The tree that is called 5.10 here has other sub-tests than the real one.
    fs::remove_dir_all(lab.root().join("configs/names")).unwrap();
    fs::remove_dir_all(lab.path(SERIES)).unwrap();
    lab.write(&format!("{SERIES}/series.toml"), "title = \"fake\"\n");
    lab.write(&format!("{SERIES}/0001-five.patch"), &mail(1, "five", &change("int five;", "int V;")));
    let mut declared = "reference = \"seccomp_bpf\"\nflavors = [\"x86_64\"]\n".to_owned();
    for (name, facts, patch) in mutants {
        lab.write(&format!("{SERIES}/mutants/{name}.patch"), patch);
        let _ = writeln!(
            declared,
            "[[mutant]]\nname = \"{name}\"\nclass = \"walk\"\nwrong = \"{name} is wrong\""
        );
        let _ = writeln!(declared, "like = \"a slip\"\n{facts}");
    }
    lab.write(&format!("{SERIES}/mutants/mutants.toml"), &declared);
    lab
}

/// `mutants` on emulated guests, one after the other, that play these scenarios: the first is the
/// series without a fault.
fn run(lab: &Lab, scenarios: &str, words: &[&str]) -> Ran {
    lab.steer("qemu", scenarios);
    lab.run(&[&["mutants", "--accel", "tcg", "--skip-host-check", "--jobs", "1"], words].concat())
}

const KILLER: &str = "killer = \"seccomp_bpf\"";
const PROOF: &str = "equivalent = \"proof\"\nproof = \"nothing reads it\"";

#[test]
fn all_noticed_or_proved_is_a_success() {
    let lab = lab(&[("one", KILLER, sys("int one;")), ("two", PROOF, sys("int two;"))]);
    run(&lab, "good\nfailing\ngood\n", &[]).assert(
        0,
        &[
            "KILLED",
            "one: seccomp_bpf (global.two)",
            "EQUIVALENT",
            "1 of 1 that can be noticed: 100 %; 1 equivalent",
        ],
    );
    let record = lab.record();
    assert_eq!(record["state"], "complete");
    assert_eq!(record["cells"].as_array().unwrap().len(), 3);
    let mutants = record["mutants"].as_array().unwrap();
    assert_eq!(mutants.len(), 2);
    assert_eq!(mutants[0]["outcome"], "killed");
    assert_eq!(mutants[0]["by_reference"], true);
    assert_eq!(mutants[0]["kills"][0]["cell"], "5.10/mutant-one@1/x86_64");
    // Each mutant differs from the last in one object.
    assert_eq!(lab.calls("make vmlinux").len(), 3);
    assert_eq!(lab.calls("cc kernel/sys.o").len(), 3);
    assert_eq!(lab.calls("cc kernel/fork.o").len(), 1);
    lab.run(&["report"]).assert(0, &["1 of 1 that can be noticed"]);
}

#[test]
fn a_survivor_is_named_and_fails_the_run() {
    let lab = lab(&[("one", KILLER, sys("int one;")), ("two", KILLER, sys("int two;"))]);
    run(&lab, "good\ngood\nfailing\n", &[]).assert(
        100,
        &[
            "SURVIVED",
            "one: one is wrong",
            "`seccomp_bpf` is meant to notice it, and did not",
            "1 of 2",
            "mutants one\n",
        ],
    );
    // Only what is named is tried.
    lab.forget_boots();
    run(&lab, "good\nfailing\n", &["tw*"]).assert(0, &["1 of 1 that can be noticed: 100 %"]);
    run(&lab, "good\n", &["three"]).assert(4, &["`three` matches no mutant"]);
}

#[test]
fn a_proof_that_is_refuted_fails_the_run() {
    let lab = lab(&[("one", PROOF, sys("int one;"))]);
    run(&lab, "good\nfailing\n", &[]).assert(100, &["REFUTED", "it is declared equivalent"]);
}

#[test]
fn a_killer_that_is_not_the_one_that_was_named_fails_the_run() {
    let lab = lab(&[("one", "killer = \"kernel-log\"", sys("int one;"))]);
    run(&lab, "good\nfailing\n", &[]).assert(100, &["WRONG-KILLER", "`kernel-log` is meant to notice it"]);
    lab.forget_boots();
    run(&lab, "good\nfinding\n", &[]).assert(0, &["one: kernel-log (WARNING in seccomp_cache_prepare"]);
}

#[test]
fn where_the_series_itself_fails_nothing_is_proved() {
    let lab = lab(&[("one", KILLER, sys("int one;"))]);
    run(&lab, "failing\n", &[]).assert(100, &["NOTHING", "no mutant proves anything"]);
    assert_eq!(lab.calls("make vmlinux").len(), 1);
    assert_eq!(lab.record()["cells"][1]["outcome"], "cancelled");
}

#[test]
fn a_mutant_that_does_not_apply_has_its_own_exit_code() {
    let stale = sys("int one;").replace("-int sys;", "-int other;");
    let lab = lab(&[("one", KILLER, stale), ("two", KILLER, sys("int two;"))]);
    run(&lab, "good\nfailing\n", &[])
        .assert(102, &["APPLY-FAILED", "one.patch", "1 without a verdict", "KILLED"]);
}

#[test]
fn a_kernel_that_does_not_build_is_an_error_unless_that_is_how_it_is_noticed() {
    let broken = new_file("fake.make", "compile-error");
    let expected = "expect = \"build\"\nkiller = \"build\"";
    let lab = lab(&[("one", KILLER, broken.clone()), ("two", expected, broken)]);
    run(&lab, "good\n", &["one"]).assert(103, &["BUILD-FAILED", "one: one is wrong"]);
    lab.forget_boots();
    run(&lab, "good\n", &["two"]).assert(0, &["KILLED", "two: build ("]);
}

#[test]
fn flags_that_mean_nothing_here_are_refused() {
    let lab = lab(&[("one", KILLER, sys("int one;"))]);
    run(&lab, "good\n", &["--fail-fast"]).assert(2, &["--fail-fast"]);
    run(&lab, "good\n", &["--kernel", "vmlinux"]).assert(2, &["--kernel"]);
    assert_eq!(lab.calls(""), [""; 0]);
    lab.run(&["mutants", "--list"]).assert(0, &["one", "walk", "seccomp_bpf", "one is wrong"]);
}
