// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;

fn listed(directory: &Path) -> Vec<String> {
    let bytes = plain_files(directory).unwrap();
    let mut paths: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .filter(|p| !p.is_empty())
        .map(|p| String::from_utf8_lossy(p).into())
        .collect();
    paths.sort();
    paths
}

#[test]
fn build_products_are_left_out_and_sources_kept() {
    let top = tempfile::tempdir().unwrap();
    let files = [
        ("Makefile", true),
        ("kernel/seccomp.c", true),
        ("kernel/seccomp.o", false),
        ("kernel/.seccomp.o.cmd", false),
        ("scripts/kconfig/conf", false),
        ("scripts/kconfig/.conf.cmd", false),
        ("scripts/kconfig/conf.c", true),
        ("include/generated/autoconf.h", false),
        ("arch/x86/include/generated/asm/x.h", false),
        (".config", false),
        (".gitignore", true),
        ("vmlinux", false),
        ("arch/x86/kernel/vmlinux.lds.S", true),
    ];
    for (path, _) in files {
        fs::create_dir_all(top.path().join(path).parent().unwrap()).unwrap();
        fs::write(top.path().join(path), "").unwrap();
    }
    let mut wanted: Vec<&str> = files.iter().filter(|(_, keep)| *keep).map(|(path, _)| *path).collect();
    wanted.sort_unstable();
    assert_eq!(listed(top.path()), wanted);
}

#[test]
fn only_a_full_commit_id_is_fixed() {
    let git = |revision: &str| TreeSource::Git { repository: "/r".into(), revision: revision.into() };
    assert!(is_fixed(&git(&"a".repeat(40))));
    assert!(!is_fixed(&git("main")));
    assert!(!is_fixed(&git("deadbeef")));
}
