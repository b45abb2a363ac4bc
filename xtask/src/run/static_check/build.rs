// SPDX-License-Identifier: MIT OR Apache-2.0
//! Build directories of static checks: single objects, and the compiler commands that made them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::Subject;
use super::cross::Tools;
use super::warnings::read;
use crate::fault::Fault;
use crate::lab::fragment::Symbols;
use crate::parse::make::{BuildFailure, BuildReport};
use crate::record::store::remove_if_there;
use crate::run::config::{BuildFolder, parallelism};
use crate::run::killed_make::{mark, recover};
use crate::run::worktree;
use crate::sys::logged::logged;
use crate::sys::process::{Exit, capture, command};
use crate::sys::temporary::Temporary;

/// Most that is read of what a make says, in bytes.
const SAID_BYTES_MAX: usize = 8 << 20;

/// The source of an object.
pub(super) fn source_of(object: &str) -> String {
    object.strip_suffix(".o").map_or_else(|| object.to_owned(), |stem| format!("{stem}.c"))
}

/// A build directory in which objects can be made.
pub(super) struct Objects<'a> {
    subject: &'a Subject<'a>,
    folder: BuildFolder,
    words: Vec<String>,
    environment: Vec<(&'static str, OsString)>,
    deadline: Duration,
    log: PathBuf,
    /// Nobody else builds in it.
    _lock: crate::sys::lock::Lock,
}

/// What came of a make.
pub(super) struct Made {
    /// How it ended.
    pub(super) exit: Exit,
    /// What its lines say.
    pub(super) report: BuildReport,
    /// Its lines.
    pub(super) said: String,
}

impl<'a> Objects<'a> {
    /// The directory for the cell's own kernel config, or for a cross toolchain. The work tree
    /// holds the source from here on.
    ///
    /// # Errors
    /// Trouble of the lab's.
    pub(super) fn open(
        subject: &'a Subject<'a>,
        tools: Option<&Tools<'_>>,
        deadline: Duration,
    ) -> Result<Self> {
        let context = subject.context;
        worktree::check_out(context, subject.source)?;
        let work = &subject.source.imported.work;
        let (name, words, environment) = match tools {
            Some(tools) => {
                tools.see_to(context)?;
                let name = format!("static-cross-{}", tools.declared.arch);
                (name, tools.make_words(), tools.environment())
            }
            None => {
                let arch = subject.config.arch.make_name();
                let words = [vec![format!("ARCH={arch}")], subject.config.make.clone()].concat();
                (format!("static-{arch}"), words, Vec::new())
            }
        };
        let folder = BuildFolder { path: work.builds().join(&name), work: work.sources() };
        fs::create_dir_all(&folder.path)?;
        let lock = context.lock(&folder.beside("lock"), &format!("the build directory {name}"))?;
        let mark = folder.making_mark();
        if mark.exists() {
            recover(&folder, &mark)?;
            fs::remove_file(&mark)?;
        }
        let log = context.folder.join(format!("{name}.log"));
        Ok(Self { subject, folder, words, environment, deadline, log, _lock: lock })
    }

    /// The top of the sources.
    pub(super) fn sources(&self) -> &Path {
        &self.folder.work
    }

    fn make(&self, targets: &[&str]) -> Result<Made> {
        let mut make = command("make");
        let mut output = OsString::from("O=");
        output.push(&self.folder.path);
        make.current_dir(&self.folder.work).arg(output).args(&self.words);
        make.args(["LOCALVERSION=", "KBUILD_BUILD_USER=lab", "KBUILD_BUILD_HOST=seccomp-lab"]);
        make.arg("KBUILD_BUILD_TIMESTAMP=Thu Jan 1 00:00:00 UTC 2020").arg("KBUILD_BUILD_VERSION=1");
        make.arg(format!("-j{}", parallelism())).args(targets).envs(self.environment.iter().cloned());
        // A place of its own: a few objects must not wait for whole kernels of other labs.
        let _slot = self.subject.context.slot("build single objects", 1)?;
        let mark = mark(&self.folder, &self.subject.name)?;
        let mut said = String::new();
        let what = format!("make {}", targets.first().copied().unwrap_or_default());
        let exit = logged(make, &what, self.deadline, &self.log, &mut |line| {
            if said.len() < SAID_BYTES_MAX {
                said.push_str(line);
                said.push('\n');
            }
        })?;
        let report = read(&said)?;
        match exit {
            // A part of make was killed: half an object may be left.
            Exit::Code(_) if matches!(report.failure, Some(BuildFailure::Host { .. })) => {}
            Exit::Code(_) => fs::remove_file(&mark)?,
            exit => {
                return Err(Fault::infra(format!("{what} for a static check: {exit}"))
                    .help(format!("see {}", self.log.display()))
                    .into());
            }
        }
        Ok(Made { exit, report, said })
    }

