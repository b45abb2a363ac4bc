// SPDX-License-Identifier: MIT OR Apache-2.0
//! Series as people have them: an mbox, a patch file, or a folder, as `git am` reads them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::fault::Fault;
use crate::lab::names::{SeriesName, sanitize};
use crate::lab::patch::Patch;
use crate::lab::provenance::{Provenance, base_commit};
use crate::lab::series::{Series, SeriesFacts, SeriesOrigin};
use crate::run::git::bare_command;
use crate::sys::process::{capture, tail};

/// Longest that git may take to read a mailbox.
const DEADLINE: Duration = Duration::from_secs(120);

/// The largest mailbox that is read, in bytes.
const MAILBOX_BYTES_MAX: u64 = 256 << 20;

/// Whether a `--series` value means a file or folder and not a name.
pub fn is_path(value: &str) -> bool {
    value.contains('/') || value.ends_with(".mbox") || value.ends_with(".patch") || value.ends_with(".diff")
}

/// Reads a series from a file or folder; it is named after it.
///
/// # Errors
/// A usage fault for what is no series: no patch in it, junk, an unsafe path.
pub fn read(path: &Path) -> Result<Series> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        Fault::usage(format!("reading the series {}: {error}", path.display()))
            .help("give --series NAME[@N], an mbox, or a folder of patches")
    })?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = SeriesName::parse(&sanitize(&stem))?;
    let read = || if metadata.is_dir() { folder(path) } else { mailbox(path, metadata.len()) };
    let (patches, base_commit) = read().with_context(|| format!("reading the series {}", path.display()))?;
    if patches.is_empty() {
        return Err(Fault::usage(format!("{}: no patch is in it", path.display()))
            .help("an mbox as `git format-patch --stdout` writes it, or a folder of *.patch files, is wanted")
            .into());
    }
    let declared = path.join("series.toml");
    if metadata.is_dir() && declared.is_file() {
        let facts = toml::from_str(&fs::read_to_string(&declared)?)
            .map_err(|error| Fault::usage(format!("{}: {error}", declared.display())))?;
        let series =
            Series { name, origin: SeriesOrigin::AdHoc(path.to_owned()), facts, patches, base_commit };
        series.validate()?;
        return Ok(series);
    }
    let facts = SeriesFacts {
        title: patches.first().map(|patch| patch.subject.clone()).unwrap_or_default(),
        ..SeriesFacts::default()
    };
    Ok(Series { name, origin: SeriesOrigin::AdHoc(path.to_owned()), facts, patches, base_commit })
}

/// A folder: each patch file is a mail of its own.
fn folder(path: &Path) -> Result<(Vec<Patch>, Option<String>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "patch" || extension == "diff" || extension == "eml")
        {
            files.push(file);
        }
    }
    files.sort();
    let mut base = None;
    let mut patches = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read(&file).map_err(|error| Fault::usage(error.to_string()))?;
        base = base.or_else(|| base_commit(&String::from_utf8_lossy(&text)));
        // A patch file that is no mail is applied as it is.
        let parts = if text.starts_with(b"From ") || text.starts_with(b"From:") {
            mail_to_patch(&name, &text)?
        } else {
            Some(Patch::parse(&name, text)?)
        };
        match parts {
            Some(patch) => patches.push(patch),
            None => return Err(Fault::usage(format!("patch {name}: no diff is in it")).into()),
        }
    }
    Ok((patches, base))
}

/// An mbox: mails without a diff, such as the cover letter, are passed over.
fn mailbox(path: &Path, size: u64) -> Result<(Vec<Patch>, Option<String>)> {
    if size > MAILBOX_BYTES_MAX {
        return Err(
            Fault::usage(format!("{size} bytes are more than the {MAILBOX_BYTES_MAX} allowed")).into()
        );
    }
    let text = fs::read(path)?;
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::usage(format!("{} is empty", path.display())).into());
    }
    let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !looks_like_mail(&text) {
        return Ok((vec![Patch::parse(&file_name, text)?], None));
    }
    let base = base_commit(&String::from_utf8_lossy(&text));
    let scratch = tempfile::tempdir().context("making a temporary folder")?;
    let mut split = bare_command();
    let mut output = std::ffi::OsString::from("-o");
    output.push(scratch.path());
    split.args(["mailsplit", "-b"]).arg(output).arg("--").arg(path);
    let captured = capture(split, "git mailsplit", DEADLINE, b"")?;
    if !captured.exit.is_success() {
        crate::sys::interrupt::check()?;
        return Err(
            Fault::usage(format!("git cannot read it as an mbox: {}", tail(&captured.stderr, 500))).into()
        );
    }
    let mut mails: Vec<_> =
        fs::read_dir(scratch.path())?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    mails.sort();
    let mut patches = Vec::new();
    for (number, mail) in mails.iter().enumerate() {
        let name = format!("{file_name}#{}", number + 1);
        patches.extend(mail_to_patch(&name, &fs::read(mail)?)?);
    }
    Ok((patches, base))
}

