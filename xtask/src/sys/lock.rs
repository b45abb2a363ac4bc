// SPDX-License-Identifier: MIT OR Apache-2.0
//! Locks between labs: files that the kernel unlocks when their holder dies.
//!
//! Children inherit them. Where the lab is killed, its make and git live on until the reaper has killed them: the next
//! lab must not begin beside them. Where the lab lives, dropping a lock unlocks it, whoever else has inherited it.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::sys::interrupt;

/// Time between two looks at a lock that another lab holds.
const POLL: Duration = Duration::from_millis(50);

/// A lock, held until it is dropped; where the lab is killed, until the children that it had started are gone as well.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Keeps a file that is locked already.
    ///
    /// # Errors
    /// If the kernel does not let children inherit it.
    pub fn keep(file: File) -> Result<Self> {
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())
            .context("handing a lock on to children")?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not be enough: a child that still runs has it as well. What cannot be unlocked ends with us.
        let _ = self.file.unlock();
    }
}

/// Called once with what is waited for, when a lock is not free at once.
pub type OnWait<'a> = &'a dyn Fn(&str);

/// Takes the lock at `path`, waiting for another lab where it must.
///
/// # Errors
/// If the file cannot be made, or the lab is interrupted while it waits.
pub fn lock(path: &Path, what: &str, on_wait: OnWait<'_>) -> Result<Lock> {
    lock_any(&[path.to_owned()], what, on_wait)
}

/// Takes one of `count` places of a kind, shared by all labs of this machine.
///
/// # Errors
/// As [`lock`].
pub fn slot(kind: &str, count: usize, on_wait: OnWait<'_>) -> Result<Lock> {
    let folder = slots_folder()?;
    let places: Vec<PathBuf> = (0..count.max(1)).map(|at| folder.join(format!("{kind}.{at}"))).collect();
    lock_any(&places, &format!("a place to {kind}"), on_wait)
}

/// A folder that all users of this machine share, if it can be trusted; else one of this user's.
fn slots_folder() -> Result<PathBuf> {
    let shared = std::env::temp_dir().join("seccomp-lab-slots");
    if std::fs::create_dir(&shared).is_ok() {
        fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o1777))?;
    }
    let us = rustix::process::geteuid().as_raw();
    let is_trusted = std::fs::symlink_metadata(&shared).is_ok_and(|metadata| {
        metadata.is_dir() && (metadata.uid() == 0 || metadata.uid() == us) && metadata.mode() & 0o1000 != 0
    });
    if is_trusted {
        return Ok(shared);
    }
    let own = std::env::temp_dir().join(format!("seccomp-lab-slots-{us}"));
    fs::create_dir_all(&own)?;
    Ok(own)
}

/// Takes the lock of a folder, if nobody has it: of one that is there and stays there.
///
/// # Errors
/// If the folder cannot be opened or locked.
pub fn try_lock_folder(path: &Path) -> Result<Option<Lock>> {
    let folder = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| format!("opening {}", path.display()))?,
    };
    match folder.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", path.display()));
        }
    }
    let ours = folder.metadata().with_context(|| format!("looking at {}", path.display()))?;
    let is_there = std::fs::symlink_metadata(path)
        .is_ok_and(|there| there.ino() == ours.ino() && there.dev() == ours.dev());
    // Whoever had it may have removed it, and what has its name now is another.
    if is_there { Lock::keep(folder).map(Some) } else { Ok(None) }
}

fn lock_any(paths: &[PathBuf], what: &str, on_wait: OnWait<'_>) -> Result<Lock> {
    let mut has_told = false;
    loop {
        for path in paths {
            if let Some(lock) = try_lock(path)? {
                return Ok(lock);
            }
        }
        if !has_told {
            let holders: Vec<String> = paths.iter().filter_map(|path| holder(path)).collect();
            // That a lab waits for itself is no news.
            let ours = std::process::id().to_string();
            if let Some(other) = holders.iter().find(|holder| **holder != ours) {
                on_wait(&format!("for {what}, which process {other} has"));
            }
            has_told = true;
        }
        interrupt::check()?;
        std::thread::sleep(POLL);
    }
}

fn try_lock(path: &Path) -> Result<Option<Lock>> {
    // Another user's file in a sticky folder may be opened, but not with O_CREAT.
    // Never through a link: in a shared folder it could be anybody's.
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let existing = File::options().read(true).write(true).custom_flags(no_follow).open(path);
    let mut file = match existing {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false).custom_flags(no_follow);
            let file = options.open(path);
            let file = file.with_context(|| format!("making the lock {}", path.display()))?;
            let _ = file.set_permissions(std::fs::Permissions::from_mode(0o666));
            file
        }
        Err(error) => return Err(error).with_context(|| format!("opening the lock {}", path.display())),
    };
    match file.try_lock() {
        Ok(()) => {
            // For the message of whoever waits; the lock holds without it. Another user's file is
            // not written to.
            if file.metadata().is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw()) {
                let _ = file.set_len(0).and_then(|()| file.rewind());
                let _ = write!(file, "{}", std::process::id());
            }
            Lock::keep(file).map(Some)
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// The process that wrote itself into a lock.
fn holder(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(20).read_to_string(&mut text)).ok()?;
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_and_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let first = lock(&path, "x", &|_| panic!("it is free")).unwrap();
        assert!(try_lock(&path).unwrap().is_none());
        // As if another process had it.
        std::fs::write(&path, "1").unwrap();
        let told = std::sync::Mutex::new(String::new());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| lock(&path, "the tree", &|what| *told.lock().unwrap() = what.into()));
            std::thread::sleep(Duration::from_millis(120));
            drop(first);
            waiter.join().unwrap().unwrap();
        });
        let told = told.into_inner().unwrap();
        assert_eq!(told, "for the tree, which process 1 has");
    }
}
