// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::lab::mail::subject::parse;

/// A mail as `ID < PARENT: SUBJECT`, from whoever stands behind `|`.
fn letter(line: &str) -> Letter {
    let (ids, subject) = line.split_once(": ").unwrap();
    let (id, parent) = ids.split_once(" < ").unwrap_or((ids, ""));
    let (subject, from) = subject.split_once('|').unwrap_or((subject, "me"));
    let tag = parse(subject.trim());
    let has_diff = tag.is_patch && !tag.is_reply && tag.number.is_none_or(|(number, _)| number > 0);
    let parents = parent.split(' ').filter(|id| !id.is_empty()).map(str::to_owned).collect();
    Letter { id: id.into(), parents, from: from.trim().into(), tag, has_diff }
}

/// Postings as `vVERSION cover: ids`, families apart by `|`.
fn told(lines: &[&str]) -> String {
    let letters: Vec<Letter> = lines.iter().map(|line| letter(line)).collect();
    let (postings, left_out) = postings(&letters);
    let mut families: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for posting in &postings {
        let id = |at: &usize| letters[*at].id.clone();
        let cover = posting.cover.as_ref().map_or("-".into(), id);
        let patches: Vec<String> = posting.patches.values().flatten().map(id).collect();
        families.entry(posting.family).or_default().push(format!(
            "v{} {cover}: {}",
            posting.version,
            patches.join(" ")
        ));
    }
    let mut text = families.values().map(|family| family.join("; ")).collect::<Vec<_>>().join(" | ");
    for at in left_out {
        text += &format!(" / {}", letters[at].id);
    }
    text
}

#[test]
fn mails_become_postings_and_families() {
    for (lines, wanted) in [
        // Shallow threads, out of order, with an answer between.
        (
            &["c: [PATCH 0/2] s", "b < c: [PATCH 2/2] y", "r < b: Re: [PATCH 2/2] y", "a < c: [PATCH 1/2] x"]
                [..],
            "v1 c: a b",
        ),
        // Deep threads, and a cover letter that is not there.
        (&["a < c: [PATCH 1/3] x", "b < a: [PATCH 2/3] y", "d < b: [PATCH 3/3] z"], "v1 -: a b d"),
        (&["a < c: [PATCH 1/2] x", "b < c: [PATCH 2/2] y"], "v1 -: a b"),
        // `git format-patch --stdout`: no ids that mean anything.
        (&["1: [PATCH 0/2] s", "2: [PATCH 1/2] x", "3: [PATCH 2/2] y"], "v1 1: 2 3"),
        // Versions: in one thread, and in threads of their own.
        (
            &[
                "c: [PATCH 0/1] s",
                "a < c: [PATCH 1/1] x",
                "d < c: [PATCH v2 0/1] s, better",
                "b < d: [PATCH v2 1/1] other",
            ],
            "v1 c: a; v2 d: b",
        ),
        (
            &[
                "c: [PATCH v2 0/1] a cache",
                "a < c: [PATCH v2 1/1] x",
                "d: [PATCH v3 0/1] A cache.",
                "b < d: [PATCH v3 1/1] w",
            ],
            "v2 c: a; v3 d: b",
        ),
        // Two series: apart, and one as an answer to the other's.
        (
            &["c: [PATCH 0/1] s", "a < c: [PATCH 1/1] x", "d: [PATCH 0/1] t", "b < d: [PATCH 1/1] y"],
            "v1 c: a | v1 d: b",
        ),
        (&["a: [PATCH 1/1] x", "b < a: [PATCH 1/1] y | you"], "v1 -: a | v1 -: b"),
        // The same once more, in a thread of its own.
        (
            &[
                "c: [PATCH 0/1] s",
                "a < c: [PATCH 1/1] x",
                "d: [PATCH RESEND 0/1] s",
                "b < d: [PATCH RESEND 1/1] x",
            ],
            "v1 c: a; v1 d: b",
        ),
        // A number that is there twice in one thread.
        (
            &["c: [PATCH 0/2] s", "a < c: [PATCH 1/2] x", "b < c: [PATCH 2/2] y", "e < c: [PATCH 2/2] z"],
            "v1 c: a b e",
        ),
        // A remark in the form of a patch.
        (&["a: [PATCH 1/2] x", "b < a: [PATCH 2/2] y", "e < b: [PATCH] fix | you"], "v1 -: a b / e"),
        // Without numbers: the order of the file; another version is another posting.
        (&["a: [PATCH] x", "b: [PATCH] y"], "v1 -: a b"),
        (&["a: [PATCH] x", "b: [PATCH v2] x"], "v1 -: a; v2 -: b"),
        (&["a: [PATCH] x", "b: [PATCH] y | you"], "v1 -: a b"),
        (&["a@x: [PATCH] x", "b@x: [PATCH] y | you"], "v1 -: a@x | v1 -: b@x"),
        // No series at all; circles of answers.
        (&["a: hello", "r < a: Re: hello"], ""),
        (&["a < b: [PATCH 1/2] x", "b < a: [PATCH 2/2] y"], "v1 -: a b"),
        (&["a < a: [PATCH 1/1] x"], "v1 -: a"),
    ] {
        assert_eq!(told(lines), wanted, "{lines:?}");
    }
}
