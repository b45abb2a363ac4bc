// SPDX-License-Identifier: MIT OR Apache-2.0
//! Read: configuration files to a validated [`Lab`].
//!
//! Architecture invariant: nothing here fetches, builds or boots; every name that a later stage
//! looks up was checked here.

pub mod bench;
pub mod check;
pub mod damage;
pub mod expected;
pub(crate) mod file;
pub mod files;
pub mod fragment;
pub mod guest_fault;
#[cfg(test)]
mod hostile_tests;
pub mod kernel;
pub mod mail;
pub mod mutant;
pub mod names;
pub mod patch;
pub mod profile;
pub mod provenance;
pub mod selfcheck;
pub mod series;
pub mod special;
pub mod static_check;
pub mod tree;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::Deserialize;

use crate::fault::Fault;
use crate::lab::bench::BenchBounds;
use crate::lab::check::Check;
use crate::lab::expected::Expected;
use crate::lab::file::{LabFile, absolute, read_fragments, read_series};
use crate::lab::files::read_toml;
use crate::lab::fragment::Symbols;
use crate::lab::kernel::{BootImage, Flavor, FlavorId, KernelConfig, KernelId, Machine, Variant};
use crate::lab::names::{
    CheckName, FlavorName, KernelName, MatrixName, SeriesName, TreeName, VariantName, unknown,
};
use crate::lab::series::Series;
use crate::lab::static_check::CrossTools;
use crate::lab::tree::Tree;

/// What an axis is when nobody names it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The tree.
    pub tree: TreeName,
    /// The series; all of it.
    pub series: SeriesName,
    /// The flavors.
    pub flavors: Vec<FlavorName>,
    /// The matrix whose checks are run when none is named.
    pub matrix: MatrixName,
    /// Checks, or families of them, that are added where every patch is tested.
    #[serde(default)]
    pub every_patch: Vec<String>,
}

/// How long things may take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// From starting QEMU to init's first record.
    #[serde(deserialize_with = "check::duration")]
    pub boot: Duration,
    /// From starting QEMU to its end.
    #[serde(deserialize_with = "check::duration")]
    pub guest: Duration,
    /// One kernel build.
    #[serde(deserialize_with = "check::duration")]
    pub build: Duration,
    /// One download.
    #[serde(deserialize_with = "check::duration")]
    pub fetch: Duration,
    /// The boot that finds out whether KVM can run a guest.
    #[serde(deserialize_with = "check::duration")]
    pub kvm_probe: Duration,
}

/// `[matrix.NAME]`: cells and checks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Cell ids; `TREE/SERIES/FLAVOR` stands for the last point.
    pub cells: Vec<String>,
    /// Checks or families of checks.
    pub checks: Vec<String>,
}

/// Everything that is configured, checked.
#[derive(Debug)]
pub struct Lab {
    /// The lab's checkout.
    pub root: PathBuf,
    /// What an axis is when nobody names it.
    pub defaults: Defaults,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// Kernel sources.
    pub trees: BTreeMap<TreeName, Tree>,
    /// Series, `none` included.
    pub series: BTreeMap<SeriesName, Series>,
    /// Kernel configs.
    pub kernels: BTreeMap<KernelName, KernelConfig>,
    /// Variants of kernel configs.
    pub variants: BTreeMap<VariantName, Variant>,
    /// Flavors.
    pub flavors: BTreeMap<FlavorName, Flavor>,
    /// Matrices.
    pub matrices: BTreeMap<MatrixName, Matrix>,
    /// Checks.
    pub checks: BTreeMap<CheckName, Check>,
    /// Cross toolchains of static checks.
    pub cross: BTreeMap<String, CrossTools>,
    /// What `bench` holds figures against.
    bench: BenchBounds,
    /// What functions are called in trees that have them without a series, by role.
    functions: BTreeMap<TreeName, BTreeMap<String, String>>,
    /// Known failures and skips.
    pub expected: Expected,
    /// `splats.toml`: kernel-log patterns.
    pub splats: String,
    /// Config fragments, by file name.
    fragments: BTreeMap<String, Symbols>,
}

