// SPDX-License-Identifier: MIT OR Apache-2.0
//! Shards of a run put together again.

use super::*;
use crate::fault::FaultKind;
use crate::record::sample;

const IDS: [&str; 5] =
    ["5.10/s@0/x86_64", "5.10/s@0/i386", "5.10/s@10/x86_64", "5.10/s@10/x86_64+debug", "6.1/none/compat"];

fn cell(id: &str) -> CellRecord {
    CellRecord { id: id.into(), ..sample::passed() }
}

fn shard(number: usize, ids: &[&str]) -> Run {
    let mut run = sample::run(ids.iter().map(|id| cell(id)).collect());
    run.id = format!("shard-{number}");
    run
}

fn merged(shards: &[Run]) -> Result<Run, Fault> {
    let flavors = ["x86_64", "compat", "i386"].map(str::to_owned);
    merge(shards, Naming { id: "whole".into(), command: vec!["merge".into()], flavors: &flavors })
}

#[test]
fn three_shards_are_the_run_of_one_machine_in_its_order() {
    let mut shards = [shard(1, &[IDS[3], IDS[0]]), shard(2, &[IDS[4]]), shard(3, &[IDS[2], IDS[1]])];
    shards[1].host.cpu = "another".into();
    shards[2].ended = Some("2027-01-01T00:09:00Z".into());
    for (shard, applied) in shards.iter_mut().zip([vec![2], vec![2], vec![0, 1]]) {
        shard.series.get_mut("seccomp-cache").unwrap().applied = applied;
    }
    let run = merged(&shards).unwrap();
    assert_eq!(run.cells, IDS.map(cell));
    assert_eq!(run.series["seccomp-cache"].applied, [0, 1, 2]);
    assert_eq!((run.state, run.ended.as_deref()), (RunState::Complete, Some("2027-01-01T00:09:00Z")));
    assert_eq!((run.host.cpu.as_str(), run.host.cpus), ("several", 4));
    assert_eq!(run.shards[1].host.cpu, "another");
    assert_eq!(run.shards[2].cells, [IDS[2], IDS[1]]);
}

#[test]
fn a_merged_run_is_as_complete_as_its_least_complete_shard() {
    for state in [RunState::Cancelled, RunState::Running, RunState::Failed] {
        let (one, mut other) = (shard(1, &[IDS[0]]), shard(2, &[IDS[1]]));
        (other.state, other.ended) = (state, None);
        let run = merged(&[one, other]).unwrap();
        assert_eq!((run.state, run.ended), (state, None));
    }
}

#[test]
fn shards_that_are_missing_leave_it_incomplete() {
    let part = |index: usize| {
        let mut run = shard(index, &[IDS[index]]);
        run.shard = Some(Shard { index, count: 3 });
        run
    };
    let whole = merged(&[part(1), part(2), part(3)]).unwrap();
    assert_eq!((whole.state, missing_shards(&whole)), (RunState::Complete, Vec::new()));
    let lacking = merged(&[part(3), part(1)]).unwrap();
    let missing = missing_shards(&lacking);
    assert_eq!((lacking.state, missing), (RunState::Running, vec![Shard { index: 2, count: 3 }]));
    // What was merged before may be merged with what it lacked.
    let mended = merged(&[lacking, part(2)]).unwrap();
    assert_eq!((mended.state, missing_shards(&mended)), (RunState::Complete, Vec::new()));
    // Records that are no shards have no number to lack.
    assert!(missing_shards(&merged(&[shard(1, &[IDS[0]])]).unwrap()).is_empty());
    let mut of_two = part(2);
    of_two.shard = Some(Shard { index: 2, count: 2 });
    let fault = merged(&[part(1), of_two]).unwrap_err();
    assert!(fault.to_string().contains("run shard-1 is shard 1/3, and run shard-2 is shard 2/2"), "{fault}");
}

