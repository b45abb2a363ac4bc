// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records of shards as one. Pure: files are copied by who has read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::plan::shard::Shard;
use crate::record::cell_id::CellId;
use crate::record::compare::results;
use crate::record::model::{
    CellRecord, Host, Keys, Outcome, Run, RunState, SCHEMA, SeriesRecord, TreeRecord,
};

/// Where a part of a merged record comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// The run's id.
    pub id: String,
    /// How far it came.
    pub state: RunState,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Its command line.
    pub command: Vec<String>,
    /// The machine it ran on.
    pub host: Host,
    /// Which parts of a selection it is: several, where it was merged itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Shard>,
    /// The ids of the cells that are taken from it.
    pub cells: Vec<String>,
}

/// A cell that has to be in a merged record, and the checks that it has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCell {
    /// Its id.
    pub id: String,
    /// Names of its checks; none where only the cells are known.
    pub checks: Vec<String>,
}

/// What a merged record is called, and in which order its cells stand.
pub struct Naming<'a> {
    /// The id of the merged run.
    pub id: String,
    /// The command line.
    pub command: Vec<String>,
    /// Flavors in the order in which the lab's configuration has them.
    pub flavors: &'a [String],
}

/// Makes one record of several. Where shards are missing it is not complete.
///
/// # Errors
/// A usage fault where they contradict each other: they are not shards of one run.
pub fn merge(shards: &[Run], naming: Naming<'_>) -> Result<Run, Fault> {
    let first = shards.first().ok_or_else(|| Fault::usage("there is no record to merge"))?;
    let mut merged = Run {
        schema: SCHEMA,
        id: naming.id,
        state: shards.iter().map(own_state).max_by_key(|state| rank(*state)).unwrap_or(first.state),
        started: shards.iter().map(|run| run.started.clone()).min().unwrap_or_default(),
        ended: shards.iter().map(|run| run.ended.clone()).collect::<Option<Vec<_>>>().and_then(latest),
        command: naming.command,
        host: common_host(shards),
        seed: first.seed,
        series: BTreeMap::new(),
        trees: BTreeMap::new(),
        cells: Vec::new(),
        mutants: Vec::new(),
        probes: Vec::new(),
        bench: None,
        bisect: None,
        timings_ms: BTreeMap::new(),
        shard: None,
        shards: Vec::new(),
        repeat: None,
    };
    for run in shards {
        if merged.shards.iter().any(|shard| shard.id == run.id) {
            return Err(Fault::usage(format!("run {} is given twice", run.id)));
        }
        if run.seed != merged.seed {
            let what =
                format!("run {} has seed {}, and run {} has {}", first.id, first.seed, run.id, run.seed);
            return Err(Fault::usage(what).help(NOT_ONE_RUN));
        }
        let mut shard = shard_record(run);
        for cell in &run.cells {
            if add_cell(&mut merged, cell)? {
                shard.cells.push(cell.id.clone());
            }
        }
        // A verdict that took the place of none belongs to this shard alone.
        for other in &mut merged.shards {
            other.cells.retain(|id| !shard.cells.contains(id));
        }
        merged.shards.push(shard);
        add_origins(&mut merged, run)?;
        merged.probes.extend(run.probes.iter().cloned());
        merged.mutants.extend(run.mutants.iter().cloned());
        if let Some(repeat) = &run.repeat {
            let all = merged.repeat.get_or_insert_default();
            all.rounds.extend(repeat.rounds.iter().cloned());
            all.rates.extend(repeat.rates.iter().cloned());
        }
        for (name, ms) in &run.timings_ms {
            *merged.timings_ms.entry(name.clone()).or_default() += ms;
        }
    }
    check_counts(&merged)?;
    if merged.state == RunState::Complete && !missing_shards(&merged).is_empty() {
        merged.state = RunState::Running;
    }
    sort_cells(&mut merged.cells, naming.flavors);
    Ok(merged)
}

const NOT_ONE_RUN: &str = "merge what `test --shard 1/N` to `N/N` made of one selection";

fn latest(ends: Vec<String>) -> Option<String> {
    ends.into_iter().max()
}

/// A merged run has come as far as the worst of its shards.
fn rank(state: RunState) -> u8 {
    match state {
        RunState::Complete => 0,
        RunState::Cancelled => 1,
        RunState::Running => 2,
        RunState::Failed => 3,
    }
}

/// How far a run came. One that was merged came as far as its shards: which of them it lacked is seen anew.
fn own_state(run: &Run) -> RunState {
    run.shards.iter().map(|shard| shard.state).max_by_key(|state| rank(*state)).unwrap_or(run.state)
}

fn shard_record(run: &Run) -> ShardRecord {
    ShardRecord {
        id: run.id.clone(),
        state: own_state(run),
        started: run.started.clone(),
        ended: run.ended.clone(),
        command: run.command.clone(),
        host: run.host.clone(),
        parts: run.shard.into_iter().chain(run.shards.iter().flat_map(|shard| shard.parts.clone())).collect(),
        cells: Vec::new(),
    }
}

/// The shards that a merged record lacks; none where no record of it is one.
pub fn missing_shards(merged: &Run) -> Vec<Shard> {
    let parts = merged.shards.iter().flat_map(|shard| &shard.parts);
    let Some(count) = parts.clone().next().map(|part| part.count) else { return Vec::new() };
    (1..=count)
        .map(|index| Shard { index, count })
        .filter(|wanted| !parts.clone().any(|part| part == wanted))
        .collect()
}