impl Lab {
    /// Reads the configuration of the lab whose checkout is `root`.
    ///
    /// # Errors
    /// A usage fault that names the file, and the field or line.
    pub fn read(root: &Path) -> Result<Self> {
        let configs = root.join("configs");
        let path = configs.join("lab.toml");
        let file = LabFile::read(&path)?;
        let fragments = read_fragments(&configs.join("kernel"), &file)?;
        let mut checks = BTreeMap::new();
        for (name, raw) in file.check {
            let check =
                raw.into_check(name.clone()).with_context(|| format!("reading {}", path.display()))?;
            checks.insert(name, check);
        }
        let trees = file
            .tree
            .into_iter()
            .map(|(name, source)| (name.clone(), Tree { name, source: absolute(source, root) }))
            .collect();
        let expected_path = configs.join("expected.toml");
        let lab = Self {
            fragments,
            root: root.to_owned(),
            defaults: file.defaults,
            deadlines: file.deadline,
            trees,
            series: read_series(&root.join("kernel-patches"))?,
            kernels: file.kernel,
            variants: file.variant,
            flavors: file.flavor,
            matrices: file.matrix,
            checks,
            cross: file.cross,
            bench: file.bench,
            functions: file.functions,
            expected: Expected::parse(&expected_path.display().to_string(), &read_toml(&expected_path)?)?,
            splats: read_toml(&configs.join("splats.toml"))?,
        };
        lab.validate().with_context(|| format!("reading {}", path.display()))?;
        Ok(lab)
    }

    /// A plain flavor by name.
    ///
    /// # Errors
    /// A usage fault with the nearest name.
    pub fn flavor(&self, name: &FlavorName) -> Result<&Flavor, Fault> {
        self.flavors
            .get(name)
            .ok_or_else(|| unknown("flavor", name.as_str(), self.flavors.keys().map(FlavorName::as_str)))
    }

    /// The kernel that a flavor runs on.
    ///
    /// # Errors
    /// A usage fault for an unknown flavor or variant, or one that does not exist for the other.
    pub fn kernel_of(&self, flavor: &FlavorId) -> Result<KernelId, Fault> {
        let plain = self.flavor(&flavor.flavor)?;
        for name in &flavor.variants {
            let variant = self.variants.get(name).ok_or_else(|| {
                unknown("variant", name.as_str(), self.variants.keys().map(VariantName::as_str))
            })?;
            if !variant.flavors.contains(&flavor.flavor) {
                return Err(Fault::usage(format!("variant `{name}` does not exist for `{}`", flavor.flavor)));
            }
        }
        Ok(KernelId { kernel: plain.kernel.clone(), variants: flavor.variants.clone() })
    }

    /// The config behind a kernel id.
    ///
    /// # Errors
    /// A usage fault with the nearest name.
    pub fn kernel(&self, id: &KernelId) -> Result<&KernelConfig, Fault> {
        self.kernels.get(&id.kernel).ok_or_else(|| {
            unknown("kernel config", id.kernel.as_str(), self.kernels.keys().map(KernelName::as_str))
        })
    }

    /// The variants of a kernel, in the order they are applied.
    pub fn variants_of<'a>(&'a self, id: &'a KernelId) -> impl DoubleEndedIterator<Item = &'a Variant> {
        id.variants.iter().filter_map(|name| self.variants.get(name))
    }

    /// The machine of a kernel: what its variants say wins.
    ///
    /// # Errors
    /// A usage fault for an unknown kernel config.
    pub fn machine(&self, id: &KernelId) -> Result<Machine, Fault> {
        let mut machine = self.kernel(id)?.machine.clone();
        for variant in self.variants_of(id) {
            machine.cpus = variant.cpus.unwrap_or(machine.cpus);
            machine.memory_mib = variant.memory_mib.unwrap_or(machine.memory_mib);
            if !variant.append.is_empty() {
                machine.append = format!("{} {}", machine.append, variant.append).trim().to_owned();
            }
        }
        Ok(machine)
    }

    /// What QEMU is given of a kernel: what its last variant says that says anything.
    pub fn boot_image(&self, id: &KernelId) -> BootImage {
        self.variants_of(id).rev().find_map(|variant| variant.image).unwrap_or_default()
    }

    /// How many times longer than on a plain kernel boots and checks may take.
    pub fn slower(&self, id: &KernelId) -> u32 {
        self.variants_of(id).filter_map(|variant| variant.slower).product::<u32>().max(1)
    }

    /// The symbols that a kernel config asks for: those that every tree must have, and those that
    /// are asked for only where the tree has them.
    ///
    /// # Errors
    /// A usage fault for an unknown kernel config.
    pub fn symbols(&self, id: &KernelId) -> Result<(Symbols, Symbols), Fault> {
        let config = self.kernel(id)?;
        let mut wanted_files: Vec<&String> = config.fragments.iter().collect();
        let mut optional_files: Vec<&String> = config.optional.iter().collect();
        for variant in self.variants_of(id) {
            wanted_files.extend(&variant.fragments);
            wanted_files.extend(variant.kernel_fragments.get(&id.kernel).into_iter().flatten());
            optional_files.extend(&variant.optional);
        }
        let merged = |files: Vec<&String>| {
            let mut symbols = Symbols::default();
            files.iter().filter_map(|file| self.fragments.get(*file)).for_each(|one| symbols.merge(one));
            symbols
        };
        Ok((merged(wanted_files), merged(optional_files)))
    }

