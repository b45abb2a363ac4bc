// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a guest, a kernel or a compiler could write to wear the lab out: no reader may take more than its share of
//! memory, nor much more than twice the time for twice the input.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::parse::kmsg::{KmsgReader, console_records};
use crate::parse::ktap::{KtapLimits, KtapParser, RepeatedNames};
use crate::parse::make::BuildLog;
use crate::parse::splat::{Scanner, Splats};
use crate::parse::transcript::{Collector, Reading, Transcript, scan_console};
use crate::vm::frame::{CHECK_NONE, CHECK_PLANT, Frame, FrameReader, FrameType, FrameWriter};

static SPLATS: LazyLock<Splats> =
    LazyLock::new(|| Splats::parse(include_str!("../../../configs/splats.toml")).unwrap());

/// Bytes of the small input; the large one is so many times as long.
const SMALL_BYTES: usize = 48 << 10;
const TIMES: usize = 8;

/// More than this ratio is no longer a matter of a busy machine: squared it would be 64.
const RATIO_MAX: u32 = 30;

/// Lines that each reader takes for the beginning of something.
const LINES: [&str; 20] = [
    "TAP version 13\n",
    "KTAP version 1\n",
    "1..4294967295\n",
    "ok 1 x\n",
    "not ok 4294967295 - x # SKIP y\n",
    "    # Subtest: s\n",
    "# # # # # # # # # # # # # # # # # # not ok 1 x\n",
    "#  RUN           global.x ...\n",
    "Bail out! x\n",
    "6,1,1,-;text\\x0atext\n KEY=value\n",
    "4,18446744073709551615,9,c;piece\n",
    "------------[ cut here ]------------\n",
    "WARNING: CPU: 0 PID: 1 at a/b.c:80 f+0x15/0x20\n",
    "Call Trace:\n",
    " f+0x1/0x2\n",
    "[    1.000000] BUG: x[    1.000000] BUG: y\n",
    "---[ end trace 0123456789abcdef ]---\n",
    "  CC      kernel/x.o\n",
    "kernel/x.c:1:1: warning: unused 'x' [-Wunused]\n",
    "{standard input}: Error: ((((((((((((((((((((((((((((((((\n",
];

/// Long lines that tempt a pattern to look again and again.
const LONG: [&str; 6] = [" ", "# ", "[    1.000000] ", "at a/b.c:1 ", "\u{1b}]", "\\x41"];

fn ktap(bytes: &[u8]) -> usize {
    let limits = KtapLimits { repeated_names: RepeatedNames::Error, ..KtapLimits::default() };
    let mut parser = KtapParser::new(limits);
    bytes.chunks(4096).for_each(|piece| parser.push(piece));
    format!("{:?}", parser.finish()).len()
}

fn kmsg(bytes: &[u8]) -> usize {
    let mut reader = KmsgReader::new();
    let mut largest = 0;
    bytes
        .chunks(4096)
        .for_each(|piece| reader.push(piece, |record| largest = largest.max(record.text.len())));
    format!("{:?}", reader.finish(|_| {})).len() + largest
}

fn console(bytes: &[u8]) -> usize {
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| console_records(line).len());
    let count: usize = lines.sum();
    count.min(1) + format!("{:?}", scan_console(&SPLATS, bytes)).len()
}

fn splat(bytes: &[u8]) -> usize {
    let mut scanner = Scanner::new(&SPLATS);
    String::from_utf8_lossy(bytes).lines().for_each(|line| scanner.line(line, ()));
    format!("{:?}", scanner.finish()).len()
}

fn make(bytes: &[u8]) -> usize {
    let mut log = BuildLog::new().unwrap();
    bytes.chunks(4096).for_each(|piece| log.push(piece));
    format!("{:?}", log.finish()).len()
}

