// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a dump shows as cached, and the filters do not allow: the one difference that lets a call through.

use crate::cache::Bitmaps;
use crate::dump::Dump;
use crate::program::Program;
use crate::sound::{Sound, decide};
use crate::tables::Arch;

/// The first call that is cached against the model, and for which the filters are shown to answer something else than
/// ALLOW. A call that the model only was too careful about is none: whatever its words, the filters allow it.
pub(super) fn cached(chain: &[Program], model: &Bitmaps, dump: &Dump<'_>) -> Option<(Arch, u32)> {
    let text = dump.text();
    let lines = text.split(|byte| *byte == b'\n');
    let mut calls =
        lines.filter_map(allowed).filter(|(arch, nr)| !model.allows(nr.cast_signed(), arch.audit()));
    calls.find(|(arch, nr)| matches!(decide(chain, nr.cast_signed(), arch.audit()), Sound::Witness(_)))
}

/// The call of a line that says ALLOW.
fn allowed(line: &[u8]) -> Option<(Arch, u32)> {
    let line = std::str::from_utf8(line).ok()?;
    super::call_of(line).filter(|_| line.ends_with(" ALLOW"))
}
