// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where series came from, for the record.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::lab::Lab;
use crate::lab::series::{Series, SeriesOrigin};
use crate::plan::work::Plan;
use crate::record::model::{PatchRecord, SeriesRecord};

/// Where the series of a plan came from, those that they require included.
///
/// # Errors
/// A usage fault for a series that is not known.
pub fn series_records(lab: &Lab, plans: &[&Plan]) -> Result<BTreeMap<String, SeriesRecord>> {
    let mut records: BTreeMap<String, SeriesRecord> = BTreeMap::new();
    for source in plans.iter().flat_map(|plan| &plan.sources) {
        for (series, applied) in lab.applied(&source.point)? {
            let record = records.entry(series.name.to_string()).or_insert_with(|| series_record(series));
            if !record.applied.contains(&applied) {
                record.applied.push(applied);
            }
        }
    }
    Ok(records)
}

fn series_record(series: &Series) -> SeriesRecord {
    let patches = series.patches.iter().map(|patch| PatchRecord {
        file: patch.file.clone(),
        subject: patch.subject.clone(),
        digest: patch.digest.clone(),
        version: patch.provenance.version,
        trailers: patch.provenance.trailers.clone(),
        message_id: patch.message_id.clone(),
        answers: patch.provenance.answers.clone(),
        commit: patch.provenance.commit.clone(),
    });
    let provenance = series.provenance.clone();
    SeriesRecord {
        origin: match &series.origin {
            SeriesOrigin::Shipped => format!("kernel-patches/{}", series.name),
            SeriesOrigin::AdHoc(path) => path.display().to_string(),
            SeriesOrigin::Commits { repository, range } => format!("{range} of {}", repository.display()),
            SeriesOrigin::Empty => "no patches".into(),
        },
        version: provenance.version,
        cover: provenance.cover,
        base_commit: provenance.base_commit,
        prerequisites: provenance.prerequisites,
        subset: provenance.subset.map(|part| format!("{}-{} of {}", part.first, part.last, part.of)),
        after: series.facts.requires.as_ref().map(ToString::to_string),
        notes: provenance.notes,
        applied: Vec::new(),
        patches: patches.collect(),
    }
}
