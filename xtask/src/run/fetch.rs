// SPDX-License-Identifier: MIT OR Apache-2.0
//! Fetching: from a tree's source to a folder with its files. Never half used.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::fault::Fault;
use crate::lab::tree::kernel_directory;
use crate::record::store::remove_if_there;
use crate::run::apt::{self, Apt, Package};
use crate::run::context::Context;
use crate::run::digests::file_digest;
use crate::sys::process::{Captured, Exit, capture, command, tail};
use crate::sys::temporary::Temporary;

/// What a Debian source package turned out to be.
pub struct Unpacked {
    /// The folder with the kernel's Makefile; inside a temporary folder.
    pub top: PathBuf,
    /// The version.
    pub version: String,
    /// Keeps the folder alive.
    pub _folder: Temporary,
}

/// Fetches and unpacks a Debian source package: the first suite that has it.
///
/// # Errors
/// An infra fault with what each suite said.
pub fn debian(context: &Context<'_>, package: &str, version: &str, suites: &[String]) -> Result<Unpacked> {
    let mut said = Vec::new();
    for suite in suites {
        match Apt::new(context, suite, "amd64").and_then(|apt| apt.fetch(package, version)) {
            Ok(package) => return unpack_source(context, &package),
            Err(error) => {
                crate::sys::interrupt::check()?;
                if suites.len() == 1 {
                    return Err(error);
                }
                said.push(format!("{error:#}"));
            }
        }
    }
    Err(Fault::infra(format!("no suite gave {package} {version}:\n{}", said.join("\n")))
        .help("is the network there, and the mirror in the host's apt sources right?")
        .into())
}

fn unpack_source(context: &Context<'_>, package: &Package) -> Result<Unpacked> {
    let folder = context.cache.temporary()?;
    let unpacked = folder.path().join("deb");
    apt::unpack(context, &package.file, &unpacked)?;
    let sources = unpacked.join("usr/src");
    let tarball = fs::read_dir(&sources)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".tar.")));
    let tarball = tarball.with_context(|| {
        format!("{} has no usr/src/*.tar.* in it: is it a linux-source package?", package.file.display())
    })?;
    let top = untar(context, &tarball, &folder.path().join("source"))?;
    fs::remove_dir_all(&unpacked)?;
    Ok(Unpacked { top, version: package.version.clone(), _folder: folder })
}

/// Fetches a tarball, checks its digest and unpacks it.
///
/// # Errors
/// An infra fault for a download that fails or a digest that is another.
pub fn tarball(context: &Context<'_>, location: &str, sha256: &str) -> Result<Unpacked> {
    let sha256 = sha256.to_ascii_lowercase();
    let file = if location.contains("://") {
        download_whole(context, location, &sha256)?
    } else {
        let file = PathBuf::from(location);
        if !file.is_file() {
            return Err(Fault::usage(format!("the tarball {} is not there", file.display())).into());
        }
        is_promised(location, &file_digest(&file)?, &sha256)?;
        file
    };
    let folder = context.cache.temporary()?;
    let top = untar(context, &file, &folder.path().join("source"))?;
    Ok(Unpacked { top, version: format!("sha256:{}", &sha256[..12]), _folder: folder })
}

fn is_promised(location: &str, got: &str, sha256: &str) -> Result<(), Fault> {
    if got == sha256 {
        return Ok(());
    }
    let what =
        format!("{location}: its SHA-256 is {got}, and {sha256} was promised (truncated, or another file)");
    Err(Fault::infra(what).help("check the file, or mend `sha256` in configs/lab.toml"))
}

/// The download that has this digest: the one that is kept, or a new one. Looked at and removed under one lock, since
/// another lab may want it as well.
fn download_whole(context: &Context<'_>, url: &str, sha256: &str) -> Result<PathBuf> {
    let target = context.cache.downloads().join(format!("{sha256}.tarball"));
    let _lock = context.lock(&target.with_extension("lock"), &format!("the download of {url}"))?;
    keep_promised(&target, url, sha256, &|| download(context, url, &target), &|text| context.note(text))?;
    Ok(target)
}

