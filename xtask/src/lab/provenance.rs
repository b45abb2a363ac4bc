// SPDX-License-Identifier: MIT OR Apache-2.0
//! Provenance: what a mail says of the patch in it, for the record.

use serde::{Deserialize, Serialize};

use crate::lab::mail::subject;

/// Endings of a message that are kept: `git interpret-trailers` calls them trailers.
const TRAILERS: [&str; 5] = ["Fixes", "Link", "Closes", "Cc", "Message-Id"];

/// What a mail says of its patch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// N of `[PATCH vN …]`; 1 where a patch prefix names none.
    pub version: Option<u32>,
    /// `Reviewed-by: …` and the like, in order.
    pub trailers: Vec<String>,
    /// Trailers that others gave in their answers.
    pub answers: Vec<Answer>,
    /// The commit that it was taken from.
    pub commit: Option<String>,
    /// Its mail allows whoever shows it to wrap lines anew: white space is not to be trusted.
    pub is_flowed: bool,
}

/// A trailer that was given in an answer to a patch: `Reviewed-by: …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The line.
    pub trailer: String,
    /// Who sent the answer, which need not be whom the trailer names.
    pub from: String,
    /// Message id of the answer.
    pub message_id: String,
}

/// What is known of a series as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesProvenance {
    /// N of `[PATCH vN …]`, where the series came as mails.
    pub version: Option<u32>,
    /// Message id of the cover letter.
    pub cover: Option<String>,
    /// The commit it was made on, where that is said.
    pub base_commit: Option<String>,
    /// Patch ids (`git patch-id --stable`) of what has to be applied before.
    pub prerequisites: Vec<String>,
    /// Which patches of a longer series it is.
    pub subset: Option<Subset>,
    /// What a reader should know: what was left out, what was assumed.
    pub notes: Vec<String>,
}

/// Patches `first` to `last`, counted from 1, of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subset {
    /// From 1.
    pub first: usize,
    /// At least `first`.
    pub last: usize,
    /// How many there are in all.
    pub of: usize,
}

impl Provenance {
    /// Reads a whole mail, or a patch file with mail headers.
    pub fn read(mail: &str) -> Self {
        let (headers, body) = mail.split_once("\n\n").unwrap_or((mail, ""));
        let subject = headers.lines().find_map(|line| line.strip_prefix("Subject:")).unwrap_or("");
        let message = body.split("\n---\n").next().unwrap_or("");
        let trailers = message.lines().filter(|line| is_trailer(line)).map(str::to_owned).collect();
        Self { version: version(subject), trailers, ..Self::default() }
    }
}

fn version(subject: &str) -> Option<u32> {
    let tag = subject::parse(subject);
    tag.is_patch.then_some(tag.version)
}

fn is_trailer(line: &str) -> bool {
    let Some((name, value)) = line.split_once(": ") else { return false };
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !value.trim().is_empty();
    is_name && (name.ends_with("-by") || TRAILERS.contains(&name))
}

/// The commit that a series was made on, as `git format-patch --base` writes it.
pub fn base_commit(text: &str) -> Option<String> {
    let hash = text.lines().find_map(|line| line.strip_prefix("base-commit: "))?.trim();
    (hash.len() >= 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| hash.to_owned())
}

/// Patch ids of what has to be applied before, as `git format-patch --base` writes them.
pub fn prerequisites(text: &str) -> Vec<String> {
    let ids = text.lines().filter_map(|line| line.strip_prefix("prerequisite-patch-id: ")).map(str::trim);
    ids.filter(|id| id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::to_owned)
        .collect()
}

/// Trailers that an answer gives: what is quoted (`> …`) was there before.
pub fn answer_trailers(text: &str) -> Vec<String> {
    let given = text.lines().map(str::trim_end).filter(|line| is_trailer(line));
    given
        .filter(|line| line.split(": ").next().is_some_and(|name| name.ends_with("-by")))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From: A <a@example.org>\nSubject: [RFC PATCH v3 2/5] x: y\n\nWhy: because.\n\n\
        Fixes: 0123456789ab (\"z\")\nReviewed-by: B <b@example.org>\n---\nAcked-by: not a trailer\n\n\
        diff --git a/x b/x\n";

    #[test]
    fn version_and_trailers_are_read_and_text_is_not() {
        let provenance = Provenance::read(MAIL);
        assert_eq!(provenance.version, Some(3));
        let trailers = ["Fixes: 0123456789ab (\"z\")", "Reviewed-by: B <b@example.org>"];
        assert_eq!(provenance.trailers, trailers);
        assert_eq!(Provenance::read(&MAIL.replace(" v3", "")).version, Some(1));
        assert_eq!(Provenance::read("diff --git a/x b/x\n"), Provenance::default());
    }

    #[test]
    fn an_answer_gives_what_it_does_not_quote() {
        let text = "> Reviewed-by: A <a@x>\nReviewed-by: B <b@x>\nso be it: yes\nCc: C <c@x>\n";
        assert_eq!(answer_trailers(text), ["Reviewed-by: B <b@x>"]);
        let id = "b".repeat(40);
        assert_eq!(prerequisites(&format!("prerequisite-patch-id: {id}\nprerequisite-patch-id: no\n")), [id]);
    }

    #[test]
    fn a_base_commit_is_a_hash() {
        let hash = "a".repeat(40);
        assert_eq!(base_commit(&format!("x\nbase-commit: {hash}\n")), Some(hash));
        assert_eq!(base_commit("base-commit: v5.10\n"), None);
    }
}
