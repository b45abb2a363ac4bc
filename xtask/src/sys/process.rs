// SPDX-License-Identifier: MIT OR Apache-2.0
//! Child processes: spawned into a group of their own, watched, and always waited for.

use std::fmt;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
pub use rustix::process::Signal;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};

use crate::fault::Fault;
use crate::sys::reaper;
use crate::sys::stream::UntilEnd;
use crate::sys::watch::{Killed, OnInterrupt, Watched};

/// Most that is kept of a captured stream, in bytes.
const CAPTURE_BYTES_MAX: u64 = 48 << 20;

/// Time between two looks at a child on the terminal.
const FOREGROUND_POLL: Duration = Duration::from_millis(50);

/// Variables that a child may inherit: where programs are, who the user is, and the way out to
/// the network. Everything else could change what is built without being in a key.
const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TERM",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal that the lab did not send.
    Signal(i32),
    /// Killed: its deadline had passed.
    Deadline,
    /// Killed: the lab was interrupted.
    Interrupted,
}

impl Exit {
    /// Whether it ended with code 0.
    pub fn is_success(self) -> bool {
        self == Exit::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
            Exit::Deadline => write!(f, "killed at its deadline"),
            Exit::Interrupted => write!(f, "killed by an interrupt"),
        }
    }
}

/// A command with an environment that holds nothing by accident.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    clean(Command::new(program))
}

/// Takes everything out of a command's environment that could change its result.
pub fn clean(mut command: Command) -> Command {
    let set: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command.env_clear().env("LC_ALL", "C.UTF-8");
    command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(set);
    command.env(reaper::MARK, reaper::mark());
    command
}

