// SPDX-License-Identifier: MIT OR Apache-2.0
//! What make and its compilers print.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask_fuzz::parse::make::BuildLog;
use xtask_fuzz::pieces;

fuzz_target!(|data: &[u8]| {
    let (chunks, _) = pieces(data);
    let mut log = BuildLog::new().expect("the patterns of build logs");
    chunks.for_each(|piece| log.push(piece));
    let report = log.finish();
    assert!(report.warnings.len() <= 500);
    if let Some(failure) = report.failure {
        assert!(!failure.to_string().chars().any(|c| c.is_control() && c != '\t'));
    }
});
