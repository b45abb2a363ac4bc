// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packages of this host's suite, for any architecture, unpacked below the cache: installing them on the host could
//! remove packages there.
//!
//! Digests of their files are kept with them. They are looked at before something is made of a package, and not where
//! what was made of it is there already.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::fault::Fault;
use crate::run::apt::{Apt, unpack};
use crate::run::context::Context;
use crate::run::digests::{DIGESTS, seal, sealed_digest, verify};
use crate::sys::temporary::Temporary;

/// The folder of an unpacked package in which all of its static libraries are.
pub const ARCHIVES: &str = "archives";

/// The file of an unpacked package that holds its version.
const VERSION: &str = "version";

/// A package, or several in one folder: a compiler finds its parts by their place beside it.
#[derive(Debug)]
pub struct Unpacked {
    /// What it is called in the cache.
    name: String,
    packages: Vec<String>,
    architecture: String,
    suite: String,
    folder: PathBuf,
}

impl Unpacked {
    /// A package, unpacked unless it is there.
    ///
    /// # Errors
    /// Infra faults of fetching.
    pub fn one(context: &Context<'_>, package: &str, architecture: &str) -> Result<Self> {
        Self::find(context, package, &[package.to_owned()], architecture)
    }

    /// Several packages under one name, unpacked unless they are there.
    ///
    /// # Errors
    /// Infra faults of fetching.
    pub fn together(
        context: &Context<'_>,
        name: &str,
        packages: &[String],
        architecture: &str,
    ) -> Result<Self> {
        Self::find(context, name, packages, architecture)
    }

    fn find(context: &Context<'_>, name: &str, packages: &[String], architecture: &str) -> Result<Self> {
        let suite = host_suite()?;
        let found = Self {
            name: format!("{name}-{architecture}-{suite}"),
            packages: packages.to_vec(),
            architecture: architecture.to_owned(),
            folder: context.cache.root().join("packages").join(format!("{name}-{architecture}-{suite}")),
            suite,
        };
        found.ensure(context, Believe::Digests, &|| found.fetch(context))?;
        Ok(found)
    }

    /// Where it is. Its files may be damaged.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it is, with files that are what was unpacked. A damaged package is told, and unpacked again.
    ///
    /// # Errors
    /// Infra faults of fetching.
    pub fn whole(&self, context: &Context<'_>) -> Result<&Path> {
        self.ensure(context, Believe::Files, &|| self.fetch(context))?;
        Ok(&self.folder)
    }

    /// The version; of several packages a line each, with names.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn version(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.join(VERSION))?)
    }

    /// The digest that a file had when it was unpacked.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn digest(&self, file: &str) -> Result<String> {
        sealed_digest(&self.folder, file)
    }

    /// Makes the folder, if it is not there or not to be believed.
    fn ensure(
        &self,
        context: &Context<'_>,
        believe: Believe,
        make: &dyn Fn() -> Result<Temporary>,
    ) -> Result<()> {
        let (name, folder) = (&self.name, &self.folder);
        let parent = folder.parent().context("a package without a folder")?;
        fs::create_dir_all(parent)?;
        let _lock = context.lock(&parent.join(format!("{name}.lock")), &format!("package {name}"))?;
        if folder.is_dir() {
            let trouble = match believe {
                Believe::Digests if folder.join(DIGESTS).is_file() => return Ok(()),
                Believe::Digests => "it has no digests".to_owned(),
                Believe::Files => match verify(folder) {
                    Ok(()) => return Ok(()),
                    Err(why) => format!("{why:#}"),
                },
            };
            context.note(format!("cached package {name}: {trouble}: it is unpacked again"));
            let doomed = context.cache.temporary()?;
            fs::rename(folder, doomed.path().join("damaged"))?;
        }
        let made = make().with_context(|| format!("unpacking {name} into {}", folder.display()))?;
        seal(made.path())?;
        Ok(fs::rename(made.path(), folder)?)
    }

    fn fetch(&self, context: &Context<'_>) -> Result<Temporary> {
        let apt = Apt::new(context, &self.suite, &self.architecture)?;
        let fetched = apt.fetch_all(&self.packages)?;
        let made = context.cache.temporary()?;
        let mut versions = Vec::new();
        for (name, package) in self.packages.iter().zip(&fetched) {
            unpack(context, &package.file, made.path())?;
            versions.push(format!("{name} {}\n", package.version));
        }
        if let [only] = fetched.as_slice() {
            versions = vec![only.version.clone()];
            collect_archives(&made.path().join("usr/lib"), &made.path().join(ARCHIVES))?;
        }
        fs::write(made.path().join(VERSION), versions.concat())?;
        Ok(made)
    }
}

