// SPDX-License-Identifier: MIT OR Apache-2.0
//! `bisect`: what is asked in which order, what is told, and the exit codes for `git bisect run`.

use crate::lab::Lab;
use crate::process::Ran;
use crate::tree::{change, mail, new_file};

/// A patch that changes a comment, and one that changes code.
fn comment_and_code(lab: &Lab) -> String {
    let comment = "diff --git a/kernel/seccomp.c b/kernel/seccomp.c\n--- a/kernel/seccomp.c\n+++ b/kernel/seccomp.c\n\
                   @@ -8,3 +8,3 @@\n /* eight */\n-/* nine */\n+/* IX */\n /* ten */\n";
    let code = change("int five;", "int fifth;");
    lab.write("two.mbox", &[mail(1, "comment", comment), mail(2, "code", &code)].concat())
}

fn bisect(lab: &Lab, series: &str, words: &[&str]) -> Ran {
    let tree = format!("path={}", lab.tree().display());
    let fixed = ["bisect", "--tree", &tree, "--series", series, "--accel=tcg", "--skip-host-check"];
    lab.run(&[&fixed[..], &["--flavor=x86_64", "--check=seccomp_bpf"], words].concat())
}

#[test]
fn a_patch_that_changes_no_code_widens_the_answer() {
    let lab = Lab::new();
    let series = comment_and_code(&lab);
    // The last point, the first one, and both sides once more.
    lab.steer("qemu", "failing\ngood\ngood\nfailing");
    bisect(&lab, &series, &[]).assert(
        0,
        &[
            "INERT",
            "local/two@1/x86_64",
            "PROVING",
            "seccomp_bpf fails from two@2 on; candidates: patches 1 and 2",
            "patch 1: comment",
            "patch 2: code",
            "patch 1 may hold what shows only from @2 on",
        ],
    );
    assert_eq!(lab.calls("boot").len(), 4);
    assert_eq!(lab.record()["bisect"]["answer"], "found");
    assert_eq!(lab.record()["bisect"]["found"]["candidates"].as_array().unwrap().len(), 2);
}

#[test]
fn a_patch_that_touches_tests_alone_is_no_candidate() {
    let lab = Lab::new();
    let test = new_file("tools/testing/selftests/seccomp/more.h", "/* more */");
    let code = change("int five;", "int fifth;");
    let series = lab.write("two.mbox", &[mail(1, "test", &test), mail(2, "code", &code)].concat());
    lab.steer("qemu", "failing\ngood\ngood\nfailing");
    bisect(&lab, &series, &[])
        .assert(0, &["seccomp_bpf fails from patch 2 on", "not patch 1: it touches no kernel"]);
}

#[test]
fn a_change_for_the_better_is_found_too() {
    let lab = Lab::new();
    let series = comment_and_code(&lab);
    lab.steer("qemu", "good\nfailing\nfailing\ngood");
    bisect(&lab, &series, &[]).assert(0, &["seccomp_bpf passes from two@2 on"]);
    lab.forget_boots();
    lab.steer("qemu", "good\nfailing\nfailing\ngood");
    bisect(&lab, &series, &["--good=0"]).assert(2, &["it goes the other way", "leave out --good"]);
}

#[test]
fn an_answer_that_does_not_hold_a_second_time_is_not_proved() {
    let lab = Lab::new();
    let series = comment_and_code(&lab);
    lab.steer("qemu", "failing\ngood\ngood\ngood");
    bisect(&lab, &series, &[]).assert(100, &["NOT PROVED", "--repeat K"]);
    assert_eq!(lab.record()["bisect"]["answer"], "not-proved");
}

#[test]
fn what_is_the_same_everywhere_is_no_patchs_doing() {
    let lab = Lab::new();
    let series = comment_and_code(&lab);
    bisect(&lab, &series, &[]).assert(100, &["SAME", "seccomp_bpf passes at both ends: no patch changes it"]);
    assert_eq!(lab.calls("boot").len(), 2);
}

#[test]
fn one_failure_of_many_runs_makes_a_point_bad_and_the_confidence_is_told() {
    let lab = Lab::new();
    let series = comment_and_code(&lab);
    lab.steer("qemu", "good\nfailing\ngood\ngood\ngood\ngood\nfailing\ngood");
    bisect(&lab, &series, &["--repeat=2"]).assert(0, &["(1 of 2 runs failed)", "confidence "]);
    assert!(lab.record()["bisect"]["confidence_permille"].is_u64());
}

