// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests: one boot of one cell, and its verdict.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::judge::{
    CheckState, Evidence, JudgedCheck, Known, Verdict, VerdictSource, judge, judge_without_guest,
};
use crate::lab::check::{CheckKind, PlanSource};
use crate::parse::ktap::RepeatedNames;
use crate::parse::sections::Sections;
use crate::parse::splat::{Allowed, Finding, Splats};
use crate::parse::transcript::{Collector, Reading, Transcript, scan_console};
use crate::plan::key::KeyBuilder;
use crate::plan::work::PlannedCheck;
use crate::record::model::{AccelRecord, CellRecord, CellRole, ExcusedRecord, Host, Keys};
use crate::record::store::timestamp;
use crate::run::artifact::{Files, Texts, Told, last_lines, read_end};
use crate::run::bench::Counting;
use crate::run::context::Context;
use crate::run::counted;
use crate::run::event::{Event, GuestProgress};
use crate::run::functions::Functions;
use crate::run::image::{Image, image};
use crate::run::kvm;
use crate::run::oracle::Question;
use crate::run::program::Program;
use crate::run::ready::{Prepared, Ready};
use crate::sys::process::Exit;
use crate::vm::frame::{Frame, FrameType};
use crate::vm::machine::{Boot, Clock};
use crate::vm::registers;
use crate::vm::session::{Conversation, Job, Limits, converse};
use crate::vm::watchdogs;

/// What one boot showed: all that a verdict is made of, for this cell and for those that would show the same.
pub struct Watched {
    nonce: String,
    sent: usize,
    transcript: Transcript,
    console: Vec<Finding<u16>>,
    /// What QEMU's plugin has counted, where instructions are.
    sections: Option<Sections>,
    console_tail: Vec<String>,
    exit: Exit,
    qemu_said: String,
    stuck: Vec<String>,
    keys: Keys,
    accel: AccelRecord,
    timings: BTreeMap<String, u64>,
    files: BTreeMap<String, String>,
}

/// Boots a cell's guest and keeps what it shows.
///
/// # Errors
/// Trouble of the lab's: the image, QEMU, KVM that was asked for, disk.
pub fn watch(
    context: &Context<'_>,
    host: &Host,
    splats: &Splats,
    ready: &Ready,
    questions: &[Option<Question>],
) -> Result<Watched> {
    let cell = ready.work.cell.to_string();
    let files = Files::new(context, &ready.slug());
    let sent = ready.sent();
    let programs: Vec<Program> = sent.iter().map(|(_, program)| (*program).clone()).collect();
    let image = image(context, &ready.init, &programs, None)?;
    let mut boot = ready.boot(context, &image, files.path("console.log"))?;
    let chosen = kvm::choose(context, host, &boot)?;
    boot.accel = chosen.accel;
    boot.clock = counted::clock(context, ready, files.path("sections"))?;
    let slower = context.lab.slower(&context.lab.kernel_of(&ready.work.cell.flavor)?);
    let slower = slower * context.options.clock.slower();
    boot.append = format!("{} {}", watchdogs::words(slower), boot.append).trim_end().to_owned();
    let job = Job { nonce: nonce()?, checks: ready.job_checks(questions, slower)? };
    files.keep_command(&boot, &job)?;
    let _slot = context.slot("boot a guest", context.options.jobs)?;
    context.tell(Event::Guest { cell: cell.clone(), progress: GuestProgress::Started });
    let mut collector = Collector::new(sent.iter().map(|(check, _)| reading(check)).collect(), splats);
    let mut texts = Texts::open(&files)?;
    let limits = limits(context, ready, slower);
    let mut kept = Ok(());
    let ended = converse(&boot, &job, &files.path("transcript.bin"), limits, &mut |frame| {
        tell_progress(context, &cell, &sent, frame);
        if kept.is_ok() {
            let check = sent.get(usize::from(frame.check)).map(|(check, _)| check);
            let told = check.map(|check| Told { name: check.check.name.as_str(), reading: reading(check) });
            kept = texts.keep(frame, told);
        }
        collector.frame(frame);
    })?;
    kept.context("keeping what the guest said")?;
    let console = read_end(&files.path("console.log"))?;
    let sections = counted::sections(&boot.clock)?;
    let stuck = stuck(ready, &files, ended.registers.as_deref())?;
    Ok(Watched {
        sections,
        keys: keys(ready, &image, &boot, &job),
        nonce: job.nonce,
        sent: sent.len(),
        transcript: collector.finish(ended.error.as_ref()),
        console: scan_console(splats, &console),
        console_tail: last_lines(&console),
        exit: ended.exit,
        timings: timings(ready, &ended),
        qemu_said: ended.qemu_said,
        stuck,
        accel: AccelRecord { kind: chosen.accel.word().into(), reason: chosen.reason },
        files: files.names(context, &ready.kernel),
    })
}

