// SPDX-License-Identifier: MIT OR Apache-2.0
//! `merge`: one run out of the records of shards.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use console::Style;
use fs_err as fs;

use crate::cli::{Cli, MergeArgs};
use crate::cmd::engine;
use crate::cmd::session::Session;
use crate::fault::{self, Fault};
use crate::lab::patch::hex;
use crate::plan::select::{Baseline, Points, Selection};
use crate::plan::work::Plan;
use crate::record::baseline::deciding_outcomes;
use crate::record::merge::{Naming, PlannedCell, hold_against, merge, missing_shards};
use crate::record::model::{CellRecord, Run, RunState, worst_exit_code};
use crate::record::store::{self, RunFolder, new_id, write_atomically};
use crate::tell;
use crate::tell::terminal::status_line;

/// Runs the verb.
///
/// # Errors
/// Usage faults for what is no run, and for records that are not shards of one run.
pub fn run(cli: &Cli, args: &MergeArgs) -> Result<u8> {
    let mut session = Session::open(cli)?;
    let plan = planned(&mut session, args)?;
    let folders = shard_folders(&args.shards)?;
    let runs = folders.iter().map(|folder| store::read_folder(folder)).collect::<Result<Vec<Run>>>()?;
    let flavors: Vec<String> = session.lab.defaults.flavors.iter().map(ToString::to_string).collect();
    let naming = Naming {
        id: new_id(&session.results, SystemTime::now()),
        command: engine::command_line(),
        flavors: &flavors,
    };
    let mut merged = merge(&runs, naming)?;
    let missing = hold_against(&mut merged, &plan);
    tell_extra(&merged, &plan);
    for shard in missing_shards(&merged) {
        let text = format!("shard {shard}: no record of it was given");
        tell::print(&status_line(&Style::new().red(), "MISSING", None, &text));
    }

    check_files(&merged)?;
    let folder = RunFolder::create(&session.results, &merged.id)?;
    let mut copier = Copier { target: folder.path().to_owned(), lost: Vec::new() };
    for (from, run) in folders.iter().zip(&runs) {
        let ids = merged.shards.iter().find(|shard| shard.id == run.id).map(|shard| shard.cells.clone());
        for id in ids.unwrap_or_default() {
            if let Some(cell) = merged.cells.iter_mut().find(|cell| cell.id == id) {
                copier.take(from, cell)?;
            }
        }
    }
    for lost in &copier.lost {
        tell::print(&status_line(&Style::new().yellow(), "LOST", None, lost));
    }
    folder.write(&merged)?;
    reports(&merged, &folder)?;
    tell::print(&tell::summary::summary(&merged, folder.path()));
    Ok(exit_code(&merged, missing))
}

/// A cell without a verdict, or a shard that did not end, is trouble of the lab's.
fn exit_code(merged: &Run, missing: usize) -> u8 {
    let code = worst_exit_code(deciding_outcomes(merged));
    let is_whole = missing == 0 && merged.state == RunState::Complete && !merged.cells.is_empty();
    if code == fault::EXIT_OK && !is_whole { fault::EXIT_INFRA } else { code }
}

/// The cells that have to be there, by a file or by a selection; none where neither is given.
fn planned(session: &mut Session, args: &MergeArgs) -> Result<Vec<PlannedCell>> {
    if let Some(file) = &args.plan {
        return plan_of_file(file);
    }
    if !args.has_selection() {
        return Ok(Vec::new());
    }
    let named = session.name_ad_hoc(&args.tree, &args.series, &args.reading)?;
    let selection = Selection {
        globs: args.cell.clone(),
        trees: named.trees,
        series: named.series,
        flavors: args.flavor.clone(),
        checks: args.check.clone(),
        matrix: args.matrix.clone(),
        points: if args.every_patch { Points::Every } else { Points::Named },
        baseline: if args.baseline { Baseline::Compared } else { Baseline::LeftOut },
        checks_of: None,
        shard: None,
    };
    let guests = Plan::make(&session.lab, &selection)?.guests.into_iter();
    let planned = guests.map(|guest| PlannedCell {
        id: guest.cell.to_string(),
        checks: guest.checks.iter().map(|planned| planned.check.name.to_string()).collect(),
    });
    Ok(planned.collect())
}

/// The cells that a listing names.
fn plan_of_file(file: &Path) -> Result<Vec<PlannedCell>> {
    let usage = |what: String| {
        Fault::usage(format!("--plan {}: {what}", file.display()))
            .help("write it with `cargo xtask list --matrix NAME --format github > FILE`")
    };
    let text = fs::read_to_string(file).map_err(|error| usage(error.to_string()))?;
    let listing: serde_json::Value = serde_json::from_str(&text).map_err(|error| usage(error.to_string()))?;
    let list = |name: &str| listing.get(name).and_then(|list| list.as_array()).cloned().unwrap_or_default();
    let of_cells = list("cells").into_iter().filter_map(|cell| Some(cell.get("id")?.as_str()?.to_owned()));
    let of_jobs = list("include").into_iter().filter_map(|job| Some(job.get("cells")?.as_str()?.to_owned()));
    let ids: Vec<String> = of_cells
        .chain(of_jobs.flat_map(|ids| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()))
        .collect();
    if ids.is_empty() {
        return Err(usage("it names no cell".into()).into());
    }
    Ok(ids.into_iter().map(|id| PlannedCell { id, checks: Vec::new() }).collect())
}

