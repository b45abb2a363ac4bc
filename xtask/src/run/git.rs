// SPDX-License-Identifier: MIT OR Apache-2.0
//! git, with no configuration of the user's or the system's, and fixed identity and dates.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::run::mend;
use crate::sys::process::{Captured, capture, command};

/// Longest a git command on a local repository may take.
const DEADLINE: Duration = Duration::from_secs(900);

/// A bare repository of the lab's, or one of the user's.
#[derive(Debug, Clone)]
pub struct Git {
    repository: PathBuf,
    owner: Owner,
}

/// Whose a repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The lab's: what is damaged in it can be made again.
    Lab,
    /// The user's: it is only read.
    User,
}

/// git without a repository of its own.
pub fn bare_command() -> Command {
    let mut git = command("git");
    git.args(["-c", "core.attributesFile=/dev/null", "-c", "core.excludesFile=/dev/null"]);
    git.env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        // What a partial clone lacks is not fetched into it.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_AUTHOR_NAME", "seccomp-lab")
        .env("GIT_AUTHOR_EMAIL", "lab@localhost")
        .env("GIT_COMMITTER_NAME", "seccomp-lab")
        .env("GIT_COMMITTER_EMAIL", "lab@localhost")
        .env("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
        // A user's checkout may belong to someone else than root.
        .args(["-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"])
        .args([
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.quotePath=false",
            "-c",
            "advice.detachedHead=false",
        ]);
    git
}

impl Git {
    /// The repository at `repository`, made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(repository: PathBuf) -> Result<Self> {
        let git = Self { repository, owner: Owner::Lab };
        if !git.repository.join("HEAD").is_file() {
            git.make().with_context(|| format!("making the repository {}", git.repository.display()))?;
        }
        Ok(git)
    }

    /// A user's repository, by its git folder. For commands that only read.
    pub fn reading(repository: PathBuf) -> Self {
        Self { repository, owner: Owner::User }
    }

    /// A new repository appears by rename: another lab may make it at the same time, and a lab
    /// that is killed leaves no half of one.
    fn make(&self) -> Result<()> {
        let parent = self.repository.parent().context("a repository without a folder")?;
        fs::create_dir_all(parent)?;
        let made = tempfile::Builder::new().prefix(".new-repo-").tempdir_in(parent)?;
        let mut init = bare_command();
        init.args(["init", "--quiet", "--bare", "--initial-branch=lab", "--template="]).arg(made.path());
        capture(init, "git init", DEADLINE, b"")?.success("git init")?;
        match fs::rename(made.path(), &self.repository) {
            Err(error) if !self.repository.join("HEAD").is_file() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// A git command on this repository.
    pub fn command(&self) -> Command {
        let mut git = bare_command();
        if let Some(parent) = self.repository.parent() {
            git.env("GIT_CEILING_DIRECTORIES", parent);
        }
        let mut git_dir = std::ffi::OsString::from("--git-dir=");
        git_dir.push(&self.repository);
        git.arg(git_dir);
        git
    }

    /// Runs a git command and gives what it printed.
    ///
    /// # Errors
    /// With git's words if it fails.
    pub fn run(&self, args: &[&str]) -> Result<Captured> {
        self.run_with(args, None, None, b"")
    }

    /// Runs a git command with an index and a work tree of the caller's.
    ///
    /// # Errors
    /// With git's words if it fails.
    pub fn run_with(
        &self,
        args: &[&str],
        index: Option<&Path>,
        work_tree: Option<&Path>,
        input: &[u8],
    ) -> Result<Captured> {
        let what = format!("git {}", args.first().unwrap_or(&""));
        self.try_with(args, index, work_tree, input)?.success(&what)
    }

    /// As [`Git::run_with`], but git's own failure is the caller's to read, unless it is damage in the repository.
    ///
    /// # Errors
    /// If git cannot be started; [`mend::Damage`].
    pub fn try_with(
        &self,
        args: &[&str],
        index: Option<&Path>,
        work_tree: Option<&Path>,
        input: &[u8],
    ) -> Result<Captured> {
        let mut git = self.command();
        if let Some(index) = index {
            // A killed lab leaves git's own lock behind; ours, which its git had as well, says that nobody is here.
            let mut lock = index.as_os_str().to_owned();
            lock.push(".lock");
            let _ = fs::remove_file(Path::new(&lock));
            git.env("GIT_INDEX_FILE", index);
        }
        if let Some(work_tree) = work_tree {
            git.env("GIT_WORK_TREE", work_tree).current_dir(work_tree);
        }
        git.args(args);
        let what = format!("git {}", args.first().unwrap_or(&""));
        let captured = capture(git, &what, DEADLINE, input)?;
        crate::sys::interrupt::check()?;
        if self.owner == Owner::Lab
            && !captured.exit.is_success()
            && let Some(said) = mend::told(&captured.stderr)
        {
            return Err(mend::found(&self.repository, &what, said));
        }
        Ok(captured)
    }

    /// What an object expression stands for: `TREE:path`.
    ///
    /// # Errors
    /// If there is no such object.
    pub fn resolve(&self, expression: &str) -> Result<String> {
        let printed = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", expression])?;
        Ok(printed.text().trim().to_owned())
    }

    /// The contents of a file of a tree, if it is there. A tree that is unknown, or an object that is
    /// damaged, is no absence.
    ///
    /// # Errors
    /// With git's words if it fails.
    pub fn file(&self, tree: &str, path: &str) -> Result<Option<String>> {
        let listed = self.run(&["ls-tree", tree, "--", path])?.text();
        // `MODE blob ID<tab>PATH`; nothing where there is no such path.
        let entry = listed.lines().next().and_then(|line| line.split('\t').next()).unwrap_or_default();
        let Some((_, id)) = entry.split_once(" blob ") else { return Ok(None) };
        Ok(Some(self.run(&["cat-file", "blob", id])?.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_absent_only_where_the_tree_is_known_and_lacks_it() {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::open(folder.path().join("r.git")).unwrap();
        let blob = git.run_with(&["hash-object", "-w", "--stdin"], None, None, b"text\n").unwrap().text();
        let entry = format!("100644 blob {}\tname\n", blob.trim());
        let inner = git.run_with(&["mktree"], None, None, entry.as_bytes()).unwrap().text();
        let entry = format!("040000 tree {}\tfolder\n", inner.trim());
        let tree = git.run_with(&["mktree"], None, None, entry.as_bytes()).unwrap().text();
        let tree = tree.trim();
        assert_eq!(git.file(tree, "folder/name").unwrap().as_deref(), Some("text\n"));
        assert_eq!(git.file(tree, "folder").unwrap(), None);
        assert_eq!(git.file(tree, "folder/other").unwrap(), None);
        assert_eq!(git.file(tree, "other/name").unwrap(), None);
        git.file(&"0123".repeat(10), "folder/name").unwrap_err();
        let object = folder.path().join("r.git/objects").join(&blob[..2]).join(blob[2..].trim());
        fs::remove_file(object).unwrap();
        git.file(tree, "folder/name").unwrap_err();
    }
}
