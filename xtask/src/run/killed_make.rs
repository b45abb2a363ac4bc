// SPDX-License-Identifier: MIT OR Apache-2.0
//! Build directories in which make was killed: what it has left there is not believed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::record::store::{remove_if_there, write_atomically};
use crate::run::config::BuildFolder;

/// What was removed of a build directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// So many files, which were newer than the mark.
    Newer(u64),
    /// Everything.
    All,
}

/// What Kconfig compares a new config with, to tell make which objects a changed symbol concerns.
const OLD_CONFIG: &str = "include/config/auto.conf";

/// Marks a build directory: from here on make writes, and where it is killed the mark stays. What the objects in it
/// were configured with is kept beside it: Kconfig replaces that long before the last object is made again.
///
/// # Errors
/// If that cannot be written.
pub fn mark(folder: &BuildFolder, subject: &str) -> Result<PathBuf> {
    let (kept, mark) = (folder.beside("auto.conf"), folder.making_mark());
    match fs::read(folder.path.join(OLD_CONFIG)) {
        Ok(text) => write_atomically(&kept, &text)?,
        Err(error) if error.kind() == ErrorKind::NotFound => remove_if_there(&kept)?,
        Err(error) => return Err(error.into()),
    }
    write_atomically(&mark, subject.as_bytes())?;
    Ok(mark)
}

/// A build directory that an interrupted make has left: what is newer than the mark may be half
/// written, and make would take it for done.
///
/// The objects that stay are those of the config before. Kconfig has to compare with that: else an object of a symbol that is
/// no longer set would count as done. Where it is not known, nothing stays.
///
/// # Errors
/// If it cannot be cleaned.
pub fn recover(folder: &BuildFolder, mark: &Path) -> Result<Removed> {
    let since = fs::metadata(mark)?.modified().context("reading a time stamp")?;
    let is_newer = |path: &Path| -> Result<bool> {
        Ok(fs::symlink_metadata(path)?.modified().is_ok_and(|modified| modified >= since))
    };
    let (kept, old_config) = (folder.beside("auto.conf"), folder.path.join(OLD_CONFIG));
    let is_lost =
        folder.path.join("include/config").is_dir() && (!old_config.exists() || is_newer(&old_config)?);
    if is_lost && !kept.exists() {
        fs::remove_dir_all(&folder.path)?;
        fs::create_dir(&folder.path)?;
        return Ok(Removed::All);
    }
    let mut removed = 0;
    let mut open = vec![folder.path.clone()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else if is_newer(&entry.path())? {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    if is_lost {
        fs::copy(&kept, &old_config)?;
        // Whatever config comes next is newer, so that Kconfig compares.
        fs::OpenOptions::new().append(true).open(&old_config)?.file().set_modified(SystemTime::UNIX_EPOCH)?;
    }
    Ok(Removed::Newer(removed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_killed_make_only_what_it_wrote_is_removed() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("build");
        fs::create_dir_all(path.join("kernel")).unwrap();
        fs::write(path.join("kernel/old.o"), "").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        let mark = top.path().join("making");
        fs::write(&mark, "").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        fs::write(path.join("kernel/half.o"), "").unwrap();
        let folder = BuildFolder { path: path.clone(), work: top.path().to_owned() };
        assert_eq!(recover(&folder, &mark).unwrap(), Removed::Newer(1));
        assert!(path.join("kernel/old.o").exists());
        assert!(!path.join("kernel/half.o").exists());
        // Killed once more, after Kconfig had replaced the config that the objects are of.
        fs::create_dir_all(path.join("include/config")).unwrap();
        fs::write(path.join("include/config/auto.conf"), "CONFIG_NEW=y").unwrap();
        let kept = folder.beside("auto.conf");
        fs::write(&kept, "CONFIG_OLD=y").unwrap();
        assert_eq!(recover(&folder, &mark).unwrap(), Removed::Newer(1));
        let old_config = path.join(OLD_CONFIG);
        assert_eq!(fs::read_to_string(&old_config).unwrap(), "CONFIG_OLD=y");
        assert_eq!(fs::metadata(&old_config).unwrap().modified().unwrap(), SystemTime::UNIX_EPOCH);
        assert!(path.join("kernel/old.o").exists());
        // Nobody has kept it.
        fs::remove_file(&kept).unwrap();
        fs::write(&old_config, "CONFIG_NEW=y").unwrap();
        assert_eq!(recover(&folder, &mark).unwrap(), Removed::All);
        assert!(path.is_dir() && !path.join("kernel").exists());
    }
}
