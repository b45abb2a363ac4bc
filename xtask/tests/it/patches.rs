// SPDX-License-Identifier: MIT OR Apache-2.0
//! Series that are refused, and series that do not apply.

use std::fs;

use crate::lab::Lab;
use crate::tree::{SECCOMP_C, change, mail, new_file};

/// The series is refused with code 2 before anything is begun.
fn refused(lab: &Lab, mbox: &str, told: &[&str]) {
    lab.test_series(mbox).assert(2, told);
    assert!(lab.record_if_any().is_none(), "{mbox} left a record");
    assert!(!lab.path("cache/trees").exists(), "{mbox} was let near a tree");
}

#[test]
fn an_mbox_without_a_patch_is_refused() {
    let lab = Lab::new();
    refused(&lab, "./absent.mbox", &["reading the series", "absent.mbox"]);
    for (name, text, told) in [
        ("empty", String::new(), "is empty"),
        ("blank", "\n\n".to_owned(), "is empty"),
        ("letter", mail(0, "cover", "").replace("---\n", ""), "no patch is in it"),
        ("words", "hello\n".to_owned(), "no diff is in it"),
    ] {
        let mbox = lab.write(&format!("{name}.mbox"), &text);
        refused(&lab, &mbox, &[told, &mbox]);
    }
    fs::create_dir(lab.path("folder")).unwrap();
    refused(&lab, &lab.path("folder").to_string_lossy(), &["no patch is in it"]);
}

#[test]
fn a_patch_that_leaves_the_tree_is_refused() {
    let lab = Lab::new();
    for (name, path) in [
        ("up", "../outside.c"),
        ("up-inside", "kernel/../../outside.c"),
        ("absolute", "/etc/outside"),
        ("git", ".git/hooks/post-checkout"),
        ("git-case", "sub/.GIT/config"),
    ] {
        let mbox = lab.write(&format!("{name}.mbox"), &mail(1, name, &new_file(path, "x")));
        refused(&lab, &mbox, &["which is outside the tree", path.trim_start_matches('/'), &mbox]);
    }
    assert!(!lab.path("outside.c").exists());
}

#[test]
fn a_link_that_leaves_the_tree_is_refused() {
    let lab = Lab::new();
    for (name, target) in [("absolute", "/etc"), ("up", "../../..")] {
        let diff = new_file("kernel/link", target)
            .replace("mode 100644", "mode 120000")
            .replace(&format!("+{target}\n"), &format!("+{target}\n\\ No newline at end of file\n"));
        let mbox = lab.write(&format!("{name}.mbox"), &mail(1, name, &diff));
        refused(&lab, &mbox, &["makes a symbolic link to", target, "outside the tree"]);
    }
}

#[test]
fn a_patch_that_does_not_apply_is_told_with_its_hunk_and_gits_words() {
    let lab = Lab::new();
    let second = "diff --git a/kernel/seccomp.c b/kernel/seccomp.c\n--- a/kernel/seccomp.c\n+++ b/kernel/seccomp.c\n\
        @@ -1,2 +1,2 @@\n-/* one */\n+/* ONE */\n /* two */\n@@ -8,2 +8,2 @@\n /* eight */\n-/* no such line */\n+/* 9 */\n";
    let text = mail(1, "good", &change("int five;", "int V;")) + &mail(2, "does not fit", second);
    let mbox = lab.write("bad.mbox", &text);
    lab.test_series(&mbox).assert(
        102,
        &[
            "APPLY-FAILED",
            "patch 2 of 2, bad.mbox#2 (\"does not fit\"): hunk 2 of 2 in kernel/seccomp.c, at line 8,",
            "error: kernel/seccomp.c: patch does not apply",
        ],
    );
    lab.assert_cell("apply-failed", "hunk 2 of 2");
    assert_eq!(lab.calls("make vmlinux"), [""; 0]);
    // The first patch alone is good: the failure has left nothing behind.
    lab.test_series(&format!("{mbox}@1")).assert(0, &["1 pass"]);
}

#[test]
fn a_patch_for_a_file_that_is_not_there_does_not_apply() {
    let lab = Lab::new();
    let diff = change("int five;", "int V;").replace("seccomp.c", "absent.c");
    let mbox = lab.write("absent.mbox", &mail(1, "absent", &diff));
    lab.test_series(&mbox).assert(102, &["error: kernel/absent.c: does not exist in index"]);
    lab.assert_cell("apply-failed", "patch 1 of 1");
}

#[test]
fn junk_is_told_with_the_reason() {
    let lab = Lab::new();
    let path = lab.path("junk.mbox");
    let junk: Vec<u8> = (0..5000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&path, &junk).unwrap();
    refused(&lab, &path.to_string_lossy(), &["no diff is in it"]);
    // Junk that is dressed up as a diff.
    let dressed = [b"diff --git a/kernel/seccomp.c b/kernel/seccomp.c\n".as_slice(), &junk].concat();
    fs::write(&path, dressed).unwrap();
    lab.test_series(&path.to_string_lossy()).assert(102, &["error: "]);
    lab.assert_cell("apply-failed", "patch 1 of 1");
    // A hunk that is cut off.
    let cut = mail(1, "cut", &change("int five;", "int V;").replace(" int six;\n", ""));
    fs::write(&path, cut).unwrap();
    lab.test_series(&path.to_string_lossy()).assert(102, &["corrupt patch at"]);
}

#[test]
fn a_patch_with_foreign_line_ends_says_what_git_says() {
    let lab = Lab::new();
    let diff = change("int five;", "int V;").replace('\n', "\r\n");
    let path = lab.write("dos.patch", &diff);
    lab.test_series(&path).assert(102, &["patch does not apply"]);
    lab.change_tree("kernel/seccomp.c", &SECCOMP_C.replace('\n', "\r\n"));
    lab.test_series(&path).assert(0, &["1 pass"]);
}
