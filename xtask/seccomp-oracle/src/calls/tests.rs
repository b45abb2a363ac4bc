// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use super::answer::{SIGSYS, decode};
use super::expect::{Expected, expected};
use super::*;
use crate::action::{ALLOW, ERRNO};
use crate::chain;
use crate::judge::Status;

fn facts(program: Word) -> Facts {
    let kernel = Kernel::native(Arch::X86_64, 441).with_compat(Arch::Ia32, 441);
    Facts { kernel, program, x32: X32::Disabled }
}

/// What a right kernel answers: the expectation, written down as the guest program does.
fn right_answer(facts: &Facts, cases: &[CallCase]) -> Vec<u8> {
    let mut bytes = words(*b"SLBA", &[VERSION, facts.program.bits()]);
    for jit in 0..2 {
        bytes.extend(words(*b"SLBJ", &[jit, 0]));
        for (id, case) in (0..).zip(cases) {
            let chain = chain::check(&case.filters).unwrap();
            bytes.extend(words(*b"SLBR", &[id, 0, 0, u32::try_from(case.calls.len()).unwrap()]));
            bytes.extend(case.calls.iter().flat_map(|call| outcome(&expected(facts, &chain, call))));
        }
    }
    bytes.extend(words(*b"SLBE", &[2 * u32::try_from(cases.len()).unwrap()]));
    bytes
}

fn words(magic: [u8; 4], numbers: &[u32]) -> Vec<u8> {
    magic.into_iter().chain(numbers.iter().flat_map(|number| number.to_le_bytes())).collect()
}

fn outcome(expected: &Expected) -> Vec<u8> {
    let (kind, signal, value, rest) = match expected {
        Expected::Returned(value) => (0_u32, 0_u32, *value, [0; 4]),
        Expected::Pid => (0, 0, 70, [0; 4]),
        Expected::Parent => (0, 0, 60, [0; 4]),
        Expected::Made(_) => (0, 0, -9, [0; 4]),
        Expected::Killed(signal) => (1, *signal, 0, [0; 4]),
        Expected::Signal(signal) => (2, *signal, 0, [0; 4]),
        Expected::Trapped(trap) => {
            let rest = [trap.nr.cast_unsigned(), trap.arch, trap.errno, trap.code];
            (2, SIGSYS, trap.address.cast_signed(), rest)
        }
    };
    let mut bytes = [kind.to_le_bytes(), signal.to_le_bytes()].concat();
    bytes.extend(value.to_le_bytes());
    bytes.extend([70, 60].iter().chain(&rest).flat_map(|word| word.to_le_bytes()));
    bytes
}

fn failed(facts: &Facts, cases: &[CallCase], answer: &[u8]) -> Vec<String> {
    let verdicts = judge(facts, cases, answer);
    assert_eq!(verdicts.len(), 2 * cases.len() + 1);
    verdicts
        .into_iter()
        .filter(|verdict| verdict.status != Status::Pass)
        .map(|verdict| verdict.name)
        .collect()
}

#[test]
fn cases_have_names_calls_and_chains_that_can_be_attached() {
    for program in [Word::Bits32, Word::Bits64] {
        let facts = facts(program);
        let cases = cases(&facts);
        let names: BTreeSet<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
        for CallCase { name, filters, calls, .. } in &cases {
            assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{name}");
            assert!(!calls.is_empty(), "{name}");
            let older = chain::check(filters).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            let older = &older[..older.len().saturating_sub(1)];
            let own = facts.entries()[0];
            let seccomp = if own == Entry::Syscall { 317 } else { 354 };
            let data = Call::plain(own, seccomp).data();
            assert_eq!(crate::interpret::run_chain(older, &data), ALLOW, "{name}");
        }
        request(&cases).unwrap();
    }
}

#[test]
fn calls_that_are_let_through_are_harmless() {
    // What the fixed cases may do for real: numbers that are in a table and whose result is not known.
    let harmless = [(Entry::Syscall, 20), (Entry::Int80, 39), (Entry::Syscall, 440), (Entry::Int80, 440)];
    let facts = facts(Word::Bits64);
    for case in cases(&facts) {
        let chain = chain::check(&case.filters).unwrap();
        for call in &case.calls {
            if matches!(expected(&facts, &chain, call), Expected::Made(_)) {
                assert!(harmless.contains(&(call.entry, call.nr)), "{}: {call:?}", case.name);
            }
        }
    }
}

#[test]
fn a_right_answer_passes_and_every_shorter_one_fails() {
    let facts = facts(Word::Bits64);
    let cases = &cases(&facts)[..3];
    let answer = right_answer(&facts, cases);
    assert_eq!(failed(&facts, cases, &answer), [""; 0]);
    for len in 0..answer.len() {
        assert!(!failed(&facts, cases, &answer[..len]).is_empty(), "{len} bytes");
    }
    assert_eq!(failed(&facts, cases, &[&answer[..], &[0]].concat()), ["answer"]);
}

