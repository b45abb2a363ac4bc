// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers in and outside of the tables, and the two architectures.

use super::{PASS, by_arch, case, deny, known, known_calls, same_numbers};
use crate::calls::expect::{Known, X32_BIT};
use crate::calls::{Call, CallCase, Entry, Facts};
use crate::insn::Insn;
use crate::tables::Arch;

const NR: Insn = Insn::load_nr();
const LOAD_ARCH: Insn = Insn::load_arch();

pub(super) fn cases(facts: &Facts) -> Vec<CallCase> {
    [architectures(), table_ends(facts), x32(), far_numbers()].concat()
}

fn architectures() -> Vec<CallCase> {
    let (x86_64, i386) = (Arch::X86_64.audit(), Arch::Ia32.audit());
    let only = |arch| vec![vec![LOAD_ARCH, Insn::jeq(arch, 0, 1), PASS, deny(97)]];
    let pid = |arch| Known::Pid.nr(arch).cast_unsigned();
    let (pid_64, pid_32) = (pid(Arch::X86_64), pid(Arch::Ia32));
    let number_is = |nr, then, otherwise| [NR, Insn::jeq(nr, 0, 1), then, otherwise];
    let mut calls = known_calls();
    // Each architecture's numbers on the other one; 64-bit 20 is writev without arguments.
    calls.extend(same_numbers(&[Known::Pid.nr(Arch::X86_64), Known::Pid.nr(Arch::Ia32)]));
    vec![
        known("only_x86_64", "an architecture test that allows only x86_64", only(x86_64)),
        known("only_i386", "an architecture test that allows only i386", only(i386)),
        case(
            "own_getpid_denied",
            "each architecture denies its own getpid: the other one's number means another call",
            vec![by_arch(&number_is(pid_64, deny(81), PASS), &number_is(pid_32, deny(82), PASS))],
            calls.clone(),
        ),
        case(
            "own_getpid_allowed",
            "each architecture allows only its own getpid",
            vec![by_arch(&number_is(pid_64, PASS, deny(83)), &number_is(pid_32, PASS, deny(84)))],
            calls.clone(),
        ),
        case(
            "getpid_of_x86_64_by_number",
            "a number is denied on both architectures, where it means two things",
            vec![number_is(pid_64, deny(85), PASS).to_vec()],
            calls,
        ),
        known(
            "and_on_arch",
            "the 64-bit flag of the architecture is cut out and tested",
            vec![vec![LOAD_ARCH, Insn::and(0x8000_0000), Insn::jeq(0, 1, 0), deny(86), PASS]],
        ),
        known(
            "jset_on_arch",
            "a test for the 64-bit flag of the architecture",
            vec![vec![LOAD_ARCH, Insn::jset(0x8000_0000, 0, 1), PASS, deny(87)]],
        ),
        known(
            "arch_loaded_over_number",
            "the architecture is loaded after the number, and the number again",
            vec![vec![NR, LOAD_ARCH, Insn::jeq(i386, 0, 2), NR, Insn::jeq(pid_32, 1, 0), PASS, deny(88)]],
        ),
    ]
}

fn table_ends(facts: &Facts) -> Vec<CallCase> {
    // Of an architecture that the kernel does not have, no call is made.
    let size = |arch| facts.table(arch).map_or(0, |table| table.count);
    let (size_64, size_32) = (size(Arch::X86_64), size(Arch::Ia32));
    let near = |entry: Entry, size: u32| {
        let size = size.cast_signed();
        // To the end of the bitmap's last word, and into the words after it.
        let word_end = (size | 63) + 1;
        let mut numbers = vec![size - 1, size, size + 1, size + 2, word_end - 1, word_end];
        numbers.extend([word_end + 1, word_end + 63, word_end + 64, word_end + 128, word_end + 1000]);
        numbers.into_iter().map(move |nr| Call::plain(entry, nr))
    };
    let calls: Vec<Call> = near(Entry::Syscall, size_64).chain(near(Entry::Int80, size_32)).collect();
    let test = |test: fn(u32, u8, u8) -> Insn, of: fn(u32) -> u32, errno| {
        let part = |size| [NR, test(of(size), 0, 1), deny(errno), PASS];
        vec![by_arch(&part(size_64), &part(size_32))]
    };
    vec![
        case(
            "past_the_table_denied",
            "numbers from the size of the table on are denied",
            test(Insn::jge, |size| size, 71),
            calls.clone(),
        ),
        case(
            "last_number_denied",
            "the last number of the table is denied, the next ones reach the kernel",
            test(Insn::jeq, |size| size.wrapping_sub(1), 72),
            calls.clone(),
        ),
        case(
            "size_of_the_table_denied",
            "the first number past the table is denied, and it alone",
            test(Insn::jeq, |size| size, 73),
            calls,
        ),
    ]
}

