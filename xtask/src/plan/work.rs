// SPDX-License-Identifier: MIT OR Apache-2.0
//! Work: the ordered lists that a selection comes to.

use std::time::Duration;

use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::check::{Check, CheckKind, Oracle};
use crate::lab::fragment::Symbols;
use crate::lab::guest_fault::KillAt;
use crate::lab::kernel::{Abi, BootImage, KernelConfig, KernelId};
use crate::lab::names::TreeName;
use crate::lab::series::{BroughtCheck, Point};
use crate::plan::cell::Cell;
use crate::plan::key::KeyBuilder;
use crate::plan::select::{NamedBy, Points, Selected, Selection, select};
use crate::plan::shard::Shard;
use crate::record::model::CellRole;

/// What has to be done, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Sources to fetch and patch.
    pub sources: Vec<SourceWork>,
    /// Kernels to build.
    pub kernels: Vec<KernelWork>,
    /// Guests to boot.
    pub guests: Vec<GuestWork>,
    /// Which part of a selection it is, where that was dealt out.
    pub shard: Option<Shard>,
}

/// A tree at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceWork {
    /// The tree.
    pub tree: TreeName,
    /// The patches on it.
    pub point: Point,
}

/// A kernel to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelWork {
    /// Index into [`Plan::sources`].
    pub source: usize,
    /// The config and its variants.
    pub id: KernelId,
    /// Symbols that the final config must have.
    pub wanted: Symbols,
    /// Symbols that it has where the tree knows them.
    pub optional: Symbols,
    /// Of each list it must have one: names that trees give one thing.
    pub one_of: Vec<Vec<String>>,
}

impl KernelWork {
    /// What is asked of a kernel, for the key of a request for it. The bytes of a base that is a file, the
    /// tree and the compiler are not in it.
    pub fn asked(&self, key: KeyBuilder, config: &KernelConfig, image: BootImage) -> KeyBuilder {
        let key = key
            .part("arch", config.arch.make_name())
            .part("base", &config.base)
            .part("wanted", self.wanted.to_fragment())
            .part("optional", self.optional.to_fragment())
            .parts("one of", self.one_of.iter().map(|names| names.join(" ")))
            .parts("make", &config.make);
        packed(key, image)
    }
}

/// A key for what is stored besides the vmlinux: one that holds no bzImage is no answer for one that wants it.
pub fn packed(key: KeyBuilder, image: BootImage) -> KeyBuilder {
    match image {
        BootImage::Vmlinux => key,
        BootImage::BzImage => key.part("image", image.name()),
    }
}

/// A guest to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestWork {
    /// Index into [`Plan::kernels`].
    pub kernel: usize,
    /// The cell that gets the verdict.
    pub cell: Cell,
    /// What check programs are compiled for.
    pub abi: Abi,
    /// The checks, in order.
    pub checks: Vec<PlannedCheck>,
    /// The cell of the point before, where every point is asked: if both would show the same, one boot
    /// stands for both.
    pub predecessor: Option<Cell>,
    /// Where the programs of its checks come from that are the tree's own, if not from the cell's source:
    /// the tests stay the same while the kernel changes.
    pub tests_from: Option<SourceWork>,
    /// Whether a verdict of an earlier run will do.
    pub role: CellRole,
    /// What is wrong with it on purpose.
    pub planted: Option<Planted>,
}

/// What is wrong with a guest on purpose, besides its kernel and its checks, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// More words for the kernel.
    pub append: String,
    /// A fault that is compiled into init.
    pub init: Option<String>,
    /// When QEMU is killed behind the lab's back.
    pub kill: Option<KillAt>,
    /// To init's first record.
    pub boot: Option<Duration>,
    /// What init may take beyond a check's own time.
    pub grace: Option<Duration>,
    /// To the end.
    pub guest: Duration,
}

/// A check of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCheck {
    /// The check.
    pub check: Check,
    /// What it means if the kernel lacks what the check requires.
    pub scope: Scope,
}

/// What an absent check means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// It was asked for: absent is a failure.
    Asked,
    /// It is run where it can be: absent is reported, and is no failure.
    WherePresent,
}

