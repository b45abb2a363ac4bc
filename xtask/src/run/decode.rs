// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports of the kernel with files and lines, where the `vmlinux` knows them: by the kernel's own script.
//!
//! The script makes programs for the shell and for awk of what it reads, and programs of a guest may have
//! written what looks like a report. So it is never given a line of a report: it is given places in functions
//! that consist of nothing but a name and two numbers, and its answers are put into the lines here.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;
use object::read::ReadCache;
use object::{Object, ObjectSection};

use crate::record::model::FindingRecord;
use crate::run::context::Context;
use crate::run::kernel::Kernel;
use crate::run::source::Source;
use crate::sys::process::{capture, command};

/// The script, in the tree.
const SCRIPT: &str = "scripts/decode_stacktrace.sh";

/// Longest that the places of one guest may take: the script looks for each anew.
const DEADLINE: Duration = Duration::from_secs(60);

/// Findings of a guest that get files and lines.
const FINDINGS_MAX: usize = 4;

/// Places of a guest that the script is asked for: a busy host takes half a second for each.
const PLACES_MAX: usize = 100;

/// Longest name of a function: the kernel's own limit is 512 (`KSYM_NAME_LEN`).
const NAME_BYTES_MAX: usize = 512;

/// Most digits of an offset.
const DIGITS_MAX: usize = 16;

/// What decodes the reports of one kernel.
#[derive(Debug, Clone)]
pub struct Decoder {
    script: PathBuf,
    vmlinux: PathBuf,
}

impl Decoder {
    /// A decoder for a kernel; none where its `vmlinux` has no lines, or its tree no script. What goes wrong
    /// is a note: no verdict depends on it.
    pub fn find(context: &Context<'_>, source: &Source, kernel: &Kernel) -> Option<Self> {
        Self::prepare(context, source, kernel).unwrap_or_else(|error| {
            context.note(format!("reports of the kernel stay without lines of its source: {error:#}"));
            None
        })
    }

    fn prepare(context: &Context<'_>, source: &Source, kernel: &Kernel) -> Result<Option<Self>> {
        let Some(vmlinux) = kernel.vmlinux.as_ref().filter(|vmlinux| has_lines(vmlinux)) else {
            return Ok(None);
        };
        let Some(text) = source.imported.git.file(&source.tree, SCRIPT)? else { return Ok(None) };
        let script = context.folder.join(format!("kernel-{}.decode_stacktrace.sh", kernel.key.short()));
        fs::write(&script, text)?;
        Ok(Some(Self { script, vmlinux: vmlinux.clone() }))
    }

    /// Puts files and lines into the reports of findings, and where a verdict shows such a report, into that.
    /// Other lines of the verdict, which may be a check's, stay as they are.
    ///
    /// # Errors
    /// If the script fails, or its answers do not fit what it was asked: then nothing has changed.
    pub fn decode(&self, findings: &mut [FindingRecord], excerpt: &mut [String]) -> Result<()> {
        let count = findings.len().min(FINDINGS_MAX);
        let findings = &mut findings[..count];
        let mut wanted: Vec<&str> = Vec::new();
        for line in findings.iter().flat_map(|finding| &finding.excerpt) {
            for range in places(line) {
                let place = &line[range];
                if wanted.len() < PLACES_MAX && !wanted.contains(&place) {
                    wanted.push(place);
                }
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let answers = self.ask(&wanted)?;
        let of_reports = |line: &String| findings.iter().any(|finding| finding.excerpt.contains(line));
        for line in excerpt.iter_mut().filter(|line| of_reports(line)) {
            *line = with_answers(line, &answers);
        }
        for line in findings.iter_mut().flat_map(|finding| &mut finding.excerpt) {
            *line = with_answers(line, &answers);
        }
        Ok(())
    }

    /// Files and lines of places; those that the script does not know are not among them.
    fn ask(&self, wanted: &[&str]) -> Result<BTreeMap<String, String>> {
        let mut bash = command("bash");
        bash.arg(&self.script).arg(&self.vmlinux);
        let what = format!("asking {} for {} places", self.script.display(), wanted.len());
        let said = capture(bash, &what, DEADLINE, (wanted.join("\n") + "\n").as_bytes())?.success(&what)?;
        let text = said.text();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        anyhow::ensure!(lines.len() == wanted.len(), "{what}: {} lines came", lines.len());
        let answer = |(place, line): (&&str, &&str)| Some(((*place).to_owned(), answer(place, line)?));
        Ok(wanted.iter().zip(&lines).filter_map(answer).collect())
    }
}

/// `FILE:LINE …` of `NAME (FILE:LINE …)`; newer scripts leave the offset behind the name.
fn answer(place: &str, line: &str) -> Option<String> {
    let name = place.split('+').next()?;
    let rest = line.strip_prefix(place).or_else(|| line.strip_prefix(name))?;
    let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
    (!inner.is_empty()).then(|| inner.to_owned())
}

/// A line with what is known of its places behind them.
fn with_answers(line: &str, answers: &BTreeMap<String, String>) -> String {
    let (mut text, mut end) = (String::with_capacity(line.len()), 0);
    for range in places(line) {
        if let Some(answer) = answers.get(&line[range.clone()]) {
            text.push_str(&line[end..range.end]);
            text.push_str(&format!(" ({answer})"));
            end = range.end;
        }
    }
    text + &line[end..]
}

/// Where in a line stands a place in a function of the kernel's, `NAME+0xOFFSET/0xSIZE`: between blanks or
/// brackets, and not of a module, which no `vmlinux` knows. A name is letters, digits, `_` and `.` alone: what
/// is found here goes into commands.
fn places(line: &str) -> Vec<Range<usize>> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    for (plus, _) in line.match_indices("+0x") {
        let name = bytes[..plus].iter().rev().take_while(|byte| is_of_name(**byte)).count();
        let begin = plus - name;
        let Some(end) = hex_end(bytes, plus + 1).and_then(|slash| {
            let is_slash = bytes.get(slash) == Some(&b'/');
            is_slash.then(|| hex_end(bytes, slash + 1)).flatten()
        }) else {
            continue;
        };
        let starts_well = (1..=NAME_BYTES_MAX).contains(&name) && !bytes[begin].is_ascii_digit();
        // Behind `:` stands the place of `RIP: 0010:name+0x1/0x2`.
        let before = begin.checked_sub(1).map(|at| bytes[at]);
        let is_alone = before.is_none_or(|byte| byte.is_ascii_whitespace() || b"([:".contains(&byte))
            && bytes.get(end).is_none_or(|byte| byte.is_ascii_whitespace() || b")],".contains(byte));
        if starts_well && is_alone && !line[end..].starts_with(" [") {
            found.push(begin..end);
        }
    }
    found
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.'
}

/// Where a number ends that begins here with `0x`.
fn hex_end(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = bytes.get(at..)?.strip_prefix(b"0x")?;
    let is_digit = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let count = digits.iter().take_while(is_digit).count();
    (1..=DIGITS_MAX).contains(&count).then_some(at + 2 + count)
}

/// Whether an ELF file knows the lines of its code. Such a file is large: only its tables are read.
fn has_lines(vmlinux: &Path) -> bool {
    let Ok(file) = fs::File::open(vmlinux).context("opening") else { return false };
    let cache = ReadCache::new(file);
    let Ok(file) = object::File::parse(&cache) else { return false };
    file.section_by_name(".debug_line").is_some_and(|section| section.size() > 0)
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
