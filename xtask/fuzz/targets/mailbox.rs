// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mailboxes: mails, their parts and encodings, threads, series.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask_fuzz::lab::mail::{self, Choice};
use xtask_fuzz::lab::patch::is_safe;

fuzz_target!(|data: &[u8]| {
    if let Ok(found) = mail::read("x.mbox", data, &Choice::Newest) {
        for patch in found.patches {
            assert!(patch.files.iter().all(|path| is_safe(path)));
            assert!(!patch.subject.chars().any(char::is_control));
        }
    }
    let _ = mail::patch_of_mail("x", data);
    let _ = mail::title(data);
});
