// SPDX-License-Identifier: MIT OR Apache-2.0
//! What must come of one call: the filters' answer by the interpreter, and what the kernel makes of it.
//!
//! Source: `__seccomp_filter` in `kernel/seccomp.c`; `do_syscall_64` and `do_int80_syscall_32` in
//! `arch/x86/entry/common.c` for numbers that are in no table.

use std::fmt;

use super::answer::{Outcome, SIGSYS, Seen, Trap};
use super::{Call, Entry, Facts, X32};
use crate::action::{self, Action};
use crate::insn::Op;
use crate::interpret::run_chain;
use crate::program::Program;
use crate::tables::Arch;

/// SIGSEGV on x86: what `int $0x80` gives where nothing listens to it.
const SIGSEGV: u32 = 11;

/// ENOSYS on x86.
const ENOSYS: i64 = 38;

/// `__X32_SYSCALL_BIT`.
pub const X32_BIT: i32 = 0x4000_0000;

/// `si_code` of a SIGSYS that a filter sent.
const SYS_SECCOMP: u32 = 1;

/// What must come of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It returns this.
    Returned(i64),
    /// It returns the pid of its task.
    Pid,
    /// It returns the pid of its task's parent.
    Parent,
    /// It is made. What it does is not known here, but none of these results, which filters could give.
    Made(Vec<i64>),
    /// The task is killed by this signal.
    Killed(u32),
    /// The task gets SIGSYS.
    Trapped(Trap),
    /// The task gets this signal, no filter being asked.
    Signal(u32),
}

/// Calls that do no harm, and whose results are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// `getpid`.
    Pid,
    /// `gettid`, in a task of one thread.
    Tid,
    /// `getppid`.
    Parent,
    /// `getuid`, `getuid32`: root.
    Uid,
}

impl Known {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pid, Self::Tid, Self::Parent, Self::Uid];

    /// The number in `syscall_64.tbl` or `syscall_32.tbl`.
    #[must_use]
    pub const fn nr(self, arch: Arch) -> i32 {
        match (arch, self) {
            (Arch::X86_64, Self::Pid) => 39,
            (Arch::X86_64, Self::Tid) => 186,
            (Arch::X86_64, Self::Parent) => 110,
            (Arch::X86_64, Self::Uid) => 102,
            (Arch::Ia32, Self::Pid) => 20,
            (Arch::Ia32, Self::Tid) => 224,
            (Arch::Ia32, Self::Parent) => 64,
            (Arch::Ia32, Self::Uid) => 199,
        }
    }

    fn expected(self) -> Expected {
        match self {
            Self::Pid | Self::Tid => Expected::Pid,
            Self::Parent => Expected::Parent,
            Self::Uid => Expected::Returned(0),
        }
    }
}

/// What filters answer to a call: exceptions of the kernel counted as filters that allow.
#[must_use]
pub fn filters_say(facts: &Facts, chain: &[Program], call: &Call) -> u32 {
    let excepted = call.entry.arch() == facts.kernel.native.arch
        && facts.kernel.always_allowed_native.iter().any(|nr| *nr == call.nr.cast_unsigned());
    if excepted { action::ALLOW } else { run_chain(chain, &call.data()) }
}

/// What must come of a call.
#[must_use]
pub fn expected(facts: &Facts, chain: &[Program], call: &Call) -> Expected {
    if facts.table(call.entry.arch()).is_none() {
        return Expected::Signal(SIGSEGV);
    }
    match Action::of(filters_say(facts, chain, call)) {
        Action::Allow | Action::Log => made(facts, chain, call),
        Action::Errno(errno) => Expected::Returned(-i64::from(errno)),
        // Nobody traces these calls, and nobody listens to them.
        Action::Trace(_) | Action::UserNotif => Expected::Returned(-ENOSYS),
        Action::KillThread | Action::KillProcess | Action::Unknown(_) => Expected::Killed(SIGSYS),
        Action::Trap(data) => Expected::Trapped(Trap {
            address: call.entry.instruction_pointer(),
            nr: call.nr,
            arch: call.entry.arch().audit(),
            errno: data.into(),
            code: SYS_SECCOMP,
        }),
    }
}

/// What comes of a call that is let through.
fn made(facts: &Facts, chain: &[Program], call: &Call) -> Expected {
    let arch = call.entry.arch();
    let x32 = call.entry == Entry::Syscall && call.nr > 0 && call.nr & X32_BIT != 0;
    let nr = match (x32, facts.x32) {
        (true, X32::Disabled) => return Expected::Returned(-ENOSYS),
        (true, X32::Enabled) => call.nr & !X32_BIT,
        (false, _) => call.nr,
    };
    if let Some(known) = Known::ALL.into_iter().find(|known| known.nr(arch) == nr) {
        return known.expected();
    }
    let in_table = u32::try_from(nr).is_ok_and(|nr| facts.table(arch).is_some_and(|table| nr < table.count));
    // x32 has a few numbers of its own behind the table.
    if in_table || (x32 && nr < 1024) {
        return Expected::Made(errors_in(chain));
    }
    Expected::Returned(-ENOSYS)
}

/// The results that filters of a chain give with ERRNO.
fn errors_in(chain: &[Program]) -> Vec<i64> {
    let returned = chain.iter().flat_map(Program::insns).filter_map(|insn| match insn.op() {
        Some(Op::Return(value)) => match Action::of(value) {
            Action::Errno(errno) => Some(-i64::from(errno)),
            _ => None,
        },
        _ => None,
    });
    returned.collect()
}

impl Expected {
    /// Whether that is what came of it.
    #[must_use]
    pub fn fits(&self, outcome: &Outcome) -> bool {
        match (self, outcome.seen) {
            (Self::Returned(wanted), Seen::Returned(got)) => *wanted == got,
            (Self::Pid, Seen::Returned(got)) => i64::from(outcome.pid) == got,
            (Self::Parent, Seen::Returned(got)) => i64::from(outcome.parent) == got,
            (Self::Made(not), Seen::Returned(got)) => !not.contains(&got),
            (Self::Made(_), Seen::Exited(_) | Seen::Signal(_)) => true,
            (Self::Made(_), Seen::Killed(signal)) => signal != SIGSYS,
            (Self::Killed(wanted), Seen::Killed(got)) | (Self::Signal(wanted), Seen::Signal(got)) => {
                *wanted == got
            }
            (Self::Trapped(wanted), Seen::Trapped(got)) => *wanted == got,
            _ => false,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(value) => write!(f, "{}", Seen::Returned(*value)),
            Self::Pid => f.write_str("its pid"),
            Self::Parent => f.write_str("the pid of its parent"),
            Self::Made(_) => f.write_str("a result that no filter gives"),
            Self::Killed(signal) => write!(f, "{}", Seen::Killed(*signal)),
            Self::Trapped(trap) => write!(f, "{}", Seen::Trapped(*trap)),
            Self::Signal(signal) => write!(f, "{}", Seen::Signal(*signal)),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(value @ -4095..0) => write!(f, "errno {}", -value),
            Self::Returned(value) => write!(f, "{value}"),
            Self::Killed(signal) => write!(f, "killed by signal {signal}"),
            Self::Trapped(trap) => write!(
                f,
                "SIGSYS for number {} on {:#x} at {:#x}, errno {}, code {}",
                trap.nr, trap.arch, trap.address, trap.errno, trap.code
            ),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Exited(code) => write!(f, "exit with code {code}"),
            Self::Hung => f.write_str("no end in time"),
        }
    }
}
