// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree's headers for user space: what its selftests are compiled against.

use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::plan::key::{Key, KeyBuilder};
use crate::run::cache::Kind;
use crate::run::config::parallelism;
use crate::run::context::Context;
use crate::run::source::Source;
use crate::run::worktree;
use crate::sys::logged::logged;
use crate::sys::process::{command, is_host_trouble};
use anyhow::Result;
use fs_err as fs;

/// Installed headers, and their key.
pub struct Headers {
    /// The folder for `-isystem`.
    pub include: PathBuf,
    /// Of everything that decides them.
    pub key: Key,
}

/// Finds or installs the headers of a source. The error side says that the tree could not.
///
/// # Errors
/// Trouble of the lab's.
pub fn headers(context: &Context<'_>, source: &Source) -> Result<Result<Headers, String>> {
    let key = key(source)?;
    if let Some(folder) = context.object(Kind::Headers, &key)? {
        return Ok(Ok(Headers { include: folder.join("include"), key }));
    }
    worktree::check_out(context, source)?;
    let work = &source.imported.work;
    // A build directory of its own: nothing that a killed make left can get into the headers.
    let build = context.cache.temporary()?;
    let made = context.cache.temporary()?;
    let mut make = command("make");
    make.current_dir(work.sources());
    let output = |name: &str, path: &std::path::Path| {
        let mut word = std::ffi::OsString::from(name);
        word.push(path);
        word
    };
    make.arg(output("O=", build.path())).arg("ARCH=x86").arg(format!("-j{}", parallelism()));
    make.arg(output("INSTALL_HDR_PATH=", made.path())).arg("headers_install");
    let log = context.folder.join("headers.log");
    let exit = logged(make, "make headers_install", context.lab.deadlines.build, &log, &mut |_| {})?;
    if is_host_trouble(exit, &tail_of(&log)) {
        let what = format!("make headers_install: {exit}; see {}", log.display());
        return Err(Fault::infra(what).into());
    }
    if !exit.is_success() {
        return Ok(Err(format!("make headers_install: {exit}; see {}", log.display())));
    }
    let folder = context.cache.store(Kind::Headers, &key, made)?;
    Ok(Ok(Headers { include: folder.join("include"), key }))
}

fn tail_of(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(8 << 10)..]).into_owned()
}

/// The parts of a tree that its user-space headers are made of.
fn key(source: &Source) -> Result<Key> {
    let parts = [
        "Makefile",
        "include/uapi",
        "include/asm-generic",
        "arch/x86/include/uapi",
        "arch/x86/include/asm/Kbuild",
        "arch/x86/entry/syscalls",
        "arch/x86/Makefile",
        "usr",
        "scripts",
    ];
    let git = &source.imported.git;
    let mut args = vec!["ls-tree", source.tree.as_str(), "--"];
    args.extend(parts);
    Ok(KeyBuilder::new("headers").part("parts", git.run(&args)?.stdout).finish())
}
