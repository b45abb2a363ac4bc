// SPDX-License-Identifier: MIT OR Apache-2.0
//! `bench`: what calls and attaching cost, in guest instructions.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use console::Style;
use fs_err as fs;

use crate::cli::Cli;
use crate::cli_bench::{BenchArgs, BenchFormat};
use crate::cmd::bench_saved;
use crate::cmd::engine::{GoOn, Phases, reports, run_phases};
use crate::cmd::session::{Session, host_packages};
use crate::cmd::test::read_splats;
use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::series::Point;
use crate::plan::cell::{Cell, parse_point};
use crate::plan::select::{Baseline, Points, Selection};
use crate::plan::work::{Plan, Scope};
use crate::record::baseline::deciding_outcomes;
use crate::record::bench::{BenchRecord, RelationRecord, against_baseline, cell_of, figures};
use crate::record::cell_id::CellId;
use crate::record::model::{CellRecord, CellRole, CheckStatus, Outcome, Run, worst_exit_code};
use crate::run::context::{AccelChoice, ClockChoice, Counted, Options};
use crate::run::event::Event;
use crate::tell;
use crate::tell::terminal::{Terminal, status_line};

/// The matrix whose checks are measured.
const MATRIX: &str = "bench";

/// The matrix whose checks are taken apart by function.
const MATRIX_PROFILE: &str = "bench-profile";

/// The matrix of the published table: it needs real time.
const MATRIX_REAL_TIME: &str = "bench-real-time";

/// Runs the verb.
///
/// # Errors
/// Usage faults, and trouble of the lab's that leaves no record.
pub fn run(cli: &Cli, args: &BenchArgs) -> Result<u8> {
    let mut session = Session::open(cli)?;
    let saved = args.against.as_deref().map(|name| bench_saved::read(&session.lab, name)).transpose()?;
    let save_to = args.save.as_deref().map(|name| bench_saved::path(&session.lab, name)).transpose()?;
    let plan = plan(&mut session, args)?;
    if !args.run.skip_host_check {
        host_packages(args.run.install_deps, &mut |text| tell_aside(args, "PACKAGES", text))?;
    }
    let splats = read_splats(&session.lab)?;
    let options = options(args)?;
    // Standard output is the figures' alone where a program reads them.
    let mut aside = (args.format != BenchFormat::Text).then(Terminal::on_stderr);
    let mut on_event = |terminal: &mut Terminal, event: &Event| match &mut aside {
        Some(aside) => aside.event(event),
        None => terminal.event(event),
    };
    let as_it_is = |_: &Run, plan: &Plan| plan.clone();
    let phases = Phases { plans: &[&plan], fit: &as_it_is, options: &options, splats: &splats, seed: 0 };
    let (mut run, folder, result) = run_phases(&session, &phases, &mut on_event, &|_| GoOn::Yes)?;
    if let Some(mut aside) = aside {
        aside.finish();
    }
    // Where calls are only taken apart there is nothing to relate.
    let relations =
        if args.baseline && is_measured(args) { relations(&session.lab, &run)? } else { Vec::new() };
    run.bench = Some(BenchRecord { relations });
    folder.write(&run)?;
    reports(&run, &folder)?;
    draw(&run, folder.path(), args)?;
    tell::print(&told(&run, folder.path(), args)?);
    result?;
    crate::sys::interrupt::check()?;
    let broken = run.bench.iter().flat_map(|bench| &bench.relations);
    let broken = broken.filter(|relation| relation.status != CheckStatus::Pass).map(|_| Outcome::Fail);
    let mut outcomes: Vec<Outcome> = deciding_outcomes(&run).into_iter().chain(broken).collect();
    let now = bench_saved::of_run(&session.lab, args, &run, folder.path())?;
    if let Some(saved) = saved {
        outcomes.extend(bench_saved::judge(args, &saved, &now)?);
    }
    let code = worst_exit_code(outcomes);
    if let Some(path) = save_to {
        bench_saved::save(args, &path, &now, code)?;
    }
    Ok(code)
}

/// Whether figures are measured that can be held against others.
fn is_measured(args: &BenchArgs) -> bool {
    !args.profile && !args.real_time
}

/// Tells what is no figure.
pub fn tell_aside(args: &BenchArgs, word: &str, text: &str) {
    let line = status_line(&Style::new().cyan(), word, None, text);
    if args.format == BenchFormat::Text { tell::print(&line) } else { tell::print_error(&line) }
}

