// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command that runs cells again.

use super::*;

#[test]
fn the_rerun_keeps_the_flags_that_are_not_in_the_ids() {
    plain();
    let mut run = run(vec![failed()]);
    let words = "xtask test --tree 6.1 --tree mine=path:/a b/c --series /x.mbox --series none --jobs 4 \
                 --check seccomp_bpf --accel=tcg --flavor i386 */i386 --fail-fast";
    run.command = words.split(' ').map(str::to_owned).collect();
    run.command.splice(5..7, ["mine=path:/a b".to_owned()]);
    let text = summary::summary(&run, Path::new("/r/x"));
    let rerun = text.lines().find(|line| line.contains("rerun")).unwrap();
    let wanted = "cargo xtask test --tree 'mine=path:/a b' --series /x.mbox --check seccomp_bpf --accel=tcg \
                  5.10/seccomp-cache@5/compat";
    assert_eq!(rerun.trim_start().strip_prefix("rerun:").map(str::trim), Some(wanted));
}

#[test]
fn the_rerun_of_fuzz_makes_the_same_chains() {
    plain();
    let mut run = run(vec![failed()]);
    run.seed = 77;
    run.cells[0].checks[0].figures.insert("chains".into(), 2000);
    let cell = "5.10/seccomp-cache@5/compat";
    for (given, wanted) in [
        ("fuzz --accel tcg */compat", "fuzz --seed 77 --chains 2000 --accel tcg"),
        ("fuzz --chains=60 --seed 5 --jobs 2", "fuzz --seed 5 --chains 60"),
        ("--results-dir /r fuzz --seconds 60", "fuzz --seed 77 --seconds 60 --results-dir /r"),
        ("fuzz --replay /a.chain", "fuzz --replay /a.chain"),
        ("test --series /fuzz.mbox fuzz", "test --series /fuzz.mbox"),
    ] {
        run.command = format!("cargo xtask {given}").split(' ').map(str::to_owned).collect();
        let text = summary::summary(&run, Path::new("/r/x"));
        let rerun = text.lines().find(|line| line.contains("rerun")).unwrap();
        assert!(rerun.ends_with(&format!(" cargo xtask {wanted} {cell}")), "{given}: {rerun}");
    }
}
