// SPDX-License-Identifier: MIT OR Apache-2.0
//! The configuration as it stands in its files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::Deserialize;

use crate::fault::Fault;
use crate::lab::bench::BenchBounds;
use crate::lab::check::RawCheck;
use crate::lab::files::read_toml;
use crate::lab::fragment::Symbols;
use crate::lab::kernel::{Flavor, KernelConfig, Variant};
use crate::lab::names::{
    CheckName, FlavorName, KernelName, MatrixName, SeriesName, TreeName, VariantName, nearest,
};
use crate::lab::series::Series;
use crate::lab::static_check::CrossTools;
use crate::lab::tree::TreeSource;
use crate::lab::{Deadlines, Defaults, Matrix};

/// `lab.toml` as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabFile {
    pub(super) defaults: Defaults,
    pub(super) deadline: Deadlines,
    pub(super) tree: BTreeMap<TreeName, TreeSource>,
    pub(super) kernel: BTreeMap<KernelName, KernelConfig>,
    #[serde(default)]
    pub(super) variant: BTreeMap<VariantName, Variant>,
    pub(super) flavor: BTreeMap<FlavorName, Flavor>,
    pub(super) matrix: BTreeMap<MatrixName, Matrix>,
    pub(super) check: BTreeMap<CheckName, RawCheck>,
    #[serde(default)]
    pub(super) cross: BTreeMap<String, CrossTools>,
    #[serde(default)]
    pub(super) bench: BenchBounds,
    #[serde(default)]
    pub(super) functions: BTreeMap<TreeName, BTreeMap<String, String>>,
}

impl LabFile {
    /// Reads `lab.toml`.
    ///
    /// # Errors
    /// A usage fault with the line, and the nearest field for one that is unknown.
    pub(super) fn read(path: &Path) -> Result<Self> {
        Ok(Self::parse(path, &read_toml(path)?)?)
    }

    /// Reads the text of `lab.toml`.
    ///
    /// # Errors
    /// As [`LabFile::read`].
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Fault> {
        toml::from_str(text).map_err(|error| toml_fault(path, &error))
    }
}

/// Paths in `lab.toml` are meant from the top of the lab's checkout.
pub(super) fn absolute(source: TreeSource, root: &Path) -> TreeSource {
    match source {
        TreeSource::Path { directory } => TreeSource::Path { directory: root.join(directory) },
        TreeSource::Tarball { location, sha256 } if !location.contains("://") => {
            TreeSource::Tarball { location: root.join(location).to_string_lossy().into_owned(), sha256 }
        }
        other => other,
    }
}

/// Every fragment that a kernel config or a variant names.
pub(super) fn read_fragments(folder: &Path, file: &LabFile) -> Result<BTreeMap<String, Symbols>> {
    let of_kernels = file.kernel.values().flat_map(|kernel| kernel.fragments.iter().chain(&kernel.optional));
    let of_variants = file.variant.values().flat_map(|variant| {
        let for_kernels = variant.kernel_fragments.values().flatten();
        variant.fragments.iter().chain(&variant.optional).chain(for_kernels)
    });
    let mut fragments = BTreeMap::new();
    for name in of_kernels.chain(of_variants) {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(|error| {
            Fault::usage(format!("reading a config fragment: {error}"))
                .help("fragments are files under configs/kernel/")
        })?;
        fragments.insert(name.clone(), Symbols::parse_fragment(&path.display().to_string(), &text)?);
    }
    Ok(fragments)
}

pub(super) fn read_series(folder: &Path) -> Result<BTreeMap<SeriesName, Series>> {
    let none = Series::empty()?;
    let mut all = BTreeMap::from([(none.name.clone(), none)]);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let name = SeriesName::parse(&entry.file_name().to_string_lossy())
            .with_context(|| format!("reading {}", folder.display()))?;
        all.insert(name.clone(), Series::read_shipped(name, &entry.path())?);
    }
    Ok(all)
}

/// toml's message shows the line; an unknown field gets the nearest one it could have been.
fn toml_fault(path: &Path, error: &toml::de::Error) -> Fault {
    let fault = Fault::usage(format!("{}: {}", path.display(), error.to_string().trim_end()));
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    match quoted.next() {
        Some(written) if message.starts_with("unknown field") => {
            match nearest(written, quoted.collect::<Vec<_>>()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault,
            }
        }
        _ => fault,
    }
}
