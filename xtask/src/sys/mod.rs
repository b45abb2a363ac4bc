// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lab's surroundings: processes, signals, locks, the host's packages.
//!
//! Architecture invariant: only this folder spawns processes. Every child has its own process
//! group and a deadline, and dies with the lab, even when the lab is killed.

pub mod host;
pub mod interrupt;
pub mod lock;
pub mod logged;
pub mod process;
pub mod reaper;
pub mod stream;
pub mod temporary;
pub mod watch;