/// What the CPUs of a guest were doing when its time was over; all that QEMU said is kept in a file.
fn stuck(ready: &Ready, files: &Files, registers: Option<&str>) -> Result<Vec<String>> {
    let Some(said) = registers else { return Ok(Vec::new()) };
    fs::write(files.path("registers.txt"), said)?;
    let functions = ready.kernel.vmlinux.as_ref().map(|vmlinux| Functions::read(vmlinux));
    // Without names the addresses have to do: a kernel of a user's may be no ELF file.
    let functions = functions.and_then(Result::ok);
    Ok(registers::summary(said, &|address| functions.as_ref()?.place(address)))
}

fn limits(context: &Context<'_>, ready: &Ready, slower: u32) -> Limits {
    let deadlines = &context.lab.deadlines;
    let guest = context.options.deadline.unwrap_or(deadlines.guest * slower);
    let limits = Limits::new(deadlines.boot * slower, guest);
    match &ready.work.planted {
        None => limits,
        Some(planted) => Limits {
            boot: planted.boot.unwrap_or(limits.boot),
            guest: planted.guest,
            grace: planted.grace.unwrap_or(limits.grace),
            kill: planted.kill,
        },
    }
}

/// Boots a cell's guest and judges it.
///
/// # Errors
/// As [`watch`] and [`verdict`].
pub fn run(context: &Context<'_>, host: &Host, splats: &Splats, ready: &Ready) -> Result<CellRecord> {
    let questions = ready.questions(context)?;
    let watched = watch(context, host, splats, ready, &questions)?;
    verdict(context, ready, &questions, &watched)
}

/// Judges a cell by what its guest showed.
///
/// # Errors
/// If names of sub-tests cannot be read.
pub fn verdict(
    context: &Context<'_>,
    ready: &Ready,
    questions: &[Option<Question>],
    watched: &Watched,
) -> Result<CellRecord> {
    let cell = ready.work.cell.to_string();
    let mut verdict = judge(&Evidence {
        cell: &cell,
        nonce: &watched.nonce,
        checks: &judged_checks(context, ready, questions, Some(watched))?,
        sent: watched.sent,
        transcript: &watched.transcript,
        console: &watched.console,
        console_tail: &watched.console_tail,
        exit: watched.exit,
        qemu_said: &watched.qemu_said,
        stuck: &watched.stuck,
        expected: &context.lab.expected,
        today: &timestamp(SystemTime::now())[..10],
    });
    decode(context, ready, &mut verdict);
    Ok(CellRecord {
        id: cell,
        outcome: verdict.outcome,
        reason: verdict.reason,
        trouble: verdict.trouble,
        keys: watched.keys.clone(),
        accel: Some(watched.accel.clone()),
        toolchain: ready.kernel.toolchain.clone(),
        attempts: Vec::new(),
        checks: verdict.checks,
        findings: verdict.findings,
        findings_dropped: verdict.findings_dropped,
        excused: excused(&watched.transcript),
        timings_ms: watched.timings.clone(),
        files: watched.files.clone(),
        excerpt: verdict.excerpt,
        role: CellRole::Subject,
        same_as: None,
        found_in: None,
    })
}

fn excused(transcript: &Transcript) -> Vec<ExcusedRecord> {
    let allowed = transcript.findings.allowed.iter();
    let record = |one: &Allowed<u16>| ExcusedRecord {
        title: one.finding.title.clone(),
        pattern: one.pattern.clone(),
        reason: one.reason.clone(),
    };
    allowed.map(record).collect()
}

/// Gives the reports files and lines, where the kernel knows them. Without them they stay as they are, and so
/// does the verdict.
fn decode(context: &Context<'_>, ready: &Ready, verdict: &mut Verdict) {
    let Some(decoder) = &ready.decoder else { return };
    if let Err(error) = decoder.decode(&mut verdict.findings, &mut verdict.excerpt) {
        context.note(format!("{}: {error:#}", ready.work.cell));
    }
}

