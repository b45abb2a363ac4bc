// SPDX-License-Identifier: MIT OR Apache-2.0
//! Workers: take guests from the queue, boot them, and tell their verdicts.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use crate::fault::{Fault, FaultKind};
use crate::parse::splat::Splats;
use crate::record::model::{Attempt, CellRecord, CellRole, Host, INTERRUPTED, Outcome};
use crate::run::again::run_cut_off;
use crate::run::context::{Context, CutOff};
use crate::run::event::Event;
use crate::run::found;
use crate::run::guest::{self, Watched};
use crate::run::queue::{Boot, Queue};
use crate::run::ready::Ready;

/// Boots guests until none comes any more.
///
/// # Errors
/// What ends the run; the queue is stopped.
pub fn boot_guests(context: &Context<'_>, host: &Host, splats: &Splats, queue: &Queue) -> Result<()> {
    while let Some(boot) = queue.next() {
        let cell = boot.ready.work.cell.to_string();
        // Whatever becomes of it, nobody waits for ever for what its guest shows.
        let _promise = boot.is_kept.then(|| queue.showings.promise(&cell));
        let begins = Begins::now();
        match verdict_of(context, host, splats, queue, &boot) {
            Ok(record) => tell_cell(context, queue, record),
            Err(error) if ends_the_run(&error) => {
                begins.tell_interrupted(context, [cell]);
                queue.stop();
                return Err(error);
            }
            Err(error) => tell_cell(context, queue, infra(&cell, &error)),
        }
    }
    Ok(())
}

/// A cell's verdict: by what another's guest showed if that stands for its own, the one that an earlier run
/// came to if nothing that decides it has changed, else by its own guest.
fn verdict_of(
    context: &Context<'_>,
    host: &Host,
    splats: &Splats,
    queue: &Queue,
    boot: &Boot,
) -> Result<CellRecord> {
    let ready = &boot.ready;
    let cell = ready.work.cell.to_string();
    if let Some(other) = boot.shown_by.as_ref().map(ToString::to_string) {
        let is_over = || queue.is_stopped() || crate::sys::interrupt::is_interrupted();
        if let Some(watched) = queue.showings.wait_for(&other, &is_over) {
            return guest::shared_verdict(context, ready, &watched, &other);
        }
        if is_over() {
            return Ok(CellRecord::never_begun(&cell));
        }
    }
    let found_by = match ready.work.role {
        CellRole::Baseline => found::verdict_key(context, host, ready)?,
        CellRole::Subject | CellRole::Probe => None,
    };
    // What its guest showed is gone: a point that would show the same needs a boot.
    if let Some(key) = found_by.as_ref().filter(|_| !boot.is_kept)
        && let Some(record) = found::find(context, key)
    {
        return Ok(record);
    }
    let mut shown = None;
    let record = boot_with_retries(context, host, splats, ready, &mut shown);
    if boot.is_kept {
        // Nothing is kept of a boot that the lab or the user spoiled: who waits for it boots itself.
        let is_spoiled = |record: &CellRecord| matches!(record.outcome, Outcome::Infra | Outcome::Cancelled);
        let is_whole = record.as_ref().is_ok_and(|record| !is_spoiled(record));
        queue.showings.keep(&cell, shown.filter(|_| is_whole));
    }
    let record = record?;
    if let Some(key) = &found_by {
        found::keep(context, key, &record)?;
    }
    Ok(record)
}

/// Only trouble of the host's is tried again, and only where that hides nothing; every try is in the record.
fn boot_with_retries(
    context: &Context<'_>,
    host: &Host,
    splats: &Splats,
    ready: &Ready,
    shown: &mut Option<Arc<Watched>>,
) -> Result<CellRecord> {
    let cell = ready.work.cell.to_string();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut boot = || -> Result<CellRecord> {
        let questions = ready.questions(context)?;
        let watched = guest::watch(context, host, splats, ready, &questions)?;
        let record = guest::verdict(context, ready, &questions, &watched);
        *shown = Some(Arc::new(watched));
        record
    };
    loop {
        let started = Instant::now();
        let mut record = match boot() {
            Ok(record) => record,
            Err(error) if ends_the_run(&error) => return Err(error),
            Err(error) => infra(&cell, &error),
        };
        let mut attempt = Attempt::new(record.outcome, guest::millis(started.elapsed()));
        let is_last = attempts.len() >= context.options.retries as usize;
        if is_last || !record.may_be_tried_again() {
            attempts.push(attempt);
            record.attempts = attempts;
            if context.options.cut_off == CutOff::RunAgain {
                run_cut_off(context, host, splats, ready, &mut record)?;
            }
            return Ok(record);
        }
        context.note(format!("{cell}: {}; tried again", record.reason));
        attempt.retried_for = Some(record.reason);
        attempts.push(attempt);
    }
}

/// Some work on cells that begins: those that an interrupt cuts off after that had their turn.
pub struct Begins {
    is_late: bool,
}

impl Begins {
    /// It begins now; after an interrupt nothing begins any more.
    pub fn now() -> Self {
        Self { is_late: crate::sys::interrupt::is_interrupted() }
    }

    /// Tells of cells that an interrupt has cut off, if it was one.
    pub fn tell_interrupted(&self, context: &Context<'_>, cells: impl IntoIterator<Item = String>) {
        if self.is_late || !crate::sys::interrupt::is_interrupted() {
            return;
        }
        for cell in cells {
            let record = CellRecord::without_guest(&cell, Outcome::Cancelled, INTERRUPTED.into(), Vec::new());
            context.tell(Event::Cell(Box::new(record)));
        }
    }
}

/// Whether an error is the user's or an interrupt: no other cell would fare better.
pub fn ends_the_run(error: &anyhow::Error) -> bool {
    crate::sys::interrupt::is_interrupted()
        || error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<Fault>())
            .any(|fault| matches!(fault.kind(), FaultKind::Usage | FaultKind::Interrupted))
}

/// The record of a cell that trouble of the lab's has hit.
pub fn infra(cell: &str, error: &anyhow::Error) -> CellRecord {
    let text = crate::fault::describe(error);
    let mut lines = text.lines();
    let reason = lines.next().unwrap_or("").trim_start_matches("error: ").to_owned();
    let excerpt = lines.map(str::to_owned).collect();
    CellRecord::without_guest(cell, Outcome::Infra, reason, excerpt)
}

/// Tells a verdict, and stops where the user wants no more.
pub fn tell_cell(context: &Context<'_>, queue: &Queue, record: CellRecord) {
    if context.options.fail_fast && record.outcome != Outcome::Pass {
        queue.stop();
    }
    context.tell(Event::Cell(Box::new(record)));
}
