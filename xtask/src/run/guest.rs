// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests: one boot of one cell, from programs to verdict.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::judge::{CheckState, Evidence, JudgedCheck, VerdictSource, judge};
use crate::lab::check::{CheckKind, OracleName, PlanSource};
use crate::lab::kernel::Arch;
use crate::parse::ktap::RepeatedNames;
use crate::parse::splat::Splats;
use crate::parse::transcript::{Collector, Reading, scan_console};
use crate::plan::key::KeyBuilder;
use crate::plan::work::{GuestWork, PlannedCheck};
use crate::record::model::{AccelRecord, CellRecord, Host, Keys, Outcome};
use crate::record::store::timestamp;
use crate::run::context::Context;
use crate::run::event::{Event, GuestProgress};
use crate::run::image::{CHECKS_FOLDER, Image, image};
use crate::run::kernel::Kernel;
use crate::run::kvm;
use crate::run::oracle::{self, TreeFacts};
use crate::run::program::Program;
use crate::sys::process::quote;
use crate::vm::frame::{Frame, FrameType};
use crate::vm::machine::{Boot, Console, Debugger, QEMU};
use crate::vm::session::{Conversation, Job, JobCheck, Limits, converse};

/// Most of a console that is looked at, in bytes from its end.
const CONSOLE_BYTES_MAX: u64 = 8 << 20;

/// Lines of a console that stand for the rest of it.
const CONSOLE_LINES: usize = 25;

/// Everything that one boot needs.
pub struct Ready {
    /// The work.
    pub work: GuestWork,
    /// The kernel.
    pub kernel: Kernel,
    /// Its architecture.
    pub arch: Arch,
    /// Init, for the kernel's architecture.
    pub init: Program,
    /// The programs of the checks, in the order of the work; absent ones have none.
    pub programs: Vec<Result<Program, String>>,
    /// What models need to know of the tree.
    pub facts: TreeFacts,
    /// Time that the kernel took.
    pub build_ms: u64,
}

impl Ready {
    fn has_compat(&self) -> bool {
        !self.kernel.lacks("IA32_EMULATION")
    }

    /// The checks that are sent to the guest, and their programs.
    fn sent(&self) -> Vec<(&PlannedCheck, &Program)> {
        let checks = self.work.checks.iter().zip(&self.programs);
        checks.filter_map(|(check, program)| Some((check, program.as_ref().ok()?))).collect()
    }

    /// The boot, for the accelerator that is still to be chosen.
    ///
    /// # Errors
    /// A usage fault for an unknown kernel config.
    pub fn boot(&self, context: &Context<'_>, image: &Image, console: PathBuf) -> Result<Boot> {
        let id = context.lab.kernel_of(&self.work.cell.flavor)?;
        let config = context.lab.kernel(&id)?;
        Ok(Boot {
            vmlinux: self.kernel.vmlinux.clone(),
            image: image.path.clone(),
            machine: config.machine.clone(),
            cpus: context.lab.cpus(&id, config),
            accel: crate::vm::machine::Accel::Tcg,
            console: Console::File(console),
            debugger: Debugger::Off,
            append: String::new(),
        })
    }
}

/// Runs a cell's guest and judges it.
///
/// # Errors
/// Trouble of the lab's: the image, QEMU, KVM that was asked for, disk.
pub fn run(context: &Context<'_>, host: &Host, splats: &Splats, ready: &Ready) -> Result<CellRecord> {
    let cell = ready.work.cell.to_string();
    let files = Files::new(context, &ready.work.cell.slug());
    let sent = ready.sent();
    let programs: Vec<Program> = sent.iter().map(|(_, program)| (*program).clone()).collect();
    let image = image(context, &ready.init, &unique(programs), None)?;
    let mut boot = ready.boot(context, &image, files.path("console.log"))?;
    let chosen = kvm::choose(context, host, &boot)?;
    boot.accel = chosen.accel;
    let job = Job { nonce: nonce()?, checks: job_checks(&sent)? };
    files.keep_command(&boot, &job)?;
    let _slot = context.slot("boot a guest", context.options.jobs)?;
    context.tell(Event::Guest { cell: cell.clone(), progress: GuestProgress::Started });
    let mut collector = Collector::new(sent.iter().map(|(check, _)| reading(check)).collect(), splats);
    let mut texts = Texts::open(&files)?;
    let limits = Limits {
        boot: context.lab.deadlines.boot,
        guest: context.options.deadline.unwrap_or(context.lab.deadlines.guest),
    };
    let mut kept = Ok(());
    let ended = converse(&boot, &job, &files.path("transcript.bin"), limits, &mut |frame| {
        tell_progress(context, &cell, &sent, frame);
        if kept.is_ok() {
            kept = texts.keep(frame, &sent);
        }
        collector.frame(frame);
    })?;
    kept.context("keeping what the guest said")?;
    let transcript = collector.finish(ended.error.as_ref());
    let console = read_end(&files.path("console.log"))?;
    let verdict = judge(&Evidence {
        cell: &cell,
        nonce: &job.nonce,
        checks: &judged_checks(context, ready, &transcript.checks)?,
        sent: sent.len(),
        transcript: &transcript,
        console: &scan_console(splats, &console),
        console_tail: &last_lines(&console),
        exit: ended.exit,
        qemu_said: &ended.qemu_said,
        expected: &context.lab.expected,
        today: &timestamp(SystemTime::now())[..10],
    });
    Ok(CellRecord {
        id: cell,
        outcome: verdict.outcome,
        reason: verdict.reason,
        keys: keys(ready, &image, &boot, &job),
        accel: Some(AccelRecord { kind: chosen.accel.word().into(), reason: chosen.reason }),
        toolchain: ready.kernel.toolchain.clone(),
        attempts: Vec::new(),
        checks: verdict.checks,
        findings: verdict.findings,
        timings_ms: timings(ready, &ended),
        files: files.names(context, ready),
        excerpt: verdict.excerpt,
    })
}

