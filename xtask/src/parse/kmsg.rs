// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of the kernel log, from `/dev/kmsg` and, if that never came, from the console.
//!
//! Source: Documentation/ABI/testing/dev-kmsg and kernel/printk/printk.c of the kernel. A log with
//! holes cannot prove that a kernel was quiet, so holes are counted here and never passed over.

use super::lines::{Line, LineEnd, LineSplitter, clean, shorten};

/// Bytes of a line; the kernel's own limit for a record (`CONSOLE_EXT_LOG_MAX`) is 8192.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Gaps listed one by one.
const GAPS_MAX: usize = 64;
/// `KEY=value` lines kept of a record; the kernel writes two.
const PAIRS_MAX: usize = 16;
/// Bytes kept of the first malformed line.
const MALFORMED_BYTES_MAX: usize = 256;

/// How grave the kernel calls a message (`include/linux/kern_levels.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 0: the system is unusable.
    Emergency,
    /// 1
    Alert,
    /// 2
    Critical,
    /// 3
    Error,
    /// 4
    Warning,
    /// 5
    Notice,
    /// 6
    Info,
    /// 7
    Debug,
}

impl Level {
    fn from_priority(priority: u32) -> Self {
        match priority & 7 {
            0 => Self::Emergency,
            1 => Self::Alert,
            2 => Self::Critical,
            3 => Self::Error,
            4 => Self::Warning,
            5 => Self::Notice,
            6 => Self::Info,
            _ => Self::Debug,
        }
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facility {
    /// 0: the kernel itself.
    Kernel,
    /// A program, through `/dev/kmsg`, under this syslog number. It can write any text.
    Program(u32),
    /// The console does not say.
    Unknown,
}

/// Whether a record is a line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragment {
    /// `-`: a line.
    Whole,
    /// `c` (or `+` of older kernels): a piece of a line.
    Piece,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// How grave; `None` if a console line does not say.
    pub level: Option<Level>,
    /// Who wrote it.
    pub facility: Facility,
    /// The number of the record, from 0 at boot; `None` for a console line.
    pub sequence: Option<u64>,
    /// Time since boot in microseconds.
    pub time_us: u64,
    /// The message; may have several lines. Escapes are undone, so it may hold control characters.
    pub text: String,
    /// Whether it is a line of its own.
    pub fragment: Fragment,
    /// `KEY=value` lines that belong to it (`SUBSYSTEM`, `DEVICE`).
    pub pairs: Vec<(String, String)>,
}

/// Records missing between two that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Sequence number of the record before the gap.
    pub after: u64,
    /// Sequence number of the record behind the gap.
    pub before: u64,
}

impl Gap {
    /// How many records are missing.
    #[must_use]
    pub fn missing(self) -> u64 {
        self.before.saturating_sub(self.after).saturating_sub(1)
    }
}

/// How the log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Behind a newline.
    Whole,
    /// In the middle of a line.
    CutShort,
}

/// What is known about the log as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsgReport {
    /// Records read.
    pub records: u64,
    /// The first sequence number; above 0 the earliest messages are lost. `None`: there is no record.
    pub first_sequence: Option<u64>,
    /// The first gaps.
    pub gaps: Vec<Gap>,
    /// Records missing in all gaps together.
    pub missing: u64,
    /// Records whose number is not above the one before: the log was sent twice, or the guest
    /// booted again.
    pub backwards: u64,
    /// Lines that are no record.
    pub malformed: u64,
    /// The first such line, shortened.
    pub malformed_first: Option<String>,
    /// How the log ended.
    pub ending: Ending,
}

impl KmsgReport {
    /// Whether the log is there from the first message on, without a hole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.first_sequence == Some(0)
            && self.missing == 0
            && self.backwards == 0
            && self.malformed == 0
            && self.ending == Ending::Whole
    }
}

/// Reads `/dev/kmsg` in pieces of any size.
#[derive(Debug)]
pub struct KmsgReader {
    lines: LineSplitter,
    state: State,
}

#[derive(Debug)]
struct State {
    /// Waits for its `KEY=value` lines.
    open: Option<Record>,
    last_sequence: Option<u64>,
    report: KmsgReport,
}

impl Default for KmsgReader {
    fn default() -> Self {
        Self::new()
    }
}

impl KmsgReader {
    /// A reader that has read nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lines: LineSplitter::new(LINE_BYTES_MAX),
            state: State {
                open: None,
                last_sequence: None,
                report: KmsgReport {
                    records: 0,
                    first_sequence: None,
                    gaps: Vec::new(),
                    missing: 0,
                    backwards: 0,
                    malformed: 0,
                    malformed_first: None,
                    ending: Ending::Whole,
                },
            },
        }
    }

    /// Takes the next bytes and hands over the records that they finish. A record is finished when
    /// the next one begins, since lines that belong to it may follow.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Record)) {
        let Self { lines, state } = self;
        lines.push(bytes, |line| state.line(line, &mut sink));
    }

    /// Ends the input: hands over the last record and says what is known about the whole.
    pub fn finish(self, mut sink: impl FnMut(Record)) -> KmsgReport {
        let Self { lines, mut state } = self;
        lines.finish(|line| state.line(line, &mut sink));
        if let Some(record) = state.open.take() {
            sink(record);
        }
        state.report
    }
}

