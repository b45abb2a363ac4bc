// SPDX-License-Identifier: MIT OR Apache-2.0
//! KVM: whether it can run a guest here is found out by running one.
//!
//! A `/dev/kvm` that opens, and even runs a stub, may still hang with a real kernel.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::plan::key::KeyBuilder;
use crate::record::model::Host;
use crate::run::context::{AccelChoice, ClockChoice, Context};
use crate::run::event::{Cached, Step};
use crate::sys::process::Exit;
use crate::vm::frame::FrameType;
use crate::vm::machine::{Accel, Boot};
use crate::vm::session::{Conversation, Job, Limits, converse};

/// The accelerator of a guest, and why that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Which.
    pub accel: Accel,
    /// Why.
    pub reason: String,
}

/// What a probe found.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Answer {
    /// A guest booted under KVM.
    Works,
    /// It did not, and did under emulation.
    Trouble(String),
    /// It booted under neither: that is the kernel's fault, and says nothing of KVM.
    Unknown,
}

/// Chooses the accelerator for a boot; the boot itself serves as the probe.
///
/// # Errors
/// An infra fault if KVM was asked for and does not work.
pub fn choose(context: &Context<'_>, host: &Host, boot: &Boot) -> Result<Chosen> {
    let tcg = |reason: String| Chosen { accel: Accel::Tcg, reason };
    if context.options.clock != ClockChoice::Host {
        return Ok(tcg("instructions are counted".into()));
    }
    match context.options.accel {
        AccelChoice::Tcg => Ok(tcg("--accel tcg".into())),
        choice => match trouble(context, host, boot)? {
            Answer::Unknown if choice == AccelChoice::Auto => {
                Ok(tcg("no KVM: this kernel, which boots under neither, cannot tell whether it works".into()))
            }
            Answer::Unknown => Ok(Chosen { accel: Accel::Kvm, reason: "--accel kvm".into() }),
            Answer::Works => Ok(Chosen { accel: Accel::Kvm, reason: "a guest booted under KVM".into() }),
            Answer::Trouble(trouble) if choice == AccelChoice::Auto => Ok(tcg(format!("no KVM: {trouble}"))),
            Answer::Trouble(trouble) => Err(Fault::infra(format!("--accel kvm: {trouble}"))
                .help("run with --accel tcg, or on another host")
                .into()),
        },
    }
}

/// What keeps KVM from working, asked once a host kernel, QEMU, CPU and machine.
fn trouble(context: &Context<'_>, host: &Host, boot: &Boot) -> Result<Answer> {
    let device = Path::new("/dev/kvm");
    if !device.exists() {
        return Ok(Answer::Trouble("/dev/kvm is not there".into()));
    }
    if let Err(error) = std::fs::File::options().read(true).write(true).open(device) {
        return Ok(Answer::Trouble(format!("/dev/kvm cannot be opened: {error}")));
    }
    let request = KeyBuilder::new("kvm probe")
        .part("kernel", &host.kernel)
        .part("qemu", &host.qemu)
        .part("cpu", &host.cpu)
        .part("arch", boot.arch.make_name())
        .part("machine", &boot.machine.machine)
        .part("cpus", boot.machine.cpus.to_string())
        .finish();
    let _lock = context.lock(&context.cache.root().join("kvm.lock"), "the KVM probe")?;
    if let Some(answer) = context.answer(&request) {
        return Ok(answer);
    }
    let timer = context.timer(Step::Probe, "kvm");
    context.announce(&timer, "booting a kernel under KVM");
    let answer = match probe(context, boot, Accel::Kvm)? {
        None => Answer::Works,
        Some(trouble) if probe(context, boot, Accel::Tcg)?.is_none() => Answer::Trouble(trouble),
        Some(_) => Answer::Unknown,
    };
    let told = match &answer {
        Answer::Works => "KVM works".to_owned(),
        Answer::Trouble(trouble) => trouble.clone(),
        Answer::Unknown => "the kernel boots under neither KVM nor emulation".to_owned(),
    };
    if !matches!(answer, Answer::Unknown) {
        context.cache.keep_answer(&request, &answer)?;
    }
    context.done(timer, told, Cached::No);
    Ok(answer)
}

/// Boots a real kernel to our init, and says why it did not get there.
fn probe(context: &Context<'_>, boot: &Boot, accel: Accel) -> Result<Option<String>> {
    let scratch = context.cache.temporary()?;
    let console = scratch.path().join("console.log");
    let boot = Boot { accel, console: crate::vm::machine::Console::File(console.clone()), ..boot.clone() };
    let deadline = context.lab.deadlines.kvm_probe;
    let limits = Limits::new(deadline, deadline);
    let job = Job { nonce: "0".repeat(32), checks: Vec::new() };
    let mut has_ended = false;
    let ended = converse(&boot, &job, &scratch.path().join("transcript"), limits, &mut |frame| {
        has_ended |= frame.kind == FrameType::End;
    })?;
    crate::sys::interrupt::check()?;
    if has_ended {
        return Ok(None);
    }
    let lines =
        fs::read(&console).map(|bytes| bytes.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(0);
    Ok(Some(explain(&ended, lines, deadline)))
}

fn explain(ended: &Conversation, lines: usize, deadline: std::time::Duration) -> String {
    let said = ended.qemu_said.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim();
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    match ended.exit {
        Exit::Deadline => {
            format!(
                "a guest did not boot under it within {} s ({lines} console lines){said}",
                deadline.as_secs()
            )
        }
        exit => format!("QEMU ended with {exit} after {lines} console lines{said}"),
    }
}
