// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a kernel executes, as a key: two kernels with one code key behave alike.
//!
//! A patch that only moves lines changes the debug information, the tables of `WARN` and `BUG`
//! (`struct bug_entry` has a line number) and the build id that is computed of them all. What is
//! loaded besides is code and data, and decides.

use anyhow::Result;
use fs_err as fs;
use object::{Object, ObjectSection, SectionFlags, SectionKind};
use serde::{Deserialize, Serialize};

use crate::plan::key::{Key, KeyBuilder};
use crate::run::context::Context;
use crate::run::kernel::Kernel;

/// Sections that hold line numbers, or a digest of sections that do.
const LINES: [&str; 2] = ["__bug_table", ".notes"];

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
    let question = KeyBuilder::new("code of a kernel").part("kernel", kernel.key.as_str()).finish();
    if let Some(Answer { code }) = context.cache.answer(&question) {
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
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let name = section.name()?;
        if sh_flags & u64::from(object::elf::SHF_ALLOC) == 0 || LINES.contains(&name) {
            continue;
        }
        key = key
            .part("section", name)
            .part("address", section.address().to_be_bytes())
            .part("size", section.size().to_be_bytes());
        if section.kind() != SectionKind::UninitializedData {
            key = key.part("bytes", section.data()?);
        }
    }
    Ok(key.finish())
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
        let bugs = |bytes: &'static [u8]| ("__bug_table", SectionKind::Data, bytes);
        let debug = |bytes: &'static [u8]| (".debug_line", SectionKind::Debug, bytes);
        assert_eq!(
            key(&[text, bugs(b"line 1"), debug(b"a")]),
            key(&[text, bugs(b"line 2"), debug(b"something else")])
        );
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
