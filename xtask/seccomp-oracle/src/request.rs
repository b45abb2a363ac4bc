// SPDX-License-Identifier: MIT OR Apache-2.0
//! The chains that the guest program is asked to attach, as one file.
//!
//! Little-endian: `SLCH`, u32 version, u32 number of chains; per chain u32 id, u32 number of filters; per filter u32
//! number of instructions, then 8 bytes an instruction (`struct sock_filter`). Filters oldest first. Chains that the
//! kernel must refuse are as welcome as others.

use std::fmt;

use crate::insn::Insn;

/// What the file begins with.
pub const MAGIC: [u8; 4] = *b"SLCH";

/// The version of the format.
pub const VERSION: u32 = 1;

/// The longest filter that can be asked for: `struct sock_fprog` counts in 16 bits.
pub const FILTER_INSNS_MAX: usize = u16::MAX as usize;

/// The most filters in a chain: more than `MAX_INSNS_PER_PATH` admits of the shortest program.
pub const FILTERS_MAX: usize = 4096;

/// The most chains in a file.
pub const CHAINS_MAX: usize = 1 << 20;

/// One chain to attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// What its answer is known by.
    pub id: u32,
    /// Its filters, oldest first.
    pub filters: Vec<Vec<Insn>>,
}

/// Why chains do not fit the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMuch {
    /// More than [`CHAINS_MAX`] chains.
    Chains(usize),
    /// More than [`FILTERS_MAX`] filters in the chain with this id.
    Filters(u32, usize),
    /// More than [`FILTER_INSNS_MAX`] instructions in a filter of the chain with this id.
    Insns(u32, usize),
}

/// Why bytes are not such a file; every variant says where, in bytes from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end where something had to follow.
    Truncated(usize),
    /// The file does not begin with [`MAGIC`].
    Magic,
    /// Another version than [`VERSION`].
    Version(u32),
    /// Bytes after the last chain.
    Trailing(usize),
}

/// Writes the file.
///
/// # Errors
///
/// Numbers that are past the limits of this module.
pub fn encode(chains: &[Chain]) -> Result<Vec<u8>, TooMuch> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(count(chains.len(), CHAINS_MAX).ok_or(TooMuch::Chains(chains.len()))?);
    for Chain { id, filters } in chains {
        bytes.extend(id.to_le_bytes());
        bytes.extend(count(filters.len(), FILTERS_MAX).ok_or(TooMuch::Filters(*id, filters.len()))?);
        for insns in filters {
            bytes.extend(count(insns.len(), FILTER_INSNS_MAX).ok_or(TooMuch::Insns(*id, insns.len()))?);
            bytes.extend(insns.iter().flat_map(|insn| insn.to_bytes()));
        }
    }
    Ok(bytes)
}

fn count(len: usize, len_max: usize) -> Option<[u8; 4]> {
    if len > len_max {
        return None;
    }
    u32::try_from(len).ok().map(u32::to_le_bytes)
}

/// Reads the file: what the guest program does, for tests and for chains that were kept.
///
/// # Errors
///
/// Anything that [`encode`] would not have written.
pub fn decode(bytes: &[u8]) -> Result<Vec<Chain>, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.take()? != MAGIC {
        return Err(Malformed::Magic);
    }
    match reader.number()? {
        VERSION => {}
        other => return Err(Malformed::Version(other)),
    }
    let mut chains = Vec::new();
    for _ in 0..reader.number()? {
        let id = reader.number()?;
        let mut filters = Vec::new();
        for _ in 0..reader.number()? {
            let mut insns = Vec::new();
            for _ in 0..reader.number()? {
                insns.push(Insn::from_bytes(reader.take()?));
            }
            filters.push(insns);
        }
        chains.push(Chain { id, filters });
    }
    if reader.at < bytes.len() {
        return Err(Malformed::Trailing(reader.at));
    }
    Ok(chains)
}

/// Takes bytes from the front. Every loop around it takes some each time, so a large count cannot run away.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.first_chunk().ok_or(Malformed::Truncated(self.at))?;
        self.at += N;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        self.take().map(u32::from_le_bytes)
    }
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chains(count) => write!(f, "{count} chains, at most {CHAINS_MAX} fit a file"),
            Self::Filters(id, count) => {
                write!(f, "chain {id}: {count} filters, at most {FILTERS_MAX} fit a chain")
            }
            Self::Insns(id, count) => {
                write!(f, "chain {id}: {count} instructions, at most {FILTER_INSNS_MAX} fit a filter")
            }
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(at) => write!(f, "byte {at}: the file ends too early"),
            Self::Magic => f.write_str("not a file of chains: it does not begin with SLCH"),
            Self::Version(version) => write!(f, "version {version}, only {VERSION} is known"),
            Self::Trailing(at) => write!(f, "byte {at}: bytes after the last chain"),
        }
    }
}

impl std::error::Error for TooMuch {}
impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<Chain> {
        vec![
            Chain { id: 7, filters: vec![vec![Insn::load_arch(), Insn::ret(0x7fff_0000)], vec![]] },
            Chain { id: 0xffff_ffff, filters: vec![] },
        ]
    }

    #[test]
    fn bytes_are_as_documented() {
        #[rustfmt::skip]
        let wanted = [
            b'S', b'L', b'C', b'H', 1, 0, 0, 0, 2, 0, 0, 0,
            7, 0, 0, 0, 2, 0, 0, 0,
            2, 0, 0, 0, 0x20, 0, 0, 0, 4, 0, 0, 0, 0x06, 0, 0, 0, 0, 0, 0xff, 0x7f,
            0, 0, 0, 0,
            0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
        ];
        assert_eq!(encode(&example()).unwrap(), wanted);
        assert_eq!(decode(&wanted).unwrap(), example());
    }

    #[test]
    fn every_shorter_file_is_truncated() {
        let bytes = encode(&example()).unwrap();
        for len in 0..bytes.len() {
            assert!(matches!(decode(&bytes[..len]), Err(Malformed::Truncated(_))), "{len} bytes");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(Malformed::Trailing(bytes.len())));
    }

    #[test]
    fn what_is_not_a_file_is_told() {
        assert_eq!(decode(b"SLCX\x01\0\0\0"), Err(Malformed::Magic));
        assert_eq!(decode(b"SLCH\x02\0\0\0"), Err(Malformed::Version(2)));
        assert_eq!(decode(b"SLCH\x01\0\0\0\xff\xff\xff\xff"), Err(Malformed::Truncated(12)));
    }

    #[test]
    fn limits_are_kept() {
        let filter = |len| vec![Chain { id: 3, filters: vec![vec![Insn::default(); len]] }];
        assert!(encode(&filter(65535)).is_ok());
        assert_eq!(encode(&filter(65536)), Err(TooMuch::Insns(3, 65536)));
        let filters = |count| vec![Chain { id: 3, filters: vec![vec![]; count] }];
        assert!(encode(&filters(4096)).is_ok());
        assert_eq!(encode(&filters(4097)), Err(TooMuch::Filters(3, 4097)));
    }
}
