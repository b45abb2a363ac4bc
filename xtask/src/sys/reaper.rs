// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small second process that kills what is left when the lab itself was killed.
//!
//! Every child carries a mark of its lab in the environment, and hands it on: so even one that was
//! started in the lab's last moment, or has left its process group, is found. The reaper reads the numbers of process groups from a pipe whose only writer is the lab. When the
//! pipe ends, the lab is gone, and every group that has not been signed off is killed.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The hidden word on the command line that makes the binary a reaper.
pub const VERB: &str = "__reaper";

static REAPER: Mutex<Option<Child>> = Mutex::new(None);

/// The variable that marks the children of a lab.
pub const MARK: &str = "SECCOMP_LAB_CHILD_OF";

/// This lab's mark: no other lab, before or after it, has the same.
pub fn mark() -> &'static str {
    static VALUE: OnceLock<String> = OnceLock::new();
    VALUE.get_or_init(|| {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        format!("{}-{}", std::process::id(), since.as_nanos())
    })
}

/// The mark of one more child of this lab: it begins with the lab's.
pub fn mark_of_a_child() -> String {
    static CHILDREN: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", mark(), CHILDREN.fetch_add(1, Ordering::Relaxed))
}

/// Starts the reaper; only `main` does, since a test binary could not become one.
///
/// # Errors
/// If this binary cannot be started again.
pub fn start() -> Result<()> {
    let binary = std::env::current_exe().context("finding the lab's own binary")?;
    let mut command = Command::new(binary);
    command
        .arg(VERB)
        .arg(mark())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    #[expect(clippy::disallowed_methods, reason = "this is sys")]
    let child = command.spawn().context("starting the process that cleans up after the lab")?;
    *REAPER.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    Ok(())
}

/// A group that must not outlive the lab.
pub fn note_started(group: Pid) {
    note("+", group);
}

/// A group that has ended.
pub fn note_ended(group: Pid) {
    note("-", group);
}

/// A single process, in the lab's own group, that must not outlive the lab.
pub fn note_process_started(process: Pid) {
    note("+=", process);
}

/// A single process that has ended.
pub fn note_process_ended(process: Pid) {
    note("-=", process);
}

fn note(sign: &str, pid: Pid) {
    let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stdin) = reaper.as_mut().and_then(|child| child.stdin.as_mut()) {
        // Without a reaper the lab works as well; it only leaves more behind when it is killed.
        let _ = writeln!(stdin, "{sign}{}", pid.as_raw_nonzero());
    }
}

/// What the lab has left.
#[derive(Debug, Default, PartialEq, Eq)]
struct LeftOver {
    groups: BTreeSet<i32>,
    processes: BTreeSet<i32>,
}

/// The reaper's whole life.
pub fn run(input: impl BufRead, mark: &str) {
    let left = left_over(input);
    for group in left.groups.into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    for process in left.processes.into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(process, Signal::KILL);
    }
    kill_marked(mark);
}

/// Kills what carries a mark: that of a lab is on all of its children, that of a child on all that it started.
pub fn kill_marked(mark: &str) {
    // Twice: what was being started at the first look is there at the second.
    for _ in 0..2 {
        for process in marked(mark) {
            let _ = kill_process(process, Signal::KILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The processes that carry a mark, or one that begins with it.
fn marked(mark: &str) -> Vec<Pid> {
    let wanted = format!("{MARK}={mark}");
    with_environment(|entry| {
        let rest = entry.strip_prefix(wanted.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"))
    })
}

/// The processes that a lab with this process number has started, and those that they started.
pub fn children_of_lab(number: i32) -> Vec<Pid> {
    let wanted = format!("{MARK}={number}-");
    with_environment(|entry| entry.starts_with(wanted.as_bytes()))
}

/// The processes that have such an entry in their environment.
fn with_environment(is_wanted: impl Fn(&[u8]) -> bool) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_marked = |number: &i32| {
        let environment = std::fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(&is_wanted)
    };
    numbers.filter(is_marked).filter_map(Pid::from_raw).collect()
}

/// What was started and not signed off.
fn left_over(input: impl BufRead) -> LeftOver {
    let mut left = LeftOver::default();
    for line in input.lines().map_while(Result::ok) {
        let Some((sign, rest)) = line.split_at_checked(1) else { continue };
        let (set, number) = match rest.strip_prefix('=') {
            Some(number) => (&mut left.processes, number),
            None => (&mut left.groups, rest),
        };
        let Ok(number) = number.parse::<i32>() else { continue };
        match sign {
            "+" => set.insert(number),
            _ => set.remove(&number),
        };
    }
    // No process has a number below 1, and to kill(2) they mean many.
    left.groups.retain(|number| *number > 0);
    left.processes.retain(|number| *number > 0);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_signed_off_is_left() {
        let left = left_over("+12\n+13\n-12\n+0\n+-7\n+x\n\n+=20\n+=21\n-=20\n+14".as_bytes());
        assert_eq!(left.groups.into_iter().collect::<Vec<_>>(), [13, 14]);
        assert_eq!(left.processes.into_iter().collect::<Vec<_>>(), [21]);
    }
}
