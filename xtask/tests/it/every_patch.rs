// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every patch and the baseline: inert points, what changes, and what is excused.

use serde_json::Value;

use crate::lab::Lab;
use crate::tree::{change, mail, new_file};

/// A patch that changes a comment, and one that changes code.
fn two_patches(lab: &Lab) -> String {
    let comment = "diff --git a/kernel/seccomp.c b/kernel/seccomp.c\n--- a/kernel/seccomp.c\n+++ b/kernel/seccomp.c\n\
                   @@ -8,3 +8,3 @@\n /* eight */\n-/* nine */\n+/* IX */\n /* ten */\n";
    let code = change("int five;", "int fifth;");
    lab.write("two.mbox", &[mail(1, "comment", comment), mail(2, "code", &code)].concat())
}

fn cell<'a>(record: &'a Value, end: &str) -> &'a Value {
    let cells = record["cells"].as_array().unwrap();
    cells.iter().find(|cell| cell["id"].as_str().unwrap().ends_with(end)).unwrap()
}

const ONE_CHECK: [&str; 5] = ["--every-patch", "--baseline", "--flavor", "x86_64", "--check=seccomp_bpf"];

#[test]
fn a_point_that_changes_no_code_is_inert_and_not_booted() {
    let lab = Lab::new();
    let mbox = two_patches(&lab);
    let ran = lab.test(&[&["--series", &mbox][..], &ONE_CHECK].concat());
    ran.assert(0, &["INERT", "2 pass, 1 inert", "@1", "comment", "@0", "without the series", "NO WORSE"]);
    let record = lab.record();
    let inert = cell(&record, "@1/x86_64");
    assert_eq!(inert["same_as"], "local/two@0/x86_64", "{inert:#}");
    assert_eq!(inert["keys"]["code"], cell(&record, "@0/x86_64")["keys"]["code"]);
    assert!(inert["timings_ms"].get("guest").is_none(), "{inert:#}");
    // Its checks are judged again, by what the other's guest showed.
    assert_eq!(inert["checks"][0]["subs"].as_array().unwrap().len(), 2);
    assert!(cell(&record, "@2/x86_64").get("same_as").is_none());
    assert_eq!(lab.calls("boot").len(), 2);
    let junit = std::fs::read_to_string(lab.root().join("results/latest/junit.xml")).unwrap();
    assert!(junit.contains("inert: its kernel and programs are those of local/two@0/x86_64"), "{junit}");
    let ktap = std::fs::read_to_string(lab.root().join("results/latest/results.ktap")).unwrap();
    assert!(ktap.contains("ok 2 local/two@1/x86_64 # SKIP inert"), "{ktap}");
}

#[test]
fn code_that_only_the_image_has_is_not_inert_where_that_boots() {
    for (flavor, told, boots) in [("x86_64", "1 inert", 1), ("x86_64+debug", "2 pass", 2)] {
        let lab = Lab::new();
        let mbox = lab.write("boot.mbox", &mail(1, "boot", &new_file("arch/x86/boot/header.S", "hlt")));
        let words = ["--series", &mbox, "--every-patch", "--baseline", "--check=seccomp_bpf"];
        lab.test(&[&words[..], &["--flavor", flavor]].concat()).assert(0, &[told]);
        assert_eq!(lab.calls("boot").len(), boots, "{flavor}");
    }
}

#[test]
fn an_inert_point_shares_a_failure_too() {
    let lab = Lab::new();
    let mbox = two_patches(&lab);
    lab.steer("qemu", "failing");
    let series = format!("{mbox}@1");
    let ran = lab.test(&[&["--series", &series][..], &ONE_CHECK].concat());
    // What fails without the series as well is not its fault.
    ran.assert(0, &["1 still failing", "2 fail", "NO WORSE"]);
    let record = lab.record();
    assert_eq!(cell(&record, "@1/x86_64")["outcome"], "fail");
    assert_eq!(cell(&record, "@1/x86_64")["same_as"], "local/two@0/x86_64");
    assert_eq!(lab.calls("boot").len(), 1);
}