/// What is to be measured: the cells, and with a baseline the tree without any series.
fn plan(session: &mut Session, args: &BenchArgs) -> Result<Plan> {
    let named = session.name_axes(&args.axes)?;
    let matrix = match (args.profile, args.real_time) {
        (true, _) => MATRIX_PROFILE,
        (_, true) => MATRIX_REAL_TIME,
        _ => MATRIX,
    };
    let selection = Selection {
        points: if args.every_patch { Points::Every } else { Points::Named },
        baseline: if args.baseline { Baseline::Compared } else { Baseline::LeftOut },
        checks_of: Some(matrix.to_owned()),
        ..args.axes.selection(named.trees, named.series, Vec::new())
    };
    // The published table is of one kernel: its cells are the default here.
    let is_default = selection.globs.is_empty()
        && [&selection.trees, &selection.series, &selection.flavors].iter().all(|axis| axis.is_empty());
    let matrix_of_cells = (args.real_time && is_default).then(|| matrix.to_owned());
    let selection = Selection { matrix: matrix_of_cells, ..selection };
    let plan = Plan::make(&session.lab, &selection)?;
    if !args.baseline {
        return Ok(plan);
    }
    let mut globs: Vec<String> = Vec::new();
    for guest in &plan.guests {
        let root = Cell { point: root(&session.lab, &guest.cell.point)?, ..guest.cell.clone() }.to_string();
        if !globs.contains(&root) && !plan.guests.iter().any(|guest| guest.cell.to_string() == root) {
            globs.push(root);
        }
    }
    if globs.is_empty() {
        return Ok(plan);
    }
    let selection = Selection { globs, checks_of: Some(matrix.to_owned()), ..Selection::default() };
    let mut first = Plan::make(&session.lab, &selection)?;
    for guest in &mut first.guests {
        guest.role = CellRole::Baseline;
        guest.checks.iter_mut().for_each(|planned| planned.scope = Scope::WherePresent);
    }
    first.append(plan);
    Ok(first)
}

/// The point without patches that a point goes back to, through the series that its own requires.
fn root(lab: &Lab, point: &Point) -> Result<Point, Fault> {
    let first = lab.applied(point)?.into_iter().next();
    first.map_or_else(|| Ok(point.clone()), |(series, _)| series.point(0))
}

fn options(args: &BenchArgs) -> Result<Options, Fault> {
    let options = args.run.options();
    if args.real_time {
        return Ok(Options { accel: AccelChoice::Kvm, ..options });
    }
    if options.accel == AccelChoice::Kvm {
        return Err(Fault::usage("--accel kvm: instructions are counted under emulation alone")
            .help("leave it out, or measure in real time: cargo xtask bench --real-time"));
    }
    let counted = Counted { by_address: args.profile, length_max: args.filters.into() };
    Ok(Options { clock: ClockChoice::Instructions(counted), ..options })
}

/// Every measured cell against the tree without a series, where that was measured.
fn relations(lab: &Lab, run: &Run) -> Result<Vec<RelationRecord>> {
    let mut relations = Vec::new();
    let is_measured = |cell: &&CellRecord| cell.role == CellRole::Subject && !figures(cell).is_empty();
    for cell in run.cells.iter().filter(is_measured) {
        let Some(id) = CellId::parse(&cell.id) else { continue };
        let Some(applied) = id.applied else { continue };
        let point = parse_point(lab, &format!("{}@{applied}", id.series))?;
        if root(lab, &point)? == point {
            continue;
        }
        let baseline = format!("{}/{}/{}", id.tree, root(lab, &point)?, id.flavor);
        match cell_of(run, &baseline) {
            Some(baseline) => relations.extend(against_baseline(cell, baseline, &lab.bench_bounds(&point)?)),
            None => relations.push(RelationRecord::without_baseline(&cell.id, &baseline)),
        }
    }
    Ok(relations)
}

fn told(run: &Run, folder: &Path, args: &BenchArgs) -> Result<String> {
    Ok(match args.format {
        BenchFormat::Text if args.real_time => real_time(run, folder)? + &tell::summary::summary(run, folder),
        BenchFormat::Text => format!("{}{}", tell::bench::table(run), tell::summary::summary(run, folder)),
        BenchFormat::Markdown => tell::bench::markdown(run),
        BenchFormat::Json => {
            let cells = run.cells.iter().map(|cell| (cell.id.as_str(), figures(cell)));
            let cells: BTreeMap<&str, _> = cells.collect();
            serde_json::to_string_pretty(&cells).context("writing figures as JSON")? + "\n"
        }
    })
}

/// What the kernel's own program printed, next to the published table.
fn real_time(run: &Run, folder: &Path) -> Result<String> {
    let mut text = String::new();
    for cell in run.cells.iter().filter(|cell| cell.outcome == Outcome::Pass) {
        if let Some(name) = cell.files.get("ktap") {
            let printed = fs::read_to_string(folder.join(name))?;
            text.push_str(&tell::bench_published::table(&cell.id, &printed));
        }
    }
    Ok(text)
}

/// The picture, in the run's folder and where the user wants it.
fn draw(run: &Run, folder: &Path, args: &BenchArgs) -> Result<()> {
    if !is_measured(args) {
        return Ok(());
    }
    let picture = tell::bench_picture::svg(run)?;
    fs::write(folder.join("bench.svg"), &picture)?;
    if let Some(file) = &args.svg {
        let written = fs::write(file, &picture);
        written.map_err(|error| Fault::usage(format!("--svg: {error}")))?;
    }
    Ok(())
}

/// What `bench` refuses to be without: nothing of it is a check of `test`.
///
/// # Errors
/// A usage fault with the command that is meant.
pub fn refuse_in(plan: &Plan) -> Result<(), Fault> {
    use crate::lab::check::{CheckKind, Oracle};
    let is_counted = |kind: &CheckKind| matches!(kind, CheckKind::Oracle { oracle: Oracle::Bench(_), .. });
    for guest in &plan.guests {
        if let Some(planned) = guest.checks.iter().find(|planned| is_counted(&planned.check.kind)) {
            let name = &planned.check.name;
            return Err(Fault::usage(format!("check `{name}` is about counted instructions"))
                .help(format!("cargo xtask bench {}", guest.cell)));
        }
    }
    Ok(())
}
