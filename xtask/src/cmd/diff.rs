// SPDX-License-Identifier: MIT OR Apache-2.0
//! `diff`: what two runs say differently.

use anyhow::{Context, Result};

use crate::cli::{Cli, DiffArgs, DiffFormat};
use crate::cmd::session::Session;
use crate::fault::{self, Fault, FaultKind};
use crate::record::run_diff::RunDiff;
use crate::record::store;
use crate::tell;

/// Runs the verb.
///
/// # Errors
/// A usage fault for what is no run; a no-match fault for runs that have no cell in common, or none with a verdict in
/// both.
pub fn run(cli: &Cli, args: &DiffArgs) -> Result<u8> {
    let session = Session::open(cli)?;
    let (_, older) = store::read(&session.results, &args.older)?;
    let (_, newer) = store::read(&session.results, &args.newer)?;
    let diff = RunDiff::new(&older, &newer);
    if diff.cells.is_empty() && diff.uncompared.is_empty() {
        let what = format!("runs {} and {} have no cell in common", older.id, newer.id);
        let help = "compare runs of one selection: `cargo xtask report RUN` shows the cells of a run";
        return Err(Fault::new(FaultKind::NoMatch, what).help(help).into());
    }
    tell::print(&match args.format {
        DiffFormat::Text => tell::diff::text(&diff),
        DiffFormat::Markdown => tell::diff::markdown(&diff),
        DiffFormat::Json => serde_json::to_string_pretty(&diff).context("writing the diff as JSON")? + "\n",
    });
    if diff.cells.is_empty() {
        let what = format!(
            "of runs {} and {} no cell can be compared: one has no verdict on it",
            older.id, newer.id
        );
        let help = "a run that was interrupted has none on the rest of its cells: run those again";
        return Err(Fault::new(FaultKind::NoMatch, what).help(help).into());
    }
    Ok(if diff.regression { fault::EXIT_CHECK } else { fault::EXIT_OK })
}
