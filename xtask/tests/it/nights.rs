// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs against each other: shards merged, two runs compared, several looked back on.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::lab::{CELL, Lab};
use crate::process::Ran;
use crate::tree::{change, mail, new_file};

const MATRIX: &str = "shards";
const CELLS: [&str; 4] = ["mine/none/x86_64", "mine/none/compat", "mine/none/i386", "other/none/x86_64"];

/// A lab with a matrix of three kernels on the tree that looks like one.
fn lab_with_matrix() -> Lab {
    let lab = Lab::new();
    lab.change_config(&["mine", "other"], |config| {
        let mut matrix = toml::Table::new();
        matrix.insert("cells".into(), CELLS.to_vec().into());
        matrix.insert("checks".into(), vec!["seccomp_bpf"].into());
        config["matrix"].as_table_mut().unwrap().insert(MATRIX.into(), matrix.into());
    });
    lab
}

fn test_matrix(lab: &Lab, words: &[&str]) -> Ran {
    let fixed = ["test", "--matrix", MATRIX, "--accel", "tcg", "--skip-host-check"];
    lab.run(&[&fixed, words].concat())
}

/// Where the newest run is.
fn newest(lab: &Lab) -> PathBuf {
    fs::canonicalize(lab.root().join("results/latest")).unwrap()
}

/// Runs the three shards, and gives their folders.
fn shards(lab: &Lab) -> [String; 3] {
    ["1/3", "2/3", "3/3"].map(|shard| {
        test_matrix(lab, &["--shard", shard]).assert(0, &[]);
        newest(lab).to_string_lossy().into_owned()
    })
}

/// A record without what differs from machine to machine and from time to time.
fn normalised(mut record: Value) -> Value {
    let run = record.as_object_mut().unwrap();
    for name in ["id", "started", "ended", "command", "host", "timings_ms", "shards", "shard"] {
        run.remove(name);
    }
    for cell in run["cells"].as_array_mut().unwrap() {
        cell.as_object_mut().unwrap().remove("timings_ms");
        let checks = cell["checks"].as_array_mut().unwrap().iter_mut();
        checks.for_each(|check| drop(check.as_object_mut().unwrap().remove("ms")));
        let attempts = cell["attempts"].as_array_mut().unwrap().iter_mut();
        attempts.for_each(|attempt| drop(attempt.as_object_mut().unwrap().remove("ms")));
    }
    record
}

#[test]
fn three_merged_shards_are_the_run_of_one_machine() {
    let lab = lab_with_matrix();
    test_matrix(&lab, &[]).assert(0, &["4 pass"]);
    // Once more: like the shards, it finds its kernels built.
    test_matrix(&lab, &[]).assert(0, &["4 pass"]);
    let whole = lab.record();
    let [one, two, three] = shards(&lab);
    // In another order than they were dealt.
    lab.run(&["merge", &three, &one, &two, "--matrix", MATRIX]).assert(0, &["4 cells: 4 pass"]);
    let merged = lab.record();
    assert_eq!(normalised(merged.clone()), normalised(whole));
    assert_eq!(merged["shards"].as_array().unwrap().len(), 3);
    assert_eq!(merged["shards"][1]["cells"].as_array().unwrap().len(), 2, "{merged:#}");
    for cell in merged["cells"].as_array().unwrap() {
        for (kind, name) in cell["files"].as_object().unwrap() {
            let path = newest(&lab).join(name.as_str().unwrap());
            assert!(fs::metadata(&path).is_ok_and(|file| file.len() > 0), "{kind}: {}", path.display());
        }
    }
    for report in ["junit.xml", "results.ktap", "report.md"] {
        let text = fs::read_to_string(newest(&lab).join(report)).unwrap();
        assert!(CELLS.iter().all(|cell| text.contains(cell)), "{report}");
    }
    lab.run(&["report", "--format", "reply"]).assert(0, &["PASS: 4 of 4"]);
}

