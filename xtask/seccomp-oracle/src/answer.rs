// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the guest program answers to a file of chains.
//!
//! Little-endian records: `SLCR`, u32 id, u32 status, u32 detail, u32 length, then that many bytes of dump
//! (none where there is no dump); at the end `SLCE` and u32 number of records.
//!
//! | status | meaning | detail |
//! |---|---|---|
//! | 0 | attached and dumped, as text | 0 |
//! | 1 | the kernel refused a filter | filter << 16 \| errno |
//! | 2 | the file could not be opened or read | errno |
//! | 3 | the program itself failed | errno |
//! | 4 | attached and dumped, as bits ([`crate::dump`]) | 0 |

use std::fmt;

use crate::dump::{self, Dump};
use crate::errno;

/// What a record begins with.
pub const RECORD: [u8; 4] = *b"SLCR";

/// What the end begins with.
pub const END: [u8; 4] = *b"SLCE";

/// The status of a dump that is packed.
const PACKED: u32 = 4;

/// All that could be read of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The records before the end or before the damage.
    pub records: Vec<Record<'a>>,
    /// The damage, if there is any; without it the answer is complete.
    pub damage: Option<Damage>,
}

/// What happened to one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// The id of the chain.
    pub id: u32,
    /// What happened.
    pub status: Status,
    /// What was read from the file.
    pub dump: Dump<'a>,
}

/// What happened to a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It was attached and the file was read.
    Dumped,
    /// The kernel refused a filter.
    Refused {
        /// The filter, from 0, oldest first.
        filter: u16,
        /// The error.
        errno: u16,
    },
    /// The file could not be opened or read, with this error.
    Unreadable(u32),
    /// The guest program failed, with this error.
    ProgramError(u32),
}

/// Why an answer cannot be read further; every variant says where, in bytes from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The bytes end inside a record, or without the end record.
    Truncated(usize),
    /// Neither a record nor the end begins here.
    Magic(usize),
    /// A status that is not known.
    Status(usize, u32),
    /// A detail with status 0 or 4.
    Detail(usize, u32),
    /// Status 4, and what follows is no packed dump.
    Packing(usize),
    /// The end counts other records than there are: what it says, what there are.
    Count(u32, usize),
    /// Bytes after the end.
    Trailing(usize),
}

/// Reads an answer, whatever it is.
#[must_use]
pub fn decode(bytes: &[u8]) -> Answer<'_> {
    let mut records = Vec::new();
    let mut at = 0;
    let damage = loop {
        match next(bytes, at) {
            Ok(Item::Record(record, end)) => {
                records.push(record);
                at = end;
            }
            Ok(Item::End(count, end)) => break end_damage(bytes, count, records.len(), end),
            Err(damage) => break Some(damage),
        }
    };
    Answer { records, damage }
}

/// A record or the end, and where it ends.
enum Item<'a> {
    Record(Record<'a>, usize),
    End(u32, usize),
}

fn next(bytes: &[u8], at: usize) -> Result<Item<'_>, Damage> {
    let truncated = Damage::Truncated(at);
    let rest = bytes.get(at..).unwrap_or_default();
    let (magic, rest) = rest.split_first_chunk::<4>().ok_or(truncated)?;
    match *magic {
        RECORD => {
            let (id, rest) = number(rest).ok_or(truncated)?;
            let (status, rest) = number(rest).ok_or(truncated)?;
            let (detail, rest) = number(rest).ok_or(truncated)?;
            let (length, rest) = number(rest).ok_or(truncated)?;
            let is_packed = status == PACKED;
            let status = decode_status(at, status, detail)?;
            let bytes = rest.get(..length as usize).ok_or(truncated)?;
            let dump = if is_packed {
                Dump::unpack(bytes).map_err(|dump::BadPacking| Damage::Packing(at))?
            } else {
                Dump::Text(bytes)
            };
            Ok(Item::Record(Record { id, status, dump }, at + 20 + bytes.len()))
        }
        END => {
            let (count, _) = number(rest).ok_or(truncated)?;
            Ok(Item::End(count, at + 8))
        }
        _ => Err(Damage::Magic(at)),
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u32::from_le_bytes(*number), rest))
}