#[test]
fn what_fails_only_with_the_series_fails_the_run() {
    let lab = Lab::new();
    let mbox = two_patches(&lab);
    lab.steer("qemu", "good\nfailing");
    let words = ["--series", &mbox, "--baseline", "--jobs=1", "--flavor=x86_64", "--check=seccomp_bpf"];
    let ran = lab.test(&words);
    ran.assert(100, &["1 newly failing", "WORSE", "local/two@2/x86_64 against local/two@0/x86_64"]);
}

#[test]
fn a_new_test_is_tried_without_the_series_too() {
    let lab = Lab::new();
    let test = new_file("tools/testing/selftests/seccomp/more.h", "/* more */");
    let code = change("int five;", "int fifth;");
    let mbox = lab.write("two.mbox", &[mail(1, "test", &test), mail(2, "code", &code)].concat());
    let words = ["--series", &mbox, "--baseline", "--jobs=1", "--flavor=x86_64", "--check=seccomp_bpf"];
    // The baseline with its own tests, the series, and the baseline's kernel with the tests of the series.
    lab.steer("qemu", "vanished\ngood\nfailing");
    lab.test(&words).assert(
        0,
        &[
            "PROBED",
            "local/two-tests-of-2-alone@0/x86_64",
            "1 of 1 new sub-tests fails without the series and passes with it",
            "seccomp_bpf.global.two",
            "2 pass",
        ],
    );
    assert_eq!(lab.record()["probes"][0]["outcome"], "fail");
    assert_eq!(lab.record()["cells"].as_array().unwrap().len(), 2);
    // A test that passes without the series proves nothing, and a probe that crashes is no verdict.
    for (probe, told) in
        [("good", "seccomp_bpf.global.two passes without the series too"), ("crash", "UNPROBED")]
    {
        lab.forget_boots();
        lab.change_tree("kernel/sys.c", &format!("int {probe};\n"));
        lab.steer("qemu", &format!("vanished\ngood\n{probe}"));
        lab.test(&words).assert(0, &[told]);
    }
}

#[test]
fn a_baseline_is_found_again_and_not_booted() {
    let lab = Lab::new();
    let mbox = two_patches(&lab);
    let words = ["--series", &mbox, "--baseline", "--flavor=x86_64", "--check=seccomp_bpf"];
    lab.test(&words).assert(0, &["2 pass"]);
    let first = lab.record()["id"].as_str().unwrap().to_owned();
    lab.forget_calls();
    let ran = lab.test(&words);
    ran.assert(0, &["found again: run", &first, "2 pass"]);
    assert_eq!(lab.calls("boot").len(), 1);
    let found = cell(&lab.record(), "@0/x86_64").clone();
    assert_eq!(found["found_in"], first.as_str());
    assert!(found["timings_ms"].get("guest").is_none(), "{found:#}");
    // Another test program is another verdict.
    lab.change_tree("tools/testing/selftests/kselftest.h", "/* other */\n");
    lab.forget_calls();
    lab.test(&words).assert(0, &["2 pass"]);
    assert_eq!(lab.calls("boot").len(), 2);
}

#[test]
fn without_a_verdict_on_the_baseline_nothing_is_excused() {
    let lab = Lab::new();
    let mbox = two_patches(&lab);
    lab.steer("qemu", "crash\nfailing");
    let words = ["--series", &mbox, "--baseline", "--jobs=1", "--flavor=x86_64", "--check=seccomp_bpf"];
    lab.test(&words).assert(100, &["UNCOMPARED", "no verdict on local/two@0/x86_64"]);
    // Whether a failure counts is known once both have run.
    lab.test(&[&words[..], &["--fail-fast"]].concat()).assert(2, &["cannot be used with"]);
}
