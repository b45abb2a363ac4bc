// SPDX-License-Identifier: MIT OR Apache-2.0
//! A correct guest passes; one thing taken away from it, or made wrong, and it does not.

#[path = "judge_tests/checks.rs"]
mod checks;
#[path = "judge_tests/findings.rs"]
mod findings;
#[path = "judge_tests/guest.rs"]
mod guest;
#[path = "judge_tests/made.rs"]
mod made;
#[path = "judge_tests/mutants.rs"]
mod mutants;

use proptest::prelude::*;

use self::guest::{Piece, Said, encode, good, planted, record, warning};
use super::*;
use crate::vm::frame::{CHECK_NONE, CHECK_PLANT, FrameType};
use FrameType::{Done, End, Error, Fatal, Hello, Kmsg, Output, Plant, Start};

#[test]
fn the_correct_guest_passes() {
    let guest = good();
    guest.passes();
    let verdict = guest.judged();
    let statuses: Vec<&str> = verdict.checks.iter().map(|check| check.status.word()).collect();
    assert_eq!(statuses, ["pass", "pass", "pass", "absent"]);
    assert_eq!(verdict.findings, []);
    assert_eq!((verdict.checks[0].plan, verdict.checks[0].subs.len(), verdict.checks[0].ms), (Some(2), 2, 7));
}

// --- the boot

#[test]
fn a_guest_that_never_said_hello_did_not_boot() {
    let mute = || good().silent_from(Hello, CHECK_NONE);
    mute().ending(Exit::Deadline).is(Outcome::BootFailed, "no sign of init before the boot deadline");
    mute().ending(Exit::Code(0)).is(Outcome::BootFailed, "the guest reset before init spoke");
    mute().ending(Exit::Code(1)).is(Outcome::Infra, "QEMU ended with exit code 1");
    mute().ending(Exit::Signal(9)).is(Outcome::Infra, "signal 9");
    mute().ending(Exit::Interrupted).is(Outcome::Cancelled, "interrupted");
    let mut panicked = mute().ending(Exit::Deadline);
    panicked.console.push("Kernel panic - not syncing: VFS: Unable to mount root fs".into());
    panicked.is(Outcome::BootFailed, "Kernel panic - not syncing: VFS");
    assert!(panicked.judged().excerpt[0].contains("Kernel panic"), "{:?}", panicked.judged().excerpt);
}

#[test]
fn qemu_that_could_not_start_is_the_labs_trouble() {
    for code in [0, 1] {
        let mut guest = good().silent_from(Hello, CHECK_NONE).ending(Exit::Code(code));
        guest.console_shows_log = false;
        guest.qemu_said = "qemu-system-x86_64: -cpu max: no such CPU\n".into();
        guest.is(Outcome::Infra, &format!("QEMU ended with exit code {code}"));
        assert_eq!(guest.judged().excerpt, ["qemu-system-x86_64: -cpu max: no such CPU"]);
    }
}

#[test]
fn a_hello_that_is_missing_or_anothers_is_no_pass() {
    good().without(Hello, CHECK_NONE).is(Outcome::BootFailed, "before init spoke");
    good().with(Hello, CHECK_NONE, "0011", "1100").is(Outcome::Crashed, "another boot's nonce");
    let again = record(Hello, CHECK_NONE, &format!("nonce {}\n", guest::NONCE));
    good().before(Plant, CHECK_PLANT, again).is(Outcome::Crashed, "it has booted again");
}

#[test]
fn an_init_that_gives_up_blames_the_job_before_its_hello_and_the_kernel_after_it() {
    let gives_up = |kind, words| {
        let mut guest = good().silent_from(kind, CHECK_NONE);
        guest.said.push(record(Fatal, CHECK_NONE, words));
        guest
    };
    gives_up(Hello, "the job: no `go`\n").is(Outcome::Infra, "init gave up: the job: no `go`");
    let undead = "check 0: process 7 does not die\n";
    gives_up(End, undead).is(Outcome::Crashed, "init gave up: check 0: process 7 does not die");
    good().before(End, CHECK_NONE, record(Fatal, CHECK_NONE, undead)).is(Outcome::Crashed, "init gave up");
}

#[test]
fn a_check_that_an_interrupt_cut_off_has_no_result() {
    let mut guest = good().silent_from(Done, 2).ending(Exit::Interrupted);
    guest.checks[2] = guest::sent("gamma", 2, VerdictSource::Model(guest::wrong("fact")));
    guest.is(Outcome::Cancelled, "interrupted");
    let told = |guest: &guest::Guest| {
        let checks = guest.judged().checks.into_iter();
        checks.map(|check| (check.status.word(), check.reason, check.subs.len())).collect::<Vec<_>>()
    };
    let checks = told(&guest);
    // Those that had ended by then keep what they came to.
    assert_eq!((checks[0].0, checks[1].0), ("pass", "pass"));
    assert_eq!(checks[2], ("not-run", "interrupted".to_owned(), 0));
    let unbegun = told(&good().silent_from(Hello, CHECK_NONE).ending(Exit::Interrupted));
    assert!(
        unbegun[..3].iter().all(|check| *check == ("not-run", "interrupted".to_owned(), 0)),
        "{unbegun:?}"
    );
    // One that crashed its guest is to blame.
    assert_eq!(told(&guest.ending(Exit::Code(0)))[2].0, "fail");
}

