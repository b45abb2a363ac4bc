// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cross toolchains: Debian's, unpacked into the cache and never installed.

use std::ffi::OsString;

use anyhow::{Context as _, Result};

use crate::lab::static_check::CrossTools;
use crate::plan::key::KeyBuilder;
use crate::run::context::Context;
use crate::run::unpacked::Unpacked;

/// A toolchain that can be used.
pub(super) struct Tools<'a> {
    /// As `lab.toml` declares it.
    pub(super) declared: &'a CrossTools,
    package: Unpacked,
}

impl Tools<'_> {
    /// What a child's environment needs so that it finds the compiler and the compiler its parts.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut path = self.package.folder().join("usr/bin").into_os_string();
        if let Some(own) = std::env::var_os("PATH") {
            path.push(":");
            path.push(own);
        }
        let libraries = self.package.folder().join("usr/lib/x86_64-linux-gnu").into_os_string();
        vec![("PATH", path), ("LD_LIBRARY_PATH", libraries)]
    }

    /// The versions of its packages, one a line.
    ///
    /// # Errors
    /// If the folder is damaged.
    pub(super) fn versions(&self) -> Result<String> {
        self.package.version()
    }

    /// Sees to it that the tools are what was unpacked, before they make anything.
    ///
    /// # Errors
    /// Infra faults of fetching.
    pub(super) fn see_to(&self, context: &Context<'_>) -> Result<()> {
        self.package.whole(context).map(|_| ())
    }

    /// What make is told.
    pub(super) fn make_words(&self) -> Vec<String> {
        vec![format!("ARCH={}", self.declared.arch), format!("CROSS_COMPILE={}", self.declared.prefix)]
    }
}

/// The toolchain of a name, fetched if it is not there.
///
/// # Errors
/// Infra faults of fetching.
pub(super) fn tools<'a>(context: &'a Context<'_>, name: &str) -> Result<Tools<'a>> {
    let declared = context.lab.cross.get(name).with_context(|| format!("no cross toolchain `{name}`"))?;
    let packages = &declared.packages;
    let digest = KeyBuilder::new("cross, with versions").parts("package", packages).finish();
    let name = format!("cross-{name}-{}", digest.short());
    let package = Unpacked::together(context, &name, packages, "amd64")
        .with_context(|| format!("fetching the cross compiler {}gcc", declared.prefix))?;
    Ok(Tools { declared, package })
}
