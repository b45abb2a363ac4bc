// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernels as each other's referees: what one tree's guest answered against another's.

use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use seccomp_oracle::agree::{Agreement, agree};

use crate::record::model::{CellRecord, Run};
use crate::run::oracle::ALWAYS_ALLOWED;
use crate::vm::frame::{FrameReader, FrameType};

/// Two cells of one flavor and different trees, and how their answers agree.
pub struct Pair {
    /// The first cell.
    pub first: String,
    /// The other one.
    pub second: String,
    /// How they agree.
    pub agreement: Agreement,
}

/// Compares each cell with the first of its flavor that is of another tree.
///
/// # Errors
/// If what a guest said cannot be read again.
pub fn compare(run: &Run, folder: &Path) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for (at, second) in run.cells.iter().enumerate() {
        let earlier = run.cells.get(..at).unwrap_or_default();
        let is_other = |cell: &&CellRecord| flavor(cell) == flavor(second) && tree(cell) != tree(second);
        let Some(first) = earlier.iter().find(is_other) else { continue };
        let (Some(one), Some(other)) = (answer(first, folder)?, answer(second, folder)?) else { continue };
        let exempt = [always_allowed(first), always_allowed(second)].concat();
        let agreement = agree(&one, &other, &exempt);
        pairs.push(Pair { first: first.id.clone(), second: second.id.clone(), agreement });
    }
    Ok(pairs)
}

fn tree(cell: &CellRecord) -> Option<&str> {
    cell.id.split('/').next()
}

fn flavor(cell: &CellRecord) -> Option<&str> {
    cell.id.rsplit('/').next()
}

fn always_allowed(cell: &CellRecord) -> Vec<u32> {
    let names = cell.checks.iter().flat_map(|check| check.figures.keys());
    names.filter_map(|name| name.strip_prefix(ALWAYS_ALLOWED)?.parse().ok()).collect()
}

/// What the only check of a cell wrote, out of the transcript that its guest left.
fn answer(cell: &CellRecord, folder: &Path) -> Result<Option<Vec<u8>>> {
    let Some(name) = cell.files.get("transcript.bin") else { return Ok(None) };
    let bytes = fs::read(folder.join(name)).with_context(|| format!("comparing {}", cell.id))?;
    let mut answer = Vec::new();
    FrameReader::new().push(&bytes, |frame| {
        if frame.kind == FrameType::Output {
            answer.extend(frame.payload);
        }
    });
    Ok(Some(answer))
}
