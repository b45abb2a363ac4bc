// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernels: found by key, or built.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::lab::fragment::Symbols;
use crate::lab::kernel::{Arch, BootImage, KernelConfig};
use crate::parse::make::{self as build_log, BuildFailure};
use crate::plan::key::{Key, KeyBuilder};
use crate::plan::work::{KernelWork, packed};
use crate::run::cache::Kind;
use crate::run::config::{self, BuildFolder, Configured};
use crate::run::context::{Context, StepTimer};
use crate::run::digests::file_digest;
use crate::run::event::{Cached, Event, Step};
use crate::run::kernel_key::{alike_key, request_key, toolchain};
use crate::run::killed_make::{self, Removed};
use crate::run::source::Source;
use crate::run::worktree;
use crate::sys::logged::logged;
use crate::sys::process::Exit;

/// Objects expected of a build that was never made before.
const OBJECTS_GUESS: u64 = 850;

/// A kernel that can be booted.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Key of the request.
    pub request: Key,
    /// Key of the kernel.
    pub key: Key,
    /// What QEMU boots: the vmlinux or the bzImage.
    pub image: PathBuf,
    /// The kernel as it is linked, for its symbols and its object code; none of a bzImage that the user built.
    pub vmlinux: Option<PathBuf>,
    /// The build log.
    pub log: PathBuf,
    /// The final config.
    pub config: PathBuf,
    /// Its symbols; nobody knows those of a kernel that the user built without its `.config`.
    pub symbols: Option<Symbols>,
    /// What built it.
    pub toolchain: String,
    /// How long that took this time.
    pub took_ms: u64,
}

impl Kernel {
    /// Whether the kernel is known to be without a symbol.
    pub fn lacks(&self, symbol: &str) -> bool {
        self.symbols.as_ref().is_some_and(|symbols| !symbols.is_set(symbol))
    }
}

/// What `--kernel` takes, where something else was given.
const KERNEL_WANTED: &str = "give the vmlinux at the top of a build directory, or its bzImage";

/// A kernel that the user built, with the `.config` beside it if there is one.
///
/// # Errors
/// A usage fault for what QEMU cannot boot directly.
pub fn given(file: &Path, arch: Arch) -> Result<Kernel> {
    let usage = |what: String| Fault::usage(format!("--kernel {}: {what}", file.display()));
    // A vmlinux with debug information has hundreds of MB: only its head is looked at.
    let mut head = Vec::new();
    let unreadable = |error: std::io::Error| usage(error.to_string()).help(KERNEL_WANTED);
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(1024).read_to_end(&mut head).map_err(unreadable)?;
    let is_elf = head.starts_with(b"\x7fELF");
    let is_bzimage = head.get(0x202..0x206) == Some(b"HdrS");
    if !is_elf && !is_bzimage {
        return Err(usage("it is neither a vmlinux nor a bzImage".into()).help(KERNEL_WANTED).into());
    }
    // e_machine of an ELF header: 3 is i386, 62 is x86_64.
    let wanted = match arch {
        Arch::I386 => 3,
        Arch::X86_64 => 62,
    };
    if is_elf && head.get(18) != Some(&wanted) {
        return Err(usage(format!(
            "it is no {} kernel, as a cell that was asked for wants",
            arch.make_name()
        ))
        .help("name the cells that fit: --kernel FILE '*/i386'")
        .into());
    }
    let config = file.with_file_name(".config");
    let symbols = fs::read_to_string(&config).ok().map(|text| Symbols::parse_config(&text));
    let key = KeyBuilder::new("given kernel").part("digest", file_digest(file)?).finish();
    let image = std::path::absolute(file).context("finding the kernel")?;
    Ok(Kernel {
        request: key.clone(),
        key,
        vmlinux: is_elf.then(|| image.clone()),
        image,
        log: PathBuf::new(),
        config,
        symbols,
        toolchain: "built by the user".into(),
        took_ms: 0,
    })
}

/// What came of building.
#[derive(Debug)]
pub enum Built {
    /// A kernel.
    Kernel(Box<Kernel>),
    /// It did not build: a verdict.
    Failed {
        /// One line.
        reason: String,
        /// The lines that show it.
        excerpt: Vec<String>,
        /// The build log.
        log: PathBuf,
    },
}

#[derive(Serialize, Deserialize)]
struct Answer {
    kernel: Key,
}

