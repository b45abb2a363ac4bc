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
        refused(
            &lab,
            &mbox,
            &["which is no plain path inside the tree", path.trim_start_matches('/'), &mbox],
        );
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

#[test]
fn links_are_refused_however_their_mode_is_written_and_wherever_they_end_up() {
    let lab = Lab::new();
    let link = |path: &str, mode: &str, target: &str| {
        new_file(path, target)
            .replace("mode 100644", mode)
            .replace(&format!("+{target}\n"), &format!("+{target}\n\\ No newline at end of file\n"))
    };
    for (name, diff, told) in [
        ("padded", link("kernel/l", "mode 0120000", "/etc"), "symbolic link to `/etc`"),
        ("blank", link("kernel/l", "mode 120000 ", "/etc"), "symbolic link to `/etc`"),
        ("through", link("a/b/l", "mode 120000", "m/../../x"), "symbolic link to `m/../../x`"),
        ("module", link("kernel/m", "mode 160000", "Subproject commit 1"), "another repository"),
        (
            "huge",
            new_file("x", "").replace("--- /dev/null", "GIT binary patch\nliteral 99999999999\n"),
            "binary file",
        ),
    ] {
        let mbox = lab.write(&format!("{name}.mbox"), &mail(1, name, &diff));
        refused(&lab, &mbox, &[told, &mbox]);
    }
    // No patch shows where this link leads: it was in the tree, and there it was right.
    std::os::unix::fs::symlink("../kernel/fork.c", lab.tree().join("kernel/near")).unwrap();
    let moved =
        "diff --git a/kernel/near b/near\nsimilarity index 100%\nrename from kernel/near\nrename to near\n";
    let mbox = lab.write("moved.mbox", &mail(1, "moved", moved));
    lab.test_series(&mbox)
        .assert(2, &["a symbolic link to `../kernel/fork.c`, which is outside the tree, of `near`"]);
}

#[test]
fn a_patch_that_is_too_large_is_refused_without_being_kept_in_memory() {
    let lab = Lab::new();
    let line = format!("+{}\n", "x".repeat(999));
    let count = 100_000;
    let head =
        format!("diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,{count} @@\n");
    let text = head + &line.repeat(count);
    let path = lab.write("large.patch", &text);
    let ran = lab.test_series(&path);
    ran.assert(2, &["more than the 67108864 allowed", "large.patch"]);
    let mbox = lab.write("large.mbox", &mail(1, "large", &text));
    let in_mail = lab.test_series(&mbox);
    in_mail.assert(2, &["more than the 67108864 allowed"]);
    fs::create_dir(lab.path("large")).unwrap();
    fs::rename(path, lab.path("large/0001.patch")).unwrap();
    let in_folder = lab.test_series(&lab.path("large").to_string_lossy());
    in_folder.assert(2, &["more than the 67108864 bytes allowed"]);
    for (ran, mib) in [(ran, 220), (in_mail, 560), (in_folder, 120)] {
        assert!(ran.peak_kib < mib << 10, "{} KiB", ran.peak_kib);
    }
}

#[test]
fn nothing_of_a_patch_steers_the_terminal() {
    let lab = Lab::new();
    let evil = "\u{1b}]0;title\u{7}\u{1b}[2Jred\u{9b}31m\u{8}";
    let bad = change("int five;", "int V;").replace(" int six;", &format!(" int {evil};"));
    let text = mail(1, evil, &bad).replace("Subject: ", "X-Odd: \u{1b}[8m\nSubject: ");
    let mbox = lab.write("evil.mbox", &text);
    let breaks = mail(1, evil, &new_file("fake.make", "compile-error"));
    let built = lab.write("built.mbox", &breaks);
    let named = lab.write(&format!("named/0001-{}.patch", evil.replace('/', "")), &text);
    let unsafe_path = lab.write("unsafe.mbox", &mail(1, evil, &new_file(&format!("../{evil}"), "x")));
    for (series, code) in [(&mbox, 102), (&built, 103), (&named, 102), (&unsafe_path, 2)] {
        let ran = lab.test_series(series);
        ran.assert(code, &[]);
        let is_odd = |c: &char| c.is_control() && *c != '\n' && *c != '\t';
        assert_eq!(ran.said.chars().find(is_odd), None, "{series}: {:?}", ran.said);
        if code != 2 {
            for format in ["summary", "full", "junit", "ktap", "markdown", "reply", "json"] {
                let report = lab.run(&["report", "--format", format]);
                assert_eq!(report.said.chars().find(is_odd), None, "{series} {format}: {:?}", report.said);
            }
        }
    }
}

#[test]
fn a_series_that_has_no_end_is_refused() {
    let lab = Lab::new();
    lab.test_series("/dev/zero").assert(2, &["more than the", "bytes allowed"]);
}