impl Plan {
    /// Makes the plan for a selection.
    ///
    /// # Errors
    /// The faults of [`select`], and unreadable fragments.
    pub fn make(lab: &Lab, selection: &Selection) -> anyhow::Result<Self> {
        let mut plan = Self { shard: selection.shard, ..Self::default() };
        let selected = select(lab, selection)?;
        let cells: Vec<Cell> = selected.iter().map(|one| one.cell.clone()).collect();
        for selected in selected {
            let source = plan.source(&selected.cell);
            let kernel = plan.kernel(lab, source, &selected.cell)?;
            plan.guests.push(GuestWork {
                kernel,
                abi: lab.flavor(&selected.cell.flavor.flavor)?.abi,
                checks: planned_checks(lab, selection, &selected)?,
                predecessor: match selection.points {
                    Points::Every => selected.cell.predecessor().filter(|before| cells.contains(before)),
                    Points::Named => None,
                },
                tests_from: None,
                role: selected.role,
                planted: None,
                cell: selected.cell,
            });
        }
        Ok(plan)
    }

    /// Adds a guest with the tests of another source.
    ///
    /// # Errors
    /// Unknown kernels, and unreadable fragments.
    pub fn probe(
        &mut self,
        lab: &Lab,
        cell: Cell,
        abi: Abi,
        checks: Vec<PlannedCheck>,
        tests: SourceWork,
    ) -> anyhow::Result<()> {
        let source = self.source(&cell);
        let kernel = self.kernel(lab, source, &cell)?;
        let (role, tests_from) = (CellRole::Probe, Some(tests));
        let (predecessor, planted) = (None, None);
        self.guests.push(GuestWork { kernel, cell, abi, checks, predecessor, tests_from, role, planted });
        Ok(())
    }

    /// The plan of one guest alone; nothing if there is no such guest.
    pub fn only(&self, guest: usize) -> Self {
        let parts = || {
            let guest = self.guests.get(guest)?;
            let kernel = self.kernels.get(guest.kernel)?;
            let source = self.sources.get(kernel.source)?.clone();
            Some((
                source,
                KernelWork { source: 0, ..kernel.clone() },
                GuestWork { kernel: 0, ..guest.clone() },
            ))
        };
        let Some((source, kernel, guest)) = parts() else { return Self::default() };
        Self { sources: vec![source], kernels: vec![kernel], guests: vec![guest], shard: None }
    }

    /// Adds the work of another plan, to be done after this one's.
    pub fn append(&mut self, other: Self) {
        let (sources, kernels) = (self.sources.len(), self.kernels.len());
        self.sources.extend(other.sources);
        let moved = |kernel: KernelWork| KernelWork { source: kernel.source + sources, ..kernel };
        self.kernels.extend(other.kernels.into_iter().map(moved));
        let moved = |guest: GuestWork| GuestWork { kernel: guest.kernel + kernels, ..guest };
        self.guests.extend(other.guests.into_iter().map(moved));
    }

    fn source(&mut self, cell: &Cell) -> usize {
        let work = SourceWork { tree: cell.tree.clone(), point: cell.point.clone() };
        self.sources.iter().position(|other| *other == work).unwrap_or_else(|| {
            self.sources.push(work);
            self.sources.len() - 1
        })
    }

    fn kernel(&mut self, lab: &Lab, source: usize, cell: &Cell) -> anyhow::Result<usize> {
        let id = lab.kernel_of(&cell.flavor)?;
        if let Some(at) = self.kernels.iter().position(|other| other.source == source && other.id == id) {
            return Ok(at);
        }
        let (mut wanted, optional) = lab.symbols(&id)?;
        let brought = lab.applied(&cell.point)?.into_iter().flat_map(|(series, applied)| {
            series.facts.symbol.iter().filter(move |symbol| symbol.from <= applied)
        });
        for symbol in brought {
            // A variant that turns the symbol off means it.
            if wanted.value(&symbol.name) == "n" && !wanted.iter().any(|(name, _)| name == symbol.name) {
                wanted.set(&symbol.name, &symbol.value);
            }
        }
        let one_of = lab.variants_of(&id).map(|variant| variant.one_of.clone());
        let one_of = one_of.filter(|names| !names.is_empty()).collect();
        self.kernels.push(KernelWork { source, id, wanted, optional, one_of });
        Ok(self.kernels.len() - 1)
    }
}

