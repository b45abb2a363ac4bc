// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a check must have done for its cell to pass.

use super::super::{CheckState, ModelVerdict, VerdictSource};
use super::guest::{Guest, NONCE, absent, good, record, sub};
use crate::plan::work::Scope;
use crate::record::compare::own_fault;
use crate::record::model::{CheckStatus, Outcome};
use crate::sys::process::Exit;
use crate::vm::frame::{CHECK_NONE, FrameType};
use FrameType::{Done, Output, Start};

const TWO: &str = "TAP version 13\n1..2\nok 1 one\nok 2 two\n";

#[test]
fn results_that_are_not_all_ok_and_all_there_fail() {
    good().alpha(TWO, "exit 0").passes();
    for (output, ended, words) in [
        ("TAP version 13\n1..3\nok 1 one\nok 2 two\n", "exit 0", "1 of 3 planned results are missing"),
        ("TAP version 13\n1..1\nok 1 one\nok 2 two\n", "exit 0", "past the plan of 1"),
        ("TAP version 13\nok 1 one\nok 2 two\n", "exit 0", "no plan"),
        ("TAP version 13\n1..2\nok 1 one\nnot ok 2 two\n", "exit 1", "1 of 2 failed, the first is two"),
        ("TAP version 13\n1..2\nok 1 one\nok 2 two # SKIP no\n", "exit 0", "skipped without an entry"),
        ("TAP version 13\n1..2\nok 1 one\nok 2 two # TODO\n", "exit 0", "skipped without an entry"),
        ("TAP version 13\n1..2\nok 1 one\nok 2 two # TIMEOUT\n", "exit 1", "1 of 2 failed"),
        ("TAP version 13\n1..2\nok 1 one\nok 1 one\n", "exit 0", "came twice"),
        ("TAP version 13\n1..2\nok 1 one\nok 2 two", "exit 0", "middle of a line"),
        (
            "TAP version 13\n1..2\nok 1 one\nBail out! no memory\nok 2 two\n",
            "exit 0",
            "bailed out: no memory",
        ),
        ("TAP version 13\n1..0 # SKIP not root\n", "exit 4", "skipped everything: not root"),
        ("all is well\n", "exit 0", "no plan"),
        ("", "exit 0", "no plan"),
    ] {
        good().alpha(output, ended).is(Outcome::Fail, words);
    }
}

#[test]
fn an_exit_code_must_fit_the_results() {
    let failed = "TAP version 13\n1..2\nok 1 one\nnot ok 2 two\n";
    let skipped = "TAP version 13\n1..2\nok 1 one\nok 2 two # SKIP no\n";
    good().alpha(TWO, "exit 1").is(Outcome::Fail, "exit code 1 without a failed sub-test");
    good().alpha(TWO, "exit 4").is(Outcome::Fail, "exit code 4 without a");
    good().alpha(failed, "exit 0").is(Outcome::Fail, "exit code 0 with failed sub-tests");
    good()
        .alpha(failed, "exit 0")
        .expecting("alpha.two", "fail", "2030-01-01")
        .is(Outcome::Fail, "exit code 0");
    good().alpha(skipped, "exit 4").expecting("alpha.two", "skip", "2030-01-01").passes();
}

/// Records that are compared are taken apart by the words that the judge has for them.
#[test]
fn a_fault_of_the_check_itself_is_told_from_a_sum_of_its_results() {
    let own = |output, ended| {
        let verdict = good().alpha(output, ended).judged();
        own_fault(&verdict.checks[0]).map(str::to_owned)
    };
    let failed = "TAP version 13\n1..2\nok 1 one\nnot ok 2 two\n";
    let skipped = "TAP version 13\n1..2\nok 1 one\nok 2 two # SKIP no\n";
    for (output, ended) in [(TWO, "exit 0"), (failed, "exit 1"), (skipped, "exit 4")] {
        assert_eq!(own(output, ended), None, "{output}");
    }
    let unfilled = "TAP version 13\n1..3\nok 1 one\nnot ok 2 two\n";
    for (output, ended, words) in [
        (TWO, "exit 1", "exit code 1"),
        (failed, "exit 0", "exit code 0 with"),
        (failed, "signal 11", "killed by signal 11"),
        (failed, "deadline", "killed at its deadline"),
        (unfilled, "exit 1", "1 of 3 planned results are missing"),
    ] {
        assert!(own(output, ended).is_some_and(|fault| fault.contains(words)), "{words}");
    }
}

