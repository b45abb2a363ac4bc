// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fake guest measures: by a rule instead of a kernel, with the sections that QEMU's plugin would write.

use std::fmt::Write as _;

/// A filter of one instruction is cached: calls cost this, whatever the chain.
const CACHED: u64 = 325;

/// What a call costs without filters, and what each filter that runs adds.
const NATIVE: u64 = 190;
const FILTER: u64 = 150;

/// What the cost of a call is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A kernel with the cache.
    Cached,
    /// A kernel that runs the filters, whatever it has cached.
    Run,
    /// The first, and an instruction more for everything.
    Dearer,
}

/// The answer to a request, and what the plugin writes; nothing for what is no request.
pub fn answer(input: &[u8], bits: u32, rule: Rule, first: usize) -> Option<(Vec<u8>, String, usize)> {
    let mut rest = input.strip_prefix(b"SLMQ")?;
    let (_version, count) = (number(&mut rest)?, number(&mut rest)?);
    let mut bytes = b"SLMA".to_vec();
    bytes.extend([1, bits, 0].iter().flat_map(|word: &u32| word.to_le_bytes()));
    let (mut sections, mut next) = (String::new(), 0);
    for id in 0..count {
        let (kind, filters) = (number(&mut rest)?, number(&mut rest)?);
        let mut lengths = Vec::new();
        for _ in 0..filters {
            let length = number(&mut rest)?;
            rest = rest.get(8 * length as usize..)?;
            lengths.push(length);
        }
        rest = rest.get(4 + 48..)?;
        let (calls, _samples) = (u64::from(number(&mut rest)?), number(&mut rest)?);
        let cost = cost(&lengths, rule) + 3;
        let (first_value, second, marked) = match kind {
            0 => (6 + calls * cost, 6 + 2 * calls * cost, 0),
            1 | 2 => (60_000, 100, 1),
            _ => (calls * 5000, 2 * calls * 5000, 0),
        };
        bytes.extend(b"SLMR");
        bytes.extend([id, 0, 0, next, marked].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend([first_value, second, 0, 0].iter().flat_map(|value| value.to_le_bytes()));
        if marked > 0 {
            let total = 60_000 + cost;
            let _ = writeln!(sections, "section {} {total} 900 800", first + next as usize);
        }
        next += marked;
    }
    bytes.extend(b"SLME");
    bytes.extend(count.to_le_bytes());
    Some((bytes, sections, first + next as usize))
}

fn cost(lengths: &[u32], rule: Rule) -> u64 {
    let filters = lengths.len() as u64;
    let more = u64::from(rule == Rule::Dearer);
    let is_cached = lengths.iter().all(|length| *length == 1) && rule != Rule::Run;
    more + match filters {
        0 => NATIVE,
        _ if is_cached => CACHED,
        filters => CACHED + FILTER * filters,
    }
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (word, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u32::from_le_bytes(*word))
}