#[test]
fn a_shard_that_is_missing_or_did_not_end_is_no_pass() {
    let lab = lab_with_matrix();
    let [one, two, three] = shards(&lab);
    let plan = lab.run(&["list", "--matrix", MATRIX, "--format", "github"]).said;
    let plan = lab.write("plan.json", &plan);
    lab.run(&["merge", &one, &two, &three, "--plan", &plan]).assert(0, &["4 pass"]);
    for given in [["--matrix", MATRIX], ["--plan", &plan]] {
        let words = [&["merge", &one, &three][..], &given].concat();
        lab.run(&words).assert(105, &["no record has this cell", "1 infra"]);
        let cells = lab.record()["cells"].as_array().unwrap().len();
        assert_eq!(cells, 4);
    }
    // Without a plan the shards are counted.
    let counted = lab.run(&["merge", &one, &three]);
    counted.assert(105, &["MISSING", "shard 2/3: no record of it was given", "3 pass"]);
    let half = newest(&lab).to_string_lossy().into_owned();
    assert_eq!(lab.record()["state"], "running");
    lab.run(&["report", "--format", "markdown"]).assert(0, &["This run is not complete"]);
    lab.run(&["merge", &two]).assert(105, &["shard 1/3", "shard 3/3"]);
    // What was merged is still known to be shards.
    lab.run(&["merge", &two, &one]).assert(105, &["shard 3/3"]);
    lab.run(&["merge", &half, &three]).assert(105, &["shard 2/3"]);
    lab.run(&["merge", &half, &two]).assert(0, &["4 pass"]);
    test_matrix(&lab, &["--shard", "2/2"]).assert(0, &[]);
    let of_two = newest(&lab).to_string_lossy().into_owned();
    lab.run(&["merge", &one, &of_two, &three]).assert(2, &["is shard 1/3, and run ", "is shard 2/2"]);
    let path = PathBuf::from(&two).join("run.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"complete\"", "\"running\"", 1)).unwrap();
    lab.run(&["merge", &one, &two, &three]).assert(105, &["the run did not end"]);
    // A check that was planned and not asked.
    test_matrix(&lab, &["--shard", "2/3", "--check", "timers.nanosleep"]).assert(0, &[]);
    let other = newest(&lab).to_string_lossy().into_owned();
    lab.run(&["merge", &one, &other, &three, "--matrix", MATRIX])
        .assert(105, &["its record lacks the planned check seccomp_bpf"]);
}

/// The folders of one run for each third of a series with its baseline.
fn thirds_of_series(lab: &Lab, mbox: &str, words: &[&str]) -> [String; 3] {
    ["1/3", "2/3", "3/3"].map(|shard| {
        let fixed = ["--series", mbox, "--flavor=x86_64", "--check=seccomp_bpf", "--shard", shard];
        lab.test(&[&fixed, words].concat()).assert(0, &[]);
        newest(lab).to_string_lossy().into_owned()
    })
}

#[test]
fn a_point_that_no_record_has_is_noticed() {
    let lab = Lab::new();
    let code = change("int five;", "int fifth;");
    let again = change("int fifth;", "int half;");
    let mbox = lab.write("two.mbox", &[mail(1, "code", &code), mail(2, "again", &again)].concat());
    let runs = thirds_of_series(&lab, &mbox, &["--every-patch", "--baseline"]);
    let tree = format!("path={}", lab.tree().display());
    let named = ["--tree", &tree, "--series", &mbox, "--flavor=x86_64", "--check=seccomp_bpf"];
    let all = [&["merge", &runs[0], &runs[1], &runs[2]][..], &named].concat();
    lab.run(&[&all[..], &["--every-patch", "--baseline"]].concat()).assert(0, &["3 pass"]);
    // Records of cells that were run by hand are no shards: only the selection knows what is missing.
    for run in &runs {
        let path = PathBuf::from(run).join("run.json");
        let mut record: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        record.as_object_mut().unwrap().remove("shard");
        fs::write(path, record.to_string()).unwrap();
    }
    let without = |at: usize, words: &[&str]| {
        let given = runs.iter().enumerate().filter(|(number, _)| *number != at).map(|(_, run)| run.as_str());
        lab.run(&[&["merge"][..], &given.collect::<Vec<_>>(), &named, words].concat())
    };
    without(0, &[]).assert(0, &["2 pass"]);
    without(0, &["--baseline"]).assert(105, &["local/two@0/x86_64", "no record has this cell"]);
    without(1, &["--baseline"]).assert(0, &["2 pass"]);
    without(1, &["--every-patch"]).assert(105, &["local/two@1/x86_64", "no record has this cell"]);
}

