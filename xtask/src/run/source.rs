// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sources: a tree with patches applied, as a git tree object. The work tree is not touched.

use std::path::Path;

use anyhow::{Result, bail};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::lab::patch::Patch;
use crate::plan::key::{Key, KeyBuilder};
use crate::plan::work::SourceWork;
use crate::run::context::Context;
use crate::run::event::{Cached, Step};
use crate::run::git::Git;
use crate::run::hunk::{corrupt_line, hunk_number};
use crate::run::import::{Imported, import};
use crate::run::kernel_tree::kernel_tree;
use crate::run::mend;
use crate::run::special_files;
use crate::sys::lock::Lock;
use crate::sys::process::is_host_trouble;

/// A patched tree.
#[derive(Debug)]
pub struct Source {
    /// Its folder and base.
    pub imported: Imported,
    /// git's id of the patched tree object.
    pub tree: String,
    /// The id that a kernel depends on: without documentation and user-space tests.
    pub kernel_tree: String,
    /// git's id of the tree without the last of its patches.
    pub previous: Option<String>,
    /// Digests of the patches, in order.
    pub patches: Vec<String>,
    /// How it came to be: so it is made again where its objects are damaged.
    pub work: Box<SourceWork>,
    /// Taken when the work tree is first needed, and kept for as long as it is.
    pub lock: std::cell::OnceCell<Lock>,
}

/// What came of applying a series.
#[derive(Debug)]
pub enum Applied {
    /// It applied.
    Source(Source),
    /// It did not: a verdict, and not a trouble of the lab's.
    Failed(ApplyFailure),
}

/// Which patch and hunk did not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyFailure {
    /// One line.
    pub reason: String,
    /// git's words.
    pub words: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    tree: String,
    kernel_tree: String,
    previous: Option<String>,
}

/// Fetches, imports and patches.
///
/// # Errors
/// Trouble of the lab's: network, disk, a tree that is no kernel.
pub fn prepare(context: &Context<'_>, work: &SourceWork) -> Result<Applied> {
    match prepare_once(context, work) {
        // The import mends the repository, and brings again what it lacks.
        Err(error) if mend::is_damage(&error) => prepare_once(context, work).map_err(mend::give_up),
        prepared => prepared,
    }
}

/// Brings a source's objects into a repository again that has turned out to be damaged.
///
/// # Errors
/// As [`prepare`]; if what comes of it is another source.
pub fn restore(context: &Context<'_>, source: &Source) -> Result<()> {
    match prepare(context, &source.work)? {
        Applied::Source(again) if again.tree == source.tree => Ok(()),
        _ => bail!("{}/{} is no longer what it was", source.work.tree, source.work.point),
    }
}

fn prepare_once(context: &Context<'_>, work: &SourceWork) -> Result<Applied> {
    let imported = import(context, context.lab.tree(&work.tree)?)?;
    let patches = context.lab.patches(&work.point)?;
    let digests: Vec<String> = patches.iter().map(|patch| patch.digest.clone()).collect();
    let request = request_key(&imported, &digests);
    let lock = std::cell::OnceCell::new();
    let subject = format!("{}/{}", work.tree, work.point);
    let timer = context.timer(Step::Apply, &subject);
    if let Some(answer) = context.answer::<Answer>(&request)
        && imported.git.try_with(&["cat-file", "-e", &answer.tree], None, None, b"")?.exit.is_success()
    {
        context.done(timer, count(&patches), Cached::Yes);
        let Answer { tree, kernel_tree, previous } = answer;
        let work = Box::new(work.clone());
        let source = Source { imported, tree, kernel_tree, previous, patches: digests, work, lock };
        return Ok(Applied::Source(source));
    }
    context.announce(&timer, &count(&patches));
    let (start, applied) = longest_known(context, &imported, &digests)?;
    let trees = match apply(context, &imported, &start, &patches, applied)? {
        Ok(trees) => trees,
        Err(failure) => return Ok(Applied::Failed(failure)),
    };
    let (tree, previous) = match trees.as_slice() {
        [] => (start, None),
        [only] => (only.clone(), (!patches.is_empty()).then_some(start)),
        [.., previous, last] => (last.clone(), Some(previous.clone())),
    };
    let kernel_tree = kernel_tree(&imported, &tree)?;
    let answer = Answer { tree: tree.clone(), kernel_tree: kernel_tree.clone(), previous: previous.clone() };
    context.cache.keep_answer(&request, &answer)?;
    context.done(timer, count(&patches), Cached::No);
    let work = Box::new(work.clone());
    Ok(Applied::Source(Source { imported, tree, kernel_tree, previous, patches: digests, work, lock }))
}