#[test]
fn all_cases_pass_on_a_right_answer_and_most_fail_on_a_kernel_that_allows_all() {
    let facts = facts(Word::Bits64);
    let cases = cases(&facts);
    assert_eq!(failed(&facts, &cases, &right_answer(&facts, &cases)), [""; 0]);
    let open: Vec<CallCase> =
        cases.iter().map(|case| CallCase { filters: vec![vec![Insn::ret(ALLOW)]], ..case.clone() }).collect();
    let wrong = failed(&facts, &cases, &right_answer(&facts, &open));
    let unseen: Vec<_> = cases
        .iter()
        .map(|case| case.name.as_str())
        .filter(|name| !wrong.contains(&format!("jit-on.{name}")))
        .collect();
    let neutral = [
        "x32_allowed",
        "far_allowed",
        "no_filter",
        "allow_all",
        "allow_with_data",
        "allow_with_all_data",
        "log",
        "log_with_data",
        "log_over_allow",
        "foreign_arch",
        "only_known_ips_allowed",
        "jeq_below",
        "only_jge_at",
        "only_jgt_below",
    ];
    assert_eq!(unseen, neutral);
}

#[test]
fn a_knob_that_is_not_there_is_no_pass() {
    let facts = facts(Word::Bits64);
    let cases = &cases(&facts)[..1];
    let mut bytes = words(*b"SLBA", &[VERSION, 64]);
    bytes.extend(words(*b"SLBJ", &[0, 2]));
    bytes.extend(words(*b"SLBJ", &[1, 2]));
    bytes.extend(words(*b"SLBE", &[0]));
    let verdicts = judge(&facts, cases, &bytes);
    let statuses: Vec<_> = verdicts.iter().map(|verdict| verdict.status).collect();
    assert_eq!(statuses, [Status::NotRun, Status::NotRun, Status::Fail]);
    let message = verdicts[0].message.as_deref().unwrap();
    assert_eq!(message, "net.core.bpf_jit_enable could not be set to 0, errno 2 (ENOENT)");
}

#[test]
fn expectations_follow_the_kernel() {
    let mut facts = facts(Word::Bits64);
    let chain = chain::check(&[vec![Insn::ret(ALLOW)]]).unwrap();
    let of = |facts: &Facts, entry, nr| expected(facts, &chain, &Call::plain(entry, nr));
    let enosys = Expected::Returned(-38);
    assert_eq!(of(&facts, Entry::Syscall, 0x4000_0027), enosys);
    assert_eq!(of(&facts, Entry::Int80, 0x4000_0027), enosys);
    assert_eq!(of(&facts, Entry::Syscall, 441), enosys);
    assert_eq!(of(&facts, Entry::Syscall, -1), enosys);
    assert_eq!(of(&facts, Entry::Int80, 20), Expected::Pid);
    assert_eq!(of(&facts, Entry::Syscall, 440), Expected::Made(vec![]));
    facts.x32 = X32::Enabled;
    assert_eq!(of(&facts, Entry::Syscall, 0x4000_0027), Expected::Pid);
    assert_eq!(of(&facts, Entry::Int80, 0x4000_0027), enosys);
    facts.kernel.compat = None;
    assert_eq!(of(&facts, Entry::Int80, 20), Expected::Signal(11));
}

#[test]
fn witnesses_become_calls_where_the_program_can_make_them() {
    let data = SeccompData { nr: 1, arch: Arch::Ia32.audit(), args: [5; 6], instruction_pointer: 0 };
    let call = Call::of(&facts(Word::Bits32), &data).unwrap();
    assert_eq!(call, Call { entry: Entry::Int80, nr: 1, args: [5; 6] });
    assert_eq!(call.data(), SeccompData { instruction_pointer: 0x1000_0012, ..data });
    let wide = SeccompData { args: [1 << 32; 6], ..data };
    assert_eq!(Call::of(&facts(Word::Bits64), &wide), None);
    assert_eq!(Call::of(&facts(Word::Bits64), &SeccompData { instruction_pointer: 7, ..data }), None);
    let native = SeccompData { arch: Arch::X86_64.audit(), ..data };
    assert_eq!(Call::of(&facts(Word::Bits32), &native), None);
    assert!(Call::of(&facts(Word::Bits64), &native).is_some());
}

#[test]
fn the_request_is_as_documented() {
    let call = Call { entry: Entry::Int80, nr: -2, args: [9, 0, 0, 0, 0, 0x0102] };
    let filters = vec![vec![Insn::ret(ERRNO | 3)]];
    let case = CallCase { name: "x".into(), doc: "x".into(), filters, calls: vec![call] };
    let mut wanted = words(*b"SLBQ", &[1, 1, 0, 1, 1, 6, 0x0005_0003, 1, 1, u32::MAX - 1]);
    wanted.extend([9_u64, 0, 0, 0, 0, 0x0102].iter().flat_map(|arg| arg.to_le_bytes()));
    assert_eq!(request(&[case]).unwrap(), wanted);
    assert_eq!(decode(b"").damage.as_deref(), Some("byte 0: the answer ends before its end record"));
}
