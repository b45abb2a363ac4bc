// SPDX-License-Identifier: MIT OR Apache-2.0
//! A damaged repository: git finds an object that is not what it was, or misses one.
//!
//! What git says of it is no verdict on a patch. It leaves a mark in the repository, and the next import looks all
//! objects through, removes those that are damaged, and begins another *generation*: what was known of trees before it
//! is looked at again, and patches are applied again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Error, Result};
use fs_err as fs;
use regex::Regex;

use crate::fault::Fault;
use crate::record::store::{remove_if_there, write_atomically};
use crate::run::context::Context;
use crate::run::git::Git;
use crate::run::import::repository_lock;
use crate::sys::process::capture;

/// There, with git's words, once git has found damage.
const MARK: &str = "lab-damaged";

/// How often the repository was mended.
const GENERATION: &str = "lab-generation";

/// Longest that looking through all objects may take.
const DEADLINE: Duration = Duration::from_secs(900);

/// git has found damage in the lab's own repository.
#[derive(Debug)]
pub struct Damage {
    said: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "git says: {}", self.said)
    }
}

impl std::error::Error for Damage {}

/// The line in which git says that an object is damaged or missing.
pub fn told(stderr: &str) -> Option<&str> {
    const WORDS: [&str; 12] = [
        "corrupt loose object ",
        "loose object ",
        "object file ",
        // `git apply`: that it does not apply is only what comes of it.
        "failed to read ",
        "unable to read sha1 file ",
        "unable to read tree ",
        "unable to unpack ",
        "inflate: ",
        "missing blob object ",
        "missing tree object ",
        "bad tree object ",
        "Could not read ",
    ];
    const ANYWHERE: [&str; 3] = [": bad file", "packfile ", "packed object "];
    stderr.lines().find(|line| {
        let said = line.strip_prefix("error: ").or_else(|| line.strip_prefix("fatal: "));
        said.is_some_and(|said| {
            // A patch chooses the names of its files.
            !said.ends_with(": patch does not apply")
                && (WORDS.iter().any(|word| said.starts_with(word))
                    || ANYWHERE.iter().any(|word| said.ends_with(word) || said.starts_with(word)))
        })
    })
}

/// The error that stands for damage, which the next import mends.
pub fn found(repository: &Path, what: &str, said: &str) -> Error {
    // Without the mark nothing is mended; the error is told in any case.
    let _ = fs::write(repository.join(MARK), said);
    let fault = Fault::infra(format!("{what}: the repository {} is damaged", repository.display()))
        .help("run the same command again: it looks all objects through, and imports what is damaged again");
    Error::new(Damage { said: said.to_owned() }).context(fault)
}

/// Whether an error is about damage.
pub fn is_damage(error: &Error) -> bool {
    error.downcast_ref::<Damage>().is_some()
}

/// The error of what was mended, and is damaged all the same.
pub fn give_up(error: Error) -> Error {
    if !is_damage(&error) {
        return error;
    }
    error.context(
        Fault::infra("the repository was mended, and is damaged again")
            .help("is the disk all right? `cargo xtask clean --all` drops the cache; it is made again"),
    )
}

/// How often the repository was mended.
pub fn generation(repository: &Path) -> u64 {
    fs::read_to_string(repository.join(GENERATION))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

/// Mends the repository, if it is marked.
///
/// # Errors
/// If git cannot look it through, or files cannot be removed.
pub fn mend_if_marked(context: &Context<'_>, git: &Git, repository: &Path) -> Result<()> {
    let mark = repository.join(MARK);
    if !mark.exists() {
        return Ok(());
    }
    let _lock = repository_lock(context)?;
    // Another lab may have mended it in the meantime.
    let Ok(said) = fs::read_to_string(&mark) else { return Ok(()) };
    context
        .note(format!("cache: the repository is damaged ({}): all objects are looked through", said.trim()));
    let mut fsck = git.command();
    fsck.args(["fsck", "--full", "--no-dangling", "--no-reflogs", "--no-progress"]);
    let looked = capture(fsck, "git fsck", DEADLINE, b"")?;
    crate::sys::interrupt::check()?;
    let damaged = damaged_files(&(looked.stderr.clone() + &looked.text()))?;
    for file in &damaged {
        remove_if_there(&repository.join("objects").join(file))?;
    }
    // Last: a lab that is killed before does all of it again.
    let next = generation(repository) + 1;
    write_atomically(&repository.join(GENERATION), next.to_string().as_bytes())?;
    fs::remove_file(&mark)?;
    context.note(format!(
        "cache: {} damaged files of the repository are removed; trees that lack an object are imported again",
        damaged.len()
    ));
    Ok(())
}

/// The files below `objects/` that `git fsck` complains of. A pack goes with its index.
fn damaged_files(said: &str) -> Result<Vec<PathBuf>> {
    let pattern = Regex::new(r"objects/([0-9a-f]{2}/[0-9a-f]{38,62})\b|objects/(pack/pack-[0-9a-f]+)\.")
        .context("preparing to read git fsck")?;
    let mut files = Vec::new();
    for line in said.lines().filter(|line| line.starts_with("error: ") || line.starts_with("fatal: ")) {
        for found in pattern.captures_iter(line) {
            if let Some(loose) = found.get(1) {
                files.push(PathBuf::from(loose.as_str()));
            }
            if let Some(pack) = found.get(2) {
                let parts =
                    ["pack", "idx", "rev"].map(|end| PathBuf::from(format!("{}.{end}", pack.as_str())));
                files.extend(parts);
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_from_a_patch_that_does_not_apply() {
        for said in [
            "error: inflate: data stream error (invalid distance too far back)\nerror: unable to unpack ab69 header\n",
            "error: object file /c/repo.git/objects/b0/6bd4 is empty\nerror: failed to read f2\n",
            "error: failed to read f2\nerror: f2: patch does not apply\n",
            "fatal: unable to read tree (ab69)\n",
            "fatal: git cat-file b06b: bad file\n",
            "error: unable to read sha1 file of f2 (b06b)\n",
            "fatal: missing blob object 'b06b'\n",
        ] {
            assert!(told(said).is_some(), "{said}");
        }
        for said in [
            "",
            "error: patch failed: kernel/seccomp.c:5\nerror: kernel/seccomp.c: patch does not apply\n",
            "error: corrupt patch at line 5\n",
            "error: failed to read : patch does not apply\n",
            "error: patch failed: failed to read x:1\n",
            "fatal: Not a valid object name x\n",
            "error: No valid patches in input\n",
        ] {
            assert_eq!(told(said), None);
        }
    }

    #[test]
    fn what_fsck_complains_of_is_removed_and_nothing_else() {
        let loose = "b0/6bd4c697389d1f689e9bb3742ec51f30b11eca";
        let said = format!(
            "error: corrupt loose object 'b06bd4c697389d1f689e9bb3742ec51f30b11eca'\n\
             error: unable to unpack contents of /c/objects/x/repo.git/objects/{loose}\n\
             error: b06b: object corrupt or missing: /c/repo.git/objects/{loose}\n\
             notice: /c/repo.git/objects/00/6bd4c697389d1f689e9bb3742ec51f30b11eca\n\
             error: packed 1234 from /c/repo.git/objects/pack/pack-12ab.pack is corrupt\n"
        );
        let wanted = [loose, "pack/pack-12ab.idx", "pack/pack-12ab.pack", "pack/pack-12ab.rev"];
        assert_eq!(damaged_files(&said).unwrap(), wanted.map(PathBuf::from));
    }
}
