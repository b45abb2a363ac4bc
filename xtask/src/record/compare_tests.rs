// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records compared, case by case.

use super::*;
use crate::record::model::CheckStatus::{Absent, Fail, Flaky, NotRun, Pass, Skip};
use crate::record::sample::{cell, check, sub};

const ID: &str = "5.10/seccomp-cache@5/x86_64";

/// A check of sub-tests, `a:pass b:fail`, with the status and the reason that the judge gives it.
fn tests(name: &str, words: &str) -> CheckRecord {
    let status =
        |word: &str| [Pass, Fail, Skip, Absent, Flaky, NotRun].into_iter().find(|s| s.word() == word);
    let subs: Vec<_> = (1..)
        .zip(words.split_whitespace())
        .map(|(ordinal, word)| {
            let (path, word) = word.split_once(':').unwrap();
            sub(path, ordinal, status(word).unwrap(), "")
        })
        .collect();
    let worst =
        [NotRun, Fail, Skip, Absent, Flaky].into_iter().find(|s| subs.iter().any(|sub| sub.status == *s));
    let reason = worst.map_or(String::new(), |worst| {
        let bad = subs.iter().filter(|sub| sub.status == worst).count();
        format!("{bad} of {} {}, the first is x", subs.len(), worst.word())
    });
    check(name, worst.unwrap_or(Pass), &reason, subs)
}

fn blank(name: &str, status: CheckStatus) -> CheckRecord {
    check(name, status, "why", Vec::new())
}

fn of(checks: Vec<CheckRecord>) -> CellRecord {
    let ok = checks.iter().all(|check| matches!(check.status, Pass | Absent));
    cell(ID, if ok { Outcome::Pass } else { Outcome::Fail }, "", checks)
}

/// `name change`, in their order.
fn told(diff: &CellDiff) -> Vec<String> {
    diff.items.iter().map(|item| format!("{} {}", item.key.name(), item.change.words())).collect()
}

#[test]
fn each_change_is_listed_and_only_the_bad_ones_are_regressions() {
    let older =
        of(vec![tests("c", "ok:pass breaks:pass goes:pass skips:pass mends:fail stays:fail shaky:pass")]);
    let newer = of(vec![tests(
        "c",
        "ok:pass breaks:fail skips:skip mends:pass stays:fail shaky:flaky comes:pass bad:fail",
    )]);
    let diff = compare(&older, &newer);
    assert_eq!(
        told(&diff),
        [
            "c.breaks newly failing",
            "c.skips vanished",
            "c.mends fixed",
            "c.stays still failing",
            "c.shaky newly flaky",
            "c.comes new",
            "c.bad new",
            "c.goes vanished",
        ]
    );
    let worse: Vec<String> = diff.regressions().map(|item| item.key.name()).collect();
    assert_eq!(worse, ["c.breaks", "c.skips", "c.shaky", "c.bad", "c.goes"]);
    assert_eq!(diff.same, 1);
    assert!(diff.is_regression());
}

#[test]
fn what_both_have_is_no_regression_and_a_fix_is_none() {
    let cases = [
        ("a:pass", "a:pass", false),
        ("a:fail", "a:fail", false),
        ("a:fail", "a:pass", false),
        ("a:pass", "a:pass b:pass", false),
        ("a:skip", "a:skip", false),
        ("a:flaky", "a:flaky", false),
        ("a:flaky", "a:fail", false),
        ("a:pass", "a:flaky", true),
        ("a:pass b:pass", "a:pass", true),
        ("a:pass", "a:skip", true),
        ("a:pass", "a:not-run", true),
        ("a:fail b:pass", "b:pass", true),
    ];
    for (older, newer, expected) in cases {
        let diff = compare(&of(vec![tests("c", older)]), &of(vec![tests("c", newer)]));
        assert_eq!(diff.is_regression(), expected, "{older} to {newer}: {diff:?}");
    }
}

