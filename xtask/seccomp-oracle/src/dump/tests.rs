// SPDX-License-Identifier: MIT OR Apache-2.0

use proptest::prelude::*;

use super::*;
use crate::cache::expected;
use crate::cases::{cases, golden_kernel};
use crate::chain;

const TEXT: &[u8] = b"x86_64 0 ALLOW\nx86_64 1 FILTER\nia32 0 FILTER\n";

#[rustfmt::skip]
const PACKED: &[u8] = &[
    6, 0, 0, 0, b'x', b'8', b'6', b'_', b'6', b'4', 2, 0, 0, 0, 0b01,
    4, 0, 0, 0, b'i', b'a', b'3', b'2', 1, 0, 0, 0, 0,
];

#[test]
fn bytes_are_as_documented() {
    assert_eq!(pack(TEXT).unwrap(), PACKED);
    assert_eq!(Dump::unpack(PACKED).unwrap().text(), TEXT);
}

#[test]
fn another_form_is_not_packed() {
    for text in [
        "",
        "\n",
        "x 1 ALLOW\n",
        "x 00 ALLOW\n",
        "x 0 ALLOW",
        "x 0 ALLOW\r\n",
        "x 0 allow\n",
        "x  0 ALLOW\n",
        " 0 ALLOW\n",
        "x-y 0 ALLOW\n",
        "x 0 ALLOW \n",
        "x 0 ALLOW\n\n",
        "x 0 ALLOW\nx 2 ALLOW\n",
        "x 0 ALLOW\nx 01 ALLOW\n",
        "x 0 ALLOW\n\0",
        "abcdefghijklmnopqrstuvwxyz012345 0 ALLOW\n",
    ] {
        assert_eq!(pack(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn bad_packing_is_refused() {
    let run = |length: u32, name: &[u8], lines: u32, bits: &[u8]| {
        [&length.to_le_bytes()[..], name, &lines.to_le_bytes(), bits].concat()
    };
    assert!(Dump::unpack(&run(1, b"x", 9, &[255, 1])).is_ok());
    for bytes in [
        vec![],
        run(0, b"", 1, &[0]),
        run(1, b"x", 0, &[]),
        run(1, b" ", 1, &[0]),
        run(1, b"\n", 1, &[0]),
        run(2, b"\xc3\xa9", 1, &[0]),
        run(32, &[b'x'; 32], 1, &[0]),
        run(u32::MAX, b"x", 1, &[0]),
        run(1, b"x", 9, &[255]),
        run(1, b"x", 9, &[255, 2]),
        run(1, b"x", 8, &[255, 0]),
        run(1, b"x", u32::MAX, &[0; 9]),
        run(1, b"x", RUN_LINES_MAX + 1, &[0; 8193]),
        run(1, b"x", 1, &[0]).repeat(PACKED_BYTES_MAX / 10 + 1),
    ] {
        assert_eq!(Dump::unpack(&bytes), Err(BadPacking), "{:?}", &bytes[..bytes.len().min(50)]);
    }
    for length in 0..PACKED.len() {
        // Shorter is damaged, but for the place where the first run ends.
        assert_eq!(Dump::unpack(&PACKED[..length]).is_ok(), length == 15, "{length} bytes");
    }
}

#[test]
fn bits_are_compared_with_the_model() {
    let kernel = golden_kernel();
    for chain in cases().iter().filter_map(|case| chain::check(&case.filters).ok()) {
        let wanted = expected(&kernel, &chain);
        let bytes = pack(wanted.dump().as_bytes()).unwrap();
        assert!(Dump::unpack(&bytes).unwrap().is_packed_as(&wanted));
        for at in [14, 65, bytes.len() - 2] {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(!Dump::unpack(&wrong).is_ok_and(|dump| dump.is_packed_as(&wanted)), "byte {at}");
        }
        let native = &bytes[..14 + 56];
        assert!(!Dump::unpack(native).unwrap().is_packed_as(&wanted));
        assert!(!Dump::unpack(&bytes.repeat(2)).unwrap().is_packed_as(&wanted));
    }
}

/// Runs of lines, mostly good ones.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let run = ("[a-z0-9_]{1,4}", prop::collection::vec(any::<bool>(), 1..40));
    let lines = |(name, bits): (String, Vec<bool>)| {
        let line =
            |(nr, bit): (usize, &bool)| format!("{name} {nr} {}\n", if *bit { "ALLOW" } else { "FILTER" });
        bits.iter().enumerate().map(line).collect::<String>()
    };
    prop::collection::vec(run.prop_map(lines), 1..4).prop_map(|runs| runs.concat().into_bytes())
}

proptest! {
    #[test]
    fn every_text_comes_back(text in text()) {
        let packed = pack(&text).unwrap();
        let unpacked = Dump::unpack(&packed).unwrap().text().into_owned();
        prop_assert_eq!(unpacked, text);
    }

    #[test]
    fn a_changed_text_comes_back_or_is_not_packed(mut text in text(), at: prop::sample::Index, byte: u8) {
        let at = at.index(text.len());
        text[at] = byte;
        if let Some(packed) = pack(&text) {
            let unpacked = Dump::unpack(&packed).unwrap().text().into_owned();
            prop_assert_eq!(unpacked, text);
        }
    }

    #[test]
    fn any_bytes_have_an_answer(bytes: Vec<u8>) {
        if let Ok(dump) = Dump::unpack(&bytes) {
            let again = pack(&dump.text());
            prop_assert_eq!(again.map(|again| again.len()), Some(bytes.len()));
        }
    }

    #[test]
    fn changed_packing_has_an_answer(at in 0..PACKED.len(), byte: u8) {
        let mut bytes = PACKED.to_vec();
        bytes[at] = byte;
        if let Ok(dump) = Dump::unpack(&bytes) {
            // Runs of one name may be told apart by their numbers alone, so the packing is the same.
            let again = pack(&dump.text());
            prop_assert_eq!(again, Some(bytes));
        }
    }
}