    /// The checks that `prefix` names: one, or a family.
    ///
    /// # Errors
    /// A usage fault with the nearest name if it names none.
    pub fn checks_under(&self, prefix: &str) -> Result<Vec<&Check>, Fault> {
        let found: Vec<&Check> = self.checks.values().filter(|check| check.name.is_under(prefix)).collect();
        if found.is_empty() {
            let families = self.checks.keys().filter_map(|check| Some(check.as_str().rsplit_once('.')?.0));
            let names: BTreeSet<&str> = self.checks.keys().map(CheckName::as_str).chain(families).collect();
            return Err(unknown("check", prefix, names));
        }
        Ok(found)
    }

    /// The patches to apply for a point: those of the series it requires, whole, then its own.
    ///
    /// # Errors
    /// A usage fault for an unknown series or a circle of requirements.
    pub fn patches(&self, point: &series::Point) -> Result<Vec<&patch::Patch>, Fault> {
        let applied = self.applied(point)?.into_iter();
        Ok(applied.flat_map(|(series, applied)| series.patches.iter().take(applied)).collect())
    }

    /// The series that a point is made of, in the order of their patches, and how many of each.
    ///
    /// # Errors
    /// A usage fault for an unknown series or a circle of requirements.
    pub fn applied(&self, point: &series::Point) -> Result<Vec<(&Series, usize)>, Fault> {
        let mut stack: Vec<(&Series, usize)> = Vec::new();
        let mut series = self.series(&point.series)?;
        stack.push((series, point.applied));
        while let Some(required) = &series.facts.requires {
            series = self.series(required)?;
            if stack.iter().any(|(seen, _)| seen.name == series.name) {
                return Err(Fault::usage(format!("series `{}` requires itself", series.name)));
            }
            stack.push((series, series.patches.len()));
        }
        stack.reverse();
        Ok(stack)
    }

    /// What functions are called at a point of a tree, by role: as its series say, else as
    /// `[functions]` says of the tree, else as the default series says, for patches given ad hoc.
    ///
    /// # Errors
    /// A usage fault for an unknown series.
    pub fn functions(
        &self,
        tree: &TreeName,
        point: &series::Point,
    ) -> Result<BTreeMap<String, String>, Fault> {
        let mut roles = self.series(&self.defaults.series)?.facts.functions.clone();
        roles.extend(self.functions.get(tree).cloned().unwrap_or_default());
        for (series, _) in self.applied(point)? {
            roles.extend(series.facts.functions.clone());
        }
        Ok(roles)
    }

    /// What the figures of a point are held against: what its series say, else `lab.toml`.
    ///
    /// # Errors
    /// A usage fault for an unknown series.
    pub fn bench_bounds(&self, point: &series::Point) -> Result<BenchBounds, Fault> {
        let of_series = self.applied(point)?.into_iter();
        Ok(of_series.fold(self.bench.clone(), |bounds, (series, _)| bounds.with(&series.facts.bench)))
    }

    /// A series by name.
    ///
    /// # Errors
    /// A usage fault with the nearest name.
    pub fn series(&self, name: &SeriesName) -> Result<&Series, Fault> {
        self.series
            .get(name)
            .ok_or_else(|| unknown("series", name.as_str(), self.series.keys().map(SeriesName::as_str)))
    }

    /// Where the names of a check's sub-tests on a tree are kept.
    pub fn names_file(&self, tree: &TreeName, check: &CheckName) -> PathBuf {
        self.root.join("configs/names").join(tree.as_str()).join(format!("{check}.txt"))
    }

    /// The sub-tests that a check is known to have on a tree; none where nobody has kept them. One
    /// that is no longer there has vanished, and that is no pass.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn known_names(&self, tree: &TreeName, check: &CheckName) -> Result<Vec<String>> {
        let path = self.names_file(tree, check);
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(path)?;
        let lines = text.lines().map(str::trim);
        Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
    }

    /// A tree by name.
    ///
    /// # Errors
    /// A usage fault with the nearest name.
    pub fn tree(&self, name: &TreeName) -> Result<&Tree, Fault> {
        self.trees
            .get(name)
            .ok_or_else(|| unknown("tree", name.as_str(), self.trees.keys().map(TreeName::as_str)))
    }
}

#[cfg(test)]
#[path = "lab_tests.rs"]
mod tests;
