// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use super::*;
use crate::action::ALLOW;
use crate::cache::{Bitmap, expected, expected_dump};
use crate::chain;
use crate::data::SeccompData;
use crate::interpret::run_chain;

/// What the model says of a case, in the words of the golden counts.
fn modelled(case: &Case) -> Golden {
    match chain::check(&case.filters) {
        Err(refusal) => Golden::Refused { filter: refusal.filter, errno: refusal.errno() },
        Ok(chain) if chain.is_empty() => {
            assert_eq!(expected_dump(&golden_kernel(), Some(&chain)), "");
            Golden::Empty
        }
        Ok(chain) => {
            let counts: Vec<_> =
                expected(&golden_kernel(), &chain).iter().map(Bitmap::allowed_count).collect();
            Golden::Allowed { x86_64: counts[0], ia32: counts[1] }
        }
    }
}

#[test]
fn model_agrees_with_the_golden_counts() {
    for case in cases() {
        assert_eq!(modelled(&case), case.golden, "{}", case.name);
    }
}

#[test]
fn names_are_unique_and_fit_a_sub_result() {
    let cases = cases();
    let names: BTreeSet<_> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    for Case { name, doc, .. } in &cases {
        assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{name}");
        assert!(!doc.is_empty() && !doc.contains('\n'), "{name}");
    }
}

#[test]
fn filters_under_others_allow_seccomp() {
    let calls = [(Arch::X86_64, 317), (Arch::Ia32, 354)];
    for case in cases() {
        let older = &case.filters[..case.filters.len().saturating_sub(1)];
        let older = match chain::check(older) {
            Ok(chain) => chain,
            Err(refusal) => chain::check(&older[..refusal.filter]).unwrap(),
        };
        for (arch, nr) in calls {
            let data = SeccompData { nr, arch: arch.audit(), ..SeccompData::default() };
            assert_eq!(run_chain(&older, &data), ALLOW, "{} on {arch}", case.name);
        }
    }
}

#[test]
fn request_holds_every_case_under_its_place() {
    let cases = cases();
    let chains = request::decode(&request(&named()).unwrap()).unwrap();
    assert_eq!(chains.len(), cases.len());
    for (place, (chain, case)) in chains.iter().zip(&cases).enumerate() {
        assert_eq!((chain.id as usize, &chain.filters), (place, &case.filters));
    }
}

#[test]
fn the_limit_is_the_kernels() {
    let counted = |filters: &[Vec<Insn>]| {
        let chain = chain::check(filters).unwrap();
        chain.iter().map(|program| program.converted_len() + 4).sum::<usize>() - 4
    };
    assert_eq!(counted(&chained::up_to_the_limit(chained::LAST_FILTER_MAX)), chain::PATH_INSNS_MAX);
}
