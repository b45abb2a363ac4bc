// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host that lets the lab down.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::lab::Lab;

#[test]
fn a_host_without_qemu_is_told_what_to_install() {
    let lab = Lab::new();
    fs::remove_file(lab.path("tools/qemu-system-x86_64")).unwrap();
    let tree = format!("path={}", lab.tree().display());
    let words = ["test", "--tree", &tree, "--series", "none", "--check", "seccomp_bpf"];
    lab.run(&words).assert(105, &["packages are missing", "qemu-system-x86", "help: ", "apt-get install"]);
    assert!(lab.record_if_any().is_none());
    lab.test_cell(&[]).assert(105, &["cannot start `qemu-system-x86_64`", "help: `cargo xtask doctor`"]);
    assert!(lab.record_if_any().is_none());
    lab.run(&["doctor"]).assert(105, &["MISSING", "qemu-system-x86", "boots the guests"]);
}

#[test]
fn a_host_without_a_compiler_is_the_labs_trouble() {
    let lab = Lab::new();
    fs::remove_file(lab.path("tools/gcc")).unwrap();
    lab.test_cell(&[]).assert(105, &["cannot start `gcc`"]);
    if let Some(record) = lab.record_if_any() {
        assert_eq!(record["state"], "failed", "{record:#}");
    }
}

#[test]
fn results_that_cannot_be_written_are_the_hosts_trouble() {
    let lab = Lab::new();
    let file = lab.write("taken", "a file, and no folder");
    let ran = lab.test_cell(&["--results-dir", &file]);
    ran.assert(105, &["making the run's folder", &file]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "a file, and no folder");
    assert_eq!(lab.calls("boot"), [""; 0]);
}

#[test]
fn a_folder_without_permission_is_the_hosts_trouble() {
    if rustix::process::geteuid().is_root() {
        // Root ignores modes; the file in the way above stands for both.
        return;
    }
    let lab = Lab::new();
    let folder = lab.path("read-only");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    lab.test_cell(&["--results-dir", &folder.to_string_lossy()]).assert(105, &["read-only"]);
}

#[test]
fn a_cache_that_cannot_be_made_is_the_hosts_trouble() {
    let lab = Lab::new();
    let file = lab.write("taken", "a file, and no folder");
    lab.test_cell(&["--cache-dir", &file]).assert(105, &["opening the cache", &file]);
    assert_eq!(lab.calls("boot"), [""; 0]);
}
