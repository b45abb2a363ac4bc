// SPDX-License-Identifier: MIT OR Apache-2.0
//! A directory that looks like a kernel, and patches for it.

use std::fs;
use std::path::Path;

/// The text of `kernel/seccomp.c`: ten lines, so that a hunk has a place.
pub const SECCOMP_C: &str = "/* one */\n/* two */\n/* three */\nint four;\nint five;\nint six;\n/* seven */\n/* eight */\n/* nine */\n/* ten */\n";

/// Makes the tree.
pub fn plant(top: &Path) {
    let table = |abi: &str, count: u32| {
        (0..count).fold("# number abi name entry\n".to_owned(), |text, number| {
            format!("{text}{number}\t{abi}\tcall{number}\tsys_call{number}\n")
        })
    };
    let test = "#include \"../kselftest.h\"\nint main(void) { return 0; }\n";
    for (file, text) in [
        ("Makefile", "VERSION = 5\nPATCHLEVEL = 10\n"),
        ("Kconfig", "mainmenu \"fake\"\n"),
        ("kernel/seccomp.c", SECCOMP_C),
        ("kernel/fork.c", "int fork;\n"),
        ("kernel/sys.c", "int sys;\n"),
        ("include/uapi/linux/seccomp.h", "/* uapi */\n"),
        ("scripts/mkcompile_h", "#!/bin/sh\n"),
        ("arch/x86/Makefile", "# x86\n"),
        ("arch/x86/entry/syscalls/syscall_64.tbl", &table("common", 440)),
        ("arch/x86/entry/syscalls/syscall_32.tbl", &table("i386", 440)),
        ("tools/testing/selftests/kselftest.h", "/* kselftest */\n"),
        ("tools/testing/selftests/seccomp/seccomp_bpf.c", test),
        ("tools/testing/selftests/timers/nanosleep.c", test),
    ] {
        write(&top.join(file), text);
    }
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A mail with a diff, as `git format-patch` writes it; number 0 is a cover letter of two patches.
pub fn mail(number: u32, subject: &str, diff: &str) -> String {
    let of = if number == 0 { " 0/2" } else { "" };
    format!(
        "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n\
         From: A Person <a@example.org>\nDate: Thu, 1 Oct 2020 00:00:00 +0000\n\
         Message-Id: <{number}@example.org>\nSubject: [PATCH v5{of}] {subject}\n\n\
         Why.\n---\n\n{diff}-- \n2.39.5\n\n"
    )
}

/// A diff that replaces one line of `kernel/seccomp.c` (line 5, `int five;`, in the tree as planted).
pub fn change(from: &str, to: &str) -> String {
    format!(
        "diff --git a/kernel/seccomp.c b/kernel/seccomp.c\n--- a/kernel/seccomp.c\n+++ b/kernel/seccomp.c\n\
         @@ -4,3 +4,3 @@\n int four;\n-{from}\n+{to}\n int six;\n"
    )
}

/// A diff that adds a file of one line.
pub fn new_file(path: &str, line: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n"
    )
}
