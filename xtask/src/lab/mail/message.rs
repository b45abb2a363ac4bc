// SPDX-License-Identifier: MIT OR Apache-2.0
//! One mail: its headers, its text, and what is attached to it.

use memchr::memmem;

use crate::lab::mail::encoding::{base64, quoted_printable, to_text, words};

/// How deep parts may lie in parts.
const DEPTH_MAX: usize = 8;

/// A mail.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    headers: Vec<(String, String)>,
    body: &'a [u8],
    /// Whether every line of it ends in CRLF: a mark that the transport has left, and not the author.
    is_crlf: bool,
}

/// What a mail holds, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Its plain text.
    pub text: Vec<u8>,
    /// The text's character set.
    pub charset: String,
    /// The text may be re-wrapped by who shows it, and was stuffed with spaces by who sent it.
    pub is_flowed: bool,
    /// It has text that only a browser shows.
    pub has_html: bool,
    /// What else is in it.
    pub attachments: Vec<Attachment>,
    /// A part that cannot be decoded, and why.
    pub trouble: Option<String>,
}

/// A part of a mail that is not its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its file name, or its type where it has none.
    pub name: String,
    /// Decoded.
    pub bytes: Vec<u8>,
}

impl Attachment {
    /// Whether it is a patch, as far as can be seen.
    pub fn is_patch(&self) -> bool {
        has_diff(&self.bytes)
    }

    /// Whether it is called a patch, though it cannot be read as one: compressed, mostly.
    pub fn is_called_patch(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        [".patch", ".diff", ".mbox", ".eml", "message/rfc822"].iter().any(|end| name.contains(end))
    }
}

impl<'a> Message<'a> {
    /// Reads the headers of a mail; its body is left for later.
    pub fn parse(mail: &'a [u8]) -> Self {
        let is_crlf = mail.contains(&b'\n') && all_crlf(mail);
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut at = 0;
        for line in mail.split_inclusive(|byte| *byte == b'\n') {
            at += line.len();
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            if text.is_empty() {
                break;
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(text.trim());
                }
            } else if let Some((name, value)) = text.split_once(':') {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Self { headers, body: &mail[at..], is_crlf }
    }

    /// A header's value, unfolded; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// A header's value as text.
    pub fn header_text(&self, name: &str) -> String {
        self.header(name).map(words).unwrap_or_default()
    }

    /// The ids that a header lists.
    pub fn ids(&self, name: &str) -> Vec<String> {
        let value = self.header(name).unwrap_or("");
        let ids = value.split('<').skip(1).filter_map(|part| part.split_once('>'));
        ids.map(|(id, _)| id.trim().to_owned()).collect()
    }

    /// What the mail holds, decoded.
    pub fn content(&self) -> Content {
        let mut content = Content::default();
        let body = if self.is_crlf { without_cr(self.body) } else { self.body.to_vec() };
        let part = Part { message: self, body: &body };
        part.add_to(&mut content, 0);
        content
    }
}

/// A mail, or a part of one.
struct Part<'m, 'a> {
    message: &'m Message<'a>,
    body: &'m [u8],
}

impl Part<'_, '_> {
    fn add_to(&self, content: &mut Content, depth: usize) {
        let kind = self.message.header("content-type").unwrap_or("text/plain");
        let (media, parameters) = kind.split_once(';').unwrap_or((kind, ""));
        let media = media.trim().to_ascii_lowercase();
        if media.starts_with("multipart/") && depth < DEPTH_MAX {
            let Some(boundary) = parameter(parameters, "boundary") else {
                content.trouble = Some("it says that it has parts, and not where they begin".into());
                return;
            };
            for part in parts(self.body, &boundary) {
                let inner = Message { is_crlf: false, ..Message::parse(part) };
                Part { message: &inner, body: inner.body }.add_to(content, depth + 1);
            }
            return;
        }
        let disposition = self.message.header_text("content-disposition");
        let is_attached = disposition.to_ascii_lowercase().starts_with("attachment");
        let name = parameter(&disposition, "filename").or_else(|| parameter(parameters, "name"));
        let Some(mut bytes) = self.decoded() else {
            content.trouble = Some("its base64 is damaged".into());
            return;
        };
        // A diff whose last line has no end is cut short.
        if depth > 0 && bytes.last().is_some_and(|last| *last != b'\n') {
            bytes.push(b'\n');
        }
        match media.as_str() {
            "text/plain" if !is_attached => {
                content.text.extend_from_slice(&bytes);
                content.is_flowed |= parameter(parameters, "format").is_some_and(|value| value == "flowed");
                content.charset = parameter(parameters, "charset").unwrap_or_default();
            }
            "text/html" if !is_attached => content.has_html = true,
            "application/pgp-signature" | "application/pkcs7-signature" => {}
            _ => content.attachments.push(Attachment { name: name.unwrap_or(media), bytes }),
        }
    }

    fn decoded(&self) -> Option<Vec<u8>> {
        let encoding = self.message.header("content-transfer-encoding").unwrap_or("");
        let bytes = match encoding.to_ascii_lowercase().as_str() {
            "quoted-printable" => quoted_printable(self.body),
            "base64" => base64(self.body)?,
            _ => return Some(self.body.to_vec()),
        };
        // Encoded text has CRLF by the rules of mail; a diff of such files has it on some lines only.
        Some(if all_crlf(&bytes) { without_cr(&bytes) } else { bytes })
    }
}

/// The parts between the lines `--BOUNDARY`.
fn parts<'b>(body: &'b [u8], boundary: &str) -> Vec<&'b [u8]> {
    let mark = format!("--{boundary}");
    let (mut found, mut start, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let is_mark = line.strip_prefix(mark.as_bytes()).map(<[u8]>::trim_ascii);
        if let Some(end @ (b"" | b"--")) = is_mark {
            if let Some(start) = start {
                // The line end before a mark belongs to the mark.
                let part = &body[start..at];
                found.push(part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part));
            }
            start = (end == b"").then_some(at + line.len());
        }
        at += line.len();
    }
    // A mail that was cut off has no last mark.
    found.extend(start.map(|start| &body[start..]));
    found
}

/// `name=value` or `name="value"` of a header.
fn parameter(text: &str, name: &str) -> Option<String> {
    let found = text.split(';').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    });
    found.map(|value| words(&value))
}

/// Whether something that git would take for a diff is in it.
pub fn has_diff(text: &[u8]) -> bool {
    let marks: [&[u8]; 3] = [b"diff --git ", b"--- a/", b"--- /dev/null"];
    marks.iter().any(|mark| memmem::find_iter(text, mark).any(|at| at == 0 || text[at - 1] == b'\n'))
}

/// Whether every line ends in CRLF.
fn all_crlf(text: &[u8]) -> bool {
    let mut lines = memchr::memchr_iter(b'\n', text).peekable();
    lines.peek().is_some() && lines.all(|at| at > 0 && text[at - 1] == b'\r')
}

fn without_cr(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line {
            [content @ .., b'\r', b'\n'] => {
                out.extend_from_slice(content);
                out.push(b'\n');
            }
            other => out.extend_from_slice(other),
        }
    }
    out
}

impl Content {
    /// The text before the diff in it, as text.
    pub fn words(&self) -> String {
        to_text(&self.text, &self.charset)
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
