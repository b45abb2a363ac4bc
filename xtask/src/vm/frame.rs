// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames of the results port: the wire format, both ways. `guest/init/protocol.h` is the other side.

use std::fmt;

/// `SLB1`, little endian.
const MAGIC: u32 = 0x3142_4c53;

/// Bytes of a header.
const HEADER_BYTES: usize = 20;

/// Most bytes of a payload.
pub const PAYLOAD_BYTES_MAX: usize = 65_536;

/// `check` of a frame that belongs to no check.
pub const CHECK_NONE: u16 = 0xffff;

/// `check` of the frames around the planted warning.
pub const CHECK_PLANT: u16 = 0xfffe;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// To the guest: nonce and checks.
    Job,
    /// To the guest: standard input of a check.
    Input,
    /// To the guest: its time is over, and the kernel shall say what its tasks do.
    Evidence,
    /// Init is there, and has the nonce.
    Hello,
    /// A check begins.
    Start,
    /// Bytes of its standard output.
    Output,
    /// Bytes of its error stream.
    Error,
    /// It has ended.
    Done,
    /// Records of the kernel log.
    Kmsg,
    /// The warning has been planted, or could not be.
    Plant,
    /// Init gives up.
    Fatal,
    /// All has been said.
    End,
}

impl FrameType {
    const CODES: [(FrameType, u8); 12] = [
        (FrameType::Job, 0x01),
        (FrameType::Input, 0x02),
        (FrameType::Evidence, 0x03),
        (FrameType::Hello, 0x10),
        (FrameType::Start, 0x11),
        (FrameType::Output, 0x12),
        (FrameType::Error, 0x13),
        (FrameType::Done, 0x14),
        (FrameType::Kmsg, 0x15),
        (FrameType::Plant, 0x17),
        (FrameType::Fatal, 0x18),
        (FrameType::End, 0x1f),
    ];

    fn code(self) -> u8 {
        Self::CODES.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, code)| *code)
    }

    fn of_code(code: u8) -> Option<Self> {
        Self::CODES.iter().find(|(_, other)| *other == code).map(|(kind, _)| *kind)
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it says.
    pub kind: FrameType,
    /// The check it belongs to: an index into the job, [`CHECK_NONE`] or [`CHECK_PLANT`].
    pub check: u16,
    /// Its number, from 0.
    pub sequence: u32,
    /// The payload.
    pub payload: Vec<u8>,
}

/// What makes a stream of frames untrustworthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// The bytes at this offset are no frame.
    NoFrame { offset: u64 },
    /// A frame that is too long.
    TooLong { offset: u64, length: u32 },
    /// A frame whose checksum does not fit.
    BadChecksum { offset: u64 },
    /// A frame of an unknown type.
    UnknownType { offset: u64, code: u8 },
    /// A frame is missing or doubled.
    OutOfSequence { wanted: u32, got: u32 },
    /// The stream ended within a frame.
    CutShort { bytes: usize },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFrame { offset } => write!(f, "byte {offset} of the results port begins no frame"),
            Self::TooLong { offset, length } => write!(f, "the frame at byte {offset} claims {length} bytes"),
            Self::BadChecksum { offset } => write!(f, "the frame at byte {offset} does not fit its checksum"),
            Self::UnknownType { offset, code } => {
                write!(f, "the frame at byte {offset} has the unknown type {code:#04x}")
            }
            Self::OutOfSequence { wanted, got } => write!(f, "frame {got} came where frame {wanted} was due"),
            Self::CutShort { bytes } => write!(f, "the results port ended {bytes} bytes into a frame"),
        }
    }
}

/// Puts frames together from pieces of any size. After the first error nothing more is read:
/// what follows could be anything.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    offset: u64,
    next: u32,
    error: Option<FrameError>,
}

impl FrameReader {
    /// A reader at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes and hands out the frames that are complete.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Frame)) {
        if self.error.is_some() {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            match read_frame(&self.buffer[at..], self.offset + at as u64) {
                Ok(Some((frame, length))) => {
                    at += length;
                    if frame.sequence != self.next {
                        self.fail(FrameError::OutOfSequence { wanted: self.next, got: frame.sequence });
                        return;
                    }
                    self.next += 1;
                    sink(frame);
                }
                Ok(None) => break,
                Err(error) => {
                    self.fail(error);
                    return;
                }
            }
        }
        self.buffer.drain(..at);
        self.offset += at as u64;
    }

    /// What was wrong with the stream, now that it has ended.
    pub fn finish(self) -> Option<FrameError> {
        let rest = self.buffer.len();
        self.error.or_else(|| (rest > 0).then_some(FrameError::CutShort { bytes: rest }))
    }

    fn fail(&mut self, error: FrameError) {
        self.error = Some(error);
        self.buffer = Vec::new();
    }
}

