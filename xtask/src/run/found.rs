// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verdicts that are found again: a baseline's changes only with what decides it.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::plan::key::{Key, KeyBuilder};
use crate::record::model::{CellRecord, Host, Outcome};
use crate::record::store::timestamp;
use crate::run::context::Context;
use crate::run::digests::file_digest;
use crate::run::ready::{Prepared, Ready};

#[derive(Serialize, Deserialize)]
struct Answer {
    run: String,
    record: CellRecord,
}

/// The lab's own program, also where its file has been replaced since it was started.
const LAB: &str = "/proc/self/exe";

/// The key of everything that decides a verdict: the kernel, the programs, what they are asked and told,
/// what is expected, the machine that plays it, and the lab that judges it. None where it is not known what the kernel executes.
///
/// # Errors
/// As [`Ready::likeness`]; names of sub-tests that cannot be read.
pub fn verdict_key(context: &Context<'_>, host: &Host, ready: &Ready) -> Result<Option<Key>> {
    let today = &timestamp(SystemTime::now())[..10];
    let Some(likeness) = ready.likeness(context)? else { return Ok(None) };
    let mut key = KeyBuilder::new("verdict")
        .part("likeness", likeness.as_str())
        .part("kernel", ready.kernel.key.as_str())
        .part("host", format!("{host:?}"))
        .part("accelerator", format!("{:?}", context.options.accel))
        .part("deadline", format!("{:?}", context.options.deadline))
        .part("cell", ready.work.cell.to_string())
        .part("splats", &context.lab.splats)
        .part("expected", format!("{:?}", context.lab.expected))
        .part("lab", file_digest(Path::new(LAB))?);
    // An entry that has run out expects nothing any more.
    for entry in context.lab.expected.expired(today) {
        key = key.part("expired", format!("{entry:?}"));
    }
    for (planned, prepared) in ready.work.checks.iter().zip(&ready.prepared) {
        let how = match prepared {
            Prepared::Program(_) => "in the guest".to_owned(),
            Prepared::Absent(why) => format!("absent: {why}"),
            Prepared::Made { subs, .. } => format!("{subs:?}"),
        };
        let names = context.lab.known_names(&ready.work.cell.tree, &planned.check.name)?;
        key = key
            .part("check", planned.check.name.as_str())
            .part("scope", format!("{:?}", planned.scope))
            .part("how", how)
            .parts("name", names);
    }
    Ok(Some(key.finish()))
}

/// The verdict that an earlier run came to, and says so.
pub fn find(context: &Context<'_>, key: &Key) -> Option<CellRecord> {
    let Answer { run, mut record } = context.answer(key)?;
    record.found_in = Some(run);
    // They are that run's, which may be gone; and nothing took time in this one.
    record.files.clear();
    record.timings_ms.clear();
    Some(record)
}

/// Keeps a verdict for later runs, if it is a pass. A failure excuses that of a series, and may come of a slow
/// machine alone (a deadline, a stall): it has to show itself in each run.
///
/// # Errors
/// If it cannot be written.
pub fn keep(context: &Context<'_>, key: &Key, record: &CellRecord) -> Result<()> {
    if record.outcome != Outcome::Pass {
        return Ok(());
    }
    let run = context.folder.file_name().unwrap_or(Path::new("").as_os_str()).to_string_lossy().into_owned();
    context.cache.keep_answer(key, &Answer { run, record: record.clone() })
}
