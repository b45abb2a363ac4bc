// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel log: records of `/dev/kmsg`, lines of a console, and what is found in both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask_fuzz::parse::kmsg::{KmsgReader, console_records, split_stamp};
use xtask_fuzz::parse::splat::Scanner;
use xtask_fuzz::parse::transcript::scan_console;
use xtask_fuzz::{pieces, splats};

fuzz_target!(|data: &[u8]| {
    let (chunks, rest) = pieces(data);
    let mut reader = KmsgReader::new();
    let mut scanner = Scanner::new(splats());
    let mut count = 0;
    for piece in chunks {
        reader.push(piece, |record| {
            scanner.line(&record.text, ());
            count += 1;
        });
    }
    let report = reader.finish(|record| {
        scanner.line(&record.text, ());
        count += 1;
    });
    assert_eq!(report.records, count);
    let _ = scanner.finish();
    let _ = scan_console(splats(), rest);
    let mut scanner = Scanner::new(splats());
    for line in String::from_utf8_lossy(rest).lines() {
        let _ = (console_records(line.as_bytes()), split_stamp(line));
        scanner.line(line, ());
    }
    let _ = scanner.finish();
});
