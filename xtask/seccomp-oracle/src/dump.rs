// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was read from `/proc/<pid>/seccomp_cache`: the text, or the bits that the guest program packed it into.
//!
//! Packed are runs of lines `<name> <number> <ALLOW|FILTER>` with one name and the numbers from 0 up: u32 length of the
//! name, the name (letters, digits, `_`), u32 lines, then a bit for each line, the lowest first, 1 for ALLOW; the spare
//! bits of the last byte are 0. Little-endian. A text that is not of that form is never packed, so that unpacking
//! gives every byte back.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::cache::Bitmaps;

/// The longest name that is packed, in bytes.
pub const NAME_BYTES_MAX: usize = 31;

/// The longest run that is packed, in lines.
pub const RUN_LINES_MAX: u32 = 1 << 16;

/// The longest packed dump, in bytes; so its text is shorter than 25 MB.
pub const PACKED_BYTES_MAX: usize = 1 << 16;

/// A dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dump<'a> {
    /// As it was read.
    Text(&'a [u8]),
    /// Packed; at least one run.
    Packed(Vec<Run<'a>>),
}

/// Lines of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run<'a> {
    name: &'a str,
    lines: u32,
    bits: &'a [u8],
}

/// Why bytes are no packed dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPacking;

impl<'a> Dump<'a> {
    /// No text: what a task without filters shows.
    pub const EMPTY: Self = Self::Text(b"");

    /// Reads a packed dump.
    ///
    /// # Errors
    ///
    /// Anything that [`pack`] would not have written, or not like this.
    pub fn unpack(mut bytes: &'a [u8]) -> Result<Self, BadPacking> {
        if bytes.is_empty() || bytes.len() > PACKED_BYTES_MAX {
            return Err(BadPacking);
        }
        let mut runs = Vec::new();
        while !bytes.is_empty() {
            let (run, rest) = Run::take(bytes).ok_or(BadPacking)?;
            runs.push(run);
            bytes = rest;
        }
        Ok(Self::Packed(runs))
    }

    /// The text that was read, byte for byte.
    #[must_use]
    pub fn text(&self) -> Cow<'a, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Packed(runs) => {
                let mut text = String::new();
                for run in runs {
                    for (nr, bit) in run.bits().enumerate() {
                        let verdict = if bit { "ALLOW" } else { "FILTER" };
                        // Writing to a string cannot fail.
                        let _ = writeln!(text, "{} {nr} {verdict}", run.name);
                    }
                }
                Cow::Owned(text.into_bytes())
            }
        }
    }

    /// Whether it is packed and shows these bitmaps, so that its text is theirs. `false` says nothing of a text.
    #[must_use]
    pub fn is_packed_as(&self, bitmaps: &Bitmaps) -> bool {
        let Self::Packed(runs) = self else { return false };
        let same = |(run, bitmap): (&Run<'_>, &crate::cache::Bitmap)| {
            run.name == bitmap.arch().name() && run.bits().eq(bitmap.bits().iter().copied())
        };
        runs.len() == bitmaps.iter().count() && runs.iter().zip(bitmaps.iter()).all(same)
    }
}

impl<'a> Run<'a> {
    /// Takes a run off the front.
    fn take(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (length, rest) = number(bytes)?;
        let length = usize::try_from(length).ok().filter(|length| (1..=NAME_BYTES_MAX).contains(length))?;
        let (name, rest) = rest.split_at_checked(length)?;
        let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let name = std::str::from_utf8(name).ok().filter(|_| is_name)?;
        let (lines, rest) = number(rest)?;
        let size = usize::try_from(lines.div_ceil(8)).ok()?;
        let (bits, rest) = rest.split_at_checked(size)?;
        // With lines in the last byte, the bits above them are spare.
        let spare = bits.last()?.checked_shr(lines % 8).filter(|_| !lines.is_multiple_of(8)).unwrap_or(0);
        (lines <= RUN_LINES_MAX && spare == 0).then_some((Self { name, lines, bits }, rest))
    }

    /// The name in its lines.
    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    /// The bits, by number.
    pub(crate) fn bits(&self) -> impl Iterator<Item = bool> + use<'a> {
        let bits = self.bits.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        bits.take(self.lines as usize)
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u32::from_le_bytes(*number), rest))
}

/// Packs a text as the guest program does, for tests and for fakes of it: `None` if it is to be sent as it is.
#[must_use]
pub fn pack(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').peekable();
    let mut packed = Vec::new();
    lines.peek()?;
    while let Some(first) = lines.peek() {
        let name = first.split(|byte| *byte == b' ').next()?;
        let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !is_name || !(1..=NAME_BYTES_MAX).contains(&name.len()) {
            return None;
        }
        let mut bits: Vec<bool> = Vec::new();
        let bit_of = |line: &[u8], nr: usize| {
            let rest = line.strip_prefix(name)?.strip_prefix(format!(" {nr} ").as_bytes())?;
            [&b"FILTER\n"[..], b"ALLOW\n"].iter().position(|verdict| *verdict == rest)
        };
        while let Some(bit) = lines.peek().and_then(|line| bit_of(line, bits.len())) {
            bits.push(bit == 1);
            lines.next();
        }
        let count = u32::try_from(bits.len()).ok().filter(|count| (1..=RUN_LINES_MAX).contains(count))?;
        packed.extend(u32::try_from(name.len()).ok()?.to_le_bytes());
        packed.extend(name);
        packed.extend(count.to_le_bytes());
        let byte = |bits: &[bool]| (0..).zip(bits).fold(0_u8, |byte, (at, bit)| byte | u8::from(*bit) << at);
        packed.extend(bits.chunks(8).map(byte));
    }
    (packed.len() <= PACKED_BYTES_MAX).then_some(packed)
}

#[cfg(test)]
mod tests;
