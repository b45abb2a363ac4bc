// SPDX-License-Identifier: MIT OR Apache-2.0
//! The transcript of a guest: from frames to what each check and the kernel log said.

use crate::parse::kmsg::{Facility, KmsgReader, KmsgReport, Record, console_records};
use crate::parse::ktap::{KtapLimits, KtapParser, KtapReport, RepeatedNames};
use crate::parse::lines::clean;
use crate::parse::splat::{Finding, Findings, Scanner, Splats};
use crate::vm::frame::{CHECK_NONE, CHECK_PLANT, Frame, FrameError, FrameType};

/// Most that is kept of a check's output for a model on the host, in bytes.
const RAW_BYTES_MAX: usize = 16 << 20;

/// Most that is kept of the end of a check's text, in bytes.
const TAIL_BYTES_MAX: usize = 8 << 10;

/// Most end records of a check that are kept: more than one is an error already.
const DONES_MAX: usize = 4;

/// How the standard output of a check is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As KTAP.
    Ktap(RepeatedNames),
    /// Not at all: the exit code says it all.
    ExitCode,
    /// Kept for a model.
    Raw,
}

/// How a check ended in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exit(i32),
    /// By a signal.
    Signal(i32),
    /// Init killed it at its deadline.
    Deadline,
    /// It could not be started: an errno.
    NotStarted(i32),
}

/// What init says when a check has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// How it ended.
    pub how: Ended,
    /// How long it took.
    pub ms: u64,
    /// Bytes that it wrote to standard output.
    pub stdout_bytes: u64,
    /// Processes that it left behind.
    pub leftover: u64,
}

/// What is known of one check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckTranscript {
    /// How often init said that it began.
    pub starts: u32,
    /// The end records; more than one is an error.
    pub dones: Vec<Done>,
    /// Its KTAP.
    pub ktap: Option<KtapReport>,
    /// Its output, for a model.
    pub raw: Vec<u8>,
    /// Bytes of standard output that came.
    pub stdout_bytes: u64,
    /// The end of both streams, as text.
    pub tail: String,
}

/// What init said of itself and its kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// The nonce that it was given.
    pub nonce: String,
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// Milliseconds from the kernel's start.
    pub ms: u64,
}

/// The end record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// The nonce.
    pub nonce: String,
    /// Checks that ended.
    pub checks: u64,
    /// Frames before this one.
    pub frames: u64,
}

/// All that a guest said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Its first word.
    pub hello: Option<Hello>,
    /// The checks, in the order of the job.
    pub checks: Vec<CheckTranscript>,
    /// What init said about planting a warning.
    pub plant: Option<String>,
    /// What init could not do.
    pub fatal: Option<String>,
    /// The end record, and how many frames had come before it.
    pub end: Option<(End, u64)>,
    /// What is wrong with the conversation itself.
    pub errors: Vec<String>,
    /// The kernel log as a whole.
    pub log: KmsgReport,
    /// What it says; tagged with the check.
    pub findings: Findings<u16>,
}

/// Collects frames as they come.
pub struct Collector<'a> {
    readings: Vec<Reading>,
    parsers: Vec<Option<KtapParser>>,
    transcript: Transcript,
    log: KmsgReader,
    /// The check of the record that the reader still holds.
    log_tag: Option<u16>,
    scanner: Scanner<'a, u16>,
    frames: u64,
}

impl<'a> Collector<'a> {
    /// A collector for a job with these checks.
    pub fn new(readings: Vec<Reading>, splats: &'a Splats) -> Self {
        let parsers = readings.iter().map(|reading| match reading {
            Reading::Ktap(repeated_names) => {
                let limits = KtapLimits { repeated_names: *repeated_names, ..KtapLimits::default() };
                Some(KtapParser::new(limits))
            }
            Reading::ExitCode | Reading::Raw => None,
        });
        let scanner = Scanner::new(splats);
        let empty = Scanner::new(splats).finish();
        Self {
            parsers: parsers.collect(),
            transcript: Transcript {
                hello: None,
                checks: vec![CheckTranscript::default(); readings.len()],
                plant: None,
                fatal: None,
                end: None,
                errors: Vec::new(),
                log: KmsgReader::new().finish(|_| {}),
                findings: empty,
            },
            readings,
            log: KmsgReader::new(),
            log_tag: None,
            scanner,
            frames: 0,
        }
    }

