// SPDX-License-Identifier: MIT OR Apache-2.0
//! Long commands: their output goes to a log file, and line by line to who wants it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::fault::Fault;
use crate::sys::process::{Exit, Process, pasteable};
use crate::sys::stream::UntilEnd;
use crate::sys::watch::OnInterrupt;

/// Longest line that is handed on from a logged stream, in bytes; the log has all of it.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Runs a command whose output, both streams together, goes to a log file and line by line to
/// `on_line`.
///
/// # Errors
/// If it cannot be started, read or logged; interrupted if the lab was.
pub fn logged(
    command: Command,
    what: &str,
    deadline: Duration,
    log: &Path,
    on_line: &mut dyn FnMut(&str),
) -> Result<Exit> {
    logged_with(command, what, deadline, log, OnInterrupt::Kill, on_line)
}

/// As [`logged`], for a command that an interrupt does not kill: the lab ends when it has ended.
///
/// # Errors
/// As [`logged`].
pub fn logged_to_its_end(mut command: Command, what: &str, deadline: Duration, log: &Path) -> Result<Exit> {
    command.env_remove(crate::sys::reaper::MARK);
    let exit = logged_with(command, what, deadline, log, OnInterrupt::Spare, &mut |_| {})?;
    crate::sys::interrupt::check()?;
    Ok(exit)
}

fn logged_with(
    mut command: Command,
    what: &str,
    deadline: Duration,
    log: &Path,
    on_interrupt: OnInterrupt,
    on_line: &mut dyn FnMut(&str),
) -> Result<Exit> {
    let mut log = std::io::BufWriter::new(fs::OpenOptions::new().create(true).append(true).open(log)?);
    writeln!(log, "$ {}", pasteable(&command))?;
    let (reader, writer) = std::io::pipe().context("making a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    crate::sys::interrupt::check()?;
    let mut process = Process::start(command.process_group(0), what, deadline, on_interrupt)?;
    // The command holds the pipe's writing ends: without this the pipe would never end.
    drop(command);
    copy_lines(UntilEnd::new(reader, &process), &mut log, on_line)
        .with_context(|| format!("logging {what}"))?;
    let exit = process.wait()?;
    log.flush().with_context(|| format!("logging {what}"))?;
    match exit {
        Exit::Interrupted => Err(Fault::interrupted().into()),
        exit => Ok(exit),
    }
}

fn copy_lines(reader: impl Read, log: &mut impl Write, on_line: &mut dyn FnMut(&str)) -> Result<()> {
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        log.write_all(&line)?;
        on_line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
    }
}
