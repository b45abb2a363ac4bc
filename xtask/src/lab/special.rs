// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a patch may make that is no plain file: links, other repositories, binary files. Pure.
//!
//! Modes are read as git reads them, so that no way of writing one down passes by here.

/// The mode of a symbolic link.
const LINK: u32 = 0o120_000;

/// The mode of a commit of another repository.
const GITLINK: u32 = 0o160_000;

/// The bits of a mode that say what a file is.
const TYPE_BITS: u32 = 0o170_000;

/// Largest binary file that a patch may hold, in bytes: git makes room for as much as the patch claims.
const BINARY_BYTES_MAX: u64 = 16 << 20;

/// What is wrong with the files that a diff makes, if anything is.
pub fn fault(diff: &str) -> Option<String> {
    let mut path = String::new();
    let (mut is_link, mut is_binary) = (false, false);
    for line in diff.lines() {
        if let Some(rest) = line.strip_prefix("diff --git ") {
            (is_link, is_binary) = (false, false);
            path = super::patch::git_header_paths(rest).pop().unwrap_or_default();
        } else if let Some(mode) = mode(line) {
            if mode & TYPE_BITS == GITLINK {
                return Some("it makes a link to a commit of another repository".to_owned());
            }
            is_link |= mode & TYPE_BITS == LINK;
        } else if line == "GIT binary patch" {
            if is_link {
                return Some(outside("a target that cannot be read"));
            }
            is_binary = true;
        } else if is_binary && let Some(what) = binary_fault(line) {
            return Some(what);
        } else if is_link && line.starts_with('+') && !line.starts_with("+++ ") && leaves(&path, &line[1..]) {
            return Some(outside(&line[1..]));
        }
    }
    None
}

fn outside(target: &str) -> String {
    format!("it makes a symbolic link to `{}`, which is outside the tree", target.escape_default())
}

/// The mode that a header line of git's names. What is no octal number is taken for the worst: git reads numbers
/// with signs, and such as are too long.
fn mode(line: &str) -> Option<u32> {
    let marks = ["new file mode ", "deleted file mode ", "old mode ", "new mode "];
    let text = match line.strip_prefix("index ") {
        Some(rest) => rest.split_once(' ').filter(|(ids, _)| ids.contains(".."))?.1,
        None => marks.iter().find_map(|mark| line.strip_prefix(mark))?,
    };
    Some(u32::from_str_radix(text.trim(), 8).ok().filter(|_| !text.contains('+')).unwrap_or(LINK))
}

/// What is wrong with the size that a line of a binary file claims.
fn binary_fault(line: &str) -> Option<String> {
    if let Some(size) = line.strip_prefix("literal ") {
        let is_small = size.trim().parse().is_ok_and(|bytes: u64| bytes <= BINARY_BYTES_MAX);
        return (!is_small).then(|| {
            format!(
                "it holds a binary file of more than {BINARY_BYTES_MAX} bytes: `{}`",
                line.escape_default()
            )
        });
    }
    // How large the file becomes stands inside, compressed.
    line.strip_prefix("delta ")
        .map(|_| "it holds a change of a binary file, whose size cannot be seen".to_owned())
}

/// Whether a link at this path leads out of the tree. It may go up only at its beginning: behind another link `..`
/// goes up from where that one leads.
pub fn leaves(path: &str, target: &str) -> bool {
    let depth = path.matches('/').count();
    let ups = target.split('/').take_while(|part| *part == "..").count();
    target.starts_with('/')
        || target.contains('\0')
        || ups > depth
        || target.split('/').skip(ups).any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(mode: &str, target: &str) -> String {
        format!(
            "diff --git a/d/e/l b/d/e/l\n{mode}\n--- /dev/null\n+++ b/d/e/l\n@@ -0,0 +1 @@\n+{target}\n\
             \\ No newline at end of file\n"
        )
    }

    #[test]
    fn a_link_is_known_however_its_mode_is_written() {
        for mode in [
            "new file mode 120000",
            "new file mode 0120000",
            "new file mode 120000 ",
            "new file mode 120777",
            "new mode 120000\t",
            "index 0000000..1 120000",
            "index 0000000..1 0120000 x",
            "new file mode 99999999999999999999",
            "new file mode 77777777777777777777",
            "new file mode +120000",
            "new file mode -37777657777",
        ] {
            assert!(fault(&link(mode, "/etc/passwd")).is_some(), "{mode}");
        }
        assert_eq!(fault(&link("new file mode 100644", "/etc/passwd")), None);
    }

    #[test]
    fn a_link_stays_in_the_tree_through_another_link_too() {
        for good in ["x", "../x", "../../x", "../../x/y", "./x", "..x/y"] {
            assert!(!leaves("d/e/l", good), "{good}");
        }
        // `d/e/l` may lead to the top of the tree: `l/..` is then outside.
        for bad in ["/x", "../../../x", "l/..", "l/../..", "../l/../x", "x/..", "./..", "//"] {
            assert!(leaves("d/e/l", bad), "{bad}");
        }
    }

    #[test]
    fn other_repositories_and_what_cannot_be_measured_are_refused() {
        let told = |lines: &str| fault(&format!("diff --git a/x b/x\n{lines}\n")).unwrap_or_default();
        assert!(told("new file mode 160000\n--- /dev/null\n+++ b/x").contains("another repository"));
        assert!(told("index 1..2 160000").contains("another repository"));
        assert!(told("new file mode 120000\nGIT binary patch\nliteral 4").contains("cannot be read"));
        assert!(told("GIT binary patch\nliteral 99999999999").contains("more than 16777216"));
        assert!(told("GIT binary patch\nliteral 99999999999999999999999").contains("more than"));
        assert!(told("GIT binary patch\nliteral x").contains("more than"));
        assert!(told("GIT binary patch\ndelta 12").contains("cannot be seen"));
        assert_eq!(told("GIT binary patch\nliteral 4096"), "");
        // Words of a mail that follow a diff.
        assert_eq!(told("index the table 120000\nliteral meaning\ndelta of both"), "");
    }
}
