// SPDX-License-Identifier: MIT OR Apache-2.0
//! One patch: what it is called, what it touches, and whether it may be let near a tree.

use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::lab::provenance::Provenance;
use crate::lab::special;

/// The largest patch that is read, in bytes.
pub const PATCH_BYTES_MAX: usize = 64 << 20;

/// A patch file as it will be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// File name, or the number of the mail in an mbox.
    pub file: String,
    /// The subject without its `[PATCH …]` prefix; empty where the mail has none.
    pub subject: String,
    /// The message id, for a patch that came as a mail.
    pub message_id: Option<String>,
    /// What stands before the diff: headers and message of its mail.
    pub head: Vec<u8>,
    /// The part that changes files, and nothing else: what is applied is what was checked.
    pub diff: Vec<u8>,
    /// SHA-256 of it without git's signature, in hex: what keys are made of.
    pub digest: String,
    /// The files it touches, in order.
    pub files: Vec<String>,
    /// What its mail says of it.
    pub provenance: Provenance,
}

impl Patch {
    /// The whole of it, as its mail has it.
    pub fn text(&self) -> Vec<u8> {
        [self.head.as_slice(), self.diff.as_slice()].concat()
    }

    /// Reads a patch.
    ///
    /// # Errors
    /// A usage fault if it is empty, changes nothing, is too large, or names an unsafe path.
    pub fn parse(file: &str, text: Vec<u8>) -> Result<Self, Fault> {
        let refuse = |why: String| Err(Fault::usage(format!("patch {file}: {why}")));
        if text.iter().all(u8::is_ascii_whitespace) {
            return refuse("it is empty".into());
        }
        if text.len() > PATCH_BYTES_MAX {
            return refuse(format!("{} bytes are more than the {PATCH_BYTES_MAX} allowed", text.len()));
        }
        let Some(start) = diff_start(&text) else {
            return refuse("no diff is in it (neither `diff --git` nor `--- a/` lines)".into());
        };
        let bytes = &text[start..];
        let diff = &*String::from_utf8_lossy(bytes);
        let files = touched(diff);
        if files.is_empty() {
            return refuse("it names no file".into());
        }
        if let Some(path) = files.iter().find(|path| !is_safe(path)) {
            return refuse(format!(
                "it names `{path}`, which is no plain path inside the tree",
                path = path.escape_debug()
            ));
        }
        if let Some(why) = special::fault(diff) {
            return refuse(why);
        }
        let head = String::from_utf8_lossy(&text[..start]);
        let (subject, message_id) = headers(&head);
        let provenance = Provenance::read(&head);
        let digest = hex(&Sha256::digest(without_signature(bytes)));
        Ok(Self {
            file: file.to_owned(),
            subject,
            message_id,
            digest,
            files,
            provenance,
            head: text[..start].to_vec(),
            diff: bytes.to_vec(),
        })
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where the diff begins, as a byte offset: at the first line that git would take for one.
pub fn diff_start(text: &[u8]) -> Option<usize> {
    let is_start = |line: &[u8]| {
        [b"diff --git ".as_slice(), b"--- a/", b"--- /dev/null"].iter().any(|mark| line.starts_with(mark))
    };
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if is_start(line) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// `git format-patch` ends with a signature that holds git's version, and an mbox adds empty lines:
/// neither changes what a patch does.
fn without_signature(diff: &[u8]) -> &[u8] {
    const MARK: &[u8] = b"\n-- \n";
    let cut = match memchr::memmem::rfind(diff, MARK) {
        Some(at) if diff.len() - at < 200 => at,
        _ => diff.len(),
    };
    let mut end = cut;
    while end > 0 && diff[end - 1] == b'\n' {
        end -= 1;
    }
    &diff[..end]
}

/// The paths that the diff names, without their `a/` and `b/`, first mention first.
fn touched(diff: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    // Lines of the hunk at hand that are still to come: git counts them the same way.
    let (mut old, mut new) = (0_i64, 0_i64);
    for line in diff.lines() {
        if old > 0 || new > 0 {
            match line.as_bytes().first() {
                Some(b'-') => old -= 1,
                Some(b'+') => new -= 1,
                Some(b'\\') => {}
                _ => (old, new) = (old - 1, new - 1),
            }
            continue;
        }
        if let Some(range) = hunk_range(line) {
            (old, new) = range;
            continue;
        }
        for path in header_paths(line) {
            if path != "/dev/null" && !files.contains(&path) {
                files.push(path);
            }
        }
    }
    files
}

/// The line counts of an `@@ -a,b +c,d @@` line. What git takes for no such line must not be one here either: the
/// lines behind it would be passed over, and git would read them.
pub fn hunk_range(line: &str) -> Option<(i64, i64)> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| is_number)
    };
    let count = |range: &str| match range.split_once(',') {
        Some((start, count)) => number(start).and(number(count)),
        None => number(range).map(|_| 1),
    };
    Some((count(old)?, count(new)?))
}

