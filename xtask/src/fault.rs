// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of the lab itself. A bad kernel is never one of these: it is an `Outcome`.
//!
//! A [`Fault`] travels inside an [`anyhow::Error`] and decides the exit code; contexts around it
//! say what was being done.

use std::fmt;

/// Exit code: as expected.
pub const EXIT_OK: u8 = 0;
/// Exit code: an error of the lab that is none of the kinds below.
pub const EXIT_INTERNAL: u8 = 1;
/// Exit code: flags, configuration files, names, or inputs are wrong.
pub const EXIT_USAGE: u8 = 2;
/// Exit code: a cell glob matched nothing.
pub const EXIT_NO_MATCH: u8 = 4;
/// Exit code: a check failed.
pub const EXIT_CHECK: u8 = 100;
/// Exit code: a series did not apply.
pub const EXIT_APPLY: u8 = 102;
/// Exit code: a kernel or a check program did not build.
pub const EXIT_BUILD: u8 = 103;
/// Exit code: a guest did not boot, crashed, or hung.
pub const EXIT_BOOT: u8 = 104;
/// Exit code: the lab's surroundings failed: packages, network, disk, digests, KVM.
pub const EXIT_INFRA: u8 = 105;
/// Exit code: interrupted.
pub const EXIT_INTERRUPTED: u8 = 130;

/// What sort of error this is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The user's flags, files or names.
    Usage,
    /// A glob that matches no cell.
    NoMatch,
    /// The host: packages, network, disk, digests, KVM.
    Infra,
    /// Ctrl-C, or a termination signal.
    Interrupted,
}

/// An error with a kind, and where the user can act, the next step.
#[derive(Debug, Clone)]
pub struct Fault {
    kind: FaultKind,
    message: String,
    help: Option<String>,
}

impl Fault {
    /// The user's input is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Usage, message)
    }

    /// The host let the lab down.
    pub fn infra(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Infra, message)
    }

    /// The run was interrupted.
    pub fn interrupted() -> Self {
        Self::new(FaultKind::Interrupted, "interrupted")
    }

    /// A fault of any kind.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None }
    }

    /// Adds the `help:` line: what the user can do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with the place where it came up in front.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The kind, for the exit code.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// The exit code an error stands for: that of the [`Fault`] in it, else 105 for a full disk, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(fault) = find(error) {
        return match fault.kind {
            FaultKind::Usage => EXIT_USAGE,
            FaultKind::NoMatch => EXIT_NO_MATCH,
            FaultKind::Infra => EXIT_INFRA,
            FaultKind::Interrupted => EXIT_INTERRUPTED,
        };
    }
    if host_trouble(error) { EXIT_INFRA } else { EXIT_INTERNAL }
}

/// The error as lines for a terminal: what, why (outermost first), and help.
pub fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let line = cause.to_string();
        if line == last {
            continue;
        }
        let label = if depth == 0 { "error: " } else { "  because: " };
        text.push_str(label);
        text.push_str(line.trim_end());
        text.push('\n');
        last = line;
    }
    if let Some(help) = find(error).and_then(|fault| fault.help.as_deref()) {
        text.push_str("  help: ");
        text.push_str(help);
        text.push('\n');
    }
    text
}

fn find(error: &anyhow::Error) -> Option<&Fault> {
    error.downcast_ref::<Fault>().or_else(|| error.chain().find_map(|cause| cause.downcast_ref::<Fault>()))
}

/// Errors that only the host can cause, wherever they came up.
fn host_trouble(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind;
    error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|io| {
        matches!(
            io.kind(),
            ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::PermissionDenied
                | ErrorKind::OutOfMemory
                // A file is where a folder has to be.
                | ErrorKind::AlreadyExists
                | ErrorKind::NotADirectory
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_fault_under_contexts_decides_the_code_and_keeps_its_help() {
        let error = Err::<(), _>(Fault::infra("no space").help("free some"))
            .context("storing kernel abc")
            .unwrap_err();
        assert_eq!(exit_code(&error), EXIT_INFRA);
        assert_eq!(describe(&error), "error: storing kernel abc\n  because: no space\n  help: free some\n");
    }

    #[test]
    fn a_full_disk_is_the_hosts_fault_and_anything_else_is_ours() {
        let full = anyhow::Error::from(std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert_eq!(exit_code(&full.context("writing run.json")), EXIT_INFRA);
        assert_eq!(exit_code(&anyhow::anyhow!("a bug")), EXIT_INTERNAL);
    }
}
