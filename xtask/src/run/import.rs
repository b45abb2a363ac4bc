// SPDX-License-Identifier: MIT OR Apache-2.0
//! Importing: from fetched files to a git tree object in the lab's own repository.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::lab::patch::hex;
use crate::lab::tree::{Tree, TreeSource, kernel_directory};
use crate::record::model::TreeRecord;
use crate::record::store::write_atomically;
use crate::run::context::{Context, StepTimer};
use crate::run::event::{Cached, Event, Step};
use crate::run::fetch;
use crate::run::git::{Git, bare_command};
use crate::sys::lock::Lock;
use crate::sys::process::{capture, quote};

/// The folder of a tree in the cache: repository, work tree, build directories.
#[derive(Debug, Clone)]
pub struct TreeFolder {
    /// The folder.
    pub path: PathBuf,
    /// The repository.
    pub git: Git,
}

/// A tree that is in the repository.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Its folder.
    pub folder: TreeFolder,
    /// git's id of the tree object.
    pub tree: String,
}

/// What an earlier import found.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    version: String,
    tree: String,
}

impl TreeFolder {
    /// Keeps other labs out of the work tree and the build directories.
    ///
    /// # Errors
    /// As [`crate::sys::lock::lock`].
    pub fn lock(&self, context: &Context<'_>, name: &str) -> Result<Lock> {
        context.lock(&self.path.join("lock"), &format!("tree {name}"))
    }

    /// The index of the work tree.
    pub fn index(&self) -> PathBuf {
        self.path.join("work.index")
    }

    /// The work tree.
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// The build directories.
    pub fn builds(&self) -> PathBuf {
        self.path.join("build")
    }

    fn state(&self) -> PathBuf {
        self.path.join("state.json")
    }
}

/// The name of a tree's folder: another source under the same name is another folder.
fn folder_name(tree: &Tree) -> Result<String> {
    let source = serde_json::to_string(&tree.source).context("naming a tree's folder")?;
    Ok(format!("{}-{}", tree.name, &hex(&Sha256::digest(source.as_bytes()))[..8]))
}

