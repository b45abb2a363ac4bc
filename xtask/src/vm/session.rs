// SPDX-License-Identifier: MIT OR Apache-2.0
//! The conversation with one guest: the job goes in, frames come out, and every wait ends.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::lab::guest_fault::KillAt;
use crate::sys::process::{Exit, Process, command};
use crate::vm::frame::{CHECK_NONE, Frame, FrameError, FrameReader, FrameType, FrameWriter};
use crate::vm::machine::Boot;
use crate::vm::monitor::Monitor;
use crate::vm::overdue::Deadline;

/// What init itself may take to kill a check and to send what is left.
const GRACE: Duration = Duration::from_secs(20);

/// A boot that takes no longer is a usual one.
const USUAL_BOOT: Duration = Duration::from_millis(2500);

/// Most times longer than usual that the lab waits.
const PATIENCE_MAX: u32 = 4;

/// Most that a transcript takes on disk; what follows is still read and judged.
const TRANSCRIPT_BYTES_MAX: u64 = 64 << 20;

/// Most that is kept of what QEMU says of itself, in bytes.
const QEMU_BYTES_MAX: u64 = 64 << 10;

/// One check of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCheck {
    /// Program and arguments.
    pub arguments: Vec<String>,
    /// Time in the guest.
    pub deadline: Duration,
    /// Its standard input.
    pub input: Vec<u8>,
}

/// What a guest is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// 32 hex digits that no test can know.
    pub nonce: String,
    /// The checks, in order.
    pub checks: Vec<JobCheck>,
}

impl Job {
    /// The job as init reads it.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with_request().0
    }

    /// The job, and what asks for evidence once it has been sent.
    fn encode_with_request(&self) -> (Vec<u8>, Vec<u8>) {
        let mut text = format!("nonce {}\n", self.nonce);
        for (index, check) in self.checks.iter().enumerate() {
            let (deadline, input) = (check.deadline.as_millis(), check.input.len());
            text.push_str(&format!("check {index} {deadline} {input}\n"));
            for argument in &check.arguments {
                // A newline would end the line; no program of ours needs one.
                text.push_str(&format!("arg {}\n", argument.replace('\n', " ")));
            }
            text.push_str("end\n");
        }
        text.push_str("go\n");
        let (mut writer, mut bytes) = (FrameWriter::new(), Vec::new());
        writer.write(&mut bytes, FrameType::Job, CHECK_NONE, text.as_bytes());
        for (index, check) in (0_u16..).zip(&self.checks) {
            if !check.input.is_empty() {
                writer.write(&mut bytes, FrameType::Input, index, &check.input);
            }
        }
        let mut request = Vec::new();
        writer.write(&mut request, FrameType::Evidence, CHECK_NONE, b"");
        (bytes, request)
    }
}

/// How long the parts of a conversation may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To init's first record.
    pub boot: Duration,
    /// To the end.
    pub guest: Duration,
    /// What init may take beyond a check's own time, to kill it and to send what is left.
    pub grace: Duration,
    /// When QEMU is killed behind the lab's back: a fault that is planted.
    pub kill: Option<KillAt>,
}

impl Limits {
    /// With these, and the usual for the rest.
    pub fn new(boot: Duration, guest: Duration) -> Self {
        Self { boot, guest, grace: GRACE, kill: None }
    }
}

/// How a conversation ended.
#[derive(Debug)]
pub struct Conversation {
    /// How QEMU ended.
    pub exit: Exit,
    /// What was wrong with the stream of frames.
    pub error: Option<FrameError>,
    /// What QEMU said of itself.
    pub qemu_said: String,
    /// From starting QEMU to its end.
    pub took: Duration,
    /// From starting QEMU to init's first record.
    pub booted: Option<Duration>,
    /// The registers of its CPUs when its time was over, or why QEMU did not tell them.
    pub registers: Option<String>,
}

/// Boots a guest and talks to it until it has ended. Frames go to `on_frame` as they come.
///
/// # Errors
/// If QEMU cannot be started, or the transcript not be written.
pub fn converse(
    boot: &Boot,
    job: &Job,
    transcript: &Path,
    limits: Limits,
    on_frame: &mut dyn FnMut(&Frame),
) -> Result<Conversation> {
    let monitor = Monitor::new()?;
    let mut qemu = command(boot.arch.qemu());
    qemu.args(boot.arguments())
        .args(monitor.arguments())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process::spawn(&mut qemu, boot.arch.qemu(), limits.boot)?;
    if limits.kill == Some(KillAt::KillAtBoot) {
        process.kill();
    }
    let (stdin, stdout, stderr) = (process.take_stdin(), process.take_stdout(), process.take_stderr());
    let mut stdout = stdout.context("QEMU without a standard output")?;
    let (ask, asked) = channel();
    let (job_bytes, request) = job.encode_with_request();
    let deadline = Deadline::new(&process, limits.boot);
    let mut listener = Listener {
        job,
        limits,
        started: Instant::now(),
        booted: None,
        patience: 1,
        file: Capped { file: fs::File::create(transcript)?, left: TRANSCRIPT_BYTES_MAX },
        reader: FrameReader::new(),
    };
    let (read, said, registers) = std::thread::scope(|scope| {
        scope.spawn(move || send_job(stdin, &job_bytes, &request, &asked));
        let evidence = ask.clone();
        let watch = scope.spawn(|| deadline.watch(&monitor, evidence));
        let said = scope.spawn(move || {
            let mut bytes = Vec::new();
            let read = stderr.map(|stderr| stderr.take(QEMU_BYTES_MAX).read_to_end(&mut bytes));
            drop(read);
            String::from_utf8_lossy(&bytes).trim_end().to_owned()
        });
        let read = listener.listen(
            &mut stdout,
            (&process, &deadline),
            &mut || send(&ask, ToGuest::HangUp),
            on_frame,
        );
        // Without this the threads that hold the guest's input and its deadline would wait for ever.
        send(&ask, ToGuest::HangUp);
        deadline.end();
        if read.is_err() {
            process.kill();
        }
        (read, said.join().unwrap_or_default(), watch.join().unwrap_or_default())
    });
    let exit = process.wait()?;
    read.context("reading the results port")?;
    Ok(Conversation {
        exit,
        qemu_said: said,
        took: process.elapsed(),
        booted: listener.booted,
        error: listener.reader.finish(),
        registers,
    })
}

