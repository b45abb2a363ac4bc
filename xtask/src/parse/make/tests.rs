// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of build logs; those in `tests/data/make/` were written by hand from what the tools print.

use super::*;
use proptest::prelude::*;

fn read(bytes: &[u8]) -> BuildReport {
    let mut log = BuildLog::new().unwrap();
    for piece in bytes.chunks(11) {
        log.push(piece);
    }
    log.finish()
}

fn data(name: &str) -> BuildReport {
    let path = format!("{}/tests/data/make/{name}", env!("CARGO_MANIFEST_DIR"));
    read(&std::fs::read(path).unwrap())
}

fn failure(line: &str) -> BuildFailure {
    read(line.as_bytes()).failure.unwrap_or_else(|| panic!("no failure in {line}"))
}

fn compiler(file: &str, line: u32, message: &str) -> BuildFailure {
    BuildFailure::Compiler { file: file.into(), line: Some(line), message: message.into() }
}

#[test]
fn finds_the_first_compiler_error_behind_make_s_own() {
    let report = data("compile-error.log");
    let expected = compiler(
        "kernel/seccomp.c",
        351,
        "'struct seccomp_filter' has no member named 'cash'; did you mean 'cache'?",
    );
    assert_eq!(report.failure, Some(expected));
    assert_eq!(report.objects, 5);
    let [warning, linker] = report.warnings.as_slice() else {
        panic!("{:?}", report.warnings);
    };
    assert_eq!((warning.file.as_str(), warning.line), ("kernel/seccomp.c", Some(301)));
    assert_eq!(warning.message, "unused variable 'bitmap'");
    assert_eq!(warning.flag.as_deref(), Some("-Wunused-variable"));
    assert_eq!(linker.file, "vmlinux.o");
}

#[test]
fn tells_the_linker_from_the_compiler() {
    let report = data("link-error.log");
    let Some(BuildFailure::Linker { symbol, .. }) = report.failure else {
        panic!("{report:?}");
    };
    assert_eq!(symbol.as_deref(), Some("seccomp_cache_prepare"));
    for line in [
        "ld.lld: error: undefined symbol: foo",
        "/usr/bin/ld: cannot find -lcap: No such file or directory",
        "ERROR: modpost: \"foo\" [fs/x.ko] undefined!",
        "ld: init/main.o:(.bss+0x0): multiple definition of `foo'; a.o: first defined here",
        "ld: section .text VMA overlaps section .data",
    ] {
        assert!(matches!(failure(line), BuildFailure::Linker { .. }), "{line}: {:?}", failure(line));
    }
}

#[test]
fn tells_the_host_s_trouble_from_the_kernel_s() {
    for line in [
        "gcc: fatal error: Killed signal terminated program cc1",
        "Killed",
        "kernel/fork.c:1:1: fatal error: error writing to /tmp/cc1.s: No space left on device",
        "ld: final link failed: No space left on device",
        "cc1: out of memory: Cannot allocate memory",
        "make[2]: *** [scripts/Makefile.build:286: kernel/fork.o] Killed",
        "make: *** [Makefile:1: vmlinux] Error 137",
        "make[1]: *** [Makefile:185: x] Terminated",
        "/bin/sh: 1: bc: not found",
        "bash: line 1: flex: command not found",
        "scripts/sign-file.c:25:10: fatal error: openssl/opensslv.h: No such file or directory",
        "/bin/sh: fork: retry: Resource temporarily unavailable",
    ] {
        assert!(matches!(failure(line), BuildFailure::Host { .. }), "{line}: {:?}", failure(line));
    }
    let report = data("no-space.log");
    assert!(matches!(report.failure, Some(BuildFailure::Host { .. })), "{report:?}");
}

