// SPDX-License-Identifier: MIT OR Apache-2.0
//! What static checks are made of. A check that was mended must not find what it said before.

use crate::plan::key::KeyBuilder;

/// The files of this folder, and those that read what it looks at.
const SOURCES: &[&str] = &[
    include_str!("build.rs"),
    include_str!("comparisons.rs"),
    include_str!("compile.rs"),
    include_str!("cross.rs"),
    include_str!("disassembly.rs"),
    include_str!("function.rs"),
    include_str!("header.rs"),
    include_str!("host_program.rs"),
    include_str!("kconfig.rs"),
    include_str!("kconfig_option.rs"),
    include_str!("known.rs"),
    include_str!("machine_code.rs"),
    include_str!("masked_index.rs"),
    include_str!("mod.rs"),
    include_str!("patch.rs"),
    include_str!("sources.rs"),
    include_str!("warnings.rs"),
    include_str!("../../lab/fragment.rs"),
    include_str!("../../lab/static_check.rs"),
    include_str!("../../parse/ktap.rs"),
    include_str!("../../parse/lines.rs"),
    include_str!("../../parse/make.rs"),
    include_str!("../checkpatch.rs"),
    include_str!("../tree_facts.rs"),
    include_str!("../../../seccomp-oracle/src/tables.rs"),
];

/// A digest of all of them.
pub(super) fn digest() -> String {
    KeyBuilder::new("static check sources").parts("file", SOURCES).finish().as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_of_this_folder_is_left_out() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/run/static_check");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let is_test = path.to_string_lossy().ends_with("_tests.rs");
            assert!(is_test || SOURCES.contains(&text.as_str()), "{}", path.display());
        }
    }
}
