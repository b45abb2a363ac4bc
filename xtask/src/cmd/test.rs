// SPDX-License-Identifier: MIT OR Apache-2.0
//! `test`: fetch, apply, build, boot, check, record.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Instant, SystemTime};

use anyhow::Result;
use console::Style;
use fs_err as fs;

use crate::cli::{Cli, TestArgs};
use crate::cmd::session::{Session, describe_host, host_packages};
use crate::fault;
use crate::lab::Lab;
use crate::lab::check::CheckKind;
use crate::lab::series::{Series, SeriesOrigin};
use crate::parse::splat::Splats;
use crate::plan::work::{Plan, Scope};
use crate::record::model::{
    CellRecord, Host, Outcome, PatchRecord, Run, RunState, SCHEMA, SeriesRecord, worst_exit_code,
};
use crate::record::store::{RunFolder, new_id, timestamp, write_atomically};
use crate::run::compiler::Toolchain;
use crate::run::context::{Context, Options};
use crate::run::event::Event;
use crate::run::guest::{millis, without_guest};
use crate::run::schedule;
use crate::tell;
use crate::tell::terminal::{Terminal, status_line};

/// Runs the verb.
///
/// # Errors
/// Usage faults, and trouble of the lab's that leaves no record.
pub fn run(cli: &Cli, args: &TestArgs) -> Result<u8> {
    let mut session = Session::open(cli)?;
    let named = session.name_ad_hoc(&args.select.tree, &args.select.series)?;
    let plan = Plan::make(&session.lab, &args.select.selection(named.trees, named.series))?;
    if args.dry_run {
        tell::print(&describe(&session.lab, &plan)?);
        return Ok(fault::EXIT_OK);
    }
    if !args.run.skip_host_check {
        host_packages(args.run.install_deps, &mut |text| {
            tell::print(&status_line(&Style::new().cyan(), "PACKAGES", None, text));
        })?;
    }
    let splats = read_splats(&session.lab)?;
    let options = args.run.options();
    let mut worst = Vec::new();
    for round in 1..=args.repeat {
        if args.repeat > 1 {
            let text = format!("{round} of {}", args.repeat);
            tell::print(&status_line(&Style::new().cyan(), "ROUND", None, &text));
        }
        let run = run_once(&session, &plan, &options, &splats)?;
        worst.extend(run.cells.iter().map(|cell| cell.outcome));
        if args.save_names {
            save_names(&session.lab, &plan, &run)?;
        }
        crate::sys::interrupt::check()?;
        if options.fail_fast && worst_exit_code(worst.iter().copied()) != fault::EXIT_OK {
            break;
        }
    }
    Ok(worst_exit_code(worst))
}

/// The list of splats without what has run out, which is told.
///
/// # Errors
/// A usage fault that names the entry.
pub fn read_splats(lab: &Lab) -> Result<Splats> {
    let usage = |error: anyhow::Error| fault::Fault::usage(format!("configs/splats.toml: {error:#}"));
    let splats = Splats::parse(&lab.splats).map_err(usage)?;
    let today = &timestamp(SystemTime::now())[..10];
    for allow in splats.expired(today).map_err(usage)? {
        let text = format!(
            "configs/splats.toml: the entry `{}` held until {} and is ignored",
            allow.pattern, allow.until
        );
        tell::print(&status_line(&Style::new().yellow(), "NOTE", None, &text));
    }
    for entry in lab.expected.expired(today) {
        let text = format!(
            "configs/expected.toml: the entry for `{}` held until {} and is ignored",
            entry.check, entry.until
        );
        tell::print(&status_line(&Style::new().yellow(), "NOTE", None, &text));
    }
    Ok(splats.without_expired(today).map_err(usage)?)
}

/// One run with a record of its own.
fn run_once(session: &Session, plan: &Plan, options: &Options, splats: &Splats) -> Result<Run> {
    let started = Instant::now();
    let cache = session.cache()?;
    // Before the record is begun: what fails here must not leave one that says `running`.
    let (host, toolchain) = (describe_host()?, Toolchain::ask()?);
    let mut run = new_run(&session.lab, plan, &host)?;
    let folder = RunFolder::create(&session.results, &run.id)?;
    folder.write(&run)?;
    let (sender, events) = channel();
    let context = Context::new(&session.lab, &cache, toolchain, options, folder.path().to_owned(), sender);
    let mut terminal = Terminal::new();
    let result = std::thread::scope(|scope| {
        let host = &host;
        let engine = scope.spawn(move || {
            let result = schedule::run(&context, plan, host, splats);
            // The last sender goes with the context: it ends the loop below.
            drop(context);
            result
        });
        let told = listen(&events, &mut run, &folder, &mut terminal);
        let worked = engine.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the lab panicked")));
        worked.and(told)
    });
    terminal.finish();
    run.state = match &result {
        // A guest that was killed by an interrupt has an outcome, and yet the run is not complete.
        _ if crate::sys::interrupt::is_interrupted() => RunState::Cancelled,
        Ok(()) => RunState::Complete,
        Err(_) => RunState::Failed,
    };
    run.ended = Some(timestamp(SystemTime::now()));
    run.timings_ms.insert("total".into(), millis(started.elapsed()));
    finish(&run, &folder)?;
    // Where nothing ran there is nothing to tell but the error itself.
    if result.is_ok() || run.cells.iter().any(|cell| !cell.attempts.is_empty()) {
        tell::print(&tell::summary::summary(&run, folder.path()));
    }
    result?;
    Ok(run)
}