#[test]
fn reads_kconfig_s_errors() {
    let error = failure("arch/Kconfig:617: syntax error\n");
    let expected = BuildFailure::Kconfig {
        file: Some("arch/Kconfig".into()),
        line: Some(617),
        message: "syntax error".into(),
    };
    assert_eq!(error, expected);
    for line in [
        "arch/Kconfig:5:error: recursive dependency detected!",
        "init/Kconfig:12: can't open file \"missing/Kconfig\"",
        "***\n*** Configuration file \".config\" not found!",
    ] {
        assert!(matches!(failure(line), BuildFailure::Kconfig { .. }), "{line}");
    }
    let report = read(b"kernel/Kconfig:3:warning: ignoring unsupported character '@'\n");
    assert_eq!(report.failure, None);
    assert_eq!(report.warnings[0].line, Some(3));
}

#[test]
fn falls_back_to_make() {
    let target = |line: &str| match failure(line) {
        BuildFailure::Make { target, .. } => target,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(
        target("make[2]: *** [scripts/Makefile.build:286: kernel/seccomp.o] Error 1"),
        "kernel/seccomp.o"
    );
    assert_eq!(target("make: *** [vmlinux] Error 2"), "vmlinux");
    assert_eq!(
        target(
            "make[1]: *** No rule to make target 'kernel/nothing.o', needed by 'kernel/built-in.a'.  Stop."
        ),
        "kernel/nothing.o"
    );
    assert_eq!(target("Makefile:678: *** missing separator.  Stop."), "");
}

#[test]
fn reads_other_compiler_errors() {
    assert_eq!(
        failure("a/b.S:12: Error: no such instruction: `x'"),
        compiler("a/b.S", 12, "no such instruction: `x'")
    );
    assert_eq!(failure("a.c:1:2: error: odd"), compiler("a.c", 1, "odd"));
    assert_eq!(
        failure("x.c:3:10: fatal error: linux/no.h: No such file or directory").clone(),
        compiler("x.c", 3, "linux/no.h: No such file or directory")
    );
    assert!(matches!(
        failure("cc1: error: unrecognized command-line option '-x'"),
        BuildFailure::Compiler { line: None, .. }
    ));
}

#[test]
fn a_clean_log_is_clean() {
    let report = read(b"  SYNC    include/config/auto.conf.cmd\n  CC      a.o\n   12 | error: quoted: error: x\n\tpr_err(\"No space left on device\");\nKernel: arch/x86/boot/bzImage is ready  (#1)\nkernel/x.c: In function 'error':\n");
    assert_eq!(report.failure, None);
    assert!(report.warnings.is_empty());
    assert_eq!((report.objects, report.lines), (1, 6));
    assert_eq!(read(b""), BuildReport::default());
}

#[test]
fn warnings_are_told_once_and_capped() {
    let one = "a.c:1:1: warning: x [-Wx]\n";
    let report = read(one.repeat(3).as_bytes());
    assert_eq!(report.warnings.len(), 1);
    let many: Vec<String> = (1..=600).map(|n| format!("a.c:{n}:1: warning: x")).collect();
    let many = many.join("\n");
    let report = read(many.as_bytes());
    assert_eq!((report.warnings.len(), report.warnings_dropped), (500, 100));
}

#[test]
fn knows_object_lines() {
    assert_eq!(is_object_line("  CC      kernel/seccomp.o"), Some("kernel/seccomp.o"));
    assert_eq!(is_object_line("  CC [M]  fs/x.o"), Some("fs/x.o"));
    assert_eq!(is_object_line("  LD      vmlinux.o"), Some("vmlinux.o"));
    assert_eq!(is_object_line("  AS      a.o"), Some("a.o"));
    assert_eq!(is_object_line("  AR      built-in.a"), Some("built-in.a"));
    for line in [
        "  HOSTCC  scripts/x",
        "  GEN     x",
        "CC x.o",
        "  CC",
        "  CC   ",
        "  CC      a b",
        "  CCC     x.o",
        "",
    ] {
        assert_eq!(is_object_line(line), None, "{line}");
    }
}

proptest! {
    #[test]
    fn takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = is_object_line(&String::from_utf8_lossy(&bytes));
    }
}
