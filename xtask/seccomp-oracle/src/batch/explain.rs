// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a bit is as it is, in words.

use std::fmt::Write as _;

use crate::cache::{Explanation, explain};
use crate::data::SeccompData;
use crate::interpret::path;
use crate::program::Program;
use crate::tables::{Arch, Kernel};
use crate::walk::{Reason, Verdict};

/// How many instructions of a path are shown at each end of it.
const SHOWN_MAX: usize = 24;

/// One line: the verdict of the model, the filter, the instruction with its text, and the reason.
#[must_use]
pub fn explain_line(kernel: &Kernel, chain: &[Program], arch: Arch, nr: u32) -> String {
    let explanation = explain(kernel, chain, arch, nr);
    let Explanation::NotCached { filter, verdict: Verdict::Not { at, why } } = explanation else {
        return explanation.to_string();
    };
    let text = chain.get(filter).and_then(|program| program.insns().get(at)).map(ToString::to_string);
    let why = match why {
        // The text of the instruction says which one it is.
        Reason::NotFollowed(_) => "is not followed".to_owned(),
        why => why.to_string(),
    };
    format!("not cached: filter {filter}, instruction {at} `{}` {why}", text.unwrap_or_default())
}

/// Several lines: the verdict and the reason, then the instructions that the walk took in the filter that settles it,
/// the one that does marked; for a call that is cached, those in every filter.
#[must_use]
pub fn explain_text(kernel: &Kernel, chain: &[Program], arch: Arch, nr: u32) -> String {
    let explanation = explain(kernel, chain, arch, nr);
    let verdict = match explanation {
        Explanation::Cached | Explanation::AlwaysAllowed => "ALLOW",
        Explanation::NotCached { .. } => "FILTER",
        Explanation::NoSuchArch | Explanation::OutOfRange | Explanation::NoFilter => "no bit",
    };
    let mut text = format!("{arch} {nr}: {verdict}\n{}\n", explain_line(kernel, chain, arch, nr));
    let shown = match explanation {
        Explanation::Cached => 0..chain.len(),
        Explanation::NotCached { filter, .. } => filter..filter + 1,
        _ => 0..0,
    };
    for filter in shown {
        let Some(program) = chain.get(filter) else { continue };
        let stop = match explanation {
            Explanation::NotCached { verdict: Verdict::Not { at, .. }, .. } => Some(at),
            _ => None,
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "filter {filter} of {}, oldest first, {} instructions; the walk took:",
            chain.len(),
            program.insns().len()
        );
        write_path(&mut text, program, arch, nr, stop);
    }
    text
}

/// The path of the walk is the one that the filter takes, as far as the walk goes: no argument is looked at before.
fn write_path(text: &mut String, program: &Program, arch: Arch, nr: u32, stop: Option<usize>) {
    let call = SeccompData { nr: nr.cast_signed(), arch: arch.audit(), ..SeccompData::default() };
    let path = path(program, &call);
    let walked: Vec<usize> = match stop {
        Some(stop) => path.into_iter().take_while(|at| *at <= stop).collect(),
        None => path,
    };
    let left_out = walked.len().saturating_sub(2 * SHOWN_MAX);
    for (place, at) in walked.iter().enumerate() {
        if left_out > 0 && place == SHOWN_MAX {
            let _ = writeln!(text, "        ... {left_out} more ...");
        }
        if left_out > 0 && (SHOWN_MAX..SHOWN_MAX + left_out).contains(&place) {
            continue;
        }
        let mark = if stop == Some(*at) { "->" } else { "  " };
        if let Some(insn) = program.insns().get(*at) {
            let _ = writeln!(text, "{mark} {at:4}: {insn}");
        }
    }
}
