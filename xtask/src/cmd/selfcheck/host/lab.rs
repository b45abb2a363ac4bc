// SPDX-License-Identifier: MIT OR Apache-2.0
//! A lab of the suite's own: its configuration, its cache, and the real program started in it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use console::Style;
use fs_err as fs;
use serde_json::Value;

use super::server::Server;
use super::sources::tarball;
use crate::cmd::session::Session;
use crate::run::config::BuildFolder;
use crate::run::digests::file_digest;
use crate::sys::lock::{Lock, lock};
use crate::sys::process::{Exit, Process, capture, command, tail};
use crate::sys::reaper::children_of_lab;
use crate::tell;
use crate::tell::terminal::status_line;

/// The folder in the cache that everything is in.
const FOLDER: &str = "selfcheck-host";

/// The tree: a tarball that the suite serves itself.
const TREE: &str = "selfcheck";

/// Longest that one run may take: the first of all builds a whole kernel.
const RUN_DEADLINE: Duration = Duration::from_secs(40 * 60);

/// Longest that something killed may take to be gone.
const GONE_DEADLINE: Duration = Duration::from_secs(10);

/// Time between two looks.
const POLL: Duration = Duration::from_millis(20);

/// Longest for mounting.
const TOOL_DEADLINE: Duration = Duration::from_secs(60);

/// The lab of this suite.
pub struct Lab {
    folder: PathBuf,
    binary: PathBuf,
    /// Serves the tarball.
    pub server: Server,
    patch: PathBuf,
    runs: std::cell::Cell<u32>,
    /// Two suites at once would damage each other's caches, and not know it.
    _lock: Lock,
}

/// Where one run keeps what.
#[derive(Debug, Clone)]
pub struct Places {
    /// Its cache.
    pub cache: PathBuf,
    /// Its results.
    pub results: PathBuf,
    /// What it said.
    pub log: PathBuf,
}

/// A run that is going on.
pub struct Running {
    /// The lab's process.
    pub process: Process,
    /// Where it keeps what.
    pub places: Places,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    /// How.
    pub exit: Exit,
    /// What it said.
    pub said: String,
    /// Outcomes of its cells; nothing where it left no record.
    pub outcomes: Option<Vec<String>>,
    /// Where it kept what.
    pub places: Places,
}

/// The file system that a run finds at one of its places.
pub struct Mounted<'a> {
    /// Where.
    pub at: &'a Path,
    /// Options of a tmpfs: `size=1m`, `ro`.
    pub options: &'a str,
}

impl Lab {
    /// Makes the lab. What earlier runs of the suite have built is kept, and all that is stored under keys forgotten, so
    /// that every stage has something to do.
    ///
    /// # Errors
    /// If the tree's download is not there, or files cannot be written.
    pub fn make(session: &Session) -> Result<Self> {
        let folder = session.cache_dir().join(FOLDER);
        fs::create_dir_all(&folder)?;
        let lock = lock(&folder.join("in-use"), "the folder of this suite", &|text| {
            tell::print(&status_line(&Style::new().yellow(), "WAITING", None, text));
        })?;
        let root = folder.join("lab");
        let _ = fs::remove_dir_all(&root);
        for part in ["configs", "guest", "kernel-patches"] {
            copy(&session.lab.root.join(part), &root.join(part))?;
        }
        let binary = root.join("target/debug/xtask");
        fs::create_dir_all(root.join("target/debug"))?;
        let own = std::env::current_exe().context("finding the lab's own binary")?;
        fs::copy(own, &binary)?;
        for kept in ["results", "tmp", "logs"] {
            let _ = fs::remove_dir_all(folder.join(kept));
            fs::create_dir_all(folder.join(kept))?;
        }
        forget(&folder.join("cache"));
        let tarball = tarball(session, &folder)?;
        let server = Server::start(&tarball)?;
        declare_tree(&root, &server.url(), &file_digest(&tarball)?)?;
        let lab = Self {
            patch: folder.join("change.patch"),
            folder,
            binary,
            server,
            runs: std::cell::Cell::new(0),
            _lock: lock,
        };
        lab.change()?;
        lab.build_once()?;
        Ok(lab)
    }

