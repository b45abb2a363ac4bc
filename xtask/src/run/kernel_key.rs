// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys of requests for a kernel: what decides it, before git and make have run.

use anyhow::Result;
use fs_err as fs;

use crate::lab::kernel::KernelConfig;
use crate::plan::key::{Key, KeyBuilder};
use crate::plan::work::KernelWork;
use crate::run::compiler;
use crate::run::context::Context;
use crate::run::kernel_tree::DOCUMENTATION_OPTIONS;
use crate::run::source::Source;

/// The key of a request for a kernel: everything that decides it, as far as it is known before a build.
///
/// # Errors
/// A kernel config that there is not; a compiler that does not say what it is.
pub fn request(context: &Context<'_>, source: &Source, work: &KernelWork) -> Result<Key> {
    let config = context.lab.kernel(&work.id)?;
    Ok(request_key(context, source, config, work, &toolchain(context, config)?))
}

/// Which tools make a kernel of this config, as they say of themselves.
///
/// # Errors
/// A compiler that does not say what it is.
pub fn toolchain(context: &Context<'_>, config: &KernelConfig) -> Result<String> {
    let mut said = vec![context.toolchain.identity()];
    said.extend(compiler::named_by(&config.make)?);
    Ok(said.join("\n"))
}

/// Everything that decides the kernel, as far as it is known before git and make have run.
pub fn request_key(
    context: &Context<'_>,
    source: &Source,
    config: &KernelConfig,
    work: &KernelWork,
    toolchain: &str,
) -> Key {
    let key =
        KeyBuilder::new("kernel request").part("tree", &source.imported.tree).parts("patch", &source.patches);
    asked(context, config, work, toolchain, key)
}

/// What decides the kernel as [`request_key`] says, but for what no kernel depends on: other patches that come to the
/// same code, or that change documentation or tests alone, are the same request.
///
/// # Errors
/// If git cannot read the tree.
pub fn alike_key(
    context: &Context<'_>,
    source: &Source,
    config: &KernelConfig,
    work: &KernelWork,
    toolchain: &str,
) -> Result<Key> {
    let options = source.imported.git.file(&source.tree, DOCUMENTATION_OPTIONS)?;
    let key = KeyBuilder::new("kernel request by its code")
        .part("tree", &source.kernel_tree)
        .part("documentation", options.unwrap_or_default());
    Ok(asked(context, config, work, toolchain, key))
}

/// The key of a source, with all that is asked of its kernel.
fn asked(
    context: &Context<'_>,
    config: &KernelConfig,
    work: &KernelWork,
    toolchain: &str,
    source: KeyBuilder,
) -> Key {
    let base_file = context.lab.root.join("configs/kernel").join(&config.base);
    let key = source.part("base file", fs::read(base_file).unwrap_or_default()).part("toolchain", toolchain);
    work.asked(key, config, context.lab.boot_image(&work.id)).finish()
}
