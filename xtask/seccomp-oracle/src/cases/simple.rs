// SPDX-License-Identifier: MIT OR Apache-2.0
//! Filters by number, by architecture, by argument; and what a filter can answer.

use super::{Case, Golden, both, counted};
use crate::action::{ALLOW, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, TRACE, TRAP, USER_NOTIF};
use crate::data;
use crate::insn::Insn;
use crate::tables::Arch;

const DENY: Insn = Insn::ret(ERRNO | 1);
const PASS: Insn = Insn::ret(ALLOW);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![Case {
        name: "no_filter".into(),
        doc: "a task without filters gives an empty file".into(),
        filters: vec![],
        golden: Golden::Empty,
    }];
    cases.extend(by_number());
    cases.extend(by_architecture());
    cases.extend(by_argument());
    cases.extend(by_answer());
    cases
}

fn by_number() -> Vec<Case> {
    let nr = Insn::load_nr();
    vec![
        both("ret_allow", "a filter of one instruction that allows everything", vec![vec![PASS]], 441),
        both(
            "deny_from_100",
            "numbers from 100 on are denied",
            vec![vec![nr, Insn::jge(100, 0, 1), DENY, PASS]],
            100,
        ),
        both("only_number_0", "a single bit, the first", vec![vec![nr, Insn::jeq(0, 0, 1), PASS, DENY]], 1),
        both(
            "only_number_440",
            "a single bit, 5.10's last",
            vec![vec![nr, Insn::jeq(440, 0, 1), PASS, DENY]],
            1,
        ),
        both(
            "x32_numbers",
            "numbers with the x32 bit are denied, which the bitmap does not see",
            vec![vec![nr, Insn::jge(0x4000_0000, 0, 1), DENY, PASS]],
            441,
        ),
        both(
            "nr_above_table",
            "numbers past every table are denied, which the bitmap does not see",
            vec![vec![nr, Insn::jge(0x1000, 0, 1), DENY, PASS]],
            441,
        ),
        both(
            "only_above_table",
            "only numbers past every table are allowed",
            vec![vec![nr, Insn::jge(0x1000, 0, 1), PASS, DENY]],
            0,
        ),
    ]
}

fn by_architecture() -> Vec<Case> {
    let (x86_64, i386) = (Arch::X86_64.audit(), Arch::Ia32.audit());
    let (nr, arch) = (Insn::load_nr(), Insn::load_arch());
    let arm = 0x4000_0028;
    let by_arch = vec![
        arch,
        Insn::jeq(x86_64, 0, 4),
        nr,
        Insn::jge(150, 0, 1),
        DENY,
        PASS,
        nr,
        Insn::jge(37, 0, 1),
        DENY,
        PASS,
    ];
    vec![
        counted(
            "only_i386",
            "an architecture test that allows only i386",
            vec![vec![arch, Insn::jeq(i386, 0, 1), PASS, DENY]],
            0,
            441,
        ),
        counted(
            "only_x86_64",
            "an architecture test that allows only x86_64",
            vec![vec![arch, Insn::jeq(x86_64, 0, 1), PASS, DENY]],
            441,
            0,
        ),
        both(
            "foreign_architecture",
            "an architecture that the kernel does not have is denied",
            vec![vec![arch, Insn::jeq(arm, 0, 1), DENY, PASS]],
            441,
        ),
        counted("numbers_by_architecture", "another limit for each architecture", vec![by_arch], 150, 37),
    ]
}

fn by_argument() -> Vec<Case> {
    let nr = Insn::load_nr();
    let some = vec![nr, Insn::jge(3, 2, 0), Insn::load_arg(0), Insn::jeq(7, 0, 0), PASS];
    let unreached = vec![nr, PASS, Insn::load_arg(0), Insn::jeq(7, 0, 1), DENY, PASS];
    vec![
        both(
            "loads_argument",
            "numbers below 3 load an argument and are allowed either way",
            vec![some],
            438,
        ),
        both(
            "argument_everywhere",
            "an argument is loaded for every number",
            vec![vec![Insn::load_arg(0), PASS]],
            0,
        ),
        both("argument_high", "the last word of the last argument", vec![vec![Insn::load(60), PASS]], 0),
        both("argument_unreached", "an argument is loaded where no call gets to", vec![unreached], 441),
        both(
            "ip_load",
            "number 5 loads the instruction pointer",
            vec![vec![nr, Insn::jeq(5, 0, 1), Insn::load(data::INSTRUCTION_POINTER), PASS]],
            440,
        ),
        both(
            "ip_load_high",
            "number 6 loads the high word of the instruction pointer",
            vec![vec![nr, Insn::jeq(6, 0, 1), Insn::load(data::INSTRUCTION_POINTER + 4), PASS]],
            440,
        ),
    ]
}

fn by_answer() -> Vec<Case> {
    let answers = [
        KILL_PROCESS,
        KILL_THREAD,
        TRAP,
        ERRNO,
        USER_NOTIF,
        TRACE,
        LOG,
        ALLOW | 0xffff,
        ALLOW | 0x8000_0000,
        0x7ffe_0000,
    ];
    let mut every = vec![Insn::load_nr()];
    for (nr, answer) in (0..).zip(answers) {
        every.extend([Insn::jeq(nr, 0, 1), Insn::ret(answer)]);
    }
    every.push(PASS);
    vec![
        both("allow_with_data_bits", "ALLOW with data is not cached", vec![vec![Insn::ret(ALLOW | 1)]], 0),
        both("ret_log", "LOG allows, but is not cached", vec![vec![Insn::ret(LOG)]], 0),
        both("errno_0", "ERRNO without a number is not cached", vec![vec![Insn::ret(ERRNO)]], 0),
        both("kill_everything", "every call kills the process", vec![vec![Insn::ret(KILL_PROCESS)]], 0),
        both("every_answer", "numbers 0 to 9 each have another answer than ALLOW", vec![every], 431),
    ]
}