/// Brings a tree into its repository, unless it is there already.
///
/// # Errors
/// Infra faults of fetching; a usage fault for what is no kernel source.
pub fn import(context: &Context<'_>, tree: &Tree) -> Result<Imported> {
    tree.source.validate()?;
    let path = context.cache.tree(&folder_name(tree)?);
    fs::create_dir_all(&path)?;
    let folder = TreeFolder { git: Git::open(path.join("repo.git"))?, path };
    let timer = context.timer(Step::Fetch, tree.name.as_str());
    // What stays what it is needs no lock: another lab may be building in the folder.
    let (state, cached) = match known(&folder).filter(|_| is_fixed(&tree.source)) {
        Some(state) => (state, Cached::Yes),
        None => {
            let _lock = folder.lock(context, tree.name.as_str())?;
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
    Ok(Imported { folder, tree: state.tree })
}

/// What an earlier import found, if its objects are still there.
fn known(folder: &TreeFolder) -> Option<State> {
    let state: State = serde_json::from_slice(&fs::read(folder.state()).ok()?).ok()?;
    let has_tree = folder.git.try_with(&["cat-file", "-e", &state.tree], None, None, b"");
    has_tree.is_ok_and(|captured| captured.exit.is_success()).then_some(state)
}

/// Brings the tree, unless another lab has done so while this one waited.
fn bring_once(
    context: &Context<'_>,
    tree: &Tree,
    folder: &TreeFolder,
    timer: &StepTimer,
) -> Result<(State, Cached)> {
    if let Some(state) = known(folder).filter(|_| is_fixed(&tree.source)) {
        return Ok((state, Cached::Yes));
    }
    context.announce(timer, &tree.source.describe());
    let state = bring(context, tree, folder)?;
    for mark in ["Makefile", "Kconfig"] {
        if folder.git.file(&state.tree, mark)?.is_none() {
            let what = format!("tree `{}` has no {mark}: it is no kernel source", tree.name);
            return Err(Fault::usage(what).into());
        }
    }
    write_atomically(&folder.state(), &serde_json::to_vec_pretty(&state).context("writing a tree's state")?)?;
    Ok((state, Cached::No))
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

fn bring(context: &Context<'_>, tree: &Tree, folder: &TreeFolder) -> Result<State> {
    match &tree.source {
        TreeSource::Debian { package, version, suites } => {
            let unpacked = fetch::debian(context, package, version, suites)?;
            let tree = add_unpacked(folder, &unpacked.top)?;
            Ok(State { version: unpacked.version, tree })
        }
        TreeSource::Tarball { location, sha256 } => {
            let unpacked = fetch::tarball(context, location, sha256)?;
            let tree = add_unpacked(folder, &unpacked.top)?;
            Ok(State { version: unpacked.version, tree })
        }
        TreeSource::Git { repository, revision } => fetch_git(context, folder, repository, revision),
        TreeSource::Path { directory } => add_directory(folder, directory),
    }
}

/// Imports unpacked files and makes them the work tree, so that nothing is written twice.
fn add_unpacked(folder: &TreeFolder, top: &Path) -> Result<String> {
    let index = folder.path.join("import.index");
    remove_if_there(&index)?;
    let add = ["-c", "core.looseCompression=1", "add", "--all", "--force", "."];
    // --force: Debian's .gitignore would leave everything out, without a word.
    folder.git.run_with(&add, Some(&index), Some(top), b"")?;
    let tree = write_tree(folder, &index)?;
    let work = folder.work();
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::rename(top, &work)?;
    fs::rename(&index, folder.index())?;
    Ok(tree)
}

fn fetch_git(context: &Context<'_>, folder: &TreeFolder, repository: &str, revision: &str) -> Result<State> {
    let mut git = folder.git.command();
    git.args(["fetch", "--quiet", "--no-tags", "--depth=1", "--end-of-options", repository, revision]);
    let captured = capture(git, "git fetch", context.lab.deadlines.fetch, b"")?;
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
    let commit = folder.git.resolve("FETCH_HEAD^{commit}")?;
    let tree = folder.git.resolve(&format!("{commit}^{{tree}}"))?;
    Ok(State { version: commit, tree })
}

/// Imports a directory of the user's without writing to it.
fn add_directory(folder: &TreeFolder, directory: &Path) -> Result<State> {
    kernel_directory(directory)?;
    let index = folder.path.join("import.index");
    let (paths, version) = match checkout_files(directory)? {
        Some(found) => found,
        None => (plain_files(directory)?, "not under git".to_owned()),
    };
    // A fresh list each time, but the old index: what has the same stat is not read again.
    let known = folder.git.try_with(&["ls-files", "-z"], Some(&index), Some(directory), b"")?;
    let mut input = paths;
    input.extend_from_slice(&known.stdout);
    let update = ["update-index", "-z", "--add", "--remove", "--stdin"];
    folder
        .git
        .run_with(&update, Some(&index), Some(directory), &input)
        .with_context(|| format!("importing {}", directory.display()))?;
    drop_unlisted(folder, &index, directory, &input[..input.len() - known.stdout.len()], &known.stdout)?;
    let tree = write_tree(folder, &index)?;
    Ok(State { version, tree })
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

fn write_tree(folder: &TreeFolder, index: &Path) -> Result<String> {
    Ok(folder.git.run_with(&["write-tree"], Some(index), None, b"")?.text().trim().to_owned())
}

/// In a git checkout: the tracked files and the untracked ones that are not ignored, NUL-ended.
fn checkout_files(directory: &Path) -> Result<Option<(Vec<u8>, String)>> {
    let deadline = std::time::Duration::from_secs(300);
    let git = |args: &[&str]| {
        let mut git = bare_command();
        git.arg("-C").arg(directory).args(args);
        capture(git, "git", deadline, b"")
    };
    let inside = git(&["rev-parse", "--show-toplevel"])?;
    let is_top = inside.exit.is_success()
        && fs::canonicalize(inside.text().trim_end_matches('\n')).ok() == fs::canonicalize(directory).ok();
    if !is_top {
        return Ok(None);
    }
    let what = format!("listing the files of {}", directory.display());
    let listed = git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?.success(&what)?;
    let described = git(&["rev-parse", "--short=12", "HEAD"])?;
    let commit =
        if described.exit.is_success() { described.text().trim().to_owned() } else { "no commit".into() };
    Ok(Some((without_submodules(directory, &listed.stdout), format!("checkout at {commit}"))))
}

/// A submodule is listed as a path that is a directory: it has no files of this repository.
fn without_submodules(directory: &Path, listed: &[u8]) -> Vec<u8> {
    let mut files = Vec::with_capacity(listed.len());
    for path in listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let full = directory.join(std::ffi::OsStr::from_bytes(path));
        // A link to a directory is a file to git; what is gone shows in the index.
        if !fs::symlink_metadata(full).is_ok_and(|metadata| metadata.is_dir()) {
            files.extend_from_slice(path);
            files.push(0);
        }
    }
    files
}

/// Elsewhere: everything but what a build leaves behind, NUL-ended.
fn plain_files(directory: &Path) -> Result<Vec<u8>> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(folder) = open.pop() {
        let mut names: Vec<_> =
            fs::read_dir(&folder)?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
        names.sort();
        for name in &names {
            let path = folder.join(name);
            let relative = path.strip_prefix(directory).unwrap_or(&path);
            if is_build_product(relative, name, &names) {
                continue;
            }
            if fs::symlink_metadata(&path)?.is_dir() {
                open.push(path);
                continue;
            }
            files.extend_from_slice(relative.as_os_str().as_bytes());
            files.push(0);
        }
    }
    Ok(files)
}

/// kbuild leaves a `.NAME.cmd` beside most of what it makes; the rest is known by name.
fn is_build_product(relative: &Path, name: &std::ffi::OsStr, siblings: &[std::ffi::OsString]) -> bool {
    let text = name.to_string_lossy();
    let mut command_file = std::ffi::OsString::from(".");
    command_file.push(name);
    command_file.push(".cmd");
    let by_name = [".git", ".config", ".config.old", ".version", ".missing-syscalls.d", "Module.symvers"];
    let by_end = [".o", ".ko", ".a", ".cmd", ".mod", ".mod.c", ".order", ".symvers", ".dwo", ".su"];
    let by_path = ["include/config", "include/generated", "usr/include", "System.map", "vmlinux"];
    by_name.iter().any(|other| text == *other)
        || by_end.iter().any(|end| text.ends_with(end))
        || text.starts_with(".tmp_")
        || by_path.iter().any(|path| relative == Path::new(path))
        || relative.starts_with("arch") && relative.ends_with("include/generated")
        || siblings.binary_search(&command_file).is_ok()
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", quote(&path.to_string_lossy())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
