// SPDX-License-Identifier: MIT OR Apache-2.0
//! The cache: stored objects by key, and a folder a tree.
//!
//! A stored object is a folder that appears by rename, with a digest of every file in it. An
//! object whose digests do not fit is removed and made again: a damaged one is never used.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::plan::key::Key;
use crate::record::store::{sync_folder, write_atomically};
use crate::run::digests::{DIGESTS, keep, read_kept, seal, verify};
use crate::sys::lock::Lock;
use crate::sys::temporary::{Temporary, remove_leftovers, spread};

/// What kinds of objects are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `vmlinux`, the `bzImage` where that is booted, its config and build log.
    Kernel,
    /// Headers of a tree for user space.
    Headers,
    /// A guest program.
    Program,
    /// An initramfs.
    Image,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 4] = [Kind::Kernel, Kind::Headers, Kind::Program, Kind::Image];

    /// The name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Kind::Kernel => "kernels",
            Kind::Headers => "headers",
            Kind::Program => "programs",
            Kind::Image => "images",
        }
    }
}

/// Where everything is kept that can be made again.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    /// Says to `clean` that the cache is in use.
    _in_use: Arc<Lock>,
}

/// What a look into the cache found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The object, whole.
    Whole(PathBuf),
    /// Nothing.
    Nothing,
    /// An object that did not fit its digests, and has been removed.
    Damaged(String),
}

impl Cache {
    /// The cache at `root`, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(root: PathBuf) -> Result<Self> {
        let make = || -> Result<()> {
            fs::create_dir_all(&root)?;
            let tag = root.join("CACHEDIR.TAG");
            if !tag.exists() {
                let text = b"Signature: 8a477f597d28d172789f06886806bc55\n# Made by seccomp-lab; see `cargo xtask clean`.\n";
                write_atomically(&tag, text)?;
            }
            remove_leftovers(&root.join("tmp"), "");
            for folder in ["tmp", "requests", "downloads", "trees", "work", "objects"] {
                fs::create_dir_all(root.join(folder))?;
            }
            spread(&root.join("tmp"));
            Ok(())
        };
        make().map_err(|error| {
            Fault::infra(format!("opening the cache {}: {error:#}", root.display()))
                .help("give another place with --cache-dir DIR")
        })?;
        let in_use = use_file(&root)?;
        in_use.lock_shared().with_context(|| format!("locking the cache {}", root.display()))?;
        Ok(Self { root, _in_use: Arc::new(Lock::keep(in_use)?) })
    }

    /// `--cache-dir`, else `LAB_CACHE_DIR`, else the XDG cache directory.
    ///
    /// # Errors
    /// A usage fault if none of them is set and there is no home directory either.
    pub fn default_root(given: Option<&Path>) -> Result<PathBuf> {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = given
            .map(Path::to_owned)
            .or_else(|| variable("LAB_CACHE_DIR"))
            .or_else(|| variable("XDG_CACHE_HOME").map(|xdg| xdg.join("seccomp-lab")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/seccomp-lab")));
        let root = root.ok_or_else(|| {
            Fault::usage("no place for the cache: HOME is not set").help("give --cache-dir DIR")
        })?;
        std::path::absolute(&root).with_context(|| format!("finding {}", root.display()))
    }

    /// The top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where downloads are kept.
    pub fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }

    /// The folder of a tree.
    pub fn tree(&self, slug: &str) -> PathBuf {
        self.root.join("trees").join(slug)
    }

    /// A new empty folder on the cache's own file system, removed when dropped.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn temporary(&self) -> Result<Temporary> {
        Temporary::new_in(&self.root.join("tmp"), &format!("{}-", std::process::id()))
    }

    /// Where an object is, or would be.
    pub fn object(&self, kind: Kind, key: &Key) -> PathBuf {
        self.root.join("objects").join(kind.folder()).join(key.as_str())
    }

    /// Looks an object up and checks its digests.
    ///
    /// # Errors
    /// If a damaged object cannot be removed.
    pub fn find(&self, kind: Kind, key: &Key) -> Result<Found> {
        let folder = self.object(kind, key);
        if !folder.is_dir() {
            return Ok(Found::Nothing);
        }
        match verify(&folder) {
            Ok(()) => {
                // When it was last used, for `clean`; it is as good without.
                let now = std::fs::FileTimes::new().set_modified(std::time::SystemTime::now());
                let _ = File::options()
                    .write(true)
                    .open(folder.join(DIGESTS))
                    .and_then(|file| file.set_times(now));
                Ok(Found::Whole(folder))
            }
            Err(why) => {
                let doomed = self.temporary()?;
                // By rename first: another lab may be reading it.
                match fs::rename(&folder, doomed.path().join("damaged")) {
                    Ok(()) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error).context("removing a damaged object"),
                }
                Ok(Found::Damaged(format!("{} {}: {why:#}", kind.folder(), key.short())))
            }
        }
    }

    /// Makes a folder an object. Whoever was first wins; the bytes are the same.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn store(&self, kind: Kind, key: &Key, made: Temporary) -> Result<PathBuf> {
        let target = self.object(kind, key);
        let store = || -> Result<()> {
            seal(made.path())?;
            let parent = target.parent().context("an object without a folder")?;
            fs::create_dir_all(parent)?;
            match fs::rename(made.path(), &target) {
                Ok(()) => sync_folder(parent),
                Err(_) if verify(&target).is_ok() => Ok(()),
                Err(error) => Err(error.into()),
            }
        };
        store().with_context(|| format!("storing {} {}", kind.folder(), key.short()))?;
        Ok(target)
    }

    /// What an earlier run found out for a request. One that is damaged is removed, and as good as none.
    pub fn answer<T: for<'de> Deserialize<'de>>(&self, request: &Key) -> Option<T> {
        self.find_answer(request).ok()?
    }

    /// As [`Cache::answer`], but a damaged answer is said.
    ///
    /// # Errors
    /// What is wrong with the answer, which is removed.
    pub fn find_answer<T: for<'de> Deserialize<'de>>(&self, request: &Key) -> Result<Option<T>, String> {
        read_kept(&self.answer_file(request))
            .map_err(|error| format!("answer {}: {error:#}", request.short()))
    }

    /// Keeps what was found out for a request.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_answer<T: Serialize>(&self, request: &Key, answer: &T) -> Result<()> {
        keep(&self.answer_file(request), answer)
    }

    fn answer_file(&self, request: &Key) -> PathBuf {
        self.root.join("requests").join(format!("{}.json", request.as_str()))
    }
}

/// The file that says whether a lab uses the cache: shared by those that do, alone for `clean`.
///
/// # Errors
/// If it cannot be opened.
pub fn use_file(root: &Path) -> Result<File> {
    let path = root.join("in-use");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    file.with_context(|| format!("opening {}", path.display()))
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