/// A reader, and the most that it may keep of any input, in bytes of its debug form.
type Reader = (&'static str, fn(&[u8]) -> usize, usize);

const READERS: [Reader; 5] = [
    ("ktap", ktap, 32 << 20),
    ("kmsg", kmsg, 256 << 10),
    ("console", console, 32 << 20),
    ("splat", splat, 32 << 20),
    ("make", make, 32 << 20),
];

fn shapes() -> Vec<(String, Vec<u8>)> {
    let (mut shapes, long) = (Vec::new(), SMALL_BYTES * TIMES);
    for line in LINES {
        shapes.push((line.to_owned(), line.as_bytes().iter().copied().cycle().take(long).collect()));
    }
    for word in LONG {
        shapes.push((
            format!("one line of {word:?}"),
            word.as_bytes().iter().copied().cycle().take(long).collect(),
        ));
    }
    let deeper = (0..).flat_map(|depth| format!("{}ok 1 x\n", " ".repeat(depth % 3000)).into_bytes());
    shapes.push(("deeper and deeper".into(), deeper.take(long).collect()));
    let named = (0..).flat_map(|n| {
        format!("ok {n} name{n}\nWARNING: CPU: 0 PID: {n} at k{n}.c:1 f{n}+0x1/0x2\n").into_bytes()
    });
    shapes.push(("names without end".into(), named.take(long).collect()));
    shapes
}

fn shortest(read: fn(&[u8]) -> usize, bytes: &[u8]) -> Duration {
    let times = (0..3).map(|_| {
        let begun = Instant::now();
        std::hint::black_box(read(bytes));
        begun.elapsed()
    });
    times.min().unwrap_or_default()
}

#[test]
fn eight_times_the_input_takes_about_eight_times_as_long() {
    for (shape, bytes) in shapes() {
        for (name, read, _) in READERS {
            let (small, large) = (shortest(read, &bytes[..SMALL_BYTES]), shortest(read, &bytes));
            // What is over at once has no ratio.
            let bound = small.max(Duration::from_millis(4)) * RATIO_MAX;
            assert!(large < bound, "{name} on {shape}: {small:?}, then {large:?}");
        }
    }
}

#[test]
fn what_is_kept_of_an_input_has_a_bound() {
    for (shape, bytes) in shapes() {
        for (name, read, kept_max) in READERS {
            let kept = read(&bytes);
            assert!(kept < kept_max, "{name} keeps {kept} bytes of {shape}");
        }
    }
}

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

const READINGS: [Reading; 3] = [Reading::Ktap(RepeatedNames::Error), Reading::ExitCode, Reading::Raw];

fn collect(frames: impl IntoIterator<Item = Frame>) -> Transcript {
    let mut collector = Collector::new(READINGS.to_vec(), &SPLATS);
    frames.into_iter().for_each(|frame| collector.frame(&frame));
    collector.finish(None)
}

#[test]
fn a_million_records_of_any_kind_leave_a_small_transcript() {
    let payload = b"exit 0\nms 1\nstdout 0\nnonce x\nok 1 x\n6,1,1,-;x\n".to_vec();
    for kind in KINDS.into_iter().filter(|kind| *kind != FrameType::End) {
        let frame = |sequence| Frame { kind, check: 0, sequence, payload: payload.clone() };
        let transcript = collect((0..50_000).map(frame));
        let kept = format!("{transcript:?}").len();
        // Lines of output are results, of which there may be many.
        let kept_max = if kind == FrameType::Output { 12 << 20 } else { 256 << 10 };
        assert!(kept < kept_max, "{kind:?}: {kept} bytes");
    }
}

fn frames() -> impl Strategy<Value = Vec<(FrameType, u16, Vec<u8>)>> {
    let check = prop_oneof![0_u16..4, Just(CHECK_NONE), Just(CHECK_PLANT), any::<u16>()];
    let text = prop_oneof![
        proptest::collection::vec(proptest::sample::select(&LINES[..]), 0..4)
            .prop_map(|lines| lines.concat().into_bytes()),
        "(exit|signal|deadline|spawn-failed|nonce|ms|stdout|checks|frames) ?-?[0-9]{0,22}\n?"
            .prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..60),
    ];
    proptest::collection::vec((proptest::sample::select(&KINDS[..]), check, text), 0..40)
}

proptest! {
    /// Through the wire format, in pieces of any size: the same transcript.
    #[test]
    fn any_records_make_a_transcript(said in frames(), piece in 1_usize..200) {
        let mut writer = FrameWriter::new();
        let mut bytes = Vec::new();
        said.iter().for_each(|(kind, check, payload)| writer.write(&mut bytes, *kind, *check, payload));
        let read = |size: usize| {
            let (mut reader, mut all) = (FrameReader::new(), Vec::new());
            bytes.chunks(size).for_each(|piece| reader.push(piece, |frame| all.push(frame)));
            prop_assert_eq!(reader.finish(), None);
            Ok(collect(all))
        };
        prop_assert_eq!(read(piece)?, read(usize::MAX)?);
    }

    /// A byte that is flipped, or a stream that is cut, is an error of the stream, unless it is cut between records.
    #[test]
    fn a_flipped_byte_or_a_cut_is_noticed(said in frames(), at in any::<proptest::sample::Index>(), flip in 1_u8..=255) {
        let mut writer = FrameWriter::new();
        let (mut bytes, mut ends) = (Vec::new(), vec![0]);
        for (kind, check, payload) in &said {
            writer.write(&mut bytes, *kind, *check, payload);
            ends.push(bytes.len());
        }
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        let fault = |bytes: &[u8]| {
            let mut reader = FrameReader::new();
            reader.push(bytes, |_| {});
            reader.finish()
        };
        prop_assert_eq!(fault(&bytes[..at]).is_some(), !ends.contains(&at));
        let mut flipped = bytes;
        flipped[at] ^= flip;
        prop_assert!(fault(&flipped).is_some());
    }

    #[test]
    fn any_build_log_is_read(lines in proptest::collection::vec(proptest::sample::select(&LINES[..]), 0..30), bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let text = [lines.concat().into_bytes(), bytes].concat();
        for (_, read, kept_max) in READERS {
            prop_assert!(read(&text) < kept_max);
        }
    }
}
