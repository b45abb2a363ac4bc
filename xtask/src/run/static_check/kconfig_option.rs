// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an option says of itself, asked on one architecture that has it: its value where nobody
//! sets it, and the symbols that it needs.

use anyhow::Result;

use super::kconfig::{Kconfig, Question};
use super::sub;
use crate::lab::fragment::Symbols;
use crate::record::model::SubRecord;

/// Asks for the default and for each need.
pub(super) fn look(
    tree: &Kconfig,
    question: &Question<'_>,
    arch: &str,
    folder: &str,
) -> Result<Vec<SubRecord>> {
    let mut subs = Vec::new();
    if let Some(value) = question.default {
        // `allnoconfig` would switch off what nobody names, whatever its default is.
        let unset = tree.conf(arch, folder, "alldefconfig", &question.neighbours())?;
        let set = tree.conf(arch, folder, "alldefconfig", &question.wanted())?;
        subs.push(judge_default(question.symbol, value, &unset, &set));
    }
    for need in question.needs {
        let others: String = question.wanted().replace(&format!("CONFIG_{need}=y\n"), "");
        let without = format!("{others}# CONFIG_{need} is not set\n");
        let mut asked = Vec::new();
        // `allnoconfig` alone shows options that another one excludes; EXPERT is what shows most.
        for (mode, more) in [("allyesconfig", ""), ("allnoconfig", "CONFIG_EXPERT=y\n")] {
            let with = format!("{others}CONFIG_{need}=y\n{more}");
            let with = tree.conf(arch, folder, mode, &with)?;
            let without = tree.conf(arch, folder, mode, &format!("{without}{more}"))?;
            asked.push((with, without));
        }
        subs.push(judge_need(question.symbol, need, &asked));
    }
    Ok(subs)
}

/// `unset` is a config in which nobody names the symbol, `set` the same with it.
fn judge_default(symbol: &str, value: &str, unset: &Symbols, set: &Symbols) -> SubRecord {
    let got = unset.value(symbol);
    let (passes, reason) = if !set.is_set(symbol) {
        (false, format!("{symbol} cannot be set where all it is asked with has its default"))
    } else {
        (got == value, format!("{symbol} is {got} where nothing sets it, and {value} is right"))
    };
    sub(1, "default", passes, reason)
}

/// Pairs of configs, with the need and without. A pair tells something if the first has the symbol
/// and the second really lacks the need; no such pair is no pass.
fn judge_need(symbol: &str, need: &str, asked: &[(Symbols, Symbols)]) -> SubRecord {
    let telling = asked.iter().filter(|(with, without)| with.is_set(symbol) && without.value(need) == "n");
    let (mut count, mut reachable) = (0, 0);
    for (_, without) in telling {
        count += 1;
        reachable += usize::from(without.value(symbol) != "n");
    }
    let reason = match (count, reachable) {
        (0, _) => format!("no config has {symbol} with {need} and can be made without {need}"),
        (_, 0) => format!("without {need} it cannot be set"),
        _ => format!("{symbol} can be set without {need}"),
    };
    sub(1, &format!("needs {need}"), count > 0 && reachable == 0, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::CheckStatus::{Fail, Pass};

    fn config(text: &str) -> Symbols {
        Symbols::parse_config(text)
    }

    #[test]
    fn an_option_that_is_on_by_itself_fails_and_one_that_cannot_be_set_does_not_pass() {
        let (on, off) = (config("CONFIG_X=y\n"), config("# CONFIG_X is not set\n"));
        assert_eq!(judge_default("X", "n", &off, &on).status, Pass);
        assert_eq!(judge_default("X", "n", &on, &on).status, Fail);
        assert_eq!(judge_default("X", "n", &off, &off).status, Fail);
        assert_eq!(judge_default("X", "y", &on, &on).status, Pass);
    }

    #[test]
    fn a_need_is_seen_only_where_it_is_really_off() {
        let with = || config("CONFIG_X=y\nCONFIG_P=y\n");
        let (without, loose) = (config(""), config("CONFIG_X=y\n"));
        assert_eq!(judge_need("X", "P", &[(with(), without)]).status, Pass);
        assert_eq!(judge_need("X", "P", &[(with(), loose)]).status, Fail);
        assert_eq!(judge_need("X", "P", &[(with(), with())]).status, Fail);
        assert_eq!(judge_need("X", "P", &[(config(""), config(""))]).status, Fail);
        assert_eq!(judge_need("X", "P", &[]).status, Fail);
    }
}