/// Finds or builds a kernel. `subject` is what events call it.
///
/// # Errors
/// Trouble of the lab's: disk, a missing tool.
pub fn build(context: &Context<'_>, source: &Source, work: &KernelWork, subject: &str) -> Result<Built> {
    let config = context.lab.kernel(&work.id)?;
    let image = context.lab.boot_image(&work.id);
    let toolchain = toolchain(context, config)?;
    let request = request_key(context, source, config, work, &toolchain);
    let alike = alike_key(context, source, config, work, &toolchain)?;
    let timer = context.timer(Step::Build, subject);
    // Neither needs the work tree, which another lab may have for as long as it builds.
    for asked in [&request, &alike] {
        if let Some(Answer { kernel: key }) = context.answer(asked)
            && let Some(kernel) = stored(context, &request, &key, &toolchain, image)?
        {
            if *asked != request {
                context.cache.keep_answer(&request, &Answer { kernel: key })?;
            }
            return Ok(found(context, timer, kernel));
        }
    }
    let sources = &source.imported.work;
    let folder = BuildFolder { path: sources.builds().join(work.id.to_string()), work: sources.sources() };
    worktree::check_out(context, source)?;
    context.announce(&timer, "configuring");
    config::begin(context, source, &folder, &work.id)?;
    recover(context, &folder, subject)?;
    let mark = killed_make::mark(&folder, subject)?;
    let log = context.folder.join(format!("build-{}.log", crate::plan::cell::slug(subject)));
    let (text, symbols) = match config::configure(context, source, &folder, work, &log)? {
        Configured::Config { text, symbols } => (text, symbols),
        Configured::Missing(missing) => {
            fs::remove_file(&mark)?;
            let reason = config::missing_reason(&missing);
            let excerpt =
                missing.iter().map(|one| format!("CONFIG_{}={} -> {}", one.symbol, one.wanted, one.got));
            let excerpt = excerpt.collect();
            context.done(timer, reason.clone(), Cached::No);
            return Ok(Built::Failed { reason, excerpt, log });
        }
        Configured::MakeFailed(exit) => return failed(context, timer, exit, log, &mark),
    };
    let key = KeyBuilder::new("kernel")
        .part("tree", &source.kernel_tree)
        .part("config", &text)
        .part("toolchain", &toolchain)
        .parts("make", &config.make);
    let key = packed(key, image).finish();
    if let Some(kernel) = stored(context, &request, &key, &toolchain, image)? {
        fs::remove_file(&mark)?;
        keep_answers(context, [&request, &alike], &key)?;
        return Ok(found(context, timer, kernel));
    }
    let exit = make_image(context, &folder, config, image, subject, &log)?;
    if !exit.is_success() {
        return failed(context, timer, exit, log, &mark);
    }
    fs::remove_file(&mark)?;
    store(context, &folder, image, &key, &log, &text)?;
    keep_answers(context, [&request, &alike], &key)?;
    let kernel = stored(context, &request, &key, &toolchain, image)?;
    let mut kernel = kernel.context("a kernel was built and stored, and is not whole in the cache")?;
    kernel.symbols = Some(symbols);
    let took = context.done(timer, kernel.key.short().to_owned(), Cached::No);
    kernel.took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Ok(Built::Kernel(Box::new(kernel)))
}

fn found(context: &Context<'_>, timer: StepTimer, kernel: Kernel) -> Built {
    context.done(timer, kernel.key.short().to_owned(), Cached::Yes);
    Built::Kernel(Box::new(kernel))
}

fn keep_answers(context: &Context<'_>, requests: [&Key; 2], kernel: &Key) -> Result<()> {
    for request in requests {
        context.cache.keep_answer(request, &Answer { kernel: kernel.clone() })?;
    }
    Ok(())
}

/// The kernel of a key, if it is in the cache and whole.
fn stored(
    context: &Context<'_>,
    request: &Key,
    key: &Key,
    toolchain: &str,
    image: BootImage,
) -> Result<Option<Kernel>> {
    let Some(folder) = context.object(Kind::Kernel, key)? else { return Ok(None) };
    let config = folder.join("config");
    Ok(Some(Kernel {
        request: request.clone(),
        key: key.clone(),
        image: folder.join(image.name()),
        vmlinux: Some(folder.join("vmlinux")),
        log: folder.join("build.log"),
        symbols: Some(Symbols::parse_config(&fs::read_to_string(&config)?)),
        config,
        toolchain: toolchain.lines().next().unwrap_or("").to_owned(),
        took_ms: 0,
    }))
}

