// SPDX-License-Identifier: MIT OR Apache-2.0
//! What holds for every program, chain, text and file.

use proptest::prelude::*;
use seccomp_oracle::action::{self, ALLOW};
use seccomp_oracle::answer::{self, Record, Status};
use seccomp_oracle::cache::{Bitmap, expected, expected_dump};
use seccomp_oracle::data::SeccompData;
use seccomp_oracle::difference::compare;
use seccomp_oracle::dump::Dump;
use seccomp_oracle::insn::{Arithmetic, Insn, Op, Operand, Register, Test};
use seccomp_oracle::interpret::{path, run, run_chain};
use seccomp_oracle::program::{Fault, Program};
use seccomp_oracle::request::{self, Chain};
use seccomp_oracle::tables::{Arch, Kernel};
use seccomp_oracle::walk::{Reason, Verdict, walk};

/// No files of past failures: a failure prints its smallest input.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn kernel() -> Kernel {
    Kernel::native(Arch::X86_64, 70).with_compat(Arch::Ia32, 60).with_always_allowed(&[33])
}

/// Constants that programs are made of, with the edges of tests among them.
fn constant() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 0..70_u32,
        2 => prop::sample::select(vec![0xc000_003e, 0x4000_0003, 0x7fff_ffff, 0x8000_0000, u32::MAX, ALLOW]),
        1 => any::<u32>(),
    ]
}

fn value() -> impl Strategy<Value = u32> {
    let others = vec![0, 1, ALLOW | 1, ALLOW | 0x8000_0000, action::ERRNO | 1, action::LOG, action::TRAP];
    prop_oneof![3 => Just(ALLOW), 2 => prop::sample::select(others)]
}

fn register() -> impl Strategy<Value = Register> {
    prop::sample::select(vec![Register::A, Register::X])
}

/// An opcode that the walk follows.
fn followed() -> impl Strategy<Value = Op> {
    let test = prop::sample::select(Test::ALL.to_vec());
    prop_oneof![
        3 => prop::sample::select(vec![Op::Load(0), Op::Load(4)]),
        1 => constant().prop_map(|k| Op::Arithmetic(Arithmetic::And, Operand::K(k))),
        1 => (0..6_u32).prop_map(Op::Jump),
        6 => (test, constant(), 0..5_u8, 0..5_u8)
            .prop_map(|(test, k, jt, jf)| Op::Branch { test, against: Operand::K(k), jt, jf }),
        2 => value().prop_map(Op::Return),
    ]
}

fn unfollowed() -> impl Strategy<Value = Op> {
    let arithmetic = prop::sample::select(Arithmetic::ALL.to_vec());
    let test = prop::sample::select(Test::ALL.to_vec());
    prop_oneof![
        (2..16_u32).prop_map(|word| Op::Load(4 * word)),
        (register(), constant()).prop_map(|(register, k)| Op::Immediate(register, k)),
        register().prop_map(Op::Length),
        (register(), 0..16_u32).prop_map(|(register, cell)| Op::Store(register, cell)),
        (register(), 0..16_u32).prop_map(|(register, cell)| Op::LoadMemory(register, cell)),
        (arithmetic.clone(), 1..32_u32).prop_map(|(arithmetic, k)| Op::Arithmetic(arithmetic, Operand::K(k))),
        arithmetic.prop_map(|arithmetic| Op::Arithmetic(arithmetic, Operand::X)),
        (test, 0..3_u8, 0..3_u8).prop_map(|(test, jt, jf)| Op::Branch { test, against: Operand::X, jt, jf }),
        prop::sample::select(vec![Op::Negate, Op::Tax, Op::Txa, Op::ReturnA]),
    ]
}

/// Instructions whose jumps end inside and whose last one returns.
fn insns() -> impl Strategy<Value = Vec<Insn>> {
    let op = prop_oneof![12 => followed(), 1 => unfollowed()];
    (prop::collection::vec(op, 0..24), value()).prop_map(|(mut ops, last)| {
        ops.push(Op::Return(last));
        let len = ops.len();
        let clamp = |at: usize, distance: usize| distance.min(len - at - 2);
        let narrow = |distance: usize| u8::try_from(distance).unwrap_or(u8::MAX);
        for (at, op) in ops.iter_mut().enumerate() {
            match op {
                Op::Jump(distance) => *distance = u32::from(narrow(clamp(at, *distance as usize))),
                Op::Branch { jt, jf, .. } => {
                    *jt = narrow(clamp(at, usize::from(*jt)));
                    *jf = narrow(clamp(at, usize::from(*jf)));
                }
                _ => {}
            }
        }
        ops.into_iter().map(Insn::from).collect()
    })
}

/// Programs that the kernel accepts: loads of cells that are not written everywhere become `TXA`.
fn program() -> impl Strategy<Value = Program> {
    insns().prop_map(|mut insns| {
        loop {
            match Program::check(&insns) {
                Ok(program) => return program,
                Err(refusal) if matches!(refusal.fault, Fault::UnwrittenCell(_)) => {
                    insns[refusal.at] = Op::Txa.into();
                }
                Err(refusal) => panic!("the generator made a program that is refused: {refusal}"),
            }
        }
    })
}

