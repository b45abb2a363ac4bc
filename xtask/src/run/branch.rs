// SPDX-License-Identifier: MIT OR Apache-2.0
//! The branch that is checked out in a user's repository, which is only read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use crate::fault::Fault;
use crate::lab::patch::Patch;
use crate::run::commits::{Repository, patch};
use crate::run::git::Git;
use crate::sys::process::{capture, is_host_trouble};

/// The branch that is checked out in a user's repository.
#[derive(Debug)]
pub struct Branch {
    /// The repository, for reading.
    pub git: Git,
    folder: PathBuf,
    /// Its last commits, newest first: id, and subject.
    recent: Vec<(String, String)>,
}

/// Longest that applying one patch may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// How many commits of a branch are looked through.
const RECENT_MAX: &str = "500";

/// The branch that is checked out around a folder; none outside of a repository, or before its first commit.
///
/// # Errors
/// If git fails.
pub fn branch(folder: &Path) -> Result<Option<Branch>> {
    let repository = Repository { folder };
    let asked = repository.ask(&["rev-parse", "--absolute-git-dir"])?;
    if !asked.exit.is_success() || repository.find("HEAD")?.is_none() {
        return Ok(None);
    }
    let format = "--format=%H %s";
    let listed = repository.tell(&[
        "rev-list",
        "--no-merges",
        "--first-parent",
        "--no-commit-header",
        "-n",
        RECENT_MAX,
        format,
        "HEAD",
        "--",
    ])?;
    let recent = listed.lines().filter_map(|line| line.split_once(' '));
    let recent = recent.map(|(id, subject)| (id.to_owned(), subject.to_owned())).collect();
    let git = Git::reading(PathBuf::from(asked.text().trim_end_matches('\n')));
    Ok(Some(Branch { git, folder: folder.to_owned(), recent }))
}

impl Branch {
    /// The commits that are called so and have a parent, newest first.
    ///
    /// # Errors
    /// If git fails.
    pub fn with_subject(&self, subject: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (id, _) in self.recent.iter().filter(|(_, other)| other == subject) {
            if (Repository { folder: &self.folder }).find(&format!("{id}^"))?.is_some() {
                found.push(id.clone());
            }
        }
        Ok(found)
    }

    /// Whether a patch makes out of the parent of a commit what the commit is, however its diff is written.
    /// Objects that come of it are written to `scratch` alone.
    ///
    /// # Errors
    /// If git fails.
    pub fn makes(&self, commit: &str, patch: &Patch, scratch: &Path) -> Result<bool> {
        let (index, file, objects) =
            (scratch.join("makes.index"), scratch.join("makes.patch"), scratch.join("makes.objects"));
        fs::create_dir_all(&objects)?;
        fs::write(&file, &patch.diff)?;
        self.git.run_with(&["read-tree", &format!("{commit}^")], Some(&index), None, b"")?;
        let known = self.git.run(&["rev-parse", "--path-format=absolute", "--git-path", "objects"])?.text();
        let mut apply = self.git.command();
        apply.args(["apply", "--cached", "--whitespace=nowarn", "-p1"]).arg(&file);
        apply.env("GIT_INDEX_FILE", &index).env("GIT_OBJECT_DIRECTORY", &objects);
        apply.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", known.trim_end_matches('\n'));
        let applied = capture(apply, "git apply", DEADLINE, b"")?;
        if is_host_trouble(applied.exit, &applied.stderr) {
            let what = format!("git apply: {}\n{}", applied.exit, applied.stderr.trim_end());
            return Err(Fault::infra(what).into());
        }
        let same = ["diff-index", "--cached", "--quiet", commit, "--"];
        Ok(applied.exit.is_success() && self.git.try_with(&same, Some(&index), None, b"")?.exit.is_success())
    }

    /// Up to `count` commits before the one that is called so, or before what comes after HEAD; oldest first.
    ///
    /// # Errors
    /// If git fails.
    pub fn before(&self, subject: &str, count: usize) -> Result<Vec<Patch>> {
        let repository = Repository { folder: &self.folder };
        let at = self.recent.iter().position(|(_, other)| other == subject).map_or(0, |at| at + 1);
        let mut patches = Vec::new();
        for (id, _) in self.recent.iter().skip(at).take(count) {
            // A first commit is no patch of anything.
            if repository.find(&format!("{id}^"))?.is_none() {
                break;
            }
            let diff = repository.diff(id)?;
            if !diff.is_empty() {
                patches.push(patch(repository.read_commit(id)?, diff, 1, 1)?);
            }
        }
        patches.reverse();
        Ok(patches)
    }
}