fn reading(check: &PlannedCheck) -> Reading {
    match &check.check.kind {
        CheckKind::Kselftest { plan: PlanSource::ExitCode, .. } => Reading::ExitCode,
        // The kernel's older programs give several results one name; ours do not.
        CheckKind::Kselftest { .. } => Reading::Ktap(RepeatedNames::Allowed),
        CheckKind::Program { .. } => Reading::Ktap(RepeatedNames::Error),
        CheckKind::Oracle { .. } => Reading::Raw,
    }
}

fn oracle_of(check: &PlannedCheck) -> Option<OracleName> {
    match &check.check.kind {
        CheckKind::Oracle { oracle, .. } => Some(*oracle),
        _ => None,
    }
}

fn job_checks(sent: &[(&PlannedCheck, &Program)]) -> Result<Vec<JobCheck>> {
    let one = |(check, program): &(&PlannedCheck, &Program)| -> Result<JobCheck> {
        let mut arguments = vec![format!("/{CHECKS_FOLDER}/{}", program.name)];
        arguments.extend(check.check.args.iter().cloned());
        let input = oracle_of(check).map(oracle::input).transpose()?.unwrap_or_default();
        Ok(JobCheck { arguments, deadline: check.check.deadline, input })
    };
    sent.iter().map(one).collect()
}

/// What the judge is told of each check; the models have had their say.
fn judged_checks(
    context: &Context<'_>,
    ready: &Ready,
    transcripts: &[crate::parse::transcript::CheckTranscript],
) -> Result<Vec<JudgedCheck>> {
    let mut judged = Vec::new();
    let mut index = 0;
    for (check, program) in ready.work.checks.iter().zip(&ready.programs) {
        let state = match program {
            Err(why) => CheckState::Absent(why.clone()),
            Ok(_) => {
                let at = index;
                index += 1;
                let raw = transcripts.get(at).map(|check| check.raw.as_slice()).unwrap_or_default();
                let verdict = match (&check.check.kind, reading(check)) {
                    (CheckKind::Oracle { oracle, .. }, _) => {
                        let (arch, compat) = (ready.arch, ready.has_compat());
                        VerdictSource::Model(oracle::verdicts(*oracle, &ready.facts, arch, compat, raw)?)
                    }
                    (_, Reading::ExitCode) => VerdictSource::ExitCode,
                    _ => VerdictSource::Ktap(
                        context.lab.known_names(&ready.work.cell.tree, &check.check.name)?,
                    ),
                };
                CheckState::Sent { index: at, verdict }
            }
        };
        judged.push(JudgedCheck { name: check.check.name.to_string(), scope: check.scope, state });
    }
    Ok(judged)
}

fn tell_progress(context: &Context<'_>, cell: &str, sent: &[(&PlannedCheck, &Program)], frame: &Frame) {
    let progress = match frame.kind {
        FrameType::Hello => GuestProgress::Booted,
        FrameType::Start => match sent.get(usize::from(frame.check)) {
            Some((check, _)) => GuestProgress::Check(check.check.name.to_string()),
            None => return,
        },
        _ => return,
    };
    context.tell(Event::Guest { cell: cell.to_owned(), progress });
}

/// 128 bits that no guest can guess, as hex.
fn nonce() -> Result<String> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes).context("reading /dev/urandom")?;
    Ok(crate::lab::patch::hex(&bytes))
}

fn unique(mut programs: Vec<Program>) -> Vec<Program> {
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    programs.dedup_by(|a, b| a.name == b.name);
    programs
}

fn keys(ready: &Ready, image: &Image, boot: &Boot, job: &Job) -> Keys {
    let mut key =
        KeyBuilder::new("boot").part("kernel", ready.kernel.key.as_str()).part("image", image.key.as_str());
    key = key.part("machine", format!("{:?} {} {:?}", boot.machine, boot.cpus, boot.accel));
    for check in &job.checks {
        key = key.parts("argument", &check.arguments).part("input", &check.input);
    }
    Keys {
        request: ready.kernel.request.to_string(),
        kernel: ready.kernel.key.to_string(),
        image: image.key.to_string(),
        boot: key.finish().to_string(),
    }
}