/// What the thread that holds the guest's input is told.
pub(super) enum ToGuest {
    /// To ask for evidence.
    Ask,
    /// To hang up.
    HangUp,
}

fn send(to: &Sender<ToGuest>, what: ToGuest) {
    // Where nobody reads it any more, the input is closed already.
    let _ = to.send(what);
}

/// Writes the job, then holds the pipe open until it is time to hang up.
fn send_job(stdin: Option<ChildStdin>, job: &[u8], request: &[u8], asked: &Receiver<ToGuest>) {
    if let Some(mut stdin) = stdin {
        // A guest that died early does not read it; that shows elsewhere.
        let mut written = stdin.write_all(job);
        while written.is_ok() && matches!(asked.recv(), Ok(ToGuest::Ask)) {
            written = stdin.write_all(request);
        }
    }
}

struct Listener<'a> {
    job: &'a Job,
    limits: Limits,
    started: Instant,
    booted: Option<Duration>,
    patience: u32,
    file: Capped,
    reader: FrameReader,
}

impl Listener<'_> {
    fn listen(
        &mut self,
        stdout: &mut impl Read,
        (process, deadline): (&Process, &Deadline<'_>),
        hang_up: &mut dyn FnMut(),
        on_frame: &mut dyn FnMut(&Frame),
    ) -> Result<()> {
        let mut buffer = vec![0_u8; 256 << 10];
        loop {
            let read = stdout.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            self.file.write(&buffer[..read])?;
            let mut reader = std::mem::take(&mut self.reader);
            reader.push(&buffer[..read], |frame| {
                self.note(&frame, process, deadline);
                if matches!(frame.kind, FrameType::End | FrameType::Fatal) {
                    hang_up();
                }
                on_frame(&frame);
            });
            self.reader = reader;
        }
    }

    /// Moves the deadline along with what the guest is doing.
    fn note(&mut self, frame: &Frame, process: &Process, deadline: &Deadline<'_>) {
        let grace = self.limits.grace;
        let next = match frame.kind {
            FrameType::Hello => {
                let booted = self.started.elapsed();
                self.booted = Some(booted);
                self.patience = patience(booted);
                grace
            }
            FrameType::Start => {
                if frame.check == 1 && self.limits.kill == Some(KillAt::KillAtCheck) {
                    process.kill();
                }
                let check = self.job.checks.get(usize::from(frame.check));
                check.map_or(grace, |check| check.deadline + grace)
            }
            FrameType::Done | FrameType::Plant | FrameType::End | FrameType::Fatal => grace,
            _ => return,
        };
        let left = self.limits.guest.saturating_sub(self.started.elapsed());
        deadline.set((next * self.patience).min(left));
    }
}

/// How many times longer than usual the lab waits for a guest whose boot took so long: on a busy host the
/// guest's own clock is late, and its watchdogs are to speak first.
fn patience(booted: Duration) -> u32 {
    let times = booted.as_millis().div_ceil(USUAL_BOOT.as_millis());
    u32::try_from(times).unwrap_or(PATIENCE_MAX).clamp(1, PATIENCE_MAX)
}

/// A file that takes no more than it may.
struct Capped {
    file: fs::File,
    left: u64,
}

impl Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.left -= room as u64;
        self.file.write_all(&bytes[..room])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_guest_that_boots_slowly_has_more_time() {
        let of = |ms| patience(Duration::from_millis(ms));
        assert_eq!([of(0), of(1300), of(2500), of(2501), of(7000), of(60_000)], [1, 1, 1, 2, 3, 4]);
    }

    #[test]
    fn a_job_is_text_and_inputs() {
        let check = |arguments: &[&str], input: &[u8]| JobCheck {
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            deadline: Duration::from_secs(2),
            input: input.to_vec(),
        };
        let job = Job {
            nonce: "ab".into(),
            checks: vec![check(&["/checks/a", "-x"], b""), check(&["/checks/b"], b"in")],
        };
        let mut frames = Vec::new();
        FrameReader::new().push(&job.encode(), |frame| frames.push(frame));
        expect![[r#"
            nonce ab
            check 0 2000 0
            arg /checks/a
            arg -x
            end
            check 1 2000 2
            arg /checks/b
            end
            go
        "#]]
        .assert_eq(&String::from_utf8_lossy(&frames[0].payload));
        assert_eq!(
            (frames[1].kind, frames[1].check, frames[1].payload.as_slice()),
            (FrameType::Input, 1, &b"in"[..])
        );
        assert_eq!(frames.len(), 2);
    }
}