// --- the conversation

#[test]
fn a_guest_without_its_end_record_is_never_a_pass() {
    let unended = || good().without(End, CHECK_NONE);
    unended().ending(Exit::Deadline).is(Outcome::TimedOut, "killed at the deadline between checks");
    unended().ending(Exit::Code(0)).is(Outcome::Crashed, "without its end record");
    unended().ending(Exit::Code(1)).is(Outcome::Crashed, "without its end record");
    unended().ending(Exit::Signal(11)).is(Outcome::Infra, "killed by signal 11");
    good().ending(Exit::Interrupted).is(Outcome::Cancelled, "interrupted");
}

#[test]
fn a_crash_names_the_check_and_what_the_console_said() {
    let mut guest = good().silent_from(Done, 0);
    guest.console.push("Kernel panic - not syncing: Attempted to kill init!".into());
    guest.is(Outcome::Crashed, "during alpha: Kernel panic - not syncing: Attempted to kill init");
    let verdict = guest.judged();
    assert!(verdict.excerpt[0].contains("Kernel panic"), "{verdict:#?}");
    assert_eq!(verdict.findings[0].family, "panic");
    guest.ending(Exit::Deadline).is(Outcome::TimedOut, "deadline during alpha: Kernel panic");
}

#[test]
fn the_planted_warning_is_not_blamed_for_a_crash_after_it() {
    let guest = good().without(End, CHECK_NONE);
    let verdict = guest.judged();
    assert!(!verdict.reason.contains("lkdtm"), "{verdict:#?}");
    assert_eq!(verdict.findings, []);
}

#[test]
fn an_end_record_that_does_not_fit_is_no_pass() {
    good().with(End, CHECK_NONE, "0011", "1100").is(Outcome::Crashed, "another boot's nonce");
    good().with(End, CHECK_NONE, "nonce", "once").is(Outcome::Crashed, "another boot's nonce");
    good()
        .with(End, CHECK_NONE, "{frames}", "3")
        .is(Outcome::Crashed, "the guest sent 3 records, and 17 came");
    good().with(End, CHECK_NONE, "checks 3", "checks 2").is(Outcome::Crashed, "2 of 3 checks ended");
    good().with(End, CHECK_NONE, "checks 3", "checks 4").is(Outcome::Crashed, "4 of 3 checks ended");
    let mut more = good();
    more.said.push(record(Output, 0, "ok 3 three\n"));
    more.is(Outcome::Crashed, "a record came after the end record");
}

#[test]
fn records_that_do_not_belong_are_no_pass() {
    for (said, words) in [
        (record(FrameType::Job, CHECK_NONE, "go\n"), "a record of the lab's"),
        (record(FrameType::Input, 0, "x"), "a record of the lab's"),
        (record(Output, 3, "x"), "a check that is not in the job"),
        (record(Start, CHECK_NONE, "x"), "a check that is not in the job"),
        (record(Done, 1, "gone\n"), "cannot be read"),
        (record(Done, 1, "exit zero\nms 1\nstdout 0\n"), "cannot be read"),
    ] {
        good().before(Plant, CHECK_PLANT, said).is(Outcome::Crashed, words);
    }
}

#[test]
fn a_damaged_stream_is_no_pass() {
    let guest = good();
    let whole = encode(&guest.pieces()).concat();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let verdict = guest.judge_bytes(&damaged);
    assert_eq!(verdict.outcome, Outcome::Crashed, "{verdict:#?}");
    assert!(verdict.reason.contains("cannot be trusted"), "{}", verdict.reason);
    let verdict = guest.judge_bytes(&[whole.as_slice(), b"SLB1"].concat());
    assert_eq!(verdict.outcome, Outcome::Crashed, "{verdict:#?}");
}

