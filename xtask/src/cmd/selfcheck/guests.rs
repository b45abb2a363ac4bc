// SPDX-License-Identifier: MIT OR Apache-2.0
//! The suite `guests`: kernels and guests that are broken on purpose, each of which must be seen for what it is.

use std::cmp::Reverse;
use std::time::Duration;

use anyhow::Result;

use crate::cli::SelfcheckArgs;
use crate::cmd::engine::{GoOn, Phases, run_phases};
use crate::cmd::selfcheck::{Case, Wanted};
use crate::cmd::session::Session;
use crate::judge::guest_fault::{differences, guest_time};
use crate::lab::Lab;
use crate::lab::check::{Check, CheckKind};
use crate::lab::guest_fault::{GuestFault, PROGRAM, Plant, read};
use crate::lab::names::CheckName;
use crate::parse::splat::Splats;
use crate::plan::select::Selection;
use crate::plan::work::{Plan, PlannedCheck, Planted, Scope};
use crate::record::model::{CellRecord, Run};
use crate::run::context::{CutOff, Options};
use crate::run::event::{Cached, Event, Step};
use crate::tell;
use crate::tell::selfcheck::FaultResult;
use crate::tell::terminal::Terminal;

/// Time of the checks before and after the faulty one.
const HEALTHY_CHECK: Duration = Duration::from_secs(20);

/// Guests at a time for each CPU: many of them do nothing but wait for their deadlines.
const JOBS_PER_CPU: usize = 2;

/// How much longer than its deadline a guest may run before the lab ends it.
const SPARE: Duration = Duration::from_secs(5);

/// The faults, and what each is.
pub(super) fn names(session: &Session) -> Result<Vec<(String, String)>> {
    let faults = read(&session.lab.root)?;
    Ok(faults.into_iter().map(|fault| (fault.name.to_string(), fault.what)).collect())
}

/// Boots a guest for each fault that is wanted.
///
/// # Errors
/// Usage faults, interrupts, and trouble of the lab's that leaves no record.
pub(super) fn run(
    session: &mut Session,
    args: &SelfcheckArgs,
    asked: &Wanted,
    splats: &Splats,
) -> Result<Vec<Case>> {
    let mut faults = read(&session.lab.root)?;
    faults.retain(|fault| asked.has(fault.name.as_str()));
    if faults.is_empty() {
        return Ok(Vec::new());
    }
    // What needs no kernel of its own need not wait for one; and what takes longest goes first, so that no guest
    // runs alone at the end.
    faults.sort_by_key(|fault| {
        let needs_kernel = matches!(fault.plant, Plant::Kernel(_) | Plant::KernelInCheck(_));
        let takes = fault.boot.unwrap_or_default() + fault.check_deadline() + fault.grace.unwrap_or_default();
        (needs_kernel, Reverse(takes))
    });
    let (plan, cells) = plan(&mut session.lab, &faults)?;
    // What is wanted of some is that the lab itself is in trouble: that is not tried again.
    let cut_off = CutOff::RunAgain;
    let mut options = Options { retries: 0, fail_fast: false, cut_off, ..args.run.options() };
    if args.run.jobs.is_none() {
        options.jobs *= JOBS_PER_CPU;
    }
    let fault_of = |record: &CellRecord| cells.iter().position(|cell| *cell == record.id);
    let mut on_event = |terminal: &mut Terminal, event: &Event| match event {
        Event::Cell(record) => {
            if let Some(at) = fault_of(record) {
                terminal.print(&tell::selfcheck::line(&result(&faults[at], record)));
            }
        }
        Event::Done { step: Step::Build, cached: Cached::Yes, .. }
        | Event::Done { step: Step::Apply, .. } => {}
        _ => terminal.event(event),
    };
    let as_it_is = |_: &Run, plan: &Plan| plan.clone();
    let phases = Phases { plans: &[&plan], fit: &as_it_is, options: &options, splats, seed: 0 };
    let (run, folder, ended) = run_phases(session, &phases, &mut on_event, &|_| GoOn::Yes)?;
    ended?;
    crate::sys::interrupt::check()?;
    let results: Vec<FaultResult> =
        run.cells.iter().filter_map(|record| Some(result(&faults[fault_of(record)?], record))).collect();
    tell::print(&format!(
        "\n{}\n{}\n",
        tell::selfcheck::table(&results),
        folder.path().join("run.json").display()
    ));
    // A fault without a record has not been seen for what it is, either.
    let told = |fault: &GuestFault| results.iter().find(|result| result.name == fault.name.as_str());
    Ok(faults.iter().map(|fault| case(fault, told(fault))).collect())
}

