// SPDX-License-Identifier: MIT OR Apache-2.0
//! Patch files. Whatever is taken for one names no path outside the tree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask_fuzz::lab::damage;
use xtask_fuzz::lab::patch::{Patch, is_safe};

fuzz_target!(|data: &[u8]| {
    if let Ok(patch) = Patch::parse("x.patch", data.to_vec()) {
        assert!(!patch.files.is_empty() && patch.files.iter().all(|path| is_safe(path)));
        assert!(!patch.subject.chars().any(char::is_control));
        assert_eq!(patch.text(), data);
        // What is applied is read as what was checked.
        let again = Patch::parse("x.patch", patch.diff.clone()).expect("the diff alone is a patch");
        assert_eq!((again.files, again.digest), (patch.files, patch.digest));
        let diff = String::from_utf8_lossy(&patch.diff);
        let _ = damage::in_diff(&diff);
        let _ = damage::against(&diff, "x", 1, "a\n\tb\nc\n");
    }
});
