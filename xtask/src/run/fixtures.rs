// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes the files of `configs/profiles/` again: rules out of Debian's packages, compiled by libseccomp; and the
//! program that QEMU attaches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;
use seccomp_oracle::insn::Insn;
use seccomp_oracle::request::{self, Chain};

use crate::lab::profile::oci::{self, Container, DOCKER_CAPABILITIES, Engine, PODMAN_CAPABILITIES};
use crate::lab::profile::rules::{FilterArch, Layout};
use crate::lab::profile::sets::{ATTACHED, Sets};
use crate::lab::profile::{COMMAND, Calls, Entry, MANIFEST, Manifest, Package, SYSTEMD_PREFIX, digest};
use crate::run::context::Context;
use crate::run::libseccomp::{Capture, Compiler};
use crate::run::unpacked::Unpacked;
use crate::sys::process::{capture, command};

/// How a profile's file ends.
const EXTENSION: &str = "chain";

/// Longest that `systemd-analyze` may take.
const LIST_DEADLINE: Duration = Duration::from_secs(60);

/// Where Debian keeps libraries for 64-bit x86, below a package's folder.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// A JSON profile in a package.
struct Engined {
    name: &'static str,
    what: &'static str,
    package: &'static str,
    file: &'static str,
    capabilities: &'static [&'static str],
}

const ENGINES: [Engined; 2] = [
    Engined {
        name: "docker",
        what: "Docker's default profile",
        package: "golang-github-docker-docker-dev",
        file: "usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json",
        capabilities: DOCKER_CAPABILITIES,
    },
    Engined {
        name: "podman",
        what: "podman's default profile",
        package: "golang-github-containers-common",
        file: "usr/share/containers/seccomp.json",
        capabilities: PODMAN_CAPABILITIES,
    },
];

/// QEMU's own filters: without further words, and as a management program such as libvirt asks for it.
const SANDBOXES: [(&str, &str); 2] = [
    ("qemu-sandbox", "on"),
    ("qemu-sandbox-deny", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
];

/// The files, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

struct Maker<'a> {
    context: &'a Context<'a>,
    compiler: Compiler,
    manifest: Manifest,
    files: Files,
}

/// One profile before it is written.
struct Draft {
    name: String,
    title: String,
    calls: Calls,
    filters: Vec<(Calls, Vec<Insn>)>,
    unknown: Vec<String>,
}

/// Makes all files, `profiles.toml` among them.
///
/// # Errors
/// Infra faults of packages; a profile in them that is not understood.
pub fn make(context: &Context<'_>) -> Result<Files> {
    let (compiler, package) = Compiler::of_package(context)?;
    let manifest =
        Manifest { command: COMMAND.into(), compiler: package, source: BTreeMap::new(), profile: Vec::new() };
    let mut maker = Maker { context, compiler, manifest, files: Files::new() };
    for engined in &ENGINES {
        maker.engine(engined)?;
    }
    maker.systemd()?;
    maker.qemu()?;
    let mut files = maker.files;
    files.insert(MANIFEST.into(), maker.manifest.text()?.into_bytes());
    Ok(files)
}

