// SPDX-License-Identifier: MIT OR Apache-2.0
//! How far a lab has come, as the processes that it has started tell.

use std::fmt;
use std::path::Path;

use crate::sys::reaper::children_of_lab;

/// A stage of a run, in the order in which a run comes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// curl runs.
    Download,
    /// tar runs.
    Unpack,
    /// git takes the files of a tree.
    Import,
    /// git applies a patch to an index.
    Apply,
    /// git writes the work tree.
    CheckOut,
    /// make makes a config.
    Configure,
    /// make makes a kernel.
    Make,
    /// A kernel is linked.
    Link,
    /// A kernel is put into the store: a file of the lab's shows it.
    Store,
    /// gcc makes a program of a guest.
    Program,
    /// An image is packed: no process does that, a file of the lab's shows it.
    Image,
    /// QEMU runs.
    Guest,
    /// A verdict is in the record.
    Record,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Download => "download",
            Stage::Unpack => "unpack",
            Stage::Import => "import",
            Stage::Apply => "apply",
            Stage::CheckOut => "check out",
            Stage::Configure => "configure",
            Stage::Make => "make",
            Stage::Link => "link",
            Stage::Store => "store",
            Stage::Program => "program",
            Stage::Image => "image",
            Stage::Guest => "guest",
            Stage::Record => "record",
        })
    }
}

/// Whether a lab is in a stage. `temporary` is the folder of temporary files of its cache.
pub fn is_in(lab: i32, stage: Stage, temporary: &Path, results: &Path) -> bool {
    match stage {
        Stage::Image => own_folders(lab, temporary).any(|folder| folder.join("initramfs").exists()),
        Stage::Store => own_folders(lab, temporary).any(|folder| folder.join("vmlinux").exists()),
        Stage::Record => {
            super::lab::outcomes(results).is_some_and(|all| all.iter().any(|one| one != "cancelled"))
        }
        _ => children_of_lab(lab).into_iter().any(|pid| {
            let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            of_command(&line.split('\0').collect::<Vec<_>>()) == Some(stage)
        }),
    }
}

/// Temporary folders of a lab: their names begin with its process number.
fn own_folders(lab: i32, temporary: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = std::fs::read_dir(temporary).into_iter().flatten().filter_map(Result::ok);
    let prefix = format!("{lab}-");
    entries
        .filter(move |entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
}

/// The stage in which a command is run.
fn of_command(words: &[&str]) -> Option<Stage> {
    let has = |word: &str| words.contains(&word);
    let program = words.first()?.rsplit('/').next()?;
    match program {
        "curl" => Some(Stage::Download),
        "tar" | "xz" => Some(Stage::Unpack),
        "git" if has("add") || has("write-tree") => Some(Stage::Import),
        "git" if has("apply") => Some(Stage::Apply),
        "git" if has("read-tree") && has("-u") => Some(Stage::CheckOut),
        "make" if has("tinyconfig") || has("olddefconfig") => Some(Stage::Configure),
        "make" if has("vmlinux") => Some(Stage::Make),
        "ld" if words.windows(2).any(|two| two[0] == "-o" && two[1].ends_with("vmlinux")) => {
            Some(Stage::Link)
        }
        "gcc" if has("-static") => Some(Stage::Program),
        "qemu-system-x86_64" | "qemu-system-i386" => Some(Stage::Guest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_tell_the_stage() {
        let of = |line: &str| of_command(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(of("/usr/bin/curl --fail url"), Some(Stage::Download));
        assert_eq!(of("git --git-dir=x read-tree --reset -u t"), Some(Stage::CheckOut));
        assert_eq!(of("git --git-dir=x read-tree t"), None);
        assert_eq!(of("make -C x O=y olddefconfig"), Some(Stage::Configure));
        assert_eq!(of("make -j2 vmlinux"), Some(Stage::Make));
        assert_eq!(of("ld -m elf_x86_64 -o vmlinux -T vmlinux.lds"), Some(Stage::Link));
        assert_eq!(of("ld -r -o vmlinux.o a.o"), None);
        assert_eq!(of("make headers_install"), None);
        assert_eq!(of(""), None);
    }
}