/// The command as one could paste it into a shell, without its environment.
pub fn pasteable(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quote(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it back.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A running child.
pub struct Process {
    child: Child,
    pid: Pid,
    watched: Option<Watched>,
    /// What it and all that it starts carry in their environment; nothing for one that outlives the lab.
    mark: Option<String>,
    what: String,
    started: Instant,
}

impl Process {
    /// Starts a child in a process group of its own.
    ///
    /// # Errors
    /// An infra fault if the program is not there or cannot be started.
    pub fn spawn(command: &mut Command, what: &str, deadline: Duration) -> Result<Self> {
        crate::sys::interrupt::check()?;
        Self::start(command.process_group(0), what, deadline, OnInterrupt::Kill)
    }

    /// Runs a child that shares the terminal with the lab, so that it can read from it. It is in
    /// the lab's own process group, and ends with the terminal's.
    ///
    /// # Errors
    /// As [`Process::spawn`].
    pub fn run_in_foreground(command: &mut Command, what: &str) -> Result<Exit> {
        #[expect(clippy::disallowed_methods, reason = "this is sys")]
        let mut child = command.spawn().map_err(|error| not_started(command, what, &error))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("a child with a process number that is none")?;
        reaper::note_process_started(pid);
        // The terminal's own Ctrl-C is the child's; a termination signal of the lab's ends both.
        let status = loop {
            if let Some(status) = child.try_wait().with_context(|| format!("waiting for {what}"))? {
                break status;
            }
            if crate::sys::interrupt::is_interrupted() {
                child.kill().with_context(|| format!("ending {what}"))?;
            }
            std::thread::sleep(FOREGROUND_POLL);
        };
        reaper::note_process_ended(pid);
        crate::sys::interrupt::check()?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or(0)),
        })
    }

    pub(super) fn start(
        command: &mut Command,
        what: &str,
        deadline: Duration,
        on_interrupt: OnInterrupt,
    ) -> Result<Self> {
        let is_marked = command.get_envs().any(|(name, value)| name == reaper::MARK && value.is_some());
        let mark = is_marked.then(reaper::mark_of_a_child);
        if let Some(mark) = &mark {
            command.env(reaper::MARK, mark);
        }
        #[expect(clippy::disallowed_methods, reason = "this is sys")]
        let child = command.spawn().map_err(|error| not_started(command, what, &error))?;
        let raw = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = raw.context("a child with a process number that is none")?;
        let watched = Some(Watched::begin(pid, deadline, on_interrupt));
        Ok(Self { child, pid, watched, mark, what: what.to_owned(), started: Instant::now() })
    }

    /// The pipe into the child, if it was asked for.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The pipe out of the child, if it was asked for.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The child's error stream, if it was asked for.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Kills the child and all its group.
    pub fn kill(&self) {
        if let Some(watched) = &self.watched {
            watched.kill();
        }
    }

    /// Kills the child, its group, and what it started in groups of their own.
    pub(super) fn kill_all(&self) {
        self.kill();
        if let Some(mark) = &self.mark {
            reaper::kill_marked(mark);
        }
    }

    /// Sends a signal to the child alone, and not to its group: what it started has groups of its own.
    ///
    /// # Errors
    /// If the child has ended and is waited for.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).with_context(|| format!("signalling {}", self.what))
    }

    /// The child's process number.
    pub fn number(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether the child has ended, and [`Process::wait`] would say so at once.
    ///
    /// # Errors
    /// If the kernel does not let us look.
    pub fn has_ended(&self) -> Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let seen = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(self.pid), options));
        Ok(seen.with_context(|| format!("looking at {}", self.what))?.is_some())
    }

    /// Sets another deadline, counted from now.
    pub fn set_deadline(&self, deadline: Duration) {
        if let Some(watched) = &self.watched {
            watched.set_deadline(deadline);
        }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// If the kernel does not let us wait.
    pub fn wait(&mut self) -> Result<Exit> {
        // Seen, but not yet reaped: the number stays the child's until the watch is over.
        let seen = rustix::io::retry_on_intr(|| {
            waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        });
        seen.with_context(|| format!("waiting for {}", self.what))?;
        // What the child left running in its group must not outlive it.
        self.kill();
        let killed = self.watched.take().map_or(Killed::No, |watched| watched.killed());
        let status = self.child.wait().with_context(|| format!("waiting for {}", self.what))?;
        Ok(match (killed, status.code(), status.signal()) {
            (Killed::Interrupt, ..) => Exit::Interrupted,
            (Killed::Deadline, None, _) => Exit::Deadline,
            (_, Some(code), _) => Exit::Code(code),
            (_, None, signal) => Exit::Signal(signal.unwrap_or(0)),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.watched.is_some() {
            self.kill();
            let _ = self.wait();
        }
    }
}

fn not_started(command: &Command, what: &str, error: &std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy().into_owned();
    let fault = Fault::infra(format!("{what}: cannot start `{program}`: {error}"));
    if error.kind() == std::io::ErrorKind::NotFound {
        fault.help("`cargo xtask doctor` names the packages that are missing").into()
    } else {
        fault.into()
    }
}

/// Whether a command failed for a reason of the host's: killed, no space, no permission. Anything
/// else is what it says of its input.
pub fn is_host_trouble(exit: Exit, said: &str) -> bool {
    const WORDS: [&str; 7] = [
        "No space left on device",
        "Disk quota exceeded",
        "Input/output error",
        "Read-only file system",
        "Cannot allocate memory",
        "unable to write",
        "Too many open files",
    ];
    !matches!(exit, Exit::Code(_)) || WORDS.iter().any(|word| said.contains(word))
}

/// What a finished command said.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its error stream.
    pub stderr: String,
}

impl Captured {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// This, if the command succeeded.
    ///
    /// # Errors
    /// A plain error with the end of the error stream; interrupted if the lab was.
    pub fn success(self, what: &str) -> Result<Self> {
        match self.exit {
            Exit::Code(0) => Ok(self),
            Exit::Interrupted => Err(Fault::interrupted().into()),
            exit => {
                let said = tail(&self.stderr, 2000);
                anyhow::bail!("{what}: {exit}{}{said}", if said.is_empty() { "" } else { "\n" })
            }
        }
    }
}

/// The last `bytes` bytes of a text, from the beginning of a line.
pub fn tail(text: &str, bytes: usize) -> &str {
    let text = text.trim_end();
    let mut at = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(at) {
        at += 1;
    }
    if at > 0 {
        at = text[at..].find('\n').map_or(at, |newline| at + newline + 1);
    }
    &text[at..]
}

/// Runs a command to its end and keeps what it said; `input` becomes its standard input.
///
/// # Errors
/// If it cannot be started or read. Its own failure is in [`Captured::exit`].
pub fn capture(mut command: Command, what: &str, deadline: Duration, input: &[u8]) -> Result<Captured> {
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command, what, deadline)?;
    let stdin = process.take_stdin();
    let (stdout, stderr) = (process.take_stdout(), process.take_stderr());
    let (out, err) = std::thread::scope(|scope| {
        let process = &process;
        // A child that does not read its input has its reasons, and they show in its exit.
        let writer = scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        let err = scope.spawn(move || read_all(stderr, process));
        let out = read_all(stdout, process);
        let _ = writer.join();
        (out, err.join().unwrap_or_else(|_| Ok(Vec::new())))
    });
    let exit = process.wait()?;
    let stdout = out.with_context(|| format!("reading the output of {what}"))?;
    let stderr = err.with_context(|| format!("reading the errors of {what}"))?;
    Ok(Captured { exit, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
}

fn read_all(stream: Option<impl Read + AsFd>, process: &Process) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        UntilEnd::new(stream, process).take(CAPTURE_BYTES_MAX).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
