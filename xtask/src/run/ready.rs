// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests that are ready to boot: kernel, programs, and what the models ask.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use seccomp_oracle::calls::X32;

use crate::lab::check::CheckKind;
use crate::lab::kernel::Arch;
use crate::plan::key::{Key, KeyBuilder};
use crate::plan::work::{GuestWork, PlannedCheck};
use crate::record::model::SubRecord;
use crate::run::bench::Settings;
use crate::run::context::Context;
use crate::run::decode::Decoder;
use crate::run::digests::file_digest;
use crate::run::image::{CHECKS_FOLDER, Image};
use crate::run::kernel::Kernel;
use crate::run::oracle::{Question, Subject};
use crate::run::program::Program;
use crate::run::tree_facts::{Ia32, TreeFacts};
use crate::vm::machine::{Boot, Clock, Console, Debugger};
use crate::vm::session::JobCheck;

/// The number of a cell's first boot.
pub const FIRST_BOOT: u32 = 1;

/// Everything that one boot needs.
#[derive(Clone)]
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
    /// What the kernel executes, as a key; none for one that nobody can look into.
    pub code: Option<Key>,
    /// Time that the kernel took.
    pub build_ms: u64,
    /// What knows the lines of the kernel's code, if anything does.
    pub decoder: Option<Decoder>,
    /// Which boot of its cell it is.
    pub boot: u32,
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
    /// The same guest for another boot, with the checks of these names alone.
    pub fn only(&self, boot: u32, is_wanted: impl Fn(&str) -> bool) -> Self {
        let mut rest = Self { boot, ..self.clone() };
        let checks = self.work.checks.iter().cloned().zip(self.prepared.iter().cloned());
        let wanted = checks.filter(|(planned, _)| is_wanted(planned.check.name.as_str()));
        (rest.work.checks, rest.prepared) = wanted.unzip();
        rest
    }

    /// What its files are called.
    pub fn slug(&self) -> String {
        let slug = self.work.cell.slug();
        if self.boot == FIRST_BOOT { slug } else { format!("{slug}.boot{}", self.boot) }
    }

    /// What models need to know of the kernel.
    pub fn subject(&self) -> Subject<'_> {
        let has_ia32 = !self.kernel.lacks("IA32_EMULATION");
        // The first implies the other in every tree; x32 alone does so too.
        let has_compat = has_ia32 || !self.kernel.lacks("COMPAT");
        // The symbol's name in older trees, and in newer ones.
        let symbols = self.kernel.symbols.as_ref();
        let x32 = match symbols {
            Some(symbols) if symbols.is_set("X86_X32") || symbols.is_set("X86_X32_ABI") => X32::Enabled,
            _ => X32::Disabled,
        };
        Subject {
            facts: &self.facts,
            arch: self.arch,
            has_compat,
            has_ia32,
            has_file: symbols.is_some_and(|symbols| symbols.is_set("SECCOMP_CACHE_DEBUG")),
            has_interpreter: self.kernel.lacks("BPF_JIT_ALWAYS_ON"),
            x32,
            abi: self.work.abi,
        }
    }

    /// Whether the kernel has to run 32-bit programs; one whose config nobody knows has to.
    fn ia32(&self) -> Ia32 {
        let Subject { arch, has_ia32, .. } = self.subject();
        if arch == Arch::I386 || has_ia32 { Ia32::Runs } else { Ia32::Lacks }
    }

    /// The checks that are sent to the guest, and their programs.
    pub fn sent(&self) -> Vec<(&PlannedCheck, &Program)> {
        let checks = self.work.checks.iter().zip(&self.prepared);
        checks.filter_map(|(check, prepared)| Some((check, prepared.program()?))).collect()
    }

    /// What the models ask, for each check that is sent.
    ///
    /// # Errors
    /// What a model needs and the tree does not have.
    pub fn questions(&self, context: &Context<'_>) -> Result<Vec<Option<Question>>> {
        self.sent().into_iter().map(|(check, _)| self.question(context, check)).collect()
    }

    /// How the kernel is measured.
    fn settings(&self, context: &Context<'_>) -> Result<Settings> {
        let bounds = context.lab.bench_bounds(&self.work.cell.point)?.of_one_kernel();
        Ok(Settings { bounds, length_max: context.options.clock.length_max() })
    }

    fn question(&self, context: &Context<'_>, check: &PlannedCheck) -> Result<Option<Question>> {
        match &check.check.kind {
            CheckKind::Oracle { oracle, .. } => {
                let put = Question::put(oracle, &context.lab.root, self.subject(), self.settings(context)?)
                    .with_context(|| format!("check {}", check.check.name));
                Ok(Some(put?))
            }
            CheckKind::Kselftest { .. } | CheckKind::Program { .. } | CheckKind::Static { .. } => Ok(None),
        }
    }

    /// What init is told to run.
    ///
    /// # Errors
    /// An argument that asks for what the tree does not have.
    pub fn job_checks(&self, questions: &[Option<Question>], slower: u32) -> Result<Vec<JobCheck>> {
        let one = |((check, program), question): ((&PlannedCheck, &Program), &Option<Question>)| {
            let mut arguments = vec![format!("/{CHECKS_FOLDER}/{}", program.name)];
            for text in &check.check.args {
                let argument = self.facts.argument(text, self.ia32());
                arguments.push(argument.with_context(|| format!("check {}", check.check.name))?);
            }
            let input = question.as_ref().map(|question| question.input.clone()).unwrap_or_default();
            Ok(JobCheck { arguments, deadline: check.check.deadline * slower, input })
        };
        self.sent().into_iter().zip(questions).map(one).collect()
    }

    /// A key for what this guest would do: where two guests have the same, one boot stands for both.
    /// None where it is not known what the kernel executes.
    ///
    /// # Errors
    /// As [`Ready::questions`]; an image that cannot be read.
    pub fn likeness(&self, context: &Context<'_>) -> Result<Option<Key>> {
        let Some(code) = &self.code else { return Ok(None) };
        let kernel = context.lab.kernel_of(&self.work.cell.flavor)?;
        let machine = context.lab.machine(&kernel)?;
        let mut key = KeyBuilder::new("likeness")
            .part("code", code.as_str())
            .part("machine", format!("{machine:?}"))
            .part("init", self.init.key.as_str())
            .part("clock", format!("{:?}", context.options.clock));
        // A bzImage has code of its own, which unpacks the kernel and never shows in its vmlinux.
        if self.kernel.vmlinux.as_ref() != Some(&self.kernel.image) {
            key = key.part("image", file_digest(&self.kernel.image)?);
        }
        let questions = self.questions(context)?;
        let jobs = self.job_checks(&questions, context.lab.slower(&kernel))?;
        for ((check, program), job) in self.sent().into_iter().zip(&jobs) {
            key = key
                .part("check", check.check.name.as_str())
                .part("program", program.key.as_str())
                .parts("argument", &job.arguments)
                .part("deadline", job.deadline.as_millis().to_be_bytes())
                .part("input", &job.input);
        }
        Ok(Some(key.finish()))
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
            append: self.work.planted.as_ref().map(|planted| planted.append.clone()).unwrap_or_default(),
            clock: Clock::Host,
        })
    }
}
