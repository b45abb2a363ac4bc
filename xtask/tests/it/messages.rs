// SPDX-License-Identifier: MIT OR Apache-2.0
//! Slips in flags, file names and configuration: what is told, with exit code 2.

use std::fs;

use crate::lab::{CELL, Lab};

#[test]
fn numbers_and_spans_say_what_is_wanted() {
    let lab = Lab::new();
    lab.run(&["fuzz", "--seed", "-5"]).assert(2, &["'-5'", "a number from 0 on is wanted"]);
    lab.run(&["fuzz", "--chains", "0"]).assert(2, &["a number from 1 to 1000000 is wanted"]);
    lab.run(&["test", "--deadline", "0s"]).assert(2, &["nothing ends in no time"]);
    lab.run(&["test", "--jobs", "-1"]).assert(2, &["-1 is not in 1..=256"]);
    let explain = |words: &[&str]| lab.run(&[&["explain"], words].concat());
    explain(&["--random", "1:1", "x86_64", "0x27"]).assert(0, &["39"]);
    explain(&["--random", "1:1", "x86_64", "getpid"]).assert(2, &["a decimal or 0x number"]);
    explain(&["--random", "1:1", "x86_64", "-1"]).assert(2, &["a decimal or 0x number"]);
    explain(&["--random", "1:99999999999999999999999", "x86_64", "39"])
        .assert(2, &["the place is too large"]);
}

#[test]
fn an_id_is_of_a_file_of_chains() {
    let lab = Lab::new();
    for what in [["--random", "1:1"], ["--profile", "docker"], ["--case", "x"]] {
        lab.run(&["explain", what[0], what[1], "--id", "3", "x86_64", "39"])
            .assert(2, &["--id <ID>", "cannot be used with"]);
    }
}

#[test]
fn a_file_that_is_not_there_is_named_with_what_is_wanted() {
    let lab = Lab::new();
    let wanted = "a .chain file is wanted: one that `cargo xtask fuzz` has saved";
    lab.run(&["explain", "--chain", "ghost.chain", "x86_64", "39"]).assert(2, &["ghost.chain", wanted]);
    lab.run(&["fuzz", "--replay", "ghost.chain", "--skip-host-check"]).assert(2, &["ghost.chain", wanted]);
    lab.test(&[CELL, "--check", "seccomp_bpf", "--kernel", "ghost"])
        .assert(2, &["--kernel ghost", "give the vmlinux"]);
}

#[test]
fn a_name_that_is_nearly_one_gets_its_families_and_variants() {
    let lab = Lab::new();
    lab.run(&["test", "--dry-run", "--check", "seccomp_cach"]).assert(2, &["did you mean `seccomp_cache`?"]);
    lab.run(&["list", "--check", "seccomp_cach"]).assert(2, &["did you mean `seccomp_cache`?"]);
    lab.run(&["list", "*+nope*"]).assert(4, &["matches no cell", "variants", "debug"]);
    let told = lab.run(&["profiles", "--show", "doker"]);
    told.assert(2, &["help: did you mean `docker`? configs/profiles/profiles.toml has the names"]);
    assert!(!told.said.contains("systemd-"), "{}", told.said);
}

#[test]
fn an_empty_shard_says_so() {
    let lab = Lab::new();
    let flags = [CELL, "--check", "seccomp_bpf", "--shard", "3/3"];
    lab.test(&[&flags[..], &["--dry-run"]].concat()).assert(0, &["shard 3/3 is empty"]);
    lab.test(&flags).assert(0, &["shard 3/3 is empty"]);
}

#[test]
fn wrong_patterns_and_names_in_configuration_end_every_verb() {
    let replaced = |file: &str, from: &str, to: &str, wanted: &[&str]| {
        let lab = Lab::new();
        let path = lab.root().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        lab.run(&["list"]).assert(2, wanted);
    };
    replaced(
        "configs/splats.toml",
        "pattern = '^",
        "pattern = '^(",
        &["configs/splats.toml", "deny patterns", "unclosed group"],
    );
    let mutants = "kernel-patches/seccomp-cache/mutants/mutants.toml";
    let (from, to) = ("killer = \"seccomp_cache.dump\"", "killer = \"seccomp_cache.dmup\"");
    replaced(mutants, from, to, &["mutants.toml", "in mutant `", "did you mean `seccomp_cache.dump`?"]);
    replaced(
        "configs/expected.toml",
        "2028-12-31",
        "2027-02-30",
        &["expected.toml", "`2027-02-30` is no date"],
    );
}
