// SPDX-License-Identifier: MIT OR Apache-2.0
//! The schedule: kernels one after the other, guests beside them as soon as theirs is there.

use anyhow::Result;

use crate::lab::check::CheckKind;
use crate::lab::kernel::{Abi, Arch};
use crate::parse::splat::Splats;
use crate::plan::work::{GuestWork, KernelWork, Plan, PlannedCheck};
use crate::record::model::{CellRecord, Host, Outcome};
use crate::run::code::code_key;
use crate::run::context::Context;
use crate::run::decode::Decoder;
use crate::run::event::{Cached, Step};
use crate::run::guest;
use crate::run::kernel::{self, Built, Kernel};
use crate::run::program::{self, Compiled, Program};
use crate::run::queue::{Boot, CloseOnDrop, Queue};
use crate::run::ready::{FIRST_BOOT, Prepared, Ready};
use crate::run::shown::{Likenesses, has_successor};
use crate::run::source::{self, Applied, Source};
use crate::run::static_check::{self, StaticResult, Subject};
use crate::run::tree_facts::TreeFacts;
use crate::run::worker::{Begins, boot_guests, ends_the_run, infra, tell_cell};

/// Carries a plan out. Every cell that gets a verdict is told as an event.
///
/// # Errors
/// The user's faults and interrupts end the run. Other trouble of the lab's is the `infra` of the
/// cells it hits, and the rest goes on.
pub fn run(context: &Context<'_>, plan: &Plan, host: &Host, splats: &Splats) -> Result<()> {
    let queue = Queue::default();
    std::thread::scope(|scope| {
        // Whatever becomes of the builder, the workers must not wait for ever.
        let _close = CloseOnDrop(&queue);
        let workers: Vec<_> = (0..context.options.jobs.max(1))
            .map(|_| scope.spawn(|| boot_guests(context, host, splats, &queue)))
            .collect();
        let built = build_all(context, plan, &queue);
        queue.close();
        let mut result = built;
        for worker in workers {
            let worked =
                worker.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the lab panicked")));
            result = result.and(worked);
        }
        result
    })
}

fn build_all(context: &Context<'_>, plan: &Plan, queue: &Queue) -> Result<()> {
    let built = build_sources(context, plan, queue);
    if built.is_err() {
        queue.stop();
    }
    built
}

fn build_sources(context: &Context<'_>, plan: &Plan, queue: &Queue) -> Result<()> {
    compile_held_tests(context, plan)?;
    let mut likenesses = Likenesses::default();
    for (at, work) in plan.sources.iter().enumerate() {
        if queue.is_stopped() {
            return Ok(());
        }
        let kernels = || plan.kernels.iter().enumerate().filter(move |(_, kernel)| kernel.source == at);
        let cells = || kernels().flat_map(|(kernel, _)| guests_of(plan, kernel));
        match source::prepare(context, work) {
            Ok(Applied::Source(source)) => {
                for (at, kernel) in kernels() {
                    if !queue.is_stopped() {
                        build_kernel(context, plan, queue, &mut likenesses, &source, at, kernel)?;
                    }
                }
            }
            Ok(Applied::Failed(failure)) => {
                for guest in cells() {
                    let cell = guest.cell.to_string();
                    let (reason, words) = (failure.reason.clone(), failure.words.clone());
                    tell_cell(
                        context,
                        queue,
                        CellRecord::without_guest(&cell, Outcome::ApplyFailed, reason, words),
                    );
                }
            }
            Err(error) if ends_the_run(&error) => return Err(error),
            Err(error) => {
                for guest in cells() {
                    tell_cell(context, queue, infra(&guest.cell.to_string(), &error));
                }
            }
        }
    }
    Ok(())
}

/// Prepares the only guest of a plan: a guest that is ready, or a cell that never gets one.
///
/// # Errors
/// Trouble of the lab's.
pub fn prepare_one(context: &Context<'_>, plan: &Plan) -> Result<Result<Ready, Box<CellRecord>>> {
    let (Some(source_work), Some(kernel), Some(guest)) =
        (plan.sources.first(), plan.kernels.first(), plan.guests.first())
    else {
        anyhow::bail!("a plan without a guest");
    };
    compile_held_tests(context, plan)?;
    let cell = guest.cell.to_string();
    let source = match source::prepare(context, source_work)? {
        Applied::Source(source) => source,
        Applied::Failed(failure) => {
            let record =
                CellRecord::without_guest(&cell, Outcome::ApplyFailed, failure.reason, failure.words);
            return Ok(Err(Box::new(record)));
        }
    };
    let built = try_build(context, plan, &source, 0, kernel, Statics::LeftOut)?;
    let ready = match built {
        Ok(readies) => readies.into_iter().next(),
        Err(records) => records.into_iter().next().map(|record| Err(Box::new(record))),
    };
    ready.ok_or_else(|| anyhow::anyhow!("{cell}: neither a guest nor a verdict"))
}

