// SPDX-License-Identifier: MIT OR Apache-2.0
//! `selfcheck`: plants faults for real, and sees that the lab tells where they are.

mod guests;
mod history;
mod host;

use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;
use console::Style;

use crate::cli::{Cli, SelfcheckArgs, SelfcheckSuite};
use crate::cmd::bisect::{AdHoc, Asked, OverlayFrom, Request, find};
use crate::cmd::session::{Session, host_packages};
use crate::cmd::test::read_splats;
use crate::fault::{self, Fault, FaultKind};
use crate::lab::kernel::FlavorId;
use crate::lab::selfcheck::{FaultFacts, read};
use crate::lab::series::Series;
use crate::parse::splat::Splats;
use crate::plan::bisect::{Change, Limits};
use crate::record::bisect::{AnswerKind, BisectRecord};
use crate::run::context::Options;
use crate::tell;
use crate::tell::bisect::patches;
use crate::tell::selfcheck::Listed;
use crate::tell::terminal::status_line;

/// The case of a git history.
const HISTORY: &str = "history";

/// What came of one case.
struct Case {
    name: String,
    wanted: String,
    /// What was told, or why nothing was.
    told: Result<String, String>,
}

/// Which cases are wanted: all, or those that a glob fits.
struct Wanted(Vec<glob::Pattern>);

impl Wanted {
    fn parse(globs: &[String]) -> Result<Self, Fault> {
        let parse = |glob: &String| {
            glob::Pattern::new(glob).map_err(|error| {
                Fault::usage(format!("`{}` is no glob: {}", glob.escape_default(), error.msg))
            })
        };
        Ok(Self(globs.iter().map(parse).collect::<Result<_, _>>()?))
    }

    fn has(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|glob| glob.matches(name))
    }

    /// Refuses a glob that fits no case of these suites.
    fn check(&self, session: &Session, suites: &[SelfcheckSuite]) -> Result<()> {
        let names = names(session, suites)?;
        let stray = self.0.iter().find(|glob| !names.iter().any(|listed| glob.matches(&listed.name)));
        stray.map_or(Ok(()), |glob| {
            let of: Vec<&str> = suites.iter().map(|suite| suite.word()).collect();
            let glob = glob.as_str().escape_default();
            let what = format!("`{glob}` matches no case of {}", of.join(", "));
            Err(Fault::new(FaultKind::NoMatch, what).help("`cargo xtask selfcheck --list` shows them").into())
        })
    }
}

/// The cases of some suites, and what each is.
fn names(session: &Session, suites: &[SelfcheckSuite]) -> Result<Vec<Listed>> {
    let mut names = Vec::new();
    for suite in suites {
        let suite_word = suite.word();
        let listed = |name: String, what: String| Listed { suite: suite_word, name, what };
        match suite {
            SelfcheckSuite::Bisect => {
                let faults = read(&session.lab, &session.lab.defaults.series)?;
                names
                    .extend(faults.into_iter().map(|(facts, _)| listed(facts.name.to_string(), facts.wrong)));
                names.push(listed(HISTORY.into(), history::wanted()));
            }
            SelfcheckSuite::Guests => {
                names.extend(guests::names(session)?.into_iter().map(|(name, what)| listed(name, what)));
            }
            SelfcheckSuite::Host => {
                let cases = host::CASES.iter();
                names.extend(cases.map(|(name, wanted, _)| listed((*name).to_owned(), (*wanted).to_owned())));
            }
        }
    }
    Ok(names)
}

/// Runs the verb.
///
/// # Errors
/// Usage faults and interrupts. Anything else that goes wrong in a case is that case's failure.
pub fn run(cli: &Cli, args: &SelfcheckArgs) -> Result<u8> {
    if args.run.kernel.is_some() {
        return Err(Fault::usage("--kernel: each case has kernels of its own").into());
    }
    if args.run.deadline.is_some() {
        return Err(Fault::usage("--deadline: each case has its own").into());
    }
    let mut session = Session::open(cli)?;
    let suites = args.suite.as_ref().map_or(SelfcheckSuite::value_variants(), std::slice::from_ref);
    let wanted = Wanted::parse(&args.names)?;
    wanted.check(&session, suites)?;
    if args.list {
        let mut cases = names(&session, suites)?;
        cases.retain(|listed| wanted.has(&listed.name));
        tell::print(&tell::selfcheck::list(&cases));
        return Ok(fault::EXIT_OK);
    }
    if !args.run.skip_host_check {
        host_packages(args.run.install_deps, &mut |text| {
            tell::print(&status_line(&Style::new().cyan(), "PACKAGES", None, text));
        })?;
    }
    let splats = read_splats(&session.lab)?;
    let mut cases = Vec::new();
    for suite in suites {
        match suite {
            SelfcheckSuite::Bisect => bisect(&mut session, args, &wanted, &splats, &mut cases)?,
            SelfcheckSuite::Guests => cases.extend(guests::run(&mut session, args, &wanted, &splats)?),
            SelfcheckSuite::Host => host::run(&session, &|name| wanted.has(name), &mut cases)?,
        }
    }
    let failed = cases.iter().filter(|case| case.told.is_err()).count();
    let text = format!("{} cases, {failed} failed", cases.len());
    let how = if failed == 0 { Style::new().green().bold() } else { Style::new().red().bold() };
    tell::print("\n");
    cases.iter().filter(|case| case.told.is_err()).for_each(tell_case);
    tell::print(&status_line(&how, "SELFCHECK", None, &text));
    Ok(if failed == 0 { fault::EXIT_OK } else { fault::EXIT_CHECK })
}

