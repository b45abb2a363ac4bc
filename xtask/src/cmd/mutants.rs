// SPDX-License-Identifier: MIT OR Apache-2.0
//! `mutants`: plant faults in the series one by one, and see which check notices each.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use console::Style;

use crate::cli::{Cli, MutantsArgs};
use crate::cmd::engine::{GoOn, Phases, run_phases};
use crate::cmd::session::{Session, host_packages};
use crate::cmd::test::read_splats;
use crate::fault::{self, Fault};
use crate::judge::mutant::{MutantEvidence, judge_mutant};
use crate::lab::Lab;
use crate::lab::check::Check;
use crate::lab::mutant::{FOLDER, Mutant, Mutants, series_name};
use crate::plan::cell::Cell;
use crate::plan::select::Selection;
use crate::plan::work::{GuestWork, Plan, PlannedCheck, Scope};
use crate::record::model::{CellRecord, Outcome, Run, worst_exit_code};
use crate::record::mutant::{MutantRecord, exit_code};
use crate::run::event::{Event, Step};
use crate::run::guest::millis;
use crate::tell;
use crate::tell::terminal::{Terminal, status_line};

/// A check may take this long on a mutant: some faults make one hang, and a check that passes takes
/// two seconds.
const CHECK_DEADLINE: Duration = Duration::from_secs(12);
/// It may take this many times as long as without the fault, where that is more.
const SLOWER_MAX: u32 = 6;
/// Longest that a guest of a plain kernel may take on a mutant.
const GUEST_DEADLINE: Duration = Duration::from_secs(300);

/// Runs the verb.
///
/// # Errors
/// Usage faults, and trouble of the lab's that leaves no record.
pub fn run(cli: &Cli, args: &MutantsArgs) -> Result<u8> {
    let mut session = Session::open(cli)?;
    let series = session.lab.defaults.series.clone();
    let mutants = Mutants::read(&session.lab, &series)?;
    let chosen = mutants.select(&args.names, args.class.as_deref())?;
    if args.list {
        tell::print(&tell::mutants::list(&chosen));
        return Ok(fault::EXIT_OK);
    }
    refuse(args)?;
    session.lab.deadlines.guest = session.lab.deadlines.guest.min(GUEST_DEADLINE);
    let baseline = baseline(&session.lab, &mutants, &chosen)?;
    let work = mutant_work(&mut session.lab, &mutants, &chosen)?;
    if !args.run.skip_host_check {
        host_packages(args.run.install_deps, &mut |text| {
            tell::print(&status_line(&Style::new().cyan(), "PACKAGES", None, text));
        })?;
    }
    let splats = read_splats(&session.lab)?;
    let options = args.run.options();
    let mut judging = Judging::new(&mutants, &chosen, &session.lab)?;
    let mut on_event = |terminal: &mut Terminal, event: &Event| {
        if let Some(record) = judging.event(event) {
            terminal.print(&tell::mutants::line(&record));
        } else if !matches!(event, Event::Cell(record) if judging.is_of_mutant(record)) {
            terminal.event(event);
        }
    };
    let is_healthy = |run: &Run| healthy(run, &baseline).all(|cell| cell.outcome == Outcome::Pass);
    let after = |run: &Run| if is_healthy(run) { GoOn::Yes } else { GoOn::No };
    let plans = [&baseline, &work];
    let fit = |run: &Run, plan: &Plan| fit_deadlines(plan, healthy(run, &baseline));
    let phases = Phases { plans: &plans, fit: &fit, options: &options, splats: &splats, seed: 0 };
    let (mut run, folder, result) = run_phases(&session, &phases, &mut on_event, &after)?;
    if !is_healthy(&run) {
        tell::print(&tell::summary::summary(&run, folder.path()));
        result?;
        let what = "the series does not pass without a fault planted in it: no mutant proves anything";
        tell::print(&status_line(&Style::new().red().bold(), "NOTHING", None, what));
        return Ok(worst_exit_code(healthy(&run, &baseline).map(|cell| cell.outcome)));
    }
    run.mutants = judging.conclude(&run);
    folder.write(&run)?;
    tell::print(&tell::mutants::summary(&run, folder.path()));
    result?;
    crate::sys::interrupt::check()?;
    Ok(exit_code(&run.mutants))
}

