// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a filter can answer (`SECCOMP_RET_*`, `include/uapi/linux/seccomp.h`).

use std::fmt;

/// `SECCOMP_RET_KILL_PROCESS`.
pub const KILL_PROCESS: u32 = 0x8000_0000;
/// `SECCOMP_RET_KILL_THREAD`.
pub const KILL_THREAD: u32 = 0x0000_0000;
/// `SECCOMP_RET_TRAP`.
pub const TRAP: u32 = 0x0003_0000;
/// `SECCOMP_RET_ERRNO`.
pub const ERRNO: u32 = 0x0005_0000;
/// `SECCOMP_RET_USER_NOTIF`.
pub const USER_NOTIF: u32 = 0x7fc0_0000;
/// `SECCOMP_RET_TRACE`.
pub const TRACE: u32 = 0x7ff0_0000;
/// `SECCOMP_RET_LOG`.
pub const LOG: u32 = 0x7ffc_0000;
/// `SECCOMP_RET_ALLOW`.
pub const ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_ACTION_FULL`: the part of a return value that is the action.
pub const ACTION_FULL: u32 = 0xffff_0000;
/// `SECCOMP_RET_DATA`: the part of a return value that is data for the action.
pub const DATA: u32 = 0x0000_ffff;

/// `MAX_ERRNO` (`include/linux/err.h`): larger error numbers are cut to it (`__seccomp_filter`).
pub const MAX_ERRNO: u16 = 4095;

/// A return value, decoded as `__seccomp_filter` in `kernel/seccomp.c` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Kill the process.
    KillProcess,
    /// Kill the thread.
    KillThread,
    /// Send SIGSYS, with this data.
    Trap(u16),
    /// Fail with this error number, already cut to [`MAX_ERRNO`].
    Errno(u16),
    /// Ask the listener.
    UserNotif,
    /// Ask the tracer, with this data.
    Trace(u16),
    /// Allow, after logging.
    Log,
    /// Allow.
    Allow,
    /// Not an action that is known: the kernel kills the process.
    Unknown(u32),
}

impl Action {
    /// The action of a filter's return value.
    #[must_use]
    pub fn of(value: u32) -> Self {
        let [low, high, ..] = value.to_le_bytes();
        let data = u16::from_le_bytes([low, high]);
        match value & ACTION_FULL {
            KILL_PROCESS => Self::KillProcess,
            KILL_THREAD => Self::KillThread,
            TRAP => Self::Trap(data),
            ERRNO => Self::Errno(data.min(MAX_ERRNO)),
            USER_NOTIF => Self::UserNotif,
            TRACE => Self::Trace(data),
            LOG => Self::Log,
            ALLOW => Self::Allow,
            _ => Self::Unknown(value),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillProcess => f.write_str("KILL_PROCESS"),
            Self::KillThread => f.write_str("KILL_THREAD"),
            Self::Trap(data) => write!(f, "TRAP({data})"),
            Self::Errno(errno) => write!(f, "ERRNO({errno})"),
            Self::UserNotif => f.write_str("USER_NOTIF"),
            Self::Trace(data) => write!(f, "TRACE({data})"),
            Self::Log => f.write_str("LOG"),
            Self::Allow => f.write_str("ALLOW"),
            Self::Unknown(value) => write!(f, "unknown action {value:#010x}"),
        }
    }
}

/// A return value in words, with the data bits that the action does not use: `ALLOW`, `ALLOW with data 0x1`.
#[must_use]
pub fn describe(value: u32) -> String {
    let action = Action::of(value);
    let data = value & DATA;
    match action {
        Action::Trap(_) | Action::Trace(_) | Action::Unknown(_) => action.to_string(),
        Action::Errno(errno) if u32::from(errno) == data => action.to_string(),
        _ if data == 0 => action.to_string(),
        _ => format!("{action} with data {data:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_like_the_kernel() {
        let decoded = [
            (0x8000_0000, Action::KillProcess),
            (0x0000_0000, Action::KillThread),
            (0x0000_0007, Action::KillThread),
            (0x0003_0007, Action::Trap(7)),
            (0x0005_0063, Action::Errno(99)),
            (0x0005_ffff, Action::Errno(4095)),
            (0x7fc0_0000, Action::UserNotif),
            (0x7ff0_0001, Action::Trace(1)),
            (0x7ffc_0000, Action::Log),
            (0x7fff_0000, Action::Allow),
            (0x7fff_0001, Action::Allow),
            (0xffff_0000, Action::Unknown(0xffff_0000)),
            (0x0004_0000, Action::Unknown(0x0004_0000)),
        ];
        for (value, action) in decoded {
            assert_eq!(Action::of(value), action, "{value:#x}");
        }
    }

    #[test]
    fn names_data_that_the_action_does_not_use() {
        assert_eq!(describe(ALLOW), "ALLOW");
        assert_eq!(describe(ALLOW | 1), "ALLOW with data 0x1");
        assert_eq!(describe(ERRNO | 0x63), "ERRNO(99)");
        assert_eq!(describe(ERRNO | 0xffff), "ERRNO(4095) with data 0xffff");
        assert_eq!(describe(0x0004_0000), "unknown action 0x00040000");
    }
}
