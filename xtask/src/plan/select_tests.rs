// SPDX-License-Identifier: MIT OR Apache-2.0
//! Selection on the project's own configuration.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::fault::{EXIT_NO_MATCH, EXIT_USAGE, describe, exit_code};
use crate::plan::test_lab::lab;

static LAB: LazyLock<Lab> = LazyLock::new(lab);

/// Reads `GLOB… --tree T --series S --flavor F --matrix M --shard I/N`.
fn selection(line: &str) -> Selection {
    let mut selection = Selection::default();
    let mut words = line.split_whitespace().map(str::to_owned);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap();
        match word.as_str() {
            "--tree" => selection.trees.push(value()),
            "--series" => selection.series.push(value()),
            "--flavor" => selection.flavors.push(value()),
            "--matrix" => selection.matrix = Some(value()),
            "--shard" => selection.shard = Some(value().parse().unwrap()),
            _ => selection.globs.push(word),
        }
    }
    selection
}

fn ids(line: &str) -> Vec<String> {
    let selected = select(&LAB, &selection(line)).unwrap_or_else(|fault| panic!("{line}: {fault}"));
    selected.iter().map(|one| one.cell.to_string()).collect()
}

/// Cells and whether their points were named by hand.
fn named(line: &str) -> Vec<(String, NamedBy)> {
    let selected = select(&LAB, &selection(line)).unwrap();
    selected.into_iter().map(|one| (one.cell.to_string(), one.named)).collect()
}

/// The exit code and the message.
fn refused(line: &str) -> (u8, String) {
    let error = anyhow::Error::from(select(&LAB, &selection(line)).unwrap_err());
    (exit_code(&error), describe(&error))
}

const DEFAULT: [&str; 3] =
    ["5.10/seccomp-cache@5/x86_64", "5.10/seccomp-cache@5/compat", "5.10/seccomp-cache@5/i386"];

#[test]
fn nothing_named_is_the_default_matrix() {
    assert_eq!(ids(""), DEFAULT);
    assert!(named("").iter().all(|(_, named)| *named == NamedBy::Default));
}

#[test]
fn a_glob_is_taken_from_the_defaults_and_crosses_slashes() {
    assert_eq!(ids("*"), DEFAULT);
    assert_eq!(ids("*/i386"), ["5.10/seccomp-cache@5/i386"]);
    assert_eq!(ids("*compat"), ["5.10/seccomp-cache@5/compat"]);
    assert_eq!(ids("5.10*"), DEFAULT);
    assert_eq!(ids("*/i386 */compat"), ["5.10/seccomp-cache@5/compat", "5.10/seccomp-cache@5/i386"]);
}

#[test]
fn a_literal_in_a_glob_widens_its_axis() {
    assert_eq!(ids("6.1/*"), DEFAULT.map(|id| id.replace("5.10", "6.1")));
    assert_eq!(ids("6.1/*/i386"), ["6.1/seccomp-cache@5/i386"]);
    assert_eq!(ids("*@3/*"), DEFAULT.map(|id| id.replace("@5", "@3")));
    assert_eq!(ids("*/none/*"), DEFAULT.map(|id| id.replace("seccomp-cache@5", "none")));
    assert_eq!(ids("*/seccomp-cache@0/i386"), ["5.10/seccomp-cache@0/i386"]);
    assert_eq!(ids("*@2/i386"), ["5.10/follow@2/i386", "5.10/seccomp-cache@2/i386"]);
    assert_eq!(ids("*+debug*"), ["5.10/seccomp-cache@5/x86_64+debug", "5.10/seccomp-cache@5/compat+debug"]);
    assert_eq!(
        ids("6.12/*@1/compat+debug*"),
        ["6.12/follow@1/compat+debug", "6.12/seccomp-cache@1/compat+debug"]
    );
}

#[test]
fn a_series_without_a_number_is_all_of_it_in_a_glob_too() {
    assert_eq!(ids("5.10/seccomp-cache/*"), DEFAULT);
    assert_eq!(ids("*/follow/i386"), ["5.10/follow@2/i386"]);
    assert_eq!(named("*/follow/i386")[0].1, NamedBy::Hand);
}

#[test]
fn a_star_behind_a_series_is_each_of_its_points_and_none_by_hand() {
    let points = |name: &str, last: usize| -> Vec<String> {
        (0..=last).map(|applied| format!("5.10/{name}@{applied}/i386")).collect()
    };
    assert_eq!(ids("5.10/seccomp-cache@*/i386"), points("seccomp-cache", 5));
    assert_eq!(ids("*/follow@*/i386"), points("follow", 2));
    assert!(named("*/follow@*/i386").iter().all(|(_, named)| *named == NamedBy::Default));
    assert_eq!(ids("6.1/follow@*/compat+debug").len(), 3);
    // Without the name of a series it stands for the last point of the default one, as `*` does.
    assert_eq!(ids("*@*/*"), DEFAULT);
}

