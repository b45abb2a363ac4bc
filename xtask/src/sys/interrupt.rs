// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ctrl-C and termination signals: children are killed at once, waits end with a fault.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::fault::{EXIT_INTERRUPTED, Fault};
use crate::sys::watch;

/// Longest that a lab which was interrupted twice goes on: for its record, and no further.
const PATIENCE: Duration = Duration::from_secs(3);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler for SIGINT, SIGTERM and SIGHUP.
///
/// # Errors
/// If a handler is already there.
pub fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        let is_first = !INTERRUPTED.swap(true, Ordering::SeqCst);
        watch::kill_all();
        if !is_first {
            std::thread::spawn(|| {
                std::thread::sleep(PATIENCE);
                // The reaper sees to what still runs.
                #[expect(clippy::disallowed_methods, reason = "main no longer answers")]
                std::process::exit(i32::from(EXIT_INTERRUPTED));
            });
        }
    })
    .context("installing the signal handler")
}

/// Whether a signal has come.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Ends what is being done once a signal has come.
///
/// # Errors
/// The interrupted fault.
pub fn check() -> Result<(), Fault> {
    if is_interrupted() { Err(Fault::interrupted()) } else { Ok(()) }
}
