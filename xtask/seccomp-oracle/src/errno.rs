// SPDX-License-Identifier: MIT OR Apache-2.0
//! The error numbers that attaching a filter or reading the dump can give (`include/uapi/asm-generic/errno-base.h`).

/// No memory: the kernel's answer to a chain that is too long in all.
pub const ENOMEM: u16 = 12;
/// Invalid argument: the kernel's answer to a program that its checker refuses.
pub const EINVAL: u16 = 22;

/// An error number as people read it: `22 (EINVAL)`, or the bare number where it is not one that is expected here.
#[must_use]
pub fn describe(errno: u32) -> String {
    let name = match errno {
        1 => "EPERM",
        2 => "ENOENT",
        3 => "ESRCH",
        4 => "EINTR",
        5 => "EIO",
        9 => "EBADF",
        10 => "ECHILD",
        11 => "EAGAIN",
        12 => "ENOMEM",
        13 => "EACCES",
        14 => "EFAULT",
        16 => "EBUSY",
        22 => "EINVAL",
        24 => "EMFILE",
        38 => "ENOSYS",
        _ => return errno.to_string(),
    };
    format!("{errno} ({name})")
}
