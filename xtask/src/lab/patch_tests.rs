// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;

const GOOD: &str = "\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Message-Id: <1@example.org>
Subject: [PATCH v3 1/5] seccomp: look the bitmap
 up first

Why.
---
 kernel/seccomp.c | 2 +-
 1 file changed

diff --git a/kernel/seccomp.c b/kernel/seccomp.c
index 1..2 100644
--- a/kernel/seccomp.c
+++ b/kernel/seccomp.c
@@ -1,3 +1,3 @@ int x;
 a
--- a/../evil is only a removed line
+++ b/neither is this
 c
-- 
2.39.5
";

#[test]
fn a_format_patch_mail_is_read() {
    let patch = Patch::parse("0001.patch", GOOD.into()).unwrap();
    assert_eq!(patch.subject, "seccomp: look the bitmap up first");
    assert_eq!(patch.message_id.as_deref(), Some("1@example.org"));
    assert_eq!(patch.files, ["kernel/seccomp.c"]);
}

#[test]
fn the_digest_is_of_the_change_and_not_of_the_mail_around_it() {
    let other = GOOD.replace("Why.", "Because.").replace("2.39.5", "2.47.3");
    let (a, b) = (Patch::parse("a", GOOD.into()).unwrap(), Patch::parse("b", other.into()).unwrap());
    assert_eq!(a.digest, b.digest);
    let changed = Patch::parse("c", GOOD.replace("\n c\n", "\n d\n").into()).unwrap();
    assert_ne!(a.digest, changed.digest);
}

#[test]
fn unsafe_paths_are_refused_wherever_they_stand() {
    for (from, to) in [
        ("b/kernel/seccomp.c", "b/../../etc/passwd"),
        ("+++ b/kernel/seccomp.c", "+++ /etc/passwd"),
        ("+++ b/kernel/seccomp.c", "+++ b/.git/hooks/post-checkout"),
        ("+++ b/kernel/seccomp.c", "+++ b/sub/.GIT/config"),
        ("index 1..2 100644", "rename from a\nrename to ../../x"),
        ("+++ b/kernel/seccomp.c", "+++ \"b/\\056\\056/x\""),
    ] {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD);
        let error = Patch::parse("p", text.into()).unwrap_err();
        assert!(error.to_string().contains("outside the tree"), "{to}: {error}");
    }
}

#[test]
fn a_link_may_point_within_the_tree_only() {
    let link = |target: &str| {
        format!(
            "diff --git a/dir/l b/dir/l\nnew file mode 120000\n--- /dev/null\n+++ b/dir/l\n@@ -0,0 +1 @@\n\
             +{target}\n\\ No newline at end of file\n"
        )
    };
    assert!(Patch::parse("p", link("../other").into()).is_ok());
    assert!(Patch::parse("p", link("../../other").into()).is_err());
    assert!(Patch::parse("p", link("/etc/passwd").into()).is_err());
}

#[test]
fn what_is_no_patch_says_so() {
    for (text, why) in [("", "empty"), (" \n\n", "empty"), ("Subject: x\n\nhello\n", "no diff")] {
        let error = Patch::parse("p", text.into()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let junk: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert!(Patch::parse("p", junk).is_err());
}

#[test]
fn what_is_applied_is_what_was_checked() {
    // git would take both for diffs: the path of the second must be seen too.
    let hidden = GOOD.replace("Why.", "--- a/../evil\n+++ b/../evil\n@@ -1 +1 @@\n-a\n+b");
    assert!(Patch::parse("p", hidden.into()).is_err());
    let patch = Patch::parse("p", GOOD.into()).unwrap();
    assert!(patch.diff.starts_with(b"diff --git ") && !String::from_utf8_lossy(&patch.diff).contains("Why."));
}

#[test]
fn bytes_that_are_no_text_make_another_patch() {
    let with = |byte: u8| [GOOD.replace(" c\n-- ", " c").as_bytes(), &[byte], b"\n"].concat();
    let (a, b) = (Patch::parse("a", with(0xfe)).unwrap(), Patch::parse("b", with(0xff)).unwrap());
    assert_ne!(a.digest, b.digest);
}
