// SPDX-License-Identifier: MIT OR Apache-2.0
//! Importing: from fetched files to a git tree object in the lab's own repository.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::lab::patch::hex;
use crate::lab::tree::{Tree, TreeSource, kernel_directory};
use crate::record::model::TreeRecord;
use crate::record::store::remove_if_there;
use crate::run::context::{Context, StepTimer};
use crate::run::digests::{keep, read_kept};
use crate::run::event::{Cached, Event, Step};
use crate::run::fetch;
use crate::run::git::Git;
use crate::run::mend;
use crate::run::source_files::{checkout_files, plain_files};
use crate::run::worktree::WorkFolder;
use crate::sys::lock::Lock;
use crate::sys::process::capture;

/// What an earlier import found, in the folder of a tree.
const STATE: &str = "state.json";

/// What the cache has of one tree, beside the objects in the repository that all trees share.
struct TreeFolder {
    path: PathBuf,
    slug: String,
    git: Git,
    /// That of the repository.
    generation: u64,
}

/// A tree that is in the repository.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The repository.
    pub git: Git,
    /// Where it is checked out and built.
    pub work: WorkFolder,
    /// git's id of the tree object.
    pub tree: String,
    /// How often the repository was mended: what was applied before that is applied again.
    pub generation: u64,
}

/// What an earlier import found.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    version: String,
    tree: String,
    family: String,
    /// That of the repository when all objects of the tree were known to be there.
    generation: u64,
}

impl TreeFolder {
    fn state(&self) -> PathBuf {
        self.path.join(STATE)
    }

    fn index(&self) -> PathBuf {
        self.path.join("import.index")
    }

    /// What an earlier import found, if its objects are still there.
    fn known(&self, context: &Context<'_>) -> Option<State> {
        let state: Option<State> = read_kept(&self.state()).unwrap_or_else(|why| {
            context.note(format!("cached state of tree {}: {why:#}; it is imported again", self.slug));
            None
        });
        let mut state = state?;
        if state.generation == self.generation {
            let has_tree = self.git.try_with(&["cat-file", "-e", &state.tree], None, None, b"");
            return has_tree.is_ok_and(|captured| captured.exit.is_success()).then_some(state);
        }
        // Objects were removed since: each of this tree has to be there. That one is not is no new damage.
        let mut listing = self.git.command();
        listing.args(["rev-list", "--objects", "--quiet", &state.tree]);
        let listed = capture(listing, "git rev-list", context.lab.deadlines.fetch, b"").ok()?;
        if !listed.exit.is_success() {
            return None;
        }
        state.generation = self.generation;
        // If it cannot be kept, it is looked at once more the next time.
        let _ = keep(&self.state(), &state);
        Some(state)
    }

    /// Takes away what git would rely on instead of writing objects again.
    fn forget(&self) -> Result<()> {
        remove_if_there(&self.index())?;
        for name in [format!("refs/lab/{}", self.slug), format!("refs/lab-fetched/{}", self.slug)] {
            self.git.try_with(&["update-ref", "-d", &name], None, None, b"")?;
        }
        Ok(())
    }
}

/// The family of the tree whose folder in the cache this is, if that is known.
pub fn family_in(folder: &Path) -> Option<String> {
    Some(read_kept::<State>(&folder.join(STATE)).ok()??.family)
}

/// The name of a tree's folder: another source under the same name is another folder.
fn folder_name(tree: &Tree) -> Result<String> {
    let source = serde_json::to_string(&tree.source).context("naming a tree's folder")?;
    Ok(format!("{}-{}", tree.name, &hex(&Sha256::digest(source.as_bytes()))[..8]))
}

