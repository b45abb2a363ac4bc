// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a search for a patch came to, for people.

use std::fmt::Write as _;
use std::path::Path;

use console::{Style, style};

use crate::plan::bisect::Change;
use crate::record::bisect::{AnswerKind, AskedRecord, BisectRecord, FoundRecord};
use crate::tell::terminal::status_line;

/// Patches by their numbers: `patch 3`, `patches 1 to 3`, `patches 2 and 5`.
pub fn patches(numbers: &[usize]) -> String {
    match numbers {
        [] => "no patch".into(),
        [one] => format!("patch {one}"),
        [first, .., last] if last - first + 1 == numbers.len() && numbers.len() > 2 => {
            format!("patches {first} to {last}")
        }
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
            format!("patches {} and {last}", rest.join(", "))
        }
    }
}

/// What `bisect` ends with.
pub fn answer(record: &BisectRecord, claimed: Option<Change>, folder: &Path) -> String {
    let mut text = "\n".to_owned();
    let (good, bad) = (Style::new().green().bold(), Style::new().red().bold());
    match (record.answer, &record.found) {
        (AnswerKind::Found, Some(found)) => {
            text.push_str(&status_line(&good, "FOUND", None, &headline(record, found)));
            text.push_str(&details(record, found));
        }
        (AnswerKind::NotProved, Some(found)) => {
            text.push_str(&status_line(&bad, "NOT PROVED", None, &headline(record, found)));
            text.push_str(&details(record, found));
            let _ = writeln!(
                text,
                "{:>14}asked once more, both sides are not what they were: --repeat K asks each point K times",
                ""
            );
        }
        (AnswerKind::SameEverywhere, _) => {
            let says = record.asked.iter().rev().find(|asked| asked.says != "untestable");
            let says = says.map_or("", |asked| asked.says.as_str());
            let what = format!("{} {says} at both ends: no patch changes it", record.check);
            text.push_str(&status_line(&bad, "SAME", None, &what));
            for asked in ends(&record.asked) {
                text.push_str(&said("", asked));
            }
            if claimed.is_none() && says == "fails" {
                let _ = writeln!(
                    text,
                    "{:>14}--good N names a point at which it passes, if there is one between",
                    ""
                );
            }
        }
        _ => text.push_str(&status_line(&bad, "UNTESTABLE", None, "no point can be tested")),
    }
    let _ = writeln!(text, "{:>14}{}", "", style(folder.join("run.json").display()).dim());
    text
}

fn ends(asked: &[AskedRecord]) -> Vec<&AskedRecord> {
    let mut told: Vec<&AskedRecord> = asked.iter().filter(|asked| asked.says != "untestable").collect();
    told.sort_by_key(|asked| asked.point);
    match told[..] {
        [first, .., last] => vec![first, last],
        _ => told,
    }
}

fn headline(record: &BisectRecord, found: &FoundRecord) -> String {
    let numbers: Vec<usize> = found.candidates.iter().map(|patch| patch.number).collect();
    let does = if found.change == "broken" { "fails" } else { "passes" };
    let point = |id: &str| id.split('/').nth(1).unwrap_or("").to_owned();
    match numbers[..] {
        [one] => format!("{} {does} from patch {one} on", record.check),
        _ => format!(
            "{} {does} from {} on; candidates: {}",
            record.check,
            point(&found.exposed),
            patches(&numbers)
        ),
    }
}

fn details(record: &BisectRecord, found: &FoundRecord) -> String {
    let mut text = String::new();
    for patch in &found.candidates {
        let _ = writeln!(text, "{:>14}patch {}: {}", "", patch.number, patch.subject);
        let _ = writeln!(text, "{:>14}         {}", "", style(&patch.file).dim());
    }
    for why in &found.why {
        let _ = writeln!(text, "{:>14}{why}", "");
    }
    for (title, cell) in [("last before:", &found.before), ("first after:", &found.exposed)] {
        // The first time, and the proof.
        for (nth, asked) in record.asked.iter().filter(|asked| asked.cell == *cell).enumerate() {
            text.push_str(&said(if nth == 0 { title } else { "once more:" }, asked));
        }
    }
    if let Some(permille) = record.confidence_permille {
        let whole = permille / 10;
        let _ = writeln!(
            text,
            "{:>14}confidence {whole}.{} %: a point is bad if one of its runs is; if each run of a bad point fails with the \
             chance that was seen,\n{:>14}no point that passed all of its runs is bad with this chance",
            "",
            permille % 10,
            ""
        );
    }
    for command in &found.rerun {
        let _ = writeln!(text, "{:>14}rerun: {command}", "");
    }
    text
}

fn said(title: &str, asked: &AskedRecord) -> String {
    let runs = match (asked.passed, asked.failed) {
        (passed, failed) if passed + failed > 1 => format!(" ({failed} of {} runs failed)", passed + failed),
        _ => String::new(),
    };
    format!(
        "{:>14}{title:<13}{} {}{runs}\n{:>27}{}\n",
        "",
        asked.cell,
        asked.says,
        "",
        style(&asked.reason).dim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_named_by_their_numbers() {
        assert_eq!(patches(&[]), "no patch");
        assert_eq!(patches(&[3]), "patch 3");
        assert_eq!(patches(&[1, 2, 3]), "patches 1 to 3");
        assert_eq!(patches(&[2, 3]), "patches 2 and 3");
        assert_eq!(patches(&[2, 3, 5]), "patches 2, 3 and 5");
    }
}
