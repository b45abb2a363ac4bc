// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules to programs: `configs/profiles/compile.c`, linked with libseccomp and run on this host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use seccomp_oracle::insn::Insn;
use seccomp_oracle::program::INSNS_MAX;

use crate::fault::Fault;
use crate::lab::profile::rules::{Layout, Rules};
use crate::lab::profile::{FOLDER, Package};
use crate::run::context::Context;
use crate::run::unpacked::{ARCHIVES, Unpacked};
use crate::sys::process::{Captured, Exit, capture, command, tail};
use crate::sys::temporary::Temporary;

/// The package with the header and the static library.
const PACKAGE: &str = "libseccomp-dev";

/// Longest that gcc or one of the small programs may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// Where libseccomp is.
struct Library {
    /// More folders for headers.
    includes: Vec<PathBuf>,
    /// `libseccomp.a`.
    archive: PathBuf,
}

/// A compiled `compile.c`.
pub struct Compiler {
    folder: Temporary,
}

/// What came of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The program.
    pub insns: Vec<Insn>,
    /// Calls that libseccomp does not know; the program has no rule for them.
    pub unknown: Vec<String>,
}

impl Compiler {
    /// Compiles `compile.c` with the library of Debian's package, which is unpacked into the cache.
    ///
    /// # Errors
    /// Infra faults of fetching; a program of ours that does not compile.
    pub fn of_package(context: &Context<'_>) -> Result<(Self, Package)> {
        let package = Unpacked::one(context, PACKAGE, "amd64")?;
        let compiler = Self::build(context, &Library::below(package.whole(context)?))?;
        let version = package.version()?;
        Ok((compiler, Package { package: PACKAGE.into(), version }))
    }

    /// Compiles `compile.c` with this host's library if it has one, else with the package's.
    ///
    /// # Errors
    /// As [`Compiler::of_package`].
    pub fn of_host(context: &Context<'_>) -> Result<Self> {
        let mut asking = command("gcc");
        asking.arg("-print-file-name=libseccomp.a");
        let said = capture(asking, "finding libseccomp.a", DEADLINE, b"")?.text();
        let archive = PathBuf::from(said.trim());
        if archive.is_absolute() && Path::new("/usr/include/seccomp.h").is_file() {
            return Self::build(context, &Library { includes: Vec::new(), archive });
        }
        Ok(Self::of_package(context)?.0)
    }

    fn build(context: &Context<'_>, library: &Library) -> Result<Self> {
        let folder = context.cache.temporary()?;
        let mut gcc = compiling(context, library, "compile.c", &folder.path().join("compile"));
        gcc.arg(&library.archive);
        finished(capture(gcc, "compiling compile.c", DEADLINE, b"")?, "compiling compile.c")?;
        Ok(Self { folder })
    }

    /// Compiles rules.
    ///
    /// # Errors
    /// An infra fault with libseccomp's words. What can be wrong with rules was found where they were read, apart from
    /// architectures that this libseccomp does not know and rules that it cannot bring together.
    pub fn compile(&self, what: &str, rules: &Rules, layout: Layout) -> Result<Compiled> {
        let running = command(self.folder.path().join("compile"));
        let text = rules.text(layout);
        let said = capture(running, &format!("compiling {what}"), DEADLINE, text.as_bytes())?;
        let unknown = said.stderr.lines().filter_map(|line| line.strip_prefix("unknown ")).map(str::to_owned);
        let unknown = unknown.collect();
        if said.exit == Exit::Code(1) {
            let told = said.stderr.lines().last().unwrap_or_default();
            let asked = told
                .strip_prefix("line ")
                .and_then(|rest| rest.split_once(':')?.0.parse::<usize>().ok())
                .and_then(|number| text.lines().nth(number.checked_sub(1)?));
            let line = asked.map_or_else(String::new, |line| format!(" (`{line}`)"));
            return Err(Fault::usage(format!("{what}: libseccomp does not compile it: {told}{line}")).into());
        }
        let said = finished(said, &format!("compiling {what}"))?;
        let insns = instructions(&said.stdout).with_context(|| format!("compiling {what}"))?;
        Ok(Compiled { insns, unknown })
    }

    /// The names of calls that libseccomp knows on x86.
    ///
    /// # Errors
    /// If the program does not run.
    pub fn names(&self) -> Result<Vec<String>> {
        Ok(self.ask("names")?.lines().map(str::to_owned).collect())
    }

    /// The version of libseccomp, as `2.5.4`.
    ///
    /// # Errors
    /// If the program does not run.
    pub fn version(&self) -> Result<String> {
        Ok(self.ask("version")?.trim().to_owned())
    }

