// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the kernel log's records.

use super::*;
use proptest::prelude::*;

fn read(bytes: &[u8]) -> (Vec<Record>, KmsgReport) {
    let mut reader = KmsgReader::new();
    let mut records = Vec::new();
    for piece in bytes.chunks(7) {
        reader.push(piece, |record| records.push(record));
    }
    let report = reader.finish(|record| records.push(record));
    (records, report)
}

#[test]
fn reads_records_with_their_pairs() {
    let (records, report) = read(
        b"5,0,0,-;Linux version 5.10.0\n\
          7,1,424069,-;pci_root PNP0A03:00: window (ignored)\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n\
          12,2,5000001,c,caller=T1;from a program; really\n",
    );
    assert_eq!(records.len(), 3);
    assert_eq!(records[0].level, Some(Level::Notice));
    assert_eq!(records[0].facility, Facility::Kernel);
    assert_eq!(records[1].pairs[1], ("DEVICE".into(), "+acpi:PNP0A03:00".into()));
    assert_eq!(records[2].facility, Facility::Program(1));
    assert_eq!(records[2].level, Some(Level::Warning));
    assert_eq!(records[2].time_us, 5_000_001);
    assert_eq!(records[2].fragment, Fragment::Piece);
    assert_eq!(records[2].text, "from a program; really");
    assert!(report.is_whole());
    assert_eq!(report.records, 3);
}

#[test]
fn undoes_escapes() {
    let (records, _) = read(b"6,0,0,-;a\\x0ab \\x5c \\xc3\\xa9 \\xff \\xZZ \\x1\n");
    assert_eq!(records[0].text, "a\nb \\ é \u{fffd} \\xZZ \\x1");
}

#[test]
fn sees_holes() {
    let (_, report) = read(b"6,0,0,-;a\n6,1,0,-;b\n6,5,0,-;c\n6,7,0,-;d\n");
    let gaps = [Gap { after: 1, before: 5 }, Gap { after: 5, before: 7 }];
    assert_eq!(report.gaps, gaps);
    assert_eq!(report.missing, 4);
    assert!(!report.is_whole());

    let (_, report) = read(b"6,12,0,-;late\n");
    assert_eq!(report.first_sequence, Some(12));
    assert!(!report.is_whole());

    let (_, report) = read(b"");
    assert_eq!(report.first_sequence, None);
    assert!(!report.is_whole());
}

#[test]
fn sees_a_log_that_begins_again() {
    let (records, report) = read(b"6,0,0,-;a\n6,1,0,-;b\n6,0,0,-;a\n");
    assert_eq!(records.len(), 3);
    assert_eq!(report.backwards, 1);
    assert!(!report.is_whole());
}

#[test]
fn counts_what_is_no_record() {
    let (records, report) = read(b" KEY=before any record\nrubbish\n6,0,0,-;a\n6,x,0,-;b\n6,1;c\n");
    assert_eq!(records.len(), 1);
    assert_eq!(report.malformed, 4);
    assert_eq!(report.malformed_first.as_deref(), Some(" KEY=before any record"));
    assert!(!report.is_whole());
}

#[test]
fn sees_a_cut_end() {
    let (records, report) = read(b"6,0,0,-;a\n6,1,0,-;b");
    assert_eq!(records.len(), 2);
    assert_eq!(report.ending, Ending::CutShort);
    assert!(!report.is_whole());
}

#[test]
fn splits_stamps() {
    assert_eq!(split_stamp("[    0.060000] TAP"), Some((60_000, "TAP")));
    assert_eq!(split_stamp("[12345.000001][    T1]  x"), Some((12_345_000_001, " x")));
    assert_eq!(split_stamp("[    1.000000]"), Some((1_000_000, "")));
    assert_eq!(split_stamp("[    1.000000] [27] x"), Some((1_000_000, "[27] x")));
    for line in ["", "[", "[]", "[1.5] x", "[ 1.0000000] x", "[x.000000] y", "[1.+00000] y", "x[ 1.000000]"] {
        assert_eq!(split_stamp(line), None, "{line}");
    }
    assert_eq!(split_stamp("[99999999999999999.000000]"), None);
}

#[test]
fn reads_console_lines() {
    let glued = b"\x1bc\x1b[?7l\x1b[2JSeaBIOS (version 1.16)\x1b[0m[    0.000000] Linux version 5.10\r\r";
    let records = console_records(glued);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].text, "Linux version 5.10");
    assert_eq!(records[0].sequence, None);
    assert_eq!(records[0].facility, Facility::Unknown);

    let lost = console_records(b"[    1.000000] one[    1.000002] BUG: two");
    let texts: Vec<_> = lost.iter().map(|record| record.text.as_str()).collect();
    assert_eq!(texts, ["one", "BUG: two"]);

    assert_eq!(console_records(b"<3>[    1.000000] x")[0].level, Some(Level::Error));
    assert_eq!(console_records(b"no stamp here [27]"), []);
}

proptest! {
    #[test]
    fn takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (records, report) = read(&bytes);
        prop_assert_eq!(records.len() as u64, report.records);
        let _ = console_records(&bytes);
    }

    #[test]
    fn takes_nearly_right_bytes(bytes in "[0-9,;\\-c \\\\x\\[\\].\n]{0,120}") {
        read(bytes.as_bytes());
        let _ = console_records(bytes.as_bytes());
        let _ = split_stamp(&bytes);
    }
}
