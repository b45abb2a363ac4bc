// SPDX-License-Identifier: MIT OR Apache-2.0
//! Warnings of a compiler, with paths that two runs have in common.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::parse::make::{BuildFailure, BuildLog, BuildReport};

/// A warning without its line, which a patch moves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Warning {
    /// The file, from the top of the tree.
    pub(super) file: String,
    /// What is said of it, with its flag.
    pub(super) message: String,
}

/// Reads what a compiler or make said.
///
/// # Errors
/// If it says that the host is in trouble.
pub(super) fn read(said: &str) -> Result<BuildReport> {
    let mut log = BuildLog::new().context("preparing to read a build log")?;
    log.push(said.as_bytes());
    let report = log.finish();
    if let Some(BuildFailure::Host { message }) = &report.failure {
        return Err(crate::fault::Fault::infra(format!("compiling: {message}")).into());
    }
    Ok(report)
}

/// The warnings of a report; `tops` are folders that stand for the top of the tree.
pub(super) fn warnings(report: &BuildReport, tops: &[&Path]) -> BTreeSet<Warning> {
    let one = |warning: &crate::parse::make::Warning| {
        let path = Path::new(&warning.file);
        let path = tops.iter().find_map(|top| path.strip_prefix(top).ok()).unwrap_or(path);
        let flag = warning.flag.as_ref().map(|flag| format!(" [{flag}]")).unwrap_or_default();
        Warning { file: path.display().to_string(), message: format!("{}{flag}", warning.message) }
    };
    report.warnings.iter().map(one).collect()
}

/// The warnings that are not in the baseline, as lines.
pub(super) fn new_ones(now: &BTreeSet<Warning>, before: &BTreeSet<Warning>) -> Vec<String> {
    now.difference(before).map(|one| format!("{}: {}", one.file, one.message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_the_same_in_two_folders_and_on_another_line() {
        let before = "/base/include/x.h:3:5: warning: 'struct y' declared inside parameter list [-Wx]\n";
        let now = "/src/include/x.h:9:5: warning: 'struct y' declared inside parameter list [-Wx]\n\
                   /src/include/x.h:9:5: warning: 'struct z' declared inside parameter list [-Wx]\n";
        let set = |said: &str| warnings(&read(said).unwrap(), &[Path::new("/base"), Path::new("/src")]);
        assert_eq!(new_ones(&set(before), &set(now)), [] as [String; 0]);
        assert_eq!(
            new_ones(&set(now), &set(before)),
            ["include/x.h: 'struct z' declared inside parameter list [-Wx]"]
        );
        assert!(read("gcc: fatal error: Killed signal terminated program cc1\n").is_err());
    }
}
