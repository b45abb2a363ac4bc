// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::action::{ALLOW, ERRNO};
use crate::insn::Insn;
use crate::walk::Reason;

fn kernel_5_10() -> Kernel {
    Kernel::native(Arch::X86_64, 441).with_compat(Arch::Ia32, 441)
}

fn program(insns: &[Insn]) -> Program {
    Program::check(insns).unwrap()
}

fn allow() -> Program {
    program(&[Insn::ret(ALLOW)])
}

fn deny_from(nr: u32) -> Program {
    program(&[Insn::load_nr(), Insn::jge(nr, 0, 1), Insn::ret(ERRNO | 1), Insn::ret(ALLOW)])
}

fn only_i386() -> Program {
    let i386 = Arch::Ia32.audit();
    program(&[Insn::load_arch(), Insn::jeq(i386, 0, 1), Insn::ret(ALLOW), Insn::ret(ERRNO | 1)])
}

fn counts(kernel: &Kernel, chain: &[Program]) -> Vec<usize> {
    expected(kernel, chain).iter().map(Bitmap::allowed_count).collect()
}

#[test]
fn golden_counts_of_5_10() {
    assert_eq!(counts(&kernel_5_10(), &[allow()]), [441, 441]);
    assert_eq!(counts(&kernel_5_10(), &[deny_from(100)]), [100, 100]);
    assert_eq!(counts(&kernel_5_10(), &[only_i386()]), [0, 441]);
}

#[test]
fn golden_counts_of_7_2_with_the_uprobe_exception() {
    let kernel =
        Kernel::native(Arch::X86_64, 472).with_compat(Arch::Ia32, 472).with_always_allowed(&[335, 336]);
    assert_eq!(counts(&kernel, &[deny_from(100)]), [102, 100]);
    assert_eq!(counts(&kernel, &[only_i386()]), [2, 472]);
}

#[test]
fn i386_kernel_shows_ia32_only() {
    let kernel = Kernel::native(Arch::Ia32, 441);
    let dump = expected_dump(&kernel, Some(&[only_i386()]));
    assert_eq!(dump.lines().count(), 441);
    assert!(dump.lines().all(|line| line.starts_with("ia32 ") && line.ends_with(" ALLOW")));
    // With one architecture the lookup does not look at it.
    let bitmaps = expected(&kernel, &[only_i386()]);
    assert!(bitmaps.allows(0, Arch::Ia32.audit()) && bitmaps.allows(0, Arch::X86_64.audit()));
}

#[test]
fn dump_is_the_text_of_the_file() {
    let kernel = Kernel::native(Arch::X86_64, 3).with_compat(Arch::Ia32, 2);
    let dump = expected_dump(&kernel, Some(&[deny_from(1)]));
    assert_eq!(dump, "x86_64 0 ALLOW\nx86_64 1 FILTER\nx86_64 2 FILTER\nia32 0 ALLOW\nia32 1 FILTER\n");
    let full = expected_dump(&kernel_5_10(), Some(&[allow()]));
    assert_eq!(full.lines().count(), 882);
    assert_eq!(full.lines().nth(440), Some("x86_64 440 ALLOW"));
    assert_eq!(full.lines().nth(441), Some("ia32 0 ALLOW"));
    assert_eq!(full.lines().last(), Some("ia32 440 ALLOW"));
}

#[test]
fn without_filters_the_file_is_empty() {
    assert_eq!(expected_dump(&kernel_5_10(), None), "");
    assert_eq!(expected_dump(&kernel_5_10(), Some(&[])), "");
}

#[test]
fn a_chain_is_the_and_of_its_filters() {
    let kernel = kernel_5_10();
    assert_eq!(counts(&kernel, &[deny_from(100), allow()]), [100, 100]);
    assert_eq!(counts(&kernel, &[allow(), deny_from(100)]), [100, 100]);
    assert_eq!(counts(&kernel, &[deny_from(50), only_i386(), deny_from(100)]), [0, 50]);
}

#[test]
fn lookup_knows_its_bounds() {
    let bitmaps = expected(&kernel_5_10(), &[allow()]);
    let x86_64 = Arch::X86_64.audit();
    assert!(
        bitmaps.allows(0, x86_64) && bitmaps.allows(440, x86_64) && bitmaps.allows(440, Arch::Ia32.audit())
    );
    for nr in [-1, i32::MIN, 441, 447, 448, 511, 0x4000_0000, i32::MAX] {
        assert!(!bitmaps.allows(nr, x86_64), "{nr}");
    }
    assert!(!bitmaps.allows(0, 0xc000_00b7), "an architecture that the kernel does not have");
    let native_only = expected(
        &kernel_5_10(),
        &[program(&[Insn::load_arch(), Insn::jeq(x86_64, 0, 1), Insn::ret(ALLOW), Insn::ret(ERRNO)])],
    );
    assert!(native_only.allows(3, x86_64) && !native_only.allows(3, Arch::Ia32.audit()));
}

#[test]
fn explanations_name_filter_and_instruction() {
    let kernel = kernel_5_10().with_always_allowed(&[335]);
    let chain = [allow(), deny_from(100)];
    let why = |arch, nr| explain(&kernel, &chain, arch, nr);
    assert_eq!(why(Arch::X86_64, 99), Explanation::Cached);
    assert_eq!(why(Arch::X86_64, 335), Explanation::AlwaysAllowed);
    assert_eq!(why(Arch::X86_64, 441), Explanation::OutOfRange);
    let verdict = Verdict::Not { at: 2, why: Reason::Returns(ERRNO | 1) };
    assert_eq!(why(Arch::Ia32, 335), Explanation::NotCached { filter: 1, verdict });
    assert_eq!(why(Arch::Ia32, 335).to_string(), "not cached: filter 1, instruction 2 returns ERRNO(1)");
    assert_eq!(explain(&kernel, &[], Arch::Ia32, 0), Explanation::NoFilter);
    let i386 = Kernel::native(Arch::Ia32, 441);
    assert_eq!(explain(&i386, &chain, Arch::X86_64, 0), Explanation::NoSuchArch);
}