#[test]
fn the_nightly_matrix_is_what_it_says() {
    let nightly = ids("--matrix nightly");
    assert_eq!(nightly.iter().collect::<BTreeSet<_>>().len(), nightly.len());
    let count = |begins: &str, ends: &str| {
        nightly.iter().filter(|id| id.starts_with(begins) && id.ends_with(ends)).count()
    };
    for flavor in ["x86_64", "compat", "i386"] {
        assert_eq!(count("5.10/seccomp-cache@", &format!("/{flavor}")), 6, "{flavor}");
        for tree in ["6.1", "6.12", "7.2"] {
            assert_eq!(count(&format!("{tree}/none/"), &format!("/{flavor}")), 1, "{tree} {flavor}");
        }
    }
    // What `bench` measures is not tested besides.
    let tested = LAB.variants.iter().filter(|(name, _)| name.as_str() != "perf");
    for (name, variant) in tested.clone() {
        assert_eq!(count("5.10/seccomp-cache@5/", &format!("+{name}")), variant.flavors.len(), "{name}");
    }
    let variants: usize = tested.map(|(_, variant)| variant.flavors.len()).sum();
    assert_eq!(nightly.len(), 6 * 3 + 3 * 3 + variants);
    assert!(named("--matrix nightly").iter().all(|(_, named)| *named == NamedBy::Default));
    let mut shards: Vec<String> =
        (1..=3).flat_map(|index| ids(&format!("--matrix nightly --shard {index}/3"))).collect();
    let mut whole = nightly;
    shards.sort();
    whole.sort();
    assert_eq!(shards, whole);
}

#[test]
fn an_exact_id_is_always_legal() {
    for id in ["7.2/none/i386", "6.12/seccomp-cache@0/compat+debug", "5.10/follow@1/x86_64"] {
        assert_eq!(ids(id), [id]);
    }
    assert_eq!(ids("6.1/seccomp-cache/i386"), ["6.1/seccomp-cache@5/i386"]);
}

#[test]
fn axes_make_a_product() {
    assert_eq!(
        ids("--tree 6.1 --tree 5.10 --flavor i386"),
        ["5.10/seccomp-cache@5/i386", "6.1/seccomp-cache@5/i386"]
    );
    let product = ids(
        "--tree 6.1 --tree 7.2 --series none --series seccomp-cache@2 --flavor i386 --flavor compat+debug",
    );
    assert_eq!(product.len(), 8);
    assert_eq!(product.iter().collect::<BTreeSet<_>>().len(), 8);
    assert!(product.contains(&"7.2/none/compat+debug".to_owned()));
    assert_eq!(ids("--series seccomp-cache@0"), DEFAULT.map(|id| id.replace("@5", "@0")));
    assert_eq!(ids("--tree 6.1 */i386"), ["6.1/seccomp-cache@5/i386"]);
}

#[test]
fn no_cell_comes_twice() {
    assert_eq!(ids("--flavor i386 --flavor i386 --tree 5.10 --tree 5.10"), ["5.10/seccomp-cache@5/i386"]);
    assert_eq!(
        ids("--series seccomp-cache --series seccomp-cache@5 --flavor i386"),
        ["5.10/seccomp-cache@5/i386"]
    );
    assert_eq!(ids("*/i386 5.10/seccomp-cache@5/i386 *i386"), ["5.10/seccomp-cache@5/i386"]);
    assert_eq!(ids("5.10/* 5.10/seccomp-cache@5/*"), DEFAULT);
}

#[test]
fn a_point_counts_as_named_where_the_user_wrote_it() {
    use NamedBy::{Default as ByDefault, Hand as ByHand};
    for (line, wanted) in [
        ("*/i386", ByDefault),
        ("6.1/*/i386", ByDefault),
        ("--tree 6.1 --flavor i386", ByDefault),
        ("--matrix default --flavor i386", ByDefault),
        ("*@3/i386 --series none", ByHand),
        ("*/none/i386", ByHand),
        ("5.10/seccomp-cache/i386", ByHand),
        ("--series seccomp-cache@0 --flavor i386", ByHand),
        ("--series none */i386", ByHand),
        // Written by hand once, it is asked for, whatever else names it.
        ("*/i386 5.10/seccomp-cache@5/i386", ByHand),
        ("5.10/seccomp-cache@5/i386 */i386", ByHand),
    ] {
        assert!(named(line).iter().all(|(_, named)| *named == wanted), "{line}: {:?}", named(line));
    }
}

