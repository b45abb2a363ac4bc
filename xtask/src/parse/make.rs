// SPDX-License-Identifier: MIT OR Apache-2.0
//! The log of a kernel build: why it failed, what it warned about, how far it came.
//!
//! A full disk or a killed compiler is the host's trouble and no verdict about a kernel, so it is
//! told apart from errors in the source.

mod classify;
#[cfg(test)]
mod tests;

use super::lines::{Line, LineSplitter, clean};
use classify::{Classifier, Fact};
use std::collections::HashSet;

use std::fmt;

/// Bytes of a line of the log.
const LINE_BYTES_MAX: usize = 4096;
/// Warnings kept.
const WARNINGS_MAX: usize = 500;

/// Why a build failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildFailure {
    /// The compiler or the assembler refused a source file.
    Compiler {
        /// The file, as the compiler names it; the tool (`cc1`, `gcc`) if it names none.
        file: String,
        /// The line, from 1.
        line: Option<u32>,
        /// What is wrong.
        message: String,
    },
    /// The linker or modpost refused.
    Linker {
        /// The first missing symbol.
        symbol: Option<String>,
        /// The whole line.
        message: String,
    },
    /// make stopped and nothing above it says more.
    Make {
        /// What was to be made; empty if the line does not say.
        target: String,
        /// The whole line.
        message: String,
    },
    /// A Kconfig file or the configuration is wrong.
    Kconfig {
        /// The Kconfig file, if the line names one.
        file: Option<String>,
        /// The line, from 1.
        line: Option<u32>,
        /// What is wrong.
        message: String,
    },
    /// Not the kernel's fault: no space, no memory, a missing tool, a signal.
    Host {
        /// The whole line.
        message: String,
    },
}

impl fmt::Display for BuildFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |f: &mut fmt::Formatter<'_>, file: &str, line: &Option<u32>| match line {
            Some(line) => write!(f, "{file}:{line}: "),
            None => write!(f, "{file}: "),
        };
        match self {
            Self::Compiler { file, line, message } => {
                place(f, file, line)?;
                f.write_str(message)
            }
            Self::Kconfig { file, line, message } => {
                if let Some(file) = file {
                    place(f, file, line)?;
                }
                f.write_str(message)
            }
            Self::Linker { message, .. } | Self::Make { message, .. } | Self::Host { message } => {
                f.write_str(message)
            }
        }
    }
}

/// One warning of a compiler, objtool, modpost or Kconfig.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Warning {
    /// The file that it is about; the tool's name if there is none.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The text without its flag.
    pub message: String,
    /// The flag that turns it off, `-Wunused-variable`.
    pub flag: Option<String>,
}

/// What a build log says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildReport {
    /// Why the build failed, if a line says so. The exit code of make decides whether it failed:
    /// `None` with a nonzero exit means that nobody said why.
    pub failure: Option<BuildFailure>,
    /// Distinct warnings in the order in which they came.
    pub warnings: Vec<Warning>,
    /// Warnings beyond the limit, only counted.
    pub warnings_dropped: u64,
    /// Objects compiled, assembled, linked or archived.
    pub objects: u64,
    /// Lines read.
    pub lines: u64,
}

/// Reads a build log in pieces of any size.
#[derive(Debug)]
pub struct BuildLog {
    lines: LineSplitter,
    state: State,
}

#[derive(Debug)]
struct State {
    classifier: Classifier,
    report: BuildReport,
    seen: HashSet<Warning>,
}

impl BuildLog {
    /// A reader that has read nothing yet.
    ///
    /// # Errors
    ///
    /// Never in practice: the patterns are constants, and a test compiles them.
    pub fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            lines: LineSplitter::new(LINE_BYTES_MAX),
            state: State {
                classifier: Classifier::new()?,
                report: BuildReport::default(),
                seen: HashSet::new(),
            },
        })
    }

    /// Takes the next bytes of standard output and standard error.
    pub fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes, |line| self.state.line(line));
    }

    /// Ends the log.
    #[must_use]
    pub fn finish(self) -> BuildReport {
        let Self { lines, mut state } = self;
        lines.finish(|line| state.line(line));
        state.report
    }
}

impl State {
    fn line(&mut self, line: Line<'_>) {
        self.report.lines += 1;
        let text = clean(line.bytes);
        if is_object_line(&text).is_some() {
            self.report.objects += 1;
            return;
        }
        match self.classifier.classify(&text) {
            None => {}
            Some(Fact::Warning(warning)) => self.warning(warning),
            Some(Fact::Failure(failure)) => self.failure(failure),
        }
    }

    fn warning(&mut self, warning: Warning) {
        if self.seen.contains(&warning) {
            return;
        }
        if self.report.warnings.len() >= WARNINGS_MAX {
            self.report.warnings_dropped += 1;
            return;
        }
        self.seen.insert(warning.clone());
        self.report.warnings.push(warning);
    }

    /// The first of the most telling kind: what one failed job says is only the echo of another.
    fn failure(&mut self, failure: BuildFailure) {
        let better = (self.report.failure.as_ref()).is_none_or(|before| weight(&failure) > weight(before));
        if better {
            self.report.failure = Some(failure);
        }
    }
}

fn weight(failure: &BuildFailure) -> u8 {
    match failure {
        // With no disk or no memory every other message may be its consequence.
        BuildFailure::Host { .. } => 2,
        BuildFailure::Compiler { .. } | BuildFailure::Linker { .. } | BuildFailure::Kconfig { .. } => 1,
        BuildFailure::Make { .. } => 0,
    }
}

/// The object that a line of kbuild's short output says is being made: `  CC      kernel/seccomp.o`,
/// `  LD [M]  fs/x.ko`.
#[must_use]
pub fn is_object_line(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("  ")?;
    let (tool, rest) = rest.split_once(' ')?;
    if !matches!(tool, "CC" | "AS" | "LD" | "AR") {
        return None;
    }
    let rest = rest.trim_start();
    let object = rest.strip_prefix("[M]").unwrap_or(rest).trim();
    (!object.is_empty() && !object.contains(char::is_whitespace)).then_some(object)
}
