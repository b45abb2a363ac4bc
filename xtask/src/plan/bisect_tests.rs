// SPDX-License-Identifier: MIT OR Apache-2.0

use proptest::prelude::*;

use super::*;

/// A series with a fault: what each point would show.
#[derive(Debug, Clone)]
struct World {
    patches: usize,
    culprit: usize,
    inert: Vec<bool>,
    untestable: Vec<bool>,
    change: Change,
}

impl World {
    fn key(&self, point: usize) -> usize {
        (1..=point).filter(|patch| !self.inert[*patch]).count()
    }

    /// The point from which on the culprit shows.
    fn shows_from(&self, culprit: usize) -> Option<usize> {
        (culprit..=self.patches).find(|patch| !self.inert[*patch])
    }

    fn seen(&self, point: usize) -> Seen {
        if self.untestable[point] {
            return Seen::Untestable;
        }
        let has_changed = self.shows_from(self.culprit).is_some_and(|from| point >= from);
        let fails = has_changed == (self.change == Change::Broken);
        Seen::Verdict(if fails { Verdict::Fails } else { Verdict::Passes })
    }
}

/// Carries a search out; the points that were asked, and the answer.
fn carry_out(world: &World) -> (Vec<usize>, Vec<usize>, Answer) {
    let mut search = Search::new(0, world.patches);
    let (mut asked, mut built) = (Vec::new(), Vec::new());
    loop {
        let point = match search.next() {
            Next::Done(answer) => return (asked, built, answer),
            Next::Ask(point) => {
                assert!(!asked.contains(&point), "{point} is asked twice");
                // Whoever asks builds first, and asks no twin of what was seen.
                search.built(point, (!world.untestable[point]).then(|| world.key(point).to_string()));
                if !world.untestable[point] && search.seen_at(point).is_some() {
                    continue;
                }
                asked.push(point);
                search.saw(point, world.seen(point));
                continue;
            }
            Next::Build(point) => point,
        };
        assert!(!built.contains(&point), "{point} is built twice");
        built.push(point);
        search.built(point, (!world.untestable[point]).then(|| world.key(point).to_string()));
    }
}

fn worlds() -> impl Strategy<Value = World> {
    (1_usize..=16).prop_flat_map(|patches| {
        let flags = |chance: f64| proptest::collection::vec(proptest::bool::weighted(chance), patches + 1);
        (1..=patches, flags(0.3), flags(0.2), any::<bool>()).prop_map(
            move |(culprit, mut inert, untestable, is_fix)| {
                // Between two points that build, patches change nothing together, or each may change something.
                let mut begin = 1;
                let mut is_after_one = !untestable[0];
                for point in 1..=patches {
                    if !untestable[point] {
                        let is_inert = is_after_one && inert[begin..=point].iter().all(|inert| *inert);
                        inert[begin..=point].fill(is_inert);
                        (begin, is_after_one) = (point + 1, true);
                    }
                }
                let change = if is_fix { Change::Fixed } else { Change::Broken };
                World { patches, culprit, inert, untestable, change }
            },
        )
    })
}

/// Whether the same would be seen if another patch were the culprit: one between the two points of the change,
/// or one of those right before it that change nothing.
fn is_possible(world: &World, culprit: usize, found: &Found) -> bool {
    if culprit > found.before {
        return culprit <= found.exposed;
    }
    (culprit..=found.before).all(|patch| world.inert[patch])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_answer_holds_the_culprit_and_nothing_that_can_be_told(world in worlds()) {
        let (asked, _, answer) = carry_out(&world);
        let untestable = asked.iter().filter(|point| world.untestable[**point]).count();
        let halvings = usize::try_from(world.patches.next_power_of_two().ilog2()).unwrap();
        prop_assert!(asked.len() <= 2 + halvings + untestable, "{} asked: {asked:?}", asked.len());
        let testable: Vec<usize> = (0..=world.patches).filter(|point| !world.untestable[*point]).collect();
        match answer {
            Answer::Found(found) => {
                prop_assert!(found.first <= world.culprit && world.culprit <= found.exposed, "{found:?}");
                prop_assert_eq!(found.change, world.change);
                for patch in 1..=world.patches {
                    let is_candidate = found.first <= patch && patch <= found.exposed;
                    prop_assert_eq!(is_candidate, is_possible(&world, patch, &found), "patch {} {:?}", patch, &found);
                }
                // They are neighbours among what can be tested.
                prop_assert!(!testable.iter().any(|point| found.before < *point && *point < found.exposed));
            }
            Answer::SameEverywhere { verdict, .. } => {
                prop_assert!(testable.iter().all(|point| world.seen(*point) == Seen::Verdict(verdict)));
            }
            Answer::Untestable => prop_assert!(testable.is_empty()),
        }
    }
}

