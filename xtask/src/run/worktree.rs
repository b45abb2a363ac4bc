// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one work tree of a tree: switched from source to source, changing only what differs, so
//! that make rebuilds little.

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::run::context::Context;
use crate::run::import::TreeFolder;
use crate::run::source::Source;

/// Makes the work tree hold a source, and keeps other labs out of it from here on.
///
/// # Errors
/// With git's words.
pub fn check_out(context: &Context<'_>, source: &Source) -> Result<()> {
    if source.lock.get().is_none() {
        let lock = source.imported.folder.lock(context, &source.name)?;
        // Nobody else sets it: a source belongs to one thread.
        let _ = source.lock.set(lock);
    }
    let folder = &source.imported.folder;
    let current = folder.path.join("work.tree");
    if fs::read_to_string(&current).is_ok_and(|tree| tree == source.tree) && folder.work().is_dir() {
        return Ok(());
    }
    // From here on nobody knows what the work tree holds, until git is through.
    if current.exists() {
        fs::remove_file(&current)?;
    }
    fs::create_dir_all(folder.work())?;
    switch(folder, &source.tree).with_context(|| format!("checking out {}", folder.work().display()))?;
    fs::write(&current, &source.tree)?;
    Ok(())
}

/// A one-way merge with reset: entries that are the same and fresh keep their files.
fn switch(folder: &TreeFolder, tree: &str) -> Result<()> {
    let (index, work) = (folder.index(), folder.work());
    folder.git.run_with(&["read-tree", "--reset", "-u", tree], Some(&index), Some(&work), b"")?;
    Ok(())
}
