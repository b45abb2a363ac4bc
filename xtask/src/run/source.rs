// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sources: a tree with patches applied, as a git tree object. The work tree is not touched.

use anyhow::Result;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::lab::patch::Patch;
use crate::plan::key::{Key, KeyBuilder};
use crate::plan::work::SourceWork;
use crate::run::context::Context;
use crate::run::event::{Cached, Step};
use crate::run::import::{Imported, import};
use crate::sys::lock::Lock;
use crate::sys::process::{Exit, is_host_trouble};

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
    let imported = import(context, context.lab.tree(&work.tree)?)?;
    let patches = context.lab.patches(&work.point)?;
    let digests: Vec<String> = patches.iter().map(|patch| patch.digest.clone()).collect();
    let request = request_key(&imported, &digests);
    let lock = std::cell::OnceCell::new();
    let subject = format!("{}/{}", work.tree, work.point);
    let timer = context.timer(Step::Apply, &subject);
    if let Some(answer) = context.cache.answer::<Answer>(&request)
        && imported.git.try_with(&["cat-file", "-e", &answer.tree], None, None, b"")?.exit.is_success()
    {
        context.done(timer, count(&patches), Cached::Yes);
        let Answer { tree, kernel_tree, previous } = answer;
        return Ok(Applied::Source(Source { imported, tree, kernel_tree, previous, patches: digests, lock }));
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
    Ok(Applied::Source(Source { imported, tree, kernel_tree, previous, patches: digests, lock }))
}

fn request_key(imported: &Imported, digests: &[String]) -> Key {
    KeyBuilder::new("source with its previous").part("base", &imported.tree).parts("patch", digests).finish()
}

/// The tree with as many of the first patches as were applied together before, and how many they are.
fn longest_known(context: &Context<'_>, imported: &Imported, digests: &[String]) -> Result<(String, usize)> {
    for applied in (1..digests.len()).rev() {
        let Some(answer) = context.cache.answer::<Answer>(&request_key(imported, &digests[..applied])) else {
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
            return Ok(Err(failure(patch, number + 1, patches.len(), &captured.stderr, &file)));
        }
        if number + 2 >= patches.len() {
            trees.push(git.run_with(&["write-tree"], Some(&index), None, b"")?.text().trim().to_owned());
        }
    }
    Ok(Ok(trees))
}

/// Names the patch and the hunk that git could not place.
fn failure(patch: &Patch, number: usize, of: usize, said: &str, scratch: &str) -> ApplyFailure {
    let words: Vec<String> = said.lines().map(|line| line.replace(scratch, &patch.file)).take(20).collect();
    let place = words.iter().find_map(|line| line.strip_prefix("error: patch failed: "));
    let place = place.and_then(|place| place.rsplit_once(':'));
    let hunk = match place {
        Some((file, line)) => match hunk_number(&String::from_utf8_lossy(&patch.diff), file, line) {
            Some((hunk, hunks)) => format!("hunk {hunk} of {hunks} in {file}, at line {line},"),
            None => format!("the hunk at line {line} of {file}"),
        },
        None => "it".to_owned(),
    };
    let is_crlf = memchr::memmem::find(&patch.diff, b"\r\n").is_some();
    let hint = match words.iter().find(|line| line.contains("corrupt patch")) {
        Some(line) => {
            let at = line.rsplit_once(':').map_or("", |(_, at)| at.trim());
            format!(": it is damaged or cut short, at line {at} of its diff")
        }
        None if is_crlf => ": its lines end in CRLF, which a mailer may have done to it".to_owned(),
        None => String::new(),
    };
    let title = if patch.subject.is_empty() { String::new() } else { format!(" (\"{}\")", patch.subject) };
    ApplyFailure {
        reason: format!("patch {number} of {of}, {}{title}: {hunk} does not apply{hint}", patch.file),
        words,
    }
}

/// Which hunk of a file begins at this line, and of how many.
fn hunk_number(patch: &str, file: &str, line: &str) -> Option<(usize, usize)> {
    let mut in_file = false;
    let (mut count, mut found) = (0, None);
    for text in patch.lines() {
        if let Some(path) = text.strip_prefix("--- ").or_else(|| text.strip_prefix("+++ ")) {
            let path = path.split('\t').next().unwrap_or(path);
            in_file = path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")) == Some(file)
                || in_file && path == "/dev/null";
        } else if let Some(range) = text.strip_prefix("@@ -").filter(|_| in_file) {
            count += 1;
            let start = range.split([',', ' ']).next();
            if start == Some(line) {
                found = Some(count);
            }
        }
    }
    Some((found?, count))
}

/// The id of everything that can change a kernel's bytes: `Documentation/` and
/// `tools/testing/` cannot.
fn kernel_tree(imported: &Imported, tree: &str) -> Result<String> {
    let git = &imported.git;
    let mut kept = String::new();
    for (folder, left_out) in [("", ["Documentation", "tools"].as_slice()), ("tools/", &["testing"])] {
        let expression = format!("{tree}:{folder}");
        // Only `tools/` may be missing.
        let captured = match folder {
            "" => git.run(&["ls-tree", &expression])?,
            _ => git.try_with(&["ls-tree", &expression], None, None, b"")?,
        };
        if !matches!(captured.exit, Exit::Code(_)) {
            return Err(Fault::infra(format!("git ls-tree: {}", captured.exit)).into());
        }
        for line in captured.text().lines() {
            let name = line.split('\t').nth(1).unwrap_or("");
            if !left_out.contains(&name) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    Ok(KeyBuilder::new("kernel tree").part("entries", kept).finish().as_str().to_owned())
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
        let failure = failure(&patch, 2, 5, said, "/tmp/x/patch");
        assert_eq!(
            failure.reason,
            "patch 2 of 5, 0002-two.patch (\"two\"): hunk 2 of 2 in x.c, at line 40, does not apply"
        );
        assert_eq!(failure.words.len(), 2);
    }

    #[test]
    fn a_corrupt_patch_keeps_gits_words() {
        let patch = Patch::parse("0002-two.patch", PATCH.into()).unwrap();
        let failure = failure(&patch, 1, 1, "error: corrupt patch at /tmp/x/patch:12\n", "/tmp/x/patch");
        assert_eq!(failure.words, ["error: corrupt patch at 0002-two.patch:12"]);
        assert!(
            failure.reason.ends_with("it does not apply: it is damaged or cut short, at line 12 of its diff")
        );
    }
}
