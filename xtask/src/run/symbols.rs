// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names for addresses of a kernel.

use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use object::{Object, ObjectSymbol, SymbolKind};

/// Farthest that an address may be behind the beginning of a function without a size, in bytes.
const FUNCTION_BYTES_MAX: u64 = 64 << 10;

/// Functions of a `vmlinux`, by address.
pub struct Functions(Vec<(u64, u64, String)>);

impl Functions {
    /// Reads them.
    ///
    /// # Errors
    /// If the file cannot be read, or is no ELF file.
    pub fn read(vmlinux: &Path) -> Result<Self> {
        let bytes = fs::read(vmlinux)?;
        let file = object::File::parse(&*bytes).with_context(|| format!("reading {}", vmlinux.display()))?;
        let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
        let mut all: Vec<(u64, u64, String)> = functions
            .filter_map(|symbol| Some((symbol.address(), symbol.size(), symbol.name().ok()?.to_owned())))
            .collect();
        all.sort();
        Ok(Self(all))
    }

    /// `FUNCTION+0xOFFSET`, if the address is in one.
    pub fn place(&self, address: u64) -> Option<String> {
        let behind = self.0.partition_point(|(start, ..)| *start <= address);
        let (start, size, name) = self.0[..behind].last()?;
        let offset = address - start;
        let end = if *size == 0 { FUNCTION_BYTES_MAX } else { *size };
        // A CPU that waits may stand just behind the last instruction.
        (offset <= end).then(|| format!("{name}+{offset:#x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_function_before_it() {
        let functions = Functions(vec![(0x100, 0x10, "a".into()), (0x200, 0, "b".into())]);
        assert_eq!(functions.place(0x108).as_deref(), Some("a+0x8"));
        assert_eq!(functions.place(0x180), None);
        assert_eq!(functions.place(0x2ff).as_deref(), Some("b+0xff"));
        assert_eq!(functions.place(0x20), None);
    }
}
