// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests: one boot of one cell, from programs to verdict.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use fs_err as fs;
use seccomp_oracle::calls::X32;

use crate::judge::{CheckState, Evidence, JudgedCheck, Known, VerdictSource, judge, judge_without_guest};
use crate::lab::check::{CheckKind, PlanSource};
use crate::lab::kernel::Arch;
use crate::parse::ktap::RepeatedNames;
use crate::parse::splat::Splats;
use crate::parse::transcript::{Collector, Reading, scan_console};
use crate::plan::key::KeyBuilder;
use crate::plan::work::{GuestWork, PlannedCheck};
use crate::record::model::{AccelRecord, CellRecord, Host, Keys, Outcome, SubRecord};
use crate::record::store::timestamp;
use crate::run::artifact::{Files, Texts, Told, last_lines, read_end};
use crate::run::context::Context;
use crate::run::event::{Event, GuestProgress};
use crate::run::image::{CHECKS_FOLDER, Image, image};
use crate::run::kernel::Kernel;
use crate::run::kvm;
use crate::run::oracle::{Question, Subject};
use crate::run::program::Program;
use crate::run::tree_facts::{Ia32, TreeFacts};
use crate::vm::frame::{Frame, FrameType};
use crate::vm::machine::{Boot, Console, Debugger};
use crate::vm::session::{Conversation, Job, JobCheck, Limits, converse};

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
    /// What each check comes with, in the order of the work.
    pub prepared: Vec<Prepared>,
    /// What models need to know of the tree.
    pub facts: TreeFacts,
    /// Time that the kernel took.
    pub build_ms: u64,
}

/// What a check comes with.
#[derive(Debug, Clone)]
pub enum Prepared {
    /// A program for the guest.
    Program(Program),
    /// Nothing: why it is absent.
    Absent(String),
    /// Its results: it needs no guest.
    Made {
        /// The results.
        subs: Vec<SubRecord>,
        /// How long they took when they were made, in ms.
        ms: u64,
    },
}

impl Prepared {
    /// The program, if there is one.
    pub fn program(&self) -> Option<&Program> {
        match self {
            Prepared::Program(program) => Some(program),
            Prepared::Absent(_) | Prepared::Made { .. } => None,
        }
    }
}