#[test]
fn the_shard_of_the_last_point_tries_its_tests_without_the_series() {
    let lab = Lab::new();
    let test = new_file("tools/testing/selftests/seccomp/more.h", "/* more */");
    let code = change("int five;", "int fifth;");
    let last = new_file("tools/testing/selftests/seccomp/last.h", "/* last */");
    let mails = [mail(1, "test", &test), mail(2, "code", &code), mail(3, "last", &last)].concat();
    let mbox = lab.write("two.mbox", &mails);
    let named = ["--series", &mbox, "--flavor=x86_64", "--check=seccomp_bpf", "--every-patch", "--baseline"];
    // @0 has one test less than @2; @1 and @3; the tests of @3 on the kernel of @0.
    lab.steer("qemu", "vanished\ngood\ngood\ngood\nfailing");
    let probe = "local/two-tests-of-3-alone@0/x86_64";
    let runs = [("1/2", Vec::new()), ("2/2", vec![probe])].map(|(shard, wanted)| {
        lab.test(&[&named[..], &["--jobs=1", "--shard", shard]].concat()).assert(0, &[]);
        let record = lab.record();
        let probes = record["probes"].as_array().cloned().unwrap_or_default();
        assert_eq!(probes.iter().map(|probe| &probe["id"]).collect::<Vec<_>>(), wanted, "{shard}");
        newest(&lab).to_string_lossy().into_owned()
    });
    let told = "local/two@3/x86_64: 1 of 1 new sub-tests fails without the series and passes with it";
    let tree = format!("path={}", lab.tree().display());
    lab.run(&[&["merge", &runs[0], &runs[1], "--tree", &tree][..], &named].concat())
        .assert(0, &[told, "4 pass"]);
}

#[test]
fn records_that_are_damaged_or_contradict_each_other_are_refused() {
    let lab = lab_with_matrix();
    let [one, two, three] = shards(&lab);
    let runs = || fs::read_dir(lab.root().join("results")).unwrap().count();
    let before = runs();
    let empty = lab.path("empty");
    fs::create_dir(&empty).unwrap();
    let empty = empty.to_string_lossy().into_owned();
    lab.run(&["merge", &one, &empty]).assert(2, &["is no run, and there is none in it", "help: "]);
    lab.run(&["merge", "nowhere"]).assert(2, &["`nowhere` is no run"]);
    lab.run(&["merge"]).assert(2, &["<DIR>"]);
    lab.run(&["merge", &one, &one]).assert(2, &["is given twice"]);
    lab.run(&["merge", &one, "--matrix", "sahrds"]).assert(2, &["did you mean `shards`?"]);
    let no_plan = lab.write("no.json", "{}");
    lab.run(&["merge", &one, "--plan", &no_plan]).assert(2, &["it names no cell", "help: "]);

    lab.steer("qemu", "failing");
    lab.forget_boots();
    test_matrix(&lab, &["--shard", "1/3"]).assert(100, &[]);
    let failing = newest(&lab).to_string_lossy().into_owned();
    let before = before + 1;
    lab.run(&["merge", &one, &failing, &two]).assert(2, &["there are two verdicts on mine/none/"]);

    let path = PathBuf::from(&three).join("run.json");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    lab.run(&["merge", &one, &three]).assert(2, &["is no record of this lab", "help: "]);
    let mut record: Value = serde_json::from_str(&good).unwrap();
    record["cells"][0]["files"]["ktap"] = "../../../../configs/lab.toml".into();
    fs::write(&path, record.to_string()).unwrap();
    lab.run(&["merge", &one, &three]).assert(2, &["is not in the run's folder"]);
    assert_eq!(runs(), before, "what is refused leaves no run");

    // A file that is not there any more is told, and no reason to lose the verdict.
    fs::write(&path, &good).unwrap();
    let record: Value = serde_json::from_str(&good).unwrap();
    fs::remove_file(PathBuf::from(&three).join(record["cells"][0]["files"]["ktap"].as_str().unwrap()))
        .unwrap();
    lab.run(&["merge", &one, &two, &three]).assert(0, &["LOST", "4 pass"]);
    assert!(lab.record()["cells"].as_array().unwrap().iter().any(|cell| cell["files"]["ktap"].is_null()));
}

