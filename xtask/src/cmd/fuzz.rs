// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fuzz`: kernels against the model, on random chains of filters.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use console::Style;
use fs_err as fs;
use seccomp_oracle::insn::Insn;

use crate::cli::{Cli, FuzzArgs};
use crate::cmd::engine;
use crate::cmd::referee;
use crate::cmd::session::{Session, host_packages};
use crate::cmd::shrink::{Failing, Shrunk, Smallest, shrink_and_save};
use crate::cmd::test::read_splats;
use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::check::{CheckKind, Oracle, RandomChains};
use crate::plan::work::{Plan, Scope};
use crate::record::model::{CellRecord, CheckStatus, Outcome, Run, worst_exit_code};
use crate::run::oracle::{CHAIN_PREFIX, UNSAFE, read_chains};
use crate::run::worker::ends_the_run;
use crate::tell;
use crate::tell::fuzz::{Tally, told};
use crate::tell::terminal::status_line;

/// Chains of a round: few enough that a run that goes on for a time ends near it.
const ROUND_CHAINS: u64 = 2000;

/// Chains that one guest is given at most: they and the answer are held in memory.
const GUEST_CHAINS_MAX: u64 = 10_000;

/// How many chains without an answer are counted for a second: slower ones are cut off.
const CHAINS_A_SECOND_MIN: u64 = 20;

/// How many small chains of one cell are saved.
const SHRUNK_MAX: usize = 2;

/// How many chains of one cell are made smaller for that: several may come to the same.
const TRIED_MAX: usize = 3;

/// Runs the verb.
///
/// # Errors
/// Usage faults, and trouble of the lab's that leaves no record.
pub fn run(cli: &Cli, args: &FuzzArgs) -> Result<u8> {
    let mut session = Session::open(cli)?;
    let named = session.name_axes(&args.axes)?;
    let check = random_check(&session.lab)?;
    let plan = Plan::make(&session.lab, &args.axes.selection(named.trees, named.series, vec![check]))?;
    if !args.run.skip_host_check {
        host_packages(args.run.install_deps, &mut |text| {
            tell::print(&status_line(&Style::new().cyan(), "PACKAGES", None, text));
        })?;
    }
    let splats = read_splats(&session.lab)?;
    let mut options = args.run.options();
    let seed = args.seed.map_or_else(new_seed, Ok)?;
    let started = Instant::now();
    let mut tally = Tally::default();
    // Making chains smaller takes its own time.
    let mut asking = Duration::ZERO;
    let mut outcomes = Vec::new();
    for round in rounds(args, seed)? {
        if args.seconds.is_some_and(|seconds| started.elapsed() >= Duration::from_secs(seconds)) {
            break;
        }
        let plan = given(&plan, &round);
        options.deadline = args.run.deadline.or(Some(guest_deadline(&session.lab, &plan, &round)));
        let begun = Instant::now();
        let (run, folder) = engine::run_plan(&session, &plan, &options, &splats, seed)?;
        asking += begun.elapsed();
        tally.add(&run);
        let pairs = referee::compare(&run, folder.path())?;
        let disagree = pairs.iter().any(|pair| !pair.agreement.is_whole());
        tally.agree(pairs.into_iter().map(|pair| (pair.first, pair.second, pair.agreement)));
        outcomes.extend(run.cells.iter().map(|cell| cell.outcome));
        for cell in &run.cells {
            let mut saved: Vec<Smallest> = Vec::new();
            for one in failing(&run, cell, &round)? {
                if saved.len() == SHRUNK_MAX {
                    break;
                }
                let shrunk = shrink_and_save(&session, &plan, &options, &splats, folder.path(), &one, &saved);
                saved.extend(told_smaller(&one, shrunk)?);
            }
        }
        crate::sys::interrupt::check()?;
        // A model that is wrong in the same way as both kernels would not see it: the kernels might.
        outcomes.extend(disagree.then_some(Outcome::Fail));
        if disagree || run.cells.iter().any(|cell| cell.outcome != Outcome::Pass) {
            break;
        }
    }
    tell::print(&told(&tally, args.replay.is_none().then_some(seed), asking));
    Ok(worst_exit_code(outcomes))
}

/// Tells what came of making a chain smaller. What was found stands, whatever became of that.
fn told_smaller(failing: &Failing, shrunk: Result<Shrunk>) -> Result<Option<Smallest>> {
    match shrunk {
        Ok(Shrunk { text, saved }) => {
            tell::print(&text);
            Ok(saved)
        }
        Err(error) if ends_the_run(&error) => Err(error),
        Err(error) => {
            tell::print(&format!("\n{}: {} was not made smaller: {error:#}\n", failing.cell, failing.name));
            Ok(None)
        }
    }
}

/// The check of `lab.toml` that is asked with random chains.
fn random_check(lab: &Lab) -> Result<String> {
    let is_random = |kind: &CheckKind| matches!(kind, CheckKind::Oracle { oracle: Oracle::Random(_), .. });
    let found = lab.checks.values().find(|check| is_random(&check.kind));
    let found = found.ok_or_else(|| {
        Fault::usage("configs/lab.toml: no check has `oracle = \"seccomp-random\"`")
            .help("`fuzz` runs the program of that check")
    })?;
    Ok(found.name.to_string())
}

/// A seed that nobody chose; short enough to be typed.
fn new_seed() -> Result<u64> {
    use std::io::Read as _;
    let mut bytes = [0_u8; 4];
    let mut random = fs::File::open("/dev/urandom")?;
    random.read_exact(&mut bytes).context("reading /dev/urandom")?;
    Ok(u32::from_le_bytes(bytes).into())
}

/// What one run of the guests is given.
#[derive(Debug, Clone)]
enum Round {
    Random(RandomChains),
    Kept { file: PathBuf, chains: u64 },
}