fn x32() -> Vec<CallCase> {
    let x32 = X32_BIT.cast_unsigned();
    let pid = Known::Pid.nr(Arch::X86_64);
    let known_x32 = Known::ALL.map(|known| known.nr(Arch::X86_64) | X32_BIT);
    let mut numbers = known_x32.to_vec();
    numbers.extend([X32_BIT | 20, X32_BIT | 0x0010_0000, i32::MAX]);
    numbers.extend([-1, i32::MIN, X32_BIT - 1]);
    let mut calls = same_numbers(&numbers);
    calls.extend(known_calls());
    vec![
        case(
            "x32_denied",
            "numbers from 0x40000000 on are denied, negative ones too",
            vec![vec![NR, Insn::jge(X32_BIT.cast_unsigned(), 0, 1), deny(99), PASS]],
            calls.clone(),
        ),
        case(
            "x32_bit_denied",
            "numbers with the x32 bit are denied by a bit test",
            vec![vec![NR, Insn::jset(x32, 0, 1), deny(99), PASS]],
            calls.clone(),
        ),
        case(
            "x32_getpid_denied",
            "getpid is denied to x32 and allowed to 64 bits",
            vec![vec![NR, Insn::jeq((pid | X32_BIT).cast_unsigned(), 0, 1), deny(98), PASS]],
            calls.clone(),
        ),
        case(
            "only_x32_getpid_allowed",
            "getpid is allowed to x32 and denied to 64 bits",
            vec![vec![NR, Insn::jeq(pid.cast_unsigned(), 0, 1), deny(96), PASS]],
            same_numbers(&[pid, pid | X32_BIT]),
        ),
        case("x32_allowed", "all numbers are allowed", vec![vec![PASS]], same_numbers(&known_x32)),
    ]
}

fn far_numbers() -> Vec<CallCase> {
    let far = [-1, -2, -39, -512, -4095, i32::MIN, i32::MIN + 39, i32::MIN + 20, i32::MAX, 0x1_0027, 0xffff];
    let mut calls = same_numbers(&far);
    calls.extend(known_calls());
    let sign = 0x8000_0000;
    vec![
        case(
            "negative_denied",
            "negative numbers are denied",
            vec![vec![NR, Insn::jge(sign, 0, 1), deny(95), PASS]],
            calls.clone(),
        ),
        case(
            "minus_one_denied",
            "the number -1 is denied, and it alone",
            vec![vec![NR, Insn::jeq(u32::MAX, 0, 1), deny(94), PASS]],
            calls.clone(),
        ),
        case(
            "only_negative_allowed",
            "only negative numbers are allowed: none is in a table",
            vec![vec![NR, Insn::jgt(sign - 1, 0, 1), PASS, deny(93)]],
            calls.clone(),
        ),
        case(
            "only_negative_allowed_by_jge",
            "the same by another test: compared as signed numbers all would be allowed",
            vec![vec![NR, Insn::jge(sign, 0, 1), PASS, deny(91)]],
            calls.clone(),
        ),
        case(
            "only_last_negative_allowed",
            "numbers from -15 to -1 are allowed: compared as signed numbers all others would be too",
            vec![vec![NR, Insn::jgt(0xffff_fff0, 0, 1), PASS, deny(90)]],
            calls.clone(),
        ),
        case("far_allowed", "numbers far outside of the tables are allowed", vec![vec![PASS]], calls.clone()),
        case(
            "high_half_denied",
            "numbers of more than 16 bits are denied",
            vec![vec![NR, Insn::and(0xffff_0000), Insn::jeq(0, 1, 0), deny(92), PASS]],
            calls,
        ),
    ]
}
