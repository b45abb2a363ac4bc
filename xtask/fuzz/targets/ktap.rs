// SPDX-License-Identifier: MIT OR Apache-2.0
//! What checks print. In pieces it has to be read as in one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask_fuzz::parse::ktap::{KtapLimits, KtapParser};
use xtask_fuzz::pieces;

fuzz_target!(|data: &[u8]| {
    let limits = KtapLimits::default();
    let (chunks, rest) = pieces(data);
    let mut parser = KtapParser::new(limits.clone());
    chunks.for_each(|piece| parser.push(piece));
    let in_pieces = parser.finish();
    let mut parser = KtapParser::new(limits.clone());
    parser.push(rest);
    let whole = parser.finish();
    assert_eq!(in_pieces, whole);
    assert!(whole.results.len() <= limits.results_max && whole.errors.len() <= limits.errors_max);
});
