// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs one after the other, each with one cell.

use super::*;
use crate::record::model::CheckStatus::{Fail, Pass};
use crate::record::sample;

/// A run whose cell has sub-tests `a`, which always passes, and `b`; on this kernel.
fn run(number: u32, kernel: &str, b: CheckStatus) -> Run {
    let subs = vec![sample::sub("a", 1, Pass, ""), sample::sub("b", 2, b, "")];
    let outcome = if b == Pass { Outcome::Pass } else { Outcome::Fail };
    let reason = if b == Pass { "" } else { "1 of 2 failed, the first is b" };
    let mut cell = sample::cell("t/none/x86_64", outcome, "", vec![sample::check("c", b, reason, subs)]);
    cell.keys.boot = kernel.into();
    cell.keys.kernel = kernel.into();
    Run { id: format!("run-{number}"), ..sample::run(vec![cell]) }
}

fn trend(runs: &[Run], count: usize) -> CellTrend {
    Trend::new(runs, count, &|_| false).cells.remove(0)
}

#[test]
fn what_changes_on_one_kernel_is_flaky_and_what_changes_with_it_is_not() {
    let same = [run(1, "k", Pass), run(2, "k", Fail), run(3, "k", Pass), run(4, "k", Pass)];
    let cell = trend(&same, 10);
    assert_eq!((cell.green, cell.moved.len()), (1, 1));
    assert_eq!(cell.moved[0].key.name(), "c.b");
    assert_eq!(cell.moved[0].steadiness, Steadiness::Flaky { turns: 2, runs: 4, bad: 1 });
    assert_eq!(cell.verdict, Steadiness::Flaky { turns: 2, runs: 4, bad: 1 });
    let other = [run(1, "k", Pass), run(2, "l", Fail), run(3, "m", Pass)];
    let cell = trend(&other, 10);
    assert_eq!(cell.moved[0].steadiness, Steadiness::Steady);
    assert!(!cell.is_flaky());
    // Between two boots of one kernel there was another.
    let mixed = [run(1, "k", Pass), run(2, "l", Fail), run(3, "k", Fail)];
    assert_eq!(trend(&mixed, 10).moved[0].steadiness, Steadiness::Flaky { turns: 1, runs: 2, bad: 1 });
}

#[test]
fn the_last_runs_count_and_only_those_with_a_verdict_of_their_own() {
    let mut runs: Vec<Run> = (1..=4).map(|number| run(number, "k", Pass)).collect();
    runs[0] = run(1, "k", Fail);
    assert!(trend(&runs, 4).is_flaky());
    assert!(!trend(&runs, 3).is_flaky());
    for change in [
        |cell: &mut CellRecord| cell.found_in = Some("run-0".into()),
        |cell: &mut CellRecord| cell.same_as = Some("t/none@1/x86_64".into()),
        |cell: &mut CellRecord| cell.outcome = Outcome::Infra,
        |cell: &mut CellRecord| cell.outcome = Outcome::Cancelled,
    ] {
        let mut runs = runs.clone();
        change(&mut runs[0].cells[0]);
        let cell = trend(&runs, 4);
        assert_eq!(cell.runs, ["run-2", "run-3", "run-4"]);
        assert!(!cell.is_flaky());
    }
}

#[test]
fn a_kernel_is_the_same_by_its_boot_or_by_kernel_and_image() {
    let pair = |change: &dyn Fn(&mut Run)| {
        let mut second = run(2, "k", Fail);
        change(&mut second);
        trend(&[run(1, "k", Pass), second], 10).is_flaky()
    };
    assert!(pair(&|_| {}));
    assert!(pair(&|run| run.cells[0].keys.boot = "other".into()));
    assert!(!pair(&|run| {
        run.cells[0].keys.boot = "other".into();
        run.cells[0].keys.image = "other".into();
    }));
    assert!(!pair(&|run| {
        run.cells[0].keys.boot = "other".into();
        run.seed = 1;
    }));
    assert!(!pair(&|run| {
        run.cells[0].keys.boot = "other".into();
        run.cells[0].accel = None;
    }));
    // Nothing is no key.
    let blank = |mut run: Run| {
        run.cells[0].keys = crate::record::model::Keys::default();
        run
    };
    assert!(!trend(&[blank(run(1, "k", Pass)), blank(run(2, "k", Fail))], 10).is_flaky());
}

#[test]
fn a_static_check_that_answers_otherwise_is_a_change_of_the_lab() {
    let runs = [run(1, "k", Pass), run(2, "k", Fail)];
    let trend = Trend::new(&runs, 10, &|check| check == "c");
    assert_eq!(trend.cells[0].moved.len(), 1);
    assert!(!trend.is_flaky());
    // A finding of the same boot is a guest's.
    let mut noisy = runs.clone();
    noisy[1].cells[0].findings = sample::failed().findings;
    assert!(Trend::new(&noisy, 10, &|check| check == "c").is_flaky());
}

#[test]
fn a_result_that_is_not_there_has_said_nothing() {
    let mut runs = [run(1, "k", Pass), run(2, "k", Pass)];
    runs[1].cells[0].checks[0].subs.pop();
    let cell = trend(&runs, 10);
    assert_eq!(cell.moved[0].statuses, [Some(Pass), None]);
    assert_eq!(cell.moved[0].steadiness, Steadiness::Steady);
}
