// SPDX-License-Identifier: MIT OR Apache-2.0
//! What of a tree can change a kernel.

use anyhow::Result;

use crate::fault::Fault;
use crate::plan::key::KeyBuilder;
use crate::run::import::Imported;
use crate::sys::process::Exit;

/// The id of everything that can change a kernel's bytes: `Documentation/` and
/// `tools/testing/` cannot.
///
/// # Errors
/// If git cannot list the tree.
pub fn kernel_tree(imported: &Imported, tree: &str) -> Result<String> {
    let git = &imported.git;
    let mut kept = String::new();
    for (folder, left_out) in [("", ["Documentation", "tools"].as_slice()), ("tools/", &["testing"])] {
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