fn request_key(imported: &Imported, digests: &[String]) -> Key {
    KeyBuilder::new("source with its previous")
        .part("base", &imported.tree)
        .part("generation", imported.generation.to_string())
        .parts("patch", digests)
        .finish()
}

/// The tree with as many of the first patches as were applied together before, and how many they are.
fn longest_known(context: &Context<'_>, imported: &Imported, digests: &[String]) -> Result<(String, usize)> {
    for applied in (1..digests.len()).rev() {
        let Some(answer) = context.answer::<Answer>(&request_key(imported, &digests[..applied])) else {
            continue;
        };
        let exists = imported.git.try_with(&["cat-file", "-e", &answer.tree], None, None, b"")?;
        if exists.exit.is_success() {
            return Ok((answer.tree, applied));
        }
    }
    Ok((imported.tree.clone(), 0))
}

fn count(patches: &[&Patch]) -> String {
    match patches.len() {
        0 => "no patches".into(),
        1 => "1 patch".into(),
        n => format!("{n} patches"),
    }
}

/// Applies patches one by one to an index of their own, which begins as the tree with the first
/// `applied` of them. Gives the tree after the last, and the one before it where it was made here.
fn apply(
    context: &Context<'_>,
    imported: &Imported,
    start: &str,
    patches: &[&Patch],
    applied: usize,
) -> Result<Result<Vec<String>, ApplyFailure>> {
    let scratch = context.cache.temporary()?;
    let index = scratch.path().join("index");
    let git = &imported.git;
    git.run_with(&["read-tree", start], Some(&index), None, b"")?;
    let mut trees = Vec::new();
    for (number, patch) in patches.iter().enumerate().skip(applied) {
        let file = scratch.path().join("patch");
        fs::write(&file, &patch.diff)?;
        let file = file.to_string_lossy().into_owned();
        let apply = ["apply", "--cached", "--whitespace=nowarn", "-p1", &file];
        let captured = git.try_with(&apply, Some(&index), None, b"")?;
        if is_host_trouble(captured.exit, &captured.stderr) {
            let what = format!("applying {}: {}\n{}", patch.file, captured.exit, captured.stderr.trim_end());
            return Err(Fault::infra(what).into());
        }
        if !captured.exit.is_success() {
            let seen = look(git, &index, &captured.stderr, scratch.path(), &patches[number..])?;
            return Ok(Err(failure(patch, (number + 1, patches.len()), &captured.stderr, &file, &seen)));
        }
        if number + 2 >= patches.len() {
            trees.push(git.run_with(&["write-tree"], Some(&index), None, b"")?.text().trim().to_owned());
        }
    }
    for tree in &trees {
        special_files::check(git, start, tree)?;
    }
    Ok(Ok(trees))
}

/// Whether patches apply to a tree, one after the other.
///
/// # Errors
/// Trouble of the host's.
pub fn apply_all(
    context: &Context<'_>,
    imported: &Imported,
    patches: &[&Patch],
) -> Result<Result<(), ApplyFailure>> {
    Ok(apply(context, imported, &imported.tree, patches, 0)?.map(|_| ()))
}