#[test]
fn of_two_equal_verdicts_one_stays_and_two_others_are_refused() {
    let one = shard(1, &[IDS[0]]);
    let mut other = shard(2, &[IDS[0], IDS[1]]);
    other.cells[0].timings_ms.insert("guest".into(), 1);
    let run = merged(&[one.clone(), other.clone()]).unwrap();
    assert_eq!(run.cells.len(), 2);
    assert_eq!(run.shards[1].cells, [IDS[1]]);
    for change in [
        |cell: &mut CellRecord| cell.keys.boot = "other".into(),
        |cell: &mut CellRecord| cell.keys = Keys::default(),
        |cell: &mut CellRecord| cell.outcome = Outcome::Fail,
        |cell: &mut CellRecord| cell.outcome = Outcome::Infra,
        |cell: &mut CellRecord| {
            cell.checks[0].subs.pop();
        },
    ] {
        let mut other = other.clone();
        change(&mut other.cells[0]);
        let fault = merged(&[one.clone(), other]).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Usage);
        assert!(fault.to_string().contains(IDS[0]), "{fault}");
    }
}

#[test]
fn a_cell_that_never_came_to_its_turn_is_no_verdict() {
    let one = shard(1, &[IDS[0]]);
    let mut never = shard(2, &[IDS[0]]);
    never.cells[0] = CellRecord::never_begun(IDS[0]);
    for shards in [[one.clone(), never.clone()], [never, one]] {
        let run = merged(&shards).unwrap();
        assert_eq!(run.cells, [cell(IDS[0])]);
        let by: Vec<usize> = run.shards.iter().map(|shard| shard.cells.len()).collect();
        assert_eq!(by.iter().sum::<usize>(), 1, "{:?}", run.shards);
    }
}

#[test]
fn records_that_contradict_each_other_are_refused() {
    let one = shard(1, &[IDS[0]]);
    for change in [
        |run: &mut Run| run.seed = 7,
        |run: &mut Run| run.id = "shard-1".into(),
        |run: &mut Run| run.trees.get_mut("5.10").unwrap().tree = "other".into(),
        |run: &mut Run| run.series.get_mut("seccomp-cache").unwrap().patches[0].digest = "e".into(),
    ] {
        let mut other = shard(2, &[IDS[1]]);
        change(&mut other);
        assert_eq!(merged(&[one.clone(), other]).unwrap_err().kind(), FaultKind::Usage);
    }
    assert!(merged(&[]).is_err());
}

#[test]
fn a_planned_cell_without_a_verdict_is_never_a_pass() {
    let plan = |checks: &[&str]| -> Vec<PlannedCell> {
        let checks: Vec<String> = checks.iter().map(|name| (*name).to_owned()).collect();
        IDS[..2].iter().map(|id| PlannedCell { id: (*id).to_owned(), checks: checks.clone() }).collect()
    };
    let whole = merged(&[shard(1, &IDS[..2])]).unwrap();
    let mut good = whole.clone();
    assert_eq!(hold_against(&mut good, &plan(&["seccomp_bpf", "seccomp_cache.dump"])), 0);
    assert_eq!(good, whole);

    let mut lacking = whole.clone();
    assert_eq!(hold_against(&mut lacking, &plan(&["seccomp_bpf", "random"])), 2);
    assert!(lacking.cells.iter().all(|cell| cell.outcome == Outcome::Infra));
    assert!(lacking.cells[0].reason.contains("random"));

    let mut lost = merged(&[shard(1, &IDS[..1])]).unwrap();
    assert_eq!(hold_against(&mut lost, &plan(&[])), 1);
    assert_eq!((lost.cells[1].id.as_str(), lost.cells[1].outcome), (IDS[1], Outcome::Infra));

    let mut cancelled = whole;
    cancelled.cells[1].outcome = Outcome::Cancelled;
    assert_eq!(hold_against(&mut cancelled, &plan(&[])), 1);
    assert_eq!(cancelled.cells[1].outcome, Outcome::Infra);
}
