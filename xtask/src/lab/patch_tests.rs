// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use proptest::prelude::*;

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
        assert!(error.to_string().contains("no plain path inside the tree"), "{to}: {error}");
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

#[test]
fn a_hunk_that_git_would_not_read_hides_no_path() {
    for head in ["@@ -x,100 +y,100 @@", "@@ -1,+100 +1,+100 @@", "@@ -,100 +,100 @@", "@@ -1,-9 +1,100 @@"] {
        let hidden = GOOD.replace(
            "-- \n2.39.5\n",
            &format!("{head}\n--- a/../evil\n+++ b/../evil\n@@ -1 +1 @@\n-a\n+b\n"),
        );
        assert!(Patch::parse("p", hidden.into()).is_err(), "{head}");
    }
    assert_eq!(hunk_range("@@ -3 +4,7 @@ int x;"), Some((1, 7)));
}

#[test]
fn a_subject_and_an_id_have_nothing_that_moves_a_cursor() {
    let text = GOOD
        .replace("seccomp: look", "\u{1b}]0;t\u{7}\u{1b}[2J\u{9b}31mseccomp:\u{8}\r look")
        .replace("<1@example.org>", "<1\u{1b}[1m@example.org>");
    let patch = Patch::parse("p", text.into()).unwrap();
    for word in [&patch.subject, patch.message_id.as_ref().unwrap()] {
        assert!(!word.chars().any(char::is_control), "{word:?}");
    }
}

/// Header lines that could name a path, `PATH` standing for it.
const PLACES: [&str; 10] = [
    "diff --git a/PATH b/PATH",
    "diff --git a/x b/PATH",
    "diff --git \"a/x\" \"b/PATH\"",
    "--- a/PATH",
    "+++ b/PATH\t2020-01-01",
    "--- PATH",
    "rename from PATH",
    "rename to PATH",
    "copy from PATH",
    "copy to PATH",
];

const EVIL: [&str; 9] =
    ["../x", "/etc/x", "a/../../x", ".git/config", "sub/.Git/hooks/x", "./x", "a//x", "..", "\\056\\056/x"];

proptest! {
    #[test]
    fn an_unsafe_path_is_refused_wherever_it_stands(
        place in proptest::sample::select(&PLACES[..]),
        evil in proptest::sample::select(&EVIL[..]),
        before in proptest::collection::vec("[ -~]{0,40}", 0..4),
        after in proptest::collection::vec("[+ -][ -~]{0,20}", 0..4),
    ) {
        let text = format!(
            "{}\n{GOOD}{}\n{}\n",
            before.join("\n"), place.replace("PATH", evil), after.join("\n")
        );
        prop_assert!(Patch::parse("p", text.into()).is_err());
    }

    #[test]
    fn any_bytes_are_a_patch_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let dressed = [b"Subject: [PATCH] ".as_slice(), &bytes, GOOD.as_bytes(), &bytes].concat();
        for text in [bytes, dressed] {
            if let Ok(patch) = Patch::parse("p", text) {
                prop_assert!(!patch.subject.chars().any(char::is_control));
                prop_assert!(patch.files.iter().all(|path| is_safe(path)));
            }
        }
    }

    #[test]
    fn a_patch_with_lines_mixed_up_is_a_patch_or_refused(
        picks in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40)
    ) {
        let lines: Vec<&str> = GOOD.lines().chain(PLACES).collect();
        let text: Vec<&str> = picks.iter().map(|pick| *pick.get(&lines)).collect();
        if let Ok(patch) = Patch::parse("p", text.join("\n").into_bytes()) {
            prop_assert!(patch.files.iter().all(|path| is_safe(path)));
        }
    }
}