/// Whether all records that are shards are of as many.
fn check_counts(merged: &Run) -> Result<(), Fault> {
    let parts =
        || merged.shards.iter().flat_map(|shard| shard.parts.iter().map(move |part| (&shard.id, part)));
    let Some((first, of)) = parts().next() else { return Ok(()) };
    let Some((other, part)) = parts().find(|(_, part)| part.count != of.count) else { return Ok(()) };
    let what = format!("run {first} is shard {of}, and run {other} is shard {part}");
    Err(Fault::usage(what).help(NOT_ONE_RUN))
}

/// What the machines have in common; `several` where they differ.
fn common_host(shards: &[Run]) -> Host {
    let word = |part: fn(&Host) -> &String| {
        let mut all: Vec<&String> = shards.iter().map(|run| part(&run.host)).collect();
        all.dedup();
        if let [only] = all[..] { only.clone() } else { "several".to_owned() }
    };
    Host {
        kernel: word(|host| &host.kernel),
        cpu: word(|host| &host.cpu),
        cpus: shards.iter().map(|run| run.host.cpus).min().unwrap_or(0),
        qemu: word(|host| &host.qemu),
        lab: word(|host| &host.lab),
    }
}

/// Takes a cell up, and says whether it was: of two equal verdicts the first stays.
fn add_cell(merged: &mut Run, cell: &CellRecord) -> Result<bool, Fault> {
    let Some(at) = merged.cells.iter().position(|other| other.id == cell.id) else {
        merged.cells.push(cell.clone());
        return Ok(true);
    };
    let there = &merged.cells[at];
    if cell.outcome == Outcome::Cancelled || is_same_verdict(there, cell) {
        return Ok(false);
    }
    if there.outcome == Outcome::Cancelled {
        merged.cells[at] = cell.clone();
        return Ok(true);
    }
    let of = |cell: &CellRecord| format!("{} (boot {})", cell.outcome.word(), short(&cell.keys.boot));
    let what = format!("there are two verdicts on {}: {} and {}", cell.id, of(there), of(cell));
    Err(Fault::usage(what).help("leave one of the records out"))
}

fn short(key: &str) -> &str {
    if key.is_empty() { "none" } else { key.get(..12).unwrap_or(key) }
}

/// Whether two records say the same of the same kernel, programs and inputs.
fn is_same_verdict(one: &CellRecord, other: &CellRecord) -> bool {
    let statuses = |cell: &CellRecord| -> Vec<_> {
        results(cell).into_iter().map(|(key, shown)| (key, shown.status)).collect()
    };
    let keyed = one.keys == other.keys && one.keys != Keys::default();
    one == other || (keyed && one.outcome == other.outcome && statuses(one) == statuses(other))
}

fn add_origins(merged: &mut Run, run: &Run) -> Result<(), Fault> {
    for (name, record) in &run.series {
        match merged.series.get_mut(name) {
            None => {
                merged.series.insert(name.clone(), record.clone());
            }
            Some(there) if is_same_series(there, record) => {
                there.applied.extend(&record.applied);
                there.applied.sort_unstable();
                there.applied.dedup();
            }
            Some(_) => {
                let what = format!("run {} has another series `{name}` than those before it", run.id);
                return Err(Fault::usage(what).help(NOT_ONE_RUN));
            }
        }
    }
    for (name, record) in &run.trees {
        let same = |there: &TreeRecord| there.tree == record.tree;
        if let Some(there) = merged.trees.get(name).filter(|there| !same(there)) {
            let versions = format!("{} and {}", there.version, record.version);
            let what = format!("run {}: tree `{name}` is another one ({versions})", run.id);
            return Err(Fault::usage(what).help(NOT_ONE_RUN));
        }
        merged.trees.insert(name.clone(), record.clone());
    }
    Ok(())
}

fn is_same_series(one: &SeriesRecord, other: &SeriesRecord) -> bool {
    let digests = |series: &SeriesRecord| -> Vec<String> {
        series.patches.iter().map(|patch| patch.digest.clone()).collect()
    };
    digests(one) == digests(other)
}

/// The order in which one machine would have them: trees, points, variants, flavors.
fn sort_cells(cells: &mut [CellRecord], flavors: &[String]) {
    cells.sort_by_cached_key(|cell| {
        let id = CellId::parse(&cell.id);
        let id = id.unwrap_or(CellId { tree: "", series: "", applied: None, flavor: &cell.id });
        let mut words = id.flavor.split('+').map(str::to_owned);
        let plain = words.next().unwrap_or_default();
        let rank = flavors.iter().position(|name| *name == plain).unwrap_or(usize::MAX);
        (id.tree.to_owned(), id.series.to_owned(), id.applied, words.collect::<Vec<_>>(), rank, plain)
    });
}

/// Holds a merged record against its plan. A planned cell without a verdict, or without one of its checks,
/// becomes trouble of the lab's: whatever else the record says, it is no pass. Gives how many cells that are.
pub fn hold_against(run: &mut Run, plan: &[PlannedCell]) -> usize {
    let mut missing = 0;
    for planned in plan {
        let Some(cell) = run.cells.iter_mut().find(|cell| cell.id == planned.id) else {
            let why = "no record has this cell".to_owned();
            run.cells.push(CellRecord::without_guest(&planned.id, Outcome::Infra, why, Vec::new()));
            missing += 1;
            continue;
        };
        let is_there = |name: &&String| cell.checks.iter().any(|check| check.name == **name);
        let lacking = planned.checks.iter().find(|name| !is_there(name));
        let why = match (cell.outcome, lacking) {
            (Outcome::Cancelled, _) => Some("no record has a verdict on this cell".to_owned()),
            // Where no guest came to its checks there are none.
            (Outcome::Pass | Outcome::Fail, Some(name)) => {
                Some(format!("its record lacks the planned check {name}"))
            }
            _ => None,
        };
        if let Some(why) = why {
            (cell.outcome, cell.reason) = (Outcome::Infra, why);
            missing += 1;
        }
    }
    missing
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
