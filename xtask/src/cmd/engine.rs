// SPDX-License-Identifier: MIT OR Apache-2.0
//! A plan carried out with a record and a terminal: what `test` and the verbs like it share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Instant, SystemTime};

use anyhow::Result;

use crate::cmd::series_record::series_records;
use crate::cmd::session::{Session, describe_host};
use crate::lab::Lab;
use crate::parse::splat::Splats;
use crate::plan::work::{GuestWork, Plan};
use crate::record::model::{CellRecord, CellRole, Host, Run, RunState, SCHEMA};
use crate::record::store::{RunFolder, new_id, timestamp, write_atomically};
use crate::run::cache::Cache;
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
    on_event: &mut OnEvent<'_>,
    after: &dyn Fn(&Run) -> GoOn,
) -> Result<(Run, RunFolder, Result<()>)> {
    let Phases { plans, fit, options, splats, seed } = *phases;
    let mut open = OpenRun::begin(session, options, splats, seed, plans)?;
    let mut result = Ok(());
    for plan in plans {
        let plan = fit(&open.run, plan);
        result = open.carry_out(&plan, on_event);
        if result.is_err() || after(&open.run) == GoOn::No {
            break;
        }
    }
    let (run, folder) = open.end(&result)?;
    Ok((run, folder, result))
}

/// Who tells what happens.
pub type OnEvent<'a> = dyn FnMut(&mut Terminal, &Event) + 'a;

/// A run that is under way: its record, its terminal, and what plans are carried out with.
pub struct OpenRun<'a> {
    session: &'a Session,
    options: &'a Options,
    splats: &'a Splats,
    cache: Cache,
    host: Host,
    toolchain: Toolchain,
    started: Instant,
    terminal: Terminal,
    /// The record so far.
    pub run: Run,
    /// Where it is kept.
    pub folder: RunFolder,
}

impl<'a> OpenRun<'a> {
    /// Begins a record of these plans.
    ///
    /// # Errors
    /// Trouble of the lab's that leaves no record.
    pub fn begin(
        session: &'a Session,
        options: &'a Options,
        splats: &'a Splats,
        seed: u64,
        plans: &[&Plan],
    ) -> Result<Self> {
        let started = Instant::now();
        let cache = session.cache()?;
        // Before the record is begun: what fails here must not leave one that says `running`.
        let (host, toolchain) = (describe_host()?, Toolchain::ask()?);
        let mut run = new_run(&session.results, seed, &host);
        run.shard = plans.first().and_then(|plan| plan.shard);
        for plan in plans {
            add(&session.lab, plan, &mut run)?;
        }
        let folder = RunFolder::create(&session.results, &run.id)?;
        folder.write(&run)?;
        let terminal = Terminal::new();
        Ok(Self { session, options, splats, cache, host, toolchain, started, terminal, run, folder })
    }

    /// Carries a plan out. Cells that the record does not have yet are added to it.
    ///
    /// # Errors
    /// As [`schedule::run`]; trouble in writing the record.
    pub fn carry_out(&mut self, plan: &Plan, on_event: &mut OnEvent<'_>) -> Result<()> {
        add(&self.session.lab, plan, &mut self.run)?;
        let (host, splats) = (self.host.clone(), self.splats);
        self.with_context(on_event, |context| schedule::run(context, plan, &host, splats))
    }

    /// Does some work of the engine's, and tells and records what happens.
    ///
    /// # Errors
    /// Those of the work; trouble in writing the record.
    pub fn with_context<T: Send>(
        &mut self,
        on_event: &mut OnEvent<'_>,
        work: impl FnOnce(&Context<'_>) -> Result<T> + Send,
    ) -> Result<T> {
        let (sender, events) = channel();
        let path = self.folder.path().to_owned();
        let (lab, cache, toolchain) = (&self.session.lab, &self.cache, self.toolchain.clone());
        let context = Context::new(lab, cache, toolchain, self.options, path, sender);
        let (run, folder, terminal) = (&mut self.run, &self.folder, &mut self.terminal);
        std::thread::scope(|scope| {
            let engine = scope.spawn(move || {
                let result = work(&context);
                // The last sender goes with the context: it ends the loop below.
                drop(context);
                result
            });
            let told = listen(&events, run, folder, &mut |event| on_event(terminal, event));
            let worked =
                engine.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the lab panicked")));
            worked.and_then(|worked| told.map(|()| worked))
        })
    }

    /// Prints lines between the bars.
    pub fn print(&self, text: &str) {
        self.terminal.print(text);
    }

    /// Ends the record: `result` is how it went.
    ///
    /// # Errors
    /// Trouble in writing the record.
    pub fn end(mut self, result: &Result<()>) -> Result<(Run, RunFolder)> {
        self.terminal.finish();
        self.run.state = match result {
            // A guest that was killed by an interrupt has an outcome, and yet the run is not complete.
            _ if crate::sys::interrupt::is_interrupted() => RunState::Cancelled,
            Ok(()) => RunState::Complete,
            Err(_) => RunState::Failed,
        };
        self.run.ended = Some(timestamp(SystemTime::now()));
        self.run.timings_ms.insert("total".into(), millis(self.started.elapsed()));
        self.folder.write(&self.run)?;
        Ok((self.run, self.folder))
    }
}

/// Takes events as they come: to who tells them, and verdicts to the record.
fn listen(
    events: &Receiver<Event>,
    run: &mut Run,
    folder: &RunFolder,
    on_event: &mut dyn FnMut(&Event),
) -> Result<()> {
    let mut written = Ok(());
    for mut event in events {
        let mut cells = run.cells.iter_mut().chain(&mut run.probes);
        if let Event::Cell(record) = &mut event
            && let Some(cell) = cells.find(|cell| cell.id == record.id)
        {
            record.role = cell.role;
            cell.clone_from(record);
        }
        on_event(&event);
        match event {
            Event::Cell(_) => {}
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

/// A cell that has no verdict yet: what never comes to its turn stays cancelled.
fn blank(guest: &GuestWork) -> CellRecord {
    CellRecord { role: guest.role, ..CellRecord::never_begun(&guest.cell.to_string()) }
}

/// Adds the cells of a plan that the record does not have yet, and where its series came from.
fn add(lab: &Lab, plan: &Plan, run: &mut Run) -> Result<()> {
    for (name, record) in series_records(lab, &[plan])? {
        let known = run.series.entry(name).or_insert_with(|| record.clone());
        let added: Vec<usize> =
            record.applied.into_iter().filter(|applied| !known.applied.contains(applied)).collect();
        known.applied.extend(added);
    }
    for guest in &plan.guests {
        let id = guest.cell.to_string();
        let cells = if guest.role == CellRole::Probe { &mut run.probes } else { &mut run.cells };
        if !cells.iter().any(|cell| cell.id == id) {
            cells.push(blank(guest));
        }
    }
    Ok(())
}

/// A record with nothing in it.
fn new_run(results: &Path, seed: u64, host: &Host) -> Run {
    let now = SystemTime::now();
    Run {
        schema: SCHEMA,
        id: new_id(results, now),
        state: RunState::Running,
        started: timestamp(now),
        ended: None,
        command: command_line(),
        host: host.clone(),
        seed,
        series: BTreeMap::new(),
        trees: BTreeMap::new(),
        cells: Vec::new(),
        probes: Vec::new(),
        mutants: Vec::new(),
        bench: None,
        bisect: None,
        timings_ms: BTreeMap::new(),
        shard: None,
        shards: Vec::new(),
        repeat: None,
    }
}
