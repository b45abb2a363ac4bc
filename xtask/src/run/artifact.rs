// SPDX-License-Identifier: MIT OR Apache-2.0
//! Artifacts: the files that a guest leaves in the run's folder.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use crate::parse::transcript::Reading;
use crate::run::context::Context;
use crate::run::kernel::Kernel;
use crate::sys::process::quote;
use crate::vm::frame::{Frame, FrameType};
use crate::vm::machine::{Boot, Console};
use crate::vm::session::Job;

/// Most of a console that is looked at, in bytes from its end.
const CONSOLE_BYTES_MAX: u64 = 8 << 20;

/// Lines of a console that stand for the rest of it.
const CONSOLE_LINES: usize = 25;

/// What the texts are told about the check of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its name.
    pub name: &'a str,
    /// How its output is read.
    pub reading: Reading,
}

/// The files of one cell in the run's folder.
pub struct Files {
    folder: PathBuf,
    slug: String,
}

impl Files {
    /// The files of a cell.
    pub fn new(context: &Context<'_>, slug: &str) -> Self {
        Self { folder: context.folder.clone(), slug: slug.to_owned() }
    }

    /// One of them.
    pub fn path(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.slug))
    }

    /// A script that boots the same guest again: the job goes in, the transcript comes out.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_command(&self, boot: &Boot, job: &Job) -> Result<()> {
        let job_file = self.path("job.bin");
        fs::write(&job_file, job.encode())?;
        let mut again = boot.clone();
        again.console = Console::File("console.log".into());
        let words: Vec<String> = std::iter::once(boot.arch.qemu().to_owned())
            .chain(again.arguments())
            .map(|word| quote(&word))
            .collect();
        let script = format!(
            "#!/bin/sh\n# Boots this guest again, in the current folder: the console goes to console.log,\n\
             # the records to transcript.bin. The guest ends by itself; its input must stay open.\n\
             {{ cat {}; sleep 3600 & echo $! > sleep.pid; wait; }} 2> /dev/null |\n\
             {{ {} > transcript.bin; kill $(cat sleep.pid); rm -f sleep.pid; }}\n",
            quote(&job_file.to_string_lossy()),
            words.join(" ")
        );
        fs::write(self.path("qemu.sh"), script)?;
        Ok(())
    }

    /// Those that are there, by what they are; the kernel's are copied beside them.
    pub fn names(&self, context: &Context<'_>, kernel: &Kernel) -> BTreeMap<String, String> {
        let kinds = [
            "console.log",
            "transcript.bin",
            "qemu.sh",
            "job.bin",
            "ktap",
            "kmsg",
            "sections",
            "registers.txt",
        ];
        let mut names: BTreeMap<String, String> = kinds
            .iter()
            .filter(|kind| self.path(kind).is_file())
            .map(|kind| ((*kind).to_owned(), format!("{}.{kind}", self.slug)))
            .collect();
        for (kind, from) in [("config", &kernel.config), ("build.log", &kernel.log)] {
            let name = format!("kernel-{}.{kind}", kernel.key.short());
            let target = context.folder.join(&name);
            // One kernel may serve several cells; the second copy is the same.
            let is_there = target.is_file() || from.is_file() && fs::copy(from, &target).is_ok();
            if is_there {
                names.insert(kind.to_owned(), name);
            }
        }
        names
    }
}

/// What the guest said, as text for people.
pub struct Texts {
    ktap: std::io::BufWriter<fs::File>,
    kmsg: std::io::BufWriter<fs::File>,
    left: u64,
}

/// Most that the text files of one cell take together, in bytes.
const TEXT_BYTES_MAX: u64 = 64 << 20;

impl Texts {
    /// Opens them, empty.
    ///
    /// # Errors
    /// If they cannot be made.
    pub fn open(files: &Files) -> Result<Self> {
        let open =
            |kind: &str| -> Result<_> { Ok(std::io::BufWriter::new(fs::File::create(files.path(kind))?)) };
        Ok(Self { ktap: open("ktap")?, kmsg: open("kmsg")?, left: TEXT_BYTES_MAX })
    }

    /// Keeps one frame.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&mut self, frame: &Frame, check: Option<Told<'_>>) -> std::io::Result<()> {
        let size = frame.payload.len() as u64;
        if size > self.left {
            self.left = 0;
            return Ok(());
        }
        match frame.kind {
            FrameType::Start => {
                let name = check.map(|check| check.name).unwrap_or_default();
                writeln!(self.ktap, "# check {name}")?;
            }
            // A model's answer is not for people; it is in the transcript.
            FrameType::Output if check.is_some_and(|check| check.reading != Reading::Raw) => {
                self.ktap.write_all(&frame.payload)?;
            }
            FrameType::Kmsg => self.kmsg.write_all(&frame.payload)?,
            FrameType::End => {
                self.ktap.flush()?;
                self.kmsg.flush()?;
            }
            _ => return Ok(()),
        }
        self.left -= size;
        Ok(())
    }
}

/// The end of a console capture; a guest that died at once has none.
///
/// # Errors
/// If it cannot be read.
pub fn read_end(path: &Path) -> Result<Vec<u8>> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(CONSOLE_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last lines of a console, without control characters.
pub fn last_lines(console: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(&console[console.len().saturating_sub(16 << 10)..]).into_owned();
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>())
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(CONSOLE_LINES)..].to_vec()
}
