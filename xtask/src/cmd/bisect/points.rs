// SPDX-License-Identifier: MIT OR Apache-2.0
//! Points of a search: those of the series, and the same with an overlay.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use fs_err as fs;

use crate::cmd::bisect::{OverlayFrom, Request};
use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::names::SeriesName;
use crate::lab::patch::Patch;
use crate::lab::provenance::SeriesProvenance;
use crate::lab::series::{BroughtSymbol, Point, Series, SeriesFacts, SeriesOrigin};
use crate::plan::bisect::Found;
use crate::plan::key::{Key, KeyBuilder};
use crate::plan::work::Plan;
use crate::record::bisect::CandidateRecord;
use crate::run::context::Context;
use crate::run::kernel_key;
use crate::run::kernel_tree::is_of_kernel;
use crate::run::source::{self, Applied};
use crate::sys::process::quote;
use crate::tell::rerun::from_anywhere;

/// The points of a search.
pub struct Points {
    /// The patches of the series.
    pub patches: Vec<CandidateRecord>,
    /// Patches that are put on every point.
    pub overlay: Option<Overlay>,
    /// Patches that cannot hold what a later one exposes.
    pub innocent: BTreeMap<usize, Innocence>,
}

/// Why a patch that changes nothing by itself cannot hold what a later one exposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Innocence {
    /// It touches nothing that a kernel is made of, and tests are those of the last point everywhere.
    NoKernel,
    /// The overlay has the same patch, which is taken for good.
    Trusted,
}

impl Innocence {
    fn of(patch: &Patch, trusted: Option<&Patch>) -> Option<Self> {
        if trusted.is_some_and(|trusted| trusted.diff == patch.diff) {
            return Some(Self::Trusted);
        }
        let is_outside = !patch.files.is_empty() && !patch.files.iter().any(|file| is_of_kernel(file));
        is_outside.then_some(Self::NoKernel)
    }
}

/// Patches that are put on every point that does not have them.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// Their numbers.
    pub numbers: Vec<usize>,
    /// Whether they are the series' own.
    pub is_of_itself: bool,
    /// For each point the one with the overlay.
    pub points: Vec<Point>,
}

impl Points {
    /// Makes the points. Those with an overlay are series of their own, which the lab then knows.
    ///
    /// # Errors
    /// A usage fault for an unknown series, or one that declares no overlay.
    pub fn make(lab: &mut Lab, request: &Request) -> Result<Self> {
        let (source, is_of_itself) = match &request.overlay {
            OverlayFrom::Trusted(name) => (lab.series(name)?.clone(), false),
            OverlayFrom::Itself | OverlayFrom::Nowhere => (lab.series(&request.last.series)?.clone(), true),
        };
        if !is_of_itself {
            // What an earlier version of a series brings, this one brings too.
            let name = request.last.series.clone();
            if let Some(series) = lab.series.get_mut(&name).filter(|series| series.facts.symbol.is_empty()) {
                series.facts.symbol.clone_from(&source.facts.symbol);
                series.facts.functions.clone_from(&source.facts.functions);
            }
        }
        let series = lab.series(&request.last.series)?.clone();
        let patches = series.patches.iter().map(|patch| CandidateRecord {
            number: 0,
            subject: patch.subject.clone(),
            file: patch.file.clone(),
        });
        let patches = patches.collect();
        let numbers: Vec<usize> = match &request.overlay {
            OverlayFrom::Nowhere => Vec::new(),
            _ => source.facts.bisect.overlay.clone(),
        };
        let innocent = (1..).zip(&series.patches).filter_map(|(number, patch)| {
            let is_trusted = !is_of_itself && numbers.contains(&number);
            let trusted = source.patches.get(number - 1).filter(|_| is_trusted);
            Innocence::of(patch, trusted).map(|why| (number, why))
        });
        let innocent = innocent.collect();
        if numbers.is_empty() {
            if !is_of_itself {
                return Err(Fault::usage(format!("--overlay-from {}: it declares no overlay", source.name))
                    .help("its series.toml names them: [bisect] overlay = [3, 5]")
                    .into());
            }
            return Ok(Self { patches, overlay: None, innocent });
        }
        let mut points = Vec::new();
        for applied in 0..=request.last.applied {
            points.push(overlaid(lab, &series, &source, &numbers, applied)?);
        }
        Ok(Self { patches, overlay: Some(Overlay { numbers, is_of_itself, points }), innocent })
    }

    /// The patches that may have done it.
    pub fn suspects(&self, found: &Found) -> Vec<usize> {
        let is_suspect =
            |number: &usize| !found.inert.contains(number) || !self.innocent.contains_key(number);
        (found.first..=found.exposed).filter(is_suspect).collect()
    }
}

/// The point with those patches on top that it does not have.
fn overlaid(
    lab: &mut Lab,
    series: &Series,
    source: &Series,
    numbers: &[usize],
    applied: usize,
) -> Result<Point> {
    let missing: Vec<usize> = numbers.iter().copied().filter(|number| *number > applied).collect();
    if missing.is_empty() {
        return Ok(series.point(applied)?);
    }
    let on_top: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let name = SeriesName::parse(&format!("{}-{applied}-with-{}", series.name, on_top.join("-")))?;
    let mut patches: Vec<_> = series.patches.iter().take(applied).cloned().collect();
    for number in &missing {
        patches.extend(source.patches.get(number - 1).cloned());
    }
    let has = |symbol: &&BroughtSymbol| symbol.from <= applied || missing.contains(&symbol.from);
    let brought = series.facts.symbol.iter().filter(has);
    let facts = SeriesFacts {
        title: format!("{}@{applied} with patches {}", series.name, on_top.join(" and ")),
        requires: series.facts.requires.clone(),
        symbol: brought.map(|symbol| BroughtSymbol { from: 0, ..symbol.clone() }).collect(),
        functions: series.facts.functions.clone(),
        ..SeriesFacts::default()
    };
    let origin = SeriesOrigin::Shipped;
    let made = Series { name: name.clone(), origin, facts, patches, provenance: SeriesProvenance::default() };
    let point = made.last_point();
    lab.series.insert(name, made);
    Ok(point)
}