#[test]
fn a_check_that_the_series_brings_is_new_and_not_fixed() {
    for older in [of(vec![blank("dump", Absent)]), of(Vec::new())] {
        let diff = compare(&older, &of(vec![tests("dump", "a:pass b:pass")]));
        assert_eq!(told(&diff), ["dump.a new", "dump.b new"]);
        assert!(!diff.is_regression());
        let diff = compare(&older, &of(vec![tests("dump", "a:pass b:fail")]));
        assert!(diff.is_regression(), "what is new and fails is no failure of the baseline");
    }
    assert_eq!(told(&compare(&of(vec![blank("dump", Absent)]), &of(vec![blank("dump", Absent)]))), [""; 0]);
}

#[test]
fn a_check_that_is_gone_takes_its_tests_along() {
    let older = of(vec![tests("a", "x:pass"), tests("b", "y:pass z:fail")]);
    let diff = compare(&older, &of(vec![tests("a", "x:pass")]));
    assert_eq!(told(&diff), ["b.y vanished", "b.z vanished"]);
    let absent = compare(&older, &of(vec![tests("a", "x:pass"), blank("b", Absent)]));
    assert_eq!(told(&absent), told(&diff));
    assert!(absent.is_regression());
    let broken = compare(&older, &of(vec![tests("a", "x:pass"), blank("b", Fail)]));
    assert_eq!(told(&broken), ["b newly failing", "b.y vanished", "b.z vanished"]);
}

#[test]
fn names_that_occur_twice_are_told_apart_and_numbers_of_a_plan_are_not_names() {
    let older = of(vec![tests("c", "t:pass t:fail u:pass")]);
    let newer = of(vec![tests("c", "first:pass t:pass t:pass u:pass")]);
    assert_eq!(told(&compare(&older, &newer)), ["c.first new", "c.t #2 fixed"]);
    assert_eq!(told(&compare(&newer, &older)), ["c.t #2 newly failing", "c.first vanished"]);
    // `a.b` under `c` is not `b` under `c.a`.
    let (older, newer) = (of(vec![tests("c", "a.b:pass")]), of(vec![tests("c.a", "b:pass")]));
    assert_eq!(told(&compare(&older, &newer)), ["c.a.b new", "c.a.b vanished"]);
}

#[test]
fn a_fault_of_the_check_itself_is_an_item_of_its_own() {
    let good = tests("c", "a:pass b:fail");
    let with = |reason: &str| CheckRecord { status: Fail, reason: reason.into(), ..good.clone() };
    for reason in
        ["killed by signal 11", "exit code 1 without a failed sub-test", "its plan is not filled", ""]
    {
        let diff = compare(&of(vec![good.clone()]), &of(vec![with(reason)]));
        assert_eq!(told(&diff), ["c newly failing", "c.b still failing"], "{reason}");
        assert!(diff.is_regression());
        let diff = compare(&of(vec![with(reason)]), &of(vec![good.clone()]));
        assert_eq!(told(&diff), ["c fixed", "c.b still failing"], "{reason}");
        let diff = compare(&of(vec![with(reason)]), &of(vec![with(reason)]));
        assert_eq!(told(&diff), ["c still failing", "c.b still failing"], "{reason}");
        assert!(!diff.is_regression());
    }
    // A sum of another number of sub-tests is not that of these.
    assert!(own_fault(&with("1 of 3 failed, the first is b")).is_some());
    assert!(own_fault(&good).is_none());
}

#[test]
fn a_plan_that_shrank_is_a_regression_even_where_the_same_tests_ran() {
    let mut older = tests("c", "a:pass b:pass");
    let newer = older.clone();
    older.plan = Some(3);
    let diff = compare(&of(vec![older.clone()]), &of(vec![newer.clone()]));
    assert_eq!(told(&diff), ["c vanished"]);
    assert!(diff.is_regression());
    assert_eq!(told(&compare(&of(vec![newer]), &of(vec![older.clone()]))), [""; 0]);
    // Told once: here the test that is gone says it.
    assert_eq!(told(&compare(&of(vec![older]), &of(vec![tests("c", "a:pass")]))), ["c.b vanished"]);
}

