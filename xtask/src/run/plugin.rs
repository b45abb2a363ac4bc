// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plugin of QEMU's that counts instructions: `guest/plugin/count.c`, compiled on demand.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use crate::plan::key::KeyBuilder;
use crate::run::cache::{Found, Kind};
use crate::run::context::Context;
use crate::sys::process::{capture, command};

/// Its source, from the top of the lab's checkout.
const SOURCE: &str = "guest/plugin/count.c";

/// What it includes.
const HEADER: &str = "guest/plugin/qemu_plugin.h";

/// Its name in the cache.
const NAME: &str = "count.so";

const FLAGS: [&str; 7] = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden"];

const COMPILE_DEADLINE: Duration = Duration::from_secs(60);

/// The plugin, from the cache or compiled.
///
/// # Errors
/// If it does not compile.
pub fn plugin(context: &Context<'_>) -> Result<PathBuf> {
    let source = context.lab.root.join(SOURCE);
    let key = KeyBuilder::new("plugin")
        .part("source", fs::read(&source)?)
        .part("header", fs::read(context.lab.root.join(HEADER))?)
        .parts("flag", FLAGS)
        .part("toolchain", context.toolchain.program_identity())
        .finish();
    let _lock = context.lock(&context.cache.root().join("plugin.lock"), "QEMU's plugin")?;
    if let Found::Whole(folder) = context.cache.find(Kind::Program, &key)? {
        return Ok(folder.join(NAME));
    }
    let made = context.cache.temporary()?;
    let mut gcc = command("gcc");
    gcc.args(FLAGS).arg(&source).arg("-o").arg(made.path().join(NAME));
    capture(gcc, "compiling QEMU's plugin", COMPILE_DEADLINE, b"")?.success("gcc")?;
    Ok(context.cache.store(Kind::Program, &key, made)?.join(NAME))
}
