// SPDX-License-Identifier: MIT OR Apache-2.0
//! Static checks: a verdict without a boot, kept by key, and absent where there is nothing to look at.

use crate::lab::{CELL, Lab};

const CHECK: [&str; 6] = ["--series", "none", "--flavor", "x86_64", "--check", "review.x32-comment"];
const HEADER: &str = "arch/x86/include/asm/seccomp.h";
const WITH: &str = "/* x32 numbers\n * are out of range. */\n#define SECCOMP_ARCH_NATIVE 1\n";

#[test]
fn a_cell_with_static_checks_alone_boots_nothing_and_is_looked_up_the_next_time() {
    let lab = Lab::new();
    lab.change_tree(HEADER, WITH);
    lab.test(&CHECK).assert(0, &["CHECKED", "PASS", CELL, "review.x32-comment 1/1"]);
    let cell = lab.only_cell();
    assert!(cell.get("accel").is_none_or(serde_json::Value::is_null), "{cell:#}");
    assert!(cell["timings_ms"].get("guest").is_none(), "{cell:#}");
    let ran = lab.test(&CHECK);
    ran.assert(0, &["PASS", "review.x32-comment 1/1"]);
    assert!(!ran.said.contains("CHECKED"), "{}", ran.said);
}

#[test]
fn what_is_not_there_fails_and_where_there_is_no_subject_it_is_absent() {
    let lab = Lab::new();
    lab.change_tree(HEADER, "/* nothing */\n#define SECCOMP_ARCH_NATIVE 1\n/* x */ int x32;\n");
    lab.test(&CHECK).assert(100, &["FAIL", "review.x32-comment fail"]);
    // Asked for by name, absent is a failure, and says why.
    lab.change_tree(HEADER, "/* x32 */\n");
    lab.test(&CHECK).assert(100, &["review.x32-comment absent", "has nothing that fits"]);
}

#[test]
fn beside_other_checks_the_guest_is_booted_once_and_both_count() {
    let lab = Lab::new();
    lab.change_tree(HEADER, WITH);
    let both = [&CHECK[..], &["--check", "seccomp_bpf"]].concat();
    lab.test(&both).assert(0, &["seccomp_bpf 2/2", "review.x32-comment 1/1", "1 pass"]);
    lab.change_tree(HEADER, "#define SECCOMP_ARCH_NATIVE 1\n");
    lab.test(&both).assert(100, &["review.x32-comment fail"]);
    assert_eq!(lab.only_cell()["checks"].as_array().unwrap().len(), 2);
}

#[test]
fn a_function_that_is_not_called_what_the_configuration_says_fails() {
    let lab = Lab::new();
    let walk = ["--series", "none", "--flavor", "x86_64", "--check", "review.walk-bounds"];
    let text = "bool renamed(struct sock_fprog_kern *prog, struct seccomp_data *sd)\n{\n\treturn false;\n}\n";
    lab.change_tree("kernel/seccomp.c", text);
    lab.test(&walk).assert(100, &["review.walk-bounds fail"]);
    let sub = lab.only_cell()["checks"][0]["subs"][0].clone();
    assert_eq!(sub["path"][0], "seccomp_is_const_allow", "{sub:#}");
    assert!(sub["reason"].as_str().unwrap().contains("kernel/seccomp.c has no function"), "{sub:#}");
    // Nothing of the kind is there: it is nobody's fault.
    lab.change_tree("kernel/seccomp.c", "int seccomp;\n");
    lab.test(&walk).assert(100, &["review.walk-bounds absent", "has nothing that fits"]);
    // In a kernel it is the same: this one has no functions at all.
    let guard = ["--series", "none", "--flavor", "x86_64", "--check", "review.speculation-guard"];
    lab.change_tree(HEADER, WITH);
    lab.test(&guard).assert(100, &["review.speculation-guard fail"]);
    let sub = lab.only_cell()["checks"][0]["subs"][0].clone();
    assert!(
        sub["reason"].as_str().unwrap().contains("the kernel has no function __seccomp_filter"),
        "{sub:#}"
    );
}

#[test]
fn an_object_that_did_not_compile_is_compiled_again_once_its_file_is_another() {
    let lab = Lab::new();
    let header = ["--series", "none", "--flavor", "x86_64", "--check", "review.header"];
    lab.change_tree("include/linux/seccomp.h", "/* nothing */\n");
    lab.change_tree("arch/x86/Kconfig", "config X86\n");
    // The fake make has no rule for single objects.
    lab.test(&header).assert(100, &["review.header fail"]);
    assert_eq!(lab.calls("make kernel/exec_domain.o").len(), 1);
    lab.test(&header).assert(100, &["review.header fail"]);
    assert_eq!(lab.calls("make kernel/exec_domain.o").len(), 1);
    // Other files decide nothing of it.
    lab.change_tree("kernel/seccomp.c", "int other;\n");
    lab.test(&header).assert(100, &["review.header fail"]);
    assert_eq!(lab.calls("make kernel/exec_domain.o").len(), 1);
    lab.change_tree("kernel/exec_domain.c", "int mended;\n");
    lab.test(&header).assert(100, &["review.header fail"]);
    assert_eq!(lab.calls("make kernel/exec_domain.o").len(), 2);
}
