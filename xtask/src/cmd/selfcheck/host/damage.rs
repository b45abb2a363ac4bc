// SPDX-License-Identifier: MIT OR Apache-2.0
//! A cache of which every entry is damaged.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use fs_err as fs;

use super::lab::Lab;
use crate::run::cache::Kind;
use crate::run::git::Git;
use crate::sys::process::Exit;

/// What is wanted.
pub const WANTED: &str = "a damaged kernel, program, image, set of headers, answer, tree and git object is told, made again, and not used";

/// The case.
///
/// # Errors
/// Trouble of this lab's own.
pub fn run(lab: &Lab) -> Result<Result<String, String>> {
    let begun = Instant::now();
    let before = lab.run()?;
    if let Err(told) = before.wants(Exit::Code(0), &["1 pass"]) {
        return Ok(Err(format!("before anything was damaged: {told}")));
    }
    let cache = &before.places.cache;
    let mut damaged = 0;
    // Headers are looked at where a program is made, and what is whole would lead past a damage behind it.
    for kinds in [&[Kind::Kernel][..], &[Kind::Headers, Kind::Program], &[Kind::Image]] {
        for kind in kinds {
            damaged += damage(&cache.join("objects").join(kind.folder()))?;
        }
        let told: Vec<String> = kinds.iter().map(|kind| format!("cached {} ", kind.folder())).collect();
        let words: Vec<&str> =
            told.iter().map(String::as_str).chain(["is not what was stored", "1 pass"]).collect();
        if let Err(told) = lab.run()?.wants(Exit::Code(0), &words) {
            return Ok(Err(format!("{kinds:?} damaged: {told}")));
        }
    }
    let answers = files(&cache.join("requests"))?;
    for answer in &answers {
        flip_byte(answer)?;
    }
    damaged += answers.len();
    let ran = lab.run()?;
    if let Err(told) = ran.wants(Exit::Code(0), &["1 pass", "cached answer ", "it is found out again"]) {
        return Ok(Err(format!("answers damaged: {told}")));
    }
    // What is unpacked of packages takes a mirror: its test is beside it, in run/unpacked.rs.
    for state in files(&cache.join("trees"))?.iter().filter(|path| path.ends_with("state.json")) {
        flip_byte(state)?;
        damaged += 1;
    }
    if let Err(told) = lab.run()?.wants(Exit::Code(0), &["1 pass", "cached state of tree "]) {
        return Ok(Err(format!("the state of the tree damaged: {told}")));
    }
    flip_byte(&patched_object(cache)?)?;
    damaged += 1;
    // Another patch, which has to be applied to what is damaged.
    lab.change()?;
    if let Err(told) = lab.run()?.wants(Exit::Code(0), &["1 pass", "the repository is damaged"]) {
        return Ok(Err(format!("an object of the repository damaged: {told}")));
    }
    let last = lab.run()?;
    if let Err(told) = last.wants(Exit::Code(0), &["1 pass"]) {
        return Ok(Err(format!("after that: {told}")));
    }
    if last.said.contains("cached ") || last.said.contains("is damaged") {
        return Ok(Err("what was damaged is told once more: it was not made again".into()));
    }
    Ok(Ok(format!("{damaged} files damaged, {:.0} s", begun.elapsed().as_secs_f64())))
}

/// Damages all files of the objects in a folder but their digests, and says how many.
fn damage(folder: &Path) -> Result<usize> {
    let mut all = files(folder)?;
    all.retain(|path| path.file_name().is_some_and(|name| name != "digests.json"));
    all.iter().try_for_each(|path| flip_byte(path))?;
    Ok(all.len())
}

/// The object of the file that the patch of the suite changes.
fn patched_object(cache: &Path) -> Result<PathBuf> {
    let repository = cache.join("repo.git");
    let git = Git::reading(repository.clone());
    let named = git.run(&["for-each-ref", "--format=%(objectname)", "refs/lab/"])?.text();
    let tree = named.lines().next().context("the repository has no tree")?;
    let blob = git.resolve(&format!("{tree}:kernel/seccomp.c"))?;
    let (folder, name) = blob.split_at_checked(2).context("an object without a name")?;
    let path = repository.join("objects").join(folder).join(name);
    // git lets nobody write to it.
    fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
    Ok(path)
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

/// Changes a byte in the middle of a file.
///
/// # Errors
/// If it cannot be read or written.
pub fn flip_byte(path: &Path) -> Result<()> {
    let mut bytes = fs::read(path)?;
    let at = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 0x20;
    }
    Ok(fs::write(path, bytes)?)
}
