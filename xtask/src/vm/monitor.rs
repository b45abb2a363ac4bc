// SPDX-License-Identifier: MIT OR Apache-2.0
//! QEMU's monitor: asked once, where a guest has not ended by its deadline, for what its CPUs do.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::sys::temporary::{Temporary, remove_leftovers};

/// Longest that the monitor may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// Lines that are read while an answer is waited for: QEMU tells of events too.
const LINES_MAX: usize = 100;

/// How the names of the folders begin: not in the cache, whose path may be too long.
const PREFIX: &str = "lab-monitor-";

/// A socket's path has at most so many bytes.
const PATH_BYTES_MAX: usize = 100;

/// A socket in a folder that nobody else can look into.
pub struct Monitor {
    folder: Temporary,
}

impl Monitor {
    /// A place for the socket.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn new() -> Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    fn new_in(usual: &Path) -> Result<Self> {
        let make = |parent: &Path| {
            // Of labs that were killed.
            remove_leftovers(parent, PREFIX);
            Temporary::new_in(parent, PREFIX)
        };
        let folder = match make(usual) {
            // A long TMPDIR would make a path that no socket can have.
            Ok(folder) if folder.path().as_os_str().len() + 10 < PATH_BYTES_MAX => folder,
            _ => make(Path::new("/tmp"))?,
        };
        Ok(Self { folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("qmp")
    }

    /// What QEMU is told of it. It is not in the script that boots a guest again.
    pub fn arguments(&self) -> [String; 2] {
        let path = self.path().to_string_lossy().replace(',', ",,");
        ["-qmp".to_owned(), format!("unix:{path},server=on,wait=off")]
    }

    /// The registers of all CPUs, as QEMU prints them.
    ///
    /// # Errors
    /// If QEMU does not answer in time, or not sensibly.
    pub fn registers(&self) -> Result<String> {
        let until = Instant::now() + DEADLINE;
        let stream = UnixStream::connect(self.path()).context("connecting to QEMU's monitor")?;
        stream.set_write_timeout(Some(DEADLINE))?;
        let mut lines = Lines { reader: BufReader::new(stream.try_clone()?), until };
        lines.until("QMP")?;
        let mut stream = stream;
        writeln!(stream, "{}", json!({ "execute": "qmp_capabilities" }))?;
        lines.until("return")?;
        let ask = json!({ "execute": "human-monitor-command", "arguments": { "command-line": "info registers -a" } });
        writeln!(stream, "{ask}")?;
        match lines.until("return")? {
            Value::String(text) => Ok(text),
            other => bail!("QEMU's monitor answered {other}"),
        }
    }
}

struct Lines {
    reader: BufReader<UnixStream>,
    until: Instant,
}

impl Lines {
    /// The value of the next message that has this field.
    fn until(&mut self, field: &str) -> Result<Value> {
        for _ in 0..LINES_MAX {
            let left = self.until.saturating_duration_since(Instant::now());
            // No time at all would mean to wait for ever.
            self.reader.get_ref().set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            let mut line = String::new();
            let read = self.reader.read_line(&mut line).context("QEMU's monitor does not answer")?;
            if read == 0 {
                bail!("QEMU's monitor hung up");
            }
            let message: Value = serde_json::from_str(&line).context("reading QEMU's monitor")?;
            if let Some(value) = message.get(field) {
                return Ok(value.clone());
            }
            if let Some(error) = message.get("error") {
                bail!("QEMU's monitor: {error}");
            }
        }
        bail!("QEMU's monitor says too much")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Plays a monitor that sends these lines, and hangs up.
    fn answered(lines: &'static str) -> Result<String> {
        let monitor = Monitor::new().unwrap();
        let listener = UnixListener::bind(monitor.path()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut stream = listener.accept().unwrap().0;
                stream.write_all(lines.as_bytes()).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                // Whoever asks may still write.
                std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
            });
            monitor.registers()
        })
    }

    #[test]
    fn the_folder_of_a_killed_lab_is_removed_and_that_of_a_live_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let live = Monitor::new_in(parent.path()).unwrap();
        let left = parent.path().join(format!("{PREFIX}left"));
        std::fs::create_dir(&left).unwrap();
        let _listener = UnixListener::bind(left.join("qmp")).unwrap();
        let next = Monitor::new_in(parent.path()).unwrap();
        assert!(!left.exists());
        assert!(live.folder.path().is_dir() && next.folder.path().is_dir());
        let long = parent.path().join("x".repeat(PATH_BYTES_MAX));
        std::fs::create_dir(&long).unwrap();
        assert!(Monitor::new_in(&long).unwrap().path().as_os_str().len() < PATH_BYTES_MAX);
    }

    #[test]
    fn events_are_passed_over() {
        let said = "{\"QMP\":{}}\n{\"event\":\"STOP\"}\n{\"return\":{}}\n{\"return\":\"RIP=1\\r\\n\"}\n";
        assert_eq!(answered(said).unwrap(), "RIP=1\r\n");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for said in
            ["", "x\n", "{\"QMP\":{}}\n{\"error\":{}}\n", "{\"QMP\":{}}\n{\"return\":{}}\n{\"return\":1}\n"]
        {
            assert!(answered(said).is_err(), "{said}");
        }
        assert!(Monitor::new().unwrap().registers().is_err(), "nobody listens");
    }
}
