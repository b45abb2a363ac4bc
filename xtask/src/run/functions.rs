// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions of a `vmlinux`, by address.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use object::{Object, ObjectSymbol, SymbolKind};

/// Farthest that an address may be behind the beginning of a function without a size, in bytes.
const FUNCTION_BYTES_MAX: u64 = 64 << 10;

/// The entry of the timer's interrupt.
const TIMER: &str = "asm_sysvec_apic_timer_interrupt";

/// Functions by the addresses at which they begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Functions {
    /// Where each begins, how many bytes it has (none where the symbol table does not say), and its name.
    by_start: BTreeMap<u64, (u64, String)>,
}

impl Functions {
    /// Reads the symbol table of an ELF file.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path)?;
        let file =
            object::File::parse(bytes.as_slice()).with_context(|| format!("reading {}", path.display()))?;
        let mut by_start = BTreeMap::new();
        // Entries in assembly have no size and no type.
        let code = file.symbols().filter(|symbol| {
            matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown)
        });
        for symbol in code.filter(|symbol| symbol.is_definition()) {
            let Ok(name) = symbol.name() else { continue };
            let known = by_start.entry(symbol.address()).or_insert((0, String::new()));
            // Of several names of one place the one with a size is the function's.
            if known.1.is_empty() || known.0 == 0 && symbol.size() > 0 {
                *known = (symbol.size(), name.to_owned());
            }
        }
        Ok(Self { by_start })
    }

    /// Where interrupts enter the kernel: the entries that `DECLARE_IDTENTRY_SYSVEC` and `DECLARE_IDTENTRY_IRQ`
    /// make (`arch/x86/include/asm/idtentry.h`).
    ///
    /// # Errors
    /// If the timer's is not among them: then nothing that takes long could be counted.
    pub fn interrupts(&self) -> Result<Vec<u64>> {
        let is_entry = |name: &str| name.starts_with("asm_sysvec_") || name == "asm_common_interrupt";
        let entries = self.by_start.iter().filter(|(_, (_, name))| is_entry(name));
        anyhow::ensure!(
            entries.clone().any(|(_, (_, name))| name == TIMER),
            "the kernel has no symbol {TIMER}: interrupts could not be told apart"
        );
        Ok(entries.map(|(start, _)| *start).collect())
    }

    /// `FUNCTION+0xOFFSET`, if the address is in one, or just behind it: there a CPU may stand that waits.
    pub fn place(&self, address: u64) -> Option<String> {
        let (start, (size, name)) = self.by_start.range(..=address).next_back()?;
        let offset = address - start;
        let end = if *size == 0 { FUNCTION_BYTES_MAX } else { *size };
        (offset <= end).then(|| format!("{name}+{offset:#x}"))
    }

    /// The function that an address lies in; nothing for what is no code of this file.
    pub fn at(&self, address: u64) -> Option<&str> {
        let (start, (size, name)) = self.by_start.range(..=address).next_back()?;
        // Behind the last function of the file everything is somebody else's.
        let next = self.by_start.range(address + 1..).next().map(|(next, _)| *next)?;
        let end = if *size > 0 { start + size } else { next };
        (address < end).then_some(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_the_function_before_it() {
        let by_start = [(0x100, (0x10, "first")), (0x120, (0, "entry")), (0x140, (8, "last"))];
        let by_start = by_start.map(|(start, (size, name))| (start, (size, name.to_owned()))).into();
        let functions = Functions { by_start };
        for (address, name) in [
            (0xff, None),
            (0x100, Some("first")),
            (0x10f, Some("first")),
            (0x110, None),
            (0x13f, Some("entry")),
            (0x140, None),
        ] {
            assert_eq!(functions.at(address), name, "{address:#x}");
        }
        assert_eq!(functions.place(0x110).as_deref(), Some("first+0x10"));
        assert_eq!(functions.place(0x111), None);
        assert_eq!(functions.place(0x13f).as_deref(), Some("entry+0x1f"));
    }
}
