// SPDX-License-Identifier: MIT OR Apache-2.0

use expect_test::{Expect, expect};

use super::*;

const WANTED: &str = "\
x86_64 0 ALLOW
x86_64 1 FILTER
x86_64 2 ALLOW
ia32 0 ALLOW
ia32 1 FILTER
";

fn check(got: &str, told: &Expect) {
    told.assert_eq(&compare(WANTED, got.as_bytes()).to_string());
}

/// The wanted text with one change.
fn changed(from: &str, to: &str) -> String {
    assert!(WANTED.contains(from));
    WANTED.replacen(from, to, 1)
}

#[test]
fn equal_texts_have_no_difference() {
    check(WANTED, &expect![""]);
    assert!(compare("", b"").is_empty());
    assert!(compare(WANTED, WANTED.as_bytes()).is_empty());
}

#[test]
fn wrong_verdict() {
    check(
        &changed("1 FILTER", "1 ALLOW"),
        &expect![[r#"line 2: wanted "x86_64 1 FILTER", got "x86_64 1 ALLOW""#]],
    );
}

#[test]
fn wrong_name() {
    check(
        &WANTED.replace("ia32", "i386"),
        &expect![[r#"
            line 4: wrong name, wanted "ia32 0 ALLOW", got "i386 0 ALLOW"
            line 5: wrong name, wanted "ia32 1 FILTER", got "i386 1 FILTER""#]],
    );
}

#[test]
fn missing_lines_are_not_followed_by_others() {
    check(
        &changed("x86_64 0 ALLOW\n", ""),
        &expect![[r#"missing: "x86_64 0 ALLOW" (line 1 of the expected text)"#]],
    );
    check(
        &changed("ia32 1 FILTER\n", ""),
        &expect![[r#"missing: "ia32 1 FILTER" (line 5 of the expected text)"#]],
    );
    assert_eq!(compare(WANTED, b"").total, 5);
}

#[test]
fn extra_lines() {
    check(&format!("{WANTED}ia32 2 FILTER\n"), &expect![[r#"line 6: extra, got "ia32 2 FILTER""#]]);
    check(&format!("{WANTED}x86_64 0 ALLOW\n"), &expect![[r#"line 6: extra, got "x86_64 0 ALLOW""#]]);
    check(
        &changed("x86_64 2", "x86_64 3 ALLOW\nx86_64 2"),
        &expect![[r#"line 3: extra, got "x86_64 3 ALLOW""#]],
    );
    assert_eq!(compare("", WANTED.as_bytes()).total, 5);
}

#[test]
fn compat_before_native() {
    let (native, compat) = WANTED.split_at(WANTED.find("ia32").unwrap());
    check(
        &format!("{compat}{native}"),
        &expect![[r#"
            missing: "x86_64 0 ALLOW" (line 1 of the expected text)
            missing: "x86_64 1 FILTER" (line 2 of the expected text)
            missing: "x86_64 2 ALLOW" (line 3 of the expected text)
            line 3: extra, got "x86_64 0 ALLOW"
            line 4: extra, got "x86_64 1 FILTER"
            line 5: extra, got "x86_64 2 ALLOW""#]],
    );
}

#[test]
fn malformed_lines() {
    check(
        &changed("x86_64 1 FILTER", "x86_64\t1 FILTER"),
        &expect![[r#"line 2: malformed, wanted "x86_64 1 FILTER", got "x86_64\t1 FILTER""#]],
    );
    check(&changed("x86_64 1", "\nx86_64 1"), &expect![[r#"line 2: malformed, got """#]]);
    check(
        WANTED.trim_end(),
        &expect![[r#"line 5: malformed, wanted "ia32 1 FILTER", got "ia32 1 FILTER (no end of line)""#]],
    );
    for line in [
        "x86_64 01 FILTER",
        "x86_64 +1 FILTER",
        "x86_64 1 filter",
        "x86_64 1  FILTER",
        "x86_64 1 FILTER ",
        "x86_64 1",
        " 1 FILTER",
    ] {
        let differences = compare(WANTED, changed("x86_64 1 FILTER", line).as_bytes());
        assert_eq!(differences.total, 1, "{line}");
        assert!(matches!(differences.shown[0], Difference::Malformed { line: 2, .. }), "{line}");
    }
    assert_eq!(compare("", b"\xff\0\n").to_string(), r#"line 1: malformed, got "\xff\x00""#);
}

#[test]
fn long_lines_and_many_differences_are_capped() {
    let long = compare("", &[b'x'; 1000]).to_string();
    assert_eq!(long, format!("line 1: malformed, got \"{}... (no end of line)\"", "x".repeat(80)));
    let many: Vec<_> = (0..441).map(|nr| format!("x86_64 {nr} ALLOW\n")).collect();
    let many = many.concat();
    let differences = compare(&many, b"");
    assert_eq!((differences.shown.len(), differences.total), (SHOWN_MAX, 441));
    assert!(differences.to_string().ends_with("\nand 421 more, 441 differences in all"));
}
