// SPDX-License-Identifier: MIT OR Apache-2.0
//! The listing: what there is to run.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::lab::Lab;
use crate::lab::check::CheckKind;
use crate::plan::cell::Cell;
use crate::plan::job::{Job, jobs};
use crate::run::cache::Kind;
use crate::tell::table::lay_out;

/// What `list` shows.
#[derive(Debug, Serialize)]
pub struct Listing {
    cells: Vec<CellEntry>,
    checks: Vec<CheckEntry>,
    trees: Vec<TreeEntry>,
    matrices: Vec<String>,
    cached_kernels: Vec<String>,
    #[serde(skip)]
    jobs: Vec<Job>,
}

#[derive(Debug, Serialize)]
struct CellEntry {
    id: String,
    tree: String,
    series: String,
    applied: usize,
    flavor: String,
    kernel: String,
    abi: u32,
}

#[derive(Debug, Serialize)]
struct CheckEntry {
    name: String,
    kind: &'static str,
    requires: Vec<String>,
    deadline_s: u64,
}

#[derive(Debug, Serialize)]
struct TreeEntry {
    name: String,
    source: String,
}

impl Listing {
    /// Collects the listing.
    ///
    /// # Errors
    /// Usage faults for cells that the lab does not know.
    pub fn new(lab: &Lab, cells: &[Cell], cache: &Path) -> Result<Self> {
        let checks = lab.checks.values().map(|check| CheckEntry {
            name: check.name.to_string(),
            kind: match check.kind {
                CheckKind::Kselftest { .. } => "kselftest",
                CheckKind::Program { .. } => "program",
                CheckKind::Oracle { .. } => "oracle",
                CheckKind::Static { .. } => "static",
            },
            requires: check.requires.clone(),
            deadline_s: check.deadline.as_secs(),
        });
        let trees = lab.trees.values();
        Ok(Self {
            cells: cells.iter().filter_map(|cell| cell_entry(lab, cell)).collect(),
            checks: checks.collect(),
            trees: trees
                .map(|tree| TreeEntry { name: tree.name.to_string(), source: tree.source.describe() })
                .collect(),
            matrices: lab.matrices.keys().map(ToString::to_string).collect(),
            cached_kernels: cached_kernels(cache),
            jobs: jobs(lab, cells)?,
        })
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut rows = vec![["cell", "kernel", "programs"].map(str::to_owned).to_vec()];
        for cell in &self.cells {
            rows.push(vec![cell.id.clone(), cell.kernel.clone(), format!("{} bits", cell.abi)]);
        }
        let mut text = lay_out(&rows, &[]);
        let mut rows = vec![["check", "kind", "requires"].map(str::to_owned).to_vec()];
        for check in &self.checks {
            rows.push(vec![check.name.clone(), check.kind.to_owned(), check.requires.join(" ")]);
        }
        text.push('\n');
        text.push_str(&lay_out(&rows, &[]));
        let mut rows = vec![["tree", "source"].map(str::to_owned).to_vec()];
        rows.extend(self.trees.iter().map(|tree| vec![tree.name.clone(), tree.source.clone()]));
        text.push('\n');
        text.push_str(&lay_out(&rows, &[]));
        text.push_str(&format!("\n  matrices: {}\n", self.matrices.join(", ")));
        text.push_str(&format!("  cached kernels: {}\n", self.cached_kernels.len()));
        text
    }

    /// For programs.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self).context("writing the listing as JSON")? + "\n")
    }

    /// A GitHub Actions matrix: one job a kernel, with the cells that it boots.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn github(&self) -> Result<String> {
        let text = serde_json::to_string(&serde_json::json!({ "include": self.jobs }));
        Ok(text.context("writing the job matrix as JSON")? + "\n")
    }
}

fn cell_entry(lab: &Lab, cell: &Cell) -> Option<CellEntry> {
    Some(CellEntry {
        id: cell.to_string(),
        tree: cell.tree.to_string(),
        series: cell.point.series.to_string(),
        applied: cell.point.applied,
        flavor: cell.flavor.to_string(),
        kernel: lab.kernel_of(&cell.flavor).ok()?.to_string(),
        abi: match lab.flavor(&cell.flavor.flavor).ok()?.abi {
            crate::lab::kernel::Abi::Bits64 => 64,
            crate::lab::kernel::Abi::Bits32 => 32,
        },
    })
}

fn cached_kernels(cache: &Path) -> Vec<String> {
    let folder = cache.join("objects").join(Kind::Kernel.folder());
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
