// SPDX-License-Identifier: MIT OR Apache-2.0
//! `shell`: a person in a guest, or one command in it.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::mpsc::channel;

use anyhow::{Context as _, Result};
use console::Style;

use crate::cli::{Cli, ShellArgs};
use crate::cmd::session::{Session, describe_host, host_packages};
use crate::cmd::test::read_splats;
use crate::fault::{self, Fault};
use crate::lab::kernel::Abi;
use crate::parse::transcript::{Collector, Ended, Reading};
use crate::plan::select::Selection;
use crate::plan::work::Plan;
use crate::run::artifact::read_end;
use crate::run::compiler::Toolchain;
use crate::run::context::Context;
use crate::run::event::Event;
use crate::run::image::image;
use crate::run::kernel::Kernel;
use crate::run::kvm;
use crate::run::program::Program;
use crate::run::schedule::prepare_one;
use crate::run::unpacked::Unpacked;
use crate::sys::host::BUSYBOX;
use crate::sys::process::{Process, command};
use crate::tell;
use crate::tell::terminal::status_line;
use crate::vm::frame::FrameType;
use crate::vm::machine::{Boot, Console, Debugger};
use crate::vm::session::{Job, JobCheck, Limits, converse};

/// The port that gdb is told.
const GDB_PORT: u16 = 1234;

/// Runs the verb.
///
/// # Errors
/// Usage faults; a kernel that does not build; trouble of the lab's.
pub fn run(cli: &Cli, args: &ShellArgs) -> Result<u8> {
    if args.command.is_empty() && !std::io::stdin().is_terminal() {
        return Err(Fault::usage("a shell wants a terminal, and standard input is none")
            .help("give the commands behind `--`: cargo xtask shell CELL -- 'uname -m; exit 7'")
            .into());
    }
    let mut session = Session::open(cli)?;
    session.name_ad_hoc(&args.tree, &args.series, &args.reading)?;
    let selection = Selection { globs: vec![args.cell.clone()], ..Selection::default() };
    let plan = Plan::make(&session.lab, &selection)?;
    if plan.guests.len() != 1 {
        return Err(Fault::usage(format!(
            "`{}` names {} cells, and a shell is in one",
            args.cell,
            plan.guests.len()
        ))
        .help("give the id of one cell, as `cargo xtask list` shows them")
        .into());
    }
    if !args.run.skip_host_check {
        host_packages(args.run.install_deps, &mut |text| tell::print_error(&format!("{text}\n")))?;
    }
    let options = args.run.options();
    let cache = session.cache()?;
    let host = describe_host()?;
    let logs = cache.temporary()?;
    let (sender, events) = channel();
    // Progress goes to the error stream: standard output is the guest's.
    std::thread::spawn(move || events.iter().for_each(|event| tell_event(&event)));
    let folder = logs.path().to_owned();
    let context = Context::new(&session.lab, &cache, Toolchain::ask()?, &options, folder, sender);
    let ready = match prepare_one(&context, &plan)? {
        Ok(ready) => ready,
        Err(record) => {
            tell::print_error(&tell::terminal::cell_lines(&record));
            return Ok(record.outcome.exit_code());
        }
    };
    let boot_abi = ready.arch.native_abi();
    let checks: Vec<Program> = ready.prepared.iter().filter_map(|check| check.program().cloned()).collect();
    let image = image(&context, &ready.init, &checks, Some(&busybox(&context, boot_abi)?))?;
    let mut boot = ready.boot(&context, &image, logs.path().join("console.log"))?;
    boot.accel = kvm::choose(&context, &host, &boot)?.accel;
    if args.gdb {
        boot.debugger = Debugger::Wait(GDB_PORT);
        tell::print_error(&gdb_words(&ready.kernel));
    }
    if args.command.is_empty() {
        return interactive(boot);
    }
    one_command(&context, &boot, &args.command)
}

/// The host's static busybox for a 64-bit kernel; the same package of the other architecture for
/// a 32-bit one.
fn busybox(context: &Context<'_>, abi: Abi) -> Result<PathBuf> {
    if abi == Abi::Bits64 {
        return Ok(BUSYBOX.into());
    }
    let package = Unpacked::one(context, "busybox-static", abi.debian())?;
    let folder = package.whole(context)?;
    let places = ["bin/busybox", "usr/bin/busybox"].map(|place| folder.join(place));
    let found = places.into_iter().find(|path| path.is_file());
    found.with_context(|| format!("finding busybox in {}", folder.display()))
}

