// SPDX-License-Identifier: MIT OR Apache-2.0
//! Provenance: what a mail says of the patch in it, for the record.

/// Endings of a message that are kept: `git interpret-trailers` calls them trailers.
const TRAILERS: [&str; 5] = ["Fixes", "Link", "Closes", "Cc", "Message-Id"];

/// What a mail says of its patch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// N of `[PATCH vN …]`; 1 where a patch prefix names none.
    pub version: Option<u32>,
    /// `Reviewed-by: …` and the like, in order.
    pub trailers: Vec<String>,
}

impl Provenance {
    /// Reads a whole mail, or a patch file with mail headers.
    pub fn read(mail: &str) -> Self {
        let (headers, body) = mail.split_once("\n\n").unwrap_or((mail, ""));
        let subject = headers.lines().find_map(|line| line.strip_prefix("Subject:")).unwrap_or("");
        let message = body.split("\n---\n").next().unwrap_or("");
        let trailers = message.lines().filter(|line| is_trailer(line)).map(str::to_owned).collect();
        Self { version: version(subject), trailers }
    }
}

fn version(subject: &str) -> Option<u32> {
    let (tag, _) = subject.trim().strip_prefix('[')?.split_once(']')?;
    if !tag.contains("PATCH") {
        return None;
    }
    let named = tag.split(' ').find_map(|word| word.strip_prefix(['v', 'V'])?.parse().ok());
    Some(named.unwrap_or(1))
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
    fn a_base_commit_is_a_hash() {
        let hash = "a".repeat(40);
        assert_eq!(base_commit(&format!("x\nbase-commit: {hash}\n")), Some(hash));
        assert_eq!(base_commit("base-commit: v5.10\n"), None);
    }
}