/// The cells of the series without a fault: the first of the record.
fn healthy<'a>(run: &'a Run, baseline: &Plan) -> impl Iterator<Item = &'a CellRecord> {
    run.cells.iter().take(baseline.guests.len())
}

/// Flags of running that mean nothing here.
fn refuse(args: &MutantsArgs) -> Result<(), Fault> {
    if args.run.kernel.is_some() {
        return Err(Fault::usage("--kernel: each mutant is a kernel of its own"));
    }
    if args.run.fail_fast {
        return Err(Fault::usage("--fail-fast: a mutant that is noticed fails, and the next is tried")
            .help("name the mutants to try: cargo xtask mutants NAME…"));
    }
    Ok(())
}

/// The series without a fault, on every flavor that a mutant is seen on, with every check that one is
/// asked: what fails there proves nothing.
fn baseline(lab: &Lab, mutants: &Mutants, chosen: &[&Mutant]) -> Result<Plan> {
    let point = lab.series(&mutants.series)?.last_point();
    let mut globs: Vec<String> = Vec::new();
    for flavor in chosen.iter().flat_map(|mutant| mutant.flavors(&mutants.flavors)) {
        let id = format!("{}/{point}/{flavor}", lab.defaults.tree);
        if !globs.contains(&id) {
            globs.push(id);
        }
    }
    let mut plan = Plan::make(lab, &Selection { globs, ..Selection::default() })?;
    for guest in &mut plan.guests {
        let of_flavor = |mutant: &&&Mutant| mutant.flavors(&mutants.flavors).contains(&guest.cell.flavor);
        let killers: Vec<&Check> =
            chosen.iter().filter(of_flavor).flat_map(|mutant| mutant.killers(lab)).collect();
        add_killers(guest, &killers);
    }
    Ok(plan)
}

/// The work for all mutants, in their order. Each becomes a series of the lab.
fn mutant_work(lab: &mut Lab, mutants: &Mutants, chosen: &[&Mutant]) -> Result<Plan> {
    let folder = lab.root.join("kernel-patches").join(mutants.series.as_str()).join(FOLDER);
    let mut work = Plan::default();
    for mutant in chosen {
        let series = mutant.series(&mutants.series, &folder)?;
        if lab.series.contains_key(&series.name) {
            return Err(Fault::usage(format!("there is a series `{}` already", series.name)).into());
        }
        let point = series.last_point();
        lab.series.insert(series.name.clone(), series);
        let flavors = mutant.flavors(&mutants.flavors);
        let globs = flavors.iter().map(|flavor| format!("{}/{point}/{flavor}", lab.defaults.tree)).collect();
        let mut plan = Plan::make(lab, &Selection { globs, ..Selection::default() })?;
        let killers = mutant.killers(lab);
        for guest in &mut plan.guests {
            add_killers(guest, &killers);
        }
        work.append(plan);
    }
    Ok(work)
}

/// Cuts the deadlines of checks by what they took without a fault. What has not run has its own.
fn fit_deadlines<'a>(plan: &Plan, healthy: impl Iterator<Item = &'a CellRecord>) -> Plan {
    let healthy: Vec<&CellRecord> = healthy.collect();
    let mut plan = plan.clone();
    for guest in &mut plan.guests {
        let end = format!("/{}", guest.cell.flavor);
        let Some(before) = healthy.iter().find(|cell| cell.id.ends_with(&end)) else { continue };
        for PlannedCheck { check, .. } in &mut guest.checks {
            if let Some(one) = before.checks.iter().find(|one| one.name == check.name.as_str()) {
                let longest = CHECK_DEADLINE.max(Duration::from_millis(one.ms) * SLOWER_MAX);
                check.deadline = check.deadline.min(longest);
            }
        }
    }
    plan
}