fn result(fault: &GuestFault, record: &CellRecord) -> FaultResult {
    FaultResult {
        name: fault.name.to_string(),
        wanted: fault.outcome.word(),
        got: record.outcome.word(),
        took: guest_time(record),
        reason: record.reason.clone(),
        wrong: differences(fault, record),
    }
}

fn case(fault: &GuestFault, result: Option<&FaultResult>) -> Case {
    let told = match result {
        None => Err("no record of its guest came".to_owned()),
        Some(result) if result.wrong.is_empty() => Ok(result.reason.clone()),
        Some(result) => Err(result.wrong.join("; ")),
    };
    let wanted = format!("{}: {}", fault.outcome.word(), fault.what);
    Case { name: fault.name.to_string(), wanted, told }
}

/// A guest for each fault, and the ids of their cells. Each becomes a series of the lab, whose kernel is that of
/// the default series, or that with the faults in it.
fn plan(lab: &mut Lab, faults: &[GuestFault]) -> Result<(Plan, Vec<String>)> {
    let (mut all, mut cells) = (Plan::default(), Vec::new());
    for fault in faults {
        let series = fault.series(&lab.root, &lab.defaults.series)?;
        let point = series.last_point();
        lab.series.insert(series.name.clone(), series);
        let id = format!("{}/{point}/{}", lab.defaults.tree, fault.flavor);
        let selection = Selection { globs: vec![id.clone()], ..Selection::default() };
        let mut plan = Plan::make(lab, &selection)?;
        for guest in &mut plan.guests {
            guest.checks = checks(fault)?;
            guest.planted = Some(planted(fault));
        }
        all.append(plan);
        cells.push(id);
    }
    Ok((all, cells))
}

/// A check that passes, the faulty one, and another that passes.
fn checks(fault: &GuestFault) -> Result<Vec<PlannedCheck>> {
    let healthy = || vec!["pass".to_owned()];
    let faulty = match &fault.plant {
        Plant::Check(arguments) => arguments.clone(),
        Plant::KernelInCheck(name) => vec!["kernel".to_owned(), name.clone()],
        Plant::Init(_) | Plant::Kernel(_) | Plant::CommandLine(_) | Plant::Host(_) => healthy(),
    };
    let all = [
        ("selfcheck.before", healthy(), HEALTHY_CHECK),
        ("selfcheck.fault", faulty, fault.check_deadline()),
        ("selfcheck.after", healthy(), HEALTHY_CHECK),
    ];
    let planned = |(name, args, deadline): (&str, Vec<String>, Duration)| -> Result<PlannedCheck> {
        let check = Check {
            name: CheckName::parse(name)?,
            kind: CheckKind::Program { source: PROGRAM.to_owned() },
            args,
            cflags: Vec::new(),
            libraries: Vec::new(),
            requires: Vec::new(),
            deadline,
        };
        Ok(PlannedCheck { check, scope: Scope::Asked })
    };
    all.into_iter().take(fault.statuses.len()).map(planned).collect()
}

fn planted(fault: &GuestFault) -> Planted {
    Planted {
        append: fault.command_line(),
        init: match &fault.plant {
            Plant::Init(name) => Some(name.clone()),
            _ => None,
        },
        kill: match &fault.plant {
            Plant::Host(at) => Some(*at),
            _ => None,
        },
        boot: fault.boot,
        grace: fault.grace,
        guest: fault.deadline + SPARE,
    }
}
