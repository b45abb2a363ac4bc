// SPDX-License-Identifier: MIT OR Apache-2.0
//! `test`: fetch, apply, build, boot, check, record.

use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use console::Style;
use fs_err as fs;

use crate::cli::{Cli, TestArgs};
use crate::cmd::bench::refuse_in;
use crate::cmd::engine;
use crate::cmd::session::{Session, host_packages, parse_splats};
use crate::fault;
use crate::lab::Lab;
use crate::lab::check::CheckKind;
use crate::lab::names::{CheckName, SeriesName};
use crate::parse::splat::Splats;
use crate::plan::cell::parse_point;
use crate::plan::probe::probes;
use crate::plan::select::{Baseline, Points, Selection};
use crate::plan::work::{Plan, Scope, SourceWork};
use crate::record::baseline::deciding;
use crate::record::exit_codes::{ExitCodes, Ground, bisect_code, ground};
use crate::record::model::{CellRole, Outcome, Run, RunState, worst_exit_code};
use crate::record::repeat::{RepeatRecord, Rounds};
use crate::record::store::{RunFolder, new_id, timestamp, write_atomically};
use crate::run::context::{CutOff, Options};
use crate::tell;
use crate::tell::terminal::status_line;

/// Runs the verb.
///
/// # Errors
/// Usage faults, and trouble of the lab's that leaves no record.
pub fn run(cli: &Cli, args: &TestArgs) -> Result<u8> {
    let mut session = Session::open(cli)?;
    let named = session.name_axes(&args.select.axes)?;
    let selection = Selection {
        points: if args.every_patch { Points::Every } else { Points::Named },
        baseline: if args.baseline { Baseline::Compared } else { Baseline::LeftOut },
        ..args.select.selection(named.trees, named.series)
    };
    let mut plan = Plan::make(&session.lab, &selection)?;
    match &args.tests_from {
        Some(from) => hold_tests(&session.lab, &mut plan, from)?,
        None => plan.append(probes(&mut session.lab, &selection, &plan)?),
    }
    refuse_in(&plan)?;
    if let Some(shard) = selection.shard.filter(|_| plan.guests.is_empty()) {
        tell::print(&format!("shard {shard} is empty: there are fewer kernels than shards\n"));
    }
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
    let options = Options { cut_off: CutOff::RunAgain, ..args.run.options() };
    let mut worst = Vec::new();
    let mut rounds = Rounds::default();
    let ran = (1..=args.repeat).try_for_each(|round| -> Result<()> {
        // Behind `--fail-fast` no round is begun.
        if options.fail_fast && worst_exit_code(worst.iter().map(|(outcome, _)| *outcome)) != fault::EXIT_OK {
            return Ok(());
        }
        if args.repeat > 1 {
            let text = format!("{round} of {}", args.repeat);
            tell::print(&status_line(&Style::new().cyan(), "ROUND", None, &text));
        }
        let (run, _) = engine::run_plan(&session, &plan, &options, &splats, 0)?;
        tell_unused(&splats, &run);
        worst.extend(deciding(&run).map(|(cell, outcome)| (outcome, ground(cell))));
        if args.save_names {
            save_names(&session.lab, &plan, &run)?;
        }
        rounds.add(run);
        Ok(crate::sys::interrupt::check()?)
    });
    if rounds.len() > 1 {
        let state = if ran.is_ok() { RunState::Complete } else { RunState::Cancelled };
        let flaky = sum_up(&session, rounds, state)?;
        worst.extend(flaky.then_some((Outcome::Fail, Ground::Seen)));
    }
    ran?;
    Ok(match args.exit_codes {
        ExitCodes::Lab => worst_exit_code(worst.into_iter().map(|(outcome, _)| outcome)),
        ExitCodes::Bisect => bisect_code(worst, args.bad_if),
    })
}

/// Keeps and tells what all rounds say together. Says whether a result of a tested cell changed its mind.
fn sum_up(session: &Session, rounds: Rounds, state: RunState) -> Result<bool> {
    let now = SystemTime::now();
    let Some(mut run) = rounds.record(new_id(&session.results, now), state) else { return Ok(false) };
    let folder = RunFolder::create(&session.results, &run.id)?;
    for name in run.cells.iter_mut().chain(&mut run.probes).flat_map(|cell| cell.files.values_mut()) {
        *name = take_file(&session.results, &folder, name)?;
    }
    folder.write(&run)?;
    engine::reports(&run, &folder)?;
    tell::print(&tell::summary::summary(&run, folder.path()));
    let is_subject = |id: &str| run.cells.iter().any(|cell| cell.id == id && cell.role == CellRole::Subject);
    Ok(run.repeat.iter().flat_map(RepeatRecord::flaky).any(|rate| is_subject(&rate.cell)))
}

