// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plans made of the project's own configuration.

use super::*;
use crate::lab::names::CheckName;
use crate::plan::test_lab::lab;

const SYMBOL: &str = "SECCOMP_CACHE_DEBUG";

fn plan_of(lab: &Lab, globs: &[&str], checks: &[&str]) -> Plan {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Plan::make(lab, &Selection { globs: own(globs), checks: own(checks), ..Selection::default() }).unwrap()
}

fn plan(globs: &[&str], checks: &[&str]) -> Plan {
    plan_of(&lab(), globs, checks)
}

fn default_matrix(lab: &mut Lab) -> &mut crate::lab::Matrix {
    let name = lab.defaults.matrix.clone();
    lab.matrices.get_mut(&name).unwrap()
}

/// A check of the tree and those of the series' file, of the first guest, and what they mean if absent.
fn scopes(plan: &Plan) -> Vec<(&str, Scope)> {
    let planned = plan.guests[0].checks.iter().map(|one| (one.check.name.as_str(), one.scope));
    let told = |name: &str| name.starts_with("seccomp_") || name.starts_with("timers");
    planned.filter(|(name, _)| told(name)).collect()
}

fn all(cache: Scope) -> [(&'static str, Scope); 3] {
    [("seccomp_bpf", Scope::Asked), ("seccomp_cache.access", cache), ("seccomp_cache.dump", cache)]
}

#[test]
fn a_point_named_by_hand_is_asked_every_check_of_its_series() {
    assert_eq!(scopes(&plan(&["5.10/seccomp-cache@0/x86_64"], &[])), all(Scope::Asked));
    assert_eq!(scopes(&plan(&["*cache@0/x86_64"], &[])), all(Scope::Asked));
    assert_eq!(scopes(&plan(&["5.10/seccomp-cache@5/x86_64"], &[])), all(Scope::Asked));
}

#[test]
fn the_default_is_asked_what_its_patches_bring() {
    assert_eq!(scopes(&plan(&[], &[])), all(Scope::Asked));
    assert_eq!(scopes(&plan(&["6.1/*"], &[])), all(Scope::Asked));
}

#[test]
fn a_point_that_nobody_named_is_asked_from_the_patch_on_that_brings_a_check() {
    let mut lab = lab();
    for (from, wanted) in [(4, Scope::WherePresent), (5, Scope::Asked)] {
        let cell = format!("5.10/seccomp-cache@{from}/x86_64");
        default_matrix(&mut lab).cells = vec![cell];
        assert_eq!(scopes(&plan_of(&lab, &[], &[])), all(wanted), "@{from}");
    }
}

#[test]
fn no_patches_leave_the_checks_of_a_series_to_where_they_are_present() {
    assert_eq!(scopes(&plan(&["*/none/x86_64"], &[])), all(Scope::WherePresent));
    assert_eq!(scopes(&plan(&["5.10/none/x86_64"], &[])), all(Scope::WherePresent));
}

#[test]
fn a_check_named_by_hand_is_asked_anywhere() {
    let plan = plan(&["5.10/none/x86_64"], &["seccomp_cache", "seccomp_cache.dump", "timers.nanosleep"]);
    let names = ["seccomp_cache.access", "seccomp_cache.dump", "timers.nanosleep"];
    assert_eq!(scopes(&plan), names.map(|name| (name, Scope::Asked)));
}

/// A static check looks for its subject in the tree: where it has none, and nobody asked, that is
/// no failure.
#[test]
fn a_static_check_is_asked_of_its_series_and_by_hand() {
    let scopes = |plan: &Plan| -> Vec<(String, Scope)> {
        plan.guests[0].checks.iter().map(|one| (one.check.name.to_string(), one.scope)).collect()
    };
    let mut lab = lab();
    let matrix = default_matrix(&mut lab);
    matrix.checks = vec!["review.kconfig".into()];
    for (from, wanted) in [(4, Scope::WherePresent), (5, Scope::Asked)] {
        default_matrix(&mut lab).cells = vec![format!("5.10/seccomp-cache@{from}/x86_64")];
        assert_eq!(scopes(&plan_of(&lab, &[], &[])), [("review.kconfig".to_owned(), wanted)], "@{from}");
    }
    let plan_none = plan_of(&lab, &["5.10/none/x86_64"], &[]);
    assert_eq!(scopes(&plan_none), [("review.kconfig".to_owned(), Scope::WherePresent)]);
    let by_hand = plan(&["5.10/none/x86_64"], &["review.kconfig"]);
    assert_eq!(scopes(&by_hand), [("review.kconfig".to_owned(), Scope::Asked)]);
}

#[test]
fn an_unknown_check_is_a_usage_fault_with_the_nearest() {
    let selection = Selection { checks: vec!["seccomp_bfp".into()], ..Selection::default() };
    let error = Plan::make(&lab(), &selection).unwrap_err();
    assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE);
    assert!(crate::fault::describe(&error).contains("did you mean `seccomp_bpf`?"));
}

#[test]
fn the_symbols_of_a_series_are_wanted_from_their_patch_on() {
    for (point, wanted) in
        [("none", "n"), ("seccomp-cache@0", "n"), ("seccomp-cache@4", "n"), ("seccomp-cache@5", "y")]
    {
        let kernel = &plan(&[&format!("5.10/{point}/i386")], &[]).kernels[0];
        let mentioned = kernel.wanted.iter().any(|(name, _)| name == SYMBOL);
        assert_eq!((kernel.wanted.value(SYMBOL), mentioned), (wanted, wanted == "y"), "{point}");
    }
}