fn tell_event(event: &Event) {
    let line = |word, text: &str| tell::print_error(&status_line(&Style::new().cyan(), word, None, text));
    match event {
        Event::Waiting(text) => line("WAITING", text),
        Event::Note(text) => line("NOTE", text),
        Event::Begin { subject, detail, step } => line(step.doing(), &format!("{subject}: {detail}")),
        _ => {}
    }
}

fn gdb_words(kernel: &Kernel) -> String {
    format!(
        "the guest waits for a debugger:\n    gdb {} -ex 'target remote :{GDB_PORT}'\n",
        kernel.vmlinux.as_ref().unwrap_or(&kernel.image).display()
    )
}

/// A person at the guest's console.
fn interactive(mut boot: Boot) -> Result<u8> {
    boot.console = Console::Terminal;
    boot.append = "lab.mode=shell".into();
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout()) {
        boot.append.push_str(&format!(" lab.rows={} lab.cols={}", size.ws_row, size.ws_col));
    }
    tell::print_error("the check programs are in /checks; leave with `exit`, or end QEMU with Ctrl-A X\n");
    let mut qemu = command(boot.arch.qemu());
    qemu.args(boot.arguments());
    let status = Process::run_in_foreground(&mut qemu, boot.arch.qemu())?;
    Ok(if status.is_success() { fault::EXIT_OK } else { fault::EXIT_BOOT })
}

/// One command, over the results port: its output is exact, and its exit code its own.
fn one_command(context: &Context<'_>, boot: &Boot, words: &[String]) -> Result<u8> {
    let mut arguments = vec!["/bin/busybox".to_owned(), "sh".into(), "-c".into()];
    match words {
        // One word may be a whole script; several are a program and its arguments.
        [script] => arguments.push(script.clone()),
        words => arguments.extend(["exec \"$0\" \"$@\"".to_owned()].into_iter().chain(words.iter().cloned())),
    }
    if words.iter().any(|word| word.contains('\n')) {
        return Err(Fault::usage("a command cannot hold a line break")
            .help("separate commands with `;`")
            .into());
    }
    let deadline = context.options.deadline.unwrap_or(context.lab.deadlines.guest);
    let check = JobCheck { arguments, deadline, input: Vec::new() };
    let job = Job { nonce: "0".repeat(32), checks: vec![check] };
    let limits = Limits::new(context.lab.deadlines.boot, deadline + context.lab.deadlines.boot);
    if boot.debugger != Debugger::Off {
        return Err(
            Fault::usage("--gdb and a command do not go together: the boot deadline would end it").into()
        );
    }
    let splats = read_splats(context.lab)?;
    let mut collector = Collector::new(vec![Reading::ExitCode], &splats);
    let transcript = context.folder.join("transcript.bin");
    let ended = converse(boot, &job, &transcript, limits, &mut |frame| {
        match frame.kind {
            FrameType::Output => tell::print_bytes(&frame.payload),
            FrameType::Error => tell::print_error_bytes(&frame.payload),
            _ => {}
        }
        collector.frame(frame);
    })?;
    let said = collector.finish(ended.error.as_ref());
    let how = said.checks.first().and_then(|check| check.dones.first()).map(|done| done.how);
    match how {
        Some(Ended::Exit(code)) => Ok(u8::try_from(code).unwrap_or(u8::MAX)),
        Some(Ended::Signal(signal)) => Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        Some(Ended::Deadline) => {
            let deadline = humantime::format_duration(deadline);
            tell::print_error(&format!(
                "error: the command was killed at its deadline of {deadline}\n  help: --deadline SPAN\n"
            ));
            Ok(fault::EXIT_BOOT)
        }
        Some(Ended::NotStarted(errno)) => {
            anyhow::bail!("the guest's shell could not be started: errno {errno}")
        }
        None => {
            crate::sys::interrupt::check()?;
            let console = read_end(&context.folder.join("console.log"))?;
            let tail = String::from_utf8_lossy(&console).replace("\r\n", "\n");
            let tail = crate::sys::process::tail(&tail, 2000).to_owned();
            tell::print_error(&format!(
                "{tail}\nerror: the guest ended before the command did (QEMU: {}); its last lines are above\n",
                ended.exit
            ));
            Ok(fault::EXIT_BOOT)
        }
    }
}
