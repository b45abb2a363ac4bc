// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guest programs: static, for 64 or 32 bits; found by key, or compiled.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::fault::Fault;
use crate::lab::check::{Check, CheckKind, Library};
use crate::lab::kernel::Abi;
use crate::plan::key::{Key, KeyBuilder};
use crate::run::cache::Kind;
use crate::run::context::Context;
use crate::run::headers::headers;
use crate::run::source::Source;
use crate::run::unpacked::{ARCHIVES, Unpacked};
use crate::run::worktree;
use crate::sys::process::{Exit, capture, command, is_host_trouble, tail};

/// Longest that one program may take to compile.
const COMPILE_DEADLINE: std::time::Duration = std::time::Duration::from_secs(300);

/// Where our guest programs are, and headers that they share.
const GUEST_FOLDER: &str = "guest";

/// The sources of init and its own headers.
const INIT_FOLDER: &str = "guest/init";

/// A compiled program.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name in the guest.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Of everything that decides it.
    pub key: Key,
}

/// What came of compiling a program of the tree under test.
pub enum Compiled {
    /// The program.
    Program(Program),
    /// The tree's program does not compile: a verdict.
    Failed {
        /// One line.
        reason: String,
        /// The compiler's words.
        excerpt: Vec<String>,
    },
}

/// One run of the compiler.
struct Job {
    name: String,
    sources: Vec<PathBuf>,
    flags: Vec<String>,
    includes: Vec<PathBuf>,
    libraries: Vec<String>,
    key: Key,
}

/// Compiles init for an ABI; with a fault of `guest/init/fault.h`, if one is planted.
///
/// # Errors
/// If our own program does not compile.
pub fn init(context: &Context<'_>, abi: Abi, fault: Option<&str>) -> Result<Program> {
    let folder = context.lab.root.join(INIT_FOLDER);
    let mut sources = files_ending(&folder, "c")?;
    sources.sort();
    let define = |fault: &str| format!("-DLAB_FAULT=FAULT_{}", fault.to_uppercase().replace('-', "_"));
    own(context, "init", sources, abi, fault.map(define))
}

/// Compiles the program of a check.
///
/// # Errors
/// Trouble of the lab's, which includes a program of `guest/` that does not compile.
pub fn check(context: &Context<'_>, source: &Source, check: &Check, abi: Abi) -> Result<Compiled> {
    match &check.kind {
        CheckKind::Program { source: file } | CheckKind::Oracle { source: file, .. } => {
            let program = own(context, check.kind.binary(), vec![context.lab.root.join(file)], abi, None);
            Ok(Compiled::Program(program.with_context(|| format!("check {}", check.name))?))
        }
        CheckKind::Kselftest { target, binary, .. } => kselftest(context, source, check, target, binary, abi),
        CheckKind::Static { .. } => anyhow::bail!("{} is made on the host: it has no program", check.name),
    }
}

fn files_ending(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|other| other == extension) {
            files.push(path);
        }
    }
    Ok(files)
}

/// A program of ours: it compiles, or the lab is broken.
fn own(
    context: &Context<'_>,
    name: &str,
    sources: Vec<PathBuf>,
    abi: Abi,
    define: Option<String>,
) -> Result<Program> {
    let flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-static", "-pthread", abi.cc_flag()];
    let flags: Vec<String> = flags.into_iter().map(str::to_owned).chain(define).collect();
    let mut key = KeyBuilder::new("guest program")
        .part("name", name)
        .parts("flag", &flags)
        .part("toolchain", context.toolchain.program_identity());
    // Any header of these folders may be included.
    let shared = context.lab.root.join(GUEST_FOLDER);
    let protocol = context.lab.root.join(INIT_FOLDER);
    let mut read: Vec<PathBuf> = sources.clone();
    let folders = sources.iter().filter_map(|source| source.parent());
    for folder in folders.chain([shared.as_path(), protocol.as_path()]) {
        read.extend(files_ending(folder, "h")?);
    }
    read.sort();
    read.dedup();
    for file in &read {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        key = key.part(&name, fs::read(file)?);
    }
    let job = Job {
        name: name.to_owned(),
        sources,
        flags,
        includes: vec![shared],
        libraries: Vec::new(),
        key: key.finish(),
    };
    match compile(context, job)? {
        Compiled::Program(program) => Ok(program),
        Compiled::Failed { reason, excerpt } => {
            anyhow::bail!("the lab's own guest program does not compile: {reason}\n{}", excerpt.join("\n"))
        }
    }
}