/// What of a folder is believed without looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Believe {
    /// That its files are what its digests say.
    Digests,
    /// Nothing: they are read, and compared with the digests.
    Files,
}

/// Puts every `.a` below a folder into one.
fn collect_archives(from: &Path, into: &Path) -> Result<()> {
    fs::create_dir_all(into)?;
    if !from.is_dir() {
        return Ok(());
    }
    let mut open = vec![from.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "a") {
                fs::copy(&path, into.join(path.file_name().unwrap_or_default()))?;
            }
        }
    }
    Ok(())
}

/// The Debian suite that this host runs: its C library is the one that programs are linked with.
fn host_suite() -> Result<String> {
    let file = "/etc/os-release";
    let text = fs::read_to_string(file)?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.map(|name| name.trim_matches('"').to_owned());
    let unknown = || {
        Fault::infra(format!("finding the Debian suite of this host: no VERSION_CODENAME in {file}"))
            .help("packages of its suite are needed: run the lab on Debian, or in a container of it")
    };
    Ok(name.ok_or_else(unknown)?)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::lab::Lab;
    use crate::run::cache::Cache;
    use crate::run::compiler::Toolchain;
    use crate::run::context::Options;
    use crate::run::event::Event;

    #[test]
    fn a_damaged_package_is_told_and_unpacked_again_where_it_is_used() {
        let top = tempfile::tempdir().unwrap();
        let lab = Lab::read(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
        let cache = Cache::open(top.path().join("cache")).unwrap();
        let options = Options::without_guests();
        let (events, told) = std::sync::mpsc::channel();
        let said = || "fake 1.0".to_owned();
        let toolchain = Toolchain { compiler: said(), linker: said(), make: said(), libc: said() };
        let context = Context::new(&lab, &cache, toolchain, &options, top.path().to_owned(), events);
        let package = Unpacked {
            name: "libx-i386-suite".into(),
            packages: vec!["libx".into()],
            architecture: "i386".into(),
            suite: "suite".into(),
            folder: cache.root().join("packages/libx-i386-suite"),
        };
        let made = Cell::new(0);
        let make = || -> Result<Temporary> {
            made.set(made.get() + 1);
            let folder = cache.temporary()?;
            fs::create_dir(folder.path().join(ARCHIVES))?;
            fs::write(folder.path().join(ARCHIVES).join("libx.a"), "archive")?;
            std::os::unix::fs::symlink("/nowhere", folder.path().join("link"))?;
            Ok(folder)
        };
        let notes = || told.try_iter().filter(|event| matches!(event, Event::Note(_))).count();
        package.ensure(&context, Believe::Digests, &make).unwrap();
        package.ensure(&context, Believe::Files, &make).unwrap();
        assert_eq!((made.get(), notes()), (1, 0));
        let archive = package.folder.join(ARCHIVES).join("libx.a");
        let digest = package.digest("archives/libx.a").unwrap();
        let damages: [&dyn Fn(); 4] = [
            &|| fs::write(&archive, "archivf").unwrap(),
            &|| fs::remove_file(&archive).unwrap(),
            &|| fs::remove_file(package.folder.join("link")).unwrap(),
            &|| fs::write(package.folder.join(DIGESTS), "{}").unwrap(),
        ];
        for (number, damage) in (2..).zip(damages) {
            damage();
            // What only looks for the folder finds it; what makes something of it does not use it.
            package.ensure(&context, Believe::Digests, &make).unwrap();
            assert_eq!((made.get(), notes()), (number - 1, 0));
            package.ensure(&context, Believe::Files, &make).unwrap();
            assert_eq!((made.get(), notes()), (number, 1));
            assert_eq!(fs::read_to_string(&archive).unwrap(), "archive");
            assert_eq!(package.digest("archives/libx.a").unwrap(), digest);
        }
        fs::remove_file(package.folder.join(DIGESTS)).unwrap();
        package.ensure(&context, Believe::Digests, &make).unwrap();
        assert_eq!((made.get(), notes()), (6, 1), "one of before there were digests");
    }
}
