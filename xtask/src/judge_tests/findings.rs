// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where findings come from, and what is said of a guest besides its verdict.

use super::super::*;
use super::guest::{Said, good, warning};
use crate::vm::frame::{CHECK_NONE, FrameType};
use FrameType::{Done, End, Start};

/// A check silences the console, the kernel speaks, and then nobody does any more.
#[test]
fn what_came_over_the_port_counts_though_the_guest_did_not_finish() {
    let title = "WARNING in seccomp_cache_check at kernel/seccomp.c";
    let warns = Said::Log(1, warning("seccomp_cache_check", "kernel/seccomp.c"));
    let cut = |shown: bool| {
        let mut guest = good().before(Done, 1, warns.clone()).silent_from(Done, 1);
        guest.console_shows_log = shown;
        guest.ending(Exit::Deadline)
    };
    for shown in [false, true] {
        cut(shown).is(Outcome::TimedOut, &format!("during beta: {title}"));
        let verdict = cut(shown).judged();
        assert!(verdict.excerpt[1].contains("seccomp_cache_check"), "{verdict:#?}");
        let found: Vec<_> = verdict.findings.iter().map(|one| (&*one.title, &*one.check, one.seen)).collect();
        assert_eq!(found, [(title, "beta", Seen::Log)], "each once");
    }
    // The log first, and then what only the console shows.
    let mut both = cut(false);
    both.console.push("Kernel panic - not syncing: at last".into());
    let found: Vec<Seen> = both.judged().findings.iter().map(|one| one.seen).collect();
    assert_eq!(found, [Seen::Log, Seen::Console]);
    both.is(Outcome::TimedOut, title);
    // The planted warning is none, though the guest did not finish.
    assert_eq!(good().without(End, CHECK_NONE).judged().findings, []);
}

#[test]
fn a_kernel_that_warns_without_end_is_said_to() {
    let many = Said::Log(0, vec!["BUG: odd".to_owned(); 1200]);
    let guest = good().before(Done, 0, many);
    guest.is(Outcome::Fail, "kernel log: BUG: odd during alpha (and 1200 more)");
    // The planted warning came after them, and is one of those that are not kept.
    assert_eq!(guest.judged().findings_dropped, 201);
}

/// A program's name has a newline in it, and the kernel names the program in its log.
#[test]
fn the_name_of_a_program_is_no_finding() {
    let fault = "segfault at 0 ip 0000000000401a2c sp 00007ffd3e5b7b80 error 6";
    for name in ["BUG: evil", "\\x0aBUG: evil"] {
        good().before(Done, 0, Said::Log(0, vec![format!("{name}[71]: {fault}")])).passes();
    }
}

#[test]
fn processes_that_a_check_left_behind_are_counted_and_fail_nothing() {
    let guest = good().with(Done, 0, "leftover 0", "leftover 3");
    guest.passes();
    let left: Vec<u64> = guest.judged().checks.iter().map(|check| check.leftover).collect();
    assert_eq!(left, [3, 0, 0, 0]);
}

#[test]
fn what_only_the_console_shows_of_a_crash_is_marked() {
    let mut guest = good().silent_from(Start, 0);
    guest.console.push("BUG: KASAN: use-after-free in forged+0x1/0x2".into());
    let verdict = guest.judged();
    assert_eq!(verdict.findings[0].seen, Seen::Console, "{verdict:#?}");
    assert!(verdict.reason.contains("KASAN"), "{}", verdict.reason);
    assert_eq!(
        good().before(Start, 0, Said::Log(CHECK_NONE, vec!["BUG: odd".into()])).judged().findings[0].seen,
        Seen::Log
    );
}