/// The checks of a cell: those named with `--check`, else those of the matrix.
fn planned_checks(lab: &Lab, selection: &Selection, selected: &Selected) -> Result<Vec<PlannedCheck>, Fault> {
    let matrix = selection.matrix.as_deref().or(selection.checks_of.as_deref());
    let matrix = matrix.unwrap_or(lab.defaults.matrix.as_str());
    let from_matrix = lab.matrices.iter().find(|(name, _)| name.as_str() == matrix);
    let id = lab.kernel_of(&selected.cell.flavor)?;
    let by_hand = !selection.checks.is_empty();
    let (mut names, mut without) = (selection.checks.clone(), Vec::new());
    if !by_hand {
        names = from_matrix.map(|(_, matrix)| matrix.checks.clone()).unwrap_or_default();
        names.extend(lab.variants_of(&id).flat_map(|variant| variant.checks.iter().cloned()));
        without.extend(lab.variants_of(&id).flat_map(|variant| &variant.without));
        // Who asks for checks of another matrix measures, and does not test patches.
        if selection.points == Points::Every && selection.checks_of.is_none() {
            names.extend(lab.defaults.every_patch.iter().cloned());
        }
    }
    let mut planned: Vec<PlannedCheck> = Vec::new();
    for name in &names {
        for check in lab.checks_under(name)? {
            let is_out = without.iter().any(|family| check.name.is_under(family));
            if is_out || planned.iter().any(|other| other.check.name == check.name) {
                continue;
            }
            let is_asked = match selected.named {
                NamedBy::Expansion => by_hand && !is_brought_later(lab, selected, check)?,
                NamedBy::Hand | NamedBy::Default => by_hand,
            };
            let scope = match is_asked || is_of_series(lab, selected, check)? {
                true => Scope::Asked,
                false if by_hand => Scope::WherePresent,
                false => scope_of(check),
            };
            planned.push(PlannedCheck { check: check.clone(), scope });
        }
    }
    Ok(planned)
}

/// A check that requires nothing of the kernel is always asked. A static one looks for its subject
/// in the tree.
fn scope_of(check: &Check) -> Scope {
    // What is measured of the cache has no subject where there is none.
    let looks =
        matches!(check.kind, CheckKind::Static { .. } | CheckKind::Oracle { oracle: Oracle::Bench(_), .. });
    if check.requires.is_empty() && !looks { Scope::Asked } else { Scope::WherePresent }
}

/// Whether a later patch of the cell's series brings this check.
fn is_brought_later(lab: &Lab, selected: &Selected, check: &Check) -> Result<bool, Fault> {
    Ok(lab.applied(&selected.cell.point)?.into_iter().any(|(series, applied)| {
        let mut of_series = series.facts.check.iter();
        of_series.any(|brought| check.name.is_under(brought.name.as_str()) && brought.from > applied)
    }))
}

/// Whether the cell's series brings this check, at this point or, for a point named by hand, at all. A
/// series that requires others has the last word on their checks.
fn is_of_series(lab: &Lab, selected: &Selected, check: &Check) -> Result<bool, Fault> {
    let by_hand = selected.named == NamedBy::Hand;
    let is_this = |brought: &&BroughtCheck| check.name.is_under(brought.name.as_str());
    Ok(lab.applied(&selected.cell.point)?.into_iter().fold(false, |is_asked, (series, applied)| {
        let is_retired = series.facts.retired.iter().filter(is_this).any(|retired| retired.from <= applied);
        let mut of_series = series.facts.check.iter().filter(is_this);
        of_series.any(|brought| by_hand || brought.from <= applied) || is_asked && !is_retired
    }))
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