/// Cells that nobody planned are kept, and told.
fn tell_extra(merged: &Run, plan: &[PlannedCell]) {
    if plan.is_empty() {
        return;
    }
    for cell in merged.cells.iter().filter(|cell| !plan.iter().any(|planned| planned.id == cell.id)) {
        let text = format!("{} is in no plan", cell.id);
        tell::print(&status_line(&Style::new().yellow(), "EXTRA", None, &text));
    }
}

/// The folders of runs that were given: themselves, or what is in them.
fn shard_folders(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in given {
        if store::is_run(folder) {
            folders.push(folder.clone());
            continue;
        }
        let within = if folder.is_dir() { store::runs(folder)? } else { Vec::new() };
        if within.is_empty() {
            let what = format!("`{}` is no run, and there is none in it", folder.display());
            let help =
                "give folders with a run.json, as `cargo xtask test --shard 1/3` leaves them in results/";
            return Err(Fault::usage(what).help(help).into());
        }
        folders.extend(within);
    }
    Ok(folders)
}

/// Files of a record lie in its own folder: anything else is refused before anything is written.
fn check_files(run: &Run) -> Result<()> {
    for cell in &run.cells {
        for name in cell.files.values() {
            if !is_plain(name) {
                let what =
                    format!("{}: the file `{}` is not in the run's folder", cell.id, name.escape_default());
                return Err(Fault::usage(what).help("the record is damaged: leave it out").into());
            }
        }
    }
    Ok(())
}

fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None))
}

/// Copies files of cells into one folder.
struct Copier {
    target: PathBuf,
    lost: Vec<String>,
}

impl Copier {
    /// Copies the files of a cell, and names them in it as they are called now.
    fn take(&mut self, from: &Path, cell: &mut CellRecord) -> Result<()> {
        let mut files = std::mem::take(&mut cell.files);
        for (kind, name) in std::mem::take(&mut files) {
            let source = from.join(&name);
            // A link could lead out of the folder.
            let is_file = fs::symlink_metadata(&source).is_ok_and(|metadata| metadata.is_file());
            if !is_file {
                self.lost.push(format!("{}: {kind}, {} is not there", cell.id, source.display()));
                continue;
            }
            cell.files.insert(kind, self.copy(&source, &name)?);
        }
        Ok(())
    }

    /// Copies a file; where another of that name is there, under a name with its digest.
    fn copy(&self, source: &Path, name: &str) -> Result<String> {
        let bytes = fs::read(source)?;
        let is_free = |name: &str| -> Result<bool> {
            let target = self.target.join(name);
            Ok(!target.exists() || fs::read(&target)? == bytes)
        };
        let reserved = ["run.json", "junit.xml", "results.ktap", "report.md"];
        let name = match !reserved.contains(&name) && is_free(name)? {
            true => name.to_owned(),
            false => {
                use sha2::{Digest, Sha256};
                let digest = hex(&Sha256::digest(&bytes));
                format!("{}-{name}", digest.get(..12).context("a digest is longer")?)
            }
        };
        fs::write(self.target.join(&name), &bytes)?;
        // What boots a guest again is a program.
        fs::set_permissions(self.target.join(&name), fs::metadata(source)?.permissions())?;
        Ok(name)
    }
}

fn reports(run: &Run, folder: &RunFolder) -> Result<()> {
    if run.mutants.is_empty() {
        engine::reports(run, folder)?;
    }
    write_atomically(&folder.path().join("report.md"), tell::markdown::markdown(run).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::Outcome;
    use crate::record::sample;

    #[test]
    fn only_a_whole_run_of_passes_is_one() {
        let good = sample::run(vec![sample::passed()]);
        assert_eq!(exit_code(&good, 0), 0);
        assert_eq!(exit_code(&good, 1), 105);
        assert_eq!(exit_code(&sample::run(Vec::new()), 0), 105);
        assert_eq!(exit_code(&sample::run(vec![sample::failed()]), 0), 100);
        assert_eq!(exit_code(&sample::run(vec![sample::failed(), sample::let_down()]), 0), 105);
        for state in [RunState::Cancelled, RunState::Running, RunState::Failed] {
            assert_eq!(exit_code(&Run { state, ..good.clone() }, 0), 105, "{state:?}");
        }
        let mut cancelled = good;
        cancelled.cells[0].outcome = Outcome::Cancelled;
        assert_eq!(exit_code(&cancelled, 0), 130);
    }

    #[test]
    fn files_lie_in_the_folder_of_their_run() {
        assert!(is_plain("a.console.log"));
        for name in ["", ".", "..", "../a", "a/b", "/etc/passwd", "a/.."] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
