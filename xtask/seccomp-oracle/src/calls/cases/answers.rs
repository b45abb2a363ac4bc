// SPDX-License-Identifier: MIT OR Apache-2.0
//! What filters can answer, alone and against other filters.

use super::{PASS, answer_getpid, answer_known, case, deny, known};
use crate::action::{ALLOW, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, TRACE, TRAP, USER_NOTIF};
use crate::calls::CallCase;
use crate::calls::expect::Known;
use crate::insn::Insn;

pub(super) fn cases() -> Vec<CallCase> {
    [single(), chained()].concat()
}

fn single() -> Vec<CallCase> {
    let getpid = |name: &str, doc: &str, value| known(name, doc, vec![answer_getpid(value)]);
    vec![
        known("no_filter", "a task without filters", vec![]),
        known("allow_all", "a filter that allows everything", vec![vec![PASS]]),
        known("deny_all", "a filter that denies everything", vec![vec![deny(61)]]),
        getpid("allow_with_data", "ALLOW with data bits is ALLOW", ALLOW | 1),
        getpid("allow_with_all_data", "ALLOW with all data bits is ALLOW", ALLOW | 0xffff),
        getpid("log", "LOG lets the call through", LOG),
        getpid("log_with_data", "LOG with data bits lets the call through", LOG | 0xffff),
        getpid("errno_0", "ERRNO with 0 skips the call and returns 0", ERRNO),
        getpid("errno_4095", "the largest error", ERRNO | 4095),
        getpid("errno_4096", "an error that is cut to the largest one", ERRNO | 4096),
        getpid("errno_65535", "all data bits, cut to the largest error", ERRNO | 0xffff),
        getpid("trap", "TRAP sends SIGSYS with its data", TRAP | 0xabcd),
        getpid("trap_0", "TRAP without data", TRAP),
        getpid("trace_untraced", "TRACE where nobody asked for it gives ENOSYS", TRACE | 7),
        getpid("notif_unheard", "USER_NOTIF without a listener gives ENOSYS", USER_NOTIF),
        getpid("kill_thread", "KILL_THREAD", KILL_THREAD),
        getpid("kill_thread_with_data", "KILL_THREAD with data bits", KILL_THREAD | 9),
        getpid("kill_process", "KILL_PROCESS", KILL_PROCESS),
        getpid("unknown_above_allow", "an action above ALLOW kills", ALLOW | 0x8000_0000),
        getpid("unknown_below_allow", "an unknown action just below ALLOW kills", 0x7ffe_0000),
        getpid("unknown_action", "an unknown action kills", 0x0004_0000),
    ]
}

fn chained() -> Vec<CallCase> {
    let against =
        |name: &str, doc: &str, old, new| known(name, doc, vec![answer_getpid(old), answer_getpid(new)]);
    let many = |calls: [Known; 4]| {
        (0..32_u32).map(|k| answer_known(calls[k as usize % 4], ERRNO | (50 + k))).collect()
    };
    let uid_last = [Known::Pid, Known::Pid, Known::Tid, Known::Tid];
    vec![
        against("newest_errno_wins", "of two errors the newer filter's counts", ERRNO | 62, ERRNO | 63),
        against("newest_errno_wins_reversed", "the same, the errors swapped", ERRNO | 63, ERRNO | 62),
        known(
            "newest_of_three_wins",
            "of three errors the newest filter's counts",
            vec![answer_getpid(ERRNO | 64), answer_getpid(ERRNO | 65), answer_getpid(ERRNO | 66)],
        ),
        against("older_denies", "an older filter denies what a newer one allows", ERRNO | 67, ALLOW),
        against("newer_denies", "a newer filter denies what an older one allows", ALLOW, ERRNO | 68),
        known(
            "oldest_of_three_denies",
            "the oldest filter denies under two that allow everything",
            vec![answer_getpid(ERRNO | 69), vec![PASS], vec![PASS]],
        ),
        known(
            "middle_of_three_denies",
            "the middle filter denies between two that allow everything",
            vec![vec![PASS], answer_getpid(ERRNO | 70), vec![PASS]],
        ),
        known(
            "each_denies_another",
            "three filters deny a call each",
            vec![
                answer_known(Known::Pid, ERRNO | 71),
                answer_known(Known::Tid, ERRNO | 72),
                answer_known(Known::Uid, ERRNO | 73),
            ],
        ),
        known("many_filters", "32 filters, each denies one of four calls", many(Known::ALL)),
        known("many_filters_two_calls", "32 filters deny two calls, two are left", many(uid_last)),
        against("errno_over_log", "an older error beats a newer LOG", ERRNO | 74, LOG),
        against("log_over_allow", "an older LOG beats a newer ALLOW", LOG, ALLOW),
        against("trap_over_errno", "an older TRAP beats a newer error", TRAP | 5, ERRNO | 75),
        against("errno_over_trace", "a newer error beats an older TRACE", TRACE, ERRNO | 76),
        against("kill_over_trap", "an older KILL_THREAD beats a newer TRAP", KILL_THREAD, TRAP),
        against("kill_process_over_all", "KILL_PROCESS beats KILL_THREAD", KILL_PROCESS, KILL_THREAD),
        against("allow_data_under_errno", "ALLOW with data under an error", ALLOW | 5, ERRNO | 77),
        against("errno_under_allow_data", "an error under ALLOW with data", ERRNO | 78, ALLOW | 5),
        case(
            "seccomp_denied_last",
            "the newest filter denies all, seccomp() included",
            vec![vec![PASS], vec![deny(79)]],
            super::known_calls(),
        ),
        known("foreign_arch", "an architecture that the kernel does not have", vec![foreign()]),
    ]
}

/// Denies calls of AUDIT_ARCH_ARM.
fn foreign() -> Vec<Insn> {
    vec![Insn::load_arch(), Insn::jeq(0x4000_0028, 0, 1), deny(80), PASS]
}
