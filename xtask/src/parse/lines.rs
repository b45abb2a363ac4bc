// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes into lines, with a cap, and lines into text that is safe to show.
//!
//! A guest may write anything: no newline for a gigabyte, terminal escapes, half a UTF-8 character.
//! Everything in `parse/` reads through here, so that the caps stand in one place.

/// Whether all of a line is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineLength {
    /// The line is complete.
    Whole,
    /// The line was longer than the cap and its rest was dropped.
    Cut,
}

/// What ended a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// A newline.
    Newline,
    /// The input ended: the writer may have been killed in the middle of the line.
    EndOfInput,
}

/// One line, without its newline and without carriage returns before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The bytes of the line.
    pub bytes: &'a [u8],
    /// Whether the line was cut at the cap.
    pub length: LineLength,
    /// What ended the line.
    pub end: LineEnd,
}

/// Cuts a stream of bytes into lines and keeps at most one capped line in memory.
#[derive(Debug)]
pub struct LineSplitter {
    line_bytes_max: usize,
    partial: Vec<u8>,
    length: LineLength,
}

impl LineSplitter {
    /// A splitter whose lines have at most `line_bytes_max` bytes.
    #[must_use]
    pub fn new(line_bytes_max: usize) -> Self {
        Self { line_bytes_max, partial: Vec::new(), length: LineLength::Whole }
    }

    /// Takes the next bytes, in pieces of any size, and hands every finished line to `sink`.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Line<'_>)) {
        let mut rest = bytes;
        while let Some(newline) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(newline);
            rest = &after[1..];
            if self.partial.is_empty() && line.len() <= self.line_bytes_max {
                // The usual case copies nothing.
                let length = self.length;
                sink(finished(line, length, LineEnd::Newline));
            } else {
                self.keep(line);
                sink(finished(&self.partial, self.length, LineEnd::Newline));
            }
            self.partial.clear();
            self.length = LineLength::Whole;
        }
        self.keep(rest);
    }

    /// Hands over what stands after the last newline, if anything does.
    pub fn finish(self, mut sink: impl FnMut(Line<'_>)) {
        if !self.partial.is_empty() {
            sink(finished(&self.partial, self.length, LineEnd::EndOfInput));
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.line_bytes_max.saturating_sub(self.partial.len());
        if bytes.len() > room {
            self.length = LineLength::Cut;
        }
        self.partial.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }
}

fn finished(bytes: &[u8], length: LineLength, end: LineEnd) -> Line<'_> {
    let mut bytes = bytes;
    while let Some(shorter) = bytes.strip_suffix(b"\r") {
        bytes = shorter;
    }
    Line { bytes, length, end }
}

/// Text without terminal escape sequences and control characters; tabs stay. Bytes that are not
/// UTF-8 become U+FFFD.
#[must_use]
pub fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !text.chars().any(is_unsafe) {
        return text.into_owned();
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        if character == '\u{1b}' {
            skip_escape(&mut chars);
        } else if !is_unsafe(character) {
            cleaned.push(character);
        }
    }
    cleaned
}

fn is_unsafe(character: char) -> bool {
    character.is_control() && character != '\t'
}

/// Skips what follows an escape character, as ECMA-48 orders it.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            // Parameters and intermediates, then one final character from `@` to `~`.
            while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
            let _final = chars.next_if(|c| ('@'..='~').contains(c));
        }
        Some(']') => {
            // A window title: ends with BEL or with ESC \.
            chars.next();
            while let Some(character) = chars.next() {
                if character == '\u{7}' {
                    break;
                }
                if character == '\u{1b}' {
                    let _backslash = chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        Some(_) => {
            let _one = chars.next_if(|c| (' '..='~').contains(c));
        }
        None => {}
    }
}

/// The first `bytes_max` bytes of a text, or a little less, so that no character is cut in two.
#[must_use]
pub fn shorten(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&[u8]], cap: usize) -> Vec<(String, LineLength, LineEnd)> {
        let mut splitter = LineSplitter::new(cap);
        let mut lines = Vec::new();
        let mut sink = |line: Line<'_>| {
            lines.push((String::from_utf8_lossy(line.bytes).into_owned(), line.length, line.end));
        };
        for piece in pieces {
            splitter.push(piece, &mut sink);
        }
        splitter.finish(&mut sink);
        lines
    }

    #[test]
    fn joins_pieces_and_drops_carriage_returns() {
        let lines = split(&[b"one\r", b"\ntw", b"o\n\nlast"], 100);
        let texts: Vec<_> = lines.iter().map(|line| line.0.as_str()).collect();
        assert_eq!(texts, ["one", "two", "", "last"]);
        assert_eq!(lines[3].2, LineEnd::EndOfInput);
        assert_eq!(lines[1].2, LineEnd::Newline);
    }

    #[test]
    fn cuts_at_the_cap_and_says_so() {
        let lines = split(&[b"0123", b"4567\nok\n"], 5);
        assert_eq!(lines[0], ("01234".into(), LineLength::Cut, LineEnd::Newline));
        assert_eq!(lines[1], ("ok".into(), LineLength::Whole, LineEnd::Newline));
        assert_eq!(split(&[b"0123456\n"], 5)[0].1, LineLength::Cut);
        assert_eq!(split(&[b"01234\n"], 5)[0].1, LineLength::Whole);
    }

    #[test]
    fn cleans_escapes_and_control_characters() {
        assert_eq!(clean(b"\x1b[1;31mred\x1b[0m\x07 \x1b]0;title\x07x\ty"), "red x\ty");
        assert_eq!(clean(b"a\x00b\x1b"), "ab");
        assert_eq!(clean(b"\xff"), "\u{fffd}");
        assert_eq!(clean(b"plain"), "plain");
    }

    #[test]
    fn shortens_between_characters() {
        assert_eq!(shorten("aé", 2), "a");
        assert_eq!(shorten("abc", 9), "abc");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..200) {
            let at = at.min(bytes.len());
            let (left, right) = bytes.split_at(at);
            prop_assert_eq!(split(&[left, right], 16), split(&[&bytes], 16));
        }

        #[test]
        fn cleaned_text_has_no_control_character(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!clean(&bytes).chars().any(is_unsafe));
        }
    }
}
