// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which files of a user's directory are a kernel's sources.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;
use fs_err as fs;

use crate::run::git::bare_command;
use crate::sys::process::capture;

/// In a git checkout: the tracked files and the untracked ones that are not ignored, NUL-ended.
///
/// # Errors
/// If git cannot list them.
pub fn checkout_files(directory: &Path) -> Result<Option<(Vec<u8>, String)>> {
    let deadline = std::time::Duration::from_secs(300);
    let git = |args: &[&str]| {
        let mut git = bare_command();
        git.arg("-C").arg(directory).args(args);
        capture(git, "git", deadline, b"")
    };
    let inside = git(&["rev-parse", "--show-toplevel"])?;
    let is_top = inside.exit.is_success()
        && fs::canonicalize(inside.text().trim_end_matches('\n')).ok() == fs::canonicalize(directory).ok();
    if !is_top {
        return Ok(None);
    }
    let what = format!("listing the files of {}", directory.display());
    let listed = git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?.success(&what)?;
    let described = git(&["rev-parse", "--short=12", "HEAD"])?;
    let commit =
        if described.exit.is_success() { described.text().trim().to_owned() } else { "no commit".into() };
    Ok(Some((without_submodules(directory, &listed.stdout), format!("checkout at {commit}"))))
}

/// A submodule is listed as a path that is a directory: it has no files of this repository.
fn without_submodules(directory: &Path, listed: &[u8]) -> Vec<u8> {
    let mut files = Vec::with_capacity(listed.len());
    for path in listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let full = directory.join(std::ffi::OsStr::from_bytes(path));
        // A link to a directory is a file to git; what is gone shows in the index.
        if !fs::symlink_metadata(full).is_ok_and(|metadata| metadata.is_dir()) {
            files.extend_from_slice(path);
            files.push(0);
        }
    }
    files
}

/// Elsewhere: everything but what a build leaves behind, NUL-ended.
///
/// # Errors
/// If a folder cannot be read.
pub fn plain_files(directory: &Path) -> Result<Vec<u8>> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(folder) = open.pop() {
        let mut names: Vec<_> =
            fs::read_dir(&folder)?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
        names.sort();
        for name in &names {
            let path = folder.join(name);
            let relative = path.strip_prefix(directory).unwrap_or(&path);
            if is_build_product(relative, name, &names) {
                continue;
            }
            if fs::symlink_metadata(&path)?.is_dir() {
                open.push(path);
                continue;
            }
            files.extend_from_slice(relative.as_os_str().as_bytes());
            files.push(0);
        }
    }
    Ok(files)
}

/// kbuild leaves a `.NAME.cmd` beside most of what it makes; the rest is known by name.
fn is_build_product(relative: &Path, name: &std::ffi::OsStr, siblings: &[std::ffi::OsString]) -> bool {
    let text = name.to_string_lossy();
    let mut command_file = std::ffi::OsString::from(".");
    command_file.push(name);
    command_file.push(".cmd");
    let by_name = [".git", ".config", ".config.old", ".version", ".missing-syscalls.d", "Module.symvers"];
    let by_end = [".o", ".ko", ".a", ".cmd", ".mod", ".mod.c", ".order", ".symvers", ".dwo", ".su"];
    let by_path = ["include/config", "include/generated", "usr/include", "System.map", "vmlinux"];
    by_name.iter().any(|other| text == *other)
        || by_end.iter().any(|end| text.ends_with(end))
        || text.starts_with(".tmp_")
        || by_path.iter().any(|path| relative == Path::new(path))
        || relative.starts_with("arch") && relative.ends_with("include/generated")
        || siblings.binary_search(&command_file).is_ok()
}
