// SPDX-License-Identifier: MIT OR Apache-2.0
//! Oracles: what a guest program is asked, and what the model says of its answer.
//!
//! The only place where the engine meets the model of the seccomp cache.

use anyhow::{Context as _, Result};
use seccomp_oracle::cases::{cases, request};
use seccomp_oracle::judge::{Status, judge};
use seccomp_oracle::tables::{Arch as TableArch, Kernel, count_from_tbl};
use serde::{Deserialize, Serialize};

use crate::lab::check::OracleName;
use crate::lab::kernel::Arch;
use crate::record::model::{CheckStatus, SubRecord};
use crate::run::source::Source;

/// Facts about a source that models need, found in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeFacts {
    /// Numbers of the 64-bit table.
    pub x86_64: Option<u32>,
    /// Numbers of the 32-bit table.
    pub ia32: Option<u32>,
    /// Native numbers that seccomp always allows.
    pub always_allowed: Vec<u32>,
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
        })
    }

    fn kernel(&self, arch: Arch, has_compat: bool) -> Result<Kernel> {
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

/// What the guest program reads on its standard input.
///
/// # Errors
/// If the model's own cases do not fit the format.
pub fn input(oracle: OracleName) -> Result<Vec<u8>> {
    match oracle {
        OracleName::SeccompCache => {
            request(&cases()).map_err(|error| anyhow::anyhow!("writing the chains of the model: {error:?}"))
        }
    }
}

/// What the model says of an answer.
///
/// # Errors
/// If the tree lacks a table that the model needs.
pub fn verdicts(
    oracle: OracleName,
    facts: &TreeFacts,
    arch: Arch,
    has_compat: bool,
    answer: &[u8],
) -> Result<Vec<SubRecord>> {
    let OracleName::SeccompCache = oracle;
    let kernel = facts.kernel(arch, has_compat)?;
    let verdicts = judge(&kernel, &cases(), answer);
    let record = |(ordinal, verdict): (u32, seccomp_oracle::judge::SubVerdict)| SubRecord {
        path: vec![verdict.name],
        ordinal,
        status: match verdict.status {
            Status::Pass => CheckStatus::Pass,
            Status::Fail => CheckStatus::Fail,
            Status::NotRun => CheckStatus::NotRun,
        },
        reason: verdict.message.unwrap_or_default(),
    };
    Ok((1..).zip(verdicts).map(record).collect())
}