fn tell_case(case: &Case) {
    let (how, word, told) = match &case.told {
        Ok(told) => (Style::new().green().bold(), "PASS", told),
        Err(told) => (Style::new().red().bold(), "FAIL", told),
    };
    let text = format!("{}: {}; seen: {told}", case.name, case.wanted);
    tell::print(&status_line(&how, word, None, &text));
}

fn bisect(
    session: &mut Session,
    args: &SelfcheckArgs,
    asked: &Wanted,
    splats: &Splats,
    cases: &mut Vec<Case>,
) -> Result<()> {
    let options = args.run.options();
    let series = session.lab.defaults.series.clone();
    for (facts, faulty) in read(&session.lab, &series)? {
        if asked.has(facts.name.as_str()) {
            let wanted = format!("patch {}: {}", facts.patch, facts.wrong);
            announce(facts.name.as_str(), &wanted);
            let told = planted(session, &facts, faulty, &options, splats);
            ended(cases, Case { name: facts.name.to_string(), wanted, told: or_end(told)? });
        }
    }
    if asked.has(HISTORY) {
        let wanted = history::wanted();
        announce(HISTORY, &wanted);
        let told = history::run(session, args);
        ended(cases, Case { name: HISTORY.into(), wanted, told: or_end(told)? });
    }
    Ok(())
}

/// Tells of a case that has ended, and keeps it.
fn ended(cases: &mut Vec<Case>, case: Case) {
    tell_case(&case);
    cases.push(case);
}

fn announce(name: &str, wanted: &str) {
    tell::print(&status_line(&Style::new().cyan().bold(), "CASE", None, &format!("{name}: {wanted}")));
}

/// An error is a case's failure, unless the user ended the run.
fn or_end(told: Result<Result<String, String>>) -> Result<Result<String, String>> {
    crate::sys::interrupt::check()?;
    Ok(told.unwrap_or_else(|error| Err(fault::describe(&error).trim_end().replace('\n', "; "))))
}

/// A search for a planted fault, and whether it told the right patch.
fn planted(
    session: &mut Session,
    facts: &FaultFacts,
    faulty: Series,
    options: &Options,
    splats: &Splats,
) -> Result<Result<String, String>> {
    let begun = Instant::now();
    let (last, healthy) = (faulty.last_point(), session.lab.defaults.series.clone());
    session.lab.series.insert(faulty.name.clone(), faulty);
    let request = Request {
        tree: session.lab.defaults.tree.clone(),
        limits: Limits::new(last.applied, Some(facts.good), None, Some(Change::Broken))?,
        last,
        flavor: FlavorId::parse(&facts.flavor)?,
        check: Asked { check: facts.check.clone(), sub: None },
        repeat: 1,
        overlay: OverlayFrom::Trusted(healthy),
        ad_hoc: AdHoc::default(),
    };
    let record = find(session, &request, options, splats)?;
    let told = format!("{}, {:.0} s", summary(&record), begun.elapsed().as_secs_f64());
    Ok(if is_right(&record, facts.patch) { Ok(told) } else { Err(told) })
}

/// Whether the answer is this patch alone, proved.
fn is_right(record: &BisectRecord, patch: usize) -> bool {
    let candidates = record.found.iter().flat_map(|found| &found.candidates).map(|one| one.number);
    record.answer == AnswerKind::Found && candidates.eq([patch])
}

fn summary(record: &BisectRecord) -> String {
    let candidates: Vec<usize> =
        record.found.iter().flat_map(|found| &found.candidates).map(|one| one.number).collect();
    let runs: u32 = record.asked.iter().map(|asked| asked.passed + asked.failed).sum();
    format!("{}, {runs} boots ({:?})", patches(&candidates), record.answer)
}

#[cfg(test)]
mod tests {
    use crate::record::bisect::{CandidateRecord, FoundRecord};

    use super::*;

    #[test]
    fn only_the_planted_patch_alone_and_proved_is_right() {
        let record = |answer, numbers: &[usize]| {
            let candidate =
                |number: &usize| CandidateRecord { number: *number, ..CandidateRecord::default() };
            let candidates = numbers.iter().map(candidate).collect();
            let found = Some(FoundRecord { candidates, ..FoundRecord::default() });
            BisectRecord { answer, found, ..BisectRecord::default() }
        };
        assert!(is_right(&record(AnswerKind::Found, &[2]), 2));
        assert!(!is_right(&record(AnswerKind::Found, &[3]), 2));
        assert!(!is_right(&record(AnswerKind::Found, &[2, 3]), 2));
        assert!(!is_right(&record(AnswerKind::NotProved, &[2]), 2));
        assert!(!is_right(
            &BisectRecord { answer: AnswerKind::SameEverywhere, ..BisectRecord::default() },
            2
        ));
    }
}
