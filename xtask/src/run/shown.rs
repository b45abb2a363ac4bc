// SPDX-License-Identifier: MIT OR Apache-2.0
//! What guests showed, for cells that would show the same: inert points share a verdict, not a guess.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::plan::cell::Cell;
use crate::plan::key::Key;
use crate::plan::work::{GuestWork, Plan};
use crate::run::context::Context;
use crate::run::guest::Watched;
use crate::run::ready::Ready;

/// Which cell shows what another would show. Filled in the order of the work.
#[derive(Default)]
pub struct Likenesses {
    by_cell: BTreeMap<Cell, (Key, Cell)>,
}

impl Likenesses {
    /// The cell whose guest stands for this one's, if its predecessor's does and both are alike.
    ///
    /// # Errors
    /// As [`Ready::likeness`].
    pub fn shown_by(&mut self, context: &Context<'_>, plan: &Plan, ready: &Ready) -> Result<Option<Cell>> {
        if ready.work.predecessor.is_none() && !has_successor(plan, &ready.work) {
            return Ok(None);
        }
        let Some(mine) = ready.likeness(context)? else { return Ok(None) };
        let cell = ready.work.cell.clone();
        let before = ready.work.predecessor.as_ref().and_then(|before| self.by_cell.get(before));
        let root = before.filter(|(key, _)| *key == mine).map(|(_, root)| root.clone());
        self.by_cell.insert(cell.clone(), (mine, root.clone().unwrap_or(cell)));
        Ok(root)
    }
}

/// Whether a later point asks what this one showed.
pub fn has_successor(plan: &Plan, guest: &GuestWork) -> bool {
    plan.guests.iter().any(|other| other.predecessor.as_ref() == Some(&guest.cell))
}

/// What guests showed, by cell.
#[derive(Default)]
pub struct Showings {
    by_cell: Mutex<BTreeMap<String, Option<Arc<Watched>>>>,
    changed: Condvar,
}

impl Showings {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Option<Arc<Watched>>>> {
        self.by_cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a guest showed; nothing where its boot came to nothing.
    pub fn keep(&self, cell: &str, watched: Option<Arc<Watched>>) {
        self.lock().insert(cell.to_owned(), watched);
        self.changed.notify_all();
    }

    /// Something to hold while a guest is under way: once it is gone, those who wait know at the least that
    /// nothing was shown.
    pub fn promise<'a>(&'a self, cell: &str) -> Promise<'a> {
        Promise { showings: self, cell: cell.to_owned() }
    }

    /// Waits for what a guest showed. Guests are taken up in the order of the work, so that one is under
    /// way or over; `is_stopped` says that none will come any more.
    pub fn wait_for(&self, cell: &str, is_stopped: &dyn Fn() -> bool) -> Option<Arc<Watched>> {
        let mut by_cell = self.lock();
        loop {
            if let Some(watched) = by_cell.get(cell) {
                return watched.clone();
            }
            if is_stopped() {
                return None;
            }
            let waited = self.changed.wait_timeout(by_cell, std::time::Duration::from_millis(200));
            by_cell = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A guest that others wait for.
pub struct Promise<'a> {
    showings: &'a Showings,
    cell: String,
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        self.showings.lock().entry(std::mem::take(&mut self.cell)).or_insert(None);
        self.showings.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_guest_that_never_showed_anything_is_told() {
        let showings = Showings::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| showings.wait_for("a", &|| false).is_none());
            drop(showings.promise("a"));
            assert!(waiting.join().unwrap());
        });
    }
}