fn looks_like_mail(text: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&text[..text.len().min(4096)]).into_owned();
    let first = start.lines().next().unwrap_or("");
    first.starts_with("From ")
        || start.lines().take_while(|line| !line.is_empty()).any(|line| {
            ["From:", "Subject:", "Message-Id:", "Message-ID:"].iter().any(|header| line.starts_with(header))
        })
}

/// Decodes one mail with git; `None` if no diff is in it.
fn mail_to_patch(name: &str, mail: &[u8]) -> Result<Option<Patch>> {
    let scratch = tempfile::tempdir().context("making a temporary folder")?;
    let (message, diff) = (scratch.path().join("message"), scratch.path().join("diff"));
    let mut mailinfo = bare_command();
    mailinfo.args(["mailinfo", "-m"]).arg(&message).arg(&diff);
    let what = format!("git mailinfo of {name}");
    let info = capture(mailinfo, &what, DEADLINE, mail)?.success(&what)?.text();
    let diff = fs::read(&diff)?;
    let is_text = !contains_line(&diff, b"diff --git ") && !contains_line(&diff, b"--- ");
    if diff.iter().all(u8::is_ascii_whitespace) || is_text && is_letter(mail) {
        return Ok(None);
    }
    let mut text = Vec::new();
    let subject = info.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or("");
    text.extend_from_slice(format!("Subject: {subject}\n").as_bytes());
    let message = fs::read_to_string(&message).unwrap_or_default();
    if let Some(id) = message.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:")) {
        text.extend_from_slice(id.as_bytes());
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(&diff);
    let mut patch = Patch::parse(name, text)?;
    patch.provenance = Provenance::read(&String::from_utf8_lossy(mail));
    Ok(Some(patch))
}

fn contains_line(text: &[u8], start: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| line.starts_with(start))
}

/// Whether a mail says of itself that it is no patch: a cover letter (`0/5`) or an answer.
fn is_letter(mail: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&mail[..mail.len().min(64 << 10)]).into_owned();
    let headers = text.lines().take_while(|line| !line.is_empty());
    let subject = headers.filter_map(|line| line.strip_prefix("Subject:")).next().unwrap_or("").trim();
    let number = subject.split_once(']').and_then(|(tag, _)| tag.rsplit_once('/')?.0.split(' ').next_back());
    let is_cover = number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte == b'0'));
    is_cover || subject.to_ascii_lowercase().starts_with("re:")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From 0 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nDate: Thu, 1 Oct 2020 00:00:00 +0000\n\
        Message-Id: <NUMBER@example.org>\nSubject: [PATCH v5 NUMBER/2] x: change NUMBER\n\nWhy.\n---\n x | 2 +-\n\n\
        diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+bNUMBER\n-- \n2.39.5\n\n";

    fn mail(number: u32) -> String {
        MAIL.replace("NUMBER", &number.to_string())
    }

    #[test]
    fn an_mbox_gives_its_patches_and_not_its_cover_letter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v5.mbox");
        // What stands behind `---` is a patch only where it is one.
        let cover = "From 0 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nSubject: [PATCH v5 0/2] x\n\n\
            Hello.\n---\nSince v4: mended.\n\n";
        fs::write(&path, format!("{cover}{}{}", mail(1), mail(2))).unwrap();
        let series = read(&path).unwrap();
        assert_eq!(series.name.as_str(), "v5");
        let subjects: Vec<&str> = series.patches.iter().map(|patch| patch.subject.as_str()).collect();
        assert_eq!(subjects, ["x: change 1", "x: change 2"]);
        assert_eq!(series.patches[0].message_id.as_deref(), Some("1@example.org"));
    }

    #[test]
    fn a_folder_and_an_mbox_of_the_same_patches_have_the_same_digests() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.mbox");
        fs::write(&path, format!("{}{}", mail(1), mail(2))).unwrap();
        let inner = folder.path().join("s");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("0001.patch"), mail(1)).unwrap();
        fs::write(inner.join("0002.patch"), mail(2)).unwrap();
        let digests = |series: &Series| series.patches.iter().map(|p| p.digest.clone()).collect::<Vec<_>>();
        assert_eq!(digests(&read(&path).unwrap()), digests(&read(&inner).unwrap()));
        let shipped = Patch::parse("0001.patch", mail(1).into()).unwrap();
        assert_eq!(shipped.digest, read(&path).unwrap().patches[0].digest);
    }

    #[test]
    fn what_is_no_series_is_a_usage_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.mbox");
        let evil = mail(1).replace("+++ b/x", "+++ b/../x");
        for text in ["", "\n\n", "hello\n", &evil, &mail(1)[..mail(1).find("diff").unwrap()]] {
            fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE, "{text}: {error:#}");
        }
        assert!(read(&folder.path().join("absent.mbox")).is_err());
        assert!(read(folder.path().join("empty").as_path()).is_err());
    }
}
