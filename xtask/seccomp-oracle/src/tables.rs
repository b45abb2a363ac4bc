// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which system call numbers a kernel caches, and under which names it shows them.
//!
//! Source: the `SECCOMP_ARCH_*` macros of patch 3 (`arch/x86/include/asm/seccomp.h`), `AUDIT_ARCH_*`
//! (`include/uapi/linux/audit.h`), and the tables in `arch/x86/entry/syscalls/`.

use std::fmt;

/// An architecture of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86, natively or as the compat architecture.
    Ia32,
}

impl Arch {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Ia32];

    /// `AUDIT_ARCH_X86_64`, `AUDIT_ARCH_I386`.
    #[must_use]
    pub const fn audit(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::Ia32 => 0x4000_0003,
        }
    }

    /// The name in the dump.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Ia32 => "ia32",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The numbers of one architecture: 0 up to `count`, holes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The architecture.
    pub arch: Arch,
    /// How many numbers there are (`NR_syscalls`, `IA32_NR_syscalls`).
    pub count: u32,
}

/// What the cache of one kernel covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// The native architecture, shown first.
    pub native: Table,
    /// The compat architecture, where there is one.
    pub compat: Option<Table>,
    /// Native numbers that are always allowed, whatever the filter says. Empty but for kernels with the uprobe
    /// exception, where it is 335 and 336 (`uretprobe`, `uprobe`).
    pub always_allowed_native: Vec<u32>,
}

impl Kernel {
    /// A kernel that caches one architecture only.
    #[must_use]
    pub fn native(arch: Arch, count: u32) -> Self {
        Self { native: Table { arch, count }, compat: None, always_allowed_native: Vec::new() }
    }

    /// The same kernel with a compat architecture.
    #[must_use]
    pub fn with_compat(self, arch: Arch, count: u32) -> Self {
        Self { compat: Some(Table { arch, count }), ..self }
    }

    /// The same kernel with native numbers that are always allowed.
    #[must_use]
    pub fn with_always_allowed(self, numbers: &[u32]) -> Self {
        Self { always_allowed_native: numbers.to_vec(), ..self }
    }

    /// The tables in the order in which they are shown.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        [Some(self.native), self.compat].into_iter().flatten()
    }
}

/// The count of numbers that `syscall_64.tbl` or `syscall_32.tbl` makes: the highest number of the architecture, plus
/// one. The ABI `x32` does not count: its legacy numbers from 512 on lie outside the bitmap.
///
/// `None` where the text holds no number, or a line that is no table line: a table that is not understood must not be
/// taken for a short one.
#[must_use]
pub fn count_from_tbl(text: &str, arch: Arch) -> Option<u32> {
    let mut highest = None;
    for line in text.lines() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        let mut words = entry.split_ascii_whitespace();
        let number: u32 = words.next()?.parse().ok()?;
        let abi = words.next()?;
        words.next()?;
        match (arch, abi) {
            (Arch::X86_64, "common" | "64") | (Arch::Ia32, "i386") => highest = highest.max(Some(number)),
            (Arch::X86_64, "x32") => {}
            _ => return None,
        }
    }
    highest?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TBL_64: &str = "\
# comment
0\tcommon\tread\t\t\tsys_read
19\t64\treadv\t\t\tsys_readv

440\tcommon\tprocess_madvise\t\tsys_process_madvise
# Do not add numbers here.
512\tx32\trt_sigaction\t\tcompat_sys_rt_sigaction
547\tx32\tpwritev2\t\tcompat_sys_pwritev64v2
17\t64\tpread64\t\t\tsys_pread64  # out of order
";

    #[test]
    fn x32_does_not_count() {
        assert_eq!(count_from_tbl(TBL_64, Arch::X86_64), Some(441));
    }

    #[test]
    fn counts_32_bit_entries() {
        let text = "0\ti386\trestart_syscall\tsys_restart_syscall\n221\ti386\tfcntl64\tsys_fcntl64\tcompat_sys_fcntl64\n";
        assert_eq!(count_from_tbl(text, Arch::Ia32), Some(222));
        let without_entry_point = "222\ti386\tunused\n";
        assert_eq!(count_from_tbl(without_entry_point, Arch::Ia32), Some(223));
    }

    #[test]
    fn what_is_no_table_has_no_count() {
        for text in
            ["", "# nothing\n\n", "0\tcommon\n", "x\tcommon\tread\n", "-1\tcommon\tread\n", "0\tarm\tread\n"]
        {
            assert_eq!(count_from_tbl(text, Arch::X86_64), None, "{text:?}");
        }
        assert_eq!(count_from_tbl(TBL_64, Arch::Ia32), None);
        assert_eq!(count_from_tbl("4294967295\ti386\tx\n", Arch::Ia32), None);
    }
}
