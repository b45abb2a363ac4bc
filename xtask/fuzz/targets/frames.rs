// SPDX-License-Identifier: MIT OR Apache-2.0
//! The results port: bytes to frames, frames to a transcript. Also with frames that are whole, made of the input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask_fuzz::parse::ktap::RepeatedNames;
use xtask_fuzz::parse::transcript::{Collector, Reading};
use xtask_fuzz::pieces;
use xtask_fuzz::vm::frame::{FrameReader, FrameType, FrameWriter};

const KINDS: [FrameType; 11] = [
    FrameType::Job,
    FrameType::Input,
    FrameType::Hello,
    FrameType::Start,
    FrameType::Output,
    FrameType::Error,
    FrameType::Done,
    FrameType::Kmsg,
    FrameType::Plant,
    FrameType::Fatal,
    FrameType::End,
];

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) {
    let readings = vec![Reading::Ktap(RepeatedNames::Error), Reading::ExitCode, Reading::Raw];
    let mut collector = Collector::new(readings, xtask_fuzz::splats());
    let mut reader = FrameReader::new();
    pieces.for_each(|piece| reader.push(piece, |frame| collector.frame(&frame)));
    let _ = collector.finish(reader.finish().as_ref());
}

fuzz_target!(|data: &[u8]| {
    let (chunks, rest) = pieces(data);
    read(chunks);
    // A line each: kind, check, payload.
    let (mut writer, mut bytes) = (FrameWriter::new(), Vec::new());
    for line in rest.split(|byte| *byte == b'\n') {
        if let [kind, check, payload @ ..] = line {
            let kind = KINDS[usize::from(*kind) % KINDS.len()];
            let payload: Vec<u8> = payload.iter().map(|byte| if *byte == b'|' { b'\n' } else { *byte }).collect();
            writer.write(&mut bytes, kind, u16::from(*check), &payload);
        }
    }
    read(bytes.chunks(1 + rest.len() % 97));
});
