// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names and selections that are wrong: exit code 2 or 4, what it could have been, and no run.

use std::fs;

use crate::lab::Lab;

/// Runs words that must be refused before anything is begun.
fn refused(lab: &Lab, words: &[&str], code: i32, told: &[&str]) {
    lab.run(words).assert(code, told);
    assert!(lab.record_if_any().is_none(), "{words:?} left a record");
    assert_eq!(lab.calls(""), [""; 0]);
}

#[test]
fn an_unknown_name_is_told_with_the_nearest_one() {
    let lab = Lab::new();
    for (words, what, near) in [
        (["--tree", "5.01"], "there is no tree `5.01`", "did you mean `5.10`?"),
        (["--series", "seccomp-cash"], "there is no series `seccomp-cash`", "did you mean `seccomp-cache`?"),
        (["--flavor", "i368"], "there is no flavor `i368`", "did you mean `i386`?"),
        (["--check", "seccomp_bfp"], "there is no check `seccomp_bfp`", "did you mean `seccomp_bpf`?"),
        (["--matrix", "defualt"], "there is no matrix `defualt`", "did you mean `default`?"),
        (["--series", "seccomp-cache@99"], "the series has ", "help: write `seccomp-cache@"),
    ] {
        refused(&lab, &["test", words[0], words[1]], 2, &[what, near]);
    }
}

#[test]
fn an_unknown_cell_is_told_with_the_nearest_name() {
    let lab = Lab::new();
    refused(&lab, &["test", "5.10/none/x86_46"], 2, &["there is no flavor `x86_46`", "`x86_64`"]);
    refused(&lab, &["test", "5.10/none"], 2, &["is no cell id", "TREE/SERIES@N/FLAVOR"]);
}

#[test]
fn a_glob_without_a_match_has_its_own_code() {
    let lab = Lab::new();
    refused(&lab, &["test", "*/sparc"], 4, &["`*/sparc` matches no cell", "cargo xtask list"]);
    refused(&lab, &["list", "*/sparc"], 4, &["`*/sparc` matches no cell"]);
}

#[test]
fn a_directory_that_is_no_kernel_is_refused() {
    let lab = Lab::new();
    refused(&lab, &["test", "--tree", "path=nowhere"], 2, &["nowhere is no directory", "--tree path=DIR"]);
    fs::create_dir(lab.path("empty")).unwrap();
    refused(&lab, &["test", "--tree", "path=empty"], 2, &["is no kernel source: there is no Makefile in it"]);
    refused(&lab, &["test", "--tree", "path=output-0.txt"], 2, &["is no directory"]);
    refused(&lab, &["test", "--tree", "mine=empty"], 2, &["write `path=DIR` or `NAME=path:DIR`"]);
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let lab = Lab::new();
    for words in [
        ["test", "--shard", "3/2"],
        ["test", "--repeat", "0"],
        ["test", "--jobs", "0"],
        ["test", "--deadline", "soon"],
        ["report", "--format", "pdf"],
        ["report", "nothing", "--format=json"],
    ] {
        refused(&lab, &words, 2, &["error:"]);
    }
}

#[test]
fn a_typing_error_in_the_configuration_is_told_with_its_line() {
    let lab = Lab::new();
    let path = lab.root().join("configs/lab.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("deadline ="));
    fs::write(&path, text.replacen("deadline =", "deadlien =", 1)).unwrap();
    refused(&lab, &["list"], 2, &["configs/lab.toml", "deadlien", "did you mean `deadline`?"]);
}

#[test]
fn a_tree_may_have_a_name() {
    let lab = Lab::new();
    let tree = format!("mine=path:{}", lab.tree().display());
    lab.run(&["test", "--tree", &tree, "--series", "none", "--dry-run"]).assert(0, &["mine/none/compat"]);
}
