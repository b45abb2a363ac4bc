// SPDX-License-Identifier: MIT OR Apache-2.0
//! Temporary folders, each locked by the lab that works in it: so another lab knows which are left over, whatever
//! namespace of process numbers it lives in.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use tempfile::TempDir;

use crate::sys::lock::{Lock, try_lock_folder};

/// How often another name is tried: a lab that clears away may have locked the new folder first.
const TRIES_MAX: u32 = 20;

/// A folder that is removed when dropped. It is locked until then.
#[derive(Debug)]
pub struct Temporary {
    // In this order: it is unlocked once it is gone.
    folder: TempDir,
    _lock: Lock,
}

impl Temporary {
    /// A new empty folder in `parent`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new_in(parent: &Path, prefix: &str) -> Result<Self> {
        let make = || -> Result<Self> {
            for _ in 0..TRIES_MAX {
                let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?;
                if let Some(lock) = try_lock_folder(folder.path())? {
                    return Ok(Self { folder, _lock: lock });
                }
            }
            bail!("another program locks every new folder")
        };
        make().with_context(|| format!("making a folder in {}", parent.display()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Asks the file system to put each folder in `parent` in a place of its own. Without this ext4 makes the files of a new folder
/// where those of the last one were just removed, and passes by each of their inodes once more for every file, since it does not
/// use them again within a minute: a kernel tree then takes ten times as long to unpack. Other file systems have
/// no such wish, and it is no more than one.
pub fn spread(parent: &Path) {
    if let Ok(folder) = std::fs::File::open(parent)
        && let Ok(flags) = ioctl_getflags(&folder)
        && !flags.contains(IFlags::TOPDIR)
    {
        let _ = ioctl_setflags(&folder, flags | IFlags::TOPDIR);
    }
}

/// Removes those of this user's folders in `parent` whose names begin with `prefix` and that no lab has locked. What
/// cannot be removed now only takes space.
pub fn remove_leftovers(parent: &Path, prefix: &str) {
    let us = rustix::process::geteuid().as_raw();
    let entries = std::fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    for entry in entries {
        let is_ours = entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == us);
        if is_ours
            && entry.file_name().as_bytes().starts_with(prefix.as_bytes())
            && let Ok(Some(_lock)) = try_lock_folder(&entry.path())
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_worked_in_stays_and_a_left_over_one_goes() {
        let parent = tempfile::tempdir().unwrap();
        let live = Temporary::new_in(parent.path(), "x-").unwrap();
        std::fs::write(live.path().join("half"), "").unwrap();
        // As of a lab in another namespace: no process here has that number, and as of one whose number is given again.
        for left in ["x-0-dead", "x-1-dead", "other"] {
            std::fs::create_dir(parent.path().join(left)).unwrap();
            std::fs::write(parent.path().join(left).join("half"), "").unwrap();
        }
        remove_leftovers(parent.path(), "x-");
        assert!(live.path().join("half").exists(), "a live folder is deleted");
        assert!(!parent.path().join("x-0-dead").exists() && !parent.path().join("x-1-dead").exists());
        assert!(parent.path().join("other").exists(), "it is not ours");
        let path = live.path().to_owned();
        drop(live);
        assert!(!path.exists());
    }

    #[test]
    fn folders_are_made_while_others_clear_away() {
        let parent = tempfile::tempdir().unwrap();
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                    remove_leftovers(parent.path(), "");
                }
            });
            for number in 0..200 {
                let made = Temporary::new_in(parent.path(), "x-").unwrap();
                std::fs::write(made.path().join("file"), "")
                    .unwrap_or_else(|error| panic!("{number}: {error}"));
            }
            is_over.store(true, std::sync::atomic::Ordering::SeqCst);
        });
    }
}
