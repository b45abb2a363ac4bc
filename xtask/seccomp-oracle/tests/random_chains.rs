// SPDX-License-Identifier: MIT OR Apache-2.0
//! What holds for random chains: the walk, the interpreter and the paths agree, and shrinking keeps what it must.

use proptest::prelude::*;
use seccomp_oracle::action::ALLOW;
use seccomp_oracle::cache::expected;
use seccomp_oracle::chain::check;
use seccomp_oracle::data::SeccompData;
use seccomp_oracle::insn::Op;
use seccomp_oracle::interpret::{path, run_chain};
use seccomp_oracle::program::Program;
use seccomp_oracle::random;
use seccomp_oracle::shrink::{Measure, candidates, shrink};
use seccomp_oracle::sound::{Sound, audit, decide};
use seccomp_oracle::tables::{Arch, Kernel};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn kernel() -> Kernel {
    Kernel::native(Arch::X86_64, 441).with_compat(Arch::Ia32, 441)
}

fn accepted() -> impl Strategy<Value = Vec<Program>> {
    (0..50_u64, any::<u64>())
        .prop_filter_map("refused", |(seed, index)| check(&random::chain(seed, index)).ok())
}

/// Words that filters ask for more often than any word: constants of the chain, and those beside them.
fn words(chain: &[Program]) -> impl Strategy<Value = u32> + use<> {
    let mut constants: Vec<u32> =
        chain.iter().flat_map(|program| program.insns()).map(|insn| insn.k).collect();
    constants.push(0);
    let near = (prop::sample::select(constants), 0..3_u32)
        .prop_map(|(k, more)| k.wrapping_add(more).wrapping_sub(1));
    prop_oneof![4 => near, 1 => any::<u32>(), 1 => 0..4_u32]
}

/// A chain, a call and some arguments for it.
fn asked() -> impl Strategy<Value = (Vec<Program>, i32, u32, Vec<[u32; 14]>)> {
    accepted().prop_flat_map(|chain| {
        let arch = prop_oneof![9 => prop::sample::select(Arch::ALL.to_vec()).prop_map(Arch::audit), 1 => any::<u32>()];
        let nr = prop_oneof![9 => 0..480_i32, 1 => any::<i32>()];
        let word = words(&chain);
        let arguments = prop::collection::vec(prop::array::uniform14(word), 1..40);
        (Just(chain), nr, arch, arguments)
    })
}

fn call(nr: i32, arch: u32, words: &[u32; 14]) -> SeccompData {
    let pair = |at: usize| u64::from(words[at]) | u64::from(words[at + 1]) << 32;
    SeccompData {
        nr,
        arch,
        instruction_pointer: pair(0),
        args: [pair(2), pair(4), pair(6), pair(8), pair(10), pair(12)],
    }
}

/// Whether the path for one call never depends on a word that is not known: then one run tells all.
fn looks_at_no_word(chain: &[Program], data: &SeccompData) -> bool {
    chain.iter().all(|program| {
        path(program, data).iter().all(|at| !matches!(program.ops()[*at], Op::Load(offset) if offset >= 8))
    })
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn what_is_decided_is_true((chain, nr, arch, arguments) in asked()) {
        let sound = decide(&chain, nr, arch);
        let answers: Vec<u32> = arguments.iter().map(|words| run_chain(&chain, &call(nr, arch, words))).collect();
        match sound {
            Sound::Allows => prop_assert!(answers.iter().all(|value| *value == ALLOW)),
            Sound::Witness(data) => {
                prop_assert_eq!((data.nr, data.arch), (nr, arch));
                prop_assert_ne!(run_chain(&chain, &data), ALLOW);
            }
            Sound::Undecided(_) => {}
        }
        if looks_at_no_word(&chain, &call(nr, arch, &arguments[0])) {
            prop_assert_eq!(sound == Sound::Allows, answers[0] == ALLOW);
            prop_assert!(!matches!(sound, Sound::Undecided(_)));
        }
    }
}

proptest! {
    #![proptest_config(config(200))]

    /// What the walk says is cached is allowed, and never undecided: the walk looks at no word.
    #[test]
    fn cached_calls_are_sound(chain in accepted()) {
        let bitmaps = expected(&kernel(), &chain);
        let audit = audit(&kernel(), &chain, &bitmaps);
        prop_assert_eq!((audit.witnesses, audit.undecided), (vec![], vec![]));
        let cached: usize = bitmaps.iter().map(|bitmap| bitmap.allowed_count()).sum();
        prop_assert_eq!(audit.allowed, cached);
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn variants_are_smaller_and_as_good(seed in 0..50_u64, index: u64) {
        let chain = random::chain(seed, index);
        for candidate in candidates(&chain) {
            prop_assert!(Measure::of(&candidate) < Measure::of(&chain));
            prop_assert!(check(&chain).is_err() || check(&candidate).is_ok());
            prop_assert!(random::is_attachable(&candidate));
        }
    }

    /// A bit that is FILTER stays FILTER, and what remains is little.
    #[test]
    fn a_failure_survives_shrinking(chain in accepted(), nr in 0..441_u32) {
        let filters: Vec<_> = chain.iter().map(|program| program.insns().to_vec()).collect();
        prop_assume!(filters.iter().map(Vec::len).sum::<usize>() < 300);
        let fails = |filters: &[Vec<_>]| check(filters).is_ok_and(|chain| {
            let data = SeccompData { nr: nr.cast_signed(), arch: Arch::Ia32.audit(), ..SeccompData::default() };
            run_chain(&chain, &data) != ALLOW
        });
        prop_assume!(fails(&filters));
        let smallest = shrink(&filters, |page| page.iter().map(|candidate| fails(candidate)).collect());
        prop_assert!(fails(&smallest));
        prop_assert_eq!(Measure::of(&smallest).insns, 1);
    }
}