fn call() -> impl Strategy<Value = SeccompData> {
    let nr = prop_oneof![8 => 0..70_i32, 1 => any::<i32>()];
    let arch =
        prop_oneof![8 => prop::sample::select(Arch::ALL.to_vec()).prop_map(Arch::audit), 1 => any::<u32>()];
    (nr, arch, any::<u64>(), any::<[u64; 6]>())
        .prop_map(|(nr, arch, instruction_pointer, args)| SeccompData { nr, arch, instruction_pointer, args })
}

/// Whether the walk follows an instruction, said of its meaning and not of its opcode.
fn is_followed(op: Op) -> bool {
    match op {
        Op::Load(offset) => offset < 8,
        Op::Arithmetic(Arithmetic::And, Operand::K(_))
        | Op::Jump(_)
        | Op::Branch { against: Operand::K(_), .. }
        | Op::Return(_) => true,
        _ => false,
    }
}

/// Any instruction at all, most of them with an opcode that exists.
fn any_insn() -> impl Strategy<Value = Insn> {
    let code = prop_oneof![9 => 0..0x100_u16, 1 => any::<u16>()];
    let k = prop_oneof![4 => 0..70_u32, 1 => any::<u32>()];
    (code, any::<u8>(), any::<u8>(), k).prop_map(|(code, jt, jf, k)| Insn { code, jt: jt % 8, jf: jf % 8, k })
}

/// A record; only a status that the format knows.
fn record() -> impl Strategy<Value = (u32, Status, Vec<u8>)> {
    let status = prop_oneof![
        Just(Status::Dumped),
        any::<(u16, u16)>().prop_map(|(filter, errno)| Status::Refused { filter, errno }),
        any::<u32>().prop_map(Status::Unreadable),
        any::<u32>().prop_map(Status::ProgramError),
    ];
    (any::<u32>(), status, prop::collection::vec(any::<u8>(), 0..40))
}

fn borrowed(records: &[(u32, Status, Vec<u8>)]) -> Vec<Record<'_>> {
    records
        .iter()
        .map(|(id, status, dump)| Record { id: *id, status: *status, dump: Dump::Text(dump) })
        .collect()
}

