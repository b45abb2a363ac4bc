// SPDX-License-Identifier: MIT OR Apache-2.0
//! The encodings of mail: quoted-printable, base64, encoded words in headers, character sets.

/// Undoes quoted-printable. What is no escape stays as it is.
pub fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let (content, end) = match line {
            [content @ .., b'\r', b'\n'] => (content, "\r\n"),
            [content @ .., b'\n'] => (content, "\n"),
            content => (content, ""),
        };
        let trimmed = content.trim_ascii_end();
        let is_soft = trimmed.last() == Some(&b'=');
        escapes(if is_soft { &trimmed[..trimmed.len() - 1] } else { content }, &mut out);
        if !is_soft {
            out.extend_from_slice(end.as_bytes());
        }
    }
    out
}

fn escapes(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'=', rest) {
        out.extend_from_slice(&rest[..at]);
        let hex = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (hex(at + 1), hex(at + 2)) {
            (Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = &rest[at + 3..];
            }
            _ => {
                out.push(b'=');
                rest = &rest[at + 1..];
            }
        }
    }
    out.extend_from_slice(rest);
}

/// Undoes base64; `None` for anything that is none.
pub fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0_u32, 0_u32, 0_u32);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    // A character that stands alone at the end encodes no byte: something is cut off.
    (count < 6 && padding <= 2).then_some(out)
}

/// A header's value with its encoded words (`=?utf-8?q?…?=`) as text.
pub fn words(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, word, after)) = next_word(rest) {
        // White space between two encoded words belongs to neither.
        if !(before.trim().is_empty() && rest.len() != value.len()) {
            out.push_str(before);
        }
        out.push_str(&word);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn next_word(text: &str) -> Option<(&str, String, &str)> {
    let mut from = 0;
    while let Some(at) = text[from..].find("=?").map(|at| at + from) {
        if let Some((word, after)) = one_word(&text[at + 2..]) {
            return Some((&text[..at], word, after));
        }
        from = at + 2;
    }
    None
}

fn one_word(text: &str) -> Option<(String, &str)> {
    let (charset, rest) = text.split_once('?')?;
    let (method, rest) = rest.split_once('?')?;
    let (content, after) = rest.split_once("?=")?;
    let bytes = match method {
        "q" | "Q" => {
            let mut out = Vec::new();
            escapes(content.replace('_', " ").as_bytes(), &mut out);
            out
        }
        "b" | "B" => base64(content.as_bytes())?,
        _ => return None,
    };
    Some((to_text(&bytes, charset), after))
}

/// Bytes of a character set as text; of one that is not known, as far as they are UTF-8.
pub fn to_text(bytes: &[u8], charset: &str) -> String {
    match charset.to_ascii_lowercase().as_str() {
        "iso-8859-1" | "iso-8859-15" | "windows-1252" | "latin1" => {
            bytes.iter().map(|byte| char::from(*byte)).collect()
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_printable_is_undone() {
        for (encoded, text) in [
            ("a=3Db\n", "a=b\n"),
            ("long=\n line\n", "long line\n"),
            ("end=20\n", "end \n"),
            ("soft=  \nx", "softx"),
            ("no =zz escape", "no =zz escape"),
            ("=\r\nx\r\n", "x\r\n"),
            ("=0D\n", "\r\n"),
        ] {
            assert_eq!(String::from_utf8(quoted_printable(encoded.as_bytes())).unwrap(), text, "{encoded}");
        }
    }

    #[test]
    fn base64_is_undone_or_refused() {
        for (encoded, text) in [
            ("", Some("")),
            ("aGk=", Some("hi")),
            ("aGkK\nYQ==\n", Some("hi\na")),
            ("a", None),
            ("aG!=", None),
            ("aGk=aGk=", None),
        ] {
            assert_eq!(base64(encoded.as_bytes()), text.map(|text| text.as_bytes().to_vec()), "{encoded}");
        }
    }

    #[test]
    fn encoded_words_become_text() {
        for (encoded, text) in [
            ("plain", "plain"),
            ("=?utf-8?q?J=C3=B6rg_A?= <a@b>", "Jörg A <a@b>"),
            ("=?UTF-8?B?w7Y=?= =?iso-8859-1?Q?=F6?=x", "ööx"),
            ("[PATCH] =?x", "[PATCH] =?x"),
        ] {
            assert_eq!(words(encoded), text);
        }
    }
}
