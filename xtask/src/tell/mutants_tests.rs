// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of planted faults.

use expect_test::expect;

use super::*;
use crate::lab::mutant::MutantKind;
use crate::record::sample;

fn mutant(name: &str, outcome: MutantOutcome, reason: &str, kills: &[(&str, &str)]) -> MutantRecord {
    let kill = |(by, first): &(&str, &str)| Kill {
        cell: "c".into(),
        by: (*by).into(),
        first: (*first).into(),
        by_deadline: false,
    };
    MutantRecord {
        name: name.into(),
        class: "walk".into(),
        kind: MutantKind::C,
        wrong: "something is wrong".into(),
        equivalent: None,
        killer: None,
        cells: vec!["c".into()],
        outcome,
        reason: reason.into(),
        kills: kills.iter().map(kill).collect(),
        reference: "seccomp_bpf".into(),
        by_reference: kills.iter().any(|(by, _)| *by == "seccomp_bpf"),
        ms: 12_345,
    }
}

#[test]
fn the_summary_names_who_noticed_and_what_nobody_did() {
    console::set_colors_enabled(false);
    let mut run = sample::run(Vec::new());
    let long = "a".repeat(60);
    run.mutants = vec![
        mutant(
            "one",
            MutantOutcome::Killed,
            "",
            &[("seccomp_bpf", "TRAP.dfl"), ("cache.dump", "x"), ("cache.dump", "y")],
        ),
        mutant("two", MutantOutcome::Killed, "", &[("kernel-log", &long)]),
        mutant("three", MutantOutcome::Survived, "`behaviour` is meant to notice it", &[]),
        mutant("four", MutantOutcome::Equivalent, "", &[]),
    ];
    run.timings_ms.insert("total".into(), 65_000);
    // The first line keeps the indentation of those below it.
    let told = format!(">{}", summary(&run, Path::new("/r")));
    expect![[r#"
        >
          mutant  class  outcome     noticed by                                                      seccomp_bpf   time
          one     walk   killed      seccomp_bpf (TRAP.dfl), cache.dump                              yes          12.3s
          two     walk   killed      kernel-log (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…)  -            12.3s
          three   walk   survived    -                                                               -            12.3s
          four    walk   equivalent  -                                                               -            12.3s

            SURVIVED             three: something is wrong
                                 `behaviour` is meant to notice it
               SCORE [    65.0s] 2 of 3 that can be noticed: 66 %; 1 equivalent
                                 1 of them by seccomp_bpf alone
                                 /r/run.json
               rerun:             cargo xtask mutants three
    "#]]
    .assert_eq(&told);
}

#[test]
fn nothing_judged_is_no_success() {
    console::set_colors_enabled(false);
    let text = summary(&sample::run(Vec::new()), Path::new("/r"));
    assert!(text.contains("no mutant was judged"), "{text}");
}

#[test]
fn a_line_tells_the_first_that_noticed_or_why_not() {
    console::set_colors_enabled(false);
    let text = line(&mutant("one", MutantOutcome::Killed, "", &[("cache.dump", "x")]));
    assert_eq!(text, "      KILLED [    12.3s] one: cache.dump (x)\n");
    let text = line(&mutant("one", MutantOutcome::Survived, "why", &[]));
    assert_eq!(text, "    SURVIVED [    12.3s] one\n              why\n");
}
