// SPDX-License-Identifier: MIT OR Apache-2.0
//! A cache of which every entry is damaged.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use fs_err as fs;

use super::lab::Lab;
use crate::run::cache::Kind;
use crate::sys::process::Exit;

/// What is wanted.
pub const WANTED: &str =
    "a damaged kernel, program, image, set of headers and answer is told, made again, and not used";

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
    for kind in Kind::ALL {
        for object in files(&cache.join("objects").join(kind.folder()))? {
            // The digests are what a damage is seen by; they are damaged in a test of their own.
            if object.file_name().is_some_and(|name| name != "digests.json") {
                flip_byte(&object)?;
                damaged += 1;
            }
        }
        // Every kind is asked for by itself: an answer that is whole would lead past the damage of another kind.
        let ran = lab.run()?;
        let word = format!("cache: {} ", kind.folder());
        // Headers are needed where a program is made, and no program is while the old ones are good.
        let words: &[&str] =
            if kind == Kind::Headers { &["1 pass"] } else { &["1 pass", &word, "is not what was stored"] };
        if let Err(told) = ran.wants(Exit::Code(0), words) {
            return Ok(Err(format!("{} damaged: {told}", kind.folder())));
        }
    }
    let answers = files(&cache.join("requests"))?;
    for answer in &answers {
        flip_byte(answer)?;
    }
    damaged += answers.len();
    let ran = lab.run()?;
    if let Err(told) = ran.wants(Exit::Code(0), &["1 pass", "cache: the answer ", "found out again"]) {
        return Ok(Err(format!("answers damaged: {told}")));
    }
    let last = lab.run()?;
    if let Err(told) = last.wants(Exit::Code(0), &["1 pass"]) {
        return Ok(Err(format!("after that: {told}")));
    }
    if last.said.contains("cache: ") {
        return Ok(Err("what was damaged is told once more: it was not made again".into()));
    }
    Ok(Ok(format!("{damaged} files damaged, {:.0} s", begun.elapsed().as_secs_f64())))
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
