// SPDX-License-Identifier: MIT OR Apache-2.0
use fs_err as fs;

use super::*;

/// A user's repository with `main` (two commits), `topic` (two more), and `merged` (a merge of a side branch).
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(&folder, &["init", "--quiet", "--initial-branch=main"]);
    for (branch, file) in [("", "a"), ("", "b"), ("topic", "c"), ("", "d")] {
        if !branch.is_empty() {
            git(&folder, &["checkout", "--quiet", "-b", branch]);
        }
        commit(&folder, file);
    }
    git(&folder, &["checkout", "--quiet", "-b", "merged", "main"]);
    commit(&folder, "e");
    git(&folder, &["merge", "--quiet", "--no-edit", "topic"]);
    git(&folder, &["checkout", "--quiet", "topic"]);
    folder
}

fn git(folder: &tempfile::TempDir, args: &[&str]) -> String {
    let mut git = bare_command();
    git.arg("-C").arg(folder.path()).args(args);
    capture(git, "git", DEADLINE, b"").unwrap().success("git").unwrap().text()
}

fn commit(folder: &tempfile::TempDir, file: &str) {
    fs::write(folder.path().join(file), format!("{file}\n")).unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "-m", &format!("add {file}\n\nWhy.\n\nSigned-off-by: A <a@x>")]);
}

fn files(folder: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            found.push((entry.path(), entry.metadata().unwrap().modified().unwrap()));
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_range_is_a_series_and_the_repository_stays_as_it_is() {
    let folder = repository();
    // What a user has configured does not change a patch.
    git(&folder, &["config", "diff.noprefix", "true"]);
    git(&folder, &["config", "diff.external", "/bin/false"]);
    git(&folder, &["config", "format.pretty", "oneline"]);
    // An index with stale stats is the trap: many commands would refresh it.
    fs::write(folder.path().join("a"), "a\n").unwrap();
    let before = files(folder.path());
    let series = read("main..topic", folder.path()).unwrap();
    assert_eq!(before, files(folder.path()));
    assert_eq!(series.name.as_str(), "topic");
    let subjects: Vec<&str> = series.patches.iter().map(|patch| patch.subject.as_str()).collect();
    assert_eq!(subjects, ["add c", "add d"]);
    assert_eq!(series.patches[0].files, ["c"]);
    assert_eq!(series.patches[0].provenance.trailers, ["Signed-off-by: A <a@x>"]);
    let id = git(&folder, &["rev-parse", "main"]);
    assert_eq!(series.provenance.base_commit.as_deref(), Some(id.trim()));
    let id = git(&folder, &["rev-parse", "topic~1"]);
    assert_eq!(series.patches[0].provenance.commit.as_deref(), Some(id.trim()));
    // Named by its folder, and by the branch that is checked out.
    let explicit = format!("{}:main..HEAD", folder.path().display());
    let again = read(&explicit, Path::new("/")).unwrap();
    assert_eq!(again.name.as_str(), "topic");
    assert_eq!(again.patches[1].digest, series.patches[1].digest);
}

#[test]
fn a_range_that_is_no_series_is_refused() {
    let folder = repository();
    for (range, told, help) in [
        ("main..main", "no commit is in it", "both are the same commit"),
        (
            "topic..main",
            "no commit is in it",
            "main is 2 commits behind topic: did you mean git:main..topic?",
        ),
        ("main..merged", "is not linear: ", "rebase the branch"),
        ("main~1..nowhere", "`nowhere` is no commit of", "git -C"),
        ("topic", "a range has two dots", "git:topic..HEAD"),
        ("main...topic", "three dots", "git:BASE..HEAD"),
        ("..topic", "where does it begin?", "BASE is the last commit before"),
        ("--output=x..topic", "does not begin with a dash", "git:BASE..HEAD"),
        ("/nowhere:a..b", "/nowhere is in no git repository", "git:DIR:BASE..HEAD"),
    ] {
        let error = read(range, folder.path()).unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE, "{range}: {error:#}");
        let text = crate::fault::describe(&error);
        assert!(text.contains(told) && text.contains(help), "{range}: {text}");
    }
    git(&folder, &["commit", "--quiet", "--allow-empty", "-m", "cover"]);
    let error = read("topic~1..topic", folder.path()).unwrap_err().to_string();
    assert!(error.contains("no commit in it changes anything"), "{error}");
    let series = read("main..topic", folder.path()).unwrap();
    assert_eq!(series.patches.len(), 2);
    assert!(
        series.provenance.notes[0].contains("(\"cover\") changes nothing"),
        "{:?}",
        series.provenance.notes
    );
    let diverged = read("merged^1..topic", folder.path()).unwrap();
    let notes = diverged.provenance.notes;
    assert!(notes.iter().any(|note| note.contains("is no ancestor of")), "{notes:?}");
}

#[test]
fn patch_ids_are_those_of_git_whatever_stands_around_the_diff() {
    let folder = repository();
    let series = read("main..topic", folder.path()).unwrap();
    let patches: Vec<&Patch> = series.patches.iter().collect();
    let ids = patch_ids(&patches).unwrap();
    let mut git = bare_command();
    git.args(["patch-id", "--stable"]);
    let own = capture(git, "git", DEADLINE, &patches[1].diff).unwrap().text();
    assert_eq!(ids.len(), 2);
    assert_eq!(own.split(' ').next().unwrap(), ids[1]);
}
