// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;

fn diff(name: &str) -> String {
    format!("diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-a\n+b\n")
}

/// A mail `ID < PARENT: SUBJECT` with a body.
fn mail(line: &str, body: &str) -> String {
    let (ids, subject) = line.split_once(": ").unwrap();
    let (id, parent) = ids.split_once(" < ").unwrap_or((ids, ""));
    let parent = if parent.is_empty() { String::new() } else { format!("In-Reply-To: <{parent}@x>\n") };
    format!(
        "From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: A <a@x>\nMessage-Id: <{id}@x>\n{parent}Subject: {subject}\n\n{body}\n"
    )
}

fn patch(line: &str) -> String {
    let name = line.split_once(' ').unwrap().0.trim_end_matches(':');
    mail(line, &format!("Why.\n\nSigned-off-by: A <a@x>\n---\n\n{}-- \n2.47\n", diff(name)))
}

fn read_all(mails: &[String], choice: &str) -> Result<Found, Fault> {
    let choice = if choice.is_empty() { Choice::Newest } else { choice.parse().unwrap() };
    read("t.mbox", mails.concat().as_bytes(), &choice)
}

fn subjects(found: &Found) -> Vec<&str> {
    found.patches.iter().map(|patch| patch.subject.as_str()).collect()
}

/// v1 and v2 of a series, with answers, out of order, one mail twice.
fn thread() -> Vec<String> {
    let base =
        format!("Hello.\nbase-commit: {}\nprerequisite-patch-id: {}\n", "a".repeat(40), "b".repeat(40));
    vec![
        mail("c1: [PATCH 0/2] a cache", "Hello."),
        patch("p2 < c1: [PATCH 2/2] two"),
        patch("p1 < c1: [PATCH 1/2] one"),
        mail("r0 < p1: Re: [PATCH 1/2] one", "> +b\nReviewed-by: Old <o@x>\n"),
        mail("c2: [PATCH v2 0/2] a cache", &base),
        patch("q2 < c2: [PATCH v2 2/2] two"),
        patch("q1 < c2: [PATCH v2 1/2] one, better"),
        patch("q1 < c2: [PATCH v2 1/2] one, better"),
        mail("r1 < q1: Re: [PATCH v2 1/2] one", "> Reviewed-by: Not <n@x>\n\nReviewed-by: B <b@x>\n"),
        mail("r2 < r1: Re: [PATCH v2 1/2] one", "Thanks.\nTested-by: C <c@x>\n"),
        mail("r3 < c2: Re: [PATCH v2 0/2] a cache", "Acked-by: D <d@x>\n"),
    ]
}

#[test]
fn the_newest_version_is_taken_or_the_one_that_is_named() {
    let found = read_all(&thread(), "").unwrap();
    assert_eq!(subjects(&found), ["one, better", "two"]);
    assert_eq!((found.title.as_str(), found.provenance.version), ("a cache", Some(2)));
    assert_eq!(found.provenance.cover.as_deref(), Some("c2@x"));
    assert_eq!(found.provenance.base_commit, Some("a".repeat(40)));
    assert_eq!(found.provenance.prerequisites, ["b".repeat(40)]);
    assert!(found.provenance.notes[0].contains("v1 is there as well"), "{:?}", found.provenance.notes);
    assert_eq!(found.patches[0].message_id.as_deref(), Some("q1@x"));
    assert_eq!(found.patches[0].file, "t.mbox#7");
    assert_eq!(found.patches[0].provenance.version, Some(2));
    for choice in ["v1", "1", "c1@x", "<p2@x>"] {
        let found = read_all(&thread(), choice).unwrap();
        assert_eq!(subjects(&found), ["one", "two"], "{choice}");
        assert_eq!(found.provenance.base_commit, None, "{choice}");
    }
}

#[test]
fn trailers_come_from_the_mail_and_apart_from_it_from_answers() {
    let found = read_all(&thread(), "").unwrap();
    assert_eq!(found.patches[0].provenance.trailers, ["Signed-off-by: A <a@x>"]);
    let given = |at: usize| -> Vec<&str> {
        found.patches[at].provenance.answers.iter().map(|one| one.trailer.as_str()).collect()
    };
    assert_eq!(given(0), ["Reviewed-by: B <b@x>", "Tested-by: C <c@x>", "Acked-by: D <d@x>"]);
    assert_eq!(given(1), ["Acked-by: D <d@x>"]);
    assert_eq!(found.patches[0].provenance.answers[0].message_id, "r1@x");
}

fn assert_refused(mails: &[String], choice: &str, told: &str) {
    let error = read_all(mails, choice).map(|found| found.title).unwrap_err();
    assert!(error.to_string().contains(told), "`{told}` is not in: {error}");
}

#[test]
fn what_is_attached_in_the_wrong_way_is_refused_by_name() {
    let part = |mime: &str, name: &str, text: &str| {
        format!("--b\nContent-Type: {mime}\nContent-Disposition: attachment; filename={name}\n\n{text}\n")
    };
    let with_parts = |subject: &str, parts: &str| {
        mail(subject, "")
            .replace("\n\n", &format!("\nContent-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n"))
    };
    for (mails, choice, told) in [
        (
            vec![with_parts("z: [PATCH 1/1] x", &part("application/gzip", "0001-x.patch.gz", "junk"))],
            "",
            "mail 1/1, <z@x>: `0001-x.patch.gz` is attached to it and cannot be read as a patch",
        ),
        (
            vec![with_parts(
                "z: [PATCH 0/2] x",
                &(part("text/x-patch", "1", &diff("x")) + &part("text/x-patch", "2", &diff("y"))),
            )],
            "",
            "no patch is in it, only the cover letter",
        ),
        (
            vec![with_parts(
                "z: [PATCH] x",
                &(part("text/x-patch", "1", &diff("x")) + &part("text/x-patch", "2", &diff("y"))),
            )],
            "",
            "2 patches are attached to it: `1`, `2`",
        ),
        (
            vec![with_parts(
                "z: [PATCH] x",
                &format!("--b\n\n{}{}", diff("x"), part("text/x-patch", "1", &diff("x"))),
            )],
            "",
            "a diff is in its text, and another one attached (`1`)",
        ),
    ] {
        assert_refused(&mails, choice, told);
    }
}

