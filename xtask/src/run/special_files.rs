// SPDX-License-Identifier: MIT OR Apache-2.0
//! What applied patches made that is no plain file, looked at in the tree itself: a link that is renamed or copied
//! shows its target in no patch.

use anyhow::Result;

use crate::fault::Fault;
use crate::lab::special::leaves;
use crate::run::git::Git;

/// Refuses links of tree `to` that tree `from` does not have and that lead out of the tree, and other repositories.
///
/// # Errors
/// A usage fault that names the link; git's words where it fails.
pub fn check(git: &Git, from: &str, to: &str) -> Result<()> {
    let changes = git.run(&["diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", from, to])?.text();
    // `:MODE MODE ID ID LETTER`, and in a field of its own the path.
    let mut fields = changes.split('\0');
    while let (Some(what), Some(path)) = (fields.next(), fields.next()) {
        let mut words = what.split(' ').skip(1);
        let (mode, id) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        let refuse = |what: &str| {
            let help = "leave the patch that makes it out";
            Err(Fault::usage(format!("the patches make {what} of `{}`", path.escape_default()))
                .help(help)
                .into())
        };
        match mode {
            "120000" => {
                let target = git.run(&["cat-file", "blob", id])?.text();
                if leaves(path, &target) {
                    let what = format!(
                        "a symbolic link to `{}`, which is outside the tree,",
                        target.escape_default()
                    );
                    return refuse(&what);
                }
            }
            "160000" => return refuse("a link to a commit of another repository"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_refused_where_it_leads_out_from_its_new_place() {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::open(folder.path().join("r.git")).unwrap();
        let write = |args: &[&str], text: &str| {
            git.run_with(args, None, None, text.as_bytes()).unwrap().text().trim().to_owned()
        };
        let blob = write(&["hash-object", "-w", "--stdin"], "../x");
        let empty = write(&["mktree"], "");
        let tree = |entry: &str| write(&["mktree"], entry);
        let inner = tree(&format!("120000 blob {blob}\tl\n"));
        let deep = tree(&format!("040000 tree {inner}\td\n"));
        check(&git, &empty, &deep).unwrap();
        let error = check(&git, &deep, &inner).unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE);
        assert!(
            error.to_string().contains("a symbolic link to `../x`, which is outside the tree, of `l`"),
            "{error}"
        );
        check(&git, &inner, &inner).unwrap();
        let plain = tree(&format!("100644 blob {blob}\tl\n"));
        check(&git, &inner, &plain).unwrap();
        let module = tree(&format!("160000 commit {}\tm\n", "12".repeat(20)));
        assert!(check(&git, &empty, &module).unwrap_err().to_string().contains("another repository"));
    }
}