#[test]
fn a_check_that_counts_names_single_things_only_where_they_are_wrong() {
    let counting = |words: &str| {
        let mut check = tests("random", words);
        check.figures = BTreeMap::from([("chains".into(), 400)]);
        check
    };
    let (good, bad) = (counting("bits:pass"), counting("bits:fail chain-1:fail"));
    let diff = compare(&of(vec![bad.clone()]), &of(vec![good.clone()]));
    assert_eq!(told(&diff), ["random.bits fixed", "random.chain-1 fixed"]);
    assert!(!diff.is_regression());
    let diff = compare(&of(vec![good.clone()]), &of(vec![bad]));
    assert_eq!(told(&diff), ["random.bits newly failing", "random.chain-1 newly failing"]);
    let diff = compare(&of(vec![good]), &of(vec![counting("other:pass")]));
    assert_eq!(told(&diff), ["random.other new", "random.bits vanished"]);
}

#[test]
fn outcomes_are_compared_by_how_far_they_came() {
    use Outcome::{ApplyFailed, BootFailed, BuildFailed, Cancelled, Crashed, Infra, TimedOut};
    let cases = [
        (Outcome::Pass, Outcome::Pass, false),
        (Outcome::Fail, Outcome::Fail, false),
        (Outcome::Fail, Outcome::Pass, false),
        // Nothing that is compared says why: it is one all the same.
        (Outcome::Pass, Outcome::Fail, true),
        (Outcome::Pass, Crashed, true),
        (Outcome::Fail, TimedOut, true),
        (Crashed, TimedOut, false),
        (Crashed, BootFailed, true),
        (BootFailed, BuildFailed, true),
        (BuildFailed, ApplyFailed, true),
        (BuildFailed, BuildFailed, false),
        (BuildFailed, BootFailed, false),
        (Outcome::Pass, Infra, true),
        (Outcome::Fail, Cancelled, true),
        (Infra, Cancelled, false),
        (Infra, BuildFailed, true),
        (Infra, Outcome::Pass, false),
    ];
    for (older, newer, expected) in cases {
        let diff = compare(&cell(ID, older, "", Vec::new()), &cell(ID, newer, "", Vec::new()));
        assert_eq!(diff.is_regression(), expected, "{older:?} to {newer:?}");
    }
}

#[test]
fn findings_are_compared_by_family_and_title() {
    let says = |titles: &[&str]| {
        let mut cell = of(vec![tests("c", "a:fail")]);
        let finding = |title: &&str| FindingRecord {
            family: "warning".into(),
            title: (*title).into(),
            check: "c".into(),
            excerpt: vec!["[    1.0] at another address".into()],
            ..FindingRecord::default()
        };
        cell.findings = titles.iter().map(finding).collect();
        cell
    };
    let diff = compare(&says(&["WARNING in f", "WARNING in g"]), &says(&["WARNING in g", "WARNING in g"]));
    assert!(!diff.is_regression() && diff.new_findings.is_empty());
    assert_eq!(diff.gone_findings[0].title, "WARNING in f");
    let diff = compare(&says(&["WARNING in g"]), &says(&["WARNING in g", "WARNING in h"]));
    assert_eq!(diff.new_findings.len(), 1);
    assert!(diff.is_regression());
    let mut other = says(&["WARNING in g"]);
    other.findings[0].family = "oops".into();
    assert!(compare(&says(&["WARNING in g"]), &other).is_regression());
}

#[test]
fn results_are_those_of_sub_tests_and_of_checks_that_have_none() {
    let mut faulty = tests("f", "a:pass");
    (faulty.status, faulty.reason) = (Fail, "exit code 3".into());
    let names: Vec<String> = results(&of(vec![tests("c", "a:pass a:pass"), blank("b", Absent), faulty]))
        .iter()
        .map(|(key, shown)| format!("{} {}", key.name(), shown.status.word()))
        .collect();
    assert_eq!(names, ["c.a pass", "c.a #2 pass", "b absent", "f fail", "f.a pass"]);
}
