// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a subject says of its mail: `[PATCH v3 2/5] title`.

/// What a subject says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tag {
    /// `Re:` and the like stand before it.
    pub is_reply: bool,
    /// The brackets say that it belongs to a series: `PATCH`, a number, or both.
    pub is_patch: bool,
    /// N of `vN`; 1 where none is named.
    pub version: u32,
    /// `2/5`.
    pub number: Option<(usize, usize)>,
    /// It says that it is sent once more.
    pub is_resend: bool,
    /// The rest.
    pub title: String,
}

/// Reads a subject whose encoded words are text already.
pub fn parse(subject: &str) -> Tag {
    let mut tag = Tag { version: 1, ..Tag::default() };
    let mut rest = subject.trim();
    while let Some(after) = without_reply_mark(rest) {
        tag.is_reply = true;
        rest = after.trim_start();
    }
    while let Some((inner, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        for word in inner.split([' ', ',', '\t']).filter(|word| !word.is_empty()) {
            read_word(&mut tag, &word.to_ascii_uppercase());
        }
        rest = after.trim_start();
        if let Some(after) = without_reply_mark(rest) {
            tag.is_reply = true;
            rest = after.trim_start();
        }
    }
    tag.is_patch |= tag.number.is_some();
    tag.title = rest.to_owned();
    tag
}

fn read_word(tag: &mut Tag, word: &str) {
    tag.is_patch |= word.contains("PATCH");
    tag.is_resend |= word == "RESEND" || word == "REPOST";
    let version = ["PATCH", "RFC", ""]
        .iter()
        .find_map(|front| word.strip_prefix(front)?.strip_prefix('V')?.parse().ok());
    tag.version = version.unwrap_or(tag.version);
    let number = word.split_once('/').and_then(|(n, of)| Some((n.parse().ok()?, of.parse().ok()?)));
    tag.number = number.filter(|(_, of)| *of > 0).or(tag.number);
}

fn without_reply_mark(text: &str) -> Option<&str> {
    let (mark, after) = text.split_once(':')?;
    let is_mark = ["re", "aw", "fw", "fwd", "antw", "sv", "vs"]
        .iter()
        .any(|other| mark.trim().eq_ignore_ascii_case(other));
    is_mark.then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_say_version_and_number() {
        for (subject, version, number, title) in [
            ("[PATCH v3 2/5] x: y", 3, Some((2, 5)), "x: y"),
            ("[PATCHv4 02/11] x", 4, Some((2, 11)), "x"),
            ("[v2,1/3] x", 2, Some((1, 3)), "x"),
            ("[RFC PATCH net-next 0/3] x", 1, Some((0, 3)), "x"),
            ("[PATCH][5.10] [V7] x [y] z", 7, None, "x [y] z"),
            ("[PATCH 1/0] x", 1, None, "x"),
        ] {
            let tag = parse(subject);
            assert_eq!((tag.version, tag.number, tag.title.as_str()), (version, number, title), "{subject}");
            assert!(tag.is_patch && !tag.is_reply, "{subject}");
        }
        assert!(parse("Re: [PATCH 1/2] x").is_reply);
        assert!(parse("RE: AW: x").is_reply);
        assert!(parse("[PATCH RESEND v2] x").is_resend);
        assert!(!parse("[ANNOUNCE] x: v3").is_patch);
        assert_eq!(parse("re-seal: x").title, "re-seal: x");
    }
}
