// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small second process that kills what is left when the lab itself was killed.
//!
//! It reads the numbers of process groups from a pipe whose only writer is the lab. When the
//! pipe ends, the lab is gone, and every group that has not been signed off is killed.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

/// The hidden word on the command line that makes the binary a reaper.
pub const VERB: &str = "__reaper";

static REAPER: Mutex<Option<Child>> = Mutex::new(None);

/// Starts the reaper; only `main` does, since a test binary could not become one.
///
/// # Errors
/// If this binary cannot be started again.
pub fn start() -> Result<()> {
    let binary = std::env::current_exe().context("finding the lab's own binary")?;
    let mut command = Command::new(binary);
    command.arg(VERB).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    #[expect(clippy::disallowed_methods, reason = "this is sys")]
    let child = command.spawn().context("starting the process that cleans up after the lab")?;
    *REAPER.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    Ok(())
}

/// A group that must not outlive the lab.
pub fn note_started(group: Pid) {
    note('+', group);
}

/// A group that has ended.
pub fn note_ended(group: Pid) {
    note('-', group);
}

fn note(sign: char, group: Pid) {
    let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stdin) = reaper.as_mut().and_then(|child| child.stdin.as_mut()) {
        // Without a reaper the lab works as well; it only leaves more behind when it is killed.
        let _ = writeln!(stdin, "{sign}{}", group.as_raw_nonzero());
    }
}

/// The reaper's whole life.
pub fn run(input: impl BufRead) {
    for group in left_over(input) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The groups that were started and not signed off.
fn left_over(input: impl BufRead) -> Vec<Pid> {
    let mut groups: BTreeSet<i32> = BTreeSet::new();
    for line in input.lines().map_while(Result::ok) {
        let Some((sign, number)) = line.split_at_checked(1) else { continue };
        let Ok(group) = number.parse::<i32>() else { continue };
        match sign {
            "+" => groups.insert(group),
            _ => groups.remove(&group),
        };
    }
    groups.into_iter().filter_map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_that_were_not_signed_off_are_left() {
        let left = left_over("+12\n+13\n-12\n+0\n+x\n\n+14".as_bytes());
        let numbers: Vec<i32> = left.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
        assert_eq!(numbers, [13, 14]);
    }
}