/// Judges a cell by what the guest of another showed, whose likeness is the same.
///
/// # Errors
/// As [`verdict`], and as [`Ready::questions`].
pub fn shared_verdict(
    context: &Context<'_>,
    ready: &Ready,
    watched: &Watched,
    shown_by: &str,
) -> Result<CellRecord> {
    let mut record = verdict(context, ready, &ready.questions(context)?, watched)?;
    let kernel = &ready.kernel;
    // The key of a boot that never was is nobody's.
    record.keys = Keys { image: watched.keys.image.clone(), ..kernel_keys(ready) };
    record.timings_ms = BTreeMap::from([("build".to_owned(), ready.build_ms)]);
    for (kind, name) in Files::new(context, &ready.slug()).names(context, kernel) {
        record.files.insert(kind, name);
    }
    record.same_as = Some(shown_by.to_owned());
    Ok(record)
}

/// The record of a cell whose checks were all made on the host; nothing if one needs a guest, or if
/// none was made.
///
/// # Errors
/// If names of sub-tests cannot be read.
pub fn made_on_host(context: &Context<'_>, ready: &Ready) -> Result<Option<CellRecord>> {
    let is_made = |prepared: &Prepared| matches!(prepared, Prepared::Made { .. });
    let is_static = |check: &PlannedCheck| matches!(check.check.kind, CheckKind::Static { .. });
    let needs_none = ready.prepared.iter().any(is_made) || ready.work.checks.iter().all(is_static);
    if !needs_none || ready.prepared.iter().any(|prepared| prepared.program().is_some()) {
        return Ok(None);
    }
    let cell = ready.work.cell.to_string();
    let known =
        Known { cell: &cell, expected: &context.lab.expected, today: &timestamp(SystemTime::now())[..10] };
    let verdict = judge_without_guest(&known, &judged_checks(context, ready, &[], None)?);
    let mut record = CellRecord::without_guest(&cell, verdict.outcome, verdict.reason, verdict.excerpt);
    record.checks = verdict.checks;
    record.toolchain.clone_from(&ready.kernel.toolchain);
    record.keys = kernel_keys(ready);
    record.timings_ms.insert("build".into(), ready.build_ms);
    Ok(Some(record))
}

fn reading(check: &PlannedCheck) -> Reading {
    match &check.check.kind {
        CheckKind::Kselftest { plan: PlanSource::ExitCode, .. } => Reading::ExitCode,
        // The kernel's older programs give several results one name; ours do not.
        CheckKind::Kselftest { .. } => Reading::Ktap(RepeatedNames::Allowed),
        CheckKind::Program { .. } => Reading::Ktap(RepeatedNames::Error),
        // A static check is never sent.
        CheckKind::Oracle { .. } | CheckKind::Static { .. } => Reading::Raw,
    }
}

/// What the judge is told of each check; the models have had their say.
fn judged_checks(
    context: &Context<'_>,
    ready: &Ready,
    questions: &[Option<Question>],
    watched: Option<&Watched>,
) -> Result<Vec<JudgedCheck>> {
    let transcripts = watched.map(|watched| watched.transcript.checks.as_slice()).unwrap_or_default();
    let sections = watched.and_then(|watched| watched.sections.as_ref());
    let functions = counted::functions(context, ready)?;
    let mut counting = Counting::new(sections, functions.as_ref());
    let mut judged = Vec::new();
    let mut index = 0;
    for (check, prepared) in ready.work.checks.iter().zip(&ready.prepared) {
        let state = match prepared {
            Prepared::Absent(why) => CheckState::Absent(why.clone()),
            Prepared::Made { subs, ms } => CheckState::Made { subs: subs.clone(), ms: *ms },
            Prepared::Program(_) => {
                let at = index;
                index += 1;
                let raw = transcripts.get(at).map(|check| check.raw.as_slice()).unwrap_or_default();
                let verdict = match (questions.get(at), reading(check)) {
                    (Some(Some(question)), _) => {
                        VerdictSource::Model(question.verdict(ready.subject(), raw, &mut counting)?)
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

fn keys(ready: &Ready, image: &Image, boot: &Boot, job: &Job) -> Keys {
    let mut key =
        KeyBuilder::new("boot").part("kernel", ready.kernel.key.as_str()).part("image", image.key.as_str());
    key = key.part("machine", format!("{:?} {:?}", boot.machine, boot.accel)).part("append", &boot.append);
    if boot.clock != Clock::Host {
        key = key.part("clock", "instructions");
    }
    for check in &job.checks {
        key = key.parts("argument", &check.arguments).part("input", &check.input);
    }
    Keys { image: image.key.to_string(), boot: key.finish().to_string(), ..kernel_keys(ready) }
}

/// The keys that are known before a boot.
fn kernel_keys(ready: &Ready) -> Keys {
    Keys {
        request: ready.kernel.request.to_string(),
        kernel: ready.kernel.key.to_string(),
        code: ready.code.as_ref().map(ToString::to_string).unwrap_or_default(),
        ..Keys::default()
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