impl Ready {
    /// What models need to know of the kernel.
    fn subject(&self) -> Subject<'_> {
        let has_ia32 = !self.kernel.lacks("IA32_EMULATION");
        // The first implies the other in every tree; x32 alone does so too.
        let has_compat = has_ia32 || !self.kernel.lacks("COMPAT");
        // The symbol's name in older trees, and in newer ones.
        let symbols = self.kernel.symbols.as_ref();
        let x32 = match symbols {
            Some(symbols) if symbols.is_set("X86_X32") || symbols.is_set("X86_X32_ABI") => X32::Enabled,
            _ => X32::Disabled,
        };
        Subject { facts: &self.facts, arch: self.arch, has_compat, has_ia32, x32, abi: self.work.abi }
    }

    /// Whether the kernel has to run 32-bit programs; one whose config nobody knows has to.
    fn ia32(&self) -> Ia32 {
        let Subject { arch, has_ia32, .. } = self.subject();
        if arch == Arch::I386 || has_ia32 { Ia32::Runs } else { Ia32::Lacks }
    }

    /// The checks that are sent to the guest, and their programs.
    fn sent(&self) -> Vec<(&PlannedCheck, &Program)> {
        let checks = self.work.checks.iter().zip(&self.prepared);
        checks.filter_map(|(check, prepared)| Some((check, prepared.program()?))).collect()
    }

    /// The boot, for the accelerator that is still to be chosen.
    ///
    /// # Errors
    /// A usage fault for an unknown kernel config.
    pub fn boot(&self, context: &Context<'_>, image: &Image, console: PathBuf) -> Result<Boot> {
        let id = context.lab.kernel_of(&self.work.cell.flavor)?;
        Ok(Boot {
            arch: self.arch,
            kernel: self.kernel.image.clone(),
            image: image.path.clone(),
            machine: context.lab.machine(&id)?,
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
    let image = image(context, &ready.init, &programs, None)?;
    let mut boot = ready.boot(context, &image, files.path("console.log"))?;
    let chosen = kvm::choose(context, host, &boot)?;
    boot.accel = chosen.accel;
    let slower = context.lab.slower(&context.lab.kernel_of(&ready.work.cell.flavor)?);
    let put = |(check, _): &(&PlannedCheck, &Program)| question(context, ready, check);
    let questions = sent.iter().map(put).collect::<Result<Vec<_>>>()?;
    let job = Job { nonce: nonce()?, checks: job_checks(ready, &sent, &questions, slower)? };
    files.keep_command(&boot, &job)?;
    let _slot = context.slot("boot a guest", context.options.jobs)?;
    context.tell(Event::Guest { cell: cell.clone(), progress: GuestProgress::Started });
    let mut collector = Collector::new(sent.iter().map(|(check, _)| reading(check)).collect(), splats);
    let mut texts = Texts::open(&files)?;
    let limits = Limits {
        boot: context.lab.deadlines.boot * slower,
        guest: context.options.deadline.unwrap_or(context.lab.deadlines.guest * slower),
    };
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
    let transcript = collector.finish(ended.error.as_ref());
    let console = read_end(&files.path("console.log"))?;
    let verdict = judge(&Evidence {
        cell: &cell,
        nonce: &job.nonce,
        checks: &judged_checks(context, ready, &questions, &transcript.checks)?,
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
        files: files.names(context, &ready.kernel),
        excerpt: verdict.excerpt,
    })
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
    let verdict = judge_without_guest(&known, &judged_checks(context, ready, &[], &[])?);
    let mut record = without_guest(&cell, verdict.outcome, verdict.reason, verdict.excerpt);
    record.checks = verdict.checks;
    record.toolchain.clone_from(&ready.kernel.toolchain);
    record.keys.request = ready.kernel.request.to_string();
    record.keys.kernel = ready.kernel.key.to_string();
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

/// What a model asks, for checks that have one.
fn question(context: &Context<'_>, ready: &Ready, check: &PlannedCheck) -> Result<Option<Question>> {
    match &check.check.kind {
        CheckKind::Oracle { oracle, .. } => {
            let put = Question::put(oracle, &context.lab.root, ready.subject())
                .with_context(|| format!("check {}", check.check.name));
            Ok(Some(put?))
        }
        CheckKind::Kselftest { .. } | CheckKind::Program { .. } | CheckKind::Static { .. } => Ok(None),
    }
}

fn job_checks(
    ready: &Ready,
    sent: &[(&PlannedCheck, &Program)],
    questions: &[Option<Question>],
    slower: u32,
) -> Result<Vec<JobCheck>> {
    let one = |((check, program), question): (&(&PlannedCheck, &Program), &Option<Question>)| {
        let mut arguments = vec![format!("/{CHECKS_FOLDER}/{}", program.name)];
        for text in &check.check.args {
            let argument = ready.facts.argument(text, ready.ia32());
            arguments.push(argument.with_context(|| format!("check {}", check.check.name))?);
        }
        let input = question.as_ref().map(|question| question.input.clone()).unwrap_or_default();
        Ok(JobCheck { arguments, deadline: check.check.deadline * slower, input })
    };
    sent.iter().zip(questions).map(one).collect()
}

/// What the judge is told of each check; the models have had their say.
fn judged_checks(
    context: &Context<'_>,
    ready: &Ready,
    questions: &[Option<Question>],
    transcripts: &[crate::parse::transcript::CheckTranscript],
) -> Result<Vec<JudgedCheck>> {
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
                        VerdictSource::Model(question.verdict(ready.subject(), raw)?)
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
    key = key.part("machine", format!("{:?} {:?}", boot.machine, boot.accel));
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
