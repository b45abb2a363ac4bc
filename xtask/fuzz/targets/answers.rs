// SPDX-License-Identifier: MIT OR Apache-2.0
//! What guest programs answer to a model's questions: decoded, and judged against what was asked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seccomp_oracle::dump::Dump;
use seccomp_oracle::tables::{Arch, Kernel};
use seccomp_oracle::{answer, batch, bench, calls, random, request};

fuzz_target!(|data: &[u8]| {
    let decoded = answer::decode(data);
    // What is whole is written as it was read.
    if let Some(bytes) = answer::encode(&decoded.records) {
        assert_eq!(answer::decode(&bytes).records.len(), decoded.records.len());
    }
    let _ = (calls::answer::decode(data), bench::answer::decode(data), request::decode(data));
    if let Ok(dump) = Dump::unpack(data) {
        let _ = dump.text();
    }
    let kernel = Kernel::native(Arch::X86_64, 440);
    let chains = random::chains(1, 0..3);
    let report = batch::judge(&kernel, &chains, data);
    assert!(report.dumped + report.refused <= report.asked);
});