/// Has `download` bring a file, unless it is there, until it has its digest, but twice at most.
fn keep_promised(
    target: &Path,
    url: &str,
    sha256: &str,
    download: &dyn Fn() -> Result<()>,
    note: &dyn Fn(String),
) -> Result<()> {
    if !target.is_file() {
        download()?;
    }
    let mut got = file_digest(target)?;
    if got != sha256 {
        // One that was kept may be damaged, and one that was gone on with be made of two files: once more, from the
        // beginning.
        note(format!("cache: the download of {url} is not what was promised; downloaded again"));
        remove_if_there(target)?;
        download()?;
        got = file_digest(target)?;
    }
    is_promised(url, &got, sha256).or_else(|fault| {
        remove_if_there(target)?;
        Err(fault.into())
    })
}

/// Downloads a file, going on where an earlier try stopped.
fn download(context: &Context<'_>, url: &str, target: &Path) -> Result<()> {
    let part = target.with_extension("part");
    let was_begun = part.exists();
    let mut captured = curl(context, url, &part)?;
    if was_begun && matches!(captured.exit, Exit::Code(code) if code != 0) {
        // The server may not go on where an earlier download stopped: from the beginning, once.
        fs::remove_file(&part)?;
        captured = curl(context, url, &part)?;
    }
    match captured.exit {
        Exit::Code(0) => {
            fs::rename(&part, target)?;
            Ok(())
        }
        Exit::Interrupted => Err(Fault::interrupted().into()),
        exit => Err(Fault::infra(format!("downloading {url}: {exit}\n{}", tail(&captured.stderr, 800)))
            .help("is the network there? what was downloaded is kept, and the next run goes on from it")
            .into()),
    }
}

fn curl(context: &Context<'_>, url: &str, part: &Path) -> Result<Captured> {
    let mut curl = command("curl");
    curl.args(["--fail", "--location", "--silent", "--show-error", "--retry", "3", "--continue-at", "-"]);
    curl.arg("--output").arg(part).arg("--").arg(url);
    capture(curl, "curl", context.lab.deadlines.fetch, b"")
}

/// Unpacks a tarball and finds the top of the kernel source in it.
fn untar(context: &Context<'_>, tarball: &Path, into: &Path) -> Result<PathBuf> {
    fs::create_dir_all(into)?;
    let mut tar = command("tar");
    tar.args(["--extract", "--no-same-owner", "--no-same-permissions", "--file"]).arg(tarball);
    tar.arg("--directory").arg(into);
    let captured = capture(tar, "tar", context.lab.deadlines.fetch, b"")?;
    match captured.exit {
        Exit::Code(0) => {}
        Exit::Interrupted => return Err(Fault::interrupted().into()),
        exit => {
            return Err(Fault::infra(format!(
                "unpacking {}: {exit}\n{}",
                tarball.display(),
                tail(&captured.stderr, 800)
            ))
            .help("the tarball is truncated, or no tarball")
            .into());
        }
    }
    let mut top = into.to_owned();
    let entries: Vec<PathBuf> =
        fs::read_dir(into)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    if let [only] = entries.as_slice()
        && only.is_dir()
    {
        top.clone_from(only);
    }
    kernel_directory(&top).map_err(|error| Fault::usage(format!("{}: {error}", tarball.display())))?;
    Ok(top)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn labs_that_find_one_damaged_download_at_once_all_end_with_a_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let (target, lock) = (folder.path().join("x.tarball"), folder.path().join("x.lock"));
        fs::write(&target, "whole").unwrap();
        let sha256 = file_digest(&target).unwrap();
        let downloads = AtomicUsize::new(0);
        let download = || {
            downloads.fetch_add(1, Ordering::SeqCst);
            Ok(fs::write(&target, "whole")?)
        };
        for _ in 0..20 {
            fs::write(&target, "damaged").unwrap();
            downloads.store(0, Ordering::SeqCst);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let _lock = crate::sys::lock::lock(&lock, "the download", &|_| {}).unwrap();
                        keep_promised(&target, "url", &sha256, &download, &|_| {}).unwrap();
                    });
                }
            });
            assert_eq!(fs::read(&target).unwrap(), b"whole");
            assert_eq!(downloads.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn what_is_never_as_promised_is_tried_twice_and_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x.tarball");
        let downloads = AtomicUsize::new(0);
        let download = || {
            downloads.fetch_add(1, Ordering::SeqCst);
            Ok(fs::write(&target, "other")?)
        };
        let told = keep_promised(&target, "url", "00", &download, &|_| {}).unwrap_err();
        assert_eq!(crate::fault::exit_code(&told), crate::fault::EXIT_INFRA);
        assert_eq!(downloads.load(Ordering::SeqCst), 2);
        assert!(!target.exists());
    }
}
