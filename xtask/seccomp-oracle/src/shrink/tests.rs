// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::data;
use crate::random;

const PASS: Insn = Insn::ret(ALLOW);

/// Shrinks with a test of one chain.
fn shrunk(filters: &[Vec<Insn>], fails: impl Fn(&[Vec<Insn>]) -> bool) -> Vec<Vec<Insn>> {
    assert!(fails(filters));
    let smallest = shrink(filters, |page| page.iter().map(|candidate| fails(candidate)).collect());
    assert!(fails(&smallest));
    smallest
}

fn has(filters: &[Vec<Insn>], wanted: impl Fn(&Insn) -> bool) -> bool {
    filters.iter().flatten().any(wanted)
}

#[test]
fn a_filter_with_one_instruction_that_matters_becomes_that() {
    let loads_argument =
        |filters: &[Vec<Insn>]| has(filters, |insn| insn.code == 0x20 && insn.k >= data::ARGS);
    let mut seen = 0;
    for index in 0..150 {
        let chain = random::chain(11, index);
        if crate::chain::check(&chain).is_err() || !loads_argument(&chain) {
            continue;
        }
        seen += 1;
        let smallest = shrunk(&chain, loads_argument);
        assert_eq!(smallest, [vec![Insn::load_arg(0), PASS]], "chain {index}");
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn constants_shrink_to_the_edge_that_matters() {
    let chain = [vec![Insn::load_nr(), Insn::jge(0x1234_5678, 0, 1), Insn::ret(0x0003_0007), PASS]];
    let fails = |filters: &[Vec<Insn>]| has(filters, |insn| insn.code == 0x35 && insn.k >= 300);
    assert_eq!(shrunk(&chain, fails), [vec![Insn::jge(300, 0, 0), PASS]]);
}

#[test]
fn two_filters_stay_where_both_matter() {
    let chain = random::chain(1, (0..).find(|index| random::chain(1, *index).len() == 5).unwrap_or_default());
    let smallest = shrunk(&chain, |filters| filters.len() >= 2);
    assert_eq!(smallest, [vec![PASS], vec![PASS]]);
}

#[test]
fn a_refused_chain_can_shrink_to_a_refused_one() {
    for index in 0..300 {
        let chain = random::chain(2, index);
        let insns: usize = chain.iter().map(Vec::len).sum();
        if insns > 1000 || crate::chain::check(&chain).is_ok() {
            continue;
        }
        let smallest = shrunk(&chain, |filters| crate::chain::check(filters).is_err());
        assert_eq!(smallest.iter().map(Vec::len).sum::<usize>(), 0, "chain {index}: {smallest:?}");
    }
    let outside = [vec![Insn::load_nr(), Insn::load_nr(), Insn::jeq(0, 9, 0), PASS]];
    let fails = |filters: &[Vec<Insn>]| has(filters, |insn| insn.code == 0x15 && insn.jt == 9);
    assert_eq!(shrunk(&outside, fails), [vec![Insn::jeq(0, 9, 0), PASS]]);
}

#[test]
fn pages_have_limits_and_an_order() {
    let long = vec![(0..4000).map(Insn::and).chain([PASS]).collect()];
    let page = candidates(&long);
    assert!(page.len() <= CANDIDATES_MAX && page.len() > 100, "{}", page.len());
    assert!(page.iter().map(|candidate| candidate[0].len()).sum::<usize>() < PAGE_INSNS_MAX + 4001);
    assert!(page.is_sorted_by_key(|candidate| Measure::of(candidate)));
    assert_eq!(page, candidates(&long));
    assert_eq!(page[0], [vec![PASS]]);
    assert_eq!(candidates(&[vec![PASS]]), [] as [Vec<Vec<Insn>>; 0]);
    assert_eq!(candidates(&[]), [] as [Vec<Vec<Insn>>; 0]);
}

#[test]
fn later_pages_are_asked_as_well_and_an_empty_answer_stops() {
    // Nothing but the last constant may change, and it is far behind the first page.
    let chain: [Vec<Insn>; 1] = [(1000..1600).map(Insn::and).chain([Insn::and(7), PASS]).collect()];
    let fails = |filters: &[Vec<Insn>]| filters[0].starts_with(&chain[0][..600]) && filters[0].len() == 602;
    let mut pages = 0;
    let smallest = shrink(&chain, |page| {
        pages += 1;
        page.iter().map(|candidate| fails(candidate)).collect()
    });
    assert_eq!(smallest[0][600], Insn::and(0));
    assert!(pages > 2, "{pages}");
    let mut asked = 0;
    let same = shrink(&chain, |_| {
        asked += 1;
        Vec::new()
    });
    assert_eq!((asked, &same[..]), (1, &chain[..]));
}
