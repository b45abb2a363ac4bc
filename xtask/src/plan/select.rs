// SPDX-License-Identifier: MIT OR Apache-2.0
//! Selection: which cells, and which checks in them.

use std::collections::BTreeSet;

use crate::fault::{Fault, FaultKind};
use crate::lab::Lab;
use crate::lab::kernel::FlavorId;
use crate::lab::names::{MatrixName, SeriesName, TreeName, VariantName, unknown};
use crate::lab::series::{Point, Series};
use crate::plan::cell::{Cell, parse_point};
use crate::plan::shard::Shard;
use crate::record::model::CellRole;

/// What the user asked for, names not yet looked up.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Globs over cell ids; `*` crosses `/`.
    pub globs: Vec<String>,
    /// Trees.
    pub trees: Vec<String>,
    /// Points: `NAME` or `NAME@N`.
    pub series: Vec<String>,
    /// Flavors, with or without variants.
    pub flavors: Vec<String>,
    /// Checks or families of checks.
    pub checks: Vec<String>,
    /// A matrix of `lab.toml`.
    pub matrix: Option<String>,
    /// One part of several.
    pub shard: Option<Shard>,
    /// Which points of a selected series.
    pub points: Points,
    /// Whether the point without its patches is added.
    pub baseline: Baseline,
    /// The matrix whose checks are run where none is named; else that of the defaults.
    pub checks_of: Option<String>,
}

/// Which points of a series are tested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Points {
    /// Those that were named, or the last.
    #[default]
    Named,
    /// All up to those.
    Every,
}

/// Whether a series is compared with the tree that it is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Baseline {
    /// It is not.
    #[default]
    LeftOut,
    /// Its `@0` is tested as well.
    Compared,
}

/// What named the point of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// The user: every check of its series is asked.
    Hand,
    /// A default or a matrix: checks are asked from their patch on.
    Default,
    /// Nobody: it stands between the baseline and a named point: a check that was named is asked from its patch on.
    Expansion,
}

/// A cell that is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The cell.
    pub cell: Cell,
    /// How its point came in.
    pub named: NamedBy,
    /// What it is for.
    pub role: CellRole,
}

/// The cells that a selection names, in the order of the work: trees, points, kernels.
///
/// # Errors
/// A usage fault for names the lab does not know; a no-match fault for a glob that matches nothing.
pub fn select(lab: &Lab, selection: &Selection) -> Result<Vec<Selected>, Fault> {
    let axes_named =
        !(selection.trees.is_empty() && selection.series.is_empty() && selection.flavors.is_empty());
    let matrix = match &selection.matrix {
        Some(name) => Some(name.as_str()),
        None if !axes_named && selection.globs.is_empty() => Some(lab.defaults.matrix.as_str()),
        None => None,
    };
    let mut selected = match matrix {
        Some(name) => matrix_cells(lab, name, selection)?,
        None => axis_cells(lab, selection)?,
    };
    expand(&mut selected, selection);
    sort(lab, &mut selected)?;
    match selection.shard {
        Some(shard) => take_shard(lab, selected, shard),
        None => Ok(selected),
    }
}

/// Adds the points before those that were selected, and the baseline.
fn expand(selected: &mut Vec<Selected>, selection: &Selection) {
    for subject in selected.clone() {
        let last = subject.cell.point.applied;
        let before = match selection.points {
            Points::Every => 1..last,
            Points::Named => 0..0,
        };
        let baseline = (selection.baseline == Baseline::Compared && last > 0).then_some(0);
        for applied in baseline.into_iter().chain(before) {
            let point = Point { applied, ..subject.cell.point.clone() };
            let cell = Cell { point, ..subject.cell.clone() };
            if !selected.iter().any(|other| other.cell == cell) {
                let role = if applied == 0 { CellRole::Baseline } else { CellRole::Subject };
                selected.push(Selected { cell, named: NamedBy::Expansion, role });
            }
        }
    }
}

/// Whether every cell of every matrix is one that the lab knows.
///
/// # Errors
/// A usage fault that names the matrix.
pub fn check_matrices(lab: &Lab) -> Result<(), Fault> {
    for (name, matrix) in &lab.matrices {
        let place = format!("configs/lab.toml, [matrix.{name}]");
        for entry in &matrix.cells {
            if !has_wildcard(entry) {
                Cell::parse(lab, entry).map_err(|error| error.within(&place))?;
            } else if matching(lab, entry, &Axes::defaults(lab)?)?.is_empty() {
                return Err(Fault::usage(format!("{place}: `{entry}` matches no cell")));
            }
        }
    }
    Ok(())
}

