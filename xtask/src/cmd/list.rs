// SPDX-License-Identifier: MIT OR Apache-2.0
//! `list`: cells, checks, cached kernels.

use anyhow::Result;

use crate::cli::{Cli, ListArgs, ListFormat};
use crate::cmd::session::Session;
use crate::fault;
use crate::lab::Lab;
use crate::lab::kernel::FlavorId;
use crate::plan::cell::Cell;
use crate::plan::select::Selection;
use crate::plan::work::Plan;
use crate::tell;
use crate::tell::list::Listing;

/// Runs the verb.
///
/// # Errors
/// Usage faults of the selection.
pub fn run(cli: &Cli, args: &ListArgs) -> Result<u8> {
    let mut session = Session::open(cli)?;
    let named = session.name_axes(&args.select.axes)?;
    let selection = args.select.selection(named.trees, named.series);
    // Without cells nothing else looks at them.
    for check in &selection.checks {
        session.lab.checks_under(check)?;
    }
    let cells = if is_empty(&selection) {
        all_cells(&session.lab)
    } else {
        Plan::make(&session.lab, &selection)?.guests.into_iter().map(|guest| guest.cell).collect()
    };
    let listing = Listing::new(&session.lab, &cells, session.cache_dir())?;
    let text = match args.format {
        ListFormat::Table => listing.table(),
        ListFormat::Json => listing.json()?,
        ListFormat::Github => listing.github()?,
    };
    tell::print(&text);
    Ok(fault::EXIT_OK)
}

fn is_empty(selection: &Selection) -> bool {
    selection.globs.is_empty()
        && selection.trees.is_empty()
        && selection.series.is_empty()
        && selection.flavors.is_empty()
        && selection.matrix.is_none()
}

/// Every point of each series on the tree it was written for, and every tree without patches.
fn all_cells(lab: &Lab) -> Vec<Cell> {
    let mut flavors: Vec<FlavorId> = Vec::new();
    for flavor in lab.flavors.keys() {
        flavors.push(FlavorId { flavor: flavor.clone(), variants: Vec::new() });
        for (name, variant) in &lab.variants {
            if variant.flavors.contains(flavor) {
                flavors.push(FlavorId { flavor: flavor.clone(), variants: vec![name.clone()] });
            }
        }
    }
    let mut cells = Vec::new();
    for series in lab.series.values() {
        let trees: Vec<_> = match &series.facts.tree {
            Some(tree) => vec![tree.clone()],
            None => lab.trees.keys().cloned().collect(),
        };
        for tree in trees {
            for point in series.points() {
                for flavor in &flavors {
                    cells.push(Cell { tree: tree.clone(), point: point.clone(), flavor: flavor.clone() });
                }
            }
        }
    }
    cells
}
