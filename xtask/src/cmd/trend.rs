// SPDX-License-Identifier: MIT OR Apache-2.0
//! `trend`: the last runs of each cell.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cli::{Cli, DiffFormat, TrendArgs};
use crate::cmd::session::Session;
use crate::fault::{self, Fault};
use crate::lab::check::CheckKind;
use crate::record::model::{Run, RunState};
use crate::record::store;
use crate::record::trend::Trend;
use crate::tell;
use crate::tell::trend::LeftOut;

/// Runs the verb.
///
/// # Errors
/// A usage fault where there is no complete run.
pub fn run(cli: &Cli, args: &TrendArgs) -> Result<u8> {
    let session = Session::open(cli)?;
    let (runs, left_out) = complete_runs(store::runs(&session.results)?);
    if runs.is_empty() {
        let what = format!("no complete run is in {}", session.results.display());
        let help = "make some with `cargo xtask test`, or name another place with --results-dir DIR";
        return Err(Fault::usage(what).help(help).into());
    }
    let is_static = |name: &str| {
        let check = session.lab.checks.values().find(|check| check.name.as_str() == name);
        check.is_some_and(|check| matches!(check.kind, CheckKind::Static { .. }))
    };
    let trend = Trend::new(&runs, usize::from(args.count), &is_static);
    tell::print(&match args.format {
        DiffFormat::Text => tell::trend::text(&trend, &left_out),
        DiffFormat::Markdown => tell::trend::markdown(&trend, &left_out),
        DiffFormat::Json => serde_json::to_string_pretty(&trend).context("writing the trend as JSON")? + "\n",
    });
    Ok(if trend.is_flaky() { fault::EXIT_CHECK } else { fault::EXIT_OK })
}

/// The records of complete runs, and why others are left out.
fn complete_runs(folders: Vec<PathBuf>) -> (Vec<Run>, Vec<LeftOut>) {
    let (mut runs, mut left_out) = (Vec::new(), Vec::new());
    for folder in folders {
        let name = || folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match store::read_folder(&folder) {
            // Its rounds stand for themselves.
            Ok(run) if run.repeat.is_some() => {}
            Ok(run) if run.state == RunState::Complete => runs.push(run),
            Ok(run) => left_out.push(LeftOut { run: name(), why: run.state.words().into() }),
            Err(error) => left_out.push(LeftOut { run: name(), why: format!("{error:#}") }),
        }
    }
    (runs, left_out)
}