    fn ask(&self, word: &str) -> Result<String> {
        let mut running = command(self.folder.path().join("compile"));
        running.arg(word);
        let what = format!("asking libseccomp for its {word}");
        Ok(finished(capture(running, &what, DEADLINE, b"")?, &what)?.text())
    }
}

impl Library {
    fn below(folder: &Path) -> Self {
        Self {
            includes: vec![folder.join("usr/include")],
            archive: folder.join(ARCHIVES).join("libseccomp.a"),
        }
    }
}

fn compiling(context: &Context<'_>, library: &Library, source: &str, output: &Path) -> std::process::Command {
    let mut gcc = command("gcc");
    gcc.args(["-std=gnu11", "-O2", "-Wall", "-Wextra"]);
    for include in &library.includes {
        gcc.arg("-isystem").arg(include);
    }
    gcc.arg(context.lab.root.join(FOLDER).join(source)).arg("-o").arg(output);
    gcc
}

fn finished(said: Captured, what: &str) -> Result<Captured> {
    match said.exit {
        Exit::Code(0) => Ok(said),
        Exit::Interrupted => Err(Fault::interrupted().into()),
        exit => Err(Fault::infra(format!("{what}: {exit}\n{}", tail(&said.stderr, 2000))).into()),
    }
}

/// Reads a program as `struct sock_filter`s.
///
/// # Errors
/// A usage fault for a length that no program has.
pub fn instructions(bytes: &[u8]) -> Result<Vec<Insn>, Fault> {
    let (whole, rest) = bytes.as_chunks::<{ Insn::SIZE }>();
    if rest.is_empty() && whole.len() > INSNS_MAX {
        let count = whole.len();
        return Err(Fault::usage(format!(
            "a program of {count} instructions: kernels take at most {INSNS_MAX}"
        )));
    }
    if bytes.is_empty() || !rest.is_empty() {
        return Err(Fault::usage(format!(
            "{} bytes are no program: it has 1 to {INSNS_MAX} instructions of {} bytes",
            bytes.len(),
            Insn::SIZE
        )));
    }
    Ok(whole.iter().map(|bytes| Insn::from_bytes(*bytes)).collect())
}

/// A filter that a program attaches through libseccomp, caught by `configs/profiles/capture.c`.
pub struct Capture<'a> {
    context: &'a Context<'a>,
    folder: Temporary,
    libraries: PathBuf,
}

impl<'a> Capture<'a> {
    /// Compiles `capture.c`. `libraries` is a folder for the program's dynamic linker.
    ///
    /// # Errors
    /// Infra faults of fetching; a library of ours that does not compile.
    pub fn new(context: &'a Context<'a>, libraries: PathBuf) -> Result<Self> {
        let library = Library::below(Unpacked::one(context, PACKAGE, "amd64")?.whole(context)?);
        let folder = context.cache.temporary()?;
        let mut gcc = compiling(context, &library, "capture.c", &folder.path().join("capture.so"));
        gcc.args(["-shared", "-fPIC"]);
        finished(capture(gcc, "compiling capture.c", DEADLINE, b"")?, "compiling capture.c")?;
        Ok(Self { context, folder, libraries })
    }

    /// Runs a program until it attaches a filter; `arch` makes it one for another architecture.
    ///
    /// # Errors
    /// An infra fault if it attaches none.
    pub fn run(&self, program: &Path, arguments: &[&str], arch: Option<&str>) -> Result<Vec<Insn>> {
        let caught = self.context.cache.temporary()?;
        let path = caught.path().join("program");
        let mut running = command(program);
        running
            .args(arguments)
            .env("LD_LIBRARY_PATH", &self.libraries)
            .env("LD_PRELOAD", self.folder.path().join("capture.so"))
            .env("LAB_CAPTURE", &path);
        if let Some(arch) = arch {
            running.env("LAB_CAPTURE_ARCH", arch);
        }
        let what = format!("running {}", program.display());
        finished(capture(running, &what, DEADLINE, b"")?, &what)?;
        let bytes = fs_err::read(&path).map_err(|error| {
            Fault::infra(format!("{what}: it attached no filter through libseccomp: {error}"))
        })?;
        instructions(&bytes).with_context(|| what.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_whole_instructions_and_not_too_many() {
        let one = Insn::ret(0x7fff_0000);
        assert_eq!(instructions(&one.to_bytes()).unwrap(), [one]);
        assert_eq!(instructions(&[0; 8 * 4096]).unwrap().len(), 4096);
        for length in [0, 1, 7, 9, 8 * 4096 + 1] {
            let told = instructions(&vec![0; length]).unwrap_err().to_string();
            assert!(told.starts_with(&format!("{length} bytes are no program")), "{told}");
        }
        let told = instructions(&[0; 8 * 20092]).unwrap_err().to_string();
        assert_eq!(told, "a program of 20092 instructions: kernels take at most 4096");
    }
}