/// Cleans up after a make that was killed, before anything in its folder is written or believed.
fn recover(context: &Context<'_>, folder: &BuildFolder, subject: &str) -> Result<()> {
    let mark = folder.making_mark();
    if mark.exists() {
        let removed = killed_make::recover(folder, &mark)?;
        fs::remove_file(&mark)?;
        let what = match removed {
            Removed::Newer(files) => format!("the {files} files that it wrote are removed"),
            Removed::All => "it was changing its config: all is built again".to_owned(),
        };
        context.note(format!("an earlier build in the place of {subject} was killed or broken off: {what}"));
    }
    Ok(())
}

fn make_image(
    context: &Context<'_>,
    folder: &BuildFolder,
    config: &KernelConfig,
    image: BootImage,
    subject: &str,
    log: &Path,
) -> Result<Exit> {
    let _slot = context.slot("build a kernel", 1)?;
    let count_file = folder.beside("objects");
    let expected =
        fs::read_to_string(&count_file).ok().and_then(|text| text.parse().ok()).unwrap_or(OBJECTS_GUESS);
    let mut objects = 0;
    let mut make = config::make(folder, config);
    make.arg(image.name());
    let exit =
        logged(make, &format!("make {}", image.name()), context.lab.deadlines.build, log, &mut |line| {
            if build_log::is_object_line(line).is_some() {
                objects += 1;
                context.tell(Event::Built {
                    subject: subject.to_owned(),
                    objects,
                    expected: expected.max(objects),
                });
            }
        })?;
    // The bar of the next full build; an incremental one says nothing about that.
    if exit.is_success() && objects > expected / 2 {
        fs::write(&count_file, objects.to_string())?;
    }
    Ok(exit)
}

fn store(
    context: &Context<'_>,
    folder: &BuildFolder,
    image: BootImage,
    key: &Key,
    log: &Path,
    config: &str,
) -> Result<PathBuf> {
    let made = context.cache.temporary()?;
    for file in [BootImage::Vmlinux, image] {
        fs::copy(folder.path.join(file.made()), made.path().join(file.name()))?;
    }
    fs::copy(log, made.path().join("build.log"))?;
    fs::write(made.path().join("config"), config)?;
    context.cache.store(Kind::Kernel, key, made)
}

/// Reads from the log why a build failed: the tree's fault is a verdict, the host's an error. Only after the first is the
/// mark taken away: where make, or a part of it, was killed by whom ever, half an object may be left.
fn failed(context: &Context<'_>, timer: StepTimer, exit: Exit, log: PathBuf, mark: &Path) -> Result<Built> {
    let mut reader = build_log::BuildLog::new().context("preparing to read a build log")?;
    let mut excerpt = Vec::new();
    for line in std::io::BufReader::new(fs::File::open(&log)?).split(b'\n') {
        let mut line = line?;
        line.push(b'\n');
        reader.push(&line);
        let text = String::from_utf8_lossy(&line);
        if excerpt.len() < 15 && ["error", "Error", "***"].iter().any(|word| text.contains(word)) {
            excerpt.push(text.trim_end().to_owned());
        }
    }
    let report = reader.finish();
    if let Exit::Signal(signal) = exit {
        return Err(Fault::infra(format!("make was killed by signal {signal}"))
            .help(format!("see {}; is there memory enough?", log.display()))
            .into());
    }
    if exit == Exit::Deadline {
        // A busy host makes it, and a build has no end that a kernel could keep it from.
        return Err(Fault::infra("make was killed at its deadline")
            .help(format!(
                "see {}; `build` in [deadline] of configs/lab.toml is how long it may take",
                log.display()
            ))
            .into());
    }
    if let Some(BuildFailure::Host { message }) = &report.failure {
        return Err(Fault::infra(format!("building a kernel: {message}"))
            .help(format!("see {}", log.display()))
            .into());
    }
    fs::remove_file(mark)?;
    let reason = match &report.failure {
        Some(failure) => failure.to_string(),
        None => format!("make ended with {exit}, and its log shows no error"),
    };
    context.done(timer, reason.clone(), Cached::No);
    Ok(Built::Failed { reason, excerpt, log })
}
