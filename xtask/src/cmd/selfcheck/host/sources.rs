// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of the suite: the default one without most of what its kernel does not need, so that it is quickly
//! fetched, unpacked and imported as often as a case wants.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use crate::cmd::session::Session;
use crate::fault::Fault;
use crate::sys::process::{capture, command};

/// Its name in the suite's folder.
const FILE: &str = "sources.tar.xz";

/// Longest for unpacking and packing.
const TOOL_DEADLINE: Duration = Duration::from_secs(600);

/// Folders of which little is needed, what stays of the folders in them, and what goes of the others. Every Kconfig
/// and Makefile of the kernel's stays.
const LITTLE_NEEDED: [(&str, &str, &str); 3] = [
    ("drivers", "base char clocksource cpufreq misc net rtc tty virtio", "*.[ch]"),
    ("fs", "debugfs devpts exportfs iomap kernfs notify proc ramfs sysfs tracefs", "*.[ch]"),
    ("tools/testing/selftests", "clone3 kselftest lib seccomp", "*"),
];

/// What is left out besides.
const LEFT_OUT: [&str; 9] = [
    "*/arch/[!x]*/*.[chS]",
    "*/arch/[!x]*/*.dts*",
    "*/Documentation/*.??*",
    "*/Documentation/ABI/*",
    "*/drivers/net/*/*.[ch]",
    "*/include/dt-bindings/*",
    "*/samples/*.[ch]",
    "*/sound/*.[ch]",
    "*/tools/perf/*",
];

/// The tarball; made of the default tree's package where it is not there yet.
///
/// # Errors
/// If the package is not in the cache, or cannot be unpacked.
pub fn tarball(session: &Session, folder: &Path) -> Result<PathBuf> {
    let target = folder.join(FILE);
    if target.is_file() {
        return Ok(target);
    }
    let tree = session.lab.defaults.tree.as_str();
    let package = package(session, tree)?;
    let unpacked = tempfile::tempdir_in(folder)?;
    let run = |program: &str, words: &[String]| -> Result<()> {
        let mut tool = command(program);
        tool.current_dir(unpacked.path()).args(words);
        capture(tool, program, TOOL_DEADLINE, b"")?.success(program)?;
        Ok(())
    };
    let sources = format!("linux-source-{tree}");
    run("dpkg-deb", &["--extract".into(), package.to_string_lossy().into_owned(), ".".into()])?;
    run("tar", &["--extract".into(), "--file".into(), format!("usr/src/{sources}.tar.xz")])?;
    let mut pack =
        ["--create", "--file", FILE, "--use-compress-program", "xz -1 -T0"].map(str::to_owned).to_vec();
    let left_out = left_out(&unpacked.path().join(&sources))?;
    pack.extend(left_out.iter().map(|pattern| format!("--exclude={pattern}")));
    pack.push(sources);
    run("tar", &pack)?;
    // All or nothing: an interrupt must not leave half of it under its name.
    fs::rename(unpacked.path().join(FILE), &target)?;
    Ok(target)
}

fn package(session: &Session, tree: &str) -> Result<PathBuf> {
    let prefix = format!("linux-source-{tree}_");
    let downloads = std::fs::read_dir(session.cache_dir().join("downloads")).into_iter().flatten();
    let found = downloads
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .ok_or_else(|| {
            Fault::infra(format!("the package of tree {tree} is not in the cache's downloads"))
                .help(format!("run `cargo xtask test {tree}/none/x86_64` first: it is fetched then"))
        })?;
    Ok(found.path())
}

/// Patterns of what is left out of these sources.
fn left_out(sources: &Path) -> Result<Vec<String>> {
    let mut patterns: Vec<String> = LEFT_OUT.map(str::to_owned).to_vec();
    for (folder, kept, rest) in LITTLE_NEEDED {
        for entry in fs::read_dir(sources.join(folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && !kept.split(' ').any(|kept| kept == name) {
                patterns.push(format!("*/{folder}/{name}/{rest}"));
            }
        }
    }
    Ok(patterns)
}