/// Asks for the checks that are meant to notice.
fn add_killers(guest: &mut GuestWork, killers: &[&Check]) {
    for check in killers {
        if !guest.checks.iter().any(|planned| planned.check.name == check.name) {
            guest.checks.push(PlannedCheck { check: Check::clone(check), scope: Scope::Asked });
        }
    }
}

/// Follows the run, and judges each mutant when the last of its cells has its verdict.
struct Judging<'a> {
    mutants: &'a Mutants,
    /// For each mutant its cells, and for each of these that of the series without a fault.
    cells: Vec<(&'a Mutant, Vec<(String, String)>)>,
    seen: BTreeMap<String, CellRecord>,
    applied: BTreeMap<String, Duration>,
}

impl<'a> Judging<'a> {
    fn new(mutants: &'a Mutants, chosen: &[&'a Mutant], lab: &Lab) -> Result<Self> {
        let tree = &lab.defaults.tree;
        let point = lab.series(&mutants.series)?.last_point();
        let mut cells = Vec::new();
        for mutant in chosen {
            let own = lab.series(&series_name(&mutant.facts.name)?)?.last_point();
            let of_flavor = |flavor| {
                let cell = |point: &_| Cell {
                    tree: tree.clone(),
                    point: Clone::clone(point),
                    flavor: Clone::clone(&flavor),
                };
                (cell(&own).to_string(), cell(&point).to_string())
            };
            cells.push((*mutant, mutant.flavors(&mutants.flavors).into_iter().map(of_flavor).collect()));
        }
        Ok(Self { mutants, cells, seen: BTreeMap::new(), applied: BTreeMap::new() })
    }

    fn is_of_mutant(&self, record: &CellRecord) -> bool {
        self.cells.iter().any(|(_, cells)| cells.iter().any(|(cell, _)| *cell == record.id))
    }

    /// Takes an event; gives the verdict on a mutant if this was the last that it needed.
    fn event(&mut self, event: &Event) -> Option<MutantRecord> {
        match event {
            Event::Done { step: Step::Apply, subject, took, .. } => {
                self.applied.insert(subject.clone(), *took);
                None
            }
            Event::Cell(record) => {
                self.seen.insert(record.id.clone(), (**record).clone());
                let has_cell = |cells: &[(String, String)]| cells.iter().any(|(cell, _)| *cell == record.id);
                let (mutant, cells) = self.cells.iter().find(|(_, cells)| has_cell(cells))?;
                let is_complete = cells.iter().all(|(cell, _)| self.seen.contains_key(cell));
                is_complete.then(|| self.judge(mutant, cells, &self.seen))
            }
            _ => None,
        }
    }

    fn judge(
        &self,
        mutant: &Mutant,
        cells: &[(String, String)],
        records: &BTreeMap<String, CellRecord>,
    ) -> MutantRecord {
        let pairs: Vec<(&CellRecord, &CellRecord)> = cells
            .iter()
            .filter_map(|(cell, healthy)| Some((records.get(cell)?, self.seen.get(healthy)?)))
            .collect();
        let longest = |name: &str| {
            pairs.iter().filter_map(|(cell, _)| cell.timings_ms.get(name)).max().copied().unwrap_or(0)
        };
        let point = cells.first().and_then(|(cell, _)| cell.rsplit_once('/')).map(|(point, _)| point);
        let applied = point.and_then(|point| self.applied.get(point)).copied().unwrap_or_default();
        judge_mutant(&MutantEvidence {
            facts: &mutant.facts,
            reference: &self.mutants.reference,
            cells: &pairs,
            ms: millis(applied) + longest("build") + longest("guest"),
        })
    }

    /// The verdicts on all mutants, also on those whose cells never came to their turn.
    fn conclude(&self, run: &Run) -> Vec<MutantRecord> {
        let records = run.cells.iter().map(|cell| (cell.id.clone(), cell.clone())).collect();
        self.cells.iter().map(|(mutant, cells)| self.judge(mutant, cells, &records)).collect()
    }
}