/// The cells of a matrix, narrowed by the axes and globs that were given.
fn matrix_cells(lab: &Lab, name: &str, selection: &Selection) -> Result<Vec<Selected>, Fault> {
    let unknown_matrix = || unknown("matrix", name, lab.matrices.keys().map(MatrixName::as_str));
    let matrix = lab.matrices.get(&MatrixName::parse(name)?).ok_or_else(unknown_matrix)?;
    let mut cells = BTreeSet::new();
    for entry in &matrix.cells {
        if has_wildcard(entry) {
            cells.extend(matching(lab, entry, &Axes::defaults(lab)?)?);
        } else {
            cells.insert(Cell::parse(lab, entry)?);
        }
    }
    let axes = Axes::named(lab, selection)?;
    cells.retain(|cell| {
        (selection.trees.is_empty() || axes.trees.contains(&cell.tree))
            && (selection.series.is_empty() || axes.points.contains(&cell.point))
            && (selection.flavors.is_empty() || axes.flavors.contains(&cell.flavor))
    });
    if !selection.globs.is_empty() {
        let globs = selection.globs.iter().map(|glob| with_last_point(lab, glob));
        let patterns = globs.map(|glob| pattern(&glob)).collect::<Result<Vec<_>, _>>()?;
        cells.retain(|cell| patterns.iter().any(|pattern| pattern.matches(&cell.to_string())));
    }
    if cells.is_empty() {
        return Err(no_match(&format!("no cell of matrix `{name}` is left")));
    }
    Ok(cells
        .into_iter()
        .map(|cell| Selected { cell, named: NamedBy::Default, role: CellRole::Subject })
        .collect())
}

/// The product of the axes, narrowed by globs.
fn axis_cells(lab: &Lab, selection: &Selection) -> Result<Vec<Selected>, Fault> {
    let axes = Axes::named(lab, selection)?;
    let by_hand = if selection.series.is_empty() { NamedBy::Default } else { NamedBy::Hand };
    if selection.globs.is_empty() {
        // A name given twice makes no cell twice.
        let cells: BTreeSet<Cell> = axes.product(lab).collect();
        return Ok(cells
            .into_iter()
            .map(|cell| Selected { cell, named: by_hand, role: CellRole::Subject })
            .collect());
    }
    let mut selected: Vec<Selected> = Vec::new();
    for glob in &selection.globs {
        let (cells, named) = if has_wildcard(glob) {
            let is_named = names_point(lab, &with_last_point(lab, glob));
            let named = if is_named { NamedBy::Hand } else { by_hand };
            (matching(lab, glob, &axes)?, named)
        } else {
            (vec![Cell::parse(lab, glob)?], NamedBy::Hand)
        };
        if cells.is_empty() {
            return Err(no_cell(lab, glob));
        }
        for cell in cells {
            match selected.iter_mut().find(|other| other.cell == cell) {
                Some(other) if named == NamedBy::Hand => other.named = named,
                Some(_) => {}
                None => selected.push(Selected { cell, named, role: CellRole::Subject }),
            }
        }
    }
    Ok(selected)
}

/// The axes of a product.
struct Axes {
    trees: Vec<TreeName>,
    points: Vec<Point>,
    flavors: Vec<FlavorId>,
}

impl Axes {
    fn defaults(lab: &Lab) -> Result<Self, Fault> {
        Ok(Self {
            trees: vec![lab.defaults.tree.clone()],
            points: vec![lab.series(&lab.defaults.series)?.last_point()],
            flavors: plain_flavors(lab),
        })
    }

    fn named(lab: &Lab, selection: &Selection) -> Result<Self, Fault> {
        let mut axes = Self::defaults(lab)?;
        if !selection.trees.is_empty() {
            let tree = |text: &String| Ok(lab.tree(&TreeName::parse(text)?)?.name.clone());
            axes.trees = selection.trees.iter().map(tree).collect::<Result<_, Fault>>()?;
        }
        if !selection.series.is_empty() {
            axes.points =
                selection.series.iter().map(|text| parse_point(lab, text)).collect::<Result<_, _>>()?;
        }
        if !selection.flavors.is_empty() {
            let flavor = |text: &String| {
                let id = FlavorId::parse(text)?;
                lab.kernel_of(&id).map(|_| id)
            };
            axes.flavors = selection.flavors.iter().map(flavor).collect::<Result<_, Fault>>()?;
        }
        Ok(axes)
    }

    fn product(&self, lab: &Lab) -> impl Iterator<Item = Cell> {
        let mut cells = Vec::new();
        for tree in &self.trees {
            for point in &self.points {
                for flavor in self.flavors.iter().filter(|flavor| lab.kernel_of(flavor).is_ok()) {
                    cells.push(Cell { tree: tree.clone(), point: point.clone(), flavor: flavor.clone() });
                }
            }
        }
        cells.into_iter()
    }
}

fn plain_flavors(lab: &Lab) -> Vec<FlavorId> {
    let plain = |flavor: &_| FlavorId { flavor: Clone::clone(flavor), variants: Vec::new() };
    lab.defaults.flavors.iter().map(plain).collect()
}

