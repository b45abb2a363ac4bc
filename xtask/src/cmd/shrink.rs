// SPDX-License-Identifier: MIT OR Apache-2.0
//! A chain on which kernel and model differ is made smaller, saved, and explained.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use anyhow::{Context as _, Result};
use fs_err as fs;
use seccomp_oracle::chain;
use seccomp_oracle::insn::Insn;
use seccomp_oracle::judge::ANSWER;
use seccomp_oracle::request::{self, Chain};
use seccomp_oracle::shrink::shrink;

use crate::cmd::fuzz::{Differing, differing};
use crate::cmd::session::{Session, describe_host};
use crate::lab::check::{CheckKind, Oracle};
use crate::parse::splat::Splats;
use crate::plan::work::{Plan, PlannedCheck, Scope};
use crate::record::model::{CellRecord, CheckStatus, Host, Outcome, SubRecord};
use crate::run::compiler::Toolchain;
use crate::run::context::{Context, Options};
use crate::run::guest;
use crate::run::oracle::{CHAIN_PREFIX, UNDECIDED};
use crate::run::ready::Ready;
use crate::run::schedule::prepare_one;
use crate::sys::process::quote;

/// Boots that making one chain smaller may take.
const BOOTS_MAX: usize = 40;

/// Wrong lines that are shown; what they have in common is explained below them.
const LINES_SHOWN_MAX: usize = 5;

/// Calls that are shown of those that the kernel answers otherwise than the filters.
const CALLS_SHOWN_MAX: usize = 5;

/// A chain on which a cell's kernel and the model differ.
pub struct Failing {
    /// The cell.
    pub cell: String,
    /// Its filters, oldest first.
    pub filters: Vec<Vec<Insn>>,
    /// What it is called.
    pub name: String,
    /// What its files are called, up to the first dot of their endings.
    pub file: String,
    /// Flags that a replay needs: what the run was given ad hoc.
    pub flags: Vec<String>,
    /// The kernel caches a call that the filters do not allow; the small chain must show that too.
    pub is_unsafe: bool,
}

/// What a chain comes to.
pub struct Smallest {
    /// The chain that it was made from.
    pub name: String,
    /// Its filters.
    pub filters: Vec<Vec<Insn>>,
}

/// What came of making a chain smaller.
pub struct Shrunk {
    /// All about it.
    pub text: String,
    /// The small chain, unless it was known.
    pub saved: Option<Smallest>,
}

/// Makes the chain smaller in guests of its cell, saves it in `folder`, and says all about it. One that comes to a
/// small chain that is `known` is not saved again.
///
/// # Errors
/// Trouble of the lab's, and interrupts.
pub fn shrink_and_save(
    session: &Session,
    plan: &Plan,
    options: &Options,
    splats: &Splats,
    folder: &Path,
    failing: &Failing,
    known: &[Smallest],
) -> Result<Shrunk> {
    let saved = folder.join(format!("{}.chain", failing.file));
    save(&saved, std::slice::from_ref(&failing.filters))?;
    let guest = plan.guests.iter().position(|guest| guest.cell.to_string() == failing.cell);
    let plan = plan.only(guest.with_context(|| format!("{}: not in the plan", failing.cell))?);
    let scratch = tempfile::tempdir_in(folder)?;
    let (cache, host) = (session.cache()?, describe_host()?);
    // Nobody listens: the boots are steps of one search.
    let (sender, _) = channel();
    let own = scratch.path().to_owned();
    let context = Context::new(&session.lab, &cache, Toolchain::ask()?, options, own, sender);
    let Ok(ready) = prepare_one(&context, &plan)? else {
        anyhow::bail!("{}: its guest can no longer be made ready", failing.cell);
    };
    let is_unsafe = failing.is_unsafe;
    let mut search =
        Search { context: &context, host: &host, splats, ready, is_unsafe, boots: 0, error: None };
    let smallest = shrink(&failing.filters, |page| search.failing(page));
    if let Some(error) = search.error.take() {
        return Err(error);
    }
    if let Some(other) = known.iter().find(|other| other.filters == smallest) {
        let (cell, name, other) = (&failing.cell, &failing.name, &other.name);
        let text = format!("\n{cell}: {name} comes to the same small chain as {other}\n");
        return Ok(Shrunk { text, saved: None });
    }
    let cut_short = search.boots >= BOOTS_MAX;
    let last = search.boot(std::slice::from_ref(&smallest))?;
    let small = folder.join(format!("{}.small.chain", failing.file));
    save(&small, std::slice::from_ref(&smallest))?;
    let mut text = describe(failing, &smallest, &last, search.boots, cut_short);
    text.push_str(&match chain::check(&smallest) {
        Ok(_) => real_calls(&context, &host, splats, &plan, &small)?,
        Err(_) => "  the model refuses this chain: no call was made under it\n".to_owned(),
    });
    fs::write(folder.join(format!("{}.txt", failing.file)), &text)?;
    let _ = writeln!(text, "  saved:   {}", small.display());
    let _ = writeln!(
        text,
        "  replay:  cargo xtask fuzz --replay {}{} {}",
        quote(&small.display().to_string()),
        failing.flags.iter().map(|flag| format!(" {flag}")).collect::<String>(),
        quote(&failing.cell)
    );
    Ok(Shrunk { text, saved: Some(Smallest { name: failing.name.clone(), filters: smallest }) })
}

