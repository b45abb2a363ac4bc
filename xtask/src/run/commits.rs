// SPDX-License-Identifier: MIT OR Apache-2.0
//! Series from a range of commits of a user's repository, which is only read.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::fault::Fault;
use crate::lab::names::{SeriesName, sanitize};
use crate::lab::patch::Patch;
use crate::lab::provenance::{Provenance, SeriesProvenance};
use crate::lab::series::{Series, SeriesFacts, SeriesOrigin};
use crate::run::git::bare_command;
use crate::sys::process::{Captured, capture};

/// What a value begins with that means a range.
pub const PREFIX: &str = "git:";

/// Longest that one look into the repository may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// Most commits that a series may have.
const COMMITS_MAX: usize = 1000;

/// The largest diff of one commit, in bytes: captured output ends there, without a word.
const DIFF_BYTES_MAX: usize = 40 << 20;

/// `[DIR:]BASE..HEAD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    repository: Option<PathBuf>,
    base: String,
    head: String,
}

impl Range {
    /// Reads what stands behind `git:`.
    ///
    /// # Errors
    /// A usage fault for what is no range of two revisions.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let refuse =
            |why: &str, help: &str| Err(Fault::usage(format!("--series git:{text}: {why}")).help(help));
        let (repository, range) = match text.rsplit_once(':') {
            Some(("", _)) => return refuse("an empty folder", "write git:DIR:BASE..HEAD"),
            Some((folder, range)) => (Some(PathBuf::from(folder)), range),
            None => (None, text),
        };
        if range.contains("...") {
            return refuse("three dots name what two branches do not share", "write two: git:BASE..HEAD");
        }
        let Some((base, head)) = range.split_once("..") else {
            return refuse(
                "a range has two dots",
                &format!(
                    "write git:{text}..HEAD for what came after {range}, or git:{text}~1..{text} for that commit alone"
                ),
            );
        };
        if base.is_empty() {
            return refuse(
                "where does it begin?",
                "write git:BASE..HEAD, where BASE is the last commit before the series",
            );
        }
        let head = if head.is_empty() { "HEAD" } else { head };
        for revision in [base, head] {
            if revision.starts_with('-') {
                return refuse("a revision does not begin with a dash", "write git:BASE..HEAD");
            }
        }
        Ok(Self { repository, base: base.to_owned(), head: head.to_owned() })
    }
}

/// A user's repository.
pub(super) struct Repository<'a> {
    pub(super) folder: &'a Path,
}

/// A commit as far as a patch needs it.
pub(super) struct Commit {
    id: String,
    author: String,
    date: String,
    subject: String,
    message: String,
}

/// Reads the commits of a range as a series; `near` is where to look if it names no repository.
///
/// # Errors
/// A usage fault: no repository, unknown revisions, an empty range, one that is not linear.
pub fn read(text: &str, near: &Path) -> Result<Series> {
    let range = Range::parse(text)?;
    let folder =
        std::path::absolute(range.repository.as_deref().unwrap_or(near)).context("finding the repository")?;
    let repository = Repository { folder: &folder };
    if !folder.is_dir() || !repository.ask(&["rev-parse", "--git-dir"])?.exit.is_success() {
        return Err(Fault::usage(format!(
            "--series git:{text}: {} is in no git repository",
            folder.display()
        ))
        .help("name the repository: --series git:DIR:BASE..HEAD")
        .into());
    }
    let (base, head) = (repository.commit(&range.base)?, repository.commit(&range.head)?);
    let (first_parent, ids) = repository.linear(&range, &base, &head)?;
    let mut notes = Vec::new();
    let mut changes = Vec::new();
    for id in &ids {
        let commit = repository.read_commit(id)?;
        match repository.diff(id)? {
            // b4 keeps a cover letter so.
            diff if diff.is_empty() => notes.push(format!(
                "commit {} (\"{}\") changes nothing, and is left out",
                short(id),
                commit.subject
            )),
            diff => changes.push((commit, diff)),
        }
    }
    if changes.is_empty() {
        return Err(Fault::usage(format!(
            "{}..{}: no commit in it changes anything",
            range.base, range.head
        ))
        .help("name a range with changes in it")
        .into());
    }
    let of = changes.len();
    let numbered = changes.into_iter().zip(1..);
    let patches: Vec<Patch> = numbered
        .map(|((commit, diff), number)| patch(commit, diff, number, of))
        .collect::<Result<_, Fault>>()?;
    if first_parent != base {
        notes.push(format!(
            "{} is no ancestor of {}: the series begins at {}, which both have",
            range.base,
            range.head,
            short(&first_parent)
        ));
    }
    let name = repository.name(&range, &head)?;
    let provenance =
        SeriesProvenance { base_commit: Some(first_parent), notes, ..SeriesProvenance::default() };
    let title = patches.first().map(|patch: &Patch| patch.subject.clone()).unwrap_or_default();
    Ok(Series {
        name,
        origin: SeriesOrigin::Commits {
            repository: folder.clone(),
            range: format!("{}..{}", range.base, range.head),
        },
        facts: SeriesFacts { title, ..SeriesFacts::default() },
        patches,
        provenance,
    })
}

