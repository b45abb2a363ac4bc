// SPDX-License-Identifier: MIT OR Apache-2.0
//! Facts about a source that models need, found in the tree and never by its version.

use anyhow::{Context as _, Result};
use seccomp_oracle::tables::{Arch as TableArch, Kernel, count_from_tbl};
use seccomp_oracle::tree::{filters_freed, names_tables};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::lab::kernel::Arch;
use crate::run::source::Source;

/// Facts about a source that models need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeFacts {
    /// Numbers of the 64-bit table.
    pub x86_64: Option<u32>,
    /// Numbers of the 32-bit table.
    pub ia32: Option<u32>,
    /// Native numbers that seccomp always allows.
    pub always_allowed: Vec<u32>,
    /// Whether the tree has the cache, on x86.
    pub has_cache: bool,
    /// When a task's filters are freed, in the guest programs' words: `task` or `exit`.
    pub filters_freed: Option<String>,
}

/// Whether a kernel runs 32-bit programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ia32 {
    /// It is a 32-bit kernel, or has `CONFIG_IA32_EMULATION`.
    Runs,
    /// It has not.
    Lacks,
}

impl Ia32 {
    /// The guest programs' word for it.
    fn word(self) -> &'static str {
        match self {
            Ia32::Runs => "yes",
            Ia32::Lacks => "no",
        }
    }
}

impl TreeFacts {
    /// Looks into the tree.
    ///
    /// # Errors
    /// If git cannot be started.
    pub fn find(source: &Source) -> Result<Self> {
        let file = |path: &str| source.imported.git.file(&source.tree, path);
        let count = |path: &str, arch| -> Result<Option<u32>> {
            Ok(file(path)?.and_then(|text| count_from_tbl(&text, arch)))
        };
        let table_64 = file("arch/x86/entry/syscalls/syscall_64.tbl")?.unwrap_or_default();
        let seccomp = file("kernel/seccomp.c")?.unwrap_or_default();
        // The exception names the calls in seccomp.c; their numbers are in the table.
        let excepted = ["uretprobe", "uprobe"]
            .iter()
            .filter(|name| seccomp.contains(&format!("__NR_{name}")))
            .filter_map(|name| number_of(&table_64, name));
        Ok(Self {
            x86_64: count("arch/x86/entry/syscalls/syscall_64.tbl", TableArch::X86_64)?,
            ia32: count("arch/x86/entry/syscalls/syscall_32.tbl", TableArch::Ia32)?,
            always_allowed: excepted.collect(),
            has_cache: names_tables(&file("arch/x86/include/asm/seccomp.h")?.unwrap_or_default()),
            filters_freed: file("kernel/exit.c")?
                .and_then(|text| filters_freed(&text))
                .map(|freed| freed.word().to_owned()),
        })
    }

    /// An argument of a check's program, with what the tree says in place of `{filters_freed}`, and what
    /// the kernel can in place of `{ia32}`.
    ///
    /// # Errors
    /// If the tree does not say, or nothing is known by that name.
    pub fn argument(&self, text: &str, ia32: Ia32) -> Result<String> {
        let Some((before, rest)) = text.split_once('{') else {
            return Ok(text.to_owned());
        };
        let fact = match rest.split_once('}') {
            Some(("filters_freed", after)) => self.filters_freed.as_deref().map(|word| (word, after)),
            Some(("ia32", after)) => Some((ia32.word(), after)),
            _ => {
                return Err(Fault::usage(format!("argument `{text}` of a check: unknown placeholder"))
                    .help("in configs/lab.toml: only {filters_freed} and {ia32} are known")
                    .into());
            }
        };
        let (word, after) = fact.with_context(|| {
            format!("argument `{text}` of a check: kernel/exit.c does not tell when filters are freed")
        })?;
        Ok(format!("{before}{word}{after}"))
    }

    /// The tables of a kernel of this source.
    ///
    /// # Errors
    /// If the tree has not the table that the kernel needs.
    pub fn kernel(&self, arch: Arch, has_compat: bool) -> Result<Kernel> {
        let missing = |table: &str| format!("the tree has no readable {table}");
        let ia32 = self.ia32.with_context(|| missing("syscall_32.tbl"));
        Ok(match arch {
            Arch::I386 => Kernel::native(TableArch::Ia32, ia32?),
            Arch::X86_64 => {
                let count = self.x86_64.with_context(|| missing("syscall_64.tbl"))?;
                let kernel =
                    Kernel::native(TableArch::X86_64, count).with_always_allowed(&self.always_allowed);
                if has_compat { kernel.with_compat(TableArch::Ia32, ia32?) } else { kernel }
            }
        })
    }
}

/// The number of a call in a system call table.
fn number_of(table: &str, name: &str) -> Option<u32> {
    table.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (number, _abi) = (words.next()?, words.next()?);
        (words.next()? == name).then(|| number.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_says_what_the_tree_says() {
        let facts = TreeFacts {
            x86_64: None,
            ia32: None,
            always_allowed: Vec::new(),
            has_cache: true,
            filters_freed: Some("exit".into()),
        };
        assert_eq!(facts.argument("-t", Ia32::Runs).unwrap(), "-t");
        assert_eq!(facts.argument("--freed={filters_freed}", Ia32::Runs).unwrap(), "--freed=exit");
        assert_eq!(facts.argument("--ia32={ia32}", Ia32::Runs).unwrap(), "--ia32=yes");
        assert_eq!(facts.argument("--ia32={ia32}", Ia32::Lacks).unwrap(), "--ia32=no");
        for wrong in ["{filters}", "{filters_freed", "{"] {
            assert!(facts.argument(wrong, Ia32::Runs).is_err(), "{wrong}");
        }
        let unknown = TreeFacts { filters_freed: None, ..facts };
        let said = unknown.argument("--freed={filters_freed}", Ia32::Runs).unwrap_err().to_string();
        assert!(said.contains("kernel/exit.c"), "{said}");
    }
}
