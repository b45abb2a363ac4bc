// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a kernel executes, as a key: two kernels with one code key behave alike.
//!
//! A patch that only moves lines changes the debug information, the lines in the table of `WARN` and `BUG`
//! (`struct bug_entry`, `include/asm-generic/bug.h`) and the build id that is computed of them all. What is
//! loaded besides is code and data, and decides; so do the flags in that table, which tell `WARN_ON_ONCE`
//! from `WARN_ON`.

use std::ops::Range;

use anyhow::Result;
use fs_err as fs;
use object::{Object, ObjectSection, SectionFlags, SectionKind};
use serde::{Deserialize, Serialize};

use crate::plan::key::{Key, KeyBuilder};
use crate::run::context::Context;
use crate::run::kernel::Kernel;

/// A section that holds a digest of sections with line numbers.
const NOTES: &str = ".notes";

/// The table of `WARN` and `BUG`.
const BUG_TABLE: &str = "__bug_table";

/// Sizes of an entry of it, in bytes: since Linux 6.19 it may have a format string. The line has two bytes,
/// four before the end.
const BUG_ENTRY_SIZES: [usize; 2] = [12, 16];

#[derive(Serialize, Deserialize)]
struct Answer {
    code: Key,
}

/// The code key of a kernel; none where there is no `vmlinux` that can be looked into.
///
/// # Errors
/// If the file cannot be read, or the answer not be kept.
pub fn code_key(context: &Context<'_>, kernel: &Kernel) -> Result<Option<Key>> {
    let Some(vmlinux) = &kernel.vmlinux else { return Ok(None) };
    let question = KeyBuilder::new("code of a kernel, with what its warnings do")
        .part("kernel", kernel.key.as_str())
        .finish();
    if let Some(Answer { code }) = context.answer(&question) {
        return Ok(Some(code));
    }
    let bytes = fs::read(vmlinux)?;
    // Not known is not alike: such a kernel is booted for each of its points.
    let Ok(code) = code_of(&bytes) else { return Ok(None) };
    context.cache.keep_answer(&question, &Answer { code: code.clone() })?;
    Ok(Some(code))
}

/// The key of everything in an ELF file that is loaded, where it is loaded, without line numbers.
fn code_of(bytes: &[u8]) -> Result<Key> {
    let file = object::File::parse(bytes)?;
    let mut key = KeyBuilder::new("code").part("entry", file.entry().to_be_bytes());
    let code: Vec<Range<u64>> = file
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
        .map(|section| section.address()..section.address() + section.size())
        .collect();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let name = section.name()?;
        if sh_flags & u64::from(object::elf::SHF_ALLOC) == 0 || name == NOTES {
            continue;
        }
        key = key
            .part("section", name)
            .part("address", section.address().to_be_bytes())
            .part("size", section.size().to_be_bytes());
        if name == BUG_TABLE {
            key = key.part("bytes", without_lines(section.address(), section.data()?, &code));
        } else if section.kind() != SectionKind::UninitializedData {
            key = key.part("bytes", section.data()?);
        }
    }
    Ok(key.finish())
}

/// The table without line numbers, or as it is where its entries are of another form: then a patch that
/// moves lines is not taken for one that does nothing.
///
/// An entry begins with where its trap is, relative to itself or not: each must be in code.
fn without_lines(address: u64, table: &[u8], code: &[Range<u64>]) -> Vec<u8> {
    let is_code = |at: u64| code.iter().any(|range| range.contains(&at));
    let fits = |size: &usize| {
        table.len().is_multiple_of(*size)
            && table.chunks(*size).zip((address..).step_by(*size)).all(|(entry, at)| {
                let field: [u8; 4] = entry.first_chunk().copied().unwrap_or_default();
                is_code(at.wrapping_add_signed(i32::from_le_bytes(field).into()))
                    || is_code(u32::from_le_bytes(field).into())
            })
    };
    let mut table = table.to_vec();
    if let Some(size) = BUG_ENTRY_SIZES.iter().find(|size| fits(size)) {
        for entry in table.chunks_mut(*size) {
            entry[size - 4..size - 2].fill(0);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use object::write::{Object as Writer, StandardSegment};
    use object::{Architecture, BinaryFormat, Endianness};

    use super::*;

    fn elf(sections: &[(&str, SectionKind, &[u8])]) -> Vec<u8> {
        let mut file = Writer::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        for (name, kind, bytes) in sections {
            let segment = file.segment_name(StandardSegment::Data).to_vec();
            let id = file.add_section(segment, name.as_bytes().to_vec(), *kind);
            file.append_section_data(id, bytes, 1);
        }
        file.write().unwrap()
    }

    fn key(sections: &[(&str, SectionKind, &[u8])]) -> Key {
        code_of(&elf(sections)).unwrap()
    }

    #[test]
    fn lines_and_debug_information_do_not_count() {
        let text = (".text", SectionKind::Text, b"code".as_slice());
        let debug = |bytes: &'static [u8]| (".debug_line", SectionKind::Debug, bytes);
        assert_eq!(key(&[text, debug(b"a")]), key(&[text, debug(b"something else")]));
    }

    #[test]
    fn of_a_table_of_warnings_flags_count_and_lines_do_not() {
        // At 0x1000, for code at 0x100: an address that is relative to the entry, a file, a line, flags.
        let entry = |at: i32, line: u16, flags: u16| {
            let address = (0x100 - at).to_le_bytes();
            [&address[..], &[7; 4], &line.to_le_bytes(), &flags.to_le_bytes()].concat()
        };
        let table = |line, flags| [entry(0x1000, line, flags), entry(0x100c, 5, 1)].concat();
        let of = |table: &[u8]| without_lines(0x1000, table, std::slice::from_ref(&(0x100..0x200)));
        assert_eq!(of(&table(1, 1)), of(&table(2, 1)));
        assert_ne!(of(&table(1, 1)), of(&table(1, 3)));
        // Entries of an unknown form are taken as they are.
        assert_ne!(of(&[table(1, 1), vec![0; 4]].concat()), of(&[table(2, 1), vec![0; 4]].concat()));
    }

    #[test]
    fn entries_may_have_a_format_and_addresses_of_their_own() {
        let entry = |line: u16| {
            let address = 0x180_u32.to_le_bytes();
            [&address[..], &[7; 8], &line.to_le_bytes(), &[1, 0]].concat()
        };
        let of = |table: &[u8]| without_lines(0x1000, table, std::slice::from_ref(&(0x100..0x200)));
        assert_eq!(of(&entry(1)), of(&entry(2)));
    }

    #[test]
    fn code_and_data_do() {
        let text = |bytes: &'static [u8]| (".text", SectionKind::Text, bytes);
        let data = |bytes: &'static [u8]| (".data", SectionKind::Data, bytes);
        assert_ne!(key(&[text(b"code")]), key(&[text(b"core")]));
        assert_ne!(key(&[text(b"code"), data(b"1")]), key(&[text(b"code"), data(b"2")]));
        assert_ne!(key(&[text(b"code"), data(b"1")]), key(&[text(b"code")]));
    }

    #[test]
    fn what_is_no_elf_file_has_none() {
        assert!(code_of(b"no kernel").is_err());
    }
}
