// SPDX-License-Identifier: MIT OR Apache-2.0
//! What of a tree can change a kernel.

use anyhow::Result;

use crate::fault::Fault;
use crate::plan::key::KeyBuilder;
use crate::run::import::Imported;
use crate::sys::process::Exit;

/// The only file of the documentation that a config depends on.
pub const DOCUMENTATION_OPTIONS: &str = "Documentation/Kconfig";

/// What is left out at the top of a tree. `tools/` is looked into: objtool has a part in kernels.
const TOP_LEFT_OUT: [&str; 2] = ["Documentation", "tools"];

/// What is left out of `tools/`.
const TOOLS_LEFT_OUT: [&str; 1] = ["testing"];

/// Whether a file can have a part in a kernel.
pub fn is_of_kernel(path: &str) -> bool {
    let (top, rest) = path.split_once('/').unwrap_or((path, ""));
    match top {
        "MAINTAINERS" => false,
        "tools" => !rest.split('/').next().is_some_and(|folder| TOOLS_LEFT_OUT.contains(&folder)),
        _ => path == DOCUMENTATION_OPTIONS || !TOP_LEFT_OUT.contains(&top),
    }
}

/// The id of everything that can change a kernel's bytes: `Documentation/` and
/// `tools/testing/` cannot.
///
/// # Errors
/// If git cannot list the tree.
pub fn kernel_tree(imported: &Imported, tree: &str) -> Result<String> {
    let git = &imported.git;
    let mut kept = String::new();
    for (folder, left_out) in [("", TOP_LEFT_OUT.as_slice()), ("tools/", &TOOLS_LEFT_OUT)] {
        let expression = format!("{tree}:{folder}");
        // Only `tools/` may be missing.
        let captured = match folder {
            "" => git.run(&["ls-tree", &expression])?,
            _ => git.try_with(&["ls-tree", &expression], None, None, b"")?,
        };
        if !matches!(captured.exit, Exit::Code(_)) {
            return Err(Fault::infra(format!("git ls-tree: {}", captured.exit)).into());
        }
        for line in captured.text().lines() {
            let name = line.split('\t').nth(1).unwrap_or("");
            if !left_out.contains(&name) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    Ok(KeyBuilder::new("kernel tree").part("entries", kept).finish().as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_documentation_have_no_part_in_a_kernel() {
        for path in ["tools/testing/selftests/seccomp/seccomp_bpf.c", "Documentation/x.rst", "MAINTAINERS"] {
            assert!(!is_of_kernel(path), "{path}");
        }
        for path in [
            "kernel/seccomp.c",
            "Makefile",
            "tools/objtool/check.c",
            "Documentation/Kconfig",
            "MAINTAINERS.c",
        ] {
            assert!(is_of_kernel(path), "{path}");
        }
    }
}