    /// Builds a kernel where none is there: what cases change of it is little.
    fn build_once(&self) -> Result<()> {
        let cache = self.folder.join("cache");
        if has_kernel(&cache.join("work")) {
            return Ok(());
        }
        let text = "a kernel of this suite's own: that is done once";
        tell::print(&status_line(&Style::new().cyan(), "BUILDING", None, text));
        if let Err(told) = self.run()?.wants(Exit::Code(0), &["1 pass"]) {
            anyhow::bail!("the suite's own kernel: {told}");
        }
        forget(&cache);
        self.change()
    }

    /// Another change of the kernel than all before: it has to be built.
    ///
    /// # Errors
    /// If the patch cannot be written.
    pub fn change(&self) -> Result<()> {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let line = format!("static const char lab_selfcheck[] __attribute__((__used__)) = \"{now}\";");
        let text = format!(
            "Subject: [PATCH] seccomp: a word that no kernel had before\n\n---\ndiff --git a/kernel/seccomp.c \
             b/kernel/seccomp.c\n--- a/kernel/seccomp.c\n+++ b/kernel/seccomp.c\n@@ -1,2 +1,3 @@\n \
             // SPDX-License-Identifier: GPL-2.0\n+{line}\n /*\n"
        );
        Ok(fs::write(&self.patch, text)?)
    }

    /// The places of the next run.
    pub fn places(&self) -> Places {
        let number = self.runs.get() + 1;
        self.runs.set(number);
        Places {
            cache: self.folder.join("cache"),
            results: self.folder.join(format!("results/{number}")),
            log: self.folder.join(format!("logs/{number}.log")),
        }
    }

    /// Starts a run, with another file system at one of its places where one is given.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&self, places: Places, mounted: Option<&Mounted<'_>>) -> Result<Running> {
        let mut lab = match mounted {
            None => command(&self.binary),
            Some(Mounted { at, options }) => {
                fs::create_dir_all(at)?;
                // In a mount namespace of its own, and the same process to its end.
                let mut wrapped = command("unshare");
                wrapped.args([
                    "--mount",
                    "sh",
                    "-c",
                    "mount -t tmpfs -o \"$1\" tmpfs \"$2\" && shift 2 && exec \"$@\"",
                ]);
                wrapped.args(["sh", options]).arg(at).arg(&self.binary);
                wrapped
            }
        };
        lab.arg("--cache-dir").arg(&places.cache).arg("--results-dir").arg(&places.results);
        lab.args(["test", "--tree", TREE, "--flavor", "x86_64", "--check", "seccomp_bpf", "--accel", "tcg"]);
        lab.args(["--skip-host-check", "--series"]).arg(&self.patch);
        // Slots of its own: it must not wait for other labs of this machine.
        lab.env("TMPDIR", self.folder.join("tmp")).current_dir(&self.folder);
        let log = fs::File::create(&places.log)?.into_parts().0;
        lab.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = Process::spawn(&mut lab, "a lab of the selfcheck", RUN_DEADLINE)?;
        Ok(Running { process, places })
    }

    /// A run to its end.
    ///
    /// # Errors
    /// If it cannot be started or waited for; if it leaves processes behind.
    pub fn run(&self) -> Result<Ran> {
        self.start(self.places(), None)?.finish()
    }

    /// As [`Lab::run`], with another file system at one of its places.
    ///
    /// # Errors
    /// As [`Lab::run`].
    pub fn run_with(&self, places: Places, mounted: &Mounted<'_>) -> Result<Ran> {
        self.start(places, Some(mounted))?.finish()
    }

    /// Whether a run may be given another file system, or why not.
    ///
    /// # Errors
    /// If that cannot be tried.
    pub fn can_mount() -> Result<Result<(), String>> {
        let mut trial = command("unshare");
        trial.args(["--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]);
        let said = capture(trial, "unshare", TOOL_DEADLINE, b"")?;
        Ok(match said.exit.is_success() {
            true => Ok(()),
            false => Err(format!("not run: it takes root to mount a file system ({})", said.stderr.trim())),
        })
    }
}

impl Running {
    /// Waits for the end.
    ///
    /// # Errors
    /// As [`Lab::run`].
    pub fn finish(mut self) -> Result<Ran> {
        let lab = self.process.number();
        let exit = self.process.wait()?;
        crate::sys::interrupt::check()?;
        let left = await_gone(lab, &self.places.cache);
        let said = fs::read(&self.places.log)?;
        let said = String::from_utf8_lossy(&said).into_owned();
        if let Some(left) = left {
            anyhow::bail!("{exit}, and it left a process behind: {left}");
        }
        Ok(Ran { exit, said, outcomes: outcomes(&self.places.results), places: self.places })
    }
}

impl Ran {
    /// Nothing, if it ended like this and said all of that; else what it did instead.
    pub fn wants(&self, exit: Exit, words: &[&str]) -> Result<(), String> {
        let end = tail(&self.said, 600).replace('\n', "; ");
        if self.exit != exit {
            return Err(format!("{} where {exit} was wanted: {end}", self.exit));
        }
        match words.iter().find(|word| !self.said.contains(**word)) {
            Some(word) => Err(format!("`{word}` was not said: {end}")),
            None => Ok(()),
        }
    }
}

/// Waits until nothing of a lab is there any more. Gives what is left after that.
fn await_gone(lab: i32, cache: &Path) -> Option<String> {
    let begun = Instant::now();
    loop {
        let left =
            children_of_lab(lab).into_iter().map(|pid| pid.as_raw_nonzero().get()).find_map(command_line);
        let left = left.or_else(|| users_of(cache, lab))?;
        if begun.elapsed() > GONE_DEADLINE {
            return Some(left);
        }
        std::thread::sleep(POLL);
    }
}

/// A make, compiler or QEMU that has the cache on its command line and has lost its lab: nobody's mark is on it.
fn users_of(cache: &Path, lab: i32) -> Option<String> {
    let cache = cache.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter(|number| *number != lab && parent_of(*number) == Some(1)).filter_map(command_line).find(
        |line| {
            ["make", "qemu", "gcc", "git", "tar", "curl"].iter().any(|tool| line.contains(tool))
                && line.contains(&cache)
        },
    )
}

fn parent_of(number: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}

/// What a process was called with; nothing for one that is gone, or dead and not yet waited for.
fn command_line(number: i32) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{number}/cmdline")).ok().filter(|bytes| !bytes.is_empty())?;
    Some(format!("{number} {}", String::from_utf8_lossy(&bytes).replace('\0', " ")))
}