    /// Makes a config: `tinyconfig`, or a text, with symbols on top. Gives the final one.
    ///
    /// # Errors
    /// Trouble of the lab's, which includes a Kconfig that does not run: the kernel was built with it.
    pub(super) fn configure(
        &self,
        base: Option<&str>,
        symbols: &BTreeMap<String, String>,
    ) -> Result<Symbols> {
        let dot_config = self.folder.path.join(".config");
        let run = |target: &str| -> Result<()> {
            let made = self.make(&[target])?;
            anyhow::ensure!(made.exit.is_success(), "make {target}: {}\n{}", made.exit, last(&made.said, 5));
            Ok(())
        };
        let mut text = match base {
            Some(text) => text.to_owned(),
            None => {
                run("tinyconfig")?;
                fs::read_to_string(&dot_config)?
            }
        };
        let mut wanted = Symbols::default();
        symbols.iter().for_each(|(name, value)| wanted.set(name, value));
        text.push('\n');
        text.push_str(&wanted.to_fragment());
        fs::write(&dot_config, &text)?;
        run("olddefconfig")?;
        Ok(Symbols::parse_config(&fs::read_to_string(&dot_config)?))
    }

    /// Makes objects anew, so that all their warnings are told; what fails does not keep others from
    /// being made.
    ///
    /// # Errors
    /// Trouble of the lab's.
    pub(super) fn objects(&self, objects: &[&str], words: &[&str]) -> Result<Made> {
        for object in objects {
            // The command goes with the object: that of an earlier tree says nothing of this one.
            for old in [self.folder.path.join(object), self.command_of(object)] {
                remove_if_there(&old)?;
            }
        }
        self.make(&[&["--keep-going"], words, objects].concat())
    }

    /// Whether an object was made.
    pub(super) fn has(&self, object: &str) -> bool {
        self.folder.path.join(object).is_file()
    }

    /// Where make keeps the command that made an object.
    fn command_of(&self, object: &str) -> PathBuf {
        let (folder, name) = object.rsplit_once('/').unwrap_or(("", object));
        self.folder.path.join(folder).join(format!(".{name}.cmd"))
    }

    /// How an object was compiled.
    ///
    /// # Errors
    /// If make kept no command, or one that is not understood.
    pub(super) fn recorded(&self, object: &str) -> Result<Recorded> {
        let path = self.command_of(object);
        let text = fs::read_to_string(&path)?;
        Recorded::parse(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Compiles a file as an object was compiled, with folders of headers before all others.
    ///
    /// # Errors
    /// Trouble of the lab's.
    pub(super) fn compile(&self, how: &Recorded, file: &Path, headers: &[PathBuf]) -> Result<Made> {
        let mut shell = command("sh");
        shell.arg("-c").arg(how.command(file, headers)).current_dir(&self.folder.path);
        shell.envs(self.environment.iter().cloned());
        let what = format!("compiling {}", file.display());
        let captured = capture(shell, &what, self.deadline, b"")?;
        match captured.exit {
            Exit::Code(_) => {}
            Exit::Interrupted => return Err(Fault::interrupted().into()),
            exit => return Err(Fault::infra(format!("{what}: {exit}")).into()),
        }
        Ok(Made { exit: captured.exit, report: read(&captured.stderr)?, said: captured.stderr })
    }
}

/// The last lines of a text.
pub(super) fn last(said: &str, count: usize) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The command that compiled an object, up to its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    compiler: String,
    flags: String,
}

impl Recorded {
    /// Reads a `.cmd` file of kbuild: `cmd_x.o := gcc … -c -o x.o x.c`, and more commands behind `;`.
    fn parse(text: &str) -> Result<Self> {
        let line = text.lines().find(|line| line.starts_with("cmd_") || line.starts_with("savedcmd_"));
        let line = line.and_then(|line| line.split_once(" := ")).context("it holds no command")?.1;
        let line = line.replace("$(pound)", "#").replace(r"\#", "#").replace("$$", "$");
        let command = line.split(" ; ").next().unwrap_or(&line);
        let (before, _) = command.rsplit_once(" -c -o ").context("its command is not `… -c -o …`")?;
        let (compiler, flags) = before.trim_start().split_once(' ').context("its command has no flags")?;
        // The list of headers is the object's own.
        let flags: Vec<&str> = flags.split(' ').filter(|word| !word.starts_with("-Wp,-M")).collect();
        Ok(Self { compiler: compiler.to_owned(), flags: flags.join(" ") })
    }