/// Writes the first patches of a series as a folder that `--series` takes: what was put together, or read
/// from elsewhere, is there to be run again.
///
/// # Errors
/// If it cannot be written.
pub fn write(series: &Series, applied: usize, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let text = |value: &str| toml::Value::from(value).to_string();
    let mut declared = format!("title = {}\n", text(&series.facts.title));
    if let Some(requires) = &series.facts.requires {
        let _ = writeln!(declared, "requires = {}", text(requires.as_str()));
    }
    for symbol in series.facts.symbol.iter().filter(|symbol| symbol.from <= applied) {
        let (name, value) = (text(&symbol.name), text(&symbol.value));
        let _ = writeln!(declared, "\n[[symbol]]\nname = {name}\nvalue = {value}\nfrom = 0");
    }
    fs::write(folder.join("series.toml"), declared)?;
    for (number, patch) in (1..).zip(&series.patches[..applied]) {
        let mut text = format!("Subject: [PATCH] {}\n\n---\n", patch.subject).into_bytes();
        text.extend(&patch.diff);
        fs::write(folder.join(format!("{number:04}-{}", patch.file)), text)?;
    }
    Ok(())
}

/// The key under which it is known that a point with an overlay does not build: all that decides its kernel and
/// the tests of the last point. It decides what stands for the point, and never a verdict. None where the patches
/// do not even apply, which is soon seen.
///
/// # Errors
/// As [`kernel_key::request`] and [`source::prepare`].
pub fn no_build_key(context: &Context<'_>, plan: &Plan, tests: &Point) -> Result<Option<Key>> {
    let (Some(work), Some(kernel), Some(guest)) =
        (plan.sources.first(), plan.kernels.first(), plan.guests.first())
    else {
        return Ok(None);
    };
    let Applied::Source(source) = source::prepare(context, work)? else { return Ok(None) };
    let tests = context.lab.patches(tests)?;
    let key = KeyBuilder::new("a point with an overlay that does not build")
        .part("request", kernel_key::request(context, &source, kernel)?.as_str())
        .parts("tests", tests.iter().map(|patch| patch.digest.as_str()))
        .part("programs", format!("{:?} {:?}", guest.abi, guest.checks));
    Ok(Some(key.finish()))
}

/// The command that asks a point again; `folder` has it as a series where it was put together.
pub fn rerun(request: &Request, point: &Point, folder: Option<&Path>) -> String {
    let mut words = vec!["cargo xtask test".to_owned()];
    let tree = request.ad_hoc.tree.as_deref().map_or_else(|| request.tree.to_string(), from_anywhere);
    let _ = write!(words[0], " --tree {}", quote(&tree));
    let series = folder.map_or_else(|| point.to_string(), |folder| folder.display().to_string());
    words.push(format!("--series {}", quote(&series)));
    for after in &request.ad_hoc.after {
        words.push(format!("--after {}", quote(&from_anywhere(after))));
    }
    words.push(format!("--flavor {} --check {}", request.flavor, request.check.check));
    if folder.is_none() {
        words.push(format!("--tests-from {}", request.last));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use crate::plan::bisect::Change;

    use super::*;

    fn patch(path: &str) -> Patch {
        let diff = format!("--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n");
        let text = format!("Subject: [PATCH] x\n\n---\n{diff}");
        Patch::parse("0001-x.patch", text.into_bytes()).unwrap()
    }

    #[test]
    fn only_patches_outside_of_the_kernel_or_equal_to_trusted_ones_are_innocent() {
        let test = patch("tools/testing/selftests/seccomp/seccomp_bpf.c");
        assert_eq!(Innocence::of(&test, None), Some(Innocence::NoKernel));
        assert_eq!(Innocence::of(&patch("Documentation/Kconfig"), None), None);
        let kernel = patch("kernel/seccomp.c");
        assert_eq!(Innocence::of(&kernel, None), None);
        assert_eq!(Innocence::of(&kernel, Some(&kernel)), Some(Innocence::Trusted));
        assert_eq!(Innocence::of(&kernel, Some(&patch("kernel/fork.c"))), None);
    }

    #[test]
    fn an_innocent_patch_that_is_exposed_by_itself_is_a_suspect() {
        let points = Points {
            patches: Vec::new(),
            overlay: None,
            innocent: [(2, Innocence::NoKernel), (3, Innocence::NoKernel)].into(),
        };
        let found = |inert: &[usize]| Found {
            change: Change::Broken,
            before: 2,
            exposed: 3,
            first: 1,
            inert: inert.to_vec(),
            untestable: Vec::new(),
        };
        assert_eq!(points.suspects(&found(&[1, 2])), vec![1, 3]);
        assert_eq!(points.suspects(&found(&[1])), vec![1, 2, 3]);
    }
}