fn guests_of(plan: &Plan, kernel: usize) -> impl Iterator<Item = &GuestWork> {
    plan.guests.iter().filter(move |guest| guest.kernel == kernel)
}

fn build_kernel(
    context: &Context<'_>,
    plan: &Plan,
    queue: &Queue,
    likenesses: &mut Likenesses,
    source: &Source,
    at: usize,
    work: &KernelWork,
) -> Result<()> {
    let begins = Begins::now();
    let built = try_build(context, plan, source, at, work, Statics::Made).and_then(|built| {
        let Ok(readies) = built else { return Ok(built.map(|_| Vec::new())) };
        let boots = readies.into_iter().map(|ready| match ready {
            Ok(ready) => Ok(Ok(to_boot(context, plan, likenesses, ready)?)),
            Err(record) => Ok(Err(record)),
        });
        Ok(Ok(boots.collect::<Result<Vec<_>>>()?))
    });
    match built {
        Ok(Ok(boots)) => {
            for boot in boots {
                match boot {
                    Ok(boot) => queue.push(boot),
                    Err(record) => tell_cell(context, queue, *record),
                }
            }
            Ok(())
        }
        Ok(Err(records)) => {
            records.into_iter().for_each(|record| tell_cell(context, queue, record));
            Ok(())
        }
        Err(error) if ends_the_run(&error) => {
            begins.tell_interrupted(context, guests_of(plan, at).map(|guest| guest.cell.to_string()));
            Err(error)
        }
        Err(error) => {
            for guest in guests_of(plan, at) {
                tell_cell(context, queue, infra(&guest.cell.to_string(), &error));
            }
            Ok(())
        }
    }
}

/// What becomes of a guest that is ready.
fn to_boot(context: &Context<'_>, plan: &Plan, likenesses: &mut Likenesses, ready: Ready) -> Result<Boot> {
    let shown_by = likenesses.shown_by(context, plan, &ready)?;
    let is_kept = has_successor(plan, &ready.work);
    Ok(Boot { ready, shown_by, is_kept })
}

/// For each guest of a kernel: what it needs to boot, or why it cannot.
type Readies = Vec<Result<Ready, Box<CellRecord>>>;

/// Whether static checks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statics {
    /// They are.
    Made,
    /// Only the guest is wanted.
    LeftOut,
}

fn try_build(
    context: &Context<'_>,
    plan: &Plan,
    source: &Source,
    at: usize,
    work: &KernelWork,
    statics: Statics,
) -> Result<Result<Readies, Vec<CellRecord>>> {
    let source_work = &plan.sources[work.source];
    let subject = format!("{}/{}/{}", source_work.tree, source_work.point, work.id);
    let kernel = match &context.options.kernel {
        Some(file) => kernel::given(file, context.lab.kernel(&work.id)?.arch)?,
        None => match kernel::build(context, source, work, &subject)? {
            Built::Kernel(kernel) => *kernel,
            Built::Failed { reason, excerpt, log } => {
                let failed = |guest: &GuestWork| {
                    let cell = guest.cell.to_string();
                    let mut record = CellRecord::without_guest(
                        &cell,
                        Outcome::BuildFailed,
                        reason.clone(),
                        excerpt.clone(),
                    );
                    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    record.files.insert("build.log".into(), name);
                    record
                };
                return Ok(Err(guests_of(plan, at).map(failed).collect()));
            }
        },
    };
    let arch = context.lab.kernel(&work.id)?.arch;
    let facts = TreeFacts::find(source)?;
    let code = code_key(context, &kernel)?;
    let timer = context.timer(Step::Programs, &subject);
    let init = program::init(context, arch.native_abi(), None)?;
    let decoder = Decoder::find(context, source, &kernel);
    let mut readies = Vec::new();
    let subject = Subject::new(context, source, source_work, &kernel, work)?;
    for guest in guests_of(plan, at) {
        let prepared = match prepare_checks(context, source, &kernel, guest, &subject, statics)? {
            Ok(prepared) => prepared,
            Err(record) => {
                readies.push(Err(record));
                continue;
            }
        };
        let ready = Ready {
            work: guest.clone(),
            build_ms: kernel.took_ms,
            code: code.clone(),
            kernel: kernel.clone(),
            arch,
            init: faulty_init(context, guest, arch)?.unwrap_or_else(|| init.clone()),
            prepared,
            facts: facts.clone(),
            decoder: decoder.clone(),
            boot: FIRST_BOOT,
        };
        let on_host = if statics == Statics::Made { guest::made_on_host(context, &ready)? } else { None };
        readies.push(on_host.map_or(Ok(ready), |record| Err(Box::new(record))));
    }
    context.done(timer, "guest programs", Cached::Yes);
    Ok(Ok(readies))
}

