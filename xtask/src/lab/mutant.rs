// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mutants: planted faults on top of a series, each of which some check must notice.
//!
//! `kernel-patches/SERIES/mutants/mutants.toml` declares them, `NAME.patch` beside it is the fault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, FaultKind};
use crate::lab::Lab;
use crate::lab::check::Check;
use crate::lab::files::read_toml;
use crate::lab::kernel::FlavorId;
use crate::lab::names::{CheckName, FlavorName, MutantClass, MutantName, SeriesName, VariantName, unknown};
use crate::lab::patch::Patch;
use crate::lab::provenance::SeriesProvenance;
use crate::lab::series::{Series, SeriesFacts, SeriesOrigin, read_folder};

/// The folder beside a series' patches.
pub const FOLDER: &str = "mutants";
/// Killers that are no checks: how far the kernel came.
pub const STAGES: [&str; 3] = [KILLER_BUILD, KILLER_BOOT, KILLER_LOG];
/// The kernel did not build.
pub const KILLER_BUILD: &str = "build";
/// The kernel did not boot, crashed or hung outside of any check.
pub const KILLER_BOOT: &str = "boot";
/// The kernel log has a finding.
pub const KILLER_LOG: &str = "kernel-log";

/// The planted faults of a series.
#[derive(Debug, Clone)]
pub struct Mutants {
    /// The series that they are planted in.
    pub series: SeriesName,
    /// The check whose kills are counted apart: what one would have without the others.
    pub reference: CheckName,
    /// Flavors on which a mutant can be noticed that names none.
    pub flavors: Vec<FlavorName>,
    /// In the order of the file.
    pub mutants: Vec<Mutant>,
}

/// One planted fault.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// What is declared of it.
    pub facts: MutantFacts,
    /// The fault.
    pub patch: Patch,
}

/// `[[mutant]]` as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutantFacts {
    /// Its name, and that of its patch.
    pub name: MutantName,
    /// What sort of mistake it stands for.
    pub class: MutantClass,
    /// What it touches.
    #[serde(default)]
    pub kind: MutantKind,
    /// What is wrong, in one line.
    pub wrong: String,
    /// The mistake of a person that it stands for.
    pub like: String,
    /// Flavors on which it can be noticed; none stands for the default.
    #[serde(default)]
    pub flavors: Vec<FlavorName>,
    /// A variant of the kernel config without which it cannot be noticed.
    pub variant: Option<VariantName>,
    /// How it is to be noticed, if not by a check.
    pub expect: Option<Expect>,
    /// Why it need not be noticed.
    pub equivalent: Option<Equivalent>,
    /// The argument for that.
    pub proof: Option<String>,
    /// The check, or family of checks, or sub-result, or stage, that must be among those that notice.
    /// A check that is not in the default matrix is asked of this mutant.
    pub killer: Option<String>,
    /// Which finding of the kernel log is meant, where that is the killer: a part of its family or title.
    pub finding: Option<String>,
    /// Whether its killer notices by nothing but its deadline, since the fault makes something hang.
    #[serde(default)]
    pub hangs: bool,
}

/// What a mutant touches, and so how much is built again. In the order of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MutantKind {
    /// C files: little is built.
    #[default]
    C,
    /// Kconfig files: configured again.
    Kconfig,
    /// A header that many files include.
    Header,
}

/// How a mutant may be noticed before any check runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Its kernel does not build.
    Build,
}

/// Why a mutant need not be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Equivalent {
    /// Nothing that a program can see differs.
    Proof,
    /// Only time differs.
    Cost,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MutantsFile {
    reference: CheckName,
    flavors: Vec<FlavorName>,
    mutant: Vec<MutantFacts>,
}

