// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules about the machine code of a function in the cell's `vmlinux`.

use std::collections::BTreeSet;

use anyhow::Result;

use super::machine_code::Image;
use super::masked_index::{BitTest, Known, follow};
use super::{Found, Subject, comparisons, sub};
use crate::lab::static_check::Rule;
use crate::run::tree_facts::TreeFacts;

/// What the kernel calls its bit test where the compiler does not inline it.
const BIT_TESTS: [&str; 4] = ["test_bit", "arch_test_bit", "_test_bit", "variable_test_bit"];

/// Most functions that are followed from one.
const FOLLOWED_MAX: usize = 32;

/// Looks at a function and at those that were part of it.
pub(super) fn look(subject: &Subject<'_>, role: &str, parts: &[String], rule: &Rule) -> Result<Found> {
    let Some(name) = subject.function(role) else {
        return Ok(Found::Absent(format!("nobody says what the function `{role}` is called in this tree")));
    };
    if subject.kernel.symbols.is_none() {
        return Ok(Found::Absent("the kernel was given without its config".into()));
    }
    let image = subject.kernel.vmlinux.as_deref().map(Image::read).transpose()?;
    let Some(image) = image else {
        return Ok(Found::Absent("the kernel was given as an image without symbols".into()));
    };
    let starts = image.named(name);
    if starts.is_empty() {
        return Ok(Found::no_function(role, name, "the kernel"));
    }
    let parts: Vec<&str> = parts.iter().filter_map(|role| subject.function(role)).collect();
    let followed: Vec<&str> = parts.iter().copied().chain(BIT_TESTS).collect();
    let sizes = match rule {
        Rule::MaskedIndex => table_sizes(subject)?,
        Rule::Comparisons { .. } => Vec::new(),
    };
    let tests = bit_tests(&image, starts.clone(), &followed, &sizes)?;
    let record = match rule {
        Rule::MaskedIndex => judge_masks(name, &tests, &sizes),
        Rule::Comparisons { constants, count, with } => {
            let wanted = match with {
                Some(with) if !subject.kernel.lacks(&with.symbol) => with.count,
                _ => *count,
            };
            let addresses = starts.into_iter().chain(parts.iter().flat_map(|part| image.named(part)));
            let mut found = Vec::new();
            for address in addresses {
                found.extend(comparisons::find(&image.function(address)?, constants));
            }
            judge_comparisons(name, &found, wanted, tests.len())
        }
    };
    Ok(Found::Subs(vec![record]))
}

/// How many numbers the system call tables of the kernel have: an index is below one of these.
fn table_sizes(subject: &Subject<'_>) -> Result<Vec<u64>> {
    let has_compat = !subject.kernel.lacks("COMPAT");
    let kernel = TreeFacts::find(subject.source)?.kernel(subject.config.arch, has_compat)?;
    let sizes: BTreeSet<u64> = kernel.tables().map(|table| table.count.into()).collect();
    Ok(sizes.into_iter().collect())
}

/// The bit tests of some functions and of those they call, as far as these are followed.
fn bit_tests(image: &Image, starts: Vec<u64>, followed: &[&str], sizes: &[u64]) -> Result<Vec<BitTest>> {
    let mut open: Vec<(u64, Known)> = starts.into_iter().map(|start| (start, Known::default())).collect();
    let mut tests = Vec::new();
    let mut count = 0;
    while let Some((address, known)) = open.pop() {
        count += 1;
        anyhow::ensure!(count <= FOLLOWED_MAX, "more than {FOLLOWED_MAX} functions to follow");
        let seen = follow(&image.function(address)?, &known, sizes);
        tests.extend(seen.tests);
        let calls = seen.calls.into_iter();
        open.extend(calls.filter(|(to, _)| image.name_at(*to).is_some_and(|name| followed.contains(&name))));
    }
    Ok(tests)
}

fn judge_masks(name: &str, tests: &[BitTest], sizes: &[u64]) -> crate::record::model::SubRecord {
    let bare: Vec<&BitTest> = tests.iter().filter(|test| !test.is_masked).collect();
    let reason = match bare.first() {
        Some(test) => format!(
            "{} of {} bit tests take an index that is not masked with the size of a table ({}), the first in {} at {:#x}",
            bare.len(),
            tests.len(),
            sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            test.function,
            test.address
        ),
        None if tests.is_empty() => format!("no bit test with a variable index in {name}"),
        None => format!("{} bit tests, all with a masked index", tests.len()),
    };
    sub(1, "masked-index", !tests.is_empty() && bare.is_empty(), reason)
}

/// Where no comparison is right, a bit test says that the lookup is in what was looked at.
fn judge_comparisons(
    name: &str,
    found: &[comparisons::Comparison],
    wanted: usize,
    bit_tests: usize,
) -> crate::record::model::SubRecord {
    if wanted == 0 && bit_tests == 0 {
        let reason = format!("the lookup is not in {name}: no bit test with a variable index");
        return sub(1, "comparisons", false, reason);
    }
    let places: Vec<String> = found
        .iter()
        .map(|one| format!("{:#x} in {} at {:#x}", one.constant, one.function, one.address))
        .collect();
    let reason =
        format!("{} comparisons in {name}, and {wanted} are right: {}", found.len(), places.join(", "));
    sub(1, "comparisons", found.len() == wanted, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::CheckStatus;

    #[test]
    fn no_bit_test_at_all_is_no_pass() {
        let test = |is_masked| BitTest { function: "f".into(), address: 1, is_masked };
        assert_eq!(judge_masks("f", &[], &[3]).status, CheckStatus::Fail);
        assert_eq!(judge_masks("f", &[test(true), test(false)], &[3]).status, CheckStatus::Fail);
        assert_eq!(judge_masks("f", &[test(true)], &[3]).status, CheckStatus::Pass);
        assert_eq!(judge_comparisons("f", &[], 2, 1).status, CheckStatus::Fail);
        assert_eq!(judge_comparisons("f", &[], 0, 1).status, CheckStatus::Pass);
        assert_eq!(judge_comparisons("f", &[], 0, 0).status, CheckStatus::Fail);
    }
}
