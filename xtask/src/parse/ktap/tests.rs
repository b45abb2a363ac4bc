// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of whole transcripts. `seccomp_bpf-host.log` is a real run of 5.10's program on a 6.18
//! host, `runner.log` the same as the kselftest runner shows it; the others were written by hand in
//! the shapes of `KUnit` and of 6.1's harness.

use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use std::fmt::Write as _;

fn parse_with(limits: KtapLimits, bytes: &[u8]) -> KtapReport {
    let mut parser = KtapParser::new(limits);
    for piece in bytes.chunks(13) {
        parser.push(piece);
    }
    parser.finish()
}

fn parse(text: &str) -> KtapReport {
    parse_with(KtapLimits::default(), text.as_bytes())
}

fn data(name: &str) -> KtapReport {
    let path = format!("{}/tests/data/ktap/{name}", env!("CARGO_MANIFEST_DIR"));
    parse_with(KtapLimits::default(), &std::fs::read(path).unwrap())
}

fn errors(text: &str) -> Vec<String> {
    parse(text).errors.iter().map(ToString::to_string).collect()
}

fn show(report: &KtapReport) -> String {
    let mut out = format!("{:?}, complete: {}\n", report.plan, report.is_complete());
    for result in &report.results {
        let path = [result.path.as_slice(), std::slice::from_ref(&result.name)].concat();
        write!(out, "{} {} {:?}", result.ordinal, path.join(" > "), result.status).unwrap();
        if let Some(reason) = &result.reason {
            write!(out, " ({reason})").unwrap();
        }
        out.push('\n');
        for line in &result.diagnostics {
            writeln!(out, "    | {line}").unwrap();
        }
    }
    for error in &report.errors {
        writeln!(out, "error: {error}").unwrap();
    }
    if let Some(name) = &report.unfinished {
        writeln!(out, "unfinished: {name}").unwrap();
    }
    out
}

fn check(report: &KtapReport, expected: &Expect) {
    expected.assert_eq(&show(report));
}

#[test]
fn reads_the_program_s_own_output() {
    let report = data("seccomp_bpf-host.log");
    assert!(report.is_complete(), "{:?}", report.errors);
    assert_eq!(report.plan, Plan::Count(87));
    assert_eq!(report.results.len(), 87);
    assert!(report.results.iter().all(|result| result.status == Status::Pass));
    assert_eq!(report.results[86].name, "TSYNC.two_siblings_not_under_filter");
}

#[test]
fn reads_the_runner_s_output() {
    let report = data("runner.log");
    assert!(report.is_complete(), "{:?}", report.errors);
    assert_eq!(report.results.len(), 89);
    assert_eq!(report.results[0].path, ["selftests: seccomp: seccomp_bpf"]);
    assert_eq!(report.results[0].name, "global.kcmp");
    let outermost: Vec<_> = report.outermost().map(|result| result.status).collect();
    assert_eq!(outermost, [Status::Pass, Status::Timeout]);
}

