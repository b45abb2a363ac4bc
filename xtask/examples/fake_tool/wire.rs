// SPDX-License-Identifier: MIT OR Apache-2.0
//! The results port as the guest sees it, written after `guest/init/protocol.h` and not after the
//! lab's own reader.

use std::io::{Read, Write};

const MAGIC: &[u8; 4] = b"SLB1";
const PAYLOAD_BYTES_MAX: usize = 65_536;

const JOB: u8 = 0x01;
const INPUT: u8 = 0x02;
pub const HELLO: u8 = 0x10;
pub const START: u8 = 0x11;
pub const OUTPUT: u8 = 0x12;
pub const DONE: u8 = 0x14;
pub const KMSG: u8 = 0x15;
pub const PLANT: u8 = 0x17;
pub const END: u8 = 0x1f;

pub const CHECK_NONE: u16 = 0xffff;
pub const CHECK_PLANT: u16 = 0xfffe;

/// What the lab asked for.
pub struct Job {
    pub nonce: String,
    /// The program of each check.
    pub checks: Vec<String>,
    /// The input of each check.
    pub inputs: Vec<Vec<u8>>,
}

/// Frames to the lab.
#[derive(Default)]
pub struct Port {
    sequence: u32,
}

impl Port {
    /// How many frames were sent.
    pub fn frames(&self) -> u32 {
        self.sequence
    }

    /// Sends a payload in as many frames as it takes.
    pub fn send(&mut self, kind: u8, check: u16, payload: &[u8]) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        let pieces =
            if payload.is_empty() { vec![payload] } else { payload.chunks(PAYLOAD_BYTES_MAX).collect() };
        for piece in pieces {
            out.write_all(&self.frame(kind, check, piece))?;
        }
        out.flush()
    }

    /// One frame as bytes.
    pub fn frame(&mut self, kind: u8, check: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([kind, 0]);
        bytes.extend(check.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend((payload.len() as u32).to_le_bytes());
        let mut hash = crc32fast::Hasher::new();
        hash.update(&bytes);
        hash.update(payload);
        bytes.extend(hash.finalize().to_le_bytes());
        bytes.extend(payload);
        self.sequence += 1;
        bytes
    }
}

/// Reads the job, and the input of its checks to the end.
pub fn read_job(from: &mut impl Read) -> std::io::Result<Job> {
    let (kind, payload) = read_frame(from)?;
    let text = String::from_utf8_lossy(&payload).into_owned();
    if kind != JOB || !text.ends_with("end\ngo\n") && !text.ends_with("\ngo\n") {
        return Err(std::io::Error::other("the first frame is no job"));
    }
    let mut job = Job { nonce: String::new(), checks: Vec::new(), inputs: Vec::new() };
    let mut sizes: Vec<usize> = Vec::new();
    let mut wants_program = false;
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("nonce", nonce)) => nonce.clone_into(&mut job.nonce),
            Some(("check", rest)) => {
                sizes.push(rest.split(' ').nth(2).and_then(|bytes| bytes.parse().ok()).unwrap_or(0));
                wants_program = true;
            }
            Some(("arg", program)) if wants_program => {
                job.checks.push(program.to_owned());
                wants_program = false;
            }
            _ => {}
        }
    }
    for size in sizes {
        let mut input = Vec::new();
        while input.len() < size {
            let (kind, payload) = read_frame(from)?;
            if kind != INPUT || payload.len() > size - input.len() {
                return Err(std::io::Error::other("a frame that is no input of a check"));
            }
            input.extend(payload);
        }
        job.inputs.push(input);
    }
    Ok(job)
}

fn read_frame(from: &mut impl Read) -> std::io::Result<(u8, Vec<u8>)> {
    let mut header = [0_u8; 20];
    from.read_exact(&mut header)?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut payload = vec![0; word(12) as usize];
    from.read_exact(&mut payload)?;
    let mut hash = crc32fast::Hasher::new();
    hash.update(&header[..16]);
    hash.update(&payload);
    if !header.starts_with(MAGIC) || hash.finalize() != word(16) {
        return Err(std::io::Error::other("a damaged frame from the lab"));
    }
    Ok((header[4], payload))
}