proptest! {
    #![proptest_config(config(6000))]

    /// Soundness, and that the walk goes exactly as far as it may: it follows the path that the filter takes until the
    /// first instruction that it does not follow, and else answers as the filter does.
    #[test]
    fn walk_is_the_path_without_arguments(program in program(), call in call()) {
        let value = run(&program, &call);
        let path = path(&program, &call);
        let stop = path.iter().copied().find(|at| !is_followed(program.ops()[*at]));
        let verdict = walk(program.insns(), call.nr.cast_unsigned(), call.arch);
        match (verdict, stop) {
            (Verdict::ConstantAllow, stop) => {
                prop_assert_eq!(stop, None);
                prop_assert_eq!(value, ALLOW);
            }
            (Verdict::Not { at, why: Reason::Loads(_) | Reason::NotFollowed(_) }, stop) => {
                prop_assert_eq!(stop, Some(at));
            }
            (Verdict::Not { at, why: Reason::Returns(returned) }, stop) => {
                prop_assert_eq!((stop, path.last()), (None, Some(&at)));
                prop_assert_eq!(returned, value);
                prop_assert_ne!(value, ALLOW);
            }
            (Verdict::Not { why: Reason::RanOffTheEnd, .. }, _) => prop_assert!(false, "ran off the end"),
        }
    }

    #[test]
    fn accepted_programs_end_in_a_return(program in program(), call in call()) {
        let path = path(&program, &call);
        prop_assert!(path.is_sorted_by(|a, b| a < b));
        let last = path.last().map(|at| program.ops()[*at]);
        let divided = matches!(last, Some(Op::Arithmetic(Arithmetic::Div, Operand::X)));
        prop_assert!(divided || matches!(last, Some(Op::Return(_) | Op::ReturnA)));
        prop_assert!(!divided || run(&program, &call) == 0);
    }

    #[test]
    fn accepted_programs_read_only_what_they_wrote(program in program(), call in call()) {
        let mut written = [false; 16];
        for at in path(&program, &call) {
            match program.ops()[at] {
                Op::Store(_, cell) => written[cell as usize] = true,
                Op::LoadMemory(_, cell) => prop_assert!(written[cell as usize]),
                _ => {}
            }
        }
    }

    #[test]
    fn any_instructions_can_be_checked_walked_and_shown(
        insns in prop::collection::vec(any_insn(), 0..12),
        call in call(),
    ) {
        let _ = walk(&insns, call.nr.cast_unsigned(), call.arch);
        for insn in &insns {
            prop_assert!(!insn.to_string().contains('\n'));
            prop_assert_eq!(Insn::from_bytes(insn.to_bytes()), *insn);
            if let Some(op) = insn.op() {
                prop_assert_eq!(Insn::from(op).op(), Some(op));
            }
        }
        match Program::check(&insns) {
            Ok(program) => prop_assert!(path(&program, &call).len() <= insns.len()),
            Err(refusal) => prop_assert!(refusal.at <= insns.len()),
        }
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn cached_calls_are_allowed_by_every_filter(chain in prop::collection::vec(program(), 1..4), call in call()) {
        let bitmaps = expected(&kernel(), &chain);
        if bitmaps.allows(call.nr, call.arch) && call.nr != 33 {
            prop_assert_eq!(run_chain(&chain, &call), ALLOW);
            prop_assert!(chain.iter().all(|program| run(program, &call) == ALLOW));
        }
    }

    #[test]
    fn a_chain_is_the_and_of_its_filters(chain in prop::collection::vec(program(), 1..4)) {
        let whole = expected(&kernel(), &chain);
        let alone: Vec<_> = chain.iter().map(|one| expected(&kernel(), std::slice::from_ref(one))).collect();
        for (index, bitmap) in whole.iter().enumerate() {
            for (nr, bit) in bitmap.bits().iter().enumerate() {
                let all = alone.iter().all(|one| one.iter().nth(index).is_some_and(|one| one.bits()[nr]));
                prop_assert_eq!(*bit, all);
            }
        }
        let lens: Vec<_> = whole.iter().map(Bitmap::len).collect();
        prop_assert_eq!(lens, [70, 60]);
    }

    #[test]
    fn only_the_same_text_is_no_difference(program in program(), at in any::<prop::sample::Index>(), byte: u8) {
        let wanted = expected_dump(&kernel(), Some(std::slice::from_ref(&program)));
        prop_assert!(compare(&wanted, wanted.as_bytes()).is_empty());
        let at = at.index(wanted.len());
        let mut replaced = wanted.clone().into_bytes();
        replaced[at] = byte;
        prop_assert_eq!(compare(&wanted, &replaced).is_empty(), replaced == wanted.as_bytes());
        let mut inserted = wanted.clone().into_bytes();
        inserted.insert(at, byte);
        prop_assert!(!compare(&wanted, &inserted).is_empty());
        prop_assert!(!compare(&wanted, &wanted.as_bytes()[..at]).is_empty());
    }

    #[test]
    fn any_two_texts_can_be_compared(wanted in ".{0,80}", got in prop::collection::vec(any::<u8>(), 0..80)) {
        let differences = compare(&wanted, &got);
        prop_assert_eq!(differences.shown.len(), differences.total);
        let _ = differences.to_string();
    }

    #[test]
    fn swapped_lines_are_differences(program in program(), a in 0..130_usize, b in 0..130_usize) {
        let wanted = expected_dump(&kernel(), Some(std::slice::from_ref(&program)));
        let mut lines: Vec<_> = wanted.lines().collect();
        lines.swap(a, b);
        let swapped = lines.join("\n") + "\n";
        prop_assert_eq!(compare(&wanted, swapped.as_bytes()).is_empty(), a == b);
    }

    #[test]
    fn requests_come_back(filters in prop::collection::vec(prop::collection::vec(any_insn(), 0..6), 0..4), id: u32) {
        let chains = vec![Chain { id, filters: filters.clone() }, Chain { id: 0, filters: vec![] }];
        let bytes = request::encode(&chains).unwrap_or_default();
        prop_assert_eq!(request::decode(&bytes), Ok(chains));
    }

    #[test]
    fn answers_come_back(records in prop::collection::vec(record(), 0..6), cut in any::<prop::sample::Index>()) {
        let wanted = borrowed(&records);
        let bytes = answer::encode(&wanted).unwrap_or_default();
        let answer = answer::decode(&bytes);
        prop_assert_eq!(answer.damage, None);
        prop_assert_eq!(&answer.records, &wanted);
        let cut = answer::decode(&bytes[..cut.index(bytes.len())]);
        prop_assert!(cut.damage.is_some());
        prop_assert!(wanted.starts_with(&cut.records));
    }

    #[test]
    fn any_bytes_can_be_decoded(
        records in prop::collection::vec(record(), 0..4),
        at in any::<prop::sample::Index>(),
        byte: u8,
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = answer::encode(&borrowed(&records)).unwrap_or_default();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for bytes in [&bytes, &noise] {
            let answer = answer::decode(bytes);
            if answer.damage.is_none() {
                prop_assert_eq!(answer::encode(&answer.records), Some(bytes.clone()));
            }
            let _ = request::decode(bytes);
        }
        let with_head = [b"SLCH\x01\0\0\0", &noise[..]].concat();
        if let Ok(chains) = request::decode(&with_head) {
            prop_assert_eq!(request::encode(&chains), Ok(with_head));
        }
    }
}
