// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cells: tree × point × flavor.

use std::fmt;

use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::kernel::FlavorId;
use crate::lab::names::{SeriesName, TreeName};
use crate::lab::series::{Point, split_point};

/// One box of the matrix: what gets a verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The kernel source.
    pub tree: TreeName,
    /// The patches on it.
    pub point: Point,
    /// The kernel config and the guest ABI.
    pub flavor: FlavorId,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tree, self.point, self.flavor)
    }
}

impl Cell {
    /// Reads a cell id. A series without `@N` stands for all of it.
    ///
    /// # Errors
    /// A usage fault for anything the lab does not know, with the nearest name.
    pub fn parse(lab: &Lab, id: &str) -> Result<Self, Fault> {
        let parts: Vec<&str> = id.split('/').collect();
        let [tree, point, flavor] = parts[..] else {
            return Err(Fault::usage(format!("`{}` is no cell id", id.escape_default())).help(
                "a cell is TREE/SERIES@N/FLAVOR, as in 5.10/seccomp-cache@5/compat; `list` shows them",
            ));
        };
        let tree = lab.tree(&TreeName::parse(tree)?)?.name.clone();
        let flavor = FlavorId::parse(flavor)?;
        lab.kernel_of(&flavor)?;
        Ok(Self { tree, point: parse_point(lab, point)?, flavor })
    }

    /// The cell of the point with one patch less.
    pub fn predecessor(&self) -> Option<Self> {
        let applied = self.point.applied.checked_sub(1)?;
        Some(Self { point: Point { applied, ..self.point.clone() }, ..self.clone() })
    }

    /// The cell's name in file names: without `/`, `@` and `+`.
    pub fn slug(&self) -> String {
        slug(&self.to_string())
    }
}

/// Reads `SERIES` or `SERIES@N`.
///
/// # Errors
/// A usage fault for a series the lab does not know, or a number it does not have.
pub fn parse_point(lab: &Lab, text: &str) -> Result<Point, Fault> {
    let (name, applied) = split_point(text)?;
    let series = lab.series(&SeriesName::parse(name)?)?;
    match applied {
        None => Ok(series.last_point()),
        Some(applied) => series.point(applied),
    }
}

/// An id as a file name.
pub fn slug(id: &str) -> String {
    id.replace('/', "--").replace(['@', '+'], ".")
}
