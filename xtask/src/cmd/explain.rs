// SPDX-License-Identifier: MIT OR Apache-2.0
//! `explain`: why a call is in the cache of a chain of filters or not. Needs no kernel.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;
use seccomp_oracle::batch::explain_text;
use seccomp_oracle::cases::cases;
use seccomp_oracle::insn::Insn;
use seccomp_oracle::tables::{Arch, Kernel};
use seccomp_oracle::{chain, random, request};

use crate::cli::{Cli, ExplainArgs};
use crate::cmd::profiles::load_profile;
use crate::fault::{self, Fault};
use crate::lab::names::unknown;
use crate::tell;

/// More numbers than any tree has: the tables of one are not asked for.
const NUMBERS: u32 = 4096;

/// Runs the verb.
///
/// # Errors
/// Usage faults for what is no chain, architecture or number.
pub fn run(cli: &Cli, args: &ExplainArgs) -> Result<u8> {
    let filters = filters(cli, args)?;
    let arch = parse_arch(&args.arch)?;
    let programs = chain::check(&filters)
        .map_err(|refusal| Fault::usage(format!("the kernel refuses the chain: {refusal}")))?;
    // The widest kernel: each architecture is asked for by its name.
    let kernel = Kernel::native(Arch::X86_64, NUMBERS).with_compat(Arch::Ia32, NUMBERS);
    tell::print(&explain_text(&kernel, &programs, arch, args.number));
    Ok(fault::EXIT_OK)
}

fn filters(cli: &Cli, args: &ExplainArgs) -> Result<Vec<Vec<Insn>>> {
    if let Some(value) = &args.profile {
        return Ok(load_profile(cli, value)?.filters);
    }
    if let Some(file) = &args.chain {
        return of_file(file, args.id);
    }
    if let Some(text) = &args.random {
        let numbers =
            text.split_once(':').and_then(|(seed, at)| Some((seed.parse().ok()?, at.parse().ok()?)));
        let (seed, place) = numbers.ok_or_else(|| {
            Fault::usage(format!("--random {text}: a seed and a place are wanted, as in 1:250"))
        })?;
        return Ok(random::chain(seed, place));
    }
    let Some(name) = &args.case else {
        return Err(Fault::usage("which filters?")
            .help("give --profile docker, or --chain FILE, --random SEED:PLACE, --case NAME")
            .into());
    };
    let cases = cases();
    match cases.iter().find(|case| case.name == *name) {
        Some(case) => Ok(case.filters.clone()),
        None => Err(unknown("case", name, cases.iter().map(|case| case.name.as_str())).into()),
    }
}

/// A chain of a file: the one with this id, else its first.
///
/// # Errors
/// A usage fault for what is no such file.
fn of_file(file: &Path, id: Option<u32>) -> Result<Vec<Vec<Insn>>> {
    let usage = |what: String| Fault::usage(format!("{}: {what}", file.display()));
    let bytes = fs::read(file).map_err(|error| Fault::usage(error.to_string()))?;
    let chains = request::decode(&bytes).map_err(|error| usage(error.to_string()))?;
    let found = match id {
        Some(id) => chains.iter().find(|chain| chain.id == id),
        None => chains.first(),
    };
    let ids: Vec<String> = chains.iter().take(10).map(|chain| chain.id.to_string()).collect();
    let found = found.ok_or_else(|| {
        usage(format!("no such chain among its {}, the first are {}", chains.len(), ids.join(", ")))
    })?;
    Ok(found.filters.clone())
}

fn parse_arch(text: &str) -> Result<Arch, Fault> {
    // Two names for one thing: the file in /proc says ia32, kernel configs say i386.
    let text = if text == "i386" { "ia32" } else { text };
    let found = Arch::ALL.into_iter().find(|arch| arch.name() == text);
    found.ok_or_else(|| unknown("architecture", text, Arch::ALL.map(Arch::name)))
}
