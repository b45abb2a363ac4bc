// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests whose instructions are counted: what their boot needs, and what QEMU's plugin left.

use std::path::PathBuf;

use anyhow::Result;
use fs_err as fs;

use crate::fault::Fault;
use crate::parse::sections::{self, Sections};
use crate::run::context::{ClockChoice, Context, Counted};
use crate::run::functions::Functions;
use crate::run::plugin::plugin;
use crate::run::ready::Ready;
use crate::vm::machine::{Clock, Counter};

/// What the guest's time is made of.
///
/// # Errors
/// A usage fault for a kernel without symbols; a plugin that does not compile.
pub fn clock(context: &Context<'_>, ready: &Ready, out: PathBuf) -> Result<Clock> {
    Ok(match context.options.clock {
        ClockChoice::Host => Clock::Host,
        ClockChoice::Instructions(Counted { by_address, .. }) => {
            let vmlinux = ready.kernel.vmlinux.as_ref().ok_or_else(|| {
                Fault::usage(
                    "instructions are counted with the symbols of the kernel, and it was given as an image",
                )
                .help("give the vmlinux: --kernel FILE")
            })?;
            let functions = Functions::read(vmlinux)?;
            Clock::Instructions(Counter {
                plugin: plugin(context)?,
                out,
                by_address,
                interrupts: functions.interrupts()?,
            })
        }
    })
}

/// The functions of the kernel, where instructions are told apart by them.
///
/// # Errors
/// If the kernel's file cannot be read.
pub fn functions(context: &Context<'_>, ready: &Ready) -> Result<Option<Functions>> {
    let by_address =
        matches!(context.options.clock, ClockChoice::Instructions(Counted { by_address: true, .. }));
    ready.kernel.vmlinux.as_ref().filter(|_| by_address).map(|path| Functions::read(path)).transpose()
}

/// What the plugin has counted; nothing where instructions are not, or where QEMU's plugin was not there: that is
/// said where the figures are wanted.
///
/// # Errors
/// If its file cannot be read.
pub fn sections(clock: &Clock) -> Result<Option<Sections>> {
    let Clock::Instructions(counter) = clock else { return Ok(None) };
    match fs::read(&counter.out) {
        Ok(text) => Ok(Some(sections::parse(&String::from_utf8_lossy(&text)))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
