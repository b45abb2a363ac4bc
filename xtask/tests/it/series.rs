// SPDX-License-Identifier: MIT OR Apache-2.0
//! Series as people have them: threads, ranges, parts, what comes before; `import` and `check-patch`.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::lab::Lab;
use crate::tree::{SECCOMP_C, change, mail, write};

/// A mail of a series with a number, an answer, or a cover letter.
fn numbered(id: &str, parent: &str, subject: &str, body: &str) -> String {
    format!(
        "From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: A Person <a@example.org>\nMessage-Id: <{id}@x>\n\
         In-Reply-To: <{parent}@x>\nSubject: {subject}\n\n{body}\n"
    )
}

fn two_versions() -> String {
    let first = change("int five;", "int V;");
    let second = change("int five;", "int cinq;");
    let last = "diff --git a/kernel/fork.c b/kernel/fork.c\n--- a/kernel/fork.c\n+++ b/kernel/fork.c\n@@ -1 +1 @@\n-int fork;\n+int spoon;\n";
    numbered("c1", "", "[PATCH 0/1] numbers", "Hello.")
        + &numbered("a1", "c1", "[PATCH 1/1] five", &format!("Why.\n---\n{first}"))
        + &numbered("c2", "", "[PATCH v2 0/2] numbers", &format!("Hello.\nbase-commit: {}", "a".repeat(40)))
        + &numbered("b2", "c2", "[PATCH v2 2/2] spoons", &format!("Why.\n---\n{last}"))
        + &numbered("a2", "c2", "[PATCH v2 1/2] five", &format!("Why.\n---\n{second}"))
        + &numbered("r", "a2", "Re: [PATCH v2 1/2] five", "> Why.\nReviewed-by: B <b@example.org>")
}

/// git in a folder of the test's.
fn git(lab: &Lab, words: &[&str]) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(lab.tree()).args(["-c", "user.name=A", "-c", "user.email=a@example.org"]).args(words);
    let output = output(git, b"");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The tree as a repository: `main` as it is planted, and on `topic` two commits more.
fn as_repository(lab: &Lab) -> String {
    git(lab, &["init", "--quiet", "--initial-branch=main"]);
    git(lab, &["add", "--all"]);
    git(lab, &["commit", "--quiet", "-m", "base"]);
    let base = git(lab, &["rev-parse", "HEAD"]);
    git(lab, &["checkout", "--quiet", "-b", "topic"]);
    for (file, text, subject) in [
        ("kernel/seccomp.c", &*SECCOMP_C.replace("int five;", "int V;"), "five"),
        ("kernel/seccomp.c", &*SECCOMP_C.replace("int five;", "int cinq;"), "French"),
    ] {
        lab.change_tree(file, text);
        git(lab, &["commit", "--quiet", "--all", "-m", subject]);
    }
    base
}

