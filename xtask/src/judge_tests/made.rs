// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks that were made on the host: in a cell with a guest, and in one without.

use super::super::{CheckState, JudgedCheck, Known, judge_without_guest};
use super::guest::{absent, good, sent, sub};
use crate::judge::VerdictSource;
use crate::lab::expected::Expected;
use crate::plan::work::Scope;
use crate::record::model::{CheckStatus, Outcome, SubRecord};

fn made(subs: Vec<SubRecord>) -> JudgedCheck {
    JudgedCheck { name: "made".into(), scope: Scope::WherePresent, state: CheckState::Made { subs, ms: 3 } }
}

fn outcome(checks: &[JudgedCheck], expected: &str) -> (Outcome, String) {
    let expected = Expected::parse("expected.toml", expected).unwrap();
    let known = Known { cell: "5.10/none/x86_64", expected: &expected, today: "2026-11-01" };
    let verdict = judge_without_guest(&known, checks);
    assert_eq!(verdict.checks.len(), checks.len());
    (verdict.outcome, verdict.reason)
}

#[test]
fn without_a_guest_only_results_that_pass_do() {
    let pass = || made(vec![sub("one", CheckStatus::Pass)]);
    assert_eq!(outcome(&[pass()], "").0, Outcome::Pass);
    assert_eq!(outcome(&[pass(), absent("other", Scope::WherePresent)], "").0, Outcome::Pass);
    for (checks, words) in [
        (vec![], "no check ran"),
        (vec![made(Vec::new())], "no sub-result came"),
        (vec![made(vec![sub("one", CheckStatus::Fail)])], "made fail: 1 of 1 failed, the first is one"),
        (vec![made(vec![sub("one", CheckStatus::NotRun)])], "without a result"),
        (vec![made(vec![sub("one", CheckStatus::Skip)])], "skipped without an entry"),
        (vec![absent("other", Scope::WherePresent)], "no check ran"),
        (vec![pass(), absent("other", Scope::Asked)], "other absent: CONFIG_X is not set"),
        (vec![pass(), sent("guest", 0, VerdictSource::ExitCode)], "guest not-run: no guest was booted"),
    ] {
        let (outcome, reason) = outcome(&checks, "");
        assert_eq!(outcome, Outcome::Fail, "{words}");
        assert!(reason.contains(words), "{reason}: {words}");
    }
}

#[test]
fn a_known_failure_is_expected_of_a_check_made_on_the_host_too() {
    let known = "[[expect]]\ncell = \"5.10/none/*\"\ncheck = \"made.one\"\nstatus = \"fail\"\n\
                 reason = \"known\"\nuntil = \"2027-01-01\"\n";
    assert_eq!(outcome(&[made(vec![sub("one", CheckStatus::Fail)])], known).0, Outcome::Pass);
    assert_eq!(outcome(&[made(vec![sub("two", CheckStatus::Fail)])], known).0, Outcome::Fail);
}

#[test]
fn beside_a_guest_it_counts_like_any_other() {
    let mut guest = good();
    guest.checks.push(made(vec![sub("one", CheckStatus::Pass)]));
    guest.passes();
    let mut guest = good();
    guest.checks.push(made(vec![sub("one", CheckStatus::Fail)]));
    guest.is(Outcome::Fail, "made fail: 1 of 1 failed, the first is one");
}