/// Brings a tree into the repository, unless it is there already.
///
/// # Errors
/// Infra faults of fetching; a usage fault for what is no kernel source.
pub fn import(context: &Context<'_>, tree: &Tree) -> Result<Imported> {
    tree.source.validate()?;
    let slug = folder_name(tree)?;
    let repository = context.cache.root().join("repo.git");
    let git = Git::open(repository.clone())?;
    mend::mend_if_marked(context, &git, &repository)?;
    let generation = mend::generation(&repository);
    let folder = TreeFolder { path: context.cache.tree(&slug), slug, git, generation };
    fs::create_dir_all(&folder.path)?;
    let timer = context.timer(Step::Fetch, tree.name.as_str());
    // What stays what it is needs no lock.
    let (state, cached) = match folder.known(context).filter(|_| is_fixed(&tree.source)) {
        Some(state) => (state, Cached::Yes),
        None => {
            let what = format!("the import of tree {}", tree.name);
            let _lock = context.lock(&folder.path.join("lock"), &what)?;
            bring_once(context, tree, &folder, &timer)?
        }
    };
    let record = TreeRecord {
        source: tree.source.describe(),
        version: state.version.clone(),
        tree: state.tree.clone(),
    };
    context.tell(Event::Tree { name: tree.name.to_string(), record });
    context.done(timer, state.version, cached);
    let work = WorkFolder::of_family(context, &state.family);
    Ok(Imported { git: folder.git, work, tree: state.tree, generation })
}

/// Brings the tree, unless another lab has done so while this one waited.
fn bring_once(
    context: &Context<'_>,
    tree: &Tree,
    folder: &TreeFolder,
    timer: &StepTimer,
) -> Result<(State, Cached)> {
    match folder.known(context) {
        Some(state) if is_fixed(&tree.source) => return Ok((state, Cached::Yes)),
        Some(_) => {}
        None => folder.forget()?,
    }
    context.announce(timer, &tree.source.describe());
    let brought = bring(context, tree, folder)?;
    let git = &folder.git;
    let Some(makefile) = git.file(&brought.tree, "Makefile")? else {
        return Err(no_kernel(tree, "Makefile").into());
    };
    if git.file(&brought.tree, "Kconfig")?.is_none() {
        return Err(no_kernel(tree, "Kconfig").into());
    }
    let family = family(&makefile).unwrap_or_else(|| folder.slug.clone());
    if let Some((top, _keep)) = brought.unpacked {
        WorkFolder::of_family(context, &family).adopt(context, &top, &folder.index())?;
    }
    // What git can reach from no name it may clear away.
    let _repository = repository_lock(context)?;
    git.run(&["update-ref", &format!("refs/lab/{}", folder.slug), &brought.tree])?;
    let state = State { version: brought.version, tree: brought.tree, family, generation: folder.generation };
    keep(&folder.state(), &state).context("writing a tree's state")?;
    Ok((state, Cached::No))
}

/// Keeps other labs from writing names and shallow marks of the repository, and clears away the
/// lock files that git has left there where it was killed.
///
/// # Errors
/// If it cannot be taken, or what was left not be removed.
pub fn repository_lock(context: &Context<'_>) -> Result<Lock> {
    let repository = context.cache.root().join("repo.git");
    let lock = context.lock(&context.cache.root().join("repo.lock"), "the repository")?;
    let mut stale = vec![repository.join("shallow.lock"), repository.join("packed-refs.lock")];
    for folder in ["refs/lab", "refs/lab-fetched"] {
        let entries = std::fs::read_dir(repository.join(folder)).into_iter().flatten().filter_map(Result::ok);
        stale.extend(
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "lock")),
        );
    }
    stale.iter().try_for_each(|path| remove_if_there(path))?;
    Ok(lock)
}

fn no_kernel(tree: &Tree, mark: &str) -> Fault {
    Fault::usage(format!("tree `{}` has no {mark}: it is no kernel source", tree.name))
}

/// The version of a kernel without its patch level: trees of one family are much alike, so they
/// share a work tree and build directories, and one is built in steps from the other.
fn family(makefile: &str) -> Option<String> {
    let number = |name: &str| {
        let line =
            makefile.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))?;
        line.trim().parse::<u32>().ok()
    };
    Some(format!("{}.{}", number("VERSION")?, number("PATCHLEVEL")?))
}

/// What was brought into the repository.
struct Brought {
    version: String,
    tree: String,
    /// Unpacked files that can become a work tree, and what keeps them alive.
    unpacked: Option<(PathBuf, fetch::Unpacked)>,
}