fn decode_status(at: usize, status: u32, detail: u32) -> Result<Status, Damage> {
    let [errno_low, errno_high, filter_low, filter_high] = detail.to_le_bytes();
    match status {
        0 | PACKED if detail == 0 => Ok(Status::Dumped),
        0 | PACKED => Err(Damage::Detail(at, detail)),
        1 => Ok(Status::Refused {
            filter: u16::from_le_bytes([filter_low, filter_high]),
            errno: u16::from_le_bytes([errno_low, errno_high]),
        }),
        2 => Ok(Status::Unreadable(detail)),
        3 => Ok(Status::ProgramError(detail)),
        other => Err(Damage::Status(at, other)),
    }
}

fn end_damage(bytes: &[u8], count: u32, seen: usize, end: usize) -> Option<Damage> {
    if usize::try_from(count) != Ok(seen) {
        Some(Damage::Count(count, seen))
    } else if end < bytes.len() {
        Some(Damage::Trailing(end))
    } else {
        None
    }
}

/// Writes an answer as the guest program does: for tests and for fakes of it. A text that can be packed is.
///
/// `None` where a dump or the number of records does not fit 32 bits.
#[must_use]
pub fn encode(records: &[Record<'_>]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for Record { id, status, dump } in records {
        let text = dump.text();
        let packed = if *status == Status::Dumped { dump::pack(&text) } else { None };
        let (status, detail) = match *status {
            Status::Dumped if packed.is_some() => (PACKED, 0),
            Status::Dumped => (0, 0),
            Status::Refused { filter, errno } => (1, u32::from(filter) << 16 | u32::from(errno)),
            Status::Unreadable(errno) => (2, errno),
            Status::ProgramError(errno) => (3, errno),
        };
        let payload = packed.as_deref().unwrap_or(&text);
        bytes.extend(RECORD);
        for number in [*id, status, detail, u32::try_from(payload.len()).ok()?] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(payload);
    }
    bytes.extend(END);
    bytes.extend(u32::try_from(records.len()).ok()?.to_le_bytes());
    Some(bytes)
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dumped => f.write_str("attached and dumped"),
            Self::Refused { filter, errno } => {
                write!(
                    f,
                    "the kernel refused filter {filter} with errno {}",
                    errno::describe((*errno).into())
                )
            }
            Self::Unreadable(errno) => {
                write!(f, "the file could not be opened or read, errno {}", errno::describe(*errno))
            }
            Self::ProgramError(errno) => {
                write!(f, "the guest program failed, errno {}", errno::describe(*errno))
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(at) => write!(f, "byte {at}: the answer ends before its end record"),
            Self::Magic(at) => write!(f, "byte {at}: neither a record nor the end"),
            Self::Status(at, status) => write!(f, "byte {at}: unknown status {status}"),
            Self::Detail(at, detail) => write!(f, "byte {at}: dumped, and yet a detail of {detail:#x}"),
            Self::Packing(at) => write!(f, "byte {at}: the dump is not packed as it must be"),
            Self::Count(said, seen) => write!(f, "the end record counts {said} records, there are {seen}"),
            Self::Trailing(at) => write!(f, "byte {at}: bytes after the end record"),
        }
    }
}

impl std::error::Error for Damage {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records() -> [Record<'static>; 4] {
        [
            Record { id: 0, status: Status::Dumped, dump: Dump::Text(b"x86_64 0 ALLOW") },
            Record { id: 1, status: Status::Refused { filter: 2, errno: 22 }, dump: Dump::EMPTY },
            Record { id: 9, status: Status::Unreadable(13), dump: Dump::EMPTY },
            Record { id: 10, status: Status::ProgramError(11), dump: Dump::Text(b"SLCE") },
        ]
    }