impl State {
    fn line(&mut self, line: Line<'_>, sink: &mut impl FnMut(Record)) {
        if line.end == LineEnd::EndOfInput {
            self.report.ending = Ending::CutShort;
        }
        if let (Some(pair), Some(record)) = (line.bytes.strip_prefix(b" "), self.open.as_mut()) {
            let text = unescape(pair);
            if let (Some((key, value)), true) = (text.split_once('='), record.pairs.len() < PAIRS_MAX) {
                record.pairs.push((key.to_owned(), value.to_owned()));
            }
            return;
        }
        if let Some(record) = parse_record(line.bytes) {
            if let Some(sequence) = record.sequence {
                self.number(sequence);
            }
            if let Some(before) = self.open.replace(record) {
                sink(before);
            }
        } else {
            self.report.malformed += 1;
            self.report
                .malformed_first
                .get_or_insert_with(|| shorten(&clean(line.bytes), MALFORMED_BYTES_MAX).to_owned());
        }
    }

    fn number(&mut self, sequence: u64) {
        self.report.records += 1;
        self.report.first_sequence.get_or_insert(sequence);
        if let Some(after) = self.last_sequence {
            let gap = Gap { after, before: sequence };
            if sequence <= after {
                self.report.backwards += 1;
            } else if gap.missing() > 0 {
                self.report.missing = self.report.missing.saturating_add(gap.missing());
                if self.report.gaps.len() < GAPS_MAX {
                    self.report.gaps.push(gap);
                }
            }
        }
        self.last_sequence = Some(sequence);
    }
}

/// One line `priority,sequence,microseconds,flags[,…];text`.
fn parse_record(line: &[u8]) -> Option<Record> {
    let semicolon = memchr::memchr(b';', line)?;
    let header = std::str::from_utf8(&line[..semicolon]).ok()?;
    let mut fields = header.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let sequence: u64 = fields.next()?.parse().ok()?;
    let time_us: u64 = fields.next()?.parse().ok()?;
    let flags = fields.next()?;
    let fragment = if flags.contains(['c', '+']) { Fragment::Piece } else { Fragment::Whole };
    Some(Record {
        level: Some(Level::from_priority(priority)),
        facility: match priority >> 3 {
            0 => Facility::Kernel,
            number => Facility::Program(number),
        },
        sequence: Some(sequence),
        time_us,
        text: unescape(&line[semicolon + 1..]),
        fragment,
        pairs: Vec::new(),
    })
}

/// Undoes the `\xNN` of the kernel. Anything else behind a backslash stays as it is.
fn unescape(bytes: &[u8]) -> String {
    if memchr::memchr(b'\\', bytes).is_none() {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match rest {
            [b'\\', b'x', high, low, ..] => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            plain.push(high << 4 | low);
            rest = &rest[4..];
        } else {
            plain.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// Takes the time stamp from the beginning of a log line: `[   12.345678] text` or, with
/// `PRINTK_CALLER`, `[   12.345678][    T1] text`. Returns microseconds since boot and the text.
#[must_use]
pub fn split_stamp(line: &str) -> Option<(u64, &str)> {
    let inner = line.strip_prefix('[')?;
    let close = inner.as_bytes().iter().take(24).position(|byte| *byte == b']')?;
    let (seconds, fraction) = inner[..close].trim_start_matches(' ').split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.len() != 6 || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let time_us = seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?)?;
    let rest = strip_caller(&inner[close + 1..]);
    Some((time_us, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// The `[    T1]` or `[    C0]` of `PRINTK_CALLER`.
fn strip_caller(text: &str) -> &str {
    let caller = text.strip_prefix('[').and_then(|inner| inner.split_once(']'));
    let Some((caller, rest)) = caller else {
        return text;
    };
    let number = caller.trim_start_matches(' ').strip_prefix(['T', 'C']);
    match number {
        Some(number) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => text,
    }
}

/// Records of one console line, for a guest that died before it could send its log. A line that
/// has no time stamp gives none. Firmware output in front of the first stamp is dropped; a line in
/// which a newline was lost gives a record per stamp.
#[must_use]
pub fn console_records(line: &[u8]) -> Vec<Record> {
    let text = clean(line);
    let starts: Vec<usize> =
        text.match_indices('[').map(|(at, _)| at).filter(|at| split_stamp(&text[*at..]).is_some()).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(&start, end)| {
            let (time_us, message) = split_stamp(&text[start..end])?;
            let level = console_level(&text[..start]);
            Some(Record {
                level,
                facility: Facility::Unknown,
                sequence: None,
                time_us,
                text: message.trim_end().to_owned(),
                fragment: Fragment::Whole,
                pairs: Vec::new(),
            })
        })
        .collect()
}

/// The level of `<4>[    1.000000] text`, as some consoles show it.
fn console_level(before: &str) -> Option<Level> {
    let open = before.strip_suffix('>')?;
    let (_, number) = open.rsplit_once('<')?;
    number.parse().ok().map(Level::from_priority)
}

#[cfg(test)]
mod tests;