/// The three ways in which a frame can be gone: lost under way, sent and not numbered, never sent.
#[test]
fn dropping_any_one_frame_is_never_a_pass() {
    let guest = good();
    let pieces = guest.pieces();
    for drop in 0..pieces.len() {
        let mut lost = encode(&pieces);
        lost.remove(drop);
        let mut unnumbered = pieces.clone();
        unnumbered.remove(drop);
        for bytes in [lost.concat(), encode(&unnumbered).concat()] {
            let verdict = guest.judge_bytes(&bytes);
            assert_ne!(verdict.outcome, Outcome::Pass, "frame {drop}: {:?}", pieces[drop]);
        }
        let mut unsent = unnumbered;
        recount(&mut unsent);
        let verdict = guest.judge_bytes(&encode(&unsent).concat());
        // Nothing is judged by what a check writes to its error stream.
        let is_needed = pieces[drop].kind != Error;
        assert_eq!(verdict.outcome != Outcome::Pass, is_needed, "frame {drop}: {:?}", pieces[drop]);
    }
}

/// Makes the end record fit the frames before it.
fn recount(pieces: &mut [Piece]) {
    let frames = pieces.len() - 1;
    if let Some(end) = pieces.last_mut().filter(|piece| piece.kind == End) {
        let kept: Vec<&str> = end.payload.lines().filter(|line| !line.starts_with("frames ")).collect();
        end.payload = format!("{}\nframes {frames}\n", kept.join("\n"));
    }
}

proptest! {
    #[test]
    fn dropping_any_frames_is_never_a_pass(keep in proptest::collection::vec(any::<bool>(), 18)) {
        let (guest, mut keep) = (good(), keep.into_iter());
        let mut pieces = guest.pieces();
        prop_assert_eq!(pieces.len(), 18);
        pieces.retain(|_| keep.next().unwrap());
        prop_assume!(pieces.len() < 18);
        let verdict = guest.judge_bytes(&encode(&pieces).concat());
        prop_assert_ne!(verdict.outcome, Outcome::Pass);
    }

    #[test]
    fn a_stream_that_is_cut_or_changed_anywhere_is_never_a_pass(at in any::<proptest::sample::Index>(), bit in 0_u32..8) {
        let guest = good();
        let whole = encode(&guest.pieces()).concat();
        let at = at.index(whole.len());
        prop_assert_ne!(guest.judge_bytes(&whole[..at]).outcome, Outcome::Pass);
        let mut changed = whole;
        changed[at] ^= 1 << bit;
        prop_assert_ne!(guest.judge_bytes(&changed).outcome, Outcome::Pass);
    }
}

// --- the kernel log

#[test]
fn a_kernel_log_with_holes_proves_nothing() {
    let incomplete = |guest: guest::Guest, words: &str| {
        guest.is(Outcome::Infra, "the kernel log is incomplete");
        guest.is(Outcome::Infra, words);
    };
    incomplete(good().before(Start, 1, Said::Lost(3)), "3 messages are missing");
    incomplete(good().before(Hello, CHECK_NONE, Said::Lost(1)), "its beginning is missing");
    let kmsg = |text: &str| record(Kmsg, CHECK_NONE, text);
    incomplete(good().before(Start, 1, kmsg("no record\n")), "1 records cannot be read");
    incomplete(good().before(Start, 1, kmsg("6,0,0,-;hello again\n")), "1 records cannot be read");
    good()
        .before(Start, 1, kmsg("6,0,0,-;Linux version 5.10.262\n"))
        .is(Outcome::Fail, "a second `Linux version` in one boot");
    incomplete(good().before(End, CHECK_NONE, kmsg("6,9,9000,-;half a li")), "it is cut short");
    let mut silent = good();
    silent.said.retain(|said| !matches!(said, Said::Log(..)));
    incomplete(silent, "its beginning is missing");
}

#[test]
fn a_kernel_that_floods_its_log_is_blamed_and_not_the_lab() {
    let warning =
        Said::Log(0, vec!["WARNING: CPU: 0 PID: 7 at kernel/seccomp.c:1 __seccomp_filter+0x1/0x2".into()]);
    let flooded = good().before(Done, 0, warning).before(Start, 1, Said::Lost(3));
    flooded.is(Outcome::Fail, "kernel log: WARNING");
}

#[test]
fn without_the_planted_warning_a_log_proves_nothing() {
    good().without(Plant, CHECK_PLANT).is(Outcome::Infra, "init did not plant its warning");
    good()
        .with(Plant, CHECK_PLANT, "written", "failed 2")
        .is(Outcome::Infra, "could not be written (failed 2): is CONFIG_LKDTM set?");
    let mut unseen = good();
    unseen.console_shows_plant = false;
    unseen.is(Outcome::Infra, "the planted warning is not in the console");
    let mut unlogged = good();
    let at = unlogged.said.iter().position(|said| matches!(said, Said::Log(CHECK_PLANT, _))).unwrap();
    unlogged.said.remove(at);
    unlogged.is(Outcome::Infra, "neither the kernel log nor the console");
    unlogged.console = planted();
    unlogged.is(Outcome::Infra, "the planted warning is not in the kernel log");
}

