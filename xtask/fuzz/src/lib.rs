// SPDX-License-Identifier: MIT OR Apache-2.0
//! The readers of the lab, compiled once more for the fuzzer.
//!
//! `xtask` is a program and no library, and stays one: its readers need nothing of the rest (`cargo check` here says so
//! if that changes), and so their files are taken as they are.

#![allow(dead_code, reason = "what only the lab calls is not called here")]

#[path = "../../src/fault.rs"]
pub mod fault;
#[path = "../../src/lab/mod.rs"]
pub mod lab;
#[path = "../../src/parse/mod.rs"]
pub mod parse;
#[path = "../../src/plan/mod.rs"]
pub mod plan;
#[path = "../../src/record/mod.rs"]
pub mod record;
/// The wire format alone: the rest of `vm/` runs QEMU.
#[path = "../../src/vm"]
pub mod vm {
    pub mod frame;
}

/// The patterns that kernel logs are searched for.
pub fn splats() -> &'static parse::splat::Splats {
    static SPLATS: std::sync::OnceLock<parse::splat::Splats> = std::sync::OnceLock::new();
    SPLATS.get_or_init(|| {
        parse::splat::Splats::parse(include_str!("../../../configs/splats.toml")).expect("the list of splats")
    })
}

/// Reads a text as `lab.toml`, and as `configs/faults.toml`.
pub fn configurations(text: &str) {
    let _ = lab::file::LabFile::parse(std::path::Path::new("lab.toml"), text);
    let _ = lab::guest_fault::parse(text);
    let _ = lab::mutant::MutantsFile::parse(text);
}

/// Pieces of any size, as a port hands them out: the first byte says which.
pub fn pieces(data: &[u8]) -> (std::slice::Chunks<'_, u8>, &[u8]) {
    let (first, rest) = data.split_first().unwrap_or((&0, data));
    (rest.chunks(usize::from(*first) + 1), rest)
}