/// Takes the file `ID/NAME` of a round into the folder of all rounds, and says what it is called there.
fn take_file(results: &Path, folder: &RunFolder, name: &str) -> Result<String> {
    let own = name.rsplit('/').next().unwrap_or(name);
    let target = folder.path().join(own);
    if !target.exists() && fs::hard_link(results.join(name), &target).is_err() {
        fs::copy(results.join(name), &target)?;
    }
    Ok(own.to_owned())
}

/// Tells of allow entries that excused nothing, where guests were booted that they could have excused.
fn tell_unused(splats: &Splats, run: &Run) {
    let booted: Vec<_> = run.cells.iter().filter(|cell| !cell.keys.boot.is_empty()).collect();
    if booted.is_empty() {
        return;
    }
    for allow in splats.allows() {
        let pattern = allow.pattern.as_str();
        let is_used = booted.iter().flat_map(|cell| &cell.excused).any(|excused| excused.pattern == pattern);
        if !is_used {
            let text = format!("configs/splats.toml: nothing in this run fits the entry `{pattern}`");
            tell::print(&status_line(&Style::new().yellow(), "NOTE", None, &text));
        }
    }
}

/// Takes the tests of all guests from a point of their tree, or from another tree.
fn hold_tests(lab: &Lab, plan: &mut Plan, from: &str) -> Result<(), fault::Fault> {
    let tree = lab.trees.keys().find(|tree| tree.as_str() == from).cloned();
    let point = parse_point(lab, if tree.is_some() { SeriesName::NONE } else { from })?;
    for guest in &mut plan.guests {
        let tree = tree.clone().unwrap_or_else(|| guest.cell.tree.clone());
        guest.tests_from = Some(SourceWork { tree, point: point.clone() });
    }
    Ok(())
}

/// The list of splats without what has run out, which is told.
///
/// # Errors
/// A usage fault that names the entry.
pub fn read_splats(lab: &Lab) -> Result<Splats> {
    let usage = |error: anyhow::Error| fault::Fault::usage(format!("configs/splats.toml: {error:#}"));
    let splats = parse_splats(lab)?;
    let today = &timestamp(SystemTime::now())[..10];
    for allow in splats.expired(today).map_err(usage)? {
        let text = format!(
            "configs/splats.toml: the entry `{}` held until {} and is ignored",
            allow.pattern, allow.until
        );
        tell::print(&status_line(&Style::new().yellow(), "NOTE", None, &text));
    }
    let expired = lab
        .expected
        .expired(today)
        .map(|entry| format!("the entry for `{}` held until {} and is ignored", entry.check, entry.until));
    let names: Vec<&str> = lab.checks.keys().map(CheckName::as_str).collect();
    let aimless = lab.expected.aimless(&names).map(|entry| {
        format!("the entry for `{}` fits no check of the lab: `cargo xtask list` shows them", entry.check)
    });
    for text in expired.chain(aimless) {
        let text = format!("configs/expected.toml: {text}");
        tell::print(&status_line(&Style::new().yellow(), "NOTE", None, &text));
    }
    Ok(splats.without_expired(today).map_err(usage)?)
}

/// Keeps the names of the sub-tests of what passed, for each tree.
fn save_names(lab: &Lab, plan: &Plan, run: &Run) -> Result<()> {
    for guest in &plan.guests {
        let id = guest.cell.to_string();
        let passed = run.cells.iter().filter(|cell| cell.id == id && cell.outcome == Outcome::Pass);
        for record in passed.flat_map(|cell| &cell.checks) {
            let check = guest.checks.iter().find(|planned| planned.check.name.as_str() == record.name);
            let has_names =
                |kind: &CheckKind| !matches!(kind, CheckKind::Oracle { .. } | CheckKind::Static { .. });
            let Some(check) = check.filter(|planned| has_names(&planned.check.kind)) else {
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