#[test]
fn an_excuse_that_is_so_wide_that_nothing_could_be_seen_is_named() {
    let mut excused = good();
    let (reason, until) = ("known", "2030-01-01");
    excused.allow = format!("\n[[allow]]\npattern = '^WARNING'\nreason = '{reason}'\nuntil = '{until}'\n");
    excused.is(Outcome::Infra, "the entry `^WARNING` excuses the planted warning, too: narrow it");
}

#[test]
fn a_warning_that_a_program_wrote_is_no_planted_one() {
    let mut guest = good();
    let at = guest.said.iter().position(|said| matches!(said, Said::Log(CHECK_PLANT, _))).unwrap();
    // Facility 1: written to /dev/kmsg by a program.
    let forged = planted().join("\\x0a");
    guest.said[at] = record(Kmsg, CHECK_PLANT, &format!("12,3,3000,-;{forged}\n"));
    guest.console = planted();
    guest.is(Outcome::Infra, "the planted warning is not in the kernel log");
}

#[test]
fn the_planted_warning_in_the_time_of_a_check_is_a_finding() {
    good()
        .before(Done, 0, Said::Log(0, planted()))
        .is(Outcome::Fail, "drivers/misc/lkdtm/bugs.c during alpha");
    let mut only = good();
    let at = only.said.iter().position(|said| matches!(said, Said::Log(CHECK_PLANT, _))).unwrap();
    only.said[at] = Said::Log(2, planted());
    only.is(Outcome::Fail, "drivers/misc/lkdtm/bugs.c");
}

// --- findings

#[test]
fn a_warning_fails_the_cell_whenever_it_comes() {
    let warns = |check| Said::Log(check, warning("seccomp_cache_check", "kernel/seccomp.c"));
    let title = "kernel log: WARNING in seccomp_cache_check at kernel/seccomp.c";
    let during = good().before(Done, 1, warns(1));
    during.is(Outcome::Fail, &format!("{title} during beta"));
    assert_eq!(during.judged().findings[0].check, "beta");
    assert!(during.judged().excerpt[1].contains("seccomp_cache_check"));
    let early = good().before(Start, 0, warns(CHECK_NONE));
    early.is(Outcome::Fail, title);
    assert!(!early.judged().reason.contains("during"), "{}", early.judged().reason);
    good().before(Plant, CHECK_PLANT, warns(CHECK_NONE)).is(Outcome::Fail, title);
    let late = good().before(End, CHECK_NONE, warns(CHECK_PLANT));
    late.is(Outcome::Fail, title);
    assert_eq!(late.judged().findings.len(), 1, "the log and the console say the same");
    let two = good().before(Done, 0, warns(0)).before(Done, 1, warns(1));
    two.is(Outcome::Fail, "during alpha (and 1 more)");
}

/// A record is known to be whole when the next one begins: that one may be of the next check's time.
#[test]
fn the_last_message_of_a_check_is_that_checks() {
    let oom = Said::Log(0, vec!["Out of memory: Killed process 71 (alpha)".into()]);
    good().before(Done, 0, oom).is(Outcome::Fail, "Out of memory during alpha");
    let mut last = good();
    last = last.before(End, CHECK_NONE, Said::Log(2, vec!["Out of memory: Killed process 71".into()]));
    last.is(Outcome::Fail, "Out of memory during gamma");
}

#[test]
fn more_than_one_warning_of_lkdtm_is_a_finding() {
    good().before(End, CHECK_NONE, Said::Log(CHECK_PLANT, planted())).is(Outcome::Fail, "lkdtm_WARNING");
}

#[test]
fn an_oops_in_lkdtm_is_not_the_planted_warning() {
    let oops = [
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "RIP: 0010:lkdtm_do_action+0x1/0x2",
        "---[ end trace 0123456789abcdef ]---",
    ];
    let oops = Said::Log(CHECK_PLANT, oops.map(str::to_owned).to_vec());
    let title = "NULL pointer dereference in lkdtm_do_action";
    good().before(End, CHECK_NONE, oops.clone()).is(Outcome::Fail, title);
    let mut instead = good();
    let at = instead.said.iter().position(|said| matches!(said, Said::Log(CHECK_PLANT, _))).unwrap();
    instead.said[at] = oops;
    instead.is(Outcome::Fail, title);
    assert!(instead.judged().findings[0].title.contains(title), "{:#?}", instead.judged());
}

#[test]
fn what_the_console_says_after_the_planted_warning_is_a_finding() {
    let mut guest = good();
    guest.console.push("Kernel panic - not syncing: Fatal exception in interrupt".into());
    guest.is(Outcome::Fail, "kernel log: Kernel panic - not syncing");
}

#[test]
fn a_second_boot_in_one_log_is_a_finding() {
    let again = Said::Log(1, vec!["Linux version 5.10.262".into()]);
    good().before(Done, 1, again).is(Outcome::Fail, "silent reboot");
}
