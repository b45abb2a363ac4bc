// SPDX-License-Identifier: MIT OR Apache-2.0
//! Jobs for runners elsewhere: the cells of one kernel each, and a name for what the job leaves in a cache.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::lab::Lab;
use crate::plan::cell::{Cell, slug};
use crate::plan::key::KeyBuilder;
use crate::plan::select::Selection;
use crate::plan::work::Plan;

/// One kernel and the guests that boot it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// `TREE/POINT/KERNEL`.
    pub name: String,
    /// The name without what file names and artifacts cannot have.
    pub slug: String,
    /// The tree.
    pub tree: String,
    /// The ids of the cells, with blanks between them: arguments of `test`.
    pub cells: String,
    /// The name of a stored cache that has this kernel, if nothing outside has changed.
    pub cache: String,
    /// What the names of caches begin with that hold an older kernel of this job.
    pub cache_prefix: String,
}

/// The jobs for some cells, in their order: one a kernel.
///
/// # Errors
/// Usage faults for what the lab does not know.
pub fn jobs(lab: &Lab, cells: &[Cell]) -> Result<Vec<Job>> {
    let mut jobs: Vec<Job> = Vec::new();
    for cell in cells {
        let id = lab.kernel_of(&cell.flavor)?;
        let name = format!("{}/{}/{id}", cell.tree, cell.point);
        match jobs.iter_mut().find(|job| job.name == name) {
            Some(job) => job.cells = format!("{} {cell}", job.cells),
            None => {
                let slug = slug(&name);
                let cache_prefix = format!("lab-{slug}-");
                let key = request(lab, cell)?;
                jobs.push(Job {
                    name,
                    tree: cell.tree.to_string(),
                    cells: cell.to_string(),
                    cache: format!("{cache_prefix}{key}"),
                    cache_prefix,
                    slug,
                });
            }
        }
    }
    Ok(jobs)
}

/// What is known of a kernel's request without fetching its tree: a digest of it. The version that a pattern
/// stands for and the compiler are not in it; the lab's own keys, in the cache, have them.
fn request(lab: &Lab, cell: &Cell) -> Result<String> {
    let plan = Plan::make(lab, &Selection { globs: vec![cell.to_string()], ..Selection::default() })?;
    let kernel = plan.kernels.first().context("a cell without a kernel")?;
    let config = lab.kernel(&kernel.id)?;
    let key = KeyBuilder::new("job")
        .part("lab", env!("CARGO_PKG_VERSION"))
        .part("tree", format!("{:?}", lab.tree(&cell.tree)?.source))
        .parts("patch", lab.patches(&cell.point)?.iter().map(|patch| &patch.digest));
    let key = kernel.asked(key, config, lab.boot_image(&kernel.id));
    Ok(key.finish().short().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::lab::names::VariantName;
    use crate::plan::select::select;
    use crate::plan::test_lab::lab;

    fn nightly(lab: &Lab) -> Vec<Cell> {
        let selection = Selection { matrix: Some("nightly".into()), ..Selection::default() };
        select(lab, &selection).unwrap().into_iter().map(|one| one.cell).collect()
    }

    #[test]
    fn the_jobs_hold_every_cell_once_and_no_kernel_twice() {
        let lab = lab();
        let cells = nightly(&lab);
        let jobs = jobs(&lab, &cells).unwrap();
        let mut told: Vec<&str> = jobs.iter().flat_map(|job| job.cells.split(' ')).collect();
        let mut wanted: Vec<String> = cells.iter().map(ToString::to_string).collect();
        told.sort_unstable();
        wanted.sort();
        assert_eq!(told, wanted);
        let kernels: BTreeSet<_> = cells
            .iter()
            .map(|cell| (&cell.tree, &cell.point, lab.kernel_of(&cell.flavor).unwrap()))
            .collect();
        assert_eq!(jobs.len(), kernels.len());
        for part in
            [|job: &Job| job.slug.clone(), |job: &Job| job.cache.clone(), |job: &Job| job.name.clone()]
        {
            assert_eq!(jobs.iter().map(part).collect::<BTreeSet<_>>().len(), jobs.len());
        }
        assert!(jobs.iter().all(|job| !job.slug.contains(['/', '@', '+', ' '])));
    }

    #[test]
    fn a_cache_has_another_name_where_what_decides_the_kernel_differs() {
        let lab = lab();
        let cell = |id: &str| Cell::parse(&lab, id).unwrap();
        let key = |lab: &Lab, id: &str| jobs(lab, &[cell(id)]).unwrap().remove(0).cache;
        let (first, last) = ("5.10/seccomp-cache@1/x86_64", "5.10/seccomp-cache@5/x86_64");
        let changed = |change: &dyn Fn(&mut Lab)| {
            let mut lab = self::lab();
            change(&mut lab);
            lab
        };
        let patched = changed(&|lab| {
            let series =
                lab.series.values_mut().find(|series| series.name.as_str() == "seccomp-cache").unwrap();
            series.patches[4].digest.push('0');
        });
        assert_eq!(key(&lab, first), key(&patched, first));
        assert_ne!(key(&lab, last), key(&patched, last));
        let moved = changed(&|lab| {
            let tree = lab.trees.values_mut().find(|tree| tree.name.as_str() == "5.10").unwrap();
            tree.source = crate::lab::tree::TreeSource::Path { directory: "/x".into() };
        });
        assert_ne!(key(&lab, first), key(&moved, first));
        let set = changed(&|lab| {
            for config in lab.kernels.values_mut() {
                config.fragments.pop();
            }
        });
        assert_ne!(key(&lab, first), key(&set, first));
        // A variant has a name and a key of its own.
        assert!(lab.variants.contains_key(&VariantName::parse("nodebug").unwrap()));
        assert_ne!(key(&lab, last), key(&lab, "5.10/seccomp-cache@5/x86_64+nodebug"));
    }
}
