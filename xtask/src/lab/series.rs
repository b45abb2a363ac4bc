// SPDX-License-Identifier: MIT OR Apache-2.0
//! Series: ordered patches, and points within them.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::lab::bench::BenchBounds;
use crate::lab::files::{read_capped, read_toml};
use crate::lab::names::{CheckName, SeriesName, TreeName, sanitize};
use crate::lab::patch::{PATCH_BYTES_MAX, Patch};
use crate::lab::provenance::{SeriesProvenance, Subset};

/// What `series.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesFacts {
    /// One line: what the series does.
    pub title: String,
    /// The tree it was written for.
    pub tree: Option<TreeName>,
    /// Licence of the patches, an SPDX expression.
    pub license: Option<String>,
    /// The commit it was made on.
    #[serde(default, rename = "base-commit")]
    pub base_commit: Option<String>,
    /// A series that must be applied, whole, before this one.
    pub requires: Option<SeriesName>,
    /// Config symbols that the series brings.
    #[serde(default)]
    pub symbol: Vec<BroughtSymbol>,
    /// Checks that make sense from some patch on.
    #[serde(default)]
    pub check: Vec<BroughtCheck>,
    /// Checks of a required series that a patch leaves without a subject: from there on they are not
    /// asked, and absent where they look in vain.
    #[serde(default)]
    pub retired: Vec<BroughtCheck>,
    /// Names of functions, for static checks.
    #[serde(default)]
    pub functions: std::collections::BTreeMap<String, String>,
    /// What the search for a patch needs to know.
    #[serde(default)]
    pub bisect: BisectFacts,
    /// What `bench` holds the series' figures against, where `lab.toml` says otherwise.
    #[serde(default)]
    pub bench: BenchBounds,
}

/// `[bisect]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BisectFacts {
    /// Patches without which others cannot be seen at work, by their numbers: they are put on every point
    /// that does not have them.
    #[serde(default)]
    pub overlay: Vec<usize>,
}

/// A config symbol that is asked for from a patch on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BroughtSymbol {
    /// Without `CONFIG_`.
    pub name: String,
    /// `y`, `n`, a number or a quoted string, as in a `.config`.
    pub value: String,
    /// The first patch with which it exists.
    pub from: usize,
}

/// A check, or family of checks, that belongs to a series, or that it retires.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BroughtCheck {
    /// `CHECK` or `CHECK.SUB`.
    pub name: CheckName,
    /// The first patch with which it can be asked, or can no more.
    pub from: usize,
}

/// Where a series came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeriesOrigin {
    /// A folder under `kernel-patches/`.
    Shipped,
    /// A file or folder given with `--series`.
    AdHoc(PathBuf),
    /// A range of commits of a user's repository.
    Commits {
        /// The repository.
        repository: PathBuf,
        /// `BASE..HEAD`, as it was written.
        range: String,
    },
    /// The empty series.
    Empty,
}

/// An ordered series of patches.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// How cells call it.
    pub name: SeriesName,
    /// Where it came from.
    pub origin: SeriesOrigin,
    /// What is declared about it.
    pub facts: SeriesFacts,
    /// The patches, first to last.
    pub patches: Vec<Patch>,
    /// What is known of where it came from.
    pub provenance: SeriesProvenance,
}

/// A series with a number of its patches applied: `seccomp-cache@3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Point {
    /// The series.
    pub series: SeriesName,
    /// How many patches of it, counted from the first.
    pub applied: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.series.is_none() {
            return f.write_str(SeriesName::NONE);
        }
        write!(f, "{}@{}", self.series, self.applied)
    }
}

