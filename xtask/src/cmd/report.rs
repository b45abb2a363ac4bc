// SPDX-License-Identifier: MIT OR Apache-2.0
//! `report`: make the reports of a run again.

use anyhow::{Context, Result};

use crate::cli::{Cli, ReportArgs, ReportFormat};
use crate::cmd::session::Session;
use crate::fault;
use crate::record::store;
use crate::tell;

/// Runs the verb.
///
/// # Errors
/// A usage fault for what is no run.
pub fn run(cli: &Cli, args: &ReportArgs) -> Result<u8> {
    let session = Session::open(cli)?;
    let (folder, run) = store::read(&session.results, &args.run)?;
    let text = match args.format {
        ReportFormat::Summary if !run.mutants.is_empty() => tell::mutants::summary(&run, &folder),
        ReportFormat::Summary => {
            let figures = run.bench.as_ref().map(|_| tell::bench::table(&run)).unwrap_or_default();
            figures + &tell::summary::summary(&run, &folder)
        }
        ReportFormat::Full => tell::summary::full(&run),
        ReportFormat::Junit => tell::junit::junit(&run)?,
        ReportFormat::Ktap => tell::ktap::ktap(&run),
        ReportFormat::Markdown if run.bench.is_some() => tell::bench::markdown(&run),
        ReportFormat::Markdown => tell::markdown::markdown(&run),
        ReportFormat::Reply => tell::reply::reply(&run, &variants(&session.lab)),
        ReportFormat::Json => {
            let mut text = serde_json::to_string_pretty(&run).context("writing the record as JSON")?;
            text.push('\n');
            text
        }
    };
    tell::print(&text);
    Ok(fault::EXIT_OK)
}

/// The variants that the lab knows: a reply says which were not asked.
fn variants(lab: &crate::lab::Lab) -> Vec<String> {
    lab.variants.keys().map(ToString::to_string).collect()
}
