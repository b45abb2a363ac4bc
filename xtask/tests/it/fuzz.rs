// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fuzz` and `explain`: chains of filters against a guest that is right, and one that is not.

use std::fs;

use crate::lab::Lab;
use crate::process::Ran;
use crate::tree::{change, mail};

const SERIES: &str =
    "title = \"fake\"\n[[symbol]]\nname = \"SECCOMP_CACHE_DEBUG\"\nvalue = \"y\"\nfrom = 1\n";

/// A lab with a series that brings the file of the cache.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("lab/kernel-patches/fake/series.toml", SERIES);
    lab.write("lab/kernel-patches/fake/0001-five.patch", &mail(1, "five", &change("int five;", "int V;")));
    lab
}

fn fuzz(lab: &Lab, words: &[&str]) -> Ran {
    let tree = format!("path={}", lab.tree().display());
    let fixed = ["fuzz", "--tree", &tree, "--series", "fake", "--accel", "tcg", "--skip-host-check"];
    lab.run(&[&fixed, words].concat())
}

#[test]
fn a_right_kernel_agrees_on_every_chain() {
    let lab = lab();
    let ran = fuzz(&lab, &["--flavor", "i386", "--chains", "300", "--seed", "5"]);
    ran.assert(0, &["seed 5: 300 chains, 0 differences", "chains/s"]);
    let record = lab.record();
    assert_eq!(record["seed"], 5);
    assert_eq!(record["cells"][0]["checks"][0]["figures"]["chains"], 300);
}

#[test]
fn a_wrong_bit_is_made_small_saved_and_replayed() {
    let lab = lab();
    lab.steer("qemu", "wrong-bit");
    let ran = fuzz(&lab, &["--flavor", "i386", "--chains", "60", "--seed", "5"]);
    ran.assert(
        100,
        &["kernel and model differ on chain-5-", "made smaller from", "ia32 20 ALLOW", "replay:"],
    );
    ran.assert(100, &["comes to the same small chain as chain-5-"]);
    let latest = fs::canonicalize(lab.root().join("results/latest")).unwrap();
    let mut saved = fs::read_dir(&latest).unwrap().map(|entry| entry.unwrap().path());
    let small = saved.find(|path| path.to_string_lossy().ends_with(".small.chain")).unwrap();
    let again = saved.find(|path| path.to_string_lossy().ends_with(".small.chain"));
    let texts = again.map(|again| (fs::read(&small).unwrap(), fs::read(again).unwrap()));
    assert!(texts.is_none_or(|(one, other)| one != other), "a small chain is there twice");
    // One instruction says FILTER for number 20.
    assert_eq!(fs::metadata(&small).unwrap().len(), 12 + 8 + 4 + 8);
    let small = small.to_str().unwrap();
    fuzz(&lab, &["--flavor", "i386", "--replay", small]).assert(100, &["1 differences"]);
    lab.steer("qemu", "good");
    fuzz(&lab, &["--flavor", "i386", "--replay", small]).assert(0, &["1 chains, 0 differences"]);
    lab.run(&["explain", "--chain", small, "ia32", "20"]).assert(0, &["ia32 20: FILTER", "filter 0"]);
}

#[test]
fn chains_that_let_a_call_through_are_made_small_first() {
    let lab = lab();
    lab.steer("qemu", "forgets-or-lets-through");
    let ran = fuzz(&lab, &["--flavor", "i386", "--chains", "60", "--seed", "5"]);
    let told = ["of them cache a call that the filters do not allow", "unsafe: ia32 20 is cached as allowed"];
    ran.assert(100, &told);
    let latest = fs::canonicalize(lab.root().join("results/latest")).unwrap();
    let files = fs::read_dir(&latest).unwrap().map(|entry| entry.unwrap().path());
    let small: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(".small.chain")).collect();
    assert_eq!(small.len(), 2, "{small:?}");
    for path in &small {
        let path = path.to_str().unwrap();
        lab.run(&["explain", "--chain", path, "ia32", "20"]).assert(0, &["ia32 20: FILTER"]);
    }
    let record = lab.record();
    let figures = &record["cells"][0]["checks"][0]["figures"];
    assert!(figures["unsafe"].as_u64() < figures["different"].as_u64(), "{figures:#}");
}

#[test]
fn what_is_no_chain_is_refused() {
    let lab = lab();
    let junk = lab.write("junk.chain", "no chains");
    for (words, told) in [
        (vec!["--replay", &junk], "not a file of chains"),
        (vec!["--replay", "missing.chain"], "missing.chain"),
        (vec!["--chains", "0"], "a number from 1 to 1000000 is wanted"),
        (vec!["--chains", "5", "--seconds", "5"], "cannot be used with"),
    ] {
        fuzz(&lab, &words).assert(2, &[told]);
    }
    for (words, told) in [
        (vec!["explain", "x86_64", "1"], "which filters?"),
        (vec!["explain", "--case", "ret_alow", "x86_64", "1"], "did you mean"),
        (vec!["explain", "--random", "1", "x86_64", "1"], "a seed and a place"),
        (vec!["explain", "--random", "1:1", "mips", "1"], "architecture"),
        (vec!["explain", "--profile", "dockre", "x86_64", "1"], "did you mean `docker`?"),
        (vec!["explain", "--chain", &junk, "x86_64", "1"], "not a file of chains"),
    ] {
        lab.run(&words).assert(2, &[told]);
    }
}