/// The frame at the beginning of `bytes`, and how long it is; `None` while it is not whole.
fn read_frame(bytes: &[u8], offset: u64) -> Result<Option<(Frame, usize)>, FrameError> {
    let known = bytes.len().min(4);
    if bytes[..known] != MAGIC.to_le_bytes()[..known] {
        return Err(FrameError::NoFrame { offset });
    }
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = word(12);
    let size = length as usize;
    if size > PAYLOAD_BYTES_MAX {
        return Err(FrameError::TooLong { offset, length });
    }
    let Some(payload) = bytes.get(HEADER_BYTES..HEADER_BYTES + size) else {
        return Ok(None);
    };
    if checksum(&header[..16], payload) != word(16) {
        return Err(FrameError::BadChecksum { offset });
    }
    let kind = FrameType::of_code(header[4]).ok_or(FrameError::UnknownType { offset, code: header[4] })?;
    let check = u16::from_le_bytes([header[6], header[7]]);
    Ok(Some((Frame { kind, check, sequence: word(8), payload: payload.to_vec() }, HEADER_BYTES + size)))
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}

/// Writes frames of one direction.
#[derive(Debug, Default)]
pub struct FrameWriter {
    next: u32,
}

impl FrameWriter {
    /// A writer at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one frame for each [`PAYLOAD_BYTES_MAX`] of the payload, at least one.
    pub fn write(&mut self, out: &mut Vec<u8>, kind: FrameType, check: u16, payload: &[u8]) {
        let mut pieces = payload.chunks(PAYLOAD_BYTES_MAX);
        let first = pieces.next().unwrap_or(&[]);
        for piece in std::iter::once(first).chain(pieces) {
            let mut header = [0_u8; 16];
            header[..4].copy_from_slice(&MAGIC.to_le_bytes());
            header[4] = kind.code();
            header[6..8].copy_from_slice(&check.to_le_bytes());
            header[8..12].copy_from_slice(&self.next.to_le_bytes());
            header[12..].copy_from_slice(&u32::try_from(piece.len()).unwrap_or(0).to_le_bytes());
            out.extend_from_slice(&header);
            out.extend_from_slice(&checksum(&header, piece).to_le_bytes());
            out.extend_from_slice(piece);
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream() -> Vec<u8> {
        let (mut writer, mut bytes) = (FrameWriter::new(), Vec::new());
        writer.write(&mut bytes, FrameType::Hello, CHECK_NONE, b"nonce x\n");
        writer.write(&mut bytes, FrameType::Output, 0, &vec![7; PAYLOAD_BYTES_MAX + 1]);
        writer.write(&mut bytes, FrameType::End, CHECK_NONE, b"");
        bytes
    }

    fn read(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<FrameError>) {
        let (mut reader, mut frames) = (FrameReader::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            reader.push(piece, |frame| frames.push(frame));
        }
        (frames, reader.finish())
    }

    #[test]
    fn a_stream_is_read_in_pieces_of_any_size() {
        let (whole, error) = read(&stream(), usize::MAX);
        assert_eq!(error, None);
        let kinds: Vec<FrameType> = whole.iter().map(|frame| frame.kind).collect();
        assert_eq!(kinds, [FrameType::Hello, FrameType::Output, FrameType::Output, FrameType::End]);
        assert_eq!(read(&stream(), 7).0, whole);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let (mut writer, mut bytes) = (FrameWriter::new(), Vec::new());
        writer.write(&mut bytes, FrameType::Hello, CHECK_NONE, b"nonce x\n");
        writer.write(&mut bytes, FrameType::End, CHECK_NONE, b"nonce x\n");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let (frames, error) = read(&damaged, usize::MAX);
            assert!(error.is_some() && frames.len() < 2, "bit {bit}");
        }
        for cut in 1..bytes.len() {
            assert!(read(&bytes[..cut], usize::MAX).0.len() < 2, "cut at {cut}");
        }
    }

    #[test]
    fn a_missing_or_doubled_frame_is_seen() {
        let (mut writer, mut frames) = (FrameWriter::new(), [Vec::new(), Vec::new(), Vec::new()]);
        for bytes in &mut frames {
            writer.write(bytes, FrameType::Output, 0, b"x");
        }
        let [a, b, c] = frames;
        for stream in [[a.clone(), c.clone()].concat(), [a.clone(), a, b, c].concat()] {
            assert!(matches!(read(&stream, 5).1, Some(FrameError::OutOfSequence { .. })));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), piece in 1_usize..100) {
            let _ = read(&bytes, piece);
            let mut tail = stream();
            tail.extend_from_slice(&bytes);
            prop_assert_eq!(read(&tail, piece * 1000).0.len() >= 4, true);
        }
    }
}