impl Series {
    /// All of its points, the one without patches first.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        let points = (0..=self.patches.len()).map(|applied| self.point(applied));
        points.filter_map(Result::ok)
    }

    /// The empty series.
    ///
    /// # Errors
    /// Never: `none` is a name.
    pub fn empty() -> Result<Self, Fault> {
        Ok(Self {
            name: SeriesName::parse(SeriesName::NONE)?,
            origin: SeriesOrigin::Empty,
            facts: SeriesFacts { title: "no patches".into(), ..SeriesFacts::default() },
            patches: Vec::new(),
            provenance: SeriesProvenance::default(),
        })
    }

    /// Reads a folder of `kernel-patches/`.
    ///
    /// # Errors
    /// A usage fault that names the file.
    pub fn read_shipped(name: SeriesName, folder: &Path) -> Result<Self> {
        let path = folder.join("series.toml");
        let text = read_toml(&path).map_err(|error| {
            Fault::usage(format!("reading series `{name}`: {error}"))
                .help("a folder of kernel-patches/ has a series.toml with at least `title = \"…\"`")
        })?;
        let facts: SeriesFacts =
            toml::from_str(&text).map_err(|error| Fault::usage(format!("{}: {error}", path.display())))?;
        let patches = read_folder(folder)?;
        let base_commit = facts.base_commit.clone();
        let provenance = SeriesProvenance { base_commit, ..SeriesProvenance::default() };
        let series = Self { name, origin: SeriesOrigin::Shipped, facts, patches, provenance };
        series.validate().with_context(|| format!("reading {}", path.display()))?;
        Ok(series)
    }

    /// Whether the numbers that its facts name are those of patches.
    ///
    /// # Errors
    /// A usage fault that names the number.
    pub fn validate(&self) -> Result<(), Fault> {
        if self.patches.is_empty() {
            return Err(Fault::usage(format!("series `{}` has no patches", self.name))
                .help("put NNNN-*.patch files, as `git format-patch` writes them, beside its series.toml"));
        }
        let last = self.patches.len();
        let from = self.facts.symbol.iter().map(|symbol| (symbol.name.as_str(), symbol.from));
        let checks = self.facts.check.iter().chain(&self.facts.retired);
        let from = from.chain(checks.map(|check| (check.name.as_str(), check.from)));
        if let Some(number) = self.facts.bisect.overlay.iter().find(|number| !(1..=last).contains(*number)) {
            return Err(Fault::usage(format!(
                "[bisect] overlay: there is no patch {number} in series `{}`, which has {last}",
                self.name
            )));
        }
        for (name, from) in from {
            if from > last {
                return Err(Fault::usage(format!(
                    "`{name}`: `from = {from}`, and series `{}` has {last} patches",
                    self.name
                )));
            }
        }
        Ok(())
    }

    /// A series of its own of patches `first` to `last`, counted from 1.
    ///
    /// # Errors
    /// A usage fault if there are no such patches.
    pub fn subset(&self, first: usize, last: usize) -> Result<Self, Fault> {
        let of = self.patches.len();
        if first == 0 || first > last || last > of {
            return Err(Fault::usage(format!("`{}@{first}-{last}`: the series has {of} patches", self.name))
                .help(format!("write `{}@FIRST-LAST` with 1 ≤ FIRST ≤ LAST ≤ {of}", self.name)));
        }
        let mut part = self.clone();
        part.name = SeriesName::parse(&sanitize(&format!("{}-{first}-{last}", self.name)))?;
        part.patches = self.patches[first - 1..last].to_vec();
        // What a patch brings that is not among these is not there.
        let is_brought = |from: &mut usize| {
            let is_in = (first..=last).contains(from);
            *from = (*from + 1).saturating_sub(first);
            is_in
        };
        part.facts.symbol.retain_mut(|symbol| is_brought(&mut symbol.from));
        part.facts.check.retain_mut(|check| is_brought(&mut check.from));
        part.facts.retired.retain_mut(|check| is_brought(&mut check.from));
        part.provenance.subset = Some(Subset { first, last, of });
        Ok(part)
    }

    /// The point with all patches applied.
    pub fn last_point(&self) -> Point {
        Point { series: self.name.clone(), applied: self.patches.len() }
    }

    /// The point with `applied` patches.
    ///
    /// # Errors
    /// A usage fault if there are fewer patches.
    pub fn point(&self, applied: usize) -> Result<Point, Fault> {
        if applied > self.patches.len() {
            return Err(Fault::usage(format!(
                "`{}@{applied}`: the series has {} patches",
                self.name,
                self.patches.len()
            ))
            .help(format!(
                "write `{0}@{1}` or, for all of it, `{0}`",
                self.name,
                self.patches.len()
            )));
        }
        Ok(Point { series: self.name.clone(), applied })
    }
}

/// The patches of a folder, in the order of their names.
///
/// # Errors
/// A usage fault that names the patch.
pub fn read_folder(folder: &Path) -> Result<Vec<Patch>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch" || extension == "diff") {
            paths.push(path);
        }
    }
    paths.sort();
    // Who opens a pipe that nobody writes to waits for ever.
    if let Some(path) = paths.iter().find(|path| !path.is_file()) {
        return Err(Fault::usage(format!("{} is no plain file", path.display())).into());
    }
    paths.iter().map(|path| read_patch(path)).collect()
}

/// One patch file, named by its file name.
fn read_patch(path: &Path) -> Result<Patch> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Patch::parse(&name, read_capped(path, PATCH_BYTES_MAX)?)
        .with_context(|| format!("reading {}", path.display()))
}

/// Splits `NAME` or `NAME@N`.
///
/// # Errors
/// A usage fault for a number that is none.
pub fn split_point(text: &str) -> Result<(&str, Option<usize>), Fault> {
    match text.rsplit_once('@') {
        None => Ok((text, None)),
        Some((name, number)) => match number.parse() {
            Ok(applied) => Ok((name, Some(applied))),
            Err(_) => Err(Fault::usage(format!(
                "`{text}`: `@` is followed by a number of patches, as in `{name}@0`"
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_brings_what_its_own_patches_bring() {
        let text =
            |n: usize| format!("Subject: [PATCH] {n}\n\n--- a/x{n}\n+++ b/x{n}\n@@ -1 +1 @@\n-a\n+b\n");
        let mut series = Series::empty().unwrap();
        series.name = SeriesName::parse("s").unwrap();
        series.patches = (1..=5).map(|n| Patch::parse("p", text(n).into()).unwrap()).collect();
        let symbol = |from: usize| BroughtSymbol { name: format!("S{from}"), value: "y".into(), from };
        series.facts.symbol = [1, 2, 4, 5].map(symbol).to_vec();
        let part = series.subset(2, 4).unwrap();
        assert_eq!(part.name.as_str(), "s-2-4");
        assert_eq!(part.patches, series.patches[1..4]);
        let brought: Vec<_> = part.facts.symbol.iter().map(|one| (one.name.as_str(), one.from)).collect();
        assert_eq!(brought, [("S2", 1), ("S4", 3)]);
        assert_eq!(part.provenance.subset, Some(Subset { first: 2, last: 4, of: 5 }));
        for (first, last) in [(0, 1), (3, 2), (1, 6)] {
            assert!(series.subset(first, last).is_err(), "{first}-{last}");
        }
    }
}
