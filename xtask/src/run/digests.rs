// SPDX-License-Identifier: MIT OR Apache-2.0
//! Digests: of the files of a folder, kept in it, and of small texts, kept with them. One flipped bit shows.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::lab::patch::hex;
use crate::record::store::write_atomically;

/// Name of the file with the digests of a folder.
pub const DIGESTS: &str = "digests.json";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digests {
    files: BTreeMap<String, String>,
}

/// An answer with its digest: one flipped bit could make another verdict of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    sha256: String,
    /// JSON.
    answer: String,
}

/// Writes the digests of a folder's files into it.
///
/// # Errors
/// If they cannot be read or written.
pub fn seal(folder: &Path) -> Result<()> {
    let text = serde_json::to_vec_pretty(&Digests { files: digests(folder)? })?;
    let mut file = fs::File::create(folder.join(DIGESTS))?;
    file.write_all(&text)?;
    // Small, and what decides whether all the others are believed. These are not forced out: what a crash takes of them
    // shows.
    Ok(file.sync_all()?)
}

/// Whether a folder is what was sealed.
///
/// # Errors
/// The first file that is not.
pub fn verify(folder: &Path) -> Result<()> {
    let wanted = wanted(folder)?;
    let got = digests(folder)?;
    for (name, digest) in &wanted.files {
        match got.get(name) {
            None => anyhow::bail!("{name} is missing"),
            Some(other) if other != digest => anyhow::bail!("{name} is not what was stored"),
            Some(_) => {}
        }
    }
    match got.keys().find(|name| !wanted.files.contains_key(*name)) {
        Some(extra) => anyhow::bail!("{extra} does not belong to it"),
        None => Ok(()),
    }
}

/// The digest that a file of a sealed folder had; the file itself is not looked at.
///
/// # Errors
/// If the digests cannot be read, or know no such file.
pub fn sealed_digest(folder: &Path, name: &str) -> Result<String> {
    let digest = wanted(folder)?.files.remove(name);
    digest.with_context(|| format!("{name} is not in {}", folder.display()))
}

fn wanted(folder: &Path) -> Result<Digests> {
    serde_json::from_slice(&fs::read(folder.join(DIGESTS))?).context("its digests")
}

/// The digest of every file below a folder, by relative path. Links count by where they point to.
fn digests(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            if kind.is_symlink() {
                files.insert(name, format!("to {}", fs::read_link(&path)?.display()));
            } else if name != DIGESTS {
                files.insert(name, file_digest(&path)?);
            }
        }
    }
    Ok(files)
}

/// SHA-256 of a file, in hex.
///
/// # Errors
/// If it cannot be read.
pub fn file_digest(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0_u8; 256 << 10];
    loop {
        let read = std::io::Read::read(&mut file, &mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

/// Writes a value with its digest.
///
/// # Errors
/// If it cannot be written.
pub fn keep<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let answer = serde_json::to_string(value).context("writing an answer as JSON")?;
    let sha256 = hex(&Sha256::digest(&answer));
    let bytes = serde_json::to_vec_pretty(&Kept { sha256, answer }).context("writing an answer as JSON")?;
    write_atomically(path, &bytes)
}

/// Reads what [`keep`] wrote; nothing where there is nothing.
///
/// # Errors
/// What is wrong with it. It is removed then.
pub fn read_kept<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>> {
    let Ok(bytes) = fs::read(path) else { return Ok(None) };
    let read = || -> Result<T> {
        let kept: Kept = serde_json::from_slice(&bytes)?;
        anyhow::ensure!(kept.sha256 == hex(&Sha256::digest(&kept.answer)), "it is not what was kept");
        // Whole, and yet of another kind: of another version of the lab.
        Ok(serde_json::from_str(&kept.answer)?)
    };
    read().map(Some).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}
