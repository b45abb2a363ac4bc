// SPDX-License-Identifier: MIT OR Apache-2.0
//! What filters compute, and what of a call they look at.

use super::{PASS, answer_getpid, by_arch, case, deny, known, known_calls};
use crate::action::ERRNO;
use crate::calls::expect::Known;
use crate::calls::{Call, CallCase, Entry};
use crate::data;
use crate::insn::{Arithmetic, Insn, Op, Operand, Register, Test};
use crate::tables::Arch;

const NR: Insn = Insn::load_nr();

pub(super) fn cases() -> Vec<CallCase> {
    let mut cases = arguments();
    cases.extend(instruction_pointers());
    cases.extend(edges());
    cases.extend(computed());
    cases
}

fn with_args(args: [u64; 6]) -> Vec<Call> {
    let getpid = |entry: Entry| Call { entry, nr: Known::Pid.nr(entry.arch()), args };
    vec![getpid(Entry::Syscall), getpid(Entry::Int80)]
}

fn with_first(values: &[u64]) -> Vec<Call> {
    values.iter().flat_map(|value| with_args([*value, 0, 0, 0, 0, 0])).collect()
}

fn arguments() -> Vec<CallCase> {
    let first_is_7 = || vec![Insn::load_arg(0), Insn::jeq(7, 0, 1), deny(51), PASS];
    let mut calls = with_first(&[7, 8, 0, 0x1_0000_0007, 7]);
    calls.extend(known_calls());
    let arg_case = |name: &str, doc: &str, filters| case(name, doc, filters, calls.clone());
    let words = 12_u8;
    let mut every_word = Vec::new();
    let mut by_word = Vec::new();
    for word in 0..words {
        let magic = 0x5eed_0000 + u32::from(word);
        every_word.extend([Insn::load(data::ARGS + 4 * u32::from(word)), Insn::jeq(magic, 0, 1)]);
        every_word.push(deny(100 + u16::from(word)));
        let mut args = [0; 6];
        if let Some(arg) = args.get_mut(usize::from(word / 2)) {
            *arg = u64::from(magic) << (32 * (word % 2));
        }
        // High words are for 64-bit calls only.
        let both = with_args(args).into_iter();
        by_word.extend(both.filter(|call| word % 2 == 0 || call.entry == Entry::Syscall));
    }
    every_word.push(PASS);
    by_word.extend(known_calls());
    vec![
        arg_case("argument_decides", "the first argument decides", vec![first_is_7()]),
        arg_case(
            "argument_over_cached",
            "getpid is a constant allow of the older filter, and not of the newer one",
            vec![vec![PASS], first_is_7()],
        ),
        arg_case(
            "argument_under_cached",
            "getpid is a constant allow of the newer filter, and not of the older one",
            vec![first_is_7(), vec![PASS]],
        ),
        arg_case(
            "argument_between_cached",
            "an argument decides between two filters that allow everything",
            vec![vec![PASS], first_is_7(), vec![PASS]],
        ),
        case("every_argument_word", "each word of each argument decides", vec![every_word], by_word),
    ]
}

fn instruction_pointers() -> Vec<CallCase> {
    let low = |entry: Entry| (entry.instruction_pointer() & 0xffff_ffff) as u32;
    let load_low = Insn::load(data::INSTRUCTION_POINTER);
    let load_high = Insn::load(data::INSTRUCTION_POINTER + 4);
    vec![
        known(
            "ip_of_syscall_denied",
            "the instruction pointer behind `syscall` is denied",
            vec![vec![load_low, Insn::jeq(low(Entry::Syscall), 0, 1), deny(91), PASS]],
        ),
        known(
            "ip_of_int80_denied",
            "the instruction pointer behind `int $0x80` is denied",
            vec![vec![load_low, Insn::jeq(low(Entry::Int80), 0, 1), deny(90), PASS]],
        ),
        known(
            "only_known_ips_allowed",
            "only the two instruction pointers are allowed, each for its architecture",
            vec![by_arch(
                &[load_low, Insn::jeq(low(Entry::Syscall), 0, 1), PASS, deny(89)],
                &[load_low, Insn::jeq(low(Entry::Int80), 0, 1), PASS, deny(89)],
            )],
        ),
        known(
            "ip_high_denied",
            "the high word of the instruction pointer is 0, and that is denied",
            vec![vec![load_high, Insn::jeq(0, 0, 1), deny(88), PASS]],
        ),
        known(
            "ip_over_cached",
            "the instruction pointer is denied above a filter that allows everything",
            vec![vec![PASS], vec![load_low, Insn::jge(0x1000_0000, 0, 1), deny(87), PASS]],
        ),
    ]
}

