// SPDX-License-Identifier: MIT OR Apache-2.0
//! `import`: a series of mails or commits becomes a folder of `kernel-patches/`.

use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::cli::{Cli, ImportArgs};
use crate::cmd::ad_hoc::{Source, read_part};
use crate::cmd::session::Session;
use crate::fault::{self, Fault};
use crate::lab::names::{SeriesName, TreeName};
use crate::lab::patch::Patch;
use crate::lab::series::Series;
use crate::tell;

/// Longest that the name of a patch file is without its ending, in bytes: as git cuts it.
const STEM_BYTES_MAX: usize = 57;

/// Runs the verb.
///
/// # Errors
/// Usage faults: no series, a name that is taken.
pub fn run(cli: &Cli, args: &ImportArgs) -> Result<u8> {
    let session = Session::open(cli)?;
    let here = std::env::current_dir().context("finding the current folder")?;
    let choice = args.series_version.clone().unwrap_or_default();
    let series = read_part(&args.source, &Source { choice: &choice, near: &here })?;
    let name = match &args.name {
        Some(name) => SeriesName::parse(name)?,
        None => series.name.clone(),
    };
    if let Some(tree) = &args.tree {
        session.lab.tree(&TreeName::parse(tree)?)?;
    }
    let folder = session.lab.root.join("kernel-patches").join(name.as_str());
    if name.is_none() || folder.exists() {
        return Err(Fault::usage(format!("there is a series `{name}` already"))
            .help("import it under another name: --name NAME")
            .into());
    }
    let text = series_toml(&series, args.tree.as_deref());
    write(&folder, &name, &series, &text)?;
    let mut told = format!("kernel-patches/{name}: {} patches\n", series.patches.len());
    for patch in &Series::read_shipped(name.clone(), &folder)?.patches {
        told.push_str(&format!("    {}\n", patch.file));
    }
    for note in &series.provenance.notes {
        told.push_str(&format!("note: {note}\n"));
    }
    told.push_str(&format!(
        "next: fill in series.toml (license, what it brings), then: cargo xtask test --series {name}\n"
    ));
    tell::print(&told);
    Ok(fault::EXIT_OK)
}

/// The folder appears whole, and only if what is in it reads as the same series.
fn write(folder: &Path, name: &SeriesName, series: &Series, toml: &str) -> Result<()> {
    let parent = folder.parent().context("a folder without a parent")?;
    // Inside git's checkout, but out of what the lab reads as a series until it is whole.
    let made =
        tempfile::tempdir_in(parent.parent().unwrap_or(parent)).context("making a temporary folder")?;
    fs::write(made.path().join("series.toml"), toml)?;
    for (at, patch) in series.patches.iter().enumerate() {
        fs::write(made.path().join(file_name(at + 1, &patch.subject)), file_text(patch))?;
    }
    let read = Series::read_shipped(name.clone(), made.path()).context("reading what was written")?;
    let digests =
        |series: &Series| series.patches.iter().map(|patch| patch.digest.clone()).collect::<Vec<_>>();
    anyhow::ensure!(digests(&read) == digests(series), "what was written is not what was read");
    let made = made.keep();
    // A temporary folder is for its owner alone.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&made, open)?;
    fs::rename(&made, folder).inspect_err(|_| {
        let _ = fs::remove_dir_all(&made);
    })?;
    Ok(())
}

/// A patch as a file that `git am` takes.
fn file_text(patch: &Patch) -> Vec<u8> {
    let commit = patch.provenance.commit.clone().unwrap_or_else(|| "0".repeat(40));
    let mut text = Vec::new();
    // A bare diff has no head: what it is called is all that is known.
    if patch.head.iter().all(u8::is_ascii_whitespace) {
        text.extend_from_slice(format!("Subject: [PATCH] {}\n\n---\n\n", patch.file).as_bytes());
    } else {
        if !patch.head.starts_with(b"From ") {
            text.extend_from_slice(format!("From {commit} Mon Sep 17 00:00:00 2001\n").as_bytes());
        }
        text.extend_from_slice(&patch.head);
    }
    text.extend_from_slice(&patch.diff);
    text
}

/// `0002-x86-seccomp-name-the-tables.patch`, as `git format-patch` makes it.
fn file_name(number: usize, subject: &str) -> String {
    let mut stem = format!("{number:04}-");
    let mut is_gap = false;
    for c in subject.chars() {
        if c.is_ascii_alphanumeric() || c == '_' || c == '.' && !stem.ends_with('.') {
            if is_gap && !stem.ends_with('-') {
                stem.push('-');
            }
            is_gap = false;
            stem.push(c);
        } else {
            is_gap = true;
        }
    }
    let stem = stem.trim_end_matches(['.', '-']);
    format!("{}.patch", &stem[..stem.len().min(STEM_BYTES_MAX)])
}

fn series_toml(series: &Series, tree: Option<&str>) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut text = format!("title = {}\n", quoted(&series.facts.title));
    if let Some(tree) = tree {
        text.push_str(&format!("tree = {}\n", quoted(tree)));
    }
    let provenance = &series.provenance;
    if let Some(base) = &provenance.base_commit {
        text.push_str(&format!("base-commit = {}\n", quoted(base)));
    }
    let version = provenance.version.map(|version| format!("version {version}"));
    let cover = provenance.cover.as_ref().map(|id| format!("cover letter <{id}>"));
    let subset = provenance.subset.map(|part| format!("patches {}-{} of {}", part.first, part.last, part.of));
    let known: Vec<String> = [version, cover, subset].into_iter().flatten().collect();
    if !known.is_empty() {
        text.push_str(&format!("# Imported: {}.\n", known.join(", ")));
    }
    for id in &provenance.prerequisites {
        text.push_str(&format!("# prerequisite-patch-id: {id}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_git_names_them() {
        for (number, subject, name) in [
            (
                1,
                "seccomp: look up a bitmap of allowed calls before running filters",
                "0001-seccomp-look-up-a-bitmap-of-allowed-calls-before-run.patch",
            ),
            (2, "x86: a/b (c)", "0002-x86-a-b-c.patch"),
            (3, "fix v5.10... really.", "0003-fix-v5.10.-really.patch"),
            (4, "", "0004.patch"),
        ] {
            assert_eq!(file_name(number, subject), name);
        }
    }

    #[test]
    fn a_title_cannot_break_the_file() {
        let mut series = Series::empty().unwrap();
        series.facts.title = "say \"x\"\\ \u{e9}".into();
        series.provenance.base_commit = Some("a".repeat(40));
        let facts: crate::lab::series::SeriesFacts =
            toml::from_str(&series_toml(&series, Some("5.10"))).unwrap();
        assert_eq!(facts.title, series.facts.title);
        assert_eq!(facts.base_commit, series.provenance.base_commit);
    }
}