/// A series without `@N` stands for all of it, in a glob as in an id.
fn with_last_point(lab: &Lab, glob: &str) -> String {
    let part = |part: &str| {
        let series =
            lab.series.values().find(|series| series.name.as_str() == part && !series.name.is_none());
        series.map_or_else(|| part.to_owned(), |series| series.last_point().to_string())
    };
    glob.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// The cells that a glob matches, with the trees, points and variants it names added to the axes.
fn matching(lab: &Lab, glob: &str, axes: &Axes) -> Result<Vec<Cell>, Fault> {
    let glob = &with_last_point(lab, glob);
    let pattern = pattern(glob)?;
    let mut wide =
        Axes { trees: axes.trees.clone(), points: axes.points.clone(), flavors: axes.flavors.clone() };
    wide.trees
        .extend(lab.trees.keys().filter(|tree| glob.split('/').any(|part| part == tree.as_str())).cloned());
    wide.points.extend(points_in(lab, glob));
    wide.flavors.extend(variants_in(lab, glob));
    let cells: BTreeSet<Cell> = wide.product(lab).filter(|cell| pattern.matches(&cell.to_string())).collect();
    Ok(cells.into_iter().collect())
}

/// Whether a glob writes the number of a point: `@*` asks for all of them, and for none by hand.
fn names_point(lab: &Lab, glob: &str) -> bool {
    let every = glob.split('/').any(|part| part.rsplit_once('@').is_some_and(|(_, at)| at == "*"));
    !every && !points_in(lab, glob).is_empty()
}

/// Points that a glob names: `seccomp-cache@3`, `*@3`, `seccomp-cache@*`, `none`.
fn points_in(lab: &Lab, glob: &str) -> Vec<Point> {
    let mut points = Vec::new();
    for part in glob.split('/') {
        if part == SeriesName::NONE {
            points.extend(parse_point(lab, part));
        } else if let Some((name, number)) = part.rsplit_once('@') {
            if number == "*" {
                points.extend(
                    lab.series.values().filter(|one| one.name.as_str() == name).flat_map(Series::points),
                );
            }
            let Ok(applied) = number.parse::<usize>() else { continue };
            let named =
                lab.series.values().filter(|series| series.name.as_str() == name || has_wildcard(name));
            points
                .extend(named.filter(|series| !series.name.is_none()).filter_map(|s| s.point(applied).ok()));
        }
    }
    points
}

/// Flavors with the variants that a glob names: `compat+debug`, `*+debug*`.
fn variants_in(lab: &Lab, glob: &str) -> Vec<FlavorId> {
    let Some(part) = glob.split('/').rfind(|part| part.contains('+')) else {
        return Vec::new();
    };
    let word = |text: &str| text.split(['*', '?', '[']).next().unwrap_or("").to_owned();
    let names = part.split('+').skip(1).map(|text| VariantName::parse(&word(text)));
    let Ok(variants) = names.collect::<Result<Vec<_>, _>>() else {
        return Vec::new();
    };
    let all =
        lab.flavors.keys().map(|flavor| FlavorId { flavor: flavor.clone(), variants: variants.clone() });
    all.filter(|id| lab.kernel_of(id).is_ok()).collect()
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn pattern(glob: &str) -> Result<glob::Pattern, Fault> {
    glob::Pattern::new(glob)
        .map_err(|error| Fault::usage(format!("`{}` is no glob: {error}", glob.escape_default())))
}

/// The fault for a glob that matches nothing; of variants it names those that there are.
fn no_cell(lab: &Lab, glob: &str) -> Fault {
    let fault = no_match(&format!("`{}` matches no cell", glob.escape_default()));
    if !glob.contains('+') || !variants_in(lab, glob).is_empty() {
        return fault;
    }
    let names: Vec<&str> = lab.variants.keys().map(VariantName::as_str).collect();
    fault
        .help(format!("variants, each for some flavors: {}; `cargo xtask list` shows them", names.join(", ")))
}

fn no_match(message: &str) -> Fault {
    Fault::new(FaultKind::NoMatch, message).help(
        "`*` stands for the default tree, series and flavors; name others ('6.1/none/*', '*/seccomp-cache@0/*'): `cargo xtask list` shows them",
    )
}

/// Trees outermost, then points, then kernels: so that a worktree changes as little as possible.
fn sort(lab: &Lab, selected: &mut [Selected]) -> Result<(), Fault> {
    for one in selected.iter() {
        lab.kernel_of(&one.cell.flavor)?;
    }
    let declared = |flavor: &FlavorId| {
        let at = lab.defaults.flavors.iter().position(|name| *name == flavor.flavor);
        (flavor.variants.clone(), at.unwrap_or(usize::MAX), flavor.clone())
    };
    selected.sort_by_cached_key(|one| {
        (one.cell.tree.clone(), one.cell.point.clone(), declared(&one.cell.flavor))
    });
    Ok(())
}

/// Deals out kernels, not cells, so that no two shards build the same one.
fn take_shard(lab: &Lab, selected: Vec<Selected>, shard: Shard) -> Result<Vec<Selected>, Fault> {
    let mut kernels = Vec::new();
    let mut part = Vec::new();
    for one in selected {
        let kernel = (one.cell.tree.clone(), one.cell.point.clone(), lab.kernel_of(&one.cell.flavor)?);
        let at = kernels.iter().position(|other| *other == kernel).unwrap_or_else(|| {
            kernels.push(kernel);
            kernels.len() - 1
        });
        if at % shard.count == shard.index - 1 {
            part.push(one);
        }
    }
    Ok(part)
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