#[test]
fn reads_kunit_on_a_console_until_the_panic() {
    check(
        &data("kunit-tabs.log"),
        &expect![[r"
        Count(2), complete: false
        1 lab-list > list_add Pass
        2 lab-list > list_del Fail
            | clocksource: Switched to clocksource tsc
            | # list_del: EXPECTATION FAILED at lib/lab-list.c:30
            | Expected 1 + 1 == 3, but
            | 1 + 1 == 2
        3 lab-list > list_splice Skip (no splice here)
        1 lab-list Fail
        1 lab-string > string_new Pass
        error: subtest `lab-string`: 1 of 2 planned results are missing (2)
        error: subtest `lab-string` began and has no result
        error: 1 of 2 planned results are missing (2)
    "]],
    );
}

#[test]
fn reads_three_levels_with_carriage_returns_and_colours() {
    check(
        &data("ktap1-deep.log"),
        &expect![[r"
        Count(2), complete: true
        1 outer > inner > red name Pass
        2 outer > inner > plain Pass
        1 outer > inner Pass
        1 outer Pass
        2 alone Skip
    "]],
    );
}

#[test]
fn names_a_skip_and_the_test_that_hung() {
    check(
        &data("harness-6.1-skip-crash.log"),
        &expect![[r"
        Count(4), complete: false
        1 global.kcmp Skip (Kernel does not support kcmp() (missing CONFIG_KCMP?))
        2 TRAP.dfl Pass
        3 TRAP.ign Fail
            | # seccomp_bpf.c:712:ign:Expected 0 (0) == ret (-1)
            | # ign: Test failed at step #4
            | #          FAIL  TRAP.ign
        error: 1 of 4 planned results are missing (4)
        unfinished: TRAP.handler
    "]],
    );
}

#[test]
fn a_complete_transcript_may_fail() {
    let report = parse("TAP version 13\n1..2\nok 1 a\nnot ok 2 b\n");
    assert!(report.is_complete());
    assert_eq!(report.results[1].status, Status::Fail);
    assert!(parse("ok 1 a\nok 2 b\n1..2\n").is_complete(), "a plan may come last");
}

#[test]
fn no_plan_is_incomplete_and_a_plan_of_nothing_is_a_skip() {
    let report = parse("TAP version 13\nok 1 a\n");
    assert_eq!((&report.plan, report.is_complete()), (&Plan::Missing, false));
    assert!(!parse("").is_complete());
    let report = parse("TAP version 13\n1..0 # SKIP not root\n");
    assert_eq!(report.plan, Plan::SkipAll("not root".into()));
    assert!(report.is_complete());
    assert!(!parse("1..0 # SKIP x\nok 1 a\n").is_complete());
}

#[test]
fn a_bail_out_is_incomplete() {
    let report = parse("1..1\nok 1 a\nBail out! no memory\n");
    assert_eq!(report.bail_out.as_deref(), Some("no memory"));
    assert!(!report.is_complete());
}

#[test]
fn wrong_counts_are_errors() {
    assert_eq!(errors("1..4\nok 1 a\nok 3 c\n"), ["2 of 4 planned results are missing (2, 4)"]);
    assert_eq!(errors("1..1\nok 1 a\nok 2 b\n"), ["result 2 `b` is past the plan of 1"]);
    assert_eq!(errors("1..2\nok 1 a\nok 1 b\nok 2 c\n"), ["result 1 came twice (second: `b`)"]);
    assert_eq!(errors("1..2\nok 1 a\nok 2 a\n"), ["the name `a` came twice (second: result 2)"]);
    assert_eq!(errors("1..2\nok 2 a\nok 1 b\n"), ["result 1 came after result 2"]);
    assert_eq!(errors("1..1\n1..1\nok 1 a\n"), ["a second plan: `1..1`"]);
    assert_eq!(errors("ok 1 a\n1..2\nok 2 b\n"), ["the plan stands between results (result 2 follows it)"]);
    assert_eq!(errors("1..99999999999\n"), ["not a usable plan: `1..99999999999`"]);
    assert_eq!(errors("1..1\nok 1 a\nnot ok b\n"), ["a result without a usable number: `not ok b`"]);
}

#[test]
fn a_huge_plan_costs_nothing() {
    let report = parse("1..4294967295\nok 1 a\n");
    let KtapError::PlanNotFilled { missing, missing_count, .. } = &report.errors[0] else {
        panic!("{:?}", report.errors);
    };
    assert_eq!((missing.len(), *missing_count), (20, 4_294_967_294));
}

#[test]
fn repeated_names_can_be_allowed() {
    let limits = KtapLimits { repeated_names: RepeatedNames::Allowed, ..KtapLimits::default() };
    assert!(parse_with(limits, b"1..2\nok 1 a\nok 2 a\n").is_complete());
    assert!(parse("1..2\nok 1 # SKIP x\nok 2 # SKIP y\n").is_complete(), "no name repeats nothing");
}

#[test]
fn a_cut_last_line_is_an_error() {
    assert_eq!(
        errors("1..8\nok 1 a\nok 2 a.b"),
        [
            "the output ends in the middle of a line: `ok 2 a.b`",
            "6 of 8 planned results are missing (3, 4, 5, 6, 7, 8)"
        ]
    );
    assert!(parse("1..1\nok 1 a\n# bye").is_complete(), "a comment loses nothing");
}

#[test]
fn subtests_are_held_to_their_plan_and_parent() {
    check(
        &parse("1..2\n# 1..2\n# ok 1 x\nok 1 a\n  1..1\n  not ok 1 y\nok 2 b\n"),
        &expect![[r"
            Count(2), complete: false
            1 a > x Pass
            1 a Pass
            1 b > y Fail
            2 b Pass
            error: subtest `a`: 1 of 2 planned results are missing (2)
            error: result 2 `b` says ok, but a result below it failed
        "]],
    );
    check(
        &parse("1..1\n    1..1\n        ok 1 deep\n"),
        &expect![[r"
        Count(1), complete: false
        1  >  > deep Pass
        error: subtest `` has no plan
        error: subtest `` began and has no result
        error: subtest ``: 1 of 1 planned results are missing (1)
        error: subtest `` began and has no result
        error: 1 of 1 planned results are missing (1)
    "]],
    );
    assert_eq!(errors("1..1\n    ok 1 x\nok 1 a\n"), ["subtest `a` has no plan"]);
    assert_eq!(
        errors("1..1\n  1..1\n    1..1\n    not ok 1 x\n  not ok 1 y # TODO\nok 1 a\n"),
        Vec::<String>::new()
    );
}

#[test]
fn a_lost_beginning_is_seen() {
    check(
        &parse("    ok 2 x\n    1..2\nok 1 a\n1..1\n"),
        &expect![[r"
            Count(1), complete: false
            2 a > x Pass
            1 a Pass
            error: subtest `a`: 1 of 2 planned results are missing (1)
        "]],
    );
    check(
        &parse("        ok 1 x\n    ok 1 y\nok 1 a\n"),
        &expect![[r"
            Missing, complete: false
            1 a > y > x Pass
            1 a > y Pass
            1 a Pass
            error: subtest `y` has no plan
            error: subtest `a` has no plan
        "]],
    );
}

#[test]
fn comments_that_look_like_results_stay_comments() {
    let report = parse("1..1\n# ok 7 threads so far\n# not ok yet\nok, then\nnot ok 1 a\n");
    assert!(report.is_complete(), "{:?}", report.errors);
    assert_eq!(report.results[0].diagnostics, ["# ok 7 threads so far", "# not ok yet", "ok, then"]);
}

#[test]
fn limits_hold() {
    let limits = KtapLimits {
        line_bytes_max: 16,
        results_max: 2,
        errors_max: 3,
        diagnostic_lines_max: 2,
        diagnostic_bytes_max: 6,
        ..KtapLimits::default()
    };
    let text = "x1\nx2\nx3\nnot ok 1 a\nlong1\nlong2\nnot ok 2 b\nok 3 c\nok 4 d\n";
    let report = parse_with(limits.clone(), text.as_bytes());
    assert_eq!(report.results.len(), 2);
    assert_eq!(report.results[0].diagnostics, ["x2", "x3"]);
    assert!(report.results[1].diagnostics.is_empty(), "the byte limit");
    assert_eq!(report.errors, [KtapError::TooManyResults { results_max: 2 }]);

    let report = parse_with(limits.clone(), b"1..1\nok 1 0123456789abcdef\nnoise noise noise noise\n");
    assert_eq!(report.errors, [KtapError::LineTooLong { line_bytes_max: 16 }]);
    assert_eq!(report.lines_cut, 2);

    let report = parse_with(limits, &b"1..0\n".repeat(9));
    assert_eq!((report.errors.len(), report.errors_dropped), (3, 5));
    assert!(!report.is_complete());

    let deep: Vec<String> = (0..12).map(|depth| " ".repeat(depth) + "1..1").collect();
    let deep = errors(&deep.join("\n"));
    assert!(deep.iter().any(|error| error.starts_with("nested too deeply")));
}

proptest! {
    #[test]
    fn takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let report = parse_with(KtapLimits::default(), &bytes);
        prop_assert_eq!(report.bytes, bytes.len() as u64);
    }

    #[test]
    fn takes_nearly_right_text(lines in proptest::collection::vec(
        "(  |    |\t|# ){0,3}(TAP version 13|1\\.\\.[0-3]|(not )?ok [0-4]( - a| b)?( # (SKIP|TODO))?|# Subtest: s|#  RUN           r \\.\\.\\.|x)", 0..30)
    ) {
        let limits = KtapLimits { results_max: 10, errors_max: 10, ..KtapLimits::default() };
        let report = parse_with(limits, lines.join("\n").as_bytes());
        prop_assert!(report.results.len() <= 10);
        prop_assert!(report.errors.len() <= 10);
    }

    /// Whatever is taken from a complete transcript, it is complete no longer.
    #[test]
    fn a_lost_line_is_always_noticed(count in 1u32..12, lost in 0usize..13) {
        let mut lines = vec![format!("1..{count}")];
        lines.extend((1..=count).map(|ordinal| format!("ok {ordinal} t{ordinal}")));
        prop_assert!(parse(&(lines.join("\n") + "\n")).is_complete());
        if lost < lines.len() {
            lines.remove(lost);
            prop_assert!(!parse(&(lines.join("\n") + "\n")).is_complete());
        }
    }
}
