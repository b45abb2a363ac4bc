// SPDX-License-Identifier: MIT OR Apache-2.0
//! Real filters: the compiled profiles under `configs/profiles/`, and `profiles.toml`, which says where each is from.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use seccomp_oracle::chain;
use seccomp_oracle::insn::Insn;
use seccomp_oracle::request;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::fault::Fault;
use crate::lab::files::read_toml;
use crate::lab::kernel::{Abi, Arch};
use crate::lab::patch::hex;

pub mod oci;
pub mod rules;
pub mod sets;

/// Where the profiles are, from the top of the lab's checkout.
pub const FOLDER: &str = "configs/profiles";

/// The file that lists them.
pub const MANIFEST: &str = "profiles.toml";

/// What makes all of them again.
pub const COMMAND: &str = "cargo xtask profiles";

/// How the names of systemd's profiles begin; `@` stands for it as well.
pub const SYSTEMD_PREFIX: &str = "systemd-";

/// The architectures whose calls a profile, or one filter of it, decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Calls {
    /// All that a 64-bit kernel has.
    #[serde(rename = "x86_64+x86+x32")]
    All,
    /// Those of 64-bit programs.
    #[serde(rename = "x86_64")]
    X86_64,
    /// Those of 32-bit programs: all that a 32-bit kernel has.
    #[serde(rename = "x86")]
    X86,
    /// Those of 64-bit programs with 32-bit pointers.
    #[serde(rename = "x32")]
    X32,
}

impl Calls {
    /// As it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::All => "x86_64+x86+x32",
            Self::X86_64 => "x86_64",
            Self::X86 => "x86",
            Self::X32 => "x32",
        }
    }

    /// Whether a profile is attached on a kernel: one for 32 bits on every kernel, the others where there are 64-bit
    /// programs.
    fn is_for(self, arch: Arch) -> bool {
        self == Self::X86 || arch == Arch::X86_64
    }
}

/// A Debian package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: String,
}

/// `profiles.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What makes all files again.
    pub command: String,
    /// What compiled the rules.
    pub compiler: Package,
    /// Where rules or programs are from, by the name that [`Entry::source`] has.
    pub source: BTreeMap<String, Package>,
    /// The profiles.
    pub profile: Vec<Entry>,
}

/// One `[[profile]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it is called by: a part of a sub-result's name.
    pub name: String,
    /// What it is, in one line.
    pub title: String,
    /// The file beside `profiles.toml`: one chain in the format of `seccomp_oracle::request`.
    pub file: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Which kernels it is for.
    pub calls: Calls,
    /// What each filter is for, oldest first.
    pub filters: Vec<Calls>,
    /// How many instructions each filter has.
    pub instructions: Vec<usize>,
    /// Where it is from.
    pub source: String,
    /// Calls in the source that libseccomp does not know; they are left out, as the profile's user does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// One filter of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Whose calls it decides.
    pub calls: Calls,
    /// Its program.
    pub insns: Vec<Insn>,
}

/// A real filter, or several that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What it is called by.
    pub name: String,
    /// What it is, in one line.
    pub title: String,
    /// Whose calls it decides.
    pub calls: Calls,
    /// Its filters, oldest first, as its own user attaches them.
    pub filters: Vec<Filter>,
}

impl Profile {
    /// The filters in an order that a task of an ABI can attach, oldest first.
    ///
    /// A filter may forbid `seccomp()` to the programs that it is for, and lets those of other architectures through;
    /// so the one for the task's own ABI comes last. The order does not change the bits of the cache.
    pub fn chain_for(&self, abi: Abi) -> Vec<Vec<Insn>> {
        let own = match abi {
            Abi::Bits64 => Calls::X86_64,
            Abi::Bits32 => Calls::X86,
        };
        let (last, first): (Vec<&Filter>, Vec<&Filter>) =
            self.filters.iter().partition(|filter| filter.calls == own);
        first.into_iter().chain(last).map(|filter| filter.insns.clone()).collect()
    }
}

