// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine code of a function in a `vmlinux`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use iced_x86::{Decoder, DecoderOptions, Instruction};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// Longest function that is looked at, in bytes.
const FUNCTION_BYTES_MAX: u64 = 1 << 20;

/// A function and its instructions, in the order of their addresses.
#[derive(Debug, Clone)]
pub(super) struct Function {
    /// As the symbol table has it.
    pub(super) name: String,
    /// Its instructions.
    pub(super) code: Vec<Instruction>,
}

/// The functions of an image.
pub(super) struct Image {
    bytes: Vec<u8>,
    /// Start, size and name.
    symbols: BTreeMap<u64, (u64, String)>,
    bits: u32,
}

impl Image {
    /// Reads the symbols of an ELF file.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path)?;
        let file =
            object::File::parse(bytes.as_slice()).with_context(|| format!("reading {}", path.display()))?;
        let bits = if file.is_64() { 64 } else { 32 };
        let functions =
            file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
        let symbols = functions
            .filter_map(|symbol| Some((symbol.address(), (symbol.size(), symbol.name().ok()?.to_owned()))))
            .collect();
        Ok(Self { bytes, symbols, bits })
    }

    /// The addresses of functions of this name, clones that the compiler made of it included.
    pub(super) fn named(&self, name: &str) -> Vec<u64> {
        let symbols = self.symbols.iter().filter(|(_, (_, symbol))| plain_name(symbol) == name);
        symbols.map(|(address, _)| *address).collect()
    }

    /// The name of the function that begins at an address, without the compiler's additions.
    pub(super) fn name_at(&self, address: u64) -> Option<&str> {
        self.symbols.get(&address).map(|(_, name)| plain_name(name))
    }

    /// Decodes the function that begins at an address.
    ///
    /// # Errors
    /// If the image has no bytes there.
    pub(super) fn function(&self, address: u64) -> Result<Function> {
        let (size, name) = self.symbols.get(&address).context("no function begins there")?;
        let size = (*size).min(FUNCTION_BYTES_MAX);
        let file = object::File::parse(self.bytes.as_slice())?;
        let mut bytes = None;
        for section in file.sections() {
            if let Ok(Some(found)) = section.data_range(address, size)
                && section.address() > 0
            {
                bytes = Some(found);
            }
        }
        let bytes = bytes.with_context(|| format!("the image has no bytes for {name}"))?;
        let decoder = Decoder::with_ip(self.bits, bytes, address, DecoderOptions::NONE);
        Ok(Function { name: name.clone(), code: decoder.into_iter().collect() })
    }
}

/// `f.constprop.0.isra.0` and `f.part.0` are pieces of `f`.
fn plain_name(symbol: &str) -> &str {
    symbol.split('.').next().unwrap_or(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_of_the_compilers_has_the_name_of_its_function() {
        assert_eq!(plain_name("f.constprop.0.isra.0"), "f");
        assert_eq!(plain_name("f"), "f");
    }
}
