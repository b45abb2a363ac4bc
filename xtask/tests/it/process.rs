// SPDX-License-Identifier: MIT OR Apache-2.0
//! A running lab: watched, limited in time, and looked after when it has ended.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longest that one run may take: far more than any of them needs.
const DEADLINE: Duration = Duration::from_secs(90);

/// Longest that what a run leaves behind may take to go: the reaper needs a moment.
const GONE_DEADLINE: Duration = Duration::from_secs(10);

/// Time between two looks.
const POLL: Duration = Duration::from_millis(4);

/// A lab that runs.
pub struct Running {
    child: Child,
    started: Instant,
    home: PathBuf,
    output: PathBuf,
    peak_kib: u64,
    is_alone: bool,
}

/// A lab that has run.
pub struct Ran {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// All that it printed.
    pub said: String,
    /// Most memory that it had, in KiB.
    pub peak_kib: u64,
}

impl Running {
    /// Starts a lab whose files are all in `home`.
    pub fn start(mut command: Command, home: &Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let output = home.join(format!("output-{}.txt", NUMBER.fetch_add(1, Ordering::SeqCst)));
        let file = fs::File::create(&output).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        #[expect(clippy::disallowed_methods, reason = "the test starts the lab")]
        let child = command.spawn().unwrap();
        let started = Instant::now();
        Self { child, started, home: home.to_owned(), output, peak_kib: 0, is_alone: true }
    }

    /// There is another lab with the same files: its processes are no leftovers of this one.
    pub fn not_alone(mut self) -> Self {
        self.is_alone = false;
        self
    }

    /// What it has printed so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap()).into_owned()
    }

    /// Waits for something to become true.
    pub fn await_that(&mut self, what: &str, is_true: impl Fn(&Self) -> bool) {
        while !is_true(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{what}: the lab has ended before: {}", self.said());
            self.assert_in_time(what);
            std::thread::sleep(POLL);
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// The process that kills what this lab leaves behind.
    pub fn reaper(&self) -> Pid {
        let lab = self.child.id();
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let is_reaper = |number: &i32| {
            let read = |file: &str| fs::read_to_string(format!("/proc/{number}/{file}")).unwrap_or_default();
            let parent =
                read("stat").rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
            parent == Some(lab) && read("cmdline").contains("__reaper")
        };
        numbers.into_iter().find(is_reaper).and_then(Pid::from_raw).expect("the lab's reaper")
    }

    /// Waits for the end, and for everything that it has started to be gone.
    pub fn finish(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            self.peak_kib = self.peak_kib.max(peak_kib(self.child.id()));
            self.assert_in_time("the end");
            std::thread::sleep(POLL);
        };
        let said = self.said();
        if self.is_alone {
            assert_nothing_is_left(&self.home, &said);
        }
        Ran { code: status.code(), signal: status.signal(), said, peak_kib: self.peak_kib }
    }

    fn assert_in_time(&self, what: &str) {
        assert!(self.started.elapsed() < DEADLINE, "{what} did not come: {}", self.said());
    }
}

impl Drop for Running {
    /// A test that fails leaves no lab behind either.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ran {
    /// Asserts the exit code, and that all of these words were printed.
    pub fn assert(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "signal {:?}: {}", self.signal, self.said);
        for word in words {
            assert!(self.said.contains(word), "`{word}` was not said: {}", self.said);
        }
        self
    }
}

/// The most memory that a process had so far.
fn peak_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn assert_nothing_is_left(home: &Path, said: &str) {
    let begun = Instant::now();
    loop {
        let left = processes_of(home);
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < GONE_DEADLINE, "still running: {left:#?}\n{said}");
        std::thread::sleep(POLL);
    }
}

/// Processes that name the folder in their command line or their environment: the lab hands its
/// `PATH` to whatever it starts.
pub fn processes_of(home: &Path) -> Vec<String> {
    let wanted = home.to_string_lossy().into_owned();
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let told = |pid: u32| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (command, environment) = (read("cmdline"), read("environ"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', " ");
        let (command, environment) = (text(&command), text(&environment));
        (command.contains(&wanted) || environment.contains(&wanted)).then(|| format!("{pid}: {command}"))
    };
    numbers.filter_map(told).collect()
}
