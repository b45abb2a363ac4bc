// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mails and TOML files that nobody wrote in good faith: an answer or a usage fault, and no panic.

use proptest::prelude::*;

use crate::lab::expected::Expected;
use crate::lab::file::LabFile;
use crate::lab::mail::{self, Choice};
use crate::lab::patch::is_safe;
use crate::lab::series::SeriesFacts;
use crate::parse::splat::Splats;

const LAB: &str = include_str!("../../../configs/lab.toml");
const EXPECTED: &str = include_str!("../../../configs/expected.toml");
const SPLATS: &str = include_str!("../../../configs/splats.toml");
const SERIES: &str = "title = \"x\"\ntree = \"5.10\"\nrequires = \"y\"\n[[symbol]]\nname = \"A\"\nvalue = \"y\"\n\
    from = 1\n[[check]]\nname = \"c.d\"\nfrom = 2\n[bisect]\noverlay = [1]\n";

/// Words that change what a line of TOML means.
const WORDS: [&str; 14] = [
    "",
    "\"",
    "'",
    "[[",
    "]]",
    "=",
    "\n",
    "{",
    "}",
    "99999999999999999999",
    "-1",
    "\u{0}",
    "\u{1b}[2J",
    "\"\"\"",
];

/// A file with some of its bytes replaced.
fn damaged(text: &'static str) -> impl Strategy<Value = String> {
    let cut = (any::<proptest::sample::Index>(), 0_usize..40, proptest::sample::select(&WORDS[..]));
    proptest::collection::vec(cut, 1..4).prop_map(move |cuts| {
        let mut text = text.to_owned();
        for (at, length, word) in cuts {
            let floor = |mut at: usize| {
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let begin = floor(at.index(text.len() + 1));
            let end = floor((begin + length).min(text.len()));
            text.replace_range(begin..end, word);
        }
        text
    })
}

/// Lines of which mails are made.
const LINES: [&str; 26] = [
    "From 0 Mon Sep 17 00:00:00 2001",
    "From: A <a@example.org>",
    "Message-Id: <1@example.org>",
    "Message-Id: <2@example.org>",
    "In-Reply-To: <1@example.org>",
    "References: <1@example.org> <2@example.org> <1@example.org>",
    "Subject: [PATCH v2 1/2] x",
    "Subject: [PATCH v2 2/2] =?UTF-8?Q?=1B[31m?=",
    "Subject: [PATCH v99999999999 1/18446744073709551616] x",
    "Subject: Re: [PATCH] Re: x",
    "Content-Type: multipart/mixed; boundary=\"b\"",
    "Content-Type: multipart/mixed; boundary=",
    "Content-Type: text/plain; charset=utf-8; format=flowed",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Disposition: attachment; filename=\"\u{1b}[2J.patch\"",
    "",
    "--b",
    "--b--",
    "---",
    "=1B=5B=32=4A=",
    "ZGlmZiAtLWdpdCBhLy4uL3ggYi8uLi94Cg==",
    "diff --git a/x b/x",
    "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b",
    "+++ b/../x",
    "> quoted",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_mailbox_is_a_series_or_refused(lines in proptest::collection::vec(proptest::sample::select(&LINES[..]), 0..60)) {
        let text = format!("From 0 Mon Sep 17 00:00:00 2001\n{}\n", lines.join("\n"));
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            if let Ok(found) = mail::read("x.mbox", text.as_bytes(), &Choice::Newest) {
                for patch in &found.patches {
                    prop_assert!(patch.files.iter().all(|path| is_safe(path)), "{:?}", patch.files);
                    prop_assert!(!patch.subject.chars().any(char::is_control));
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_a_mailbox_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let text = [b"From 0 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n".as_slice(), &bytes].concat();
        let _ = mail::read("x.mbox", &text, &Choice::Newest);
        let _ = mail::patch_of_mail("x", &text);
    }

    #[test]
    fn a_damaged_lab_file_is_read_or_refused(text in damaged(LAB)) {
        if let Ok(file) = toml::from_str::<LabFile>(&text) {
            for (name, raw) in file.check {
                let _ = raw.into_check(name);
            }
        }
    }

    #[test]
    fn other_damaged_files_are_read_or_refused(series in damaged(SERIES), expected in damaged(EXPECTED), splats in damaged(SPLATS)) {
        let _ = toml::from_str::<SeriesFacts>(&series);
        if let Ok(expected) = Expected::parse("expected.toml", &expected) {
            prop_assert!(expected.expired("9999-12-31").count() < 10_000);
        }
        if let Ok(splats) = Splats::parse(&splats) {
            let _ = splats.expired("2027-01-01");
        }
    }
}

#[test]
fn a_file_that_is_nested_without_end_is_refused() {
    for text in
        ["[".repeat(100_000), format!("a = {}", "[".repeat(100_000)), format!("{} = 1", "a.".repeat(50_000))]
    {
        assert!(toml::from_str::<LabFile>(&text).is_err());
        assert!(Expected::parse("expected.toml", &text).is_err());
    }
}

#[test]
fn names_in_messages_of_a_mail_carry_no_escapes_to_a_terminal() {
    let text = "From 0 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] =?UTF-8?Q?=1B[31mred?=\nContent-Type: multipart/mixed; \
        boundary=b\n\n--b\nContent-Disposition: attachment; filename=\"\u{1b}[2Jx.patch\"\nContent-Type: application/gzip\n\n\
        x\n--b--\n";
    let error = mail::read("x.mbox", text.as_bytes(), &Choice::Newest).unwrap_err();
    let told = crate::fault::describe(&error.into());
    assert!(!crate::tell::visible::plain(&told).contains('\u{1b}'), "{told:?}");
}