#[test]
fn two_runs_are_compared() {
    let lab = Lab::new();
    lab.steer("qemu", "good\nfailing\nvanished\n");
    for code in [0, 100, 0] {
        lab.test_cell(&[]).assert(code, &[]);
    }
    let worse = "newly failing: seccomp_bpf.global.two";
    lab.run(&["diff", "latest~2", "latest~1"]).assert(100, &[CELL, worse, "outcome: fail, was pass"]);
    lab.run(&["diff", "latest~1", "latest~2"]).assert(0, &["fixed: seccomp_bpf.global.two"]);
    lab.run(&["diff", "latest~2", "latest"]).assert(100, &["vanished: seccomp_bpf.global.two"]);
    lab.run(&["diff", "latest~1", "latest~1"]).assert(0, &["still failing: seccomp_bpf.global.two"]);
    let markdown = lab.run(&["diff", "latest~2", "latest~1", "--format", "markdown"]);
    markdown.assert(100, &["| cell | outcome |", "**worse** newly failing"]);
    let json = lab.run(&["diff", "latest~2", "latest~1", "--format", "json"]);
    json.assert(100, &[]);
    let diff: Value = serde_json::from_str(&json.said).unwrap();
    assert_eq!(diff["regression"], true);
    assert_eq!(diff["cells"][0]["items"][0]["change"], "newly-failing");
    lab.run(&["diff", "latest~3", "latest"]).assert(2, &["`latest~3` is no run", "help: "]);
    lab.run(&["diff", "latest"]).assert(2, &["error:"]);
    lab.test(&["--series", "none", "--flavor", "i386", "--check", "seccomp_bpf"]).assert(0, &[]);
    lab.run(&["diff", "latest~1", "latest"]).assert(4, &["have no cell in common", "help: "]);
}

#[test]
fn what_changes_its_mind_on_the_same_kernel_is_flaky() {
    let lab = Lab::new();
    lab.run(&["trend"]).assert(2, &["no complete run is in", "help: "]);
    lab.steer("qemu", "good\ngood\nfailing\ngood\n");
    for code in [0, 0] {
        lab.test_cell(&[]).assert(code, &[]);
    }
    lab.run(&["trend"])
        .assert(0, &["1 cells in 2 runs: nothing changed, 2 results always pass", "nothing is flaky"]);
    for code in [100, 0] {
        lab.test_cell(&[]).assert(code, &[]);
    }
    let told = "flaky: changed its mind 2 times on the same kernel, no pass in 1 of 4 runs";
    lab.run(&["trend"]).assert(100, &["seccomp_bpf.global.two", "PPFP", told, "1 always pass"]);
    lab.run(&["trend", "2"]).assert(100, &["FP"]);
    lab.run(&["trend", "--format", "markdown"]).assert(100, &["| `PPFP` |"]);
    lab.run(&["trend", "1"]).assert(2, &["error:"]);
    // One that was killed does not count, and neither does what is no record.
    let path = newest(&lab).join("run.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replacen("\"complete\"", "\"running\"", 1)).unwrap();
    lab.write("lab/results/20200101T000000Z-0000/run.json", "{");
    lab.run(&["trend"]).assert(100, &["PPF", "left out: ", "did not end", "is no record of this lab"]);
    // Another kernel may say something else.
    lab.change_tree("kernel/fork.c", "int spoon;\n");
    lab.steer("qemu", "good");
    lab.forget_boots();
    lab.test_cell(&[]).assert(0, &[]);
    lab.run(&["trend", "2"]).assert(0, &["F|P", "nothing is flaky"]);
}