#[test]
fn a_point_that_does_not_build_or_boot_makes_a_range() {
    let lab = Lab::with_boot_deadline("700ms");
    let (first, second) = (change("int five;", "int fifth;"), change("int fifth;", "int fünf;"));
    let series = lab.write("two.mbox", &[mail(1, "first", &first), mail(2, "second", &second)].concat());
    // The last, the first, the middle one, which does not come up, and both sides.
    lab.steer("qemu", "failing\ngood\nno-hello\ngood\nfailing");
    bisect(&lab, &series, &[])
        .assert(0, &["candidates: patches 1 and 2", "@1 could not be tested: boot-failed", "from two@2 on"]);
    let broken = new_file("fake.make", "compile-error");
    let repaired = "diff --git a/fake.make b/fake.make\ndeleted file mode 100644\n--- a/fake.make\n+++ /dev/null\n@@ -1 +0,0 @@\n-compile-error\n";
    let mails = [mail(1, "breaks the build", &broken), mail(2, "repairs it", &[repaired, &first].concat())];
    let series = lab.write("build.mbox", &mails.concat());
    lab.forget_boots();
    lab.steer("qemu", "failing\ngood\ngood\nfailing");
    bisect(&lab, &series, &[])
        .assert(0, &["candidates: patches 1 and 2", "@1 could not be tested: build-failed"]);
}

/// A folder of two patches, the second of which is put on every point.
fn with_overlay(lab: &Lab, second: &str) -> String {
    lab.write("two/series.toml", "title = \"two\"\n\n[bisect]\noverlay = [2]\n");
    lab.write("two/0001-first.patch", &mail(1, "first", &change("int five;", "int fifth;")));
    let path = lab.write("two/0002-second.patch", &mail(2, "second", second));
    format!("{}/", path.rsplit_once('/').unwrap().0)
}

#[test]
fn with_an_overlay_the_proof_is_of_the_points_that_were_searched() {
    let lab = Lab::new();
    let fork = "diff --git a/kernel/fork.c b/kernel/fork.c\n--- a/kernel/fork.c\n+++ b/kernel/fork.c\n\
                @@ -1 +1 @@\n-int fork;\n+int spoon;\n";
    let series = with_overlay(&lab, fork);
    // With the overlay the last and the first; without it the first and the middle; both sides once more.
    lab.steer("qemu", "failing\ngood\ngood\nfailing\ngood\nfailing");
    bisect(&lab, &series, &[]).assert(
        0,
        &[
            "without the overlay the check changes at @1: patch 1",
            "seccomp_bpf fails from patch 1 on",
            "last before: local/two-0-with-2@1/x86_64",
            "first after: local/two-1-with-2@2/x86_64",
        ],
    );
}

#[test]
fn an_overlay_that_the_first_point_cannot_have_is_part_of_the_change() {
    let lab = Lab::new();
    let series = with_overlay(&lab, &change("int fifth;", "int last;"));
    // The last and the first, which is bare; the one between is the last one with the overlay, and fails without.
    lab.steer("qemu", "good\nfailing\nfailing\nfailing\ngood");
    bisect(&lab, &series, &[]).assert(
        0,
        &["without the overlay the check changes at @2: patch 2", "seccomp_bpf passes from patch 2 on"],
    );
}

#[test]
fn slips_are_told_before_anything_is_built() {
    let lab = Lab::new();
    let series = comment_and_code(&lab);
    for (words, told) in [
        (&["--good=2", "--bad=1"][..], "--fixed"),
        (&["--bad=3"], "--bad 3: the series has 2 patches"),
        (&["--good=1", "--bad=1"], "@1 is not before @1"),
    ] {
        bisect(&lab, &series, words).assert(2, &[told]);
    }
    bisect(&lab, "none", &[]).assert(2, &["there is no patch to blame"]);
    lab.run(&["bisect", "--check=seccomp_bfp"]).assert(2, &["seccomp_bpf"]);
    assert_eq!(lab.calls("boot").len(), 0);
}

#[test]
fn git_is_told_good_bad_cannot_tell_and_stop() {
    let lab = Lab::with_boot_deadline("700ms");
    for (scenario, words, code) in [
        ("good", &[][..], 0),
        ("failing", &[], 1),
        ("skipping", &[], 125),
        ("no-hello", &[], 125),
        ("no-hello", &["--bad-if=boot"], 1),
        ("failing", &["--bad-if=boot"], 0),
        ("no-plant", &[], 128),
        ("good", &["--no-such-flag"], 128),
        ("good", &["--check=nonsense"], 128),
    ] {
        lab.forget_boots();
        lab.steer("qemu", scenario);
        let ran = lab.test_cell(&[&["--exit-codes=bisect"][..], words].concat());
        ran.assert(code, &[]);
    }
}
