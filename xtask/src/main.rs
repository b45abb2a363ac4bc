// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lab's command line: flags to a verb to an exit code. `ARCHITECTURE.md` is the map.

mod cli;
mod cli_bench;
mod cli_nights;
mod cli_series;
mod cli_values;
mod cmd;
mod fault;
mod judge;
mod lab;
mod parse;
mod plan;
mod record;
mod run;
mod sys;
mod tell;
mod vm;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Verb};
use crate::record::exit_codes::ExitCodes;

/// What Rust ends a panic with.
const EXIT_PANIC: u8 = 101;

fn main() -> ExitCode {
    // git bisect takes 1 to 124 for a bad commit: neither a slip in the flags nor a panic may end with them.
    let codes = ExitCodes::wanted(std::env::args());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(fault::EXIT_USAGE);
            let _ = error.print();
            return ExitCode::from(codes.of_error(code));
        }
    };
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&cli)));
    let code = match ran {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            tell::print_error(&tell::visible::plain(&fault::describe(&error)));
            codes.of_error(fault::exit_code(&error))
        }
        Err(_) => codes.of_error(EXIT_PANIC),
    };
    if tell::has_lost() {
        tell::print_error("error: standard output could not be written: what is there is not all\n");
        return ExitCode::from(codes.of_error(if code == fault::EXIT_OK { fault::EXIT_INFRA } else { code }));
    }
    ExitCode::from(code)
}

fn run(cli: &Cli) -> anyhow::Result<u8> {
    if let Verb::Reaper { mark } = &cli.verb {
        sys::reaper::run(std::io::stdin().lock(), mark);
        return Ok(fault::EXIT_OK);
    }
    sys::interrupt::install()?;
    match &cli.verb {
        Verb::Test(args) if !args.dry_run => sys::reaper::start()?,
        Verb::Shell(_)
        | Verb::Fuzz(_)
        | Verb::Profiles(_)
        | Verb::CheckPatch(_)
        | Verb::Bisect(_)
        | Verb::Bench(_)
        | Verb::Selfcheck(_) => {
            sys::reaper::start()?;
        }
        Verb::Mutants(args) if !args.list => sys::reaper::start()?,
        _ => {}
    }
    match &cli.verb {
        Verb::Test(args) => cmd::test::run(cli, args),
        Verb::Fuzz(args) => cmd::fuzz::run(cli, args),
        Verb::Explain(args) => cmd::explain::run(cli, args),
        Verb::Bisect(args) => cmd::bisect::run(cli, args),
        Verb::Bench(args) => cmd::bench::run(cli, args),
        Verb::Selfcheck(args) => cmd::selfcheck::run(cli, args),
        Verb::List(args) => cmd::list::run(cli, args),
        Verb::Shell(args) => cmd::shell::run(cli, args),
        Verb::Mutants(args) => cmd::mutants::run(cli, args),
        Verb::Report(args) => cmd::report::run(cli, args),
        Verb::Diff(args) => cmd::diff::run(cli, args),
        Verb::Trend(args) => cmd::trend::run(cli, args),
        Verb::Merge(args) => cmd::merge::run(cli, args),
        Verb::Doctor(args) => cmd::doctor::run(cli, args),
        Verb::Clean(args) => cmd::clean::run(cli, args),
        Verb::Profiles(args) => cmd::profiles::run(cli, args),
        Verb::Import(args) => cmd::import::run(cli, args),
        Verb::CheckPatch(args) => cmd::check_patch::run(cli, args),
        Verb::Reaper { .. } => Ok(fault::EXIT_OK),
    }
}