impl MutantsFile {
    /// Reads the text of `mutants.toml`.
    ///
    /// # Errors
    /// A usage fault that names the mutant or line.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        toml::from_str(text).map_err(|error| Fault::usage(error.to_string().trim_end()))
    }

    /// Whether the lab knows what the mutants name.
    fn check_names(&self, lab: &Lab) -> Result<()> {
        lab.checks_under(self.reference.as_str()).context("in `reference`")?;
        for flavor in &self.flavors {
            lab.flavor(flavor).context("in `flavors`")?;
        }
        for facts in &self.mutant {
            let place = || format!("in mutant `{}`", facts.name);
            for flavor in &facts.flavors {
                lab.flavor(flavor).with_context(place)?;
            }
            if let Some(killer) = facts.killer.as_deref().filter(|killer| !STAGES.contains(killer)) {
                let name = CheckName::parse(killer).with_context(place)?;
                // What stands behind a check's name is one of its sub-results, which only a guest knows.
                if !lab.checks.keys().any(|check| name.is_under(check.as_str())) {
                    lab.checks_under(killer).context("in `killer`").with_context(place)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether the lab knows what is named in the mutants of all series. Their patches are not read.
///
/// # Errors
/// A usage fault that names the file, and the mutant or line.
pub fn check_all(lab: &Lab) -> Result<()> {
    for series in lab.series.keys() {
        let path = lab.root.join("kernel-patches").join(series.as_str()).join(FOLDER).join("mutants.toml");
        if path.is_file() {
            let text = read_toml(&path)?;
            let checked =
                MutantsFile::parse(&text).map_err(Into::into).and_then(|file| file.check_names(lab));
            checked.with_context(|| format!("reading {}", path.display()))?;
        }
    }
    Ok(())
}

impl Mutants {
    /// Reads the mutants of a series.
    ///
    /// # Errors
    /// A usage fault that names the file, and the mutant or line.
    pub fn read(lab: &Lab, series: &SeriesName) -> Result<Self> {
        let folder = lab.root.join("kernel-patches").join(series.as_str()).join(FOLDER);
        let path = folder.join("mutants.toml");
        let text = read_toml(&path).map_err(|error| {
            Fault::usage(format!("reading the mutants of series `{series}`: {error}"))
                .help("planted faults are NAME.patch files beside a mutants.toml that declares them")
        })?;
        let parse = || {
            let file = MutantsFile::parse(&text)?;
            file.check_names(lab)?;
            Self::of(file, series, read_patches(&folder)?)
        };
        parse().with_context(|| format!("reading {}", path.display()))
    }

    /// Puts the declared facts and the patches together.
    fn of(mut file: MutantsFile, series: &SeriesName, mut patches: BTreeMap<String, Patch>) -> Result<Self> {
        let mut mutants = Vec::new();
        let mut names = BTreeSet::new();
        for facts in std::mem::take(&mut file.mutant) {
            if !names.insert(facts.name.clone()) {
                return Err(Fault::usage(format!("mutant `{}` is there twice", facts.name)).into());
            }
            let patch = patches
                .remove(facts.name.as_str())
                .ok_or_else(|| Fault::usage(format!("mutant `{0}` has no patch {0}.patch", facts.name)))?;
            let mutant = Mutant { facts, patch };
            mutant.validate()?;
            mutants.push(mutant);
        }
        if let Some(stray) = patches.keys().next() {
            return Err(Fault::usage(format!("{stray}.patch is declared nowhere")).into());
        }
        if mutants.is_empty() {
            return Err(Fault::usage("no mutant is declared").into());
        }
        let MutantsFile { reference, flavors, .. } = file;
        Ok(Self { series: series.clone(), reference, flavors, mutants })
    }

    /// Those that the globs and the class name, in the order of the work: what a header rebuilds
    /// comes last, and what needs one kernel config stands together.
    ///
    /// # Errors
    /// A usage fault for an unknown class; a no-match fault for a glob that matches nothing.
    pub fn select(&self, globs: &[String], class: Option<&str>) -> Result<Vec<&Mutant>, Fault> {
        let classes: BTreeSet<&str> = self.mutants.iter().map(|mutant| mutant.facts.class.as_str()).collect();
        if let Some(class) = class.filter(|class| !classes.contains(class)) {
            return Err(unknown("class of mutants", class, classes));
        }
        let of_class = |mutant: &&Mutant| class.is_none_or(|class| mutant.facts.class.as_str() == class);
        let mut matched = vec![false; globs.len()];
        let mut patterns = Vec::new();
        for glob in globs {
            patterns.push(glob::Pattern::new(glob).map_err(|error| {
                Fault::usage(format!("`{}` is no glob: {}", glob.escape_default(), error.msg))
            })?);
        }
        let mut chosen: Vec<&Mutant> = Vec::new();
        for mutant in self.mutants.iter().filter(of_class) {
            let mut is_named = globs.is_empty();
            for (pattern, matched) in patterns.iter().zip(&mut matched) {
                if pattern.matches(mutant.facts.name.as_str()) {
                    (is_named, *matched) = (true, true);
                }
            }
            if is_named {
                chosen.push(mutant);
            }
        }
        if let Some((glob, _)) = globs.iter().zip(&matched).find(|(_, matched)| !**matched) {
            let what = format!("`{}` matches no mutant", glob.escape_default());
            return Err(Fault::new(FaultKind::NoMatch, what).help("`cargo xtask mutants --list` shows them"));
        }
        chosen.sort_by_key(|mutant| (mutant.facts.kind, mutant.facts.variant.clone()));
        Ok(chosen)
    }
}

impl Mutant {
    /// What can be seen without the lab.
    fn validate(&self) -> Result<(), Fault> {
        let facts = &self.facts;
        let refuse = |why: String| Err(Fault::usage(format!("mutant `{}`: {why}", facts.name)));
        for (field, text) in [("wrong", &facts.wrong), ("like", &facts.like)] {
            if text.trim().is_empty() || text.contains('\n') {
                return refuse(format!("`{field}` is one line"));
            }
        }
        let has_proof = facts.proof.as_ref().is_some_and(|proof| !proof.trim().is_empty());
        if facts.equivalent.is_some() != has_proof {
            return refuse("`equivalent` and `proof` go together".into());
        }
        if facts.equivalent.is_some() && (facts.killer.is_some() || facts.expect.is_some()) {
            return refuse("what is equivalent has neither `killer` nor `expect`".into());
        }
        if let Some(killer) = &facts.killer
            && !STAGES.contains(&killer.as_str())
        {
            CheckName::parse(killer).map_err(|error| error.within(&format!("mutant `{}`", facts.name)))?;
        }
        let is_of_log = facts.killer.as_deref() == Some(KILLER_LOG);
        if facts.finding.as_ref().is_some_and(|finding| !is_of_log || finding.trim().is_empty()) {
            return refuse(format!("`finding` is a text, and goes with `killer = \"{KILLER_LOG}\"`"));
        }
        if facts.hangs && facts.killer.is_none() {
            return refuse("`hangs` says how its `killer` notices, and it has none".into());
        }
        let touched = kind_of(&self.patch.files);
        if touched != facts.kind {
            return refuse(format!(
                "`kind` is {:?}, and its patch touches {}",
                facts.kind,
                self.patch.files.join(", ")
            ));
        }
        Ok(())
    }

    /// The mutant as a series on top of `required`.
    ///
    /// # Errors
    /// A usage fault if the name is too long for one.
    pub fn series(&self, required: &SeriesName, folder: &Path) -> Result<Series, Fault> {
        let facts = SeriesFacts {
            title: format!("mutant: {}", self.facts.wrong),
            requires: Some(required.clone()),
            ..SeriesFacts::default()
        };
        Ok(Series {
            name: series_name(&self.facts.name)?,
            origin: SeriesOrigin::AdHoc(folder.join(format!("{}.patch", self.facts.name))),
            facts,
            patches: vec![self.patch.clone()],
            provenance: SeriesProvenance::default(),
        })
    }

    /// The checks that its killer names; none for a stage, and for a check that is not there.
    pub fn killers<'a>(&self, lab: &'a Lab) -> Vec<&'a Check> {
        let Some(killer) = &self.facts.killer else {
            return Vec::new();
        };
        let named = |check: &&Check| match CheckName::parse(killer) {
            Ok(killer) => check.name.is_under(killer.as_str()) || killer.is_under(check.name.as_str()),
            Err(_) => false,
        };
        lab.checks.values().filter(named).collect()
    }

    /// The flavors of its guests, with its variant.
    pub fn flavors(&self, default: &[FlavorName]) -> Vec<FlavorId> {
        let flavors = if self.facts.flavors.is_empty() { default } else { &self.facts.flavors };
        let variants: Vec<VariantName> = self.facts.variant.iter().cloned().collect();
        let one = |flavor: &FlavorName| FlavorId { flavor: flavor.clone(), variants: variants.clone() };
        flavors.iter().map(one).collect()
    }
}

/// What the series of a mutant is called, in cells too.
///
/// # Errors
/// A usage fault if that is too long.
pub fn series_name(mutant: &MutantName) -> Result<SeriesName, Fault> {
    SeriesName::parse(&format!("mutant-{mutant}"))
}

fn kind_of(files: &[String]) -> MutantKind {
    let base = |file: &String| file.rsplit('/').next().unwrap_or(file).to_owned();
    if files.iter().any(|file| file.ends_with(".h")) {
        MutantKind::Header
    } else if files.iter().any(|file| base(file).starts_with("Kconfig")) {
        MutantKind::Kconfig
    } else {
        MutantKind::C
    }
}

fn read_patches(folder: &Path) -> Result<BTreeMap<String, Patch>> {
    let patches = read_folder(folder)?.into_iter();
    let stem = |patch: &Patch| patch.file.rsplit_once('.').map_or("", |(stem, _)| stem).to_owned();
    Ok(patches.map(|patch| (stem(&patch), patch)).collect())
}

#[cfg(test)]
#[path = "mutant_tests.rs"]
mod tests;