impl Maker<'_> {
    /// A package's folder; its version is written down under the name of a source.
    fn package(&mut self, source: &str, package: &str) -> Result<PathBuf> {
        let unpacked = Unpacked::one(self.context, package, "amd64")?;
        let folder = unpacked.whole(self.context)?.to_owned();
        let version = unpacked.version()?;
        self.manifest.source.insert(source.into(), Package { package: package.into(), version });
        Ok(folder)
    }

    fn engine(&mut self, engined: &Engined) -> Result<()> {
        let path = self.package(engined.name, engined.package)?.join(engined.file);
        let text = fs::read_to_string(&path)?;
        for (engine, calls) in [(Engine::Amd64, Calls::All), (Engine::I386, Calls::X86)] {
            let container = Container { engine, capabilities: engined.capabilities };
            let rules = oci::parse(&path.display().to_string(), &text, container)?;
            for (layout, suffix, words) in
                [(Layout::Linear, "", "a list"), (Layout::Tree, "-tree", "a binary tree")]
            {
                let name = named(&format!("{}{suffix}", engined.name), calls);
                let compiled = self.compiler.compile(&name, &rules, layout)?;
                self.add(
                    engined.name,
                    Draft {
                        title: format!("{}, {words}, for {}", engined.what, calls.text()),
                        name,
                        calls,
                        filters: vec![(calls, compiled.insns)],
                        unknown: compiled.unknown,
                    },
                )?;
            }
        }
        Ok(())
    }

    fn systemd(&mut self) -> Result<()> {
        let folder = self.package("systemd", "systemd")?;
        let shared = Unpacked::one(self.context, "libsystemd-shared", "amd64")?;
        let shared = shared.whole(self.context)?;
        let mut listing = command(folder.join("usr/bin/systemd-analyze"));
        // Empty answers instead of the host's: neither its kernel nor its pager has a say.
        listing
            .args(["--no-pager", "syscall-filter"])
            .env("LD_LIBRARY_PATH", shared.join(LIBRARIES).join("systemd"));
        let what = "systemd-analyze syscall-filter";
        let said = capture(listing, what, LIST_DEADLINE, b"")?.success(what);
        let said = said.map_err(|error| {
            crate::fault::Fault::infra(format!("{error:#}"))
                .help("it needs the libraries of systemd on this host: apt-get install systemd")
        })?;
        let sets = Sets::parse(&said.text())?;
        for set in sets.names().map(str::to_owned).collect::<Vec<_>>() {
            self.systemd_set(&sets, &set, Calls::All, &ATTACHED)?;
            self.systemd_set(&sets, &set, Calls::X86, &[FilterArch::X86])?;
        }
        Ok(())
    }

    fn systemd_set(&mut self, sets: &Sets, set: &str, calls: Calls, arches: &[FilterArch]) -> Result<()> {
        let name = named(&format!("{SYSTEMD_PREFIX}{}", set.trim_start_matches('@')), calls);
        let mut filters = Vec::new();
        let mut unknown: Vec<String> = Vec::new();
        for arch in arches {
            let compiled = self.compiler.compile(&name, &sets.allow(set, *arch)?, Layout::Linear)?;
            let decides = match *arch {
                FilterArch::X86 => Calls::X86,
                FilterArch::X32 => Calls::X32,
                _ => Calls::X86_64,
            };
            filters.push((decides, compiled.insns));
            unknown.extend(compiled.unknown);
        }
        unknown.sort();
        unknown.dedup();
        let title = format!("systemd's SystemCallFilter={set}, for {}", calls.text());
        self.add("systemd", Draft { name, title, calls, filters, unknown })
    }

    fn qemu(&mut self) -> Result<()> {
        let program = self.package("qemu", "qemu-system-x86")?.join("usr/bin/qemu-system-x86_64");
        let library = self.package("qemu-libseccomp", "libseccomp2")?;
        let catching = Capture::new(self.context, library.join(LIBRARIES))?;
        for (base, words) in SANDBOXES {
            for (calls, arch) in [(Calls::X86_64, None), (Calls::X86, Some("x86"))] {
                let arguments =
                    ["-sandbox", words, "-machine", "none", "-nodefaults", "-display", "none", "-S"];
                let insns = catching.run(&program, &arguments, arch)?;
                let draft = Draft {
                    name: named(base, calls),
                    title: format!("QEMU's -sandbox {words}, for {}", calls.text()),
                    calls,
                    filters: vec![(calls, insns)],
                    unknown: Vec::new(),
                };
                self.add("qemu", draft)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, source: &str, draft: Draft) -> Result<()> {
        let Draft { name, title, calls, filters, unknown } = draft;
        let (decided, programs): (Vec<Calls>, Vec<Vec<Insn>>) = filters.into_iter().unzip();
        let instructions = programs.iter().map(Vec::len).collect();
        let bytes = request::encode(&[Chain { id: 0, filters: programs }])
            .with_context(|| format!("writing profile {name}"))?;
        let file = format!("{name}.{EXTENSION}");
        let sha256 = digest(&bytes);
        self.files.insert(file.clone(), bytes);
        let source = source.to_owned();
        let entry =
            Entry { name, title, file, sha256, calls, filters: decided, instructions, source, unknown };
        self.manifest.profile.push(entry);
        Ok(())
    }
}

/// The name of a profile: that of its 64-bit form, or with an ending.
fn named(base: &str, calls: Calls) -> String {
    if calls == Calls::X86 { format!("{base}-x86") } else { base.to_owned() }
}

/// The files that are there, as far as this module makes them.
///
/// # Errors
/// If the folder cannot be read.
pub fn present(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == MANIFEST || path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.insert(name, fs::read(&path)?);
        }
    }
    Ok(files)
}