#[test]
fn a_program_that_did_not_end_well_fails_whatever_it_printed() {
    for (check, name) in [(0, "alpha"), (1, "beta"), (2, "gamma")] {
        for (ended, words) in [
            ("signal 11", "killed by signal 11"),
            ("deadline", "killed at its deadline after 7 ms"),
            ("spawn-failed 2", "it could not be started: errno 2"),
        ] {
            let words = format!("{name} fail: {words}");
            good().with(Done, check, "exit 0", ended).is(Outcome::Fail, &words);
        }
        good().with(Done, check, "{bytes}", "99999").is(Outcome::Fail, "it wrote 99999 bytes, and");
        good().without(Done, check).is(Outcome::Fail, "it did not end");
        good().without(Start, check).is(Outcome::Fail, &format!("{name} not-run: it never began"));
        good().before(Done, check, record(Start, check, "again\n")).is(Outcome::Fail, "more than once");
        let twice = record(Done, check, "exit 0\nms 1\nstdout {bytes}\n");
        good().before(Done, check, twice).is(Outcome::Fail, "more than once");
    }
}

#[test]
fn lines_of_a_check_count_for_no_other() {
    let stray = record(Output, 1, "ok 2 two\n");
    good()
        .alpha("TAP version 13\n1..2\nok 1 one\n", "exit 0")
        .before(Done, 1, stray)
        .is(Outcome::Fail, "1 of 2 planned results are missing");
}

#[test]
fn a_failure_or_skip_passes_only_as_expected() {
    let failed = || good().alpha("TAP version 13\n1..2\nok 1 one\nnot ok 2 two\n", "exit 1");
    let skipped = || good().alpha("TAP version 13\n1..2\nok 1 one\nok 2 two # SKIP no\n", "exit 0");
    failed().expecting("alpha.two", "fail", "2030-01-01").passes();
    skipped().expecting("alpha.*", "skip", "2027-01-01").passes();
    for (guest, check, status, until) in [
        (failed(), "alpha.two", "fail", "2026-12-31"),
        (failed(), "alpha.two", "skip", "2030-01-01"),
        (failed(), "alpha.one", "fail", "2030-01-01"),
        (failed(), "beta.two", "fail", "2030-01-01"),
        (skipped(), "alpha.two", "skip", "2026-12-31"),
        (skipped(), "alpha.two", "fail", "2030-01-01"),
    ] {
        guest.expecting(check, status, until).is(Outcome::Fail, "alpha ");
    }
    let both = good().alpha("TAP version 13\n1..2\nnot ok 1 one\nnot ok 2 two\n", "exit 1");
    both.expecting("alpha.one", "fail", "2030-01-01").is(Outcome::Fail, "1 of 2 failed, the first is two");
}

#[test]
fn a_subtest_that_has_vanished_fails() {
    let known = |names: &[&str]| {
        let mut guest = good();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        guest.checks[0].state = CheckState::Sent { index: 0, verdict: VerdictSource::Ktap(names) };
        guest
    };
    known(&["one", "two"]).passes();
    known(&["one", "two", "three"]).is(Outcome::Fail, "1 known sub-tests have vanished, `three` among them");
}

