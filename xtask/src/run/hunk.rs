// SPDX-License-Identifier: MIT OR Apache-2.0
//! Places in a diff that git names where a patch does not apply. Pure.

/// The line of the diff at which git gave up reading it. It says `corrupt patch at line N`, or `at FILE:N`, by its
/// version.
pub fn corrupt_line(said: &str) -> Option<u64> {
    let at = said.lines().find_map(|line| line.split_once("corrupt patch at "))?.1;
    at.rsplit([' ', ':']).next()?.parse().ok()
}

/// Which hunk of a file begins at this line, and of how many.
pub fn hunk_number(patch: &str, file: &str, line: &str) -> Option<(usize, usize)> {
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
