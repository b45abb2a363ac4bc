// SPDX-License-Identifier: MIT OR Apache-2.0
//! A lab of a test's own: configuration, binary, tools, tree, cache and results in one folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ran, Running};
use crate::tree;

/// The cell that most tests run.
pub const CELL: &str = "local/none/x86_64";

/// Programs that the lab looks for, all of them played by the fake.
const TOOLS: [&str; 13] = [
    "qemu-system-i386",
    "qemu-system-x86_64",
    "make",
    "gcc",
    "ld",
    "flex",
    "bison",
    "bc",
    "perl",
    "python3",
    "rsync",
    "xz",
    "curl",
];

/// A lab; it is removed when dropped.
pub struct Lab {
    folder: TempDir,
}

impl Lab {
    /// A lab with the project's own configuration, apart from deadlines that suit a loaded machine.
    pub fn new() -> Self {
        Self::with_boot_deadline("60s")
    }

    /// A lab whose guests have this long to their first word.
    pub fn with_boot_deadline(boot: &str) -> Self {
        // Inside the target folder: the binary can be linked there, and is not copied.
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let lab = Self { folder };
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for part in ["configs", "guest", "kernel-patches"] {
            copy(&project.join(part), &lab.root().join(part));
        }
        lab.adapt_config(boot);
        fs::create_dir_all(lab.binary().parent().unwrap()).unwrap();
        fs::hard_link(env!("CARGO_BIN_EXE_xtask"), lab.binary()).unwrap();
        tree::plant(&lab.tree());
        for made in ["tools", "tmp"] {
            fs::create_dir(lab.path(made)).unwrap();
        }
        for tool in TOOLS {
            symlink(fake_tool(), lab.path("tools").join(tool)).unwrap();
        }
        symlink(program("git"), lab.path("tools/git")).unwrap();
        lab
    }

    /// Deadlines for a busy machine, and as default the checks that the fake guest plays.
    fn adapt_config(&self, boot: &str) {
        let path = self.root().join("configs/lab.toml");
        let mut config: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let deadlines = config["deadline"].as_table_mut().unwrap();
        deadlines.insert("boot".into(), boot.into());
        deadlines.insert("kvm_probe".into(), "20s".into());
        let checks = ["seccomp_bpf", "seccomp_cache", "profiles", "random"];
        config["matrix"]["default"].as_table_mut().unwrap().insert("checks".into(), checks.to_vec().into());
        fs::write(path, toml::to_string(&config).unwrap()).unwrap();
    }

    /// Changes the lab's configuration, with the tree of this test under these names.
    pub fn change_config(&self, trees: &[&str], change: impl FnOnce(&mut toml::Table)) {
        let path = self.root().join("configs/lab.toml");
        let mut config: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let mut tree = toml::Table::new();
        tree.insert("kind".into(), "path".into());
        tree.insert("directory".into(), self.tree().to_string_lossy().into_owned().into());
        for name in trees {
            config["tree"].as_table_mut().unwrap().insert((*name).into(), tree.clone().into());
        }
        change(&mut config);
        fs::write(path, toml::to_string(&config).unwrap()).unwrap();
    }

    /// Something in the lab's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The copy of the project.
    pub fn root(&self) -> PathBuf {
        self.path("lab")
    }

    /// The tree that looks like a kernel.
    pub fn tree(&self) -> PathBuf {
        self.path("tree")
    }

    fn binary(&self) -> PathBuf {
        self.path("lab/target/debug/xtask")
    }

    /// Tells a fake (`make`, `qemu`) what to play.
    pub fn steer(&self, tool: &str, scenario: &str) {
        fs::write(self.path("tools").join(format!("{tool}.scenario")), scenario).unwrap();
    }

    /// Waits until a fake has come to a point, and gives its process number.
    pub fn await_mark(&self, running: &mut Running, name: &str) -> i32 {
        let path = self.path("tools").join(name);
        running.await_that(name, |_| fs::read_to_string(&path).is_ok_and(|text| !text.is_empty()));
        fs::read_to_string(path).unwrap().parse().unwrap()
    }