/// Whether one patch applies to a tree of a repository, which is only read; `scratch` is for files of the moment.
///
/// # Errors
/// Trouble of the host's.
pub fn check_on(git: &Git, scratch: &Path, tree: &str, patch: &Patch) -> Result<Option<ApplyFailure>> {
    let (index, file) = (scratch.join("check.index"), scratch.join("check.patch"));
    git.run_with(&["read-tree", tree], Some(&index), None, b"")?;
    fs::write(&file, &patch.diff)?;
    let file = file.to_string_lossy().into_owned();
    // --check: no object is written.
    let apply = ["apply", "--cached", "--check", "--whitespace=nowarn", "-p1", &file];
    let captured = git.try_with(&apply, Some(&index), None, b"")?;
    if captured.exit.is_success() {
        return Ok(None);
    }
    if is_host_trouble(captured.exit, &captured.stderr) {
        return Err(
            Fault::infra(format!("git apply: {}\n{}", captured.exit, captured.stderr.trim_end())).into()
        );
    }
    let seen = look(git, &index, &captured.stderr, scratch, &[patch])?;
    Ok(Some(failure(patch, (1, 1), &captured.stderr, &file, &seen)))
}

/// What a tree says of a patch that does not apply to it.
#[derive(Debug, Default)]
struct Seen {
    /// The file that the first failed hunk is for.
    text: Option<String>,
    /// The patch can be taken back: what it does is done.
    is_applied: bool,
}

/// Looks at the tree of an index for why the first of these patches did not apply to it.
fn look(git: &Git, index: &Path, said: &str, scratch: &Path, rest: &[&Patch]) -> Result<Seen> {
    let text = match failed_place(said) {
        Some((path, _)) => {
            let shown = git.try_with(&["cat-file", "blob", &format!(":{path}")], Some(index), None, b"")?;
            shown.exit.is_success().then(|| shown.text())
        }
        None => None,
    };
    // Alone, or where later ones changed the same lines again, together with them.
    let is_applied =
        can_take_back(git, index, scratch, &rest[..1])? || can_take_back(git, index, scratch, rest)?;
    Ok(Seen { text, is_applied })
}

/// Whether these patches can be taken back, last to first, from a copy of the index. One alone is only checked,
/// which writes no object: the repository may be a user's.
fn can_take_back(git: &Git, index: &Path, scratch: &Path, patches: &[&Patch]) -> Result<bool> {
    let (copy, file) = (scratch.join("back.index"), scratch.join("back.patch"));
    fs::copy(index, &copy)?;
    for patch in patches.iter().rev() {
        fs::write(&file, &patch.diff)?;
        let path = file.to_string_lossy();
        let mut back = vec!["apply", "--cached", "--reverse", "--whitespace=nowarn", "-p1", &path];
        if patches.len() == 1 {
            back.push("--check");
        }
        if !git.try_with(&back, Some(&copy), None, b"")?.exit.is_success() {
            return Ok(false);
        }
    }
    Ok(!patches.is_empty())
}

/// The file and line of the first hunk that git could not place.
fn failed_place(said: &str) -> Option<(&str, &str)> {
    said.lines().find_map(|line| line.strip_prefix("error: patch failed: "))?.rsplit_once(':')
}

/// Names the patch and the hunk that git could not place, and why that may be.
fn failure(
    patch: &Patch,
    (number, of): (usize, usize),
    said: &str,
    scratch: &str,
    seen: &Seen,
) -> ApplyFailure {
    let words: Vec<String> = said.lines().map(|line| line.replace(scratch, &patch.file)).take(20).collect();
    let diff = String::from_utf8_lossy(&patch.diff);
    let place = failed_place(said);
    let hunk = match place {
        Some((file, line)) => match hunk_number(&diff, file, line) {
            Some((hunk, hunks)) => format!("hunk {hunk} of {hunks} in {file}, at line {line},"),
            None => format!("the hunk at line {line} of {file}"),
        },
        None => "it".to_owned(),
    };
    let title = if patch.subject.is_empty() { String::new() } else { format!(" (\"{}\")", patch.subject) };
    let what = match corrupt_line(said) {
        Some(line) if !seen.is_applied && crate::lab::damage::in_diff(&diff).is_none() => format!(
            "it is damaged or cut short, at line {line} of its diff: write it again with `git format-patch`"
        ),
        _ => format!("{hunk} does not apply{}", hint(patch, &diff, place, seen)),
    };
    ApplyFailure { reason: format!("patch {number} of {of}, {}{title}: {what}", patch.file), words }
}