impl Round {
    /// Time that the chains may take in a guest.
    fn allowance(&self) -> Duration {
        let chains = match self {
            Round::Random(which) => which.count,
            Round::Kept { chains, .. } => *chains,
        };
        Duration::from_secs(chains / CHAINS_A_SECOND_MIN)
    }

    fn oracle(&self) -> Oracle {
        match self {
            Round::Random(which) => Oracle::Random(*which),
            Round::Kept { file, .. } => Oracle::Kept(file.clone()),
        }
    }

    /// The filters of a chain, by its id.
    fn filters(&self, id: u32) -> Result<Vec<Vec<Insn>>> {
        match self {
            Round::Random(which) => Ok(seccomp_oracle::random::chain(which.seed, id.into())),
            Round::Kept { file, .. } => {
                let chains = read_chains(file)?;
                let chain = chains.into_iter().find(|chain| chain.id == id);
                Ok(chain.with_context(|| format!("{}: no chain {id}", file.display()))?.filters)
            }
        }
    }

    /// What a chain is called in file names.
    fn name(&self, id: u32) -> String {
        match self {
            Round::Random(which) => format!("chain-{}-{id}", which.seed),
            Round::Kept { .. } => format!("chain-{id}"),
        }
    }
}

/// The rounds of a run, without an end where only the time ends them.
///
/// # Errors
/// A usage fault for a file that holds no chains.
fn rounds(args: &FuzzArgs, seed: u64) -> Result<Box<dyn Iterator<Item = Round>>> {
    if let Some(file) = &args.replay {
        let chains = read_chains(file)?.len() as u64;
        return Ok(Box::new(std::iter::once(Round::Kept { file: file.clone(), chains })));
    }
    let (end, step) = match args.seconds {
        Some(_) => (u64::from(u32::MAX), ROUND_CHAINS),
        None => (args.chains.unwrap_or(ROUND_CHAINS), GUEST_CHAINS_MAX),
    };
    let round = move |first: u64| Round::Random(RandomChains { seed, first, count: step.min(end - first) });
    Ok(Box::new((0..end).step_by(usize::try_from(step).unwrap_or(1)).map(round)))
}

/// The plan with the chains of a round for every guest, and the time that they may take.
fn given(plan: &Plan, round: &Round) -> Plan {
    let mut plan = plan.clone();
    for planned in plan.guests.iter_mut().flat_map(|guest| &mut guest.checks) {
        if let CheckKind::Oracle { oracle, .. } = &mut planned.check.kind {
            *oracle = round.oracle();
            planned.check.deadline += round.allowance();
            planned.scope = Scope::Asked;
        }
    }
    plan
}

/// Longest that a guest may take: as the slowest of the kernels needs.
fn guest_deadline(lab: &Lab, plan: &Plan, round: &Round) -> Duration {
    let slower = plan.kernels.iter().map(|kernel| lab.slower(&kernel.id)).max().unwrap_or(1);
    (lab.deadlines.guest + round.allowance()) * slower
}

/// The chains of a cell that are to be made smaller: the first ones on which kernel and model differ, and
/// before those the ones whose cache lets a call through.
fn failing(run: &Run, cell: &CellRecord, round: &Round) -> Result<Vec<Failing>> {
    let mut failing = Vec::new();
    for Differing { id, is_unsafe } in differing(cell).into_iter().take(TRIED_MAX) {
        // Cells mostly differ on the same chains: each keeps its own files.
        let name = round.name(id);
        let file = format!("{}.{name}", crate::plan::cell::slug(&cell.id));
        let filters = round.filters(id)?;
        let flags = tell::rerun::kept(run);
        failing.push(Failing { cell: cell.id.clone(), filters, name, file, flags, is_unsafe });
    }
    Ok(failing)
}

/// A chain on which kernel and model differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Differing {
    /// Its id.
    pub id: u32,
    /// The kernel caches a call that the filters do not allow.
    pub is_unsafe: bool,
}

/// The chains on which kernel and model differ in a cell; the unsafe ones come first.
pub fn differing(cell: &CellRecord) -> Vec<Differing> {
    let subs = cell.checks.iter().flat_map(|check| &check.subs);
    let wrong = subs.filter(|sub| sub.status == CheckStatus::Fail);
    let mut differing: Vec<Differing> = wrong
        .filter_map(|sub| {
            let id = sub.path.first()?.strip_prefix(CHAIN_PREFIX)?.parse().ok()?;
            Some(Differing { id, is_unsafe: sub.reason.starts_with(UNSAFE) })
        })
        .collect();
    differing.sort_by_key(|one| !one.is_unsafe);
    differing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::{Outcome, SubRecord};
    use crate::record::sample;

    #[test]
    fn chains_whose_cache_lets_a_call_through_come_first() {
        let sub = |name: &str, status, reason: &str| SubRecord {
            path: vec![name.into()],
            ordinal: 1,
            status,
            reason: reason.into(),
        };
        let harmless = "line 3: wanted \"ia32 2 ALLOW\", got \"ia32 2 FILTER\"";
        let subs = vec![
            sub("bits", CheckStatus::Fail, "2 differ"),
            sub("chain-1", CheckStatus::Fail, harmless),
            sub("chain-2", CheckStatus::NotRun, "unsafe: it did not run"),
            sub("chain-7", CheckStatus::Fail, "unsafe: ia32 20 is cached"),
        ];
        let check = sample::check("random", CheckStatus::Fail, "", subs);
        let cell = sample::cell("t/none/i386", Outcome::Fail, "", vec![check]);
        let found: Vec<(u32, bool)> =
            differing(&cell).into_iter().map(|one| (one.id, one.is_unsafe)).collect();
        assert_eq!(found, [(7, true), (1, false)]);
    }
}