    /// Takes one frame.
    pub fn frame(&mut self, frame: &Frame) {
        if self.transcript.end.is_some() {
            self.error("a record came after the end record");
            return;
        }
        let before = self.frames;
        self.frames += 1;
        let text = || clean_text(&frame.payload);
        match frame.kind {
            FrameType::Hello => {
                if self.transcript.hello.replace(hello(&text())).is_some() {
                    self.error("the guest said hello twice: it has booted again");
                }
            }
            FrameType::Kmsg => {
                let scanner = &mut self.scanner;
                let mut tag = self.log_tag.replace(frame.check).unwrap_or(frame.check);
                self.log.push(&frame.payload, |record| {
                    scan(scanner, &record, tag);
                    tag = frame.check;
                });
            }
            FrameType::Plant => self.transcript.plant = Some(text().trim().to_owned()),
            FrameType::Fatal => self.transcript.fatal = Some(text().trim().to_owned()),
            FrameType::End => self.transcript.end = Some((end(&text()), before)),
            FrameType::Start | FrameType::Output | FrameType::Error | FrameType::Done => self.of_check(frame),
            FrameType::Job | FrameType::Input | FrameType::Evidence => {
                self.error("the guest sent a record of the lab's");
            }
        }
    }

    fn of_check(&mut self, frame: &Frame) {
        let at = usize::from(frame.check);
        let Some(check) = self.transcript.checks.get_mut(at) else {
            self.error("a record names a check that is not in the job");
            return;
        };
        match frame.kind {
            FrameType::Start => check.starts = check.starts.saturating_add(1),
            FrameType::Output => {
                check.stdout_bytes += frame.payload.len() as u64;
                match (self.readings.get(at), self.parsers.get_mut(at).and_then(Option::as_mut)) {
                    (_, Some(parser)) => parser.push(&frame.payload),
                    (Some(Reading::Raw), _) => keep_raw(&mut check.raw, &frame.payload),
                    _ => {}
                }
                if self.readings.get(at) != Some(&Reading::Raw) {
                    keep_tail(&mut check.tail, &frame.payload);
                }
            }
            FrameType::Error => keep_tail(&mut check.tail, &frame.payload),
            FrameType::Done => match done(&clean_text(&frame.payload)) {
                Some(done) if check.dones.len() < DONES_MAX => check.dones.push(done),
                Some(_) => {}
                None => self.error("an end record of a check that cannot be read"),
            },
            _ => {}
        }
    }

    /// All that was said; `error` is what was wrong with the stream of frames.
    pub fn finish(mut self, error: Option<&FrameError>) -> Transcript {
        if let Some(error) = error {
            self.error(&error.to_string());
        }
        let (scanner, tag) = (&mut self.scanner, self.log_tag.unwrap_or(CHECK_NONE));
        self.transcript.log = self.log.finish(|record| scan(scanner, &record, tag));
        self.transcript.findings = self.scanner.finish();
        for (check, parser) in self.transcript.checks.iter_mut().zip(self.parsers) {
            check.ktap = parser.map(KtapParser::finish);
        }
        self.transcript
    }

    fn error(&mut self, text: &str) {
        if self.transcript.errors.len() < 20 {
            self.transcript.errors.push(text.to_owned());
        }
    }
}

/// Only what the kernel itself wrote: a program can write to /dev/kmsg too.
fn scan(scanner: &mut Scanner<'_, u16>, record: &Record, tag: u16) {
    if record.facility == Facility::Kernel {
        scanner.line(&record.text, tag);
    }
}

