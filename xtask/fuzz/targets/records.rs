// SPDX-License-Identifier: MIT OR Apache-2.0
//! `run.json`, as `merge`, `diff` and `trend` read it: it may come from another machine.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use xtask_fuzz::record::merge::{self, Naming};
use xtask_fuzz::record::run_diff::RunDiff;
use xtask_fuzz::record::store;
use xtask_fuzz::record::trend::Trend;

fuzz_target!(|data: &[u8]| {
    let Ok(run) = store::parse(Path::new("run.json"), data) else { return };
    let text = serde_json::to_vec(&run).expect("a record that was read can be written");
    assert_eq!(store::parse(Path::new("run.json"), &text).expect("what was written is a record"), run);
    let _ = RunDiff::new(&run, &run);
    let runs = [run.clone(), run];
    let _ = Trend::new(&runs, 2, &|_| false);
    let naming = Naming { id: "20270101T000000Z-0000".into(), command: Vec::new(), flavors: &[] };
    if let Ok(merged) = merge::merge(&runs, naming) {
        let _ = merge::missing_shards(&merged);
    }
});
