// SPDX-License-Identifier: MIT OR Apache-2.0
//! The toolchain: which compiler and linker, as they say of themselves.

use std::time::Duration;

use anyhow::Result;

use crate::sys::process::{capture, command};

/// What builds kernels and programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// First line of `gcc --version`.
    pub compiler: String,
    /// First line of `ld --version`.
    pub linker: String,
    /// First line of `make --version`.
    pub make: String,
}

impl Toolchain {
    /// Asks the host's tools.
    ///
    /// # Errors
    /// An infra fault if one is missing.
    pub fn ask() -> Result<Self> {
        Ok(Self { compiler: first_line("gcc")?, linker: first_line("ld")?, make: first_line("make")? })
    }

    /// Everything of it that decides bytes.
    pub fn identity(&self) -> String {
        format!("{}\n{}\n{}", self.compiler, self.linker, self.make)
    }
}

fn first_line(program: &str) -> Result<String> {
    let mut asking = command(program);
    asking.arg("--version");
    let what = format!("{program} --version");
    let said = capture(asking, &what, Duration::from_secs(20), b"")?.success(&what)?.text();
    Ok(said.lines().next().unwrap_or("").to_owned())
}

/// Asks the tools that a kernel config names itself: `CC=clang`, `LLVM=1`, `CROSS_COMPILE=x-`.
///
/// # Errors
/// An infra fault if one is missing.
pub fn named_by(make_words: &[String]) -> Result<Vec<String>> {
    let mut said = Vec::new();
    for word in make_words {
        let program = match word.split_once('=') {
            Some(("LLVM", "0")) => continue,
            Some(("LLVM", suffix)) if suffix.starts_with('-') => format!("clang{suffix}"),
            Some(("LLVM", _)) => "clang".to_owned(),
            Some(("CROSS_COMPILE", prefix)) => format!("{prefix}gcc"),
            Some(("CC" | "LD" | "HOSTCC", program)) => program.to_owned(),
            _ => continue,
        };
        said.push(first_line(&program)?);
    }
    Ok(said)
}
