// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the guest program answers to a request for measurements.
//!
//! Little-endian: `SLMA`, u32 version, u32 bits of the program, u32 JIT (0 off, 1 on, 2 there is none); per measurement
//! `SLMR`, u32 id, u32 status, u32 detail, u32 first section, u32 sections, four u64 values; at the end `SLME`, u32
//! records. Sections are pieces of execution between marks, which a plugin of QEMU's numbers in the same order.

use super::VERSION;

/// All that could be read of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The bits of the program, as it says itself.
    pub bits: u32,
    /// Whether filters were translated.
    pub jit: u32,
    /// The records.
    pub records: Vec<Record>,
    /// Where and why it cannot be read further; without it the answer is complete.
    pub damage: Option<String>,
}

/// What came of one measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: u32,
    /// How it went.
    pub status: Status,
    /// The number of its first section.
    pub first_section: usize,
    /// How many it has.
    pub sections: usize,
    /// What was measured: see `guest/count.c`.
    pub values: [u64; 4],
}

/// How a measurement went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Well.
    Measured,
    /// The kernel refused this filter, counted from 0, with this error.
    Refused(u32, u32),
    /// The program failed with this error.
    ProgramError(u32),
    /// The measured task ended too early, with this wait status.
    Cut(u32),
}

impl Answer {
    /// How many sections the program has marked, if it came to its end.
    #[must_use]
    pub fn sections(&self) -> Option<usize> {
        let whole = self.damage.is_none().then_some(self.records.last())?;
        Some(whole.map_or(0, |last| last.first_section + last.sections))
    }
}

/// Reads an answer, whatever it is.
#[must_use]
pub fn decode(bytes: &[u8]) -> Answer {
    let mut answer = Answer::default();
    answer.damage = read(bytes, &mut answer).err();
    answer
}

fn read(bytes: &[u8], answer: &mut Answer) -> Result<(), String> {
    let mut at = 0;
    if take(bytes, &mut at)? != *b"SLMA" || number(bytes, &mut at)? != VERSION {
        return Err(format!("no answer of version {VERSION}"));
    }
    answer.bits = number(bytes, &mut at)?;
    answer.jit = number(bytes, &mut at)?;
    loop {
        match &take(bytes, &mut at)? {
            b"SLMR" => answer.records.push(record(bytes, &mut at)?),
            b"SLME" => break,
            _ => return Err(format!("byte {}: no record", at - 4)),
        }
    }
    let told = number(bytes, &mut at)?;
    if usize::try_from(told) != Ok(answer.records.len()) {
        return Err(format!("{told} records are told, and {} came", answer.records.len()));
    }
    if at != bytes.len() {
        return Err(format!("byte {at}: something follows the end record"));
    }
    Ok(())
}

fn record(bytes: &[u8], at: &mut usize) -> Result<Record, String> {
    let id = number(bytes, at)?;
    let (status, detail) = (number(bytes, at)?, number(bytes, at)?);
    let status = match status {
        0 => Status::Measured,
        1 => Status::Refused(detail >> 16, detail & 0xffff),
        2 => Status::ProgramError(detail),
        3 => Status::Cut(detail),
        other => return Err(format!("measurement {id}: unknown status {other}")),
    };
    let mut place = || number(bytes, at).map(|value| usize::try_from(value).unwrap_or(usize::MAX));
    let (first_section, sections) = (place()?, place()?);
    let mut values = [0; 4];
    for value in &mut values {
        *value = u64::from_le_bytes(take(bytes, at)?);
    }
    Ok(Record { id, status, first_section, sections, values })
}

fn number(bytes: &[u8], at: &mut usize) -> Result<u32, String> {
    take(bytes, at).map(u32::from_le_bytes)
}

fn take<const N: usize>(bytes: &[u8], at: &mut usize) -> Result<[u8; N], String> {
    let rest = bytes.get(*at..).unwrap_or_default();
    let taken = *rest.first_chunk().ok_or_else(|| format!("byte {at}: the answer ends too early"))?;
    *at += N;
    Ok(taken)
}
