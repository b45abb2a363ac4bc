// SPDX-License-Identifier: MIT OR Apache-2.0
//! `check-patch`: one patch on standard input, checked without building anything. What b4 calls for each patch.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use anyhow::{Context as _, Result};

use crate::cli::{CheckPatchArgs, CheckPatchFormat, Cli};
use crate::cmd::session::Session;
use crate::fault;
use crate::lab::damage;
use crate::lab::mail::patch_of_mail;
use crate::lab::names::TreeName;
use crate::lab::patch::{PATCH_BYTES_MAX, Patch};
use crate::run::branch::{Branch, branch};
use crate::run::cache::Cache;
use crate::run::checkpatch::{self, Checked, Weight};
use crate::run::compiler::Toolchain;
use crate::run::context::{Context, Options};
use crate::run::git::Git;
use crate::run::import::import;
use crate::run::mailbox::looks_like_mail;
use crate::run::source;
use crate::tell;
use crate::tell::check_patch::{Remark, Status, json, lines};

/// How many commits before the patch may have to be applied first.
const BEFORE_MAX: usize = 16;

/// Most remarks of `checkpatch.pl` that are told one by one.
const COMPLAINTS_MAX: usize = 200;

/// Runs the verb.
///
/// # Errors
/// Interrupts; trouble in reading or printing. Everything else is a result.
pub fn run(cli: &Cli, args: &CheckPatchArgs) -> Result<u8> {
    let mut text = Vec::new();
    let limit = PATCH_BYTES_MAX as u64 + 1;
    if std::io::stdin().is_terminal() {
        tell::print_error("reading a patch from standard input; Ctrl-D ends it\n");
    }
    std::io::stdin().lock().take(limit).read_to_end(&mut text).context("reading standard input")?;
    let mut remarks = Vec::new();
    if let Err(error) = check(cli, args, &text, &mut remarks) {
        crate::sys::interrupt::check()?;
        // Who calls this reads results, and no error stream.
        let summary = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
        let summary = summary.lines().next().unwrap_or_default().to_owned();
        remarks.push(Remark::new("check-patch", status_of(&error), summary).with(fault::describe(&error)));
    }
    tell::print(&match args.format {
        CheckPatchFormat::Json => json(&remarks)?,
        CheckPatchFormat::Lines => lines(&remarks),
    });
    let has_failed = remarks.iter().any(|remark| remark.status == Status::Fail);
    Ok(if has_failed { fault::EXIT_CHECK } else { fault::EXIT_OK })
}

/// What is wrong with the patch, or with what was asked, fails; the lab's own trouble leaves it unchecked.
fn status_of(error: &anyhow::Error) -> Status {
    match fault::exit_code(error) {
        fault::EXIT_INFRA | fault::EXIT_INTERNAL => Status::Warn,
        _ => Status::Fail,
    }
}

fn check(cli: &Cli, args: &CheckPatchArgs, text: &[u8], remarks: &mut Vec<Remark>) -> Result<()> {
    let Some(patch) = read(text, remarks)? else { return Ok(()) };
    let mut session = Session::open(cli)?;
    let here = std::env::current_dir().context("finding the current folder")?;
    let cache = session.cache()?;
    let scratch = cache.temporary()?;
    let branch = branch(&here)?;
    let (git, tree) = match (&args.tree, &branch) {
        (Some(value), _) => {
            let (git, tree) =
                of_lab(&mut session, &cache, value, scratch.path(), branch.as_ref(), &patch, remarks)?;
            (git, Some(tree))
        }
        (None, Some(branch)) => {
            remarks.push(of_branch(branch, scratch.path(), &patch)?);
            (branch.git.clone(), Some("HEAD".to_owned()))
        }
        (None, None) => {
            let why = "whether it applies was not checked: this is no git repository, and no --tree is given";
            remarks.push(Remark::new("apply", Status::Warn, why));
            (Git::reading(PathBuf::new()), None)
        }
    };
    match tree {
        Some(tree) => remarks.extend(complaints(&git, &tree, scratch.path(), text)?),
        None => {
            remarks.push(Remark::new("checkpatch", Status::Warn, "not run: there is no tree to take it from"))
        }
    }
    Ok(())
}

/// The patch, and whether it came through whole; none where there is nothing more to check.
fn read(text: &[u8], remarks: &mut Vec<Remark>) -> Result<Option<Patch>> {
    const FILE: &str = "standard input";
    if text.len() > PATCH_BYTES_MAX {
        let summary = format!("it is longer than the {PATCH_BYTES_MAX} bytes allowed");
        remarks.push(Remark::new("read", Status::Fail, summary));
        return Ok(None);
    }
    let patch = if looks_like_mail(text) {
        let taken = patch_of_mail(FILE, text)?;
        match taken.patch {
            Some(patch) => patch,
            None if !taken.notes.is_empty() => {
                remarks.push(Remark::new("read", Status::Pass, "a cover letter: no patch is in it"));
                return Ok(None);
            }
            None => {
                remarks.push(Remark::new("read", Status::Fail, "no diff is in it"));
                return Ok(None);
            }
        }
    } else {
        Patch::parse(FILE, text.to_vec())?
    };
    let files = patch.files.len();
    remarks.push(Remark::new(
        "read",
        Status::Pass,
        format!("a patch of {files} file{}", if files == 1 { "" } else { "s" }),
    ));
    match damage::in_diff(&String::from_utf8_lossy(&patch.diff)) {
        Some(damage) => {
            remarks.push(Remark::new(
                "white-space",
                Status::Fail,
                format!("it was damaged on its way: {damage}"),
            ));
        }
        None => remarks.push(Remark::new("white-space", Status::Pass, "its hunks are whole")),
    }
    Ok(Some(patch))
}

