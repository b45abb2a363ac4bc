// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults that `selfcheck` plants in patches of a series: `kernel-patches/SERIES/selfcheck/`.

use anyhow::{Context, Result};
use fs_err as fs;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::files::read_toml;
use crate::lab::names::{MutantName, SeriesName};
use crate::lab::patch::{Patch, hex};
use crate::lab::series::{Series, SeriesOrigin};

/// The folder beside a series' patches.
pub const FOLDER: &str = "selfcheck";

/// `[[fault]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultFacts {
    /// Its name, and that of its patch.
    pub name: MutantName,
    /// The patch that it is planted in, from 1.
    pub patch: usize,
    /// What notices it.
    pub check: String,
    /// Where.
    pub flavor: String,
    /// A point at which the check passes, if not the first.
    #[serde(default)]
    pub good: usize,
    /// What is wrong, in one line.
    pub wrong: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    fault: Vec<FaultFacts>,
}

/// The faults of a series: what is declared of each, and the series with it. They go into the patch itself:
/// its diff, and then the fault's.
///
/// # Errors
/// A usage fault that names the file.
pub fn read(lab: &Lab, series: &SeriesName) -> Result<Vec<(FaultFacts, Series)>> {
    let folder = lab.root.join("kernel-patches").join(series.as_str()).join(FOLDER);
    let path = folder.join("selfcheck.toml");
    let text = read_toml(&path)?;
    let file: File =
        toml::from_str(&text).map_err(|error| Fault::usage(format!("{}: {error}", path.display())))?;
    let healthy = lab.series(series)?;
    let mut faults = Vec::new();
    for facts in file.fault {
        let name = format!("{}.patch", facts.name);
        let fault = Patch::parse(&name, fs::read(folder.join(&name))?)
            .with_context(|| format!("reading {}", folder.join(&name).display()))?;
        let mut faulty = healthy.clone();
        faulty.name = SeriesName::parse(&format!("{series}.{}", facts.name))?;
        faulty.origin = SeriesOrigin::AdHoc(folder.join(&name));
        let count = faulty.patches.len();
        let patch = facts.patch.checked_sub(1).and_then(|at| faulty.patches.get_mut(at));
        let patch = patch.ok_or_else(|| {
            Fault::usage(format!("{}: fault `{}`: there are {count} patches", path.display(), facts.name))
        })?;
        patch.diff.extend(fault.diff);
        patch.digest = hex(&Sha256::digest(&patch.diff));
        faults.push((facts, faulty));
    }
    Ok(faults)
}