impl Found {
    /// The first and the last patch that may have done it.
    fn candidates(&self) -> (usize, usize) {
        (self.first, self.exposed)
    }
}

fn world(patches: usize, culprit: usize, inert: &[usize], untestable: &[usize]) -> World {
    let flags = |set: &[usize]| (0..=patches).map(|point| set.contains(&point)).collect();
    World { patches, culprit, inert: flags(inert), untestable: flags(untestable), change: Change::Broken }
}

fn found(world: &World) -> Found {
    match carry_out(world).2 {
        Answer::Found(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fault_in_a_patch_that_compiles_nothing_is_told_as_a_range() {
    // Our series on x86: patches 1 and 2 compile nothing until 3, patch 4 touches a selftest.
    let series = world(5, 2, &[1, 2, 4], &[]);
    let told = found(&series);
    assert_eq!(told.candidates(), (1, 3));
    assert_eq!((told.before, told.exposed, told.inert), (2, 3, vec![1, 2]));
    // Of six points two ends and one between them are asked.
    assert_eq!(carry_out(&series).0.len(), 3);
    assert_eq!(found(&world(5, 5, &[1, 2], &[])).candidates(), (5, 5));
    assert_eq!(found(&world(5, 5, &[1, 2, 4], &[])).candidates(), (4, 5));
}

#[test]
fn what_does_not_build_widens_the_answer() {
    assert_eq!(found(&world(8, 5, &[], &[4])).candidates(), (4, 5));
    assert_eq!(found(&world(8, 5, &[], &[5, 6])).candidates(), (5, 7));
    assert_eq!(found(&world(8, 5, &[], &[3])).candidates(), (5, 5));
    // Two patches that only together build, and change nothing: what the next one exposes may be in them.
    assert_eq!(found(&world(8, 5, &[3, 4], &[3])).candidates(), (3, 5));
    let told = found(&world(8, 4, &[], &[0, 3, 8]));
    assert_eq!(told.untestable, [3]);
}

#[test]
fn a_check_that_is_the_same_everywhere_is_told_so() {
    let same = world(5, 5, &[5], &[]);
    let (asked, built, answer) = carry_out(&same);
    assert_eq!(answer, Answer::SameEverywhere { verdict: Verdict::Passes, untestable: vec![] });
    assert_eq!((asked.len(), built.len()), (2, 0));
    assert_eq!(carry_out(&world(2, 1, &[], &[0, 1, 2])).2, Answer::Untestable);
}

#[test]
fn more_passes_make_an_answer_surer() {
    // Two failures of four runs, and one point that passed k times.
    let of = |passed| confidence(&[passed], 2, 4);
    assert!((of(1) - 0.5).abs() < 1e-9);
    assert!((of(3) - 0.875).abs() < 1e-9);
    assert!(confidence(&[3, 3], 2, 4) < of(3));
    assert!(confidence(&[3], 4, 4) > of(3));
}

#[test]
fn limits_are_in_the_order_of_the_change() {
    let of = |good, bad, wanted| Limits::new(5, good, bad, wanted).map(|limits| (limits.first, limits.last));
    let (broken, fixed) = (Some(Change::Broken), Some(Change::Fixed));
    assert_eq!(of(None, None, None).unwrap(), (0, 5));
    assert_eq!(of(Some(2), None, None).unwrap(), (2, 5));
    assert_eq!(of(None, Some(3), None).unwrap(), (0, 3));
    assert_eq!(of(Some(1), Some(4), broken).unwrap(), (1, 4));
    assert_eq!(of(Some(4), Some(1), fixed).unwrap(), (1, 4));
    assert_eq!(of(None, Some(2), fixed).unwrap(), (2, 5));
    for (good, bad, wanted) in [
        (Some(4), Some(1), None),
        (Some(1), Some(4), fixed),
        (Some(2), Some(2), None),
        (Some(6), None, None),
        (Some(5), None, None),
        (None, Some(0), None),
    ] {
        assert!(of(good, bad, wanted).is_err(), "{good:?} {bad:?}");
    }
    assert_eq!(Limits::new(5, None, None, None).unwrap().claimed, None);
    assert_eq!(Limits::new(5, Some(0), None, None).unwrap().claimed, broken);
}
