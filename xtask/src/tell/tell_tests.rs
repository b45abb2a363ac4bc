// SPDX-License-Identifier: MIT OR Apache-2.0
//! What people and programs are shown, word for word.

use std::path::Path;
use std::time::Duration;

use console::Style;
use expect_test::{Expect, expect};

use crate::parse::ktap::{KtapLimits, KtapParser, Status};
use crate::record::model::{CheckRecord, CheckStatus, Outcome, Run, RunState};
use crate::record::sample::{cell, check, failed, let_down, passed, run, sub};
use crate::tell::terminal::{cell_lines, status_line};
use crate::tell::{junit, ktap, markdown, summary};

#[path = "tell_tests/grid_tests.rs"]
mod grid_tests;
#[path = "tell_tests/rerun_tests.rs"]
mod rerun_tests;

/// Escapes are made visible, so that a snapshot shows what a terminal would get.
#[track_caller]
fn shows(text: &str, expected: &Expect) {
    // The first line keeps the indentation of those below it in the snapshot.
    expected.assert_eq(&format!(">\n{}", text.replace('\u{1b}', "␛").replace('\0', "␀")));
}

fn all() -> Run {
    run(vec![passed(), failed(), let_down()])
}

fn plain() {
    console::set_colors_enabled(false);
}

#[test]
fn a_status_line_has_its_word_in_twelve_columns() {
    plain();
    let line = |word: &str, took| status_line(&Style::new().green(), word, took, "5.10: text");
    let lines = [
        line("PASS", None),
        line("BUILD-FAILED", Some(Duration::from_millis(1234))),
        line("BUILT", Some(Duration::from_secs(123_456))),
    ];
    shows(
        &lines.concat(),
        &expect![[r#"
            >
                    PASS             5.10: text
            BUILD-FAILED [     1.2s] 5.10: text
                   BUILT [123456.0s] 5.10: text
        "#]],
    );
}

#[test]
fn a_cell_that_passes_is_one_line() {
    plain();
    shows(
        &cell_lines(&passed()),
        &expect![[r#"
            >
                    PASS [    12.3s] 5.10/none/x86_64  seccomp_bpf 2/2, seccomp_cache.dump absent
        "#]],
    );
}

#[test]
fn a_cell_that_fails_says_why_and_shows_some_lines() {
    plain();
    shows(
        &cell_lines(&failed()),
        &expect![[r#"
            >
                    FAIL [    12.3s] 5.10/seccomp-cache@5/compat
                          seccomp_bpf fail: 1 of 4 failed, the first is TRAP.dfl
                          | line 1 \u{1b}[1m]]>```
                          | line 2 \u{1b}[1m]]>```
                          | line 3 \u{1b}[1m]]>```
                          | line 4 \u{1b}[1m]]>```
                          | line 5 \u{1b}[1m]]>```
                          | line 6 \u{1b}[1m]]>```
                          | line 7 \u{1b}[1m]]>```
                          | line 8 \u{1b}[1m]]>```
                          | line 9 \u{1b}[1m]]>```
                          | line 10 \u{1b}[1m]]>```
                          | line 11 \u{1b}[1m]]>```
                          | line 12 \u{1b}[1m]]>```
                          | line 13 \u{1b}[1m]]>```
                          | line 14 \u{1b}[1m]]>```
                          | line 15 \u{1b}[1m]]>```
                          | line 16 \u{1b}[1m]]>```
                          | … 2 more lines in the record
        "#]],
    );
}

