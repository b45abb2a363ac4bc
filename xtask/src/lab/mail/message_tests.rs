// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;

const DIFF: &str = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b = 1\n";

fn content(mail: &str) -> Content {
    Message::parse(mail.as_bytes()).content()
}

#[test]
fn headers_are_unfolded_and_ids_listed() {
    let mail = Message::parse(
        b"Subject: [PATCH\n 1/2] =?utf-8?q?=C3=B6?=\nReferences: <a@x>\n\t<b@x>\n\nSubject: no\n",
    );
    assert_eq!(mail.header_text("subject"), "[PATCH 1/2] ö");
    assert_eq!(mail.ids("references"), ["a@x", "b@x"]);
    assert!(mail.header("date").is_none());
}

#[test]
fn text_comes_out_as_it_went_in_whatever_the_encoding() {
    let base64 = "ZGlmZiAtLWdpdCBhL3ggYi94Ci0tLSBhL3gKKysrIGIveApAQCAtMSArMSBAQAotYQorYiA9IDEK";
    for mail in [
        format!("Subject: x\n\n{DIFF}"),
        format!("Subject: x\n\n{DIFF}").replace('\n', "\r\n"),
        format!("Content-Transfer-Encoding: quoted-printable\n\n{}", DIFF.replace("b = 1", "b =3D =\n1")),
        format!("Content-Transfer-Encoding: base64\n\n{}\n{}\n", &base64[..40], &base64[40..]),
        format!(
            "Content-Type: multipart/mixed; boundary=\"x y\"\n\nno part\n--x y\n\n{DIFF}\n--x y--\nno part\n"
        ),
    ] {
        assert_eq!(String::from_utf8(content(&mail).text).unwrap(), DIFF, "{mail}");
    }
}

#[test]
fn line_ends_of_the_content_stay_where_the_mail_has_its_own() {
    let dos = DIFF.replace("-a\n+b = 1\n", "-a\r\n+b\r\n");
    assert_eq!(content(&format!("Subject: x\n\n{dos}")).text, dos.as_bytes());
    let encoded = dos.replace('\r', "=0D");
    let mail = format!("Content-Transfer-Encoding: quoted-printable\n\n{encoded}");
    assert_eq!(content(&mail.replace('\n', "\r\n")).text, dos.as_bytes());
}

#[test]
fn what_is_attached_is_told_from_the_text() {
    let part = |kind: &str, name: &str, text: &str| {
        format!("--b\nContent-Type: {kind}\nContent-Disposition: attachment; filename=\"{name}\"\n\n{text}\n")
    };
    let mail = format!(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; format=flowed\n\nHello.\n{}{}{}--b\nContent-Type: text/html\n\n<p>\n--b--\n",
        part("text/x-patch", "0001-x.patch", DIFF),
        part("application/gzip", "0002-y.patch.gz", "\u{1f}"),
        part("text/plain", "dmesg.txt", "[ 0.0] Linux"),
    );
    let content = content(&mail);
    assert_eq!(content.text, b"Hello.\n");
    assert!(content.is_flowed && content.has_html && content.trouble.is_none());
    let seen: Vec<_> = content
        .attachments
        .iter()
        .map(|one| (one.name.as_str(), one.is_patch(), one.is_called_patch()))
        .collect();
    assert_eq!(
        seen,
        [("0001-x.patch", true, true), ("0002-y.patch.gz", false, true), ("dmesg.txt", false, false)]
    );
    assert_eq!(content.attachments[0].bytes, DIFF.as_bytes());
}

#[test]
fn what_cannot_be_decoded_says_so() {
    assert_eq!(
        content("Content-Transfer-Encoding: base64\n\naG!\n").trouble.unwrap(),
        "its base64 is damaged"
    );
    assert!(content("Content-Type: multipart/mixed\n\nx\n").trouble.is_some());
    // Parts in parts without an end must end.
    let deep: String =
        (0..50).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect();
    assert_eq!(content(&deep).text, b"");
}