/// Keeps the names of the sub-tests of what passed, for each tree.
fn save_names(lab: &Lab, plan: &Plan, run: &Run) -> Result<()> {
    for guest in &plan.guests {
        let id = guest.cell.to_string();
        let passed = run.cells.iter().filter(|cell| cell.id == id && cell.outcome == Outcome::Pass);
        for record in passed.flat_map(|cell| &cell.checks) {
            let check = guest.checks.iter().find(|planned| planned.check.name.as_str() == record.name);
            let Some(check) = check.filter(|planned| !matches!(planned.check.kind, CheckKind::Oracle { .. }))
            else {
                continue;
            };
            let path = lab.names_file(&guest.cell.tree, &check.check.name);
            let mut text = format!(
                "# Sub-tests of {} on tree {}, as `test --save-names` found them.\n",
                record.name, guest.cell.tree
            );
            for sub in &record.subs {
                text.push_str(&sub.name());
                text.push('\n');
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            write_atomically(&path, text.as_bytes())?;
        }
    }
    Ok(())
}

/// Takes events as they come: to the terminal, and verdicts to the record.
fn listen(
    events: &Receiver<Event>,
    run: &mut Run,
    folder: &RunFolder,
    terminal: &mut Terminal,
) -> Result<()> {
    let mut written = Ok(());
    for event in events {
        terminal.event(&event);
        match event {
            Event::Cell(record) => {
                if let Some(cell) = run.cells.iter_mut().find(|cell| cell.id == record.id) {
                    *cell = *record;
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

/// The last writing: the record, and the reports that CI collects.
fn finish(run: &Run, folder: &RunFolder) -> Result<()> {
    folder.write(run)?;
    write_atomically(&folder.path().join("junit.xml"), tell::junit::junit(run)?.as_bytes())?;
    write_atomically(&folder.path().join("results.ktap"), tell::ktap::ktap(run).as_bytes())
}

/// A record in which nothing has a verdict yet: what never comes to its turn stays cancelled.
fn new_run(lab: &Lab, plan: &Plan, host: &Host) -> Result<Run> {
    let now = SystemTime::now();
    let blank = |cell: String| -> CellRecord {
        without_guest(&cell, Outcome::Cancelled, "it never came to its turn".into(), Vec::new())
    };
    Ok(Run {
        schema: SCHEMA,
        id: new_id(now),
        state: RunState::Running,
        started: timestamp(now),
        ended: None,
        command: std::iter::once("cargo".to_owned())
            .chain(std::iter::once("xtask".to_owned()))
            .chain(std::env::args().skip(1))
            .collect(),
        host: host.clone(),
        seed: 0,
        series: series_records(lab, plan)?,
        trees: BTreeMap::new(),
        cells: plan.guests.iter().map(|guest| blank(guest.cell.to_string())).collect(),
        timings_ms: BTreeMap::new(),
    })
}

/// Where the series of a plan came from, those that they require included.
fn series_records(lab: &Lab, plan: &Plan) -> Result<BTreeMap<String, SeriesRecord>> {
    let mut records: BTreeMap<String, SeriesRecord> = BTreeMap::new();
    for source in &plan.sources {
        for (series, applied) in lab.applied(&source.point)? {
            let record = records.entry(series.name.to_string()).or_insert_with(|| series_record(series));
            if !record.applied.contains(&applied) {
                record.applied.push(applied);
            }
        }
    }
    Ok(records)
}

fn series_record(series: &Series) -> SeriesRecord {
    let patches = series.patches.iter().map(|patch| PatchRecord {
        file: patch.file.clone(),
        subject: patch.subject.clone(),
        digest: patch.digest.clone(),
        version: patch.provenance.version,
        trailers: patch.provenance.trailers.clone(),
        message_id: patch.message_id.clone(),
    });
    SeriesRecord {
        origin: match &series.origin {
            SeriesOrigin::Shipped => format!("kernel-patches/{}", series.name),
            SeriesOrigin::AdHoc(path) => path.display().to_string(),
            SeriesOrigin::Empty => "no patches".into(),
        },
        base_commit: series.base_commit.clone(),
        applied: Vec::new(),
        patches: patches.collect(),
    }
}

/// The plan as text.
fn describe(lab: &Lab, plan: &Plan) -> Result<String> {
    let mut text = String::new();
    for (at, source) in plan.sources.iter().enumerate() {
        let tree = lab.trees.get(&source.tree).map(|tree| tree.source.describe()).unwrap_or_default();
        let _ = writeln!(text, "source {}/{}: {tree}", source.tree, source.point);
        for patch in lab.patches(&source.point)? {
            let _ = writeln!(text, "    apply {}", patch.file);
        }
        for (kernel_at, kernel) in plan.kernels.iter().enumerate().filter(|(_, kernel)| kernel.source == at) {
            let _ = writeln!(text, "  kernel {}: {} symbols", kernel.id, kernel.wanted.iter().count());
            for guest in plan.guests.iter().filter(|guest| guest.kernel == kernel_at) {
                let checks = guest.checks.iter().map(|check| match check.scope {
                    Scope::Asked => check.check.name.to_string(),
                    Scope::WherePresent => format!("{} (where present)", check.check.name),
                });
                let _ = writeln!(text, "    guest {}: {}", guest.cell, checks.collect::<Vec<_>>().join(", "));
            }
        }
    }
    Ok(text)
}