/// The outcomes in the newest record of a folder.
pub fn outcomes(results: &Path) -> Option<Vec<String>> {
    let record: Value = serde_json::from_slice(&std::fs::read(results.join("latest/run.json")).ok()?).ok()?;
    let cells = record["cells"].as_array()?;
    Some(cells.iter().map(|cell| cell["outcome"].as_str().unwrap_or("none").to_owned()).collect())
}

/// The statuses of all sub-results in the newest record of a folder.
pub fn statuses(results: &Path) -> Result<Vec<String>> {
    let record: Value = serde_json::from_slice(&fs::read(results.join("latest/run.json"))?)?;
    let checks = record["cells"].as_array().into_iter().flatten().flat_map(|cell| cell["checks"].as_array());
    let subs = checks.flatten().flat_map(|check| check["subs"].as_array().into_iter().flatten());
    Ok(subs.map(|sub| format!("{} {}", sub["path"], sub["status"])).collect())
}

/// Whether a kernel was built, and its build not broken off.
fn has_kernel(work: &Path) -> bool {
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut builds = below(work).flat_map(|family| below(&family.path().join("build")));
    builds.any(|build| {
        let folder = BuildFolder { path: build.path(), work: work.to_owned() };
        folder.path.join("vmlinux").exists() && !folder.making_mark().exists()
    })
}

/// Forgets all that is stored under keys.
fn forget(cache: &Path) {
    for forgotten in ["objects", "requests", "trees", "downloads", "tmp"] {
        let _ = fs::remove_dir_all(cache.join(forgotten));
    }
    forget_configs(&cache.join("work"));
}

/// Removes the marks of configs that are made, so that they are made again. What is not there needs no removing.
fn forget_configs(work: &Path) {
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for family in below(work) {
        for build in below(&family.path().join("build")) {
            let _ = std::fs::remove_file(build.path().join(".lab-config"));
        }
    }
}

/// Adds the tree to the configuration.
fn declare_tree(root: &Path, url: &str, sha256: &str) -> Result<()> {
    let path = root.join("configs/lab.toml");
    let tree = format!("\n[tree.{TREE}]\nkind = \"tarball\"\nlocation = \"{url}\"\nsha256 = \"{sha256}\"\n");
    Ok(fs::write(&path, fs::read_to_string(&path)? + &tree)?)
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
