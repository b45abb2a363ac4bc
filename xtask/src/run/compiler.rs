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
    /// Digests of the C libraries that guest programs are linked with, 64 and 32 bits.
    pub libc: String,
}

impl Toolchain {
    /// Asks the host's tools.
    ///
    /// # Errors
    /// An infra fault if one is missing.
    pub fn ask() -> Result<Self> {
        let (compiler, linker, make) = (first_line("gcc")?, first_line("ld")?, first_line("make")?);
        let libc = format!("{} {}", libc_digest("-m64")?, libc_digest("-m32")?);
        Ok(Self { compiler, linker, make, libc })
    }

    /// Everything that decides the bytes of a static program.
    pub fn program_identity(&self) -> String {
        format!("{}\nlibc {}", self.identity(), self.libc)
    }

    /// Everything of it that decides the bytes of a kernel.
    pub fn identity(&self) -> String {
        format!("{}\n{}\n{}", self.compiler, self.linker, self.make)
    }
}

/// The digest of the static C library; empty where there is none, and nothing will link.
fn libc_digest(bits: &str) -> Result<String> {
    let mut asking = command("gcc");
    asking.args([bits, "-print-file-name=libc.a"]);
    let said = capture(asking, "finding libc.a", Duration::from_secs(20), b"")?.text();
    let path = std::path::Path::new(said.trim());
    if path.is_absolute() && path.is_file() {
        crate::run::digests::file_digest(path)
    } else {
        Ok(String::new())
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
