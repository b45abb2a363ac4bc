// SPDX-License-Identifier: MIT OR Apache-2.0
//! A plan carried out with a record and a terminal: what `test` and the verbs like it share.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Instant, SystemTime};

use anyhow::Result;

use crate::cmd::series_record::series_records;
use crate::cmd::session::{Session, describe_host};
use crate::lab::Lab;
use crate::parse::splat::Splats;
use crate::plan::work::{GuestWork, Plan};
use crate::record::model::{CellRecord, Host, Run, RunState, SCHEMA};
use crate::record::store::{RunFolder, new_id, timestamp, write_atomically};
use crate::run::compiler::Toolchain;
use crate::run::context::{Context, Options};
use crate::run::event::Event;
use crate::run::guest::millis;
use crate::run::schedule;
use crate::tell;
use crate::tell::terminal::Terminal;

/// One run with a record of its own.
///
/// # Errors
/// Usage faults, interrupts, and trouble of the lab's that leaves no record.
pub fn run_plan(
    session: &Session,
    plan: &Plan,
    options: &Options,
    splats: &Splats,
    seed: u64,
) -> Result<(Run, RunFolder)> {
    let mut on_event = |terminal: &mut Terminal, event: &Event| terminal.event(event);
    let as_it_is = |_: &Run, plan: &Plan| plan.clone();
    let phases = Phases { plans: &[plan], fit: &as_it_is, options, splats, seed };
    let (run, folder, result) = run_phases(session, &phases, &mut on_event, &|_| GoOn::Yes)?;
    reports(&run, &folder)?;
    // Where nothing ran there is nothing to tell but the error itself.
    if result.is_ok() || run.cells.iter().any(|cell| !cell.attempts.is_empty()) {
        tell::print(&tell::summary::summary(&run, folder.path()));
    }
    result?;
    Ok((run, folder))
}

/// Plans that are carried out one after the other, and how.
pub struct Phases<'a> {
    /// The plans.
    pub plans: &'a [&'a Plan],
    /// Fits a plan to what is known when its turn has come: the same cells, with other deadlines.
    pub fit: &'a dyn Fn(&Run, &Plan) -> Plan,
    /// What the user decided about the running.
    pub options: &'a Options,
    /// What the kernel log is searched for.
    pub splats: &'a Splats,
    /// Seed of everything random.
    pub seed: u64,
}

/// Whether the next plan of a run is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoOn {
    /// It is.
    Yes,
    /// Its cells stay as they are: they never came to their turn.
    No,
}

/// One run with a record of its own, of several plans. `on_event` tells what happens; `after` is asked
/// when a plan has been carried out. The last that is given is how it went.
///
/// # Errors
/// Trouble of the lab's before there is a record, or in writing it.
pub fn run_phases(
    session: &Session,
    phases: &Phases<'_>,
    on_event: &mut dyn FnMut(&mut Terminal, &Event),
    after: &dyn Fn(&Run) -> GoOn,
) -> Result<(Run, RunFolder, Result<()>)> {
    let started = Instant::now();
    let cache = session.cache()?;
    // Before the record is begun: what fails here must not leave one that says `running`.
    let (host, toolchain) = (describe_host()?, Toolchain::ask()?);
    let mut run = new_run(&session.lab, phases, &host)?;
    let folder = RunFolder::create(&session.results, &run.id)?;
    folder.write(&run)?;
    let mut terminal = Terminal::new();
    let mut result = Ok(());
    let splats = phases.splats;
    for plan in phases.plans {
        let plan = &(phases.fit)(&run, plan);
        let (sender, events) = channel();
        let path = folder.path().to_owned();
        let context = Context::new(&session.lab, &cache, toolchain.clone(), phases.options, path, sender);
        result = std::thread::scope(|scope| {
            let host = &host;
            let engine = scope.spawn(move || {
                let result = schedule::run(&context, plan, host, splats);
                // The last sender goes with the context: it ends the loop below.
                drop(context);
                result
            });
            let told = listen(&events, &mut run, &folder, &mut |event| on_event(&mut terminal, event));
            let worked =
                engine.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the lab panicked")));
            worked.and(told)
        });
        if result.is_err() || after(&run) == GoOn::No {
            break;
        }
    }
    terminal.finish();
    run.state = match &result {
        // A guest that was killed by an interrupt has an outcome, and yet the run is not complete.
        _ if crate::sys::interrupt::is_interrupted() => RunState::Cancelled,
        Ok(()) => RunState::Complete,
        Err(_) => RunState::Failed,
    };
    run.ended = Some(timestamp(SystemTime::now()));
    run.timings_ms.insert("total".into(), millis(started.elapsed()));
    folder.write(&run)?;
    Ok((run, folder, result))
}

/// Takes events as they come: to who tells them, and verdicts to the record.
fn listen(
    events: &Receiver<Event>,
    run: &mut Run,
    folder: &RunFolder,
    on_event: &mut dyn FnMut(&Event),
) -> Result<()> {
    let mut written = Ok(());
    for event in events {
        on_event(&event);
        match event {
            Event::Cell(record) => {
                if let Some(cell) = run.cells.iter_mut().find(|cell| cell.id == record.id) {
                    *cell = CellRecord { role: cell.role, ..*record };
                }
            }
            Event::Tree { name, record } => {
                run.trees.insert(name, record);
            }
            _ => continue,
        }
        if written.is_ok() {
            written = folder.write(run);
        }
    }
    written
}

/// The reports that CI collects.
///
/// # Errors
/// If one cannot be written.
pub fn reports(run: &Run, folder: &RunFolder) -> Result<()> {
    write_atomically(&folder.path().join("junit.xml"), tell::junit::junit(run)?.as_bytes())?;
    write_atomically(&folder.path().join("results.ktap"), tell::ktap::ktap(run).as_bytes())
}

/// The command that this lab was started with, as a record has it.
pub fn command_line() -> Vec<String> {
    ["cargo", "xtask"].map(str::to_owned).into_iter().chain(std::env::args().skip(1)).collect()
}

/// A record in which nothing has a verdict yet: what never comes to its turn stays cancelled.
fn new_run(lab: &Lab, phases: &Phases<'_>, host: &Host) -> Result<Run> {
    let now = SystemTime::now();
    let blank = |guest: &GuestWork| -> CellRecord {
        CellRecord { role: guest.role, ..CellRecord::never_begun(&guest.cell.to_string()) }
    };
    let guests = phases.plans.iter().flat_map(|plan| &plan.guests);
    Ok(Run {
        schema: SCHEMA,
        id: new_id(now),
        state: RunState::Running,
        started: timestamp(now),
        ended: None,
        command: command_line(),
        host: host.clone(),
        seed: phases.seed,
        series: series_records(lab, phases.plans)?,
        trees: BTreeMap::new(),
        cells: guests.map(blank).collect(),
        mutants: Vec::new(),
        timings_ms: BTreeMap::new(),
        shards: Vec::new(),
    })
}