/// The chains that a guest of a kernel and an ABI attaches, with the names of their profiles.
pub fn chains(profiles: &[Profile], arch: Arch, abi: Abi) -> Vec<(String, Vec<Vec<Insn>>)> {
    let fitting = profiles.iter().filter(|profile| profile.calls.is_for(arch));
    fitting.map(|profile| (profile.name.clone(), profile.chain_for(abi))).collect()
}

/// Reads the profiles of the lab's checkout.
///
/// # Errors
/// A usage fault that names the file: one that is missing, does not fit its digest, is no chain, has other lengths than
/// `profiles.toml` says, or holds a program that kernels refuse.
pub fn read(root: &Path) -> Result<Vec<Profile>> {
    let folder = root.join(FOLDER);
    let manifest = read_manifest(&folder)?;
    manifest.profile.iter().map(|entry| read_one(&folder, entry)).collect()
}

/// Reads `profiles.toml`.
///
/// # Errors
/// A usage fault that names the file and the line, or a name that is there twice.
pub fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = read_toml(&path).map_err(|error| remake(format!("reading the profiles: {error}")))?;
    let manifest: Manifest = toml::from_str(&text)
        .map_err(|error| remake(format!("{}: {}", path.display(), error.to_string().trim_end())))?;
    for (at, entry) in manifest.profile.iter().enumerate() {
        if manifest.profile[..at].iter().any(|before| before.name == entry.name) {
            return Err(remake(format!("{}: `{}` is there twice", path.display(), entry.name)).into());
        }
    }
    Ok(manifest)
}

fn read_one(folder: &Path, entry: &Entry) -> Result<Profile> {
    let path = folder.join(&entry.file);
    let bytes =
        fs::read(&path).map_err(|error| remake(format!("reading profile `{}`: {error}", entry.name)))?;
    check(entry, &bytes).map_err(|fault| fault.within(&path.display().to_string()).into())
}

/// A profile out of its file's bytes, held against what `profiles.toml` says of it.
fn check(entry: &Entry, bytes: &[u8]) -> Result<Profile, Fault> {
    let digest = digest(bytes);
    if digest != entry.sha256 {
        return Err(remake(format!("its SHA-256 is {digest}, not the {} of {MANIFEST}", entry.sha256)));
    }
    let chains = request::decode(bytes).map_err(|error| remake(error.to_string()))?;
    let [request::Chain { filters, .. }] = &chains[..] else {
        return Err(remake(format!("it holds {} chains, and a profile is one", chains.len())));
    };
    let lengths: Vec<usize> = filters.iter().map(Vec::len).collect();
    if lengths != entry.instructions || lengths.len() != entry.filters.len() {
        return Err(remake(format!(
            "its filters have {lengths:?} instructions, not the {:?} of {MANIFEST}, which names {} filters",
            entry.instructions,
            entry.filters.len()
        )));
    }
    chain::check(filters).map_err(|refusal| remake(format!("the kernel refuses it: {refusal}")))?;
    let filter = |(calls, insns): (&Calls, &Vec<Insn>)| Filter { calls: *calls, insns: insns.clone() };
    Ok(Profile {
        name: entry.name.clone(),
        title: entry.title.clone(),
        calls: entry.calls,
        filters: entry.filters.iter().zip(filters).map(filter).collect(),
    })
}

/// SHA-256, in hex.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn remake(message: String) -> Fault {
    Fault::usage(message).help(format!("make the profiles again with `{COMMAND}`"))
}

impl Manifest {
    /// The text of `profiles.toml`.
    ///
    /// # Errors
    /// If TOML cannot say it.
    pub fn text(&self) -> Result<String> {
        let body = toml::to_string(self).context("writing the list of profiles")?;
        Ok(format!(
            "# SPDX-License-Identifier: MIT OR Apache-2.0\n#\n# Made by `{COMMAND}`; README.md says what it is.\n\n{body}"
        ))
    }
}

#[cfg(test)]
#[path = "profile/profile_tests.rs"]
mod tests;