/// Init with the fault that is planted in it, if there is one.
fn faulty_init(context: &Context<'_>, guest: &GuestWork, arch: Arch) -> Result<Option<Program>> {
    let fault = guest.planted.as_ref().and_then(|planted| planted.init.as_deref());
    fault.map(|fault| program::init(context, arch.native_abi(), Some(fault))).transpose()
}

/// What a guest's checks come with; a check that the kernel cannot serve has a reason instead.
fn prepare_checks(
    context: &Context<'_>,
    source: &Source,
    kernel: &Kernel,
    guest: &GuestWork,
    subject: &Subject<'_>,
    statics: Statics,
) -> Result<Result<Vec<Prepared>, Box<CellRecord>>> {
    let held = match held_tests(context, guest)? {
        None => None,
        Some(Applied::Source(held)) => Some(held),
        Some(Applied::Failed(failure)) => {
            let (cell, reason) = (guest.cell.to_string(), format!("its tests: {}", failure.reason));
            let record = CellRecord::without_guest(&cell, Outcome::ApplyFailed, reason, failure.words);
            return Ok(Err(Box::new(record)));
        }
    };
    let tests = held.as_ref().filter(|held| held.tree != source.tree).unwrap_or(source);
    let mut all = Vec::new();
    for planned in &guest.checks {
        if let Some(symbol) = missing_symbol(kernel, planned) {
            all.push(Prepared::Absent(format!("the kernel is without CONFIG_{symbol}")));
            continue;
        }
        if let CheckKind::Static { .. } = planned.check.kind {
            all.push(match statics {
                Statics::LeftOut => Prepared::Absent("it needs no guest".into()),
                Statics::Made => match static_check::check(subject, &planned.check)? {
                    StaticResult::Absent(why) => Prepared::Absent(why),
                    StaticResult::Looked { subs, ms } => Prepared::Made { subs, ms },
                },
            });
            continue;
        }
        match program::check(context, tests, &planned.check, guest.abi)? {
            // Two checks may have programs of one file name: in the guest each has its check's.
            Compiled::Program(program) => {
                let name = planned.check.name.to_string();
                all.push(Prepared::Program(Program { name, ..program }));
            }
            Compiled::Failed { reason, excerpt } => {
                let bits = if guest.abi == Abi::Bits64 { 64 } else { 32 };
                let reason = format!("{} ({bits} bits): {reason}", planned.check.name);
                let record =
                    CellRecord::without_guest(&guest.cell.to_string(), Outcome::BuildFailed, reason, excerpt);
                return Ok(Err(Box::new(record)));
            }
        }
    }
    Ok(Ok(all))
}

/// The source that a guest's tests are held at, if that is not its own.
fn held_tests(context: &Context<'_>, guest: &GuestWork) -> Result<Option<Applied>> {
    guest.tests_from.as_ref().map(|work| source::prepare(context, work)).transpose()
}

/// Compiles tests that come from another source than the kernel. They need the work tree, which the
/// kernel's source has to itself from its build on; afterwards they are found by key.
fn compile_held_tests(context: &Context<'_>, plan: &Plan) -> Result<()> {
    for guest in &plan.guests {
        let Some(Applied::Source(tests)) = held_tests(context, guest)? else { continue };
        let kselftest = |planned: &&PlannedCheck| matches!(planned.check.kind, CheckKind::Kselftest { .. });
        for planned in guest.checks.iter().filter(kselftest) {
            // One that does not compile is told where the guest is prepared.
            program::check(context, &tests, &planned.check, guest.abi)?;
        }
    }
    Ok(())
}

fn missing_symbol<'a>(kernel: &Kernel, planned: &'a PlannedCheck) -> Option<&'a str> {
    planned.check.requires.iter().map(String::as_str).find(|symbol| kernel.lacks(symbol))
}