/// Patch ids (`git patch-id --stable`) of patches, in order; a patch that git sees no change in has none.
///
/// # Errors
/// If git fails.
pub fn patch_ids(patches: &[&Patch]) -> Result<Vec<String>> {
    let mut input = Vec::new();
    for (at, patch) in patches.iter().enumerate() {
        input.extend_from_slice(format!("\nFrom {at:040x}\n").as_bytes());
        input.extend_from_slice(&patch.diff);
    }
    let mut git = bare_command();
    git.args(["patch-id", "--stable"]);
    let printed = capture(git, "git patch-id", DEADLINE, &input)?.success("git patch-id")?;
    Ok(printed.text().lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// Whether a folder is in a git repository.
///
/// # Errors
/// If git cannot be started.
pub fn is_repository(folder: &Path) -> Result<bool> {
    Ok(folder.is_dir() && Repository { folder }.ask(&["rev-parse", "--git-dir"])?.exit.is_success())
}

/// The full id of a commit of a repository, if it has that commit.
///
/// # Errors
/// If git cannot be started.
pub fn find_commit(folder: &Path, revision: &str) -> Result<Option<String>> {
    Repository { folder }.find(revision)
}

/// git on a user's repository: it writes nothing there, not even an index that it refreshed, and fetches nothing.
pub fn reading_command(folder: &Path) -> Command {
    let mut git = bare_command();
    git.env("GIT_NO_REPLACE_OBJECTS", "1").arg("-C").arg(folder);
    git
}

impl Repository<'_> {
    pub(super) fn ask(&self, args: &[&str]) -> Result<Captured> {
        let mut git = reading_command(self.folder);
        git.args(args);
        let captured = capture(git, &format!("git {}", args.first().unwrap_or(&"")), DEADLINE, b"")?;
        crate::sys::interrupt::check()?;
        Ok(captured)
    }

    pub(super) fn tell(&self, args: &[&str]) -> Result<String> {
        let what = format!("git {} in {}", args.first().unwrap_or(&""), self.folder.display());
        Ok(self.ask(args)?.success(&what)?.text().trim().to_owned())
    }

    pub(super) fn find(&self, revision: &str) -> Result<Option<String>> {
        let wanted = format!("{revision}^{{commit}}");
        let found = self.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])?;
        Ok(found.exit.is_success().then(|| found.text().trim().to_owned()))
    }

    fn commit(&self, revision: &str) -> Result<String> {
        self.find(revision)?.ok_or_else(|| {
            let here = self.folder.display();
            Fault::usage(format!("`{revision}` is no commit of {here}"))
                .help(format!("`git -C {here} log --oneline` shows what there is; another repository: --series git:DIR:BASE..HEAD"))
                .into()
        })
    }

    /// The commits of the range, first to last, each the child of the one before; and the parent of the first.
    fn linear(&self, range: &Range, base: &str, head: &str) -> Result<(String, Vec<String>)> {
        let written = format!("{}..{}", range.base, range.head);
        let between = format!("{base}..{head}");
        let listed = self.tell(&["rev-list", "--reverse", "--topo-order", "--parents", &between, "--"])?;
        let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split(' ').collect()).collect();
        if lines.is_empty() {
            let back = self.tell(&["rev-list", "--count", &format!("{head}..{base}"), "--"])?;
            let help = match back.as_str() {
                "0" => "both are the same commit".to_owned(),
                count => format!(
                    "{} is {count} commits behind {}: did you mean git:{}..{}?",
                    range.head, range.base, range.head, range.base
                ),
            };
            return Err(Fault::usage(format!("{written} of {}: no commit is in it", self.folder.display()))
                .help(help)
                .into());
        }
        if lines.len() > COMMITS_MAX {
            return Err(Fault::usage(format!(
                "{written}: {} commits are more than the {COMMITS_MAX} of a series",
                lines.len()
            ))
            .help("name a later BASE")
            .into());
        }
        for line in &lines {
            if line.len() != 2 {
                let subject = self.tell(&[
                    "rev-list",
                    "--no-walk",
                    "--format=%s",
                    "--no-commit-header",
                    line[0],
                    "--",
                ])?;
                let (what, help) = if line.len() > 2 {
                    (
                        "a merge",
                        "rebase the branch (`git rebase --onto BASE`), or name a range before or after the merge",
                    )
                } else {
                    ("a first commit, without a parent", "name a BASE that the branch grew from")
                };
                return Err(Fault::usage(format!(
                    "{written} is not linear: {} (\"{subject}\") is {what}",
                    short(line[0])
                ))
                .help(help)
                .into());
            }
        }
        // Two lines of commits need a merge to come together, unless history itself says otherwise.
        if let Some(pair) = lines.windows(2).find(|pair| pair[1][1] != pair[0][0]) {
            return Err(Fault::usage(format!(
                "{written} is not linear: {} does not follow {}",
                short(pair[1][0]),
                short(pair[0][0])
            ))
            .into());
        }
        Ok((lines[0][1].to_owned(), lines.iter().map(|line| line[0].to_owned()).collect()))
    }

    pub(super) fn read_commit(&self, id: &str) -> Result<Commit> {
        let format = "--format=%an <%ae>%n%aD%n%s%n%B";
        let text = self.tell(&["rev-list", "--no-walk", "--no-commit-header", format, id, "--"])?;
        let mut lines = text.splitn(4, '\n').map(str::to_owned);
        let mut next = || lines.next().unwrap_or_default();
        let (author, date, subject, body) = (next(), next(), next(), next());
        let message = body.split_once("\n\n").map(|(_, rest)| rest.trim().to_owned()).unwrap_or_default();
        Ok(Commit { id: id.to_owned(), author, date, subject, message })
    }

    /// What a commit changes, whatever the repository is configured to.
    pub(super) fn diff(&self, id: &str) -> Result<Vec<u8>> {
        const SHAPE: [&str; 13] = [
            "diff-tree",
            "-p",
            "--no-commit-id",
            "--full-index",
            "--binary",
            "--no-renames",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "-U3",
            "--diff-algorithm=myers",
        ];
        let diff = self.ask(&[&SHAPE[..], &[id, "--"]].concat())?.success("git diff-tree")?.stdout;
        if diff.len() > DIFF_BYTES_MAX {
            let why = format!("commit {}: a diff of more than {DIFF_BYTES_MAX} bytes", short(id));
            return Err(Fault::usage(why).into());
        }
        Ok(diff)
    }

    /// The branch that was named or is checked out, else the commit.
    fn name(&self, range: &Range, head: &str) -> Result<SeriesName> {
        let branch = match range.head.as_str() {
            "HEAD" | "@" => {
                let asked = self.ask(&["symbolic-ref", "--quiet", "--short", "HEAD"])?;
                if asked.exit.is_success() {
                    asked.text().trim().to_owned()
                } else {
                    format!("commit-{}", short(head))
                }
            }
            named => named.to_owned(),
        };
        Ok(SeriesName::parse(&sanitize(&branch))?)
    }
}

/// A commit as the mail that `git format-patch` would make of it.
pub(super) fn patch(commit: Commit, diff: Vec<u8>, number: usize, of: usize) -> Result<Patch, Fault> {
    let Commit { id, author, date, subject, message } = commit;
    let head = format!(
        "From: {author}\nDate: {date}\nSubject: [PATCH {number}/{of}] {subject}\n\n{message}\n---\n\n"
    );
    // A message may quote a diff: only what git printed is one.
    let patch = Patch::parse(&format!("{} ({number}/{of})", short(&id)), diff)?;
    // A commit has no version.
    let provenance = Provenance { version: None, commit: Some(id), ..Provenance::read(&head) };
    Ok(Patch { subject, head: head.into_bytes(), provenance, ..patch })
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
#[path = "commits_tests.rs"]
mod tests;