/// Whether a source, once imported, stays what it is.
fn is_fixed(source: &TreeSource) -> bool {
    match source {
        TreeSource::Debian { .. } | TreeSource::Tarball { .. } => true,
        TreeSource::Git { revision, .. } => {
            revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        TreeSource::Path { .. } => false,
    }
}

fn bring(context: &Context<'_>, tree: &Tree, folder: &TreeFolder) -> Result<Brought> {
    match &tree.source {
        TreeSource::Debian { package, version, suites } => {
            add_unpacked(folder, fetch::debian(context, package, version, suites)?)
        }
        TreeSource::Tarball { location, sha256 } => {
            add_unpacked(folder, fetch::tarball(context, location, sha256)?)
        }
        TreeSource::Git { repository, revision } => fetch_git(context, folder, repository, revision),
        TreeSource::Path { directory } => add_directory(folder, directory),
    }
}

fn add_unpacked(folder: &TreeFolder, unpacked: fetch::Unpacked) -> Result<Brought> {
    remove_if_there(&folder.index())?;
    // --force: Debian's .gitignore would leave everything out, without a word.
    let add = ["-c", "core.looseCompression=1", "add", "--all", "--force", "."];
    folder.git.run_with(&add, Some(&folder.index()), Some(&unpacked.top), b"")?;
    let tree = write_tree(folder)?;
    let (version, top) = (unpacked.version.clone(), unpacked.top.clone());
    Ok(Brought { version, tree, unpacked: Some((top, unpacked)) })
}

fn fetch_git(
    context: &Context<'_>,
    folder: &TreeFolder,
    repository: &str,
    revision: &str,
) -> Result<Brought> {
    let mut git = folder.git.command();
    // A name of its own: all trees share the repository, and FETCH_HEAD with it.
    let fetched = format!("refs/lab-fetched/{}", folder.slug);
    let refspec = format!("+{revision}:{fetched}");
    let lock = repository_lock(context)?;
    git.args(["fetch", "--quiet", "--no-tags", "--depth=1", "--end-of-options", repository, &refspec]);
    let captured = capture(git, "git fetch", context.lab.deadlines.fetch, b"")?;
    drop(lock);
    if !captured.exit.is_success() {
        crate::sys::interrupt::check()?;
        return Err(Fault::infra(format!(
            "fetching {revision} of {repository}: {}\n{}",
            captured.exit,
            captured.stderr.trim_end()
        ))
        .help("is the repository reachable, and the revision right?")
        .into());
    }
    let commit = folder.git.resolve(&format!("{fetched}^{{commit}}"))?;
    let tree = folder.git.resolve(&format!("{commit}^{{tree}}"))?;
    Ok(Brought { version: commit, tree, unpacked: None })
}

/// Imports a directory of the user's without writing to it.
fn add_directory(folder: &TreeFolder, directory: &Path) -> Result<Brought> {
    kernel_directory(directory)?;
    let index = folder.index();
    let (paths, version) = match checkout_files(directory)? {
        Some(found) => found,
        None => (plain_files(directory)?, "not under git".to_owned()),
    };
    // The old index: what has the same stat is not read again. What is no longer listed goes first,
    // since a file may have become a folder.
    let known = folder.git.try_with(&["ls-files", "-z"], Some(&index), Some(directory), b"")?;
    drop_unlisted(folder, &index, directory, &paths, &known.stdout)?;
    let update = ["update-index", "-z", "--add", "--remove", "--replace", "--stdin"];
    folder
        .git
        .run_with(&update, Some(&index), Some(directory), &paths)
        .with_context(|| format!("importing {}", directory.display()))?;
    Ok(Brought { version, tree: write_tree(folder)?, unpacked: None })
}

/// Takes out of the index what is no longer on the list although the file is still there.
fn drop_unlisted(
    folder: &TreeFolder,
    index: &Path,
    directory: &Path,
    listed: &[u8],
    known: &[u8],
) -> Result<()> {
    let listed: std::collections::HashSet<&[u8]> = listed.split(|byte| *byte == 0).collect();
    let mut gone = Vec::new();
    for path in known.split(|byte| *byte == 0).filter(|path| !path.is_empty() && !listed.contains(path)) {
        gone.extend_from_slice(path);
        gone.push(0);
    }
    if gone.is_empty() {
        return Ok(());
    }
    let remove = ["update-index", "-z", "--force-remove", "--stdin"];
    folder.git.run_with(&remove, Some(index), Some(directory), &gone).map(|_| ())
}

fn write_tree(folder: &TreeFolder) -> Result<String> {
    Ok(folder.git.run_with(&["write-tree"], Some(&folder.index()), None, b"")?.text().trim().to_owned())
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