#[test]
fn a_cell_that_the_lab_let_down_shows_what_was_said() {
    plain();
    shows(
        &cell_lines(&let_down()),
        &expect![[r#"
            >
                   INFRA             5.10/seccomp-cache@5/i386
                          QEMU ended with exit code 1
                          | qemu: no such CPU
        "#]],
    );
}

#[test]
fn the_summary_has_the_table_the_failures_and_the_command_that_runs_them_again() {
    plain();
    let text = summary::summary(&all(), Path::new("/r/x"));
    shows(
        &text,
        &expect![[r#"
            >

              cell                         outcome                       seccomp_bpf  seccomp_cache.dump  guest
              5.10/none/x86_64             pass                                  2/2              absent  12.3s
              5.10/seccomp-cache@5/compat  fail     fail 1/4 (1 skipped) (1 not run)                   -  12.3s
              5.10/seccomp-cache@5/i386    infra                                   -                   -      -

                    FAIL             5.10/seccomp-cache@5/compat: seccomp_bpf fail: 1 of 4 failed, the first is TRAP.dfl
                                     /r/x/5.10--seccomp-cache@5--compat.console.log
                   INFRA             5.10/seccomp-cache@5/i386: QEMU ended with exit code 1
                                     /r/x/5.10--seccomp-cache@5--i386.console.log
                   guests:             TCG: no /dev/kvm
                 SUMMARY [    65.0s] 3 cells: 1 pass, 1 fail, 1 infra
                                     /r/x/run.json
                   rerun:             cargo xtask test 5.10/seccomp-cache@5/compat 5.10/seccomp-cache@5/i386
        "#]],
    );
}

#[test]
fn a_good_summary_has_no_rerun() {
    plain();
    shows(
        &summary::summary(&run(vec![passed()]), Path::new("/r/x")),
        &expect![[r#"
            >

              cell              outcome  seccomp_bpf  seccomp_cache.dump  guest
              5.10/none/x86_64  pass             2/2              absent  12.3s

                   guests:             TCG: no /dev/kvm
                 SUMMARY [    65.0s] 1 cell: 1 pass
                                     /r/x/run.json
        "#]],
    );
}

#[test]
fn a_run_that_did_not_end_says_so() {
    plain();
    let mut run = run(vec![cell("a/none/b", Outcome::Cancelled, "never began", Vec::new())]);
    run.ended = None;
    for (state, words) in [
        (RunState::Running, "(the run did not end)"),
        (RunState::Cancelled, "(interrupted)"),
        (RunState::Failed, "(the lab failed)"),
    ] {
        run.state = state;
        let text = summary::summary(&run, Path::new("/r/x"));
        assert!(text.contains(&format!("1 cell: 1 cancelled {words}")), "{text}");
        assert!(!text.contains("rerun"), "{text}");
    }
}

#[test]
fn every_sub_result_is_in_the_full_report() {
    let text = summary::full(&all());
    shows(
        &text,
        &expect![[r#"
            >
            5.10/none/x86_64 pass 
              seccomp_bpf pass 2/2 
                   1 pass     global.kcmp
                   2 pass     TRAP.dfl
              seccomp_cache.dump absent 0/? CONFIG_SECCOMP_CACHE_DEBUG is not set
            5.10/seccomp-cache@5/compat fail seccomp_bpf fail: 1 of 4 failed, the first is TRAP.dfl
              seccomp_bpf fail 1/4 (1 skipped) (1 not run) 1 of 4 failed, the first is TRAP.dfl
                   1 pass     global.kcmp
                   2 fail     TRAP.dfl
                           # EXPECT 1 == 2
                           # \u{1b}[31mred\u{1b}[0m <b> & "q" \u{0}
                   3 skip     UPROBE.x
                           no single-stepping
                   0 not-run  gone
                           known from earlier runs, and not there
              kernel log: WARNING in f at k.c (warning)
                WARNING: CPU: 0
            5.10/seccomp-cache@5/i386 infra QEMU ended with exit code 1
        "#]],
    );
}

#[test]
fn the_ktap_report_is_this() {
    shows(
        &ktap::ktap(&all()),
        &expect![[r#"
            >
            KTAP version 1
            1..3
              KTAP version 1
              1..2
                KTAP version 1
                1..2
                ok 1 global.kcmp
                ok 2 TRAP.dfl
              ok 1 seccomp_bpf
              ok 2 seccomp_cache.dump # SKIP absent: CONFIG_SECCOMP_CACHE_DEBUG is not set
            ok 1 5.10/none/x86_64
              KTAP version 1
              1..1
                KTAP version 1
                1..4
                ok 1 global.kcmp
                # # EXPECT 1 == 2
                not ok 2 TRAP.dfl
                ok 3 UPROBE.x # SKIP skip: no single-stepping
                # known from earlier runs, and not there
                not ok 4 gone
              # 1 of 4 failed, the first is TRAP.dfl
              not ok 1 seccomp_bpf
            # seccomp_bpf fail: 1 of 4 failed, the first is TRAP.dfl
            not ok 2 5.10/seccomp-cache@5/compat
            # QEMU ended with exit code 1
            not ok 3 5.10/seccomp-cache@5/i386
        "#]],
    );
}

/// The report of a run is read by the lab's own parser: every result is there, and nested as it was.
#[test]
fn the_ktap_report_is_ktap() {
    let mut named = failed();
    named.checks[0].subs[0].path = vec!["a # SKIP b".into()];
    let mut parser = KtapParser::new(KtapLimits::default());
    parser.push(ktap::ktap(&run(vec![passed(), named, let_down()])).as_bytes());
    let report = parser.finish();
    assert!(report.is_complete(), "{report:#?}");
    let results: Vec<String> = report
        .results
        .iter()
        .map(|one| format!("{}: {} {:?}", one.path.join(" / "), one.name, one.status))
        .collect();
    shows(
        &(results.join("\n") + "\n"),
        &expect![[r#"
            >
            5.10/none/x86_64 / seccomp_bpf: global.kcmp Pass
            5.10/none/x86_64 / seccomp_bpf: TRAP.dfl Pass
            5.10/none/x86_64: seccomp_bpf Pass
            5.10/none/x86_64: seccomp_cache.dump Skip
            : 5.10/none/x86_64 Pass
            5.10/seccomp-cache@5/compat / seccomp_bpf: a _ SKIP b Pass
            5.10/seccomp-cache@5/compat / seccomp_bpf: TRAP.dfl Fail
            5.10/seccomp-cache@5/compat / seccomp_bpf: UPROBE.x Skip
            5.10/seccomp-cache@5/compat / seccomp_bpf: gone Fail
            5.10/seccomp-cache@5/compat: seccomp_bpf Fail
            : 5.10/seccomp-cache@5/compat Fail
            : 5.10/seccomp-cache@5/i386 Fail
        "#]],
    );
    assert_eq!(report.outermost().filter(|one| one.status == Status::Pass).count(), 1);
}

#[test]
fn the_markdown_report_is_this() {
    shows(
        &markdown::markdown(&all()),
        &expect![[r#"
            >
            ### Kernel test lab: run 20270101T000000Z-abcd

            | cell | outcome | seccomp_bpf | seccomp_cache.dump |
            |---|---|---|---|
            | 5.10/none/x86_64 | pass | 2/2 | **absent** 0/? |
            | 5.10/seccomp-cache@5/compat | fail | **fail** 1/4 (1 skipped) (1 not run) | - |
            | 5.10/seccomp-cache@5/i386 | infra | - | - |

            **5.10/seccomp-cache@5/compat** fail: seccomp_bpf fail: 1 of 4 failed, the first is TRAP.dfl

            ```
            line 1 \u{1b}[1m]]>'''
            line 2 \u{1b}[1m]]>'''
            line 3 \u{1b}[1m]]>'''
            line 4 \u{1b}[1m]]>'''
            line 5 \u{1b}[1m]]>'''
            line 6 \u{1b}[1m]]>'''
            line 7 \u{1b}[1m]]>'''
            line 8 \u{1b}[1m]]>'''
            line 9 \u{1b}[1m]]>'''
            line 10 \u{1b}[1m]]>'''
            line 11 \u{1b}[1m]]>'''
            line 12 \u{1b}[1m]]>'''
            line 13 \u{1b}[1m]]>'''
            line 14 \u{1b}[1m]]>'''
            line 15 \u{1b}[1m]]>'''
            line 16 \u{1b}[1m]]>'''
            line 17 \u{1b}[1m]]>'''
            line 18 \u{1b}[1m]]>'''
            ```

            **5.10/seccomp-cache@5/i386** infra: QEMU ended with exit code 1

            ```
            qemu: no such CPU
            ```

            Tree 5.10: Debian linux, version 5.10.262-1.
        "#]],
    );
}

/// Every row of a table has as many cells as its head, also where no check ran.
#[test]
fn a_markdown_table_is_a_table() {
    for run in [all(), run(vec![let_down()]), run(Vec::new())] {
        let text = markdown::markdown(&run);
        let bars: Vec<usize> =
            text.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert_eq!(bars.len(), run.cells.len() + 2, "{text}");
        assert!(bars.iter().all(|count| *count == bars[0]), "{text}");
        assert!(!text.contains("|  |"), "{text}");
    }
}

#[test]
fn the_junit_report_is_well_formed_and_has_every_sub_result() {
    let run = all();
    let xml = junit::junit(&run).unwrap();
    assert!(xml.chars().all(|c| c == '\n' || !c.is_control()), "{xml:?}");
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (12, 3, 2), "{xml}");
    assert_eq!(report.test_suites.len(), run.cells.len());
    for (cell, suite) in run.cells.iter().zip(&report.test_suites) {
        assert_eq!(suite.name.as_str(), cell.id);
        let mut wanted = vec!["verdict".to_owned()];
        for check in &cell.checks {
            wanted.push(check.name.clone());
            wanted.extend(check.subs.iter().map(|sub| format!("{}.{}", check.name, sub.name())));
        }
        let mut names: Vec<&str> = suite.test_cases.iter().map(|case| case.name.as_str()).collect();
        names.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(names, wanted);
        let class = |case: &quick_junit::TestCase| case.classname.as_deref() == Some(cell.id.as_str());
        assert!(suite.test_cases.iter().all(class), "{xml}");
    }
}

#[test]
fn the_junit_report_tells_failure_error_and_skip_apart() {
    let xml = junit::junit(&all()).unwrap();
    for (words, count) in [
        ("<failure message=\"# EXPECT 1 == 2", 1),
        ("<skipped message=\"skip: no single-stepping\"", 1),
        ("<skipped message=\"absent: CONFIG_SECCOMP_CACHE_DEBUG is not set\"", 1),
        ("<error message=\"known from earlier runs, and not there\" type=\"not-run\"", 1),
        ("<failure message=\"seccomp_bpf fail: 1 of 4 failed, the first is TRAP.dfl\" type=\"fail\"", 1),
        ("<error message=\"QEMU ended with exit code 1\" type=\"infra\"", 1),
        ("line 18 ", 1),
    ] {
        assert_eq!(xml.matches(words).count(), count, "{words}\n{xml}");
    }
}
