// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian packages through apt, with apt's signature checks, and without the host noticing.
//!
//! apt gets a state, a cache and a source list of its own below the lab's cache. The mirror is
//! the host's; proxies and credentials are the host's too, since its `apt.conf.d` is still read.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::fault::Fault;
use crate::run::context::Context;
use crate::sys::process::{Captured, Exit, capture, command, tail};

/// Debian's keyring, under the names it has had.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// A private apt for one suite and architecture.
pub struct Apt<'a> {
    context: &'a Context<'a>,
    folder: PathBuf,
    suite: String,
    architecture: String,
}

/// A package file that apt has checked.
#[derive(Debug, Clone)]
pub struct Package {
    /// The `.deb`.
    pub file: PathBuf,
    /// Its version.
    pub version: String,
}

impl<'a> Apt<'a> {
    /// Prepares apt's folders and configuration.
    ///
    /// # Errors
    /// An infra fault if the host has no Debian mirror or keyring.
    pub fn new(context: &'a Context<'a>, suite: &str, architecture: &str) -> Result<Self> {
        let folder = context.cache.root().join("apt").join(format!("{suite}-{architecture}"));
        for part in ["state/lists/partial", "cache/archives/partial", "preferences.d"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let keyring = KEYRINGS.iter().find(|path| Path::new(path).exists());
        let keyring = keyring.ok_or_else(|| {
            Fault::infra("Debian's archive keyring is not on this host")
                .help("apt-get install debian-archive-keyring")
        })?;
        let mirror = mirror_for(suite, &host_sources()?)?;
        let sources = format!(
            "Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\nArchitectures: {architecture}\n\
             Signed-By: {keyring}\n"
        );
        fs::write(folder.join("debian.sources"), sources)?;
        fs::write(folder.join("status"), "")?;
        fs::write(folder.join("apt.conf"), configuration(&folder, architecture))?;
        Ok(Self { context, folder, suite: suite.to_owned(), architecture: architecture.to_owned() })
    }

    /// Fetches the newest version of a package that fits a pattern.
    ///
    /// # Errors
    /// An infra fault with apt's own words: no network, no such version, a bad signature.
    pub fn fetch(&self, package: &str, pattern: &str) -> Result<Package> {
        let _lock = self.context.lock(&self.folder.join("lock"), &format!("apt for {}", self.suite))?;
        self.run(self.apt("apt-get", &["update"]), "updating package lists")?;
        self.download(package, pattern)
    }

    /// Fetches the newest version of each of several packages.
    ///
    /// # Errors
    /// As [`Apt::fetch`].
    pub fn fetch_all(&self, packages: &[String]) -> Result<Vec<Package>> {
        let _lock = self.context.lock(&self.folder.join("lock"), &format!("apt for {}", self.suite))?;
        self.run(self.apt("apt-get", &["update"]), "updating package lists")?;
        packages.iter().map(|package| self.download(package, "*")).collect()
    }

    fn download(&self, package: &str, pattern: &str) -> Result<Package> {
        let listed = self.run(self.apt("apt-cache", &["madison", package]), "listing versions")?;
        let versions = versions(&listed.text());
        let Some(version) = choose(&versions, pattern) else {
            let known = if versions.is_empty() { "no version at all".into() } else { versions.join(", ") };
            return Err(Fault::infra(format!(
                "suite {} has no {package} {pattern}; it has {known}",
                self.suite
            ))
            .help("mend `version` or `suites` of the tree in configs/lab.toml")
            .into());
        };
        let downloads = self.context.cache.downloads();
        let mut download = self.apt("apt-get", &["download", &format!("{package}={version}")]);
        download.current_dir(&downloads);
        self.run(download, "downloading")?;
        let file = find_download(&downloads, package, &version, &self.architecture)?;
        Ok(Package { file, version })
    }

    fn apt(&self, program: &str, args: &[&str]) -> Command {
        let mut apt = command(program);
        apt.arg("-c").arg(self.folder.join("apt.conf")).args(args);
        apt
    }

    fn run(&self, command: Command, doing: &str) -> Result<Captured> {
        let captured = capture(command, doing, self.context.lab.deadlines.fetch, b"")?;
        // `apt-get update` ends with 0 although an index could not be had.
        let warned = captured.stderr.lines().any(|line| line.starts_with("Err:") || line.starts_with("E: "));
        let failed_index = captured.stderr.contains("Failed to fetch");
        match captured.exit {
            Exit::Code(0) if !warned && !failed_index => Ok(captured),
            Exit::Interrupted => Err(Fault::interrupted().into()),
            exit => Err(Fault::infra(format!(
                "{doing} of Debian's {} did not work ({exit}):\n{}",
                self.suite,
                tail(&captured.stderr, 1500)
            ))
            .help("is the network there, and the mirror in the host's apt sources right?")
            .into()),
        }
    }
}

fn configuration(folder: &Path, architecture: &str) -> String {
    let folder = folder.display();
    format!(
        "Dir::State \"{folder}/state\";\n\
         Dir::State::status \"{folder}/status\";\n\
         Dir::Cache \"{folder}/cache\";\n\
         Dir::Cache::pkgcache \"pkgcache.bin\";\n\
         Dir::Cache::srcpkgcache \"srcpkgcache.bin\";\n\
         Dir::Etc::SourceList \"{folder}/debian.sources\";\n\
         Dir::Etc::SourceParts \"-\";\n\
         Dir::Etc::Preferences \"-\";\n\
         Dir::Etc::PreferencesParts \"{folder}/preferences.d\";\n\
         APT::Architecture \"{architecture}\";\n\
         APT::Architectures \"{architecture}\";\n\
         APT::Get::AllowUnauthenticated \"false\";\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled \"false\";\n\
         Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled \"false\";\n\
         Acquire::IndexTargets::deb::CNF::DefaultEnabled \"false\";\n\
         Acquire::Retries \"3\";\n\
         #clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         #clear DPkg::Post-Invoke;\n"
    )
}

/// The text of all the host's apt source files.
fn host_sources() -> Result<String> {
    let mut text = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    let parts = Path::new("/etc/apt/sources.list.d");
    if parts.is_dir() {
        let mut files: Vec<PathBuf> =
            fs::read_dir(parts)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        for file in files {
            text.push('\n');
            text.push_str(&fs::read_to_string(&file).unwrap_or_default());
        }
    }
    Ok(text)
}

/// The mirror to ask for a suite: the host's own for it, by the archive the suite is part of.
fn mirror_for(suite: &str, sources: &str) -> Result<String, Fault> {
    let uris = || {
        sources
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(str::split_whitespace)
            .filter(|word| {
                word.starts_with("http://") || word.starts_with("https://") || word.starts_with("file:/")
            })
            .map(|uri| uri.trim_end_matches('/'))
    };
    let main = uris().find(|uri| uri.ends_with("/debian"));
    let security = uris().find(|uri| uri.ends_with("/debian-security"));
    let mirror = if suite.ends_with("-security") {
        security.map(str::to_owned).or_else(|| main.map(|main| format!("{main}-security")))
    } else {
        let of_security = || security.and_then(|uri| uri.strip_suffix("-security"));
        main.or_else(of_security).map(str::to_owned)
    };
    mirror.ok_or_else(|| {
        Fault::infra("the host's apt sources name no Debian mirror (a URI that ends in /debian)")
            .help("give the tree as a tarball, a git repository or a directory instead: --tree path=DIR")
    })
}

/// The versions in `apt-cache madison`'s table, newest first as apt lists them.
fn versions(madison: &str) -> Vec<String> {
    let mut versions: Vec<String> = Vec::new();
    for version in madison.lines().filter_map(|line| line.split('|').nth(1)) {
        let version = version.trim().to_owned();
        if !version.is_empty() && !versions.contains(&version) {
            versions.push(version);
        }
    }
    versions
}

/// The first version that fits.
fn choose(versions: &[String], pattern: &str) -> Option<String> {
    let glob = glob::Pattern::new(pattern).ok()?;
    versions.iter().find(|version| glob.matches(version)).cloned()
}

/// apt writes `:` of a version as `%3a`. The same package for another architecture may lie beside it.
fn find_download(folder: &Path, package: &str, version: &str, architecture: &str) -> Result<PathBuf> {
    let version = version.replace(':', "%3a");
    let names = [architecture, "all"].map(|architecture| format!("{package}_{version}_{architecture}.deb"));
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found
        .with_context(|| format!("neither {} is in {}", names.join(" nor "), folder.display()))
        .context("finding what apt downloaded")
}

/// Unpacks the files of a package into a folder.
///
/// # Errors
/// An infra fault if the package is damaged.
pub fn unpack(context: &Context<'_>, package: &Path, into: &Path) -> Result<()> {
    let mut dpkg = command("dpkg-deb");
    dpkg.arg("--extract").arg(package).arg(into);
    let captured = capture(dpkg, "dpkg-deb", context.lab.deadlines.fetch, b"")?;
    match captured.exit {
        Exit::Code(0) => Ok(()),
        Exit::Interrupted => Err(Fault::interrupted().into()),
        exit => {
            Err(Fault::infra(format!("unpacking {}: {exit}\n{}", package.display(), captured.stderr)).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_mirror_serves_every_suite_of_its_archive() {
        let sources = "Types: deb\nURIs: http://mirror.test/debian/\nSuites: bookworm\n\
                       # URIs: http://old.test/debian\nURIs: http://mirror.test/debian-security\n";
        assert_eq!(mirror_for("sid", sources).unwrap(), "http://mirror.test/debian");
        assert_eq!(mirror_for("bullseye-security", sources).unwrap(), "http://mirror.test/debian-security");
        let one_line = "deb [arch=amd64] https://m.test/debian bookworm main\n";
        assert_eq!(mirror_for("x-security", one_line).unwrap(), "https://m.test/debian-security");
        assert!(mirror_for("sid", "deb https://packages.test/apt stable main\n").is_err());
    }

    #[test]
    fn the_newest_version_that_fits_is_taken() {
        let table = " linux-source-6.12 | 6.12.118-1 | http://m trixie/main amd64 Packages\n \
                     linux-source-6.12 | 6.12.117-1 | http://m trixie/main amd64 Packages\n";
        let versions = versions(table);
        assert_eq!(choose(&versions, "6.12.*").as_deref(), Some("6.12.118-1"));
        assert_eq!(choose(&versions, "6.12.117-1").as_deref(), Some("6.12.117-1"));
        assert_eq!(choose(&versions, "6.13.*"), None);
    }

    #[test]
    fn a_download_is_that_of_the_architecture() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["libx_1%3a2_i386.deb", "libx_1%3a2_amd64.deb", "data_3_all.deb"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = |package: &str, version: &str, architecture: &str| {
            find_download(folder.path(), package, version, architecture).ok()
        };
        assert_eq!(found("libx", "1:2", "amd64"), Some(folder.path().join("libx_1%3a2_amd64.deb")));
        assert_eq!(found("libx", "1:2", "i386"), Some(folder.path().join("libx_1%3a2_i386.deb")));
        assert_eq!(found("libx", "1:2", "arm64"), None);
        assert_eq!(found("data", "3", "i386"), Some(folder.path().join("data_3_all.deb")));
    }
}
