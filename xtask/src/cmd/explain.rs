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
use crate::run::oracle::CHAIN_FILE_WANTED;
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
        let (seed, place) = seed_and_place(text)?;
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
    let bytes = fs::read(file).map_err(|error| Fault::usage(error.to_string()).help(CHAIN_FILE_WANTED))?;
    let chains = request::decode(&bytes).map_err(|error| usage(error.to_string()).help(CHAIN_FILE_WANTED))?;
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

/// `SEED:PLACE`, as `fuzz` names a chain.
fn seed_and_place(text: &str) -> Result<(u64, u64), Fault> {
    let refuse = |why: String| Fault::usage(format!("--random {}: {why}", text.escape_default()));
    let number = |what: &str, digits: &str| -> Result<u64, Fault> {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refuse("a seed and a place are wanted, as in 1:250".into()));
        }
        digits.parse().map_err(|_| refuse(format!("the {what} is too large: it is at most {}", u64::MAX)))
    };
    let (seed, place) = text.split_once(':').unwrap_or((text, ""));
    Ok((number("seed", seed)?, number("place", place)?))
}

fn parse_arch(text: &str) -> Result<Arch, Fault> {
    // Two names for one thing: the file in /proc says ia32, kernel configs say i386.
    let text = if text == "i386" { "ia32" } else { text };
    let found = Arch::ALL.into_iter().find(|arch| arch.name() == text);
    found.ok_or_else(|| unknown("architecture", text, Arch::ALL.map(Arch::name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_or_place_that_is_too_large_is_told_apart_from_none() {
        assert_eq!(seed_and_place("1:250").unwrap(), (1, 250));
        for (text, wanted) in [
            ("1:99999999999999999999999", "the place is too large"),
            ("99999999999999999999999:1", "the seed is too large"),
            ("1", "a seed and a place are wanted"),
            ("1:-1", "a seed and a place are wanted"),
            ("a:b", "a seed and a place are wanted"),
        ] {
            let told = seed_and_place(text).unwrap_err().to_string();
            assert!(told.contains(wanted), "{told}");
        }
    }
}
