// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults outside the guest: labs that are killed, disks that are full, caches that are damaged.
//!
//! The real program runs, on a real kernel, in a cache of its own below the lab's: what the suite has built stays there,
//! and the next time little has to be built again. It fetches from itself, and needs no network.

mod damage;
mod disk;
mod kills;
mod lab;
mod server;
mod sources;
mod stage;
mod together;

use anyhow::Result;

use self::lab::Lab;
use super::{Case, announce, ended, or_end};
use crate::cmd::session::Session;

/// A case: its name, what is wanted, and what carries it out.
pub type HostCase = (&'static str, &'static str, fn(&Lab) -> Result<Result<String, String>>);

/// In an order in which each finds most of what it needs.
pub const CASES: [HostCase; 8] = [
    ("cut-download", disk::CUT_WANTED, disk::cut_download),
    ("killed-20-times", kills::WANTED, kills::run),
    ("damaged-cache", damage::WANTED, damage::run),
    ("four-at-once", together::TOGETHER_WANTED, together::four_at_once),
    ("interrupted-twice", together::TWICE_WANTED, together::interrupt_twice),
    ("full-results", disk::RESULTS_WANTED, disk::full_results),
    ("read-only-results", disk::READ_ONLY_WANTED, disk::read_only_results),
    ("full-cache", disk::CACHE_WANTED, disk::full_cache),
];

/// Carries out the cases that are wanted.
///
/// # Errors
/// If the suite's own lab cannot be made; interrupts.
pub fn run(session: &Session, is_wanted: &dyn Fn(&str) -> bool, cases: &mut Vec<Case>) -> Result<()> {
    let wanted: Vec<HostCase> = CASES.into_iter().filter(|(name, ..)| is_wanted(name)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let lab = Lab::make(session)?;
    for (name, wanted, carry_out) in wanted {
        announce(name, wanted);
        let told = or_end(carry_out(&lab))?;
        ended(cases, Case { name: name.into(), wanted: wanted.into(), told });
    }
    Ok(())
}