fn kselftest(
    context: &Context<'_>,
    source: &Source,
    check: &Check,
    target: &str,
    binary: &str,
    abi: Abi,
) -> Result<Compiled> {
    let headers = match headers(context, source)? {
        Ok(headers) => headers,
        Err(reason) => return Ok(Compiled::Failed { reason, excerpt: Vec::new() }),
    };
    let file = format!("tools/testing/selftests/{target}/{binary}.c");
    let git = &source.imported.git;
    let Some(text) = git.file(&source.tree, &file)? else {
        return Ok(Compiled::Failed { reason: format!("the tree has no {file}"), excerpt: Vec::new() });
    };
    let libraries: Vec<&Library> =
        check.libraries.iter().filter(|library| includes(&text, &library.header)).collect();
    let flags = [
        vec!["-std=gnu11", "-O2", "-w", "-static", "-D_GNU_SOURCE=", abi.cc_flag()],
        check.cflags.iter().map(String::as_str).collect(),
    ]
    .concat();
    let flags: Vec<String> = flags.into_iter().map(str::to_owned).collect();
    // A program may include what stands beside its own folder: all of the selftests decide it.
    let parts = git.run(&["ls-tree", &source.tree, "--", "tools/testing/selftests", "tools/include"])?;
    let mut key = KeyBuilder::new("kselftest program")
        .part("file", &file)
        .part("parts", parts.stdout)
        .part("headers", headers.key.as_str())
        .parts("flag", &flags)
        .part("toolchain", context.toolchain.program_identity());
    let mut include_folders = vec![headers.include];
    let mut library_words = Vec::new();
    let mut packages = Vec::new();
    for library in libraries {
        let package = Unpacked::one(context, &library.package, abi.debian())?;
        let folder = package.folder();
        key = key.part("library", package.digest(&format!("{ARCHIVES}/lib{}.a", library.name))?);
        include_folders.push(folder.join("usr/include"));
        library_words.push(format!("-L{}", folder.join(ARCHIVES).display()));
        library_words.push(format!("-l{}", library.name));
        packages.push(package);
    }
    let work = source.imported.work.sources();
    include_folders.push(work.join("tools/testing/selftests"));
    let job = Job {
        name: binary.to_owned(),
        sources: vec![work.join(&file)],
        flags,
        includes: include_folders,
        libraries: library_words,
        key: key.finish(),
    };
    if let Some(folder) = context.object(Kind::Program, &job.key)? {
        return Ok(Compiled::Program(Program { path: folder.join(binary), name: job.name, key: job.key }));
    }
    // Under the key of what was unpacked nothing else may be linked.
    packages.iter().try_for_each(|package| package.whole(context).map(|_| ()))?;
    worktree::check_out(context, source)?;
    compile(context, job)
}

fn includes(text: &str, header: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("#include") && line.contains(&format!("<{header}>"))
    })
}

fn compile(context: &Context<'_>, job: Job) -> Result<Compiled> {
    if let Some(folder) = context.object(Kind::Program, &job.key)? {
        return Ok(Compiled::Program(Program { path: folder.join(&job.name), name: job.name, key: job.key }));
    }
    let made = context.cache.temporary()?;
    let output = made.path().join(&job.name);
    let mut gcc = command("gcc");
    gcc.args(&job.flags);
    for include in &job.includes {
        gcc.arg("-isystem").arg(include);
    }
    gcc.args(&job.sources).arg("-o").arg(&output).args(&job.libraries);
    let what = format!("compiling {}", job.name);
    let captured = capture(gcc, &what, COMPILE_DEADLINE, b"")?;
    match captured.exit {
        Exit::Code(0) => {}
        Exit::Interrupted => return Err(Fault::interrupted().into()),
        exit if is_host_trouble(exit, &captured.stderr) => {
            return Err(Fault::infra(format!("{what}: {exit}\n{}", tail(&captured.stderr, 800))).into());
        }
        exit => {
            let said: Vec<String> = tail(&captured.stderr, 3000).lines().map(str::to_owned).collect();
            let error = captured.stderr.lines().find(|line| line.contains("error")).map(str::to_owned);
            let reason = format!("{what}: {}", error.unwrap_or_else(|| exit.to_string()));
            return Ok(Compiled::Failed { reason, excerpt: said });
        }
    }
    let folder = context.cache.store(Kind::Program, &job.key, made)?;
    Ok(Compiled::Program(Program { path: folder.join(&job.name), name: job.name, key: job.key }))
}