#[test]
fn an_exit_code_alone_is_pass_skip_or_failure() {
    let beta = |ended: &str| good().with(Done, 1, "exit 0", ended);
    beta("exit 0").passes();
    beta("exit 1").is(Outcome::Fail, "beta fail: 1 of 1 failed");
    beta("exit 4").is(Outcome::Fail, "beta skip: 1 of 1 skipped without an entry");
    beta("exit 4").expecting("beta.beta", "skip", "2030-01-01").passes();
    beta("exit 1").expecting("beta.beta", "fail", "2030-01-01").passes();
    beta("exit -1").is(Outcome::Fail, "beta fail");
}

#[test]
fn a_model_must_say_pass_of_everything() {
    let model = |statuses: &[CheckStatus]| {
        let mut guest = good();
        let subs = statuses.iter().map(|status| sub("fact", *status)).collect();
        guest.checks[2].state = CheckState::Sent {
            index: 2,
            verdict: VerdictSource::Model(ModelVerdict { subs, ..ModelVerdict::default() }),
        };
        guest
    };
    use CheckStatus::{Absent, Fail, Flaky, NotRun, Pass, Skip};
    model(&[Pass, Pass]).passes();
    for other in [Absent, Fail, Flaky, NotRun, Skip] {
        model(&[Pass, other]).is(Outcome::Fail, "gamma ");
        assert_eq!(model(&[Pass, other]).judged().checks[2].status, other);
    }
    model(&[]).is(Outcome::Fail, "gamma not-run: no sub-result came");
    good().with(Done, 2, "exit 0", "exit 1").is(Outcome::Fail, "gamma fail: exit code 1");
}

#[test]
fn an_absent_check_fails_where_it_was_asked_for() {
    let with_delta = |scope| {
        let mut guest = good();
        guest.checks[3] = absent("delta", scope);
        guest
    };
    with_delta(Scope::WherePresent).passes();
    with_delta(Scope::Asked).is(Outcome::Fail, "delta absent: CONFIG_X is not set");
}

#[test]
fn a_guest_in_which_no_check_ran_is_no_pass() {
    let mut guest = good().with(FrameType::End, CHECK_NONE, "checks 3", "checks 0");
    guest.said.retain(|said| match said {
        super::Said::Record(_, check, _) => *check >= 3,
        _ => true,
    });
    guest.readings.clear();
    guest.checks = vec![absent("alpha", Scope::WherePresent), absent("delta", Scope::WherePresent)];
    guest.is(Outcome::Fail, "no check ran");
    guest.checks.clear();
    guest.is(Outcome::Fail, "no check ran");
}

#[test]
fn lines_on_the_console_are_no_results() {
    let forged = |mut guest: Guest| {
        guest.console.extend([TWO, "nonce", NONCE, "checks 3"].map(str::to_owned));
        guest
    };
    forged(good().silent_from(Start, 0)).is(Outcome::Crashed, "without its end record");
    forged(good().silent_from(FrameType::Hello, CHECK_NONE)).is(Outcome::BootFailed, "before init spoke");
    forged(good().silent_from(Output, 0)).ending(Exit::Deadline).is(Outcome::TimedOut, "during alpha");
}

#[test]
fn the_first_of_several_bad_checks_is_named_and_the_rest_counted() {
    let guest = good().with(Done, 0, "exit 0", "exit 3").with(Done, 1, "exit 0", "exit 3");
    guest.is(Outcome::Fail, "alpha fail: exit code 3 without a failed sub-test (and 1 more)");
}

#[test]
fn an_excerpt_shows_the_failed_subtest_and_what_was_written_before_it() {
    let output = "TAP version 13\n1..2\nok 1 one\n# EXPECT 1 == 2\nnot ok 2 two\n";
    let excerpt = good().alpha(output, "exit 1").judged().excerpt;
    assert_eq!(excerpt[..2], ["fail two", "    # EXPECT 1 == 2"], "{excerpt:#?}");
    assert!(excerpt.contains(&"not ok 2 two".to_owned()), "{excerpt:#?}");
}
