// SPDX-License-Identifier: MIT OR Apache-2.0
//! Saved figures, and the comparison with them: equal to the instruction, for the same compiler and config. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How many differences of two configs are named.
const SYMBOLS_NAMED_MAX: usize = 12;

/// `configs/bench/NAME.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// What counted the instructions.
    pub qemu: String,
    /// What measured: a digest of the guest program, the plugin and the lists.
    pub measured_by: String,
    /// The cells by their ids.
    pub cell: BTreeMap<String, SavedCell>,
    /// Final configs by their digests: the symbols that are set, `NAME=VALUE`.
    pub config: BTreeMap<String, Vec<String>>,
}

/// One cell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedCell {
    /// What built the kernel.
    pub compiler: String,
    /// The digest of its final config, a key of [`Saved::config`].
    pub config: String,
    /// The figures.
    pub figures: BTreeMap<String, u64>,
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// All figures are the saved ones.
    Equal {
        /// How many.
        figures: usize,
    },
    /// Some are not: one line each.
    Different(Vec<String>),
    /// They cannot be compared: why.
    Refused(Vec<String>),
}

/// Compares what was measured with what was saved. Every measured cell must be there.
pub fn compare(saved: &Saved, now: &Saved) -> Comparison {
    let mut refused = Vec::new();
    if saved.qemu != now.qemu {
        refused.push(format!("QEMU: `{}` counted the saved figures, `{}` these", saved.qemu, now.qemu));
    }
    if saved.measured_by != now.measured_by {
        refused.push("the lab has other measurements, or other lengths of chains were asked for".to_owned());
    }
    let (mut different, mut figures) = (Vec::new(), 0);
    for (id, ours) in &now.cell {
        let Some(theirs) = saved.cell.get(id) else {
            refused.push(format!("{id}: it has no saved figures"));
            continue;
        };
        if ours.compiler != theirs.compiler {
            refused.push(format!(
                "{id}: another compiler: `{}` built the saved kernel, `{}` this one",
                theirs.compiler, ours.compiler
            ));
        }
        if ours.config != theirs.config {
            let none = Vec::new();
            let theirs = saved.config.get(&theirs.config).unwrap_or(&none);
            refused.push(config_difference(id, theirs, now.config.get(&ours.config).unwrap_or(&none)));
        }
        figures += ours.figures.len();
        different.extend(differences(id, theirs, ours));
    }
    match (refused.is_empty(), different.is_empty() && figures > 0) {
        (false, _) => Comparison::Refused(refused),
        (true, true) => Comparison::Equal { figures },
        (true, false) if figures == 0 => Comparison::Refused(vec!["nothing was measured".into()]),
        (true, false) => Comparison::Different(different),
    }
}

fn differences(id: &str, theirs: &SavedCell, ours: &SavedCell) -> Vec<String> {
    let names: BTreeSet<&String> = theirs.figures.keys().chain(ours.figures.keys()).collect();
    let told = |figure: Option<&u64>| figure.map_or_else(|| "nothing".to_owned(), u64::to_string);
    let different = names.into_iter().filter(|name| theirs.figures.get(*name) != ours.figures.get(*name));
    different
        .map(|name| {
            let (before, now) = (theirs.figures.get(name), ours.figures.get(name));
            let by = before.zip(now).map(|(before, now)| i128::from(*now) - i128::from(*before));
            let by = by.map_or_else(String::new, |by| format!(" ({by:+})"));
            format!("{id}: {name}: {} saved, {} now{by}", told(before), told(now))
        })
        .collect()
}

fn config_difference(id: &str, theirs: &[String], ours: &[String]) -> String {
    let (theirs, ours): (BTreeSet<&String>, BTreeSet<&String>) =
        (theirs.iter().collect(), ours.iter().collect());
    let only = |these: &BTreeSet<&String>, those: &BTreeSet<&String>, sign: char| -> Vec<String> {
        these.difference(those).map(|symbol| format!("{sign}{symbol}")).collect()
    };
    let symbols = [only(&theirs, &ours, '-'), only(&ours, &theirs, '+')].concat();
    let more = symbols.len().saturating_sub(SYMBOLS_NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named: Vec<&str> = symbols.iter().take(SYMBOLS_NAMED_MAX).map(String::as_str).collect();
    format!("{id}: another config: {}{more}", named.join(" "))
}

/// The symbols that a `.config` sets.
pub fn symbols_of(config: &str) -> Vec<String> {
    let set = config.lines().filter_map(|line| line.strip_prefix("CONFIG_"));
    let mut symbols: Vec<String> = set.map(str::to_owned).collect();
    symbols.sort();
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(compiler: &str, symbol: &str, native: u64) -> Saved {
        let figures = BTreeMap::from([("native".to_owned(), native)]);
        let cell = SavedCell { compiler: compiler.into(), config: symbol.into(), figures };
        Saved {
            qemu: "7.2".into(),
            measured_by: "x".into(),
            cell: BTreeMap::from([("t/s@1/f".to_owned(), cell)]),
            config: BTreeMap::from([(
                symbol.to_owned(),
                symbols_of(&format!("CONFIG_A=y\nCONFIG_{symbol}=y\n# CONFIG_N is not set\n")),
            )]),
        }
    }

    #[test]
    fn equal_is_equal_to_the_instruction() {
        assert_eq!(
            compare(&saved("gcc", "X", 190), &saved("gcc", "X", 190)),
            Comparison::Equal { figures: 1 }
        );
        let Comparison::Different(lines) = compare(&saved("gcc", "X", 190), &saved("gcc", "X", 191)) else {
            panic!("not different");
        };
        assert_eq!(lines, ["t/s@1/f: native: 190 saved, 191 now (+1)"]);
    }

    #[test]
    fn another_compiler_or_config_is_refused_with_the_difference() {
        let refused = |other: &Saved| match compare(&saved("gcc 12", "X", 190), other) {
            Comparison::Refused(why) => why.join("; "),
            other => panic!("{other:?}"),
        };
        assert!(
            refused(&saved("gcc 13", "X", 190)).contains("`gcc 12` built the saved kernel, `gcc 13` this")
        );
        assert_eq!(refused(&saved("gcc 12", "Y", 190)), "t/s@1/f: another config: -X=y +Y=y");
        let qemu = Saved { qemu: "9".into(), ..saved("gcc 12", "X", 190) };
        assert!(refused(&qemu).contains("QEMU"));
        let lab = Saved { measured_by: "y".into(), ..saved("gcc 12", "X", 190) };
        assert!(refused(&lab).contains("other measurements"));
        let mut other = saved("gcc 12", "X", 190);
        other.cell = BTreeMap::from([("t/s@2/f".to_owned(), other.cell.values().next().unwrap().clone())]);
        assert!(refused(&other).contains("no saved figures"));
        assert!(
            refused(&Saved { qemu: "7.2".into(), measured_by: "x".into(), ..Saved::default() })
                .contains("nothing was measured")
        );
    }

    #[test]
    fn a_figure_that_is_new_or_gone_is_a_difference() {
        let mut more = saved("gcc", "X", 190);
        more.cell.get_mut("t/s@1/f").unwrap().figures.insert("read".into(), 5);
        let told = |comparison| match comparison {
            Comparison::Different(lines) => lines,
            other => panic!("{other:?}"),
        };
        let less = saved("gcc", "X", 190);
        assert_eq!(told(compare(&less, &more)), ["t/s@1/f: read: nothing saved, 5 now"]);
        assert_eq!(told(compare(&more, &less)), ["t/s@1/f: read: 5 saved, nothing now"]);
    }
}
