// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use super::*;
use crate::cache::expected;
use crate::chain::{ChainFault, check};
use crate::insn::Op;
use crate::tables::{Arch, Kernel};

/// A sum over chains that changes with every byte of them (FNV-1a).
fn digest(chains: impl Iterator<Item = Vec<Vec<Insn>>>) -> u64 {
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    for insns in chains.flatten() {
        let length = u64::try_from(insns.len()).unwrap().to_le_bytes();
        for byte in length.into_iter().chain(insns.iter().flat_map(|insn| insn.to_bytes())) {
            sum = (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    sum
}

/// Kept chains are named by seed and index: when these sums change, so must [`VERSION`].
#[test]
fn chains_are_the_same_for_ever() {
    assert_eq!(VERSION, 1);
    let sums = [(0, 0), (1, 0), (u64::MAX, 1 << 40)]
        .map(|(seed, first)| digest((first..first + 200).map(|index| chain(seed, index))));
    assert_eq!(sums, [2950076467345734338, 3957231511088108299, 12271724186208976073]);
}

#[test]
fn a_chain_depends_on_both_numbers_alone() {
    let all: BTreeSet<_> =
        (0..4).flat_map(|seed| (0..50).map(move |index| digest([chain(seed, index)].into_iter()))).collect();
    assert!(all.len() > 195, "{} different chains of 200", all.len());
    let some = chains(7, 40..45);
    assert_eq!(some.iter().map(|chain| chain.id).collect::<Vec<_>>(), [40, 41, 42, 43, 44]);
    assert_eq!(some[3].filters, chain(7, 43));
}

#[test]
fn most_chains_have_both_kinds_of_bits() {
    let kernels = [
        Kernel::native(Arch::X86_64, 441).with_compat(Arch::Ia32, 441),
        Kernel::native(Arch::Ia32, 441),
        Kernel::native(Arch::X86_64, 472).with_compat(Arch::Ia32, 472).with_always_allowed(&[335, 336]),
    ];
    let count = 1500;
    let checked: Vec<_> = (0..count).map(|index| check(&chain(1, index))).collect();
    for kernel in kernels {
        let mixed = checked.iter().flatten().filter(|programs| {
            let bitmaps = expected(&kernel, programs);
            let allowed: usize = bitmaps.iter().map(crate::cache::Bitmap::allowed_count).sum();
            let always = kernel.always_allowed_native.len();
            allowed > always && allowed < bitmaps.iter().map(crate::cache::Bitmap::len).sum()
        });
        let share = 100 * mixed.count() / checked.len();
        assert!(share >= 65, "{share} % on {kernel:?}");
    }
}

#[test]
fn some_chains_are_refused_for_every_reason() {
    let mut faults = BTreeSet::new();
    let count = 12_000_u64;
    let mut refused = 0;
    for index in 0..count {
        let Err(refusal) = check(&chain(3, index)) else { continue };
        refused += 1;
        let name = match refusal.fault {
            ChainFault::Program(program) => format!("{:?}", program.fault),
            ChainFault::TooLong(_) => "ChainTooLong".to_owned(),
        };
        faults.insert(name.split('(').next().unwrap_or_default().to_owned());
    }
    let percent = 100 * refused / count;
    assert!((2..8).contains(&percent), "{percent} %");
    let wanted = [
        "Cell",
        "ChainTooLong",
        "DivisionByZero",
        "Empty",
        "JumpTarget",
        "NoReturn",
        "Offset",
        "Opcode",
        "Shift",
        "TooLong",
        "UnwrittenCell",
    ];
    assert_eq!(faults.into_iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn all_that_seccomp_admits_occurs() {
    let mut codes = BTreeSet::new();
    let mut offsets = BTreeSet::new();
    let mut depths = BTreeSet::new();
    let mut longest = 0;
    for index in 0..4000 {
        let Ok(programs) = check(&chain(5, index)) else { continue };
        depths.insert(programs.len());
        for program in &programs {
            longest = longest.max(program.insns().len());
            codes.extend(program.insns().iter().map(|insn| insn.code));
            offsets.extend(program.ops().iter().filter_map(|op| match op {
                Op::Load(offset) => Some(*offset),
                _ => None,
            }));
        }
    }
    let admitted = (0..=u16::MAX).filter(|code| Insn::plain(*code, 1).op().is_some()).count();
    assert_eq!(codes.len(), admitted);
    assert_eq!(offsets.len(), 16);
    assert!(depths.is_superset(&(1..=5).collect()));
    assert_eq!(longest, INSNS_MAX);
}

#[test]
fn a_filter_under_others_allows_seccomp() {
    for index in 0..1500 {
        assert!(is_attachable(&chain(9, index)), "chain {index} of seed 9");
    }
    let deny = vec![Insn::ret(0)];
    assert!(is_attachable(std::slice::from_ref(&deny)));
    assert!(!is_attachable(&[deny.clone(), deny]));
    // It hangs on an argument.
    let argument = vec![Insn::load_arg(1), Insn::jeq(3, 0, 1), Insn::ret(0), Insn::ret(crate::action::ALLOW)];
    assert!(!is_attachable(&[argument.clone(), argument]));
}
