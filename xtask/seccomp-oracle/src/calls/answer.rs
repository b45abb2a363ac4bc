// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the guest program answers to a request for calls.
//!
//! Little-endian: `SLBA`, u32 version, u32 bits of the program; twice, for the JIT off and on, `SLBJ`, u32 JIT, u32
//! errno of setting it; behind an errno of 0 a record for each case: `SLBR`, u32 id, u32 status (0 made, 1 the kernel
//! refused a filter, 2 the program failed), u32 detail (filter << 16 | errno, or errno), u32 calls, per call 40 bytes
//! as [`Outcome`] says; at the end `SLBE`, u32 records.

use super::VERSION;

/// All that could be read of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The bits of the program, as it says itself.
    pub bits: Option<u32>,
    /// The settings of the JIT that were tried.
    pub passes: Vec<Pass>,
    /// Where and why it cannot be read further; without it the answer is complete.
    pub damage: Option<String>,
}

/// All cases under one setting of the JIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The setting.
    pub jit: u32,
    /// The error of setting it: not 0, and nothing was run.
    pub errno: u32,
    /// The records.
    pub records: Vec<Record>,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id of the case.
    pub id: u32,
    /// What came of it.
    pub status: Status,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Its calls were made.
    Made(Vec<Outcome>),
    /// The kernel refused this filter with this error.
    Refused(u32, u32),
    /// The program failed with this error.
    ProgramError(u32),
}

/// What came of one call: in the answer u32 kind, u32 signal, i64 value, then the six words of [`Words`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What happened.
    pub seen: Seen,
    /// The task that made the call.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
}

/// What happened to a task that made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The call returned.
    Returned(i64),
    /// The task was killed by this signal.
    Killed(u32),
    /// The task got a SIGSYS.
    Trapped(Trap),
    /// The task got this other signal.
    Signal(u32),
    /// The task exited with this code.
    Exited(i64),
    /// Nothing, until the program lost its patience.
    Hung,
}

/// What a SIGSYS says: `si_call_addr`, `si_syscall`, `si_arch`, `si_errno` and `si_code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trap {
    /// The instruction pointer.
    pub address: u64,
    /// The number of the call.
    pub nr: i32,
    /// An `AUDIT_ARCH_*` value.
    pub arch: u32,
    /// The data of the filter's answer.
    pub errno: u32,
    /// `SYS_SECCOMP`, which is 1.
    pub code: u32,
}

/// The last words of an outcome: the task, its parent, and what a SIGSYS says: number, architecture, errno, code.
type Words = [u32; 6];

/// SIGSYS on x86.
pub const SIGSYS: u32 = 31;

/// Reads an answer, whatever it is.
#[must_use]
pub fn decode(bytes: &[u8]) -> Answer {
    let mut answer = Answer::default();
    let mut reader = Reader { bytes, at: 0 };
    answer.damage = read(&mut reader, &mut answer).err();
    answer
}

fn read(reader: &mut Reader<'_>, answer: &mut Answer) -> Result<(), String> {
    match (reader.magic()?, reader.number()?) {
        (magic, VERSION) if magic == *b"SLBA" => answer.bits = Some(reader.number()?),
        _ => return Err(format!("byte 0: no answer of version {VERSION}")),
    }
    let mut records = 0_u32;
    loop {
        let at = reader.at;
        match &reader.magic()? {
            b"SLBJ" => {
                let (jit, errno) = (reader.number()?, reader.number()?);
                answer.passes.push(Pass { jit, errno, records: Vec::new() });
            }
            b"SLBR" => {
                let record = read_record(reader)?;
                let pass = answer.passes.last_mut();
                pass.ok_or_else(|| format!("byte {at}: a record before any pass"))?.records.push(record);
                records += 1;
            }
            b"SLBE" => {
                let said = reader.number()?;
                if said != records {
                    return Err(format!("the end record counts {said} records, there are {records}"));
                }
                break;
            }
            _ => return Err(format!("byte {at}: neither a pass nor a record nor the end")),
        }
    }
    if reader.at < reader.bytes.len() {
        return Err(format!("byte {}: bytes after the end record", reader.at));
    }
    Ok(())
}

fn read_record(reader: &mut Reader<'_>) -> Result<Record, String> {
    let at = reader.at;
    let (id, status) = (reader.number()?, reader.number()?);
    let (detail, calls) = (reader.number()?, reader.number()?);
    let status = match (status, calls) {
        (0, _) => {
            let outcomes = (0..calls).map(|_| read_outcome(reader));
            Status::Made(outcomes.collect::<Result<_, _>>()?)
        }
        (1, 0) => Status::Refused(detail >> 16, detail & 0xffff),
        (2, 0) => Status::ProgramError(detail),
        _ => return Err(format!("byte {at}: status {status} with {calls} calls")),
    };
    Ok(Record { id, status })
}

fn read_outcome(reader: &mut Reader<'_>) -> Result<Outcome, String> {
    let at = reader.at;
    let (kind, signal) = (reader.number()?, reader.number()?);
    let value = i64::from_le_bytes(reader.take()?);
    let mut words: Words = [0; 6];
    for word in &mut words {
        *word = reader.number()?;
    }
    let [pid, parent, nr, arch, errno, code] = words;
    let seen = match kind {
        0 => Seen::Returned(value),
        1 => Seen::Killed(signal),
        2 if signal == SIGSYS => {
            let (address, nr) = (value.cast_unsigned(), nr.cast_signed());
            Seen::Trapped(Trap { address, nr, arch, errno, code })
        }
        2 => Seen::Signal(signal),
        3 => Seen::Exited(value),
        4 => Seen::Hung,
        _ => return Err(format!("byte {at}: unknown outcome {kind}")),
    };
    Ok(Outcome { seen, pid, parent })
}

/// Takes bytes from the front. Every loop around it takes some each time, so a large count cannot run away.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let ended = || format!("byte {}: the answer ends before its end record", self.at);
        let taken = *rest.first_chunk().ok_or_else(ended)?;
        self.at += N;
        Ok(taken)
    }

    fn magic(&mut self) -> Result<[u8; 4], String> {
        self.take()
    }

    fn number(&mut self) -> Result<u32, String> {
        self.take().map(u32::from_le_bytes)
    }
}
