// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports of the kernel with files and lines, where the `vmlinux` knows them: by the kernel's own script.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;
use object::{Object, ObjectSection};

use crate::run::context::Context;
use crate::run::kernel::Kernel;
use crate::run::source::Source;
use crate::sys::process::{capture, command};

/// The script, in the tree.
const SCRIPT: &str = "scripts/decode_stacktrace.sh";

/// Longest that one report may take: the script asks for each frame anew.
const DEADLINE: Duration = Duration::from_secs(60);

/// What decodes the reports of one kernel.
#[derive(Debug, Clone)]
pub struct Decoder {
    script: PathBuf,
    vmlinux: PathBuf,
}

impl Decoder {
    /// A decoder for a kernel; none where its `vmlinux` has no lines, or its tree no script.
    ///
    /// # Errors
    /// If the files cannot be read, or the script not be written beside the results.
    pub fn find(context: &Context<'_>, source: &Source, kernel: &Kernel) -> Result<Option<Self>> {
        let Some(vmlinux) = kernel.vmlinux.as_ref().filter(|vmlinux| has_lines(vmlinux)) else {
            return Ok(None);
        };
        let Some(text) = source.imported.git.file(&source.tree, SCRIPT)? else { return Ok(None) };
        let script = context.folder.join(format!("kernel-{}.decode_stacktrace.sh", kernel.key.short()));
        fs::write(&script, text)?;
        Ok(Some(Self { script, vmlinux: vmlinux.clone() }))
    }

    /// The lines of a report with places in them.
    ///
    /// # Errors
    /// If the script fails, or what it says is no report any more.
    pub fn decode(&self, lines: &[String]) -> Result<Vec<String>> {
        let mut bash = command("bash");
        bash.arg(&self.script).arg(&self.vmlinux);
        let what = format!("decoding a report with {}", self.script.display());
        let said = capture(bash, &what, DEADLINE, (lines.join("\n") + "\n").as_bytes())?.success(&what)?;
        let decoded: Vec<String> = said.text().lines().map(|line| line.trim_end().to_owned()).collect();
        anyhow::ensure!(decoded.len() >= lines.len(), "{what}: lines are missing");
        Ok(decoded)
    }
}

/// Whether an ELF file knows the lines of its code.
fn has_lines(vmlinux: &Path) -> bool {
    let Ok(bytes) = fs::read(vmlinux).context("reading") else { return false };
    let Ok(file) = object::File::parse(&*bytes) else { return false };
    file.section_by_name(".debug_line").is_some_and(|section| section.size() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder(script: &str) -> (tempfile::TempDir, Decoder) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decode.sh");
        fs::write(&path, script).unwrap();
        let decoder = Decoder { script: path, vmlinux: "/vmlinux".into() };
        (folder, decoder)
    }

    #[test]
    fn a_report_goes_through_the_script() {
        let (_folder, decoder) = decoder("sed \"s|f+0x1/0x2|f ($1.c:3) |\"");
        let lines = ["Call Trace:".to_owned(), " f+0x1/0x2".to_owned()];
        assert_eq!(decoder.decode(&lines).unwrap(), ["Call Trace:", " f (/vmlinux.c:3)"]);
    }

    #[test]
    fn a_script_that_fails_or_loses_lines_is_an_error() {
        for script in ["exit 1", "head -n 1"] {
            let (_folder, decoder) = decoder(script);
            assert!(decoder.decode(&["a".to_owned(), "b".to_owned()]).is_err(), "{script}");
        }
    }

    #[test]
    fn a_file_without_lines_has_none() {
        assert!(!has_lines(Path::new("/nowhere")));
        let (_folder, decoder) = decoder("no ELF file");
        assert!(!has_lines(&decoder.script));
    }
}