    #[test]
    fn bytes_are_as_documented() {
        #[rustfmt::skip]
        let bytes = [
            b'S', b'L', b'C', b'R', 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, b'h', b'i',
            b'S', b'L', b'C', b'R', 4, 0, 0, 0, 1, 0, 0, 0, 12, 0, 7, 0, 0, 0, 0, 0,
            b'S', b'L', b'C', b'E', 2, 0, 0, 0,
        ];
        let wanted = vec![
            Record { id: 3, status: Status::Dumped, dump: Dump::Text(b"hi") },
            Record { id: 4, status: Status::Refused { filter: 7, errno: 12 }, dump: Dump::EMPTY },
        ];
        assert_eq!(encode(&wanted).unwrap(), bytes);
        assert_eq!(decode(&bytes), Answer { records: wanted, damage: None });
    }

    #[test]
    fn every_shorter_answer_keeps_what_came_before() {
        let bytes = encode(&records()).unwrap();
        for len in 0..bytes.len() {
            let answer = decode(&bytes[..len]);
            assert!(matches!(answer.damage, Some(Damage::Truncated(_))), "{len} bytes: {answer:?}");
            assert_eq!(answer.records, records()[..answer.records.len()]);
        }
        assert_eq!(decode(&bytes[..bytes.len() - 1]).records, records());
    }

    #[test]
    fn damage_is_named() {
        let damage = |bytes: &[u8]| decode(bytes).damage;
        let end = b"SLCE\0\0\0\0";
        assert_eq!(damage(end), None);
        assert_eq!(damage(b"SLCE\x01\0\0\0"), Some(Damage::Count(1, 0)));
        assert_eq!(damage(&[end, &b"x"[..]].concat()), Some(Damage::Trailing(8)));
        assert_eq!(damage(b"\0LCE\0\0\0\0"), Some(Damage::Magic(0)));
        let record = |status: u8, detail: u8, length: u8| {
            [b"SLCR", &[1, 0, 0, 0, status, 0, 0, 0, detail, 0, 0, 0, length, 0, 0, 0][..], end].concat()
        };
        assert_eq!(damage(&record(5, 0, 0)), Some(Damage::Status(0, 5)));
        assert_eq!(damage(&record(4, 0, 0)), Some(Damage::Packing(0)));
        assert_eq!(damage(&record(4, 0, 8)), Some(Damage::Packing(0)));
        assert_eq!(damage(&record(4, 0, 9)), Some(Damage::Truncated(0)));
        assert_eq!(damage(&record(4, 5, 0)), Some(Damage::Detail(0, 5)));
        assert_eq!(damage(&record(0, 5, 0)), Some(Damage::Detail(0, 5)));
        assert_eq!(damage(&record(0, 0, 0)), Some(Damage::Count(0, 1)));
        assert_eq!(damage(&record(0, 0, 9)), Some(Damage::Truncated(0)));
        // A length that is too short: the dump's rest is taken for a record.
        assert_eq!(damage(&record(0, 0, 4)), Some(Damage::Magic(24)));
    }

    #[test]
    fn a_text_that_can_be_packed_is() {
        let text = Dump::Text(b"ia32 0 ALLOW\nia32 1 FILTER\n");
        let bytes = encode(&[Record { id: 5, status: Status::Dumped, dump: text.clone() }]).unwrap();
        #[rustfmt::skip]
        let wanted = [
            b'S', b'L', b'C', b'R', 5, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0,
            4, 0, 0, 0, b'i', b'a', b'3', b'2', 2, 0, 0, 0, 1,
            b'S', b'L', b'C', b'E', 1, 0, 0, 0,
        ];
        assert_eq!(bytes, wanted);
        let answer = decode(&bytes);
        assert_eq!(answer.damage, None);
        assert_eq!(answer.records[0].status, Status::Dumped);
        assert_eq!(answer.records[0].dump.text(), text.text());
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(tail: Vec<u8>, cut in 0_usize..200) {
            let bytes = encode(&records()).unwrap();
            let bytes = [&bytes[..cut.min(bytes.len())], &tail].concat();
            let _ = decode(&bytes);
        }
    }
}
