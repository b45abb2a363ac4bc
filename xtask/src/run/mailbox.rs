// SPDX-License-Identifier: MIT OR Apache-2.0
//! Series as people have them: an mbox, a patch file, or a folder. What a mail means is decided in `lab/mail/`.

use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::fault::Fault;
use crate::lab::files::{read_capped, read_toml};
use crate::lab::mail::{self, Choice, Found};
use crate::lab::names::{SeriesName, sanitize};
use crate::lab::patch::{PATCH_BYTES_MAX, Patch};
use crate::lab::provenance::{base_commit, prerequisites};
use crate::lab::series::{Series, SeriesFacts, SeriesOrigin};

/// The largest mailbox that is read, in bytes.
const MAILBOX_BYTES_MAX: usize = 256 << 20;

/// Whether a `--series` value means a file or folder and not a name.
pub fn is_path(value: &str) -> bool {
    let ends = [".mbox", ".mbx", ".patch", ".diff", ".eml"];
    value.contains('/') || ends.iter().any(|end| value.ends_with(end))
}

/// Reads a series from a file or folder; it is named after it.
///
/// # Errors
/// A usage fault for what is no series: no patch in it, junk, an unsafe path.
pub fn read(path: &Path, choice: &Choice) -> Result<Series> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        Fault::usage(format!("reading the series {}: {error}", path.display()))
            .help("give --series NAME[@N], an mbox, a folder of patches, or git:BASE..HEAD")
    })?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = SeriesName::parse(&sanitize(&stem))?;
    let read = || if metadata.is_dir() { folder(path, choice) } else { file(path, choice) };
    let found = read().with_context(|| format!("reading the series {}", path.display()))?;
    if found.patches.is_empty() {
        return Err(Fault::usage(format!("{}: no patch is in it", path.display()))
            .help("an mbox as `git format-patch --stdout` writes it, or a folder of *.patch files, is wanted")
            .into());
    }
    let provenance = found.provenance;
    let origin = SeriesOrigin::AdHoc(path.to_owned());
    let declared = path.join("series.toml");
    if metadata.is_dir() && declared.is_file() {
        let facts = toml::from_str(&read_toml(&declared)?)
            .map_err(|error| Fault::usage(format!("{}: {error}", declared.display())))?;
        let series = Series { name, origin, facts, patches: found.patches, provenance };
        series.validate()?;
        return Ok(series);
    }
    let facts = SeriesFacts { title: found.title, ..SeriesFacts::default() };
    Ok(Series { name, origin, facts, patches: found.patches, provenance })
}

fn only_for_mboxes(choice: &Choice) -> Result<(), Fault> {
    match choice {
        Choice::Newest => Ok(()),
        _ => Err(Fault::usage("--series-version chooses among the mails of an mbox, and this is none")
            .help("leave --series-version out")),
    }
}

/// A folder: each patch file is a mail of its own, and their names give the order.
fn folder(path: &Path, choice: &Choice) -> Result<Found> {
    only_for_mboxes(choice)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let is_patch = |end: &std::ffi::OsStr| end == "patch" || end == "diff" || end == "eml";
        if file.extension().is_some_and(is_patch) {
            files.push(file);
        }
    }
    files.sort();
    let mut found = Found::default();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = read_capped(&file, PATCH_BYTES_MAX)?;
        let words = String::from_utf8_lossy(&text);
        found.provenance.base_commit = found.provenance.base_commit.or_else(|| base_commit(&words));
        found.provenance.prerequisites.extend(prerequisites(&words));
        // A patch file that is no mail is applied as it is.
        if !looks_like_mail(&text) {
            found.patches.push(Patch::parse(&name, text)?);
            continue;
        }
        let taken = mail::patch_of_mail(&name, &text)?;
        match taken.patch {
            Some(patch) => found.patches.push(patch),
            None if taken.notes.is_empty() => {
                return Err(Fault::usage(format!("patch {name}: no diff is in it")).into());
            }
            None => found.title = mail::title(&text),
        }
        found.provenance.notes.extend(taken.notes);
    }
    finish(&mut found);
    Ok(found)
}

/// One file: an mbox, one mail, or a bare diff.
fn file(path: &Path, choice: &Choice) -> Result<Found> {
    let text = read_capped(path, MAILBOX_BYTES_MAX)?;
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::usage(format!("{} is empty", path.display())).into());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if looks_like_mail(&text) {
        return Ok(mail::read(&name, &text, choice)?);
    }
    only_for_mboxes(choice)?;
    let mut found = Found { patches: vec![Patch::parse(&name, text)?], ..Found::default() };
    finish(&mut found);
    Ok(found)
}

/// What the patches say of the series where nothing else does.
fn finish(found: &mut Found) {
    let first = found.patches.first();
    if found.title.is_empty() {
        found.title = first.map(|patch| patch.subject.clone()).unwrap_or_default();
    }
    found.provenance.version = first.and_then(|patch| patch.provenance.version);
}

/// Whether a text begins as a mail does, and not with a diff.
pub fn looks_like_mail(text: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&text[..text.len().min(4096)]).into_owned();
    let first = start.lines().next().unwrap_or("");
    let headers = ["from:", "subject:", "message-id:", "received:", "return-path:", "date:"];
    first.starts_with("From ")
        || start.lines().take_while(|line| !line.is_empty()).any(|line| {
            let line = line.to_ascii_lowercase();
            headers.iter().any(|header| line.starts_with(header))
        })
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
        let series = read(&path, &Choice::Newest).unwrap();
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
        assert_eq!(
            digests(&read(&path, &Choice::Newest).unwrap()),
            digests(&read(&inner, &Choice::Newest).unwrap())
        );
        let shipped = Patch::parse("0001.patch", mail(1).into()).unwrap();
        let given = read(&path, &Choice::Newest).unwrap();
        assert_eq!(shipped.digest, given.patches[0].digest);
        assert_eq!(shipped.provenance.version, given.provenance.version);
    }

    #[test]
    fn what_is_no_series_is_a_usage_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.mbox");
        let evil = mail(1).replace("+++ b/x", "+++ b/../x");
        for text in ["", "\n\n", "hello\n", &evil, &mail(1)[..mail(1).find("diff").unwrap()]] {
            fs::write(&path, text).unwrap();
            let error = read(&path, &Choice::Newest).unwrap_err();
            assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE, "{text}: {error:#}");
        }
        assert!(read(&folder.path().join("absent.mbox"), &Choice::Newest).is_err());
        assert!(read(&folder.path().join("empty"), &Choice::Newest).is_err());
    }
}
