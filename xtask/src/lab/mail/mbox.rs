// SPDX-License-Identifier: MIT OR Apache-2.0
//! An mbox cut into its mails.

use memchr::memmem;

/// The mails of an mbox, without their `From ` lines. A file without any is one mail.
pub fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    if is_separator(first_line(text)) {
        starts.push(0);
    }
    for at in memmem::find_iter(text, b"\nFrom ") {
        if is_separator(first_line(&text[at + 1..])) {
            starts.push(at + 1);
        }
    }
    if starts.first() != Some(&0) {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let mails = starts.iter().zip(ends).map(|(start, end)| {
        let mail = &text[*start..end];
        if is_separator(first_line(mail)) { &mail[first_line(mail).len()..] } else { mail }
    });
    mails.filter(|mail| !mail.iter().all(u8::is_ascii_whitespace)).collect()
}

/// The first line with its end.
fn first_line(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(b'\n', text).map_or(text.len(), |at| at + 1)]
}

/// `From WHO … HH:MM:SS YEAR`: a sentence that begins with "From" has no time and year at its end.
fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let Some(colon) = memchr::memrchr(b':', rest) else { return false };
    let digits = |text: &[u8]| text.len() == 2 && text.iter().all(u8::is_ascii_digit);
    let has_time = colon >= 2
        && digits(&rest[colon - 2..colon])
        && digits(rest.get(colon + 1..colon + 3).unwrap_or(&[]));
    let after = String::from_utf8_lossy(&rest[colon..]).into_owned();
    let is_year = |word: &str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    has_time && after.split_ascii_whitespace().any(is_year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_cut_at_their_from_lines_only() {
        let mark = "From x Mon Sep 17 00:00:00 2001\n";
        for (text, mails) in [
            (String::new(), vec![]),
            ("Subject: a\n\nb\n".into(), vec!["Subject: a\n\nb\n"]),
            (format!("{mark}a\n\n{mark}b\n"), vec!["a\n\n", "b\n"]),
            (
                format!("{mark}a\n\nFrom here on: 2001 things\n{mark}b\n"),
                vec!["a\n\nFrom here on: 2001 things\n", "b\n"],
            ),
            (format!("{mark}\n{mark}b\n"), vec!["b\n"]),
            (format!("{mark}a\n").replace('\n', "\r\n"), vec!["a\r\n"]),
            ("From a@b Thu Oct  1 10:20:30 +0200 2020\nx\n".into(), vec!["x\n"]),
        ] {
            let found: Vec<&str> =
                split(text.as_bytes()).iter().map(|mail| std::str::from_utf8(mail).unwrap()).collect();
            assert_eq!(found, mails, "{text}");
        }
    }
}