/// The paths of one header line of a diff.
fn header_paths(line: &str) -> Vec<String> {
    if let Some(rest) = line.strip_prefix("diff --git ") {
        return git_header_paths(rest);
    }
    for mark in ["--- ", "+++ "] {
        if let Some(path) = line.strip_prefix(mark) {
            return vec![side(path.split('\t').next().unwrap_or(path))];
        }
    }
    for mark in ["rename from ", "rename to ", "copy from ", "copy to "] {
        if let Some(path) = line.strip_prefix(mark) {
            return vec![unquote(path)];
        }
    }
    Vec::new()
}

/// Both paths of `diff --git a/X b/Y`.
pub(super) fn git_header_paths(rest: &str) -> Vec<String> {
    if rest.starts_with('"') {
        return rest.split("\" \"").map(|part| side(part.trim_matches('"'))).collect();
    }
    match rest.split_once(" b/") {
        Some((old, new)) => vec![side(old), unquote(new)],
        None => rest.split(' ').map(side).collect(),
    }
}

/// A path without its `a/` or `b/`. Without such a prefix git would strip the first folder, so
/// the path is kept whole and `..` stays visible.
fn side(path: &str) -> String {
    let path = unquote(path);
    path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).map_or(path.clone(), str::to_owned)
}

/// git quotes unusual names; the octal escapes do not matter for safety, the separators do.
fn unquote(path: &str) -> String {
    path.trim_end_matches('\r').trim_matches('"').to_owned()
}

/// Whether a path stays inside the tree and out of git's own folder.
pub fn is_safe(path: &str) -> bool {
    // An escape could spell a dot or a slash: nothing in a kernel needs one.
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains('\\')
        && !path.contains('\0')
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && !is_dot_git(part))
}

fn is_dot_git(part: &str) -> bool {
    part.eq_ignore_ascii_case(".git") || part.to_ascii_lowercase().starts_with(".git~")
}

/// Subject (unfolded, without `[…]`) and message id from mail headers.
fn headers(text: &str) -> (String, Option<String>) {
    let mut subject = String::new();
    let mut message_id = None;
    let mut in_subject = false;
    for line in text.lines() {
        if line.is_empty() {
            break;
        }
        if let Some(more) = line.strip_prefix(' ').filter(|_| in_subject) {
            subject.push(' ');
            subject.push_str(more.trim());
            continue;
        }
        in_subject = false;
        if let Some(rest) = line.strip_prefix("Subject:") {
            subject = rest.trim().to_owned();
            in_subject = true;
        } else if line.to_ascii_lowercase().starts_with("message-id:") {
            message_id = Some(line["message-id:".len()..].trim().trim_matches(['<', '>']));
        }
    }
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    (plain(strip_tags(&subject)), message_id.map(plain))
}

/// Removes every leading `[…]`.
fn strip_tags(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some(inner) = rest.strip_prefix('[') {
        match inner.split_once(']') {
            Some((_, after)) => rest = after.trim_start(),
            None => break,
        }
    }
    rest
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