/// `@0` of a series that requires another is that one complete.
#[test]
fn a_series_brings_what_the_series_that_it_requires_brings() {
    let plan = plan(&["5.10/follow@0/i386"], &[]);
    assert_eq!(plan.kernels[0].wanted.value(SYMBOL), "y");
    assert_eq!(scopes(&plan), all(Scope::Asked));
}

/// What a series retires is looked for no more than what nobody brought; other checks stay.
#[test]
fn a_series_retires_checks_of_the_one_that_it_requires() {
    let mut lab = lab();
    let dump = || CheckName::parse("seccomp_cache.dump").unwrap();
    let follow = lab.series.values_mut().find(|series| series.name.as_str() == "follow").unwrap();
    follow.facts.retired = vec![BroughtCheck { name: dump(), from: 2 }];
    let scope = |lab: &Lab, cell: &str, name: &str| {
        let plan = plan_of(lab, &[cell], &[]);
        scopes(&plan).into_iter().find(|(check, _)| *check == name).unwrap().1
    };
    assert_eq!(scope(&lab, "5.10/follow@1/i386", "seccomp_cache.dump"), Scope::Asked);
    assert_eq!(scope(&lab, "5.10/follow@2/i386", "seccomp_cache.dump"), Scope::WherePresent);
    assert_eq!(scope(&lab, "5.10/follow@2/i386", "seccomp_cache.access"), Scope::Asked);
    assert_eq!(scope(&lab, "5.10/seccomp-cache@5/i386", "seccomp_cache.dump"), Scope::Asked);
    // What it brings itself is asked, whatever it retires.
    let follow = lab.series.values_mut().find(|series| series.name.as_str() == "follow").unwrap();
    follow.facts.check = vec![BroughtCheck { name: dump(), from: 2 }];
    assert_eq!(scope(&lab, "5.10/follow@2/i386", "seccomp_cache.dump"), Scope::Asked);
}

#[test]
fn a_variant_that_turns_a_symbol_off_means_it() {
    let plan = plan(&["*/i386", "*/i386+nodebug*"], &[]);
    let wanted = |kernel: usize| {
        let kernel = &plan.kernels[kernel];
        let value = kernel.wanted.iter().find(|(name, _)| *name == SYMBOL).map(|(_, value)| value);
        (kernel.id.to_string(), value)
    };
    assert_eq!(wanted(0), ("i386".into(), Some("y")));
    assert_eq!(wanted(1), ("i386+nodebug".into(), Some("n")));
}

#[test]
fn a_variant_adds_checks_and_takes_some_away() {
    let has = |globs: &[&str], checks: &[&str], name: &str| {
        plan(globs, checks).guests[0].checks.iter().any(|planned| planned.check.name.as_str() == name)
    };
    assert!(has(&["*/i386"], &[], "seccomp_cache.dump"));
    assert!(!has(&["*/i386"], &[], "cache_file.absent"));
    assert!(!has(&["*/i386+nodebug"], &[], "seccomp_cache.dump"));
    assert!(has(&["*/i386+nodebug"], &[], "cache_file.absent"));
    // Who asks for a check by its name gets it.
    assert!(has(&["*/i386+nodebug"], &["seccomp_cache"], "seccomp_cache.dump"));
}

#[test]
fn two_flavors_share_a_kernel_and_all_points_their_tree() {
    let plan = plan(&["*@2/*", "*+debug*"], &[]);
    let guests: Vec<String> = plan
        .guests
        .iter()
        .map(|guest| {
            let kernel = &plan.kernels[guest.kernel];
            let source = &plan.sources[kernel.source];
            format!("{} on {}/{}/{}", guest.cell, source.tree, source.point, kernel.id)
        })
        .collect();
    expect_test::expect![[r#"
        5.10/follow@2/x86_64 on 5.10/follow@2/x86_64
        5.10/follow@2/compat on 5.10/follow@2/x86_64
        5.10/follow@2/i386 on 5.10/follow@2/i386
        5.10/seccomp-cache@2/x86_64 on 5.10/seccomp-cache@2/x86_64
        5.10/seccomp-cache@2/compat on 5.10/seccomp-cache@2/x86_64
        5.10/seccomp-cache@2/i386 on 5.10/seccomp-cache@2/i386
        5.10/seccomp-cache@5/x86_64+debug on 5.10/seccomp-cache@5/x86_64+debug
        5.10/seccomp-cache@5/compat+debug on 5.10/seccomp-cache@5/x86_64+debug
    "#]]
    .assert_eq(&(guests.join("\n") + "\n"));
    assert_eq!((plan.sources.len(), plan.kernels.len(), plan.guests.len()), (3, 5, 8));
}

#[test]
fn programs_are_compiled_for_the_flavors_abi() {
    let plan = plan(&[], &[]);
    let abis: Vec<Abi> = plan.guests.iter().map(|guest| guest.abi).collect();
    assert_eq!(abis, [Abi::Bits64, Abi::Bits32, Abi::Bits32]);
}
