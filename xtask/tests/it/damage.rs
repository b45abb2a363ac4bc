// SPDX-License-Identifier: MIT OR Apache-2.0
//! A repository with damaged objects: told, mended, and never a patch's fault.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::Lab;
use crate::tree::{change, mail};

/// Does something to a file.
type Damage<'a> = &'a dyn Fn(&Path);

/// Where the object of a file of the base tree is.
fn object(lab: &Lab, path: &str) -> PathBuf {
    let repository = lab.path("cache/repo.git");
    let asked = |words: &[&str]| {
        let mut git = Command::new("git");
        git.arg("--git-dir").arg(&repository).args(words);
        #[expect(clippy::disallowed_methods, reason = "the test asks git")]
        let said = git.output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap().lines().next().unwrap().to_owned()
    };
    let tree = asked(&["for-each-ref", "--format=%(objectname)", "refs/lab/"]);
    let id = asked(&["rev-parse", &format!("{tree}:{path}")]);
    let file = repository.join("objects").join(&id[..2]).join(&id[2..]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    file
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

/// A series that no run had before.
fn series(lab: &Lab, number: u32) -> String {
    let diff = change("int five;", &format!("int number_{number};"));
    lab.write(&format!("{number}.mbox"), &mail(1, "a word", &diff))
}

#[test]
fn objects_that_are_damaged_or_gone_are_imported_again_and_no_patch_is_blamed() {
    let lab = Lab::new();
    lab.test_series(&series(&lab, 0)).assert(0, &["1 pass"]);
    let damages: [(&str, Damage); 4] = [
        ("kernel/seccomp.c", &flip),
        ("kernel/seccomp.c", &|path| fs::write(path, "").unwrap()),
        ("kernel/seccomp.c", &|path| fs::remove_file(path).unwrap()),
        ("kernel", &flip),
    ];
    for (number, (path, damage)) in (1..).zip(damages) {
        damage(&object(&lab, path));
        let ran = lab.test_series(&series(&lab, number));
        ran.assert(0, &["NOTE", "the repository is damaged", "imported again", "1 pass"]);
        assert_eq!(ran.said.matches("all objects are looked through").count(), 1, "{}", ran.said);
        let next = lab.test_series(&series(&lab, number));
        next.assert(0, &["1 pass"]);
        assert!(!next.said.contains("damaged"), "{number}: {}", next.said);
    }
}

#[test]
fn damage_that_shows_when_the_work_tree_is_written_is_mended_as_well() {
    let lab = Lab::new();
    lab.test_series(&series(&lab, 0)).assert(0, &["1 pass"]);
    flip(&object(&lab, "kernel/fork.c"));
    for gone in ["work", "objects", "requests"] {
        fs::remove_dir_all(lab.path("cache").join(gone)).unwrap();
    }
    lab.test_series(&series(&lab, 0)).assert(0, &["the repository is damaged", "1 pass"]);
}

#[test]
fn the_state_of_a_tree_is_kept_with_a_digest() {
    let lab = Lab::new();
    lab.test_cell(&[]).assert(0, &["1 pass"]);
    let trees: Vec<_> = fs::read_dir(lab.path("cache/trees")).unwrap().collect();
    let state = trees[0].as_ref().unwrap().path().join("state.json");
    let text = fs::read_to_string(&state).unwrap();
    fs::write(&state, text.replacen("5.10", "5.11", 1)).unwrap();
    lab.test_cell(&[]).assert(0, &["cached state of tree", "it is not what was kept", "1 pass"]);
    let next = lab.test_cell(&[]);
    next.assert(0, &["1 pass"]);
    assert!(!next.said.contains("cached state"), "{}", next.said);
}