/// Makes calls for real that the chain denies, and says what came of them: whether a wrong bit lets one through.
fn real_calls(
    context: &Context<'_>,
    host: &Host,
    splats: &Splats,
    plan: &Plan,
    chain: &Path,
) -> Result<String> {
    let is_calls = |kind: &CheckKind| matches!(kind, CheckKind::Oracle { oracle: Oracle::Behaviour, .. });
    let Some(check) = context.lab.checks.values().find(|check| is_calls(&check.kind)) else {
        return Ok(String::new());
    };
    let mut check = check.clone();
    if let CheckKind::Oracle { oracle, .. } = &mut check.kind {
        *oracle = Oracle::Witnesses(chain.to_owned());
    }
    let mut plan = plan.clone();
    for guest in &mut plan.guests {
        guest.checks = vec![PlannedCheck { check: check.clone(), scope: Scope::Asked }];
    }
    let Ok(ready) = prepare_one(context, &plan)? else {
        anyhow::bail!("{}: its guest can no longer be made ready", chain.display());
    };
    let record = guest::run(context, host, splats, &ready)?;
    let subs = record.checks.iter().flat_map(|check| &check.subs);
    let subs: Vec<&SubRecord> = subs.filter(|sub| sub.name() != ANSWER).collect();
    let undecided = record.checks.iter().find_map(|check| check.figures.get(UNDECIDED)).copied().unwrap_or(0);
    if subs.is_empty() && record.outcome == Outcome::Pass {
        return Ok(match undecided {
            0 => {
                "  these filters deny no call that this guest can make: no bit lets one through\n".to_owned()
            }
            _ => format!(
                "  no call was made: of {undecided} numbers it is not known whether they are denied\n"
            ),
        });
    }
    let count = |status| subs.iter().filter(|sub| sub.status == status).count();
    let (pass, fail) = (count(CheckStatus::Pass), count(CheckStatus::Fail));
    let without = subs.len() - pass - fail;
    let mut text = format!(
        "  calls that the filters deny, made for real (with the JIT off and on): {pass} answered as the filters say, {fail} not, {without} without an answer\n"
    );
    for sub in subs.iter().filter(|sub| sub.status == CheckStatus::Fail).take(CALLS_SHOWN_MAX) {
        let _ = writeln!(text, "    {}: {}", sub.name(), sub.reason.lines().next().unwrap_or(""));
    }
    if !matches!(record.outcome, Outcome::Pass | Outcome::Fail) {
        let _ = writeln!(text, "    that boot ended as {}: {}", record.outcome.word(), record.reason);
    }
    Ok(text)
}