/// Against the repository that the command runs in. b4 hands over commits of the branch: each has to apply
/// to its own parent; what is no commit yet has to apply to HEAD.
fn of_branch(branch: &Branch, scratch: &Path, patch: &Patch) -> Result<Remark> {
    for commit in branch.with_subject(&patch.subject)? {
        // Another change may be called the same: an older version of it, for one.
        if branch.makes(&commit, patch, scratch)? {
            let summary =
                format!("it is commit {} of this branch, and applies to the one before", short(&commit));
            return Ok(Remark::new("apply", Status::Pass, summary));
        }
    }
    Ok(match source::check_on(&branch.git, scratch, "HEAD", patch)? {
        None => Remark::new("apply", Status::Pass, "it applies to HEAD"),
        Some(failure) => Remark::new("apply", Status::Fail, format!("HEAD: {}", failure.reason))
            .with(failure.words.join("\n")),
    })
}

/// Against a tree of the lab: the patch alone, else with as few as possible of the commits before it.
fn of_lab(
    session: &mut Session,
    cache: &Cache,
    value: &str,
    scratch: &Path,
    branch: Option<&Branch>,
    patch: &Patch,
    remarks: &mut Vec<Remark>,
) -> Result<(Git, String)> {
    let name = session.name_tree(value)?;
    let tree = session.lab.tree(&TreeName::parse(&name)?)?;
    let options = Options::without_guests();
    // Nobody listens: standard output holds nothing but results.
    let (sender, _) = channel();
    let context = Context::new(&session.lab, cache, Toolchain::ask()?, &options, scratch.to_owned(), sender);
    let imported = import(&context, tree)?;
    let before = match branch {
        Some(branch) => branch.before(&patch.subject, BEFORE_MAX)?,
        None => Vec::new(),
    };
    let mut first = None;
    for count in 0..=before.len() {
        let mut patches: Vec<&Patch> = before[before.len() - count..].iter().collect();
        patches.push(patch);
        match source::apply_all(&context, &imported, &patches)? {
            Ok(()) => {
                let after = match count {
                    0 => String::new(),
                    1 => ", after the commit before it".to_owned(),
                    count => format!(", after the {count} commits before it"),
                };
                remarks.push(Remark::new("apply", Status::Pass, format!("it applies to {name}{after}")));
                return Ok((imported.git, imported.tree));
            }
            Err(failure) => first = first.or(Some(failure)),
        }
    }
    if let Some(failure) = first {
        let tried = if before.is_empty() {
            String::new()
        } else {
            format!("; nor after the {} commits before it", before.len())
        };
        let summary = format!("{name}: {}{tried}", failure.reason);
        remarks.push(Remark::new("apply", Status::Fail, summary).with(failure.words.join("\n")));
    }
    Ok((imported.git, imported.tree))
}

fn complaints(git: &Git, tree: &str, scratch: &Path, text: &[u8]) -> Result<Vec<Remark>> {
    let found = match checkpatch::run(git, tree, &scratch.join("checkpatch"), text)? {
        Checked::Ran(found) => found,
        Checked::NoScript => {
            let why = "not run: the tree has no scripts/checkpatch.pl";
            return Ok(vec![Remark::new("checkpatch", Status::Warn, why)]);
        }
        Checked::Broke(words) => {
            return Ok(vec![Remark::new("checkpatch", Status::Warn, "it broke off").with(words)]);
        }
    };
    if found.is_empty() {
        return Ok(vec![Remark::new("checkpatch", Status::Pass, "nothing to remark")]);
    }
    let mut remarks: Vec<Remark> = Vec::new();
    for complaint in found.iter().take(COMPLAINTS_MAX) {
        let status = if complaint.weight == Weight::Error { Status::Fail } else { Status::Warn };
        remarks.push(Remark::new("checkpatch", status, complaint.text.clone()));
    }
    if found.len() > COMPLAINTS_MAX {
        let more = format!("and {} more", found.len() - COMPLAINTS_MAX);
        let has_error = found[COMPLAINTS_MAX..].iter().any(|one| one.weight == Weight::Error);
        remarks.push(Remark::new("checkpatch", if has_error { Status::Fail } else { Status::Warn }, more));
    }
    Ok(remarks)
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