/// What a log says that came over the port, as one piece.
#[cfg(test)]
pub fn scan_log(splats: &Splats, log: &[u8]) -> Vec<Finding<u16>> {
    let (mut scanner, mut reader) = (Scanner::new(splats), KmsgReader::new());
    reader.push(log, |record| scan(&mut scanner, &record, CHECK_NONE));
    reader.finish(|record| scan(&mut scanner, &record, CHECK_NONE));
    scanner.finish().findings
}

/// What a console capture says; for guests that could not send their log.
pub fn scan_console(splats: &Splats, console: &[u8]) -> Vec<Finding<u16>> {
    let mut scanner = Scanner::new(splats);
    for line in console.split(|byte| *byte == b'\n') {
        let records = console_records(line);
        for record in &records {
            scanner.line(&record.text, CHECK_NONE);
        }
        if records.is_empty() && is_drop_note(line) {
            scanner.line(&clean(line), CHECK_NONE);
        }
    }
    scanner.finish().findings
}

/// Whether a line of a console says that messages were dropped: it is the one of the kernel's that has no time.
fn is_drop_note(line: &[u8]) -> bool {
    line.starts_with(b"** ") && line.trim_ascii_end().ends_with(b"dropped **")
}

/// Whether a finding is the warning that the lab planted.
pub fn is_planted(finding: &Finding<u16>) -> bool {
    finding.family == "warning" && finding.title.contains("lkdtm")
}

/// Whether a tag stands for the time of the planted warning.
pub fn is_plant_tag(tag: u16) -> bool {
    tag == CHECK_PLANT
}

fn clean_text(payload: &[u8]) -> String {
    payload.split(|byte| *byte == b'\n').map(clean).collect::<Vec<_>>().join("\n")
}

fn keep_raw(raw: &mut Vec<u8>, bytes: &[u8]) {
    // One byte more than the cap says that it was cut: the model will not accept it.
    let room = (RAW_BYTES_MAX + 1).saturating_sub(raw.len());
    raw.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

fn keep_tail(tail: &mut String, bytes: &[u8]) {
    let bytes = &bytes[bytes.len().saturating_sub(TAIL_BYTES_MAX)..];
    tail.push_str(&clean_text(bytes));
    let mut cut = tail.len().saturating_sub(TAIL_BYTES_MAX);
    while !tail.is_char_boundary(cut) {
        cut += 1;
    }
    tail.drain(..cut);
}

/// The words behind the first word of each line.
fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().map(|line| line.split_once(' ').unwrap_or((line, "")))
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn hello(text: &str) -> Hello {
    let mut hello = Hello::default();
    for (name, value) in fields(text) {
        match name {
            "nonce" => value.clone_into(&mut hello.nonce),
            "release" => value.clone_into(&mut hello.release),
            "machine" => value.clone_into(&mut hello.machine),
            "ms" => hello.ms = number(value),
            _ => {}
        }
    }
    hello
}

fn end(text: &str) -> End {
    let mut end = End::default();
    for (name, value) in fields(text) {
        match name {
            "nonce" => value.clone_into(&mut end.nonce),
            "checks" => end.checks = number(value),
            "frames" => end.frames = number(value),
            _ => {}
        }
    }
    end
}

fn done(text: &str) -> Option<Done> {
    let (word, value) = fields(text).next()?;
    let how = match word {
        "exit" => Ended::Exit(value.parse().ok()?),
        "signal" => Ended::Signal(value.parse().ok()?),
        "deadline" => Ended::Deadline,
        "spawn-failed" => Ended::NotStarted(value.parse().ok()?),
        _ => return None,
    };
    let field = |wanted: &str| fields(text).find(|(name, _)| *name == wanted).map(|(_, value)| number(value));
    Some(Done {
        how,
        ms: field("ms")?,
        stdout_bytes: field("stdout")?,
        leftover: field("leftover").unwrap_or(0),
    })
}
