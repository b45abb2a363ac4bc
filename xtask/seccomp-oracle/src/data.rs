// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a filter reads: `struct seccomp_data` (`include/uapi/linux/seccomp.h`), little-endian as on x86.

use std::fmt;

/// `sizeof(struct seccomp_data)`: what `LD LEN` gives, and the end of what `LD ABS` may read.
pub const SIZE: u32 = 64;

/// `offsetof(struct seccomp_data, nr)`.
pub const NR: u32 = 0;
/// `offsetof(struct seccomp_data, arch)`.
pub const ARCH: u32 = 4;
/// `offsetof(struct seccomp_data, instruction_pointer)`: its low word.
pub const INSTRUCTION_POINTER: u32 = 8;
/// `offsetof(struct seccomp_data, args)`: the low word of the first argument.
pub const ARGS: u32 = 16;

/// One system call as a filter sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeccompData {
    /// The system call number.
    pub nr: i32,
    /// An `AUDIT_ARCH_*` value.
    pub arch: u32,
    /// The address of the instruction after the call.
    pub instruction_pointer: u64,
    /// The arguments.
    pub args: [u64; 6],
}

impl SeccompData {
    /// The 32-bit word at a byte offset; `None` where the offset is unaligned or past the end.
    #[must_use]
    pub fn word(&self, offset: u32) -> Option<u32> {
        Some(match Field::at(offset)? {
            Field::Nr => self.nr.cast_unsigned(),
            Field::Arch => self.arch,
            Field::InstructionPointer(half) => half.of(self.instruction_pointer),
            Field::Arg(index, half) => half.of(*self.args.get(usize::from(index))?),
        })
    }
}

/// Half of a 64-bit field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Half {
    /// Bits 0 to 31, at the lower address.
    Low,
    /// Bits 32 to 63.
    High,
}

impl Half {
    fn of(self, value: u64) -> u32 {
        let bytes = value.to_le_bytes();
        match self {
            Self::Low => u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            Self::High => u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        }
    }
}

/// The word of `struct seccomp_data` that an offset names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The system call number.
    Nr,
    /// The architecture.
    Arch,
    /// Half of the instruction pointer.
    InstructionPointer(Half),
    /// Half of the argument with this index.
    Arg(u8, Half),
}

impl Field {
    /// The word at a byte offset; `None` where the offset is unaligned or past the end.
    #[must_use]
    pub fn at(offset: u32) -> Option<Self> {
        if !offset.is_multiple_of(4) || offset >= SIZE {
            return None;
        }
        let half = if offset.is_multiple_of(8) { Half::Low } else { Half::High };
        Some(match offset {
            NR => Self::Nr,
            ARCH => Self::Arch,
            INSTRUCTION_POINTER..ARGS => Self::InstructionPointer(half),
            _ => Self::Arg(u8::try_from((offset - ARGS) / 8).ok()?, half),
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nr => f.write_str("nr"),
            Self::Arch => f.write_str("arch"),
            Self::InstructionPointer(half) => write!(f, "ip.{half}"),
            Self::Arg(index, half) => write!(f, "args[{index}].{half}"),
        }
    }
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "lo",
            Self::High => "hi",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The struct laid out by hand, as the C compiler does.
    fn bytes(data: &SeccompData) -> Vec<u8> {
        let mut bytes = data.nr.to_le_bytes().to_vec();
        bytes.extend(data.arch.to_le_bytes());
        bytes.extend(data.instruction_pointer.to_le_bytes());
        bytes.extend(data.args.iter().flat_map(|arg| arg.to_le_bytes()));
        bytes
    }

    #[test]
    fn words_are_those_of_the_struct() {
        let data = SeccompData {
            nr: -2,
            arch: 0xc000_003e,
            instruction_pointer: 0x0102_0304_0506_0708,
            args: [0x1111_2222_3333_4444, 1, u64::MAX, 1 << 32, 5, 0xabcd_0000_0000_ef01],
        };
        let bytes = bytes(&data);
        assert_eq!(bytes.len(), 64);
        for (index, word) in bytes.chunks(4).enumerate() {
            let offset = u32::try_from(index * 4).unwrap();
            let wanted = u32::from_le_bytes(word.try_into().unwrap());
            assert_eq!(data.word(offset), Some(wanted), "offset {offset}");
            for unaligned in 1..4 {
                assert_eq!(data.word(offset + unaligned), None);
            }
        }
        assert_eq!(data.word(64), None);
        assert_eq!(data.word(u32::MAX), None);
    }

    #[test]
    fn fields_have_names() {
        let names: Vec<_> = (0..SIZE).filter_map(Field::at).map(|field| field.to_string()).collect();
        let names = names.join(" ");
        assert!(names.starts_with("nr arch ip.lo ip.hi args[0].lo args[0].hi args[1].lo"), "{names}");
        assert!(names.ends_with("args[5].lo args[5].hi"), "{names}");
    }
}