/// Why a patch may not apply, as far as it can be told.
fn hint(patch: &Patch, diff: &str, place: Option<(&str, &str)>, seen: &Seen) -> String {
    if seen.is_applied {
        return ": what it changes is in the tree already".to_owned();
    }
    if let Some(damage) = crate::lab::damage::in_diff(diff) {
        return format!(": it was damaged on its way: {damage}");
    }
    let is_crlf = |text: &[u8]| memchr::memmem::find(text, b"\r\n").is_some();
    if is_crlf(&patch.diff) && !seen.text.as_ref().is_some_and(|text| is_crlf(text.as_bytes())) {
        return ": its lines end in CRLF, which a mailer may have done to it".to_owned();
    }
    if let (Some((file, line)), Some(text)) = (place, &seen.text)
        && let Some(damage) =
            line.parse().ok().and_then(|line| crate::lab::damage::against(diff, file, line, text))
    {
        return format!(": it fits but for white space, which was damaged on its way: {damage}");
    }
    if patch.provenance.is_flowed {
        return ": its mail is format=flowed, which lets mailers wrap lines and add spaces".to_owned();
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Subject: [PATCH 2/5] two\n\ndiff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n\
        @@ -3,1 +3,1 @@\n-a\n+b\n@@ -40 +40 @@ int f(void)\n-c\n+d\n\
        diff --git a/y.c b/y.c\n--- a/y.c\n+++ b/y.c\n@@ -40 +40 @@\n-c\n+d\n";

    #[test]
    fn a_failure_names_patch_and_hunk_and_keeps_gits_words() {
        let patch = Patch::parse("0002-two.patch", PATCH.into()).unwrap();
        let said = "error: patch failed: x.c:40\nerror: x.c: patch does not apply\n";
        let failure = failure(&patch, (2, 5), said, "/tmp/x/patch", &Seen::default());
        assert_eq!(
            failure.reason,
            "patch 2 of 5, 0002-two.patch (\"two\"): hunk 2 of 2 in x.c, at line 40, does not apply"
        );
        assert_eq!(failure.words.len(), 2);
    }

    #[test]
    fn a_failure_says_why_it_may_be() {
        let said = "error: patch failed: x.c:3\nerror: x.c: patch does not apply\n";
        let told = |text: &str, seen: Seen| {
            let patch = Patch::parse("p", text.into()).unwrap();
            failure(&patch, (1, 1), said, "/tmp/x/patch", &seen).reason
        };
        let applied = Seen { is_applied: true, ..Seen::default() };
        assert!(told(PATCH, applied).ends_with(": what it changes is in the tree already"));
        let seen = || Seen { text: Some("1\n2\n\ta\n".into()), is_applied: false };
        let reason = told(&PATCH.replacen("\n-a", "\n-    a", 1), seen());
        assert!(
            reason.contains(
                "damaged on its way: line 5 of its diff has spaces where the file has tabs (line 3 of x.c)"
            ),
            "{reason}"
        );
        let reason = told(&PATCH.replacen("\n-a\n", "\n\u{a0}a\n", 1), seen());
        assert!(reason.contains("line 5 of its diff begins with a non-breaking space"), "{reason}");
        let reason = told(&PATCH.replace('\n', "\r\n"), Seen::default());
        assert!(reason.contains("CRLF"), "{reason}");
    }

    #[test]
    fn a_corrupt_patch_is_told_with_its_line_and_keeps_gits_words() {
        let patch = Patch::parse("0002-two.patch", PATCH.into()).unwrap();
        // As git says it by its version.
        for (at, kept) in [("line 12", "line 12"), ("/tmp/x/patch:12", "0002-two.patch:12")] {
            let said = format!("error: corrupt patch at {at}\n");
            let failure = failure(&patch, (1, 1), &said, "/tmp/x/patch", &Seen::default());
            assert_eq!(failure.words, [format!("error: corrupt patch at {kept}")]);
            assert_eq!(
                failure.reason,
                "patch 1 of 1, 0002-two.patch (\"two\"): it is damaged or cut short, at line 12 of its diff: \
                 write it again with `git format-patch`"
            );
        }
    }
}
