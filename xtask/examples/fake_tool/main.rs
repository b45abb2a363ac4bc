// SPDX-License-Identifier: MIT OR Apache-2.0
//! One program that stands in for make, gcc, ld and QEMU in `tests/it/`. The name that it is
//! called by says which of them it is.
//!
//! The lab clears the environment of its children, so that a fake is steered through files beside
//! it, in the first folder of `PATH`: `make.scenario`, `qemu.scenario` (line N for boot N, the last
//! line for all that follow). What was called is kept there as well, in `calls.log`. Where make
//! finds `fake.make` or `fake.drop` at the top of the source tree, these count instead.

mod gcc;
mod make;
mod measure;
mod qemu;
mod wire;

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// A fake that nobody ends ends itself.
const LIFETIME: Duration = Duration::from_secs(120);

/// The name that makes the program sleep: a process that someone else leaves behind.
const SLEEPER: &str = "sleeper";

fn main() -> ExitCode {
    let mut words = std::env::args();
    let called = words.next().unwrap_or_default();
    let tool = called.rsplit('/').next().unwrap_or(&called).to_owned();
    let arguments: Vec<String> = words.collect();
    let done = match tool.as_str() {
        SLEEPER => sleep(),
        "make" => make::run(&arguments),
        "gcc" => gcc::run(&arguments),
        "qemu-system-x86_64" | "qemu-system-i386" => qemu::run(&arguments),
        // Programs that only have to be there.
        _ => say(&format!("GNU {tool} (fake) 1.0\n")).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "fake {tool}: {error}");
        ExitCode::from(99)
    })
}

/// Writes to standard output.
fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The folder that the fakes are in.
fn folder() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).next().unwrap_or_default()
}

/// Keeps what was called; one write each, so that two fakes do not mix.
fn log_call(line: &str) -> std::io::Result<()> {
    let mut log = fs::OpenOptions::new().create(true).append(true).open(folder().join("calls.log"))?;
    log.write_all(format!("{line}\n").as_bytes())
}

/// Tells the test that this point is reached.
fn mark(name: &str) -> std::io::Result<()> {
    fs::write(folder().join(name), std::process::id().to_string())
}

/// Waits until the test makes a file.
fn wait_for(path: &Path) -> std::io::Result<()> {
    let begun = Instant::now();
    while !path.exists() {
        if begun.elapsed() > LIFETIME {
            return Err(std::io::Error::other("nobody came"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Stays until it is killed.
fn sleep() -> std::io::Result<ExitCode> {
    std::thread::sleep(LIFETIME);
    Ok(ExitCode::SUCCESS)
}

/// Leaves a process behind, in the same process group.
fn leave_sleeper() -> std::io::Result<()> {
    let mut sleeper = Command::new(std::env::current_exe()?);
    sleeper.arg0(SLEEPER).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[expect(clippy::disallowed_methods, reason = "a fake is no part of the lab")]
    let _sleeper = sleeper.spawn()?;
    Ok(())
}