    /// What fakes were called for so far, those lines that begin with `prefix`.
    pub fn calls(&self, prefix: &str) -> Vec<String> {
        let log = fs::read_to_string(self.path("tools/calls.log")).unwrap_or_default();
        log.lines().filter(|line| line.starts_with(prefix)).map(str::to_owned).collect()
    }

    /// Forgets what fakes were called for.
    pub fn forget_calls(&self) {
        let _ = fs::remove_file(self.path("tools/calls.log"));
    }

    /// The next boot plays the first line of its scenario.
    pub fn forget_boots(&self) {
        for number in 0.. {
            if fs::remove_file(self.path("tools").join(format!("boot.{number}"))).is_err() {
                return;
            }
        }
    }

    /// Writes a file beside the tree: a series.
    pub fn write(&self, name: &str, text: &str) -> String {
        tree::write(&self.path(name), text);
        self.path(name).to_string_lossy().into_owned()
    }

    /// Runs the lab with these words.
    pub fn run(&self, words: &[&str]) -> Ran {
        self.start(words).finish()
    }

    /// Starts the lab with these words.
    pub fn start(&self, words: &[&str]) -> Running {
        let mut command = Command::new(self.binary());
        command
            .args(words)
            .env_clear()
            .env("PATH", self.path("tools"))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("LAB_CACHE_DIR", self.path("cache"))
            .current_dir(self.folder.path());
        Running::start(command, self.folder.path())
    }

    /// `test` on the tree, on emulated guests, with these words.
    pub fn start_test(&self, words: &[&str]) -> Running {
        let tree = format!("path={}", self.tree().display());
        let fixed = ["test", "--tree", &tree, "--accel", "tcg", "--skip-host-check"];
        self.start(&[&fixed, words].concat())
    }

    /// As [`Lab::start_test`], to the end.
    pub fn test(&self, words: &[&str]) -> Ran {
        self.start_test(words).finish()
    }

    /// One cell without patches and with one check, and these words.
    pub fn test_cell(&self, words: &[&str]) -> Ran {
        self.test(&[&["--series", "none", "--flavor", "x86_64", "--check", "seccomp_bpf"], words].concat())
    }

    /// The series in this mbox on one cell with one check.
    pub fn test_series(&self, mbox: &str) -> Ran {
        self.test(&["--series", mbox, "--flavor", "x86_64", "--check", "seccomp_bpf"])
    }

    /// Another version of a file of the tree.
    pub fn change_tree(&self, file: &str, text: &str) {
        tree::write(&self.tree().join(file), text);
    }

    /// The record of the newest run, if there is one.
    pub fn record_if_any(&self) -> Option<Value> {
        let text = fs::read_to_string(self.root().join("results/latest/run.json")).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// The record of the newest run.
    pub fn record(&self) -> Value {
        self.record_if_any().expect("results/latest/run.json")
    }

    /// The only cell of the newest run, which must have come to an end.
    pub fn only_cell(&self) -> Value {
        let record = self.record();
        assert_eq!(record["state"], "complete");
        assert!(record["ended"].is_string(), "{record:#}");
        let cells = record["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 1, "{record:#}");
        cells[0].clone()
    }

    /// Asserts what the record says of the only cell.
    pub fn assert_cell(&self, outcome: &str, reason: &str) {
        let cell = self.only_cell();
        assert_eq!(cell["outcome"], outcome, "{cell:#}");
        let told = cell["reason"].as_str().unwrap();
        assert!(told.contains(reason), "`{reason}` is not in the reason: {cell:#}");
    }
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Examples are built with the tests, into a folder beside them.
fn fake_tool() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("examples").join("fake_tool");
    // `cargo test` makes it; `cargo test --test it` alone does not.
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fake_tool");
    let newest = fs::read_dir(sources).unwrap().filter_map(|entry| changed(&entry.unwrap().path())).max();
    let is_new = changed(&built) >= newest;
    assert!(is_new, "{} is not there or is old: cargo build --example fake_tool", built.display());
    built
}

/// A real program of the host.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files.find(|file| file.is_file()).unwrap_or_else(|| panic!("{name} is not on the PATH"))
}
