// SPDX-License-Identifier: MIT OR Apache-2.0
//! Work trees: one for all trees of a family, switched from source to source. Only files that
//! differ are written, so that make rebuilds little.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::run::context::Context;
use crate::run::mend;
use crate::run::source::{Source, restore};
use crate::sys::lock::Lock;

/// A work tree, its index and its build directories.
#[derive(Debug, Clone)]
pub struct WorkFolder {
    path: PathBuf,
    family: String,
}

impl WorkFolder {
    /// The folder of a family of trees.
    pub fn of_family(context: &Context<'_>, family: &str) -> Self {
        Self { path: context.cache.root().join("work").join(family), family: family.to_owned() }
    }

    /// The sources.
    pub fn sources(&self) -> PathBuf {
        self.path.join("sources")
    }

    /// The build directories.
    pub fn builds(&self) -> PathBuf {
        self.path.join("build")
    }

    fn index(&self) -> PathBuf {
        self.path.join("index")
    }

    fn lock(&self, context: &Context<'_>) -> Result<Lock> {
        fs::create_dir_all(&self.path)?;
        context.lock(&self.path.join("lock"), &format!("the work tree of {}", self.family))
    }

    /// Makes freshly unpacked files the work tree, if there is none, so that nothing is written
    /// twice. `index` is theirs.
    ///
    /// # Errors
    /// If they cannot be moved.
    pub fn adopt(&self, context: &Context<'_>, top: &Path, index: &Path) -> Result<()> {
        let _lock = self.lock(context)?;
        if self.sources().exists() {
            return Ok(());
        }
        fs::rename(index, self.index())?;
        fs::rename(top, self.sources())?;
        Ok(())
    }
}

/// Makes the work tree hold a source, and keeps other labs out of it from here on.
///
/// # Errors
/// With git's words.
pub fn check_out(context: &Context<'_>, source: &Source) -> Result<()> {
    if source.lock.get().is_some() {
        return Ok(());
    }
    let folder = &source.imported.work;
    let mut lock = folder.lock(context)?;
    if let Err(error) = switch(source) {
        if !mend::is_damage(&error) {
            return Err(error);
        }
        // An import may need it.
        drop(lock);
        restore(context, source)?;
        lock = folder.lock(context)?;
        switch(source).map_err(mend::give_up)?;
    }
    // A source belongs to one thread: nobody else has set it.
    let _ = source.lock.set(lock);
    Ok(())
}

/// Writes the files that are otherwise than the source has them.
fn switch(source: &Source) -> Result<()> {
    let folder = &source.imported.work;
    fs::create_dir_all(folder.sources())?;
    let (index, sources) = (folder.index(), folder.sources());
    // Killed in the middle, git leaves files that no index knows: they are cleared away first.
    let mark = folder.path.join("switching");
    let was_killed = mark.exists();
    fs::write(&mark, &source.tree)?;
    // A one-way merge with reset: entries that are the same and fresh keep their files, and what
    // was changed behind git's back is written again.
    let read_tree = ["read-tree", "--reset", "-u", &source.tree];
    let switched = source.imported.git.run_with(&read_tree, Some(&index), Some(&sources), b"");
    switched.with_context(|| format!("checking out {}", sources.display()))?;
    if was_killed {
        source.imported.git.run_with(&["clean", "-ffdxq"], Some(&index), Some(&sources), b"")?;
    }
    Ok(fs::remove_file(&mark)?)
}