#[test]
fn what_is_no_whole_series_is_refused_by_name() {
    let html = mail("h: [PATCH 1/1] x", "<p>").replace("\n\n", "\nContent-Type: text/html\n\n");
    for (mails, choice, told) in [
        (vec![mail("a: hello", "x")], "", "no patch is in it, only one mail without a diff"),
        (
            vec![mail("c: [PATCH 0/3] s", "x")],
            "",
            "no patch is in it, only the cover letter of \"s\" v1 (3 patches",
        ),
        (
            vec![mail("c: [PATCH 0/3] s", ""), patch("a < c: [PATCH 1/3] x"), patch("b < c: [PATCH 2/3] y")],
            "",
            "patch 3/3 of \"s\" v1 (3 patches, from A <a@x>, <c@x>) is not in it; its cover letter is mail 0/3, <c@x>",
        ),
        (
            vec![patch("a < c: [PATCH 1/3] x"), patch("b < c: [PATCH 3/3] y")],
            "",
            "is not in it; beside it is mail 1/3, <a@x> and mail 3/3, <b@x>",
        ),
        (
            vec![patch("a: [PATCH 1/1] x"), patch("b: [PATCH 2/2] y"), patch("d: [PATCH 1/2] z")],
            "",
            "2 series are in it: \"x\" v1",
        ),
        (
            vec![patch("a: [PATCH 1/2] x"), patch("b < a: [PATCH 2/2] y"), patch("d < a: [PATCH 2/2] z")],
            "",
            "is there more than once: mail 2/2, <b@x>, mail 2/2, <d@x>",
        ),
        (vec![patch("a: [PATCH 2/1] x")], "", "mail 2/1, <a@x>: there is no patch 2 of 1"),
        (thread(), "v3", "no v3 of a series is in it"),
        (thread(), "nobody@x", "no series with the mail <nobody@x> is in it"),
        (vec![html], "", "mail 1/1, <h@x>: it has no diff in its plain text, only HTML"),
        (vec![mail("n: [PATCH 1/1] x", "nothing")], "", "mail 1/1, <n@x>: no diff is in it"),
    ] {
        assert_refused(&mails, choice, told);
    }
}

#[test]
fn an_incomplete_newest_version_points_to_the_complete_one() {
    let mut mails = thread();
    mails.push(patch("s1 < q1: [PATCH v3 1/2] one, better"));
    let error = anyhow::Error::from(read_all(&mails, "").map(|found| found.title).unwrap_err());
    let text = crate::fault::describe(&error);
    assert!(
        text.contains("patch 2/2") && text.contains("help: v2 is complete: --series-version v2"),
        "{text}"
    );
}

#[test]
fn one_attached_patch_is_taken_and_what_is_none_is_told() {
    let parts = format!(
        "--b\n\nHello.\n--b\nContent-Type: text/x-patch; name=\"0001-x.patch\"\nContent-Disposition: attachment\n\
         Content-Transfer-Encoding: quoted-printable\n\nSubject: [PATCH] x\n\nReported-by: E <e@x>\n---\n{}\n\
         --b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=dmesg\n\nlog\n--b--\n",
        diff("x").replace("+b", "+=62")
    );
    let mail = mail("a: [PATCH] x", "")
        .replace("\n\n", &format!("\nContent-Type: multipart/mixed; boundary=b\n\n{parts}"));
    let found = read_all(&[mail], "").unwrap();
    assert_eq!(String::from_utf8_lossy(&found.patches[0].diff).trim_end(), diff("x").trim_end());
    assert_eq!(found.patches[0].provenance.trailers, ["Reported-by: E <e@x>"]);
    assert!(
        found.provenance.notes[0].contains("`dmesg` is attached to it, is no patch"),
        "{:?}",
        found.provenance.notes
    );
}

#[test]
fn an_mbox_in_crlf_gives_the_same_patches() {
    let plain = read_all(&thread(), "").unwrap();
    let dos: Vec<String> = thread().iter().map(|mail| mail.replace('\n', "\r\n")).collect();
    let dos = read_all(&dos, "").unwrap();
    let digests = |found: &Found| found.patches.iter().map(|patch| patch.digest.clone()).collect::<Vec<_>>();
    assert_eq!(digests(&plain), digests(&dos));
    // CRLF of the files themselves stays: it is a part of the change.
    let files = patch("a: [PATCH 1/1] x").replace("-a\n+b\n", "-a\r\n+b\r\n");
    assert!(read_all(&[files], "").unwrap().patches[0].diff.ends_with(b"-a\r\n+b\r\n-- \n2.47\n\n"));
}

#[test]
fn a_large_mbox_is_read_in_bounded_time() {
    let mut mails = thread();
    let text = "some words of a discussion\n".repeat(400);
    mails.extend((0..1000).map(|number| mail(&format!("x{number} < q1: Re: [PATCH v2 1/2] one"), &text)));
    let begun = std::time::Instant::now();
    assert_eq!(read_all(&mails, "").unwrap().patches.len(), 2);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}
