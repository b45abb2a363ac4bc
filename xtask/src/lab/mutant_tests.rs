// SPDX-License-Identifier: MIT OR Apache-2.0
//! The shipped mutants, and what is refused.

use super::*;
use crate::fault::{EXIT_NO_MATCH, EXIT_USAGE, describe, exit_code};

const DIFF: &str = "diff --git a/k.c b/k.c\n--- a/k.c\n+++ b/k.c\n@@ -1 +1 @@\n-a\n+b\n";

fn patches(names: &[(&str, &str)]) -> BTreeMap<String, Patch> {
    let one = |(name, file): &(&str, &str)| {
        let patch = Patch::parse(&format!("{name}.patch"), DIFF.replace("k.c", file).into()).unwrap();
        ((*name).to_owned(), patch)
    };
    names.iter().map(one).collect()
}

fn parse(entries: &str, names: &[(&str, &str)]) -> Result<Mutants> {
    let text = format!("reference = \"seccomp_bpf\"\nflavors = [\"x86_64\"]\n{entries}");
    Mutants::of(MutantsFile::parse(&text)?, &SeriesName::parse("s").unwrap(), patches(names))
}

fn entry(name: &str, more: &str) -> String {
    format!("[[mutant]]\nname = \"{name}\"\nclass = \"walk\"\nwrong = \"w\"\nlike = \"l\"\n{more}\n")
}

fn refused(entries: &str, names: &[(&str, &str)]) -> String {
    let error = parse(entries, names).unwrap_err();
    assert_eq!(exit_code(&error), EXIT_USAGE);
    describe(&error)
}