#[expect(clippy::disallowed_methods, reason = "the test starts git and the lab")]
fn output(mut command: Command, input: &[u8]) -> Output {
    use std::io::Write as _;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_newest_version_of_a_thread_is_tested_and_recorded() {
    let lab = Lab::new();
    let mbox = lab.write("thread.mbox", &two_versions());
    lab.test_series(&mbox).assert(
        0,
        &[
            "NOTE",
            "taken is v2",
            "it was made on commit aaaaaaaaaaaa, and is applied to directory",
            "local/thread@2/x86_64",
        ],
    );
    let record = lab.record();
    let series = &record["series"]["thread"];
    assert_eq!(series["version"], 2, "{series:#}");
    assert_eq!(series["cover"], "c2@x");
    assert_eq!(series["base_commit"], "a".repeat(40));
    assert_eq!(series["patches"][0]["message_id"], "a2@x");
    assert_eq!(series["patches"][0]["answers"][0]["trailer"], "Reviewed-by: B <b@example.org>");
    assert_eq!(series["notes"].as_array().unwrap().len(), 2, "{series:#}");
    lab.test(&["--series", &mbox, "--series-version", "v1", "--flavor", "x86_64", "--check", "seccomp_bpf"])
        .assert(0, &["local/thread@1/x86_64"]);
    assert_eq!(lab.record()["series"]["thread"]["patches"][0]["message_id"], "a1@x");
}

#[test]
fn a_thread_with_a_hole_is_refused_before_anything_is_begun() {
    let lab = Lab::new();
    let mbox = lab.write(
        "thread.mbox",
        &two_versions()
            .replace("v2 2/2] spoons", "v2 2/3] spoons")
            .replace("v2 1/2] five", "v2 1/3] five")
            .replace("v2 0/2]", "v2 0/3]"),
    );
    lab.test_series(&mbox)
        .assert(2, &["patch 3/3 of \"numbers\" v2", "<c2@x>", "help: v1 is complete: --series-version v1"]);
    assert!(lab.record_if_any().is_none());
}

#[test]
fn a_range_of_commits_is_tested_on_its_base() {
    let lab = Lab::new();
    let base = as_repository(&lab);
    let words = ["--series", "git:main..topic", "--flavor", "x86_64", "--check", "seccomp_bpf"];
    // The checkout has the commits already.
    lab.test(&words).assert(102, &["--at-base applies it there", "what it changes is in the tree already"]);
    lab.test(&[&words[..], &["--at-base"]].concat()).assert(0, &["local/topic@2/x86_64", "1 pass"]);
    let record = lab.record();
    assert_eq!(record["series"]["topic"]["base_commit"], *base);
    assert_eq!(record["trees"]["local"]["version"], *base);
    assert_eq!(record["series"]["topic"]["patches"][1]["commit"], *git(&lab, &["rev-parse", "topic"]));
    assert_eq!(git(&lab, &["status", "--porcelain"]), "");
    lab.test(&["--series", "git:topic..main"])
        .assert(2, &["no commit is in it", "did you mean git:main..topic?"]);
    lab.test(&["--series", "git:main..nowhere"]).assert(2, &["`nowhere` is no commit of"]);
}

#[test]
fn parts_of_a_series_and_what_comes_before_them() {
    let lab = Lab::new();
    let mbox = lab.write(
        "s.mbox",
        &(mail(1, "five", &change("int five;", "int cinq;"))
            + &mail(2, "more", &change("int cinq;", "int V;"))),
    );
    let words = ["--flavor", "x86_64", "--check", "seccomp_bpf"];
    let second = format!("{mbox}@2-2");
    lab.test(&[&["--series", &second], &words[..]].concat())
        .assert(102, &["local/s-2-2@1/x86_64", "patch 1 of 1"]);
    let first = format!("{mbox}@1");
    lab.test(&[&["--series", &second, "--after", &first], &words[..]].concat())
        .assert(0, &["local/s-2-2@1/x86_64", "1 pass"]);
    let record = lab.record();
    assert_eq!(record["series"]["s-2-2"]["subset"], "2-2 of 2");
    assert_eq!(record["series"]["s-2-2"]["after"], "s-1-1");
    assert_eq!(record["series"]["s-1-1"]["applied"][0], 1);
    lab.test(&[&["--series", "none", "--after", &first], &words[..]].concat())
        .assert(2, &["--after is for series that are given ad hoc"]);
    lab.test(&["--series", &format!("{mbox}@2-3")]).assert(2, &["the series has 2 patches", "FIRST-LAST"]);
}

#[test]
fn a_prerequisite_that_is_not_applied_is_told() {
    let lab = Lab::new();
    let id = "b".repeat(40);
    let text = mail(1, "five", &change("int five;", "int V;"))
        .replace("-- \n", &format!("prerequisite-patch-id: {id}\n-- \n"));
    let mbox = lab.write("s.mbox", &text);
    lab.test_series(&mbox)
        .assert(0, &["of the 1 patches that it says it needs, 1 is not applied", "bbbbbbbbbbbb", "--after"]);
    assert_eq!(lab.record()["series"]["s"]["prerequisites"][0], *id);
}

#[test]
fn white_space_that_was_damaged_is_the_reason() {
    let lab = Lab::new();
    lab.change_tree("kernel/seccomp.c", &SECCOMP_C.replace("int four;", "\tint four;"));
    let diff = change("int five;", "int V;").replace(" int four;", "         int four;");
    let mbox = lab.write("tabs.mbox", &mail(1, "five", &diff));
    lab.test_series(&mbox).assert(102, &["has spaces where the file has tabs (line 4 of kernel/seccomp.c)"]);
}

#[test]
fn an_imported_series_is_one_of_the_labs() {
    let lab = Lab::new();
    let mbox = lab.write("thread.mbox", &two_versions());
    let words = ["import", &mbox, "--name", "numbers"];
    lab.run(&words).assert(0, &["kernel-patches/numbers: 2 patches", "0001-five.patch", "0002-spoons.patch"]);
    let toml = fs::read_to_string(lab.root().join("kernel-patches/numbers/series.toml")).unwrap();
    assert!(toml.starts_with("title = \"numbers\"\nbase-commit = ") && toml.contains("version 2"), "{toml}");
    lab.run(&["list", "--series", "numbers"]).assert(0, &["5.10/numbers@2/x86_64"]);
    lab.run(&words).assert(2, &["there is a series `numbers` already", "--name NAME"]);
    lab.test(&["--series", "numbers", "--flavor", "x86_64", "--check", "seccomp_bpf"]).assert(0, &["1 pass"]);
    assert_eq!(lab.record()["series"]["numbers"]["patches"][0]["message_id"], "a2@x");
}

/// What `check-patch` prints for a patch, in the tree's folder.
fn check_patch(lab: &Lab, patch: &str, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(lab.root().join("target/debug/xtask"));
    command.arg("check-patch").args(words).env_clear().env("PATH", lab.path("tools"));
    command.env("LAB_CACHE_DIR", lab.path("cache")).env("TMPDIR", lab.path("tmp")).current_dir(lab.tree());
    let output = output(command, patch.as_bytes());
    assert!(output.stderr.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn check_patch_prints_results_and_nothing_else() {
    let lab = Lab::new();
    as_repository(&lab);
    let status = |told: &str, tool: &str| {
        let told: serde_json::Value = serde_json::from_str(told).unwrap();
        let of_tool =
            told.as_array().unwrap().iter().find(|one| one["tool"] == format!("seccomp-lab {tool}")).cloned();
        of_tool.map(|one| {
            (one["status"].as_str().unwrap().to_owned(), one["summary"].as_str().unwrap().to_owned())
        })
    };
    // A commit of the branch, the next one, and one that does not fit.
    let (code, told) = check_patch(&lab, &mail(1, "five", &change("int five;", "int V;")), &[]);
    assert_eq!(code, Some(0), "{told}");
    let (word, why) = status(&told, "apply").unwrap();
    assert!(word == "pass" && why.contains("of this branch"), "{told}");
    // There is no script in this tree: that is no pass.
    assert_eq!(status(&told, "checkpatch").unwrap().0, "warn");
    let (code, told) = check_patch(&lab, &mail(1, "new", &change("int cinq;", "int fem;")), &[]);
    assert_eq!((code, status(&told, "apply").unwrap().1.as_str()), (Some(0), "it applies to HEAD"), "{told}");
    let (code, told) = check_patch(&lab, &mail(1, "odd", &change("int seven;", "int VII;")), &[]);
    assert_eq!((code, status(&told, "apply").unwrap().0.as_str()), (Some(100), "fail"), "{told}");
    // It is called as a commit is and fits before it, and is another change: only HEAD is left.
    let objects = git(&lab, &["count-objects"]);
    let (code, told) = check_patch(&lab, &mail(1, "five", &change("int five;", "int cinco;")), &[]);
    assert_eq!(code, Some(100), "{told}");
    assert!(status(&told, "apply").unwrap().1.starts_with("HEAD: "), "{told}");
    assert_eq!(git(&lab, &["count-objects"]), objects, "nothing is written to a user's repository");
    for patch in ["", "hello\n"] {
        let (code, told) = check_patch(&lab, patch, &[]);
        assert_eq!((code, status(&told, "check-patch").unwrap().0.as_str()), (Some(100), "fail"), "{told}");
    }
    assert_eq!(git(&lab, &["status", "--porcelain"]), "");
}

#[test]
fn check_patch_does_not_blame_the_patch_for_the_lab() {
    let lab = Lab::new();
    as_repository(&lab);
    write(&lab.tree().join("scripts/checkpatch.pl"), "exit 3;\n");
    git(&lab, &["add", "--all"]);
    git(&lab, &["commit", "--quiet", "-m", "script"]);
    let patch = mail(1, "new", &change("int cinq;", "int fem;"));
    let (code, told) = check_patch(&lab, &patch, &["--format", "lines"]);
    assert!(code == Some(0) && told.contains("WARNING: seccomp-lab check"), "{told}");
    // No folder for the cache.
    let cache = lab.path("cache");
    let _ = fs::remove_dir_all(&cache);
    fs::write(&cache, "a file").unwrap();
    let (code, told) = check_patch(&lab, &patch, &["--format", "lines"]);
    assert!(code == Some(0) && told.contains("WARNING: seccomp-lab check-patch: "), "{told}");
}

#[test]
fn check_patch_on_a_tree_puts_the_commits_before_under_it() {
    let lab = Lab::new();
    as_repository(&lab);
    let tree = format!("path={}", lab.path("other").display());
    crate::tree::plant(&lab.path("other"));
    write(&lab.path("other/kernel/fork.c"), "int other;\n");
    let second = mail(2, "French", &change("int V;", "int cinq;"));
    let (code, told) = check_patch(&lab, &second, &["--tree", &tree]);
    assert!(code == Some(0) && told.contains("it applies to local, after the commit before it"), "{told}");
    let (code, told) = check_patch(&lab, &second, &["--tree", "5.01", "--format", "lines"]);
    assert_eq!(
        (code, told.as_str()),
        (Some(100), "ERROR: seccomp-lab check-patch: there is no tree `5.01`\n")
    );
}