    fn command(&self, file: &Path, headers: &[PathBuf]) -> String {
        use crate::sys::process::quote;
        let headers = headers.iter().map(|folder| format!("-I{}", quote(&folder.to_string_lossy())));
        let headers: Vec<String> = headers.collect();
        let file = quote(&file.to_string_lossy());
        format!("{} {} {} -c -o /dev/null {file}", self.compiler, headers.join(" "), self.flags)
    }
}

/// The files that a series changes, as they were before it, in a folder laid out like the tree. A
/// second checkout would give every file of the first a new time stamp, and make would build all.
pub(super) struct Baseline {
    folder: Temporary,
    changed: Vec<String>,
}

/// The C files that a source changes, beside those that it adds.
///
/// # Errors
/// With git's words if it fails.
pub(super) fn changed(subject: &Subject<'_>) -> Result<Vec<String>> {
    differing(subject, &subject.source.imported.tree, "--diff-filter=a")
}

/// The C files of a source that are not as another tree has them, new ones included.
///
/// # Errors
/// With git's words if it fails.
pub(super) fn changed_since(subject: &Subject<'_>, tree: &str) -> Result<Vec<String>> {
    differing(subject, tree, "--diff-filter=d")
}

fn differing(subject: &Subject<'_>, tree: &str, filter: &str) -> Result<Vec<String>> {
    let words = ["diff-tree", "-r", "--name-only", "--no-renames", filter, tree, &subject.source.tree];
    let listed = subject.source.imported.git.run(&words)?;
    let listed = listed.text();
    let names = listed.lines().filter(|path| path.ends_with(".c") || path.ends_with(".h"));
    Ok(names.map(str::to_owned).collect())
}

impl Baseline {
    /// Writes the files below some folders that differ between the base tree and the source.
    ///
    /// # Errors
    /// Trouble of the lab's.
    pub(super) fn write(subject: &Subject<'_>) -> Result<Self> {
        Self::write_from(subject, &subject.source.imported.tree)
    }

    /// As [`Baseline::write`], for another tree than the base.
    ///
    /// # Errors
    /// Trouble of the lab's.
    pub(super) fn write_from(subject: &Subject<'_>, tree: &str) -> Result<Self> {
        let folder = subject.context.cache.temporary()?;
        let imported = &subject.source.imported;
        let mut written = Vec::new();
        for path in differing(subject, tree, "--diff-filter=a")? {
            if let Some(text) = imported.git.file(tree, &path)? {
                let to = folder.path().join(&path);
                if let Some(parent) = to.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::write(to, text)?;
                written.push(path);
            }
        }
        Ok(Self { folder, changed: written })
    }

    /// Whether the series changes no C at all.
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// The folder.
    pub(super) fn top(&self) -> &Path {
        self.folder.path()
    }

    /// Folders of headers, for an architecture's folder of `arch/`.
    pub(super) fn headers(&self, arch: &str) -> Vec<PathBuf> {
        let folders = [
            format!("arch/{arch}/include"),
            "include".into(),
            format!("arch/{arch}/include/uapi"),
            "include/uapi".into(),
        ];
        folders.iter().map(|folder| self.top().join(folder)).filter(|folder| folder.is_dir()).collect()
    }

    /// The file as it was, or the one of the work tree where nothing changed it.
    pub(super) fn file(&self, path: &str, sources: &Path) -> PathBuf {
        let there = self.changed.iter().any(|changed| changed == path);
        if there { self.top().join(path) } else { sources.join(path) }
    }
}

/// The folder of `arch/` for `ARCH=`.
pub(super) fn arch_folder(arch: &str) -> &str {
    match arch {
        "x86_64" | "i386" => "x86",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_an_object_compiles_another_file() {
        let text = "cmd_kernel/x.o := gcc -Wp,-MMD,kernel/.x.o.d -nostdinc -I./include \
                    -DKBUILD_BASENAME='\"x\"' -DP=$(pound) -c -o kernel/x.o /w/kernel/x.c ; ./objtool kernel/x.o\n\
                    source_kernel/x.o := /w/kernel/x.c\n";
        let how = Recorded::parse(text).unwrap();
        assert_eq!(
            how.command(Path::new("/t/a b.c"), &[PathBuf::from("/o/include")]),
            "gcc -I/o/include -nostdinc -I./include -DKBUILD_BASENAME='\"x\"' -DP=# -c -o /dev/null '/t/a b.c'"
        );
        assert!(Recorded::parse("deps := x\n").is_err());
        assert!(Recorded::parse("cmd_x.o := ld -r -o x.o y.o\n").is_err());
        assert_eq!(source_of("kernel/x.o"), "kernel/x.c");
    }
}