fn timings(ready: &Ready, ended: &Conversation) -> BTreeMap<String, u64> {
    let mut timings =
        BTreeMap::from([("guest".to_owned(), millis(ended.took)), ("build".to_owned(), ready.build_ms)]);
    if let Some(booted) = ended.booted {
        timings.insert("boot".into(), millis(booted));
    }
    timings
}

/// Milliseconds as the record has them.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The end of a console capture; a guest that died at once has none.
fn read_end(path: &Path) -> Result<Vec<u8>> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(CONSOLE_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn last_lines(console: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(&console[console.len().saturating_sub(16 << 10)..]).into_owned();
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>())
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(CONSOLE_LINES)..].to_vec()
}

/// The files of one cell in the run's folder.
struct Files {
    folder: PathBuf,
    slug: String,
}

impl Files {
    fn new(context: &Context<'_>, slug: &str) -> Self {
        Self { folder: context.folder.clone(), slug: slug.to_owned() }
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.slug))
    }

    /// A script that boots the same guest again: the job goes in, the transcript comes out.
    fn keep_command(&self, boot: &Boot, job: &Job) -> Result<()> {
        let job_file = self.path("job.bin");
        fs::write(&job_file, job.encode())?;
        let mut again = boot.clone();
        again.console = Console::File("console.log".into());
        let words: Vec<String> =
            std::iter::once(QEMU.to_owned()).chain(again.arguments()).map(|word| quote(&word)).collect();
        let script = format!(
            "#!/bin/sh\n# Boots this guest again, in the current folder: the console goes to console.log,\n\
             # the records to transcript.bin. The guest ends by itself; its input must stay open.\n\
             {{ cat {}; sleep 3600 & echo $! > sleep.pid; wait; }} 2> /dev/null |\n\
             {{ {} > transcript.bin; kill $(cat sleep.pid); rm -f sleep.pid; }}\n",
            quote(&job_file.to_string_lossy()),
            words.join(" ")
        );
        fs::write(self.path("qemu.sh"), script)?;
        Ok(())
    }

    fn names(&self, context: &Context<'_>, ready: &Ready) -> BTreeMap<String, String> {
        let kinds = ["console.log", "transcript.bin", "qemu.sh", "job.bin", "ktap", "kmsg"];
        let mut names: BTreeMap<String, String> = kinds
            .iter()
            .filter(|kind| self.path(kind).is_file())
            .map(|kind| ((*kind).to_owned(), format!("{}.{kind}", self.slug)))
            .collect();
        for (kind, from) in [("config", &ready.kernel.config), ("build.log", &ready.kernel.log)] {
            let name = format!("kernel-{}.{kind}", ready.kernel.key.short());
            let target = context.folder.join(&name);
            // One kernel may serve several cells; the second copy is the same.
            let is_there = target.is_file() || from.is_file() && fs::copy(from, &target).is_ok();
            if is_there {
                names.insert(kind.to_owned(), name);
            }
        }
        names
    }
}

/// What the guest said, as text for people.
struct Texts {
    ktap: std::io::BufWriter<fs::File>,
    kmsg: std::io::BufWriter<fs::File>,
    left: u64,
}

/// Most that the text files of one cell take together, in bytes.
const TEXT_BYTES_MAX: u64 = 64 << 20;

impl Texts {
    fn open(files: &Files) -> Result<Self> {
        let open =
            |kind: &str| -> Result<_> { Ok(std::io::BufWriter::new(fs::File::create(files.path(kind))?)) };
        Ok(Self { ktap: open("ktap")?, kmsg: open("kmsg")?, left: TEXT_BYTES_MAX })
    }

    fn keep(&mut self, frame: &Frame, sent: &[(&PlannedCheck, &Program)]) -> std::io::Result<()> {
        let size = frame.payload.len() as u64;
        if size > self.left {
            self.left = 0;
            return Ok(());
        }
        let check = sent.get(usize::from(frame.check)).map(|(check, _)| check);
        match frame.kind {
            FrameType::Start => {
                let name = check.map(|check| check.check.name.to_string()).unwrap_or_default();
                writeln!(self.ktap, "# check {name}")?;
            }
            // A model's answer is not for people; it is in the transcript.
            FrameType::Output if check.is_some_and(|check| reading(check) != Reading::Raw) => {
                self.ktap.write_all(&frame.payload)?;
            }
            FrameType::Kmsg => self.kmsg.write_all(&frame.payload)?,
            FrameType::End => {
                self.ktap.flush()?;
                self.kmsg.flush()?;
            }
            _ => return Ok(()),
        }
        self.left -= size;
        Ok(())
    }
}

/// A cell that never got to a guest.
pub fn without_guest(cell: &str, outcome: Outcome, reason: String, excerpt: Vec<String>) -> CellRecord {
    CellRecord {
        id: cell.to_owned(),
        outcome,
        reason,
        keys: Keys::default(),
        accel: None,
        toolchain: String::new(),
        attempts: Vec::new(),
        checks: Vec::new(),
        findings: Vec::new(),
        timings_ms: BTreeMap::new(),
        files: BTreeMap::new(),
        excerpt,
    }
}