/// Tests at and around the number of getpid.
fn edges() -> Vec<CallCase> {
    let by_number = |test: fn(u32, u8, u8) -> Insn, off: u32, errno: u16| {
        let part = |arch| {
            let nr = Known::Pid.nr(arch).cast_unsigned().wrapping_add(off);
            [NR, test(nr, 0, 1), deny(errno), PASS]
        };
        vec![by_arch(&part(Arch::X86_64), &part(Arch::Ia32))]
    };
    // The same tests where they allow: a test that wrongly holds then shows.
    let only = |test: fn(u32, u8, u8) -> Insn, off: u32, errno: u16| {
        let part = |arch| {
            let nr = Known::Pid.nr(arch).cast_unsigned().wrapping_add(off);
            [NR, test(nr, 0, 1), PASS, deny(errno)]
        };
        vec![by_arch(&part(Arch::X86_64), &part(Arch::Ia32))]
    };
    let alias = |nr: i32| [nr, nr | 0x1000, (nr + 1) | 0x1000];
    let masked = |arch| {
        let nr = Known::Pid.nr(arch).cast_unsigned();
        [NR, Insn::and(0xfff), Insn::jeq(nr, 0, 1), deny(41), PASS]
    };
    let aliases = |entry: Entry| alias(Known::Pid.nr(entry.arch())).map(|nr| Call::plain(entry, nr));
    let aliases = [aliases(Entry::Syscall), aliases(Entry::Int80)].concat();
    vec![
        known("jge_at", "JGE with the number itself", by_number(Insn::jge, 0, 42)),
        known("jge_above", "JGE with the next number", by_number(Insn::jge, 1, 43)),
        known("jgt_at", "JGT with the number itself", by_number(Insn::jgt, 0, 44)),
        known("jgt_below", "JGT with the number before", by_number(Insn::jgt, u32::MAX, 45)),
        known("jeq_below", "JEQ with the number before", by_number(Insn::jeq, u32::MAX, 46)),
        known("only_jge_at", "JGE with the number itself allows", only(Insn::jge, 0, 52)),
        known("only_jge_above", "JGE with the next number allows", only(Insn::jge, 1, 53)),
        known("only_jgt_at", "JGT with the number itself allows", only(Insn::jgt, 0, 54)),
        known("only_jgt_below", "JGT with the number before allows", only(Insn::jgt, u32::MAX, 55)),
        known("only_jeq_at", "JEQ with the number itself allows", only(Insn::jeq, 0, 56)),
        known(
            "only_jset_bit_0",
            "odd numbers are allowed",
            vec![vec![NR, Insn::jset(1, 0, 1), PASS, deny(57)]],
        ),
        known(
            "and_on_nr_low",
            "numbers that end in the digit 7 are denied, with their high digits cut off",
            vec![vec![NR, Insn::and(0xf), Insn::jeq(7, 0, 1), deny(58), PASS]],
        ),
        known(
            "only_and_on_nr_low",
            "numbers that end in the digit 7 are allowed, with their high digits cut off",
            vec![vec![NR, Insn::and(0xf), Insn::jeq(7, 0, 1), PASS, deny(59)]],
        ),
        case(
            "and_on_nr",
            "the low 12 bits of the number decide",
            vec![by_arch(&masked(Arch::X86_64), &masked(Arch::Ia32))],
            aliases,
        ),
        known("jset_on_nr", "odd numbers are denied", vec![vec![NR, Insn::jset(1, 0, 1), deny(47), PASS]]),
        known(
            "jset_two_bits",
            "numbers with bit 6 or bit 1 are denied",
            vec![vec![NR, Insn::jset(0x42, 0, 1), deny(48), PASS]],
        ),
        known(
            "longest_program",
            "4096 instructions, the last ones deny getpid",
            vec![[vec![NR; 4096 - 11], answer_getpid(ERRNO | 49)].concat()],
        ),
        known(
            "long_jump",
            "JA over 3000 instructions that deny",
            vec![[vec![Insn::ja(3000)], vec![deny(40); 3000], answer_getpid(ERRNO | 39)].concat()],
        ),
    ]
}

/// Filters that compute more than the walk follows.
fn computed() -> Vec<CallCase> {
    use Register::{A, X};
    let on_pid = |part: fn(u32) -> Vec<Insn>| {
        let of = |arch| part(Known::Pid.nr(arch).cast_unsigned());
        vec![by_arch(&of(Arch::X86_64), &of(Arch::Ia32))]
    };
    let arithmetic = |name: &str, doc: &str, part| known(name, doc, on_pid(part));
    vec![
        arithmetic("xor", "the number is compared by XOR", |nr| {
            vec![NR, op(Op::Arithmetic(Arithmetic::Xor, Operand::K(nr))), Insn::jeq(0, 0, 1), deny(30), PASS]
        }),
        arithmetic("sub", "the number is compared by SUB", |nr| {
            vec![NR, op(Op::Arithmetic(Arithmetic::Sub, Operand::K(nr))), Insn::jeq(0, 0, 1), deny(31), PASS]
        }),
        arithmetic("index_register", "the number is compared with the index register", |nr| {
            let test = Op::Branch { test: Test::Equal, against: Operand::X, jt: 0, jf: 1 };
            vec![op(Op::Immediate(X, nr)), NR, op(test), deny(32), PASS]
        }),
        arithmetic("scratch", "the number goes through a scratch cell", |nr| {
            let (store, load) = (Op::Store(A, 3), Op::LoadMemory(X, 3));
            vec![NR, op(store), op(load), op(Op::Txa), Insn::jeq(nr, 0, 1), deny(33), PASS]
        }),
        arithmetic("negate", "the number is negated", |nr| {
            vec![NR, op(Op::Negate), Insn::jeq(nr.wrapping_neg(), 0, 1), deny(34), PASS]
        }),
        arithmetic("immediate", "an immediate value takes the place of the number", |nr| {
            vec![NR, op(Op::Immediate(A, nr)), Insn::jeq(nr, 0, 1), deny(35), PASS]
        }),
        known("length", "the size of the data is denied", {
            vec![vec![op(Op::Length(A)), Insn::jeq(data::SIZE, 0, 1), deny(36), PASS]]
        }),
        known("ret_a", "the answer is computed: an error made of the number", {
            let errno = Op::Arithmetic(Arithmetic::Or, Operand::K(ERRNO));
            vec![vec![NR, Insn::and(0xff), op(errno), Insn::ret_a()]]
        }),
        known("division_by_zero", "a division by the index register, which is 0, kills", {
            vec![vec![NR, op(Op::Arithmetic(Arithmetic::Div, Operand::X)), PASS]]
        }),
    ]
}

fn op(op: Op) -> Insn {
    op.into()
}