#[test]
fn unknown_names_are_usage_faults_with_the_nearest() {
    for (line, words) in [
        ("--tree 5.11", "did you mean `5.10`?"),
        ("--series secomp-cache", "did you mean `seccomp-cache`?"),
        ("--flavor i368", "did you mean `i386`?"),
        ("--flavor compat+debgu", "did you mean `debug`?"),
        ("--matrix defualt", "did you mean `default`?"),
        ("5.11/none/i386", "did you mean `5.10`?"),
        ("5.10/secomp-cache@2/i386", "did you mean `seccomp-cache`?"),
        ("5.10/none/x86-64", "did you mean `x86_64`?"),
        ("5.10/none/i386+debug", "variant `debug` does not exist for `i386`"),
        ("5.10/seccomp-cache@6/i386", "the series has 5 patches"),
        ("5.10/seccomp-cache@x/i386", "followed by a number of patches"),
        ("i386", "a cell is TREE/SERIES@N/FLAVOR"),
        ("5.10/[/i386", "is no glob"),
        ("--tree ../x", "is no tree name"),
        ("--matrix default --tree 5.11", "did you mean `5.10`?"),
    ] {
        let (code, message) = refused(line);
        assert!(code == EXIT_USAGE && message.contains(words), "{line}: {code} {message}");
    }
}

#[test]
fn a_glob_that_matches_nothing_has_its_own_exit_code() {
    for line in [
        "*/sparc",
        "*@9/*",
        "4.19/*",
        "*/i386 */sparc",
        "*+debug */i386+debug*",
        "--matrix default 6.1/*",
        "--matrix default --flavor compat+debug",
        "--tree 6.1 5.10/*@9/*",
    ] {
        let (code, message) = refused(line);
        assert_eq!(code, EXIT_NO_MATCH, "{line}: {message}");
    }
}

#[test]
fn a_matrix_is_narrowed_by_axes_and_globs() {
    assert_eq!(ids("--matrix default"), DEFAULT);
    assert_eq!(ids("--matrix default --flavor i386"), ["5.10/seccomp-cache@5/i386"]);
    assert_eq!(ids("--matrix default */compat"), ["5.10/seccomp-cache@5/compat"]);
}

/// Trees outermost, then points, then kernels: what shares a kernel stands together.
#[test]
fn the_order_is_that_of_the_work_however_it_was_asked() {
    let line = "6.1/*@1/* 5.10/seccomp-cache@3/* 5.10/none/* *@3/*+debug* 5.10/seccomp-cache@3/i386";
    let flavors = |point: &str, flavors: &[&str]| -> Vec<String> {
        flavors.iter().map(|flavor| format!("{point}/{flavor}")).collect()
    };
    let plain = ["x86_64", "compat", "i386"];
    let wanted = [
        flavors("5.10/none", &plain),
        flavors("5.10/seccomp-cache@3", &["x86_64", "compat", "i386", "x86_64+debug", "compat+debug"]),
        flavors("6.1/follow@1", &plain),
        flavors("6.1/seccomp-cache@1", &plain),
    ];
    assert_eq!(ids(line), wanted.concat());
    let reversed: Vec<&str> = line.split(' ').rev().collect();
    assert_eq!(ids(&reversed.join(" ")), wanted.concat());
}

#[test]
fn a_shard_is_written_i_of_n() {
    assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
    for text in ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/2", ""] {
        assert!(text.parse::<Shard>().is_err(), "{text}");
    }
}

#[test]
fn an_empty_shard_is_no_fault() {
    assert_eq!(ids("*/i386 --shard 2/2"), Vec::<String>::new());
}

proptest! {
    #[test]
    fn shards_are_the_whole_without_overlap_and_share_no_kernel(
        count in 1_usize..12,
        globs in proptest::sample::subsequence(vec!["*@1/*", "6.1/*", "*+debug*", "*/none/*", "6.12/*@3/i386", "*"], 1..6),
    ) {
        let globs = globs.join(" ");
        let whole = select(&LAB, &selection(&globs)).unwrap();
        let (mut all, mut kernels) = (Vec::new(), BTreeSet::new());
        for index in 1..=count {
            let part = select(&LAB, &selection(&format!("{globs} --shard {index}/{count}"))).unwrap();
            let own: BTreeSet<_> = part
                .iter()
                .map(|one| (one.cell.tree.clone(), one.cell.point.clone(), LAB.kernel_of(&one.cell.flavor).unwrap()))
                .collect();
            for kernel in own {
                prop_assert!(kernels.insert(kernel), "a kernel in two shards");
            }
            all.extend(part);
        }
        prop_assert_eq!(all.len(), whole.len());
        prop_assert!(whole.iter().all(|one| all.contains(one)));
    }
}