#[test]
fn the_shipped_mutants_are_whole_and_cover_every_class() {
    let lab = Lab::read(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
    let mutants = Mutants::read(&lab, &lab.defaults.series).unwrap();
    assert!(mutants.mutants.len() >= 44, "{}", mutants.mutants.len());
    let classes: BTreeSet<&str> = mutants.mutants.iter().map(|one| one.facts.class.as_str()).collect();
    for class in [
        "walk",
        "bounds",
        "inheritance",
        "architectures",
        "access",
        "lifetime",
        "race",
        "kconfig",
        "header",
        "output",
        "fast-path",
        "speculation",
        "original",
    ] {
        assert!(classes.contains(class), "{class}");
    }
    // Each of these builds nearly all of a kernel.
    let large = mutants.mutants.iter().filter(|one| one.facts.kind != MutantKind::C);
    assert!(large.count() <= 6);
    for mutant in &mutants.mutants {
        // Otherwise a survivor would not say whose it is.
        assert!(mutant.facts.killer.is_some() != mutant.facts.equivalent.is_some(), "{}", mutant.facts.name);
        let series = mutant.series(&lab.defaults.series, Path::new("x")).unwrap();
        assert_eq!(series.facts.requires.as_ref(), Some(&lab.defaults.series));
        assert_eq!(series.patches.len(), 1);
    }
}

#[test]
fn facts_come_with_their_patch_and_defaults() {
    let mutants = parse(&(entry("a", "") + &entry("b", "killer = \"x.y\"")), &[("a", "k.c"), ("b", "k.c")]);
    let mutants = mutants.unwrap();
    assert_eq!(mutants.reference.as_str(), "seccomp_bpf");
    let (a, b) = (&mutants.mutants[0], &mutants.mutants[1]);
    assert_eq!((a.facts.kind, a.facts.equivalent, a.facts.killer.as_deref()), (MutantKind::C, None, None));
    assert_eq!(b.facts.killer.as_deref(), Some("x.y"));
    assert_eq!(b.patch.file, "b.patch");
    assert_eq!(a.flavors(&mutants.flavors)[0].to_string(), "x86_64");
    assert_eq!(series_name(&a.facts.name).unwrap().as_str(), "mutant-a");
}

#[test]
fn what_does_not_fit_together_is_refused_by_name() {
    let a = [("a", "k.c")];
    for (more, words) in [
        ("equivalent = \"proof\"", "`equivalent` and `proof` go together"),
        ("equivalent = \"proof\"\nproof = \" \"", "go together"),
        ("proof = \"because\"", "go together"),
        ("equivalent = \"cost\"\nproof = \"p\"\nkiller = \"x\"", "neither `killer` nor `expect`"),
        ("equivalent = \"proof\"\nproof = \"p\"\nexpect = \"build\"", "neither `killer` nor `expect`"),
        ("kind = \"header\"", "its patch touches k.c"),
        ("killer = \"a b\"", "is no check name"),
        ("killer = \"x\"\nfinding = \"KASAN\"", "goes with `killer = \"kernel-log\"`"),
        ("finding = \"KASAN\"", "goes with `killer = \"kernel-log\"`"),
        ("killer = \"kernel-log\"\nfinding = \" \"", "`finding` is a text"),
        ("hangs = true", "and it has none"),
        ("kind = \"asm\"", "unknown variant"),
        ("wrongly = \"x\"", "unknown field"),
        ("name = \"../x\"", "duplicate key"),
    ] {
        let message = refused(&entry("a", more), &a);
        assert!(message.contains(words), "{more}: {message}");
    }
    assert!(refused(&entry("../x", ""), &a).contains("is no mutant name"));
    assert!(refused(&entry("a", "").replace("\"w\"", "\"\""), &a).contains("`wrong` is one line"));
    assert!(refused(&(entry("a", "") + &entry("a", "")), &a).contains("there twice"));
    assert!(refused(&entry("a", ""), &[]).contains("has no patch a.patch"));
    assert!(refused(&entry("a", ""), &[("a", "k.c"), ("b", "k.c")]).contains("b.patch is declared nowhere"));
    assert!(refused("mutant = []", &[]).contains("no mutant"));
    assert!(refused("", &[]).contains("missing field"));
}

#[test]
fn the_kind_is_that_of_the_patch() {
    for (file, kind) in [("arch/Kconfig", "kconfig"), ("include/x.h", "header"), ("k.c", "c")] {
        parse(&entry("a", &format!("kind = \"{kind}\"")), &[("a", file)]).unwrap();
        let other = if kind == "c" { "kconfig" } else { "c" };
        refused(&entry("a", &format!("kind = \"{other}\"")), &[("a", file)]);
    }
}

#[test]
fn globs_and_classes_choose_and_what_rebuilds_most_comes_last() {
    let entries = entry("head", "kind = \"header\"")
        + &entry("conf", "kind = \"kconfig\"")
        + &entry("late", "variant = \"debug\"")
        + &entry("one", "").replace("walk", "other")
        + &entry("two", "");
    let files = [("head", "a.h"), ("conf", "Kconfig"), ("late", "k.c"), ("one", "k.c"), ("two", "k.c")];
    let mutants = parse(&entries, &files).unwrap();
    let names = |globs: &[&str], class: Option<&str>| -> Vec<String> {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let chosen = mutants.select(&globs, class).unwrap();
        chosen.iter().map(|mutant| mutant.facts.name.to_string()).collect()
    };
    assert_eq!(names(&[], None), ["one", "two", "late", "conf", "head"]);
    assert_eq!(names(&["*o*"], None), ["one", "two", "conf"]);
    assert_eq!(names(&["two", "one", "two"], None), ["one", "two"]);
    assert_eq!(names(&[], Some("other")), ["one"]);
    for (globs, class, code, words) in [
        (vec!["two".to_owned(), "three".to_owned()], None, EXIT_NO_MATCH, "`three` matches no mutant"),
        (vec!["two".to_owned()], Some("other"), EXIT_NO_MATCH, "`two` matches no mutant"),
        (vec!["[".to_owned()], None, EXIT_USAGE, "is no glob"),
        (vec![], Some("othr"), EXIT_USAGE, "did you mean `other`?"),
    ] {
        let error = anyhow::Error::from(mutants.select(&globs, class).unwrap_err());
        assert_eq!(exit_code(&error), code);
        assert!(describe(&error).contains(words), "{}", describe(&error));
    }
}
