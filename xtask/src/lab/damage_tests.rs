// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;

const FILE: &str = "int a;\n\n\tif (x) {\n\t\tcall(one,  two);   \n\t}\nint b;\n";

const DIFF: &str = "diff --git a/k/f.c b/k/f.c\n--- a/k/f.c\n+++ b/k/f.c\n@@ -1,6 +1,6 @@ a function with a rather long name (struct task_struct *task)\n \
     int a;\n \n \tif (x) {\n-\t\tcall(one,  two);   \n+\t\tcall(two);\n \t}\n int b;\n";

#[test]
fn a_whole_diff_is_not_damaged() {
    assert_eq!(in_diff(DIFF), None);
    assert_eq!(against(DIFF, "k/f.c", 1, FILE), None);
    let signed = format!("{DIFF}-- \n2.47\n");
    assert_eq!(in_diff(&signed), None);
    // Context that is empty may have lost its space: git takes that.
    assert_eq!(in_diff(&DIFF.replace("\n \n", "\n\n")), None);
    assert_eq!(against(&DIFF.replace("\n \n", "\n\n"), "k/f.c", 1, FILE), None);
    // Another file is no damage.
    assert_eq!(against(DIFF, "k/f.c", 1, &FILE.replace("call", "other")), None);
    assert_eq!(against(DIFF, "k/other.c", 1, FILE), None);
    assert_eq!(against(DIFF, "k/f.c", 7, FILE), None);
}

#[test]
fn lines_that_no_hunk_has_are_told() {
    let long = "+\t\tcall(two, and_a_few_more_arguments, so_that, the_line, gets_long_enough,";
    for (from, to, line, told) in [
        ("+\t\tcall(two);", &*format!("{long}\nto_wrap);"), 10, "is the rest of line 9, which was wrapped"),
        (" int a;", "\u{a0}int a;", 5, "non-breaking space"),
        (" int a;", "> int a;", 5, "is quoted"),
        (" \tif", "\tif", 7, "begins with a tab"),
        (" int a;", "int a;", 5, "is the rest of line 4, which was wrapped"),
        ("-\t\tcall", "call", 8, "begins with neither"),
        (" int b;\n", "", 10, "the hunk that begins at line 4 is cut short"),
        (" int b;\n", "-- \n2.47\n", 11, "the hunk that begins at line 4 is cut short"),
        (" int b;\n", "diff --git a/y b/y\n", 11, "the hunk that begins at line 4 is cut short"),
    ] {
        let damaged = DIFF.replace(from, to);
        assert_ne!(damaged, DIFF);
        let damage = in_diff(&damaged).unwrap();
        assert_eq!(damage.line, line, "{to}: {damage}");
        assert!(damage.what.contains(told), "{to}: {damage}");
    }
}

#[test]
fn white_space_that_is_not_the_files_is_told() {
    for (from, to, line, told) in [
        ("\tif", "        if", 7, "has spaces where the file has tabs (line 3 of k/f.c)"),
        ("two);   \n", "two);\n", 8, "lost the white space at its end (line 4 of k/f.c)"),
        ("one,  two", "one,\u{a0} two", 8, "non-breaking"),
        ("one,  two", "one, two", 8, "has other white space"),
        (" int a;", "  int a;", 5, "as format=flowed adds it"),
    ] {
        let damaged = DIFF.replace(from, to);
        assert_ne!(damaged, DIFF);
        let damage = against(&damaged, "k/f.c", 1, FILE).unwrap();
        assert_eq!(damage.line, line, "{to}: {damage}");
        assert!(damage.what.contains(told), "{to}: {damage}");
        // Elsewhere in the file it is the same damage.
        let moved = format!("int other;\nint more;\n{FILE}");
        assert_eq!(against(&damaged, "k/f.c", 1, &moved).unwrap().line, line);
    }
    let dos = against(DIFF, "k/f.c", 1, &FILE.replace('\n', "\r\n")).unwrap();
    assert!(dos.what.contains("the file's line in CRLF"), "{dos}");
}