/// A search in guests of one cell.
struct Search<'a> {
    context: &'a Context<'a>,
    host: &'a Host,
    splats: &'a Splats,
    ready: Ready,
    is_unsafe: bool,
    boots: usize,
    error: Option<anyhow::Error>,
}

impl Search<'_> {
    /// Which candidates still fail; nothing at all ends the search.
    fn failing(&mut self, candidates: &[Vec<Vec<Insn>>]) -> Vec<bool> {
        if self.boots >= BOOTS_MAX {
            return Vec::new();
        }
        match self.boot(candidates) {
            Ok(record) if matches!(record.outcome, Outcome::Pass | Outcome::Fail) => {
                // Smaller, and as bad: one that is only slow is no example of one that lets a call through.
                let is_as_bad = |one: &Differing| one.is_unsafe || !self.is_unsafe;
                let ids: Vec<u32> =
                    differing(&record).iter().filter(|one| is_as_bad(one)).map(|one| one.id).collect();
                let fails = |id: usize| u32::try_from(id).is_ok_and(|id| ids.contains(&id));
                (0..candidates.len()).map(fails).collect()
            }
            // A guest that ends says nothing of the candidates after the first bad one.
            Ok(_) => Vec::new(),
            Err(error) => {
                self.error = Some(error);
                Vec::new()
            }
        }
    }

    fn boot(&mut self, chains: &[Vec<Vec<Insn>>]) -> Result<CellRecord> {
        crate::sys::interrupt::check()?;
        self.boots += 1;
        let file = self.context.folder.join("candidates.chain");
        save(&file, chains)?;
        for planned in &mut self.ready.work.checks {
            if let CheckKind::Oracle { oracle, .. } = &mut planned.check.kind {
                *oracle = Oracle::Kept(file.clone());
            }
        }
        guest::run(self.context, self.host, self.splats, &self.ready)
    }
}

/// Writes chains; a chain's id is its place.
fn save(file: &PathBuf, chains: &[Vec<Vec<Insn>>]) -> Result<()> {
    let chains: Vec<Chain> =
        (0..).zip(chains).map(|(id, filters)| Chain { id, filters: filters.clone() }).collect();
    Ok(fs::write(file, request::encode(&chains).context("writing chains")?)?)
}

/// The finding as text: what differs, and the smallest chain that shows it.
fn describe(
    failing: &Failing,
    smallest: &[Vec<Insn>],
    last: &CellRecord,
    boots: usize,
    cut_short: bool,
) -> String {
    let count = |filters: &[Vec<Insn>]| filters.iter().map(Vec::len).sum::<usize>();
    let mut text = format!("\n{}: kernel and model differ on {}\n", failing.cell, failing.name);
    let how = if cut_short { ", and it could go on" } else { "" };
    let _ = writeln!(
        text,
        "  made smaller from {} filters with {} instructions to {} with {}, in {boots} boots{how}",
        failing.filters.len(),
        count(&failing.filters),
        smallest.len(),
        count(smallest)
    );
    for (number, filter) in smallest.iter().enumerate() {
        let _ = writeln!(text, "  filter {number}:");
        for (at, insn) in filter.iter().enumerate() {
            let _ = writeln!(text, "    {at:4}  {insn}");
        }
    }
    let subs = last.checks.iter().flat_map(|check| &check.subs);
    let about = subs.filter(|sub| sub.path.first().is_some_and(|name| name.starts_with(CHAIN_PREFIX)));
    let mut differences = 0;
    for line in about.flat_map(|sub| sub.reason.lines()) {
        differences += usize::from(line.starts_with("line "));
        if !line.starts_with("line ") || differences <= LINES_SHOWN_MAX {
            let _ = writeln!(text, "  {line}");
        }
    }
    if last.outcome != Outcome::Fail {
        let _ = writeln!(text, "  the last boot ended as {}: {}", last.outcome.word(), last.reason);
    }
    text
}
