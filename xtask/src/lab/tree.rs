// SPDX-License-Identifier: MIT OR Apache-2.0
//! Trees: where a kernel source comes from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::lab::names::TreeName;

/// A kernel source as `lab.toml` or `--tree` declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TreeSource {
    /// A Debian source package, fetched by apt with apt's own signature checks.
    Debian {
        /// The binary package that carries the source: `linux-source-5.10`.
        package: String,
        /// A version, or a pattern with `*` for suites that drop old versions.
        version: String,
        /// The suites to look in, first come first served.
        suites: Vec<String>,
    },
    /// A tarball, from a file or a URL.
    Tarball {
        /// `https://…`, or a path (relative to the lab's checkout).
        location: String,
        /// The SHA-256 digest of the file, in hex.
        sha256: String,
    },
    /// A commit of a git repository.
    Git {
        /// A URL or a path.
        repository: String,
        /// A branch, tag or commit.
        revision: String,
    },
    /// A directory of the user's. It is only ever read.
    Path {
        /// The directory.
        directory: PathBuf,
    },
}

/// A kernel source and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// How cells call it.
    pub name: TreeName,
    /// Where it comes from.
    pub source: TreeSource,
}

impl TreeSource {
    /// What a person would call this source.
    pub fn describe(&self) -> String {
        match self {
            TreeSource::Debian { package, version, .. } => format!("Debian {package} {version}"),
            TreeSource::Tarball { location, .. } => format!("tarball {location}"),
            TreeSource::Git { repository, revision } => format!("git {repository} {revision}"),
            TreeSource::Path { directory } => format!("directory {}", directory.display()),
        }
    }

    /// Checks what can be seen without fetching anything.
    ///
    /// # Errors
    /// A usage fault that names the field.
    pub fn validate(&self) -> Result<(), Fault> {
        let bad = |field: &str, value: &str, wanted: &str| {
            Err(Fault::usage(format!("`{field} = \"{}\"`: {wanted}", value.escape_default())))
        };
        match self {
            TreeSource::Debian { package, version, suites } => {
                let word = |text: &str| {
                    !text.is_empty()
                        && !text.starts_with('-')
                        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.:~_".contains(&b))
                };
                if !word(package) {
                    return bad("package", package, "not a Debian package name");
                }
                if !word(&version.replace('*', "x")) {
                    return bad("version", version, "not a Debian version, nor a pattern with `*`");
                }
                if suites.is_empty() {
                    return bad("suites", "[]", "name at least one suite");
                }
                match suites.iter().find(|suite| !word(suite)) {
                    Some(suite) => bad("suites", suite, "not a Debian suite"),
                    None => Ok(()),
                }
            }
            TreeSource::Tarball { sha256, .. } => {
                if sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                    Ok(())
                } else {
                    bad("sha256", sha256, "64 hexadecimal digits are wanted")
                }
            }
            TreeSource::Git { revision, repository } => {
                if revision.is_empty() || revision.starts_with('-') {
                    return bad("revision", revision, "not a git revision");
                }
                if repository.is_empty() || repository.starts_with('-') {
                    return bad("repository", repository, "not a git repository");
                }
                Ok(())
            }
            TreeSource::Path { directory } => kernel_directory(directory),
        }
    }
}

/// Whether a directory holds a kernel source.
///
/// # Errors
/// A usage fault that says which of the marks of a kernel tree is missing.
pub fn kernel_directory(directory: &Path) -> Result<(), Fault> {
    if !directory.is_dir() {
        return Err(Fault::usage(format!("{} is no directory", directory.display()))
            .help("give the top of a kernel source: --tree path=DIR"));
    }
    for mark in ["Makefile", "Kconfig", "arch"] {
        if !directory.join(mark).exists() {
            return Err(Fault::usage(format!(
                "{} is no kernel source: there is no {mark} in it",
                directory.display()
            ))
            .help("give the top of a kernel source: --tree path=DIR"));
        }
    }
    Ok(())
}

/// Reads a `--tree` value: a name of `lab.toml`, `path=DIR`, or `NAME=path:DIR`.
///
/// # Errors
/// A usage fault for a malformed name or a directory that is no kernel source.
pub fn parse_ad_hoc(value: &str) -> Result<Option<Tree>, Fault> {
    let Some((left, right)) = value.split_once('=') else {
        return Ok(None);
    };
    let (name, directory) = match (left, right.strip_prefix("path:")) {
        ("path", None) => (TreeName::parse("local")?, right),
        ("path", Some(_)) => {
            return Err(Fault::usage(format!("`--tree {value}`: write `path=DIR` or `NAME=path:DIR`")));
        }
        (name, Some(directory)) => (TreeName::parse(name)?, directory),
        (_, None) => {
            return Err(Fault::usage(format!("`--tree {value}`: write `path=DIR` or `NAME=path:DIR`")));
        }
    };
    let directory =
        std::path::absolute(directory).map_err(|error| Fault::usage(format!("`--tree {value}`: {error}")))?;
    let source = TreeSource::Path { directory };
    source.validate()?;
    Ok(Some(Tree { name, source }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ad_hoc_trees_are_told_from_names() {
        let kernel = tempfile::tempdir().unwrap();
        for mark in ["Makefile", "Kconfig"] {
            fs_err::write(kernel.path().join(mark), "").unwrap();
        }
        let value = format!("path={}", kernel.path().display());
        let error = parse_ad_hoc(&value).unwrap_err();
        assert!(error.to_string().contains("no arch"), "{error}");
        fs_err::create_dir(kernel.path().join("arch")).unwrap();
        assert_eq!(parse_ad_hoc(&value).unwrap().unwrap().name.as_str(), "local");
        let named = format!("mine=path:{}", kernel.path().display());
        assert_eq!(parse_ad_hoc(&named).unwrap().unwrap().name.as_str(), "mine");
        assert!(parse_ad_hoc("5.10").unwrap().is_none());
        assert!(parse_ad_hoc("mine=DIR").is_err());
        assert!(parse_ad_hoc("path=/does/not/exist").is_err());
    }

    #[test]
    fn a_source_that_could_be_an_option_is_refused() {
        let git = TreeSource::Git { repository: "/r".into(), revision: "--upload-pack=x".into() };
        assert!(git.validate().is_err());
        let debian = TreeSource::Debian {
            package: "linux-source-5.10".into(),
            version: "5.10.*".into(),
            suites: vec!["-o".into()],
        };
        assert!(debian.validate().is_err());
    }
}
