// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ctrl-C and termination signals: children are killed at once, waits end with a fault.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::fault::Fault;
use crate::sys::watch;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler for SIGINT, SIGTERM and SIGHUP.
///
/// # Errors
/// If a handler is already there.
pub fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        watch::kill_all();
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
