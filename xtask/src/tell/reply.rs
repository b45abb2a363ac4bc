// SPDX-License-Identifier: MIT OR Apache-2.0
//! A paragraph for a reply to the mailing list: what ran, on what, and what did not run.

use crate::record::baseline::deciding_outcomes;
use crate::record::model::{
    CellRecord, CheckRecord, CheckStatus, INERT, NEVER_BEGUN, Outcome, Run, RunState,
};
use crate::tell::grid::check_names;

/// The widest line, as mails have it.
const WIDTH: usize = 72;

/// More names than this are counted.
const NAMES_MAX: usize = 6;

/// The text. `variants` are those that the lab knows.
pub fn reply(run: &Run, variants: &[String]) -> String {
    let paragraphs = [verdict(run), what(run), checks(run), bad(run), excused(run), not_run(run, variants)];
    let paragraphs = paragraphs.into_iter().flatten();
    let mut text = paragraphs.map(|sentences| wrap(&sentences)).collect::<Vec<_>>().join("\n");
    if text.is_empty() {
        text.push('\n');
    }
    text
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `a, b and c`; the rest counted.
fn list(names: &[String]) -> String {
    let mut shown: Vec<String> = names.iter().take(NAMES_MAX).cloned().collect();
    if names.len() > NAMES_MAX {
        shown.push(format!("{} more", names.len() - NAMES_MAX));
    }
    match shown.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// Whether it passed, first.
fn verdict(run: &Run) -> Option<String> {
    // An inert point was not booted: it is no pass.
    let with = |word: &str| run.cells.iter().filter(|cell| cell.word() == word).count();
    let (passed, inert, all) = (with(Outcome::Pass.word()), with(INERT), run.cells.len());
    let deciding = deciding_outcomes(run);
    let is_good = deciding.iter().all(|outcome| *outcome == Outcome::Pass);
    let inert = match inert {
        0 => String::new(),
        _ => format!(", {inert} inert (their patches change nothing that runs)"),
    };
    let excused = match is_good && run.cells.iter().any(|cell| cell.outcome != Outcome::Pass) {
        true => " What fails without the series as well does not count.",
        false => "",
    };
    let how_far = match run.state {
        RunState::Complete => String::new(),
        RunState::Running => " The run did not end, so this is no verdict.".into(),
        RunState::Cancelled => " The run was interrupted, so this is no verdict.".into(),
        RunState::Failed => " The lab itself failed, so this is no verdict.".into(),
    };
    let word = match is_good && passed > 0 && run.state == RunState::Complete {
        true => "PASS",
        false => "NOT PASSED",
    };
    Some(format!(
        "{word}: {passed} of {} passed{inert}.{excused}{how_far}",
        count(all, "test configuration", "test configurations")
    ))
}

/// Series, trees, toolchains, and what ran the guests.
fn what(run: &Run) -> Option<String> {
    let mut sentences = Vec::new();
    for (name, series) in run.series.iter().filter(|(_, series)| !series.patches.is_empty()) {
        let version = series.patches.iter().find_map(|patch| patch.version);
        let version = version.map_or_else(String::new, |version| format!(" v{version}"));
        let all = series.patches.len();
        let mut applied = series.applied.clone();
        applied.sort_unstable();
        let points: Vec<String> = applied.iter().map(ToString::to_string).collect();
        let how_many = match applied[..] {
            [only] if only == all => format!("all {}", count(all, "patch", "patches")),
            _ => format!("the first {} of {all} patches", list(&points)),
        };
        sentences.push(format!("Series {name}{version}, with {how_many} applied."));
    }
    for (name, tree) in &run.trees {
        // A pinned version is in the name of the source already.
        let version = match tree.source.ends_with(&tree.version) {
            true => String::new(),
            false => format!(", version {}", tree.version),
        };
        sentences.push(format!("Tree {name}: {}{version}.", tree.source));
    }
    let toolchains = distinct(run.cells.iter().map(|cell| cell.toolchain.as_str()));
    if !toolchains.is_empty() {
        sentences.push(format!("Built with {}.", list(&toolchains)));
    }
    let by = |kind: &str| {
        let is_kind = |cell: &&CellRecord| cell.accel.as_ref().is_some_and(|accel| accel.kind == kind);
        run.cells.iter().filter(is_kind).count()
    };
    let (kvm, tcg) = (by("kvm"), by("tcg"));
    let is_judged = |cell: &&CellRecord| matches!(cell.outcome, Outcome::Pass | Outcome::Fail);
    let guestless = |cell: &&CellRecord| cell.accel.is_none() && cell.same_as.is_none() && is_judged(cell);
    let other = run.cells.iter().filter(guestless).count();
    let parts = [(kvm, "under KVM"), (tcg, "emulated (QEMU TCG)"), (other, "without a guest")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, how)| format!("{number} {how}"))
        .collect();
    if !parts.is_empty() {
        sentences.push(format!("Configurations: {}.", list(&parts)));
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        if !all.iter().any(|other| other == word) {
            all.push(word.to_owned());
        }
    }
    all
}

/// Every check with what came of it, over all cells.
fn checks(run: &Run) -> Option<String> {
    let told: Vec<String> = check_names(&run.cells)
        .into_iter()
        .filter_map(|name| {
            // What was cut off did not pass, and did not fail.
            let ended = |cell: &CellRecord, check: &CheckRecord| {
                cell.outcome != Outcome::Cancelled || check.status != CheckStatus::NotRun
            };
            let checks = run
                .cells
                .iter()
                .flat_map(|cell| cell.checks.iter().filter(|check| check.name == name && ended(cell, check)));
            let checks: Vec<_> = checks.filter(|check| check.status != CheckStatus::Absent).collect();
            let passed: usize = checks.iter().map(|check| check.count(CheckStatus::Pass)).sum();
            let all: usize = checks.iter().map(|check| check.subs.len()).sum();
            let failed = checks.iter().filter(|check| check.status != CheckStatus::Pass).count();
            let failed = match failed {
                0 => String::new(),
                _ => format!(", not passed in {failed} of {}", checks.len()),
            };
            (!checks.is_empty()).then(|| format!("{name} {passed}/{all}{failed}"))
        })
        .collect();
    (!told.is_empty())
        .then(|| format!("Passed results of each check, in all configurations: {}.", told.join("; ")))
}

/// The cells that did not pass and why.
fn bad(run: &Run) -> Option<String> {
    let bad: Vec<&CellRecord> = run
        .cells
        .iter()
        .filter(|cell| !matches!(cell.outcome, Outcome::Pass | Outcome::Cancelled | Outcome::Infra))
        .collect();
    let mut told: Vec<String> = bad
        .iter()
        .take(NAMES_MAX)
        .map(|cell| format!("{} {}: {}.", cell.id, cell.outcome.word(), first_line(&cell.reason)))
        .collect();
    if bad.len() > NAMES_MAX {
        told.push(format!("{} more did not pass.", bad.len() - NAMES_MAX));
    }
    (!told.is_empty()).then(|| told.join(" "))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim_end_matches('.')
}

const NO_TURN: &str = "had no verdict when the run ended";
const CUT_OFF: &str = "was interrupted";
const LET_DOWN: &str = "was lost to trouble of the test machine";

/// What was seen and did not count.
fn excused(run: &Run) -> Option<String> {
    let mut titles: Vec<String> = Vec::new();
    for excused in run.cells.iter().flat_map(|cell| &cell.excused) {
        let told = format!("{} ({})", excused.title, excused.reason);
        if !titles.contains(&told) {
            titles.push(told);
        }
    }
    let retried = run.cells.iter().filter(|cell| cell.retries().next().is_some()).count();
    let mut told = Vec::new();
    if !titles.is_empty() {
        told.push(format!("Kernel reports that did not count: {}.", list(&titles)));
    }
    if retried > 0 {
        told.push(format!(
            "Booted again since the test machine was in trouble: {}.",
            count(retried, "configuration", "configurations")
        ));
    }
    (!told.is_empty()).then(|| told.join(" "))
}

/// Why there is no verdict on a cell.
fn lost_since(cell: &CellRecord) -> Option<&'static str> {
    match cell.outcome {
        Outcome::Cancelled if cell.reason == NEVER_BEGUN => Some(NO_TURN),
        Outcome::Cancelled => Some(CUT_OFF),
        Outcome::Infra => Some(LET_DOWN),
        _ => None,
    }
}

/// What nobody should take for tested.
fn not_run(run: &Run, variants: &[String]) -> Option<String> {
    let with = |status: CheckStatus| -> Vec<String> {
        let names = check_names(&run.cells).into_iter().filter_map(|name| {
            let checks = run
                .cells
                .iter()
                .filter(|cell| cell.checks.iter().any(|check| check.name == name && check.status == status));
            let cells = checks.count();
            (cells > 0).then(|| format!("{name} ({cells} of {})", run.cells.len()))
        });
        names.collect()
    };
    let mut told = Vec::new();
    let absent = with(CheckStatus::Absent);
    if !absent.is_empty() {
        told.push(format!("Absent, since the kernel lacks what they require: {}.", list(&absent)));
    }
    let never = with(CheckStatus::NotRun);
    if !never.is_empty() {
        told.push(format!("Without a result: {}.", list(&never)));
    }
    let subs = |status: CheckStatus| -> usize {
        run.cells.iter().flat_map(|cell| &cell.checks).map(|check| check.count(status)).sum()
    };
    for (status, word) in [
        (CheckStatus::Skip, "were skipped"),
        (CheckStatus::NotRun, "were planned and did not run"),
        (CheckStatus::Flaky, "changed their mind"),
    ] {
        if subs(status) > 0 {
            told.push(format!("Results that {word}: {}.", subs(status)));
        }
    }
    for why in [NO_TURN, CUT_OFF, LET_DOWN] {
        let lost = run.cells.iter().filter(|cell| lost_since(cell) == Some(why));
        let lost: Vec<String> = lost.map(|cell| cell.id.clone()).collect();
        if !lost.is_empty() {
            told.push(format!("Configurations of which each {why}: {}.", list(&lost)));
        }
    }
    let shared = run.cells.iter().filter(|cell| cell.same_as.is_some()).count();
    if shared > 0 {
        told.push(format!("Not booted, since kernel and programs are those of the patch before: {shared}."));
    }
    let found = run.cells.iter().filter(|cell| cell.found_in.is_some()).count();
    if found > 0 {
        told.push(format!(
            "Not booted again, since an earlier run had the same kernel and programs: {found}."
        ));
    }
    let is_asked = |variant: &&String| {
        let is_it = |cell: &CellRecord| cell.id.split('+').skip(1).any(|word| word == variant.as_str());
        run.cells.iter().any(is_it)
    };
    let unasked: Vec<String> = variants.iter().filter(|variant| !is_asked(variant)).cloned().collect();
    if !unasked.is_empty() {
        told.push(format!("Kernel variants that were not asked for: {}.", list(&unasked)));
    }
    let told = if told.is_empty() { "nothing that was planned.".to_owned() } else { told.join(" ") };
    Some(format!("Not run: {told}"))
}

/// Lines of at most [`WIDTH`] characters; a longer word has a line of its own. Nothing that a terminal obeys.
fn wrap(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (mut wrapped, mut width) = (String::new(), 0);
    for word in clean.split_whitespace() {
        let long = word.chars().count();
        if width > 0 && width + 1 + long > WIDTH {
            wrapped.push('\n');
            width = 0;
        }
        if width > 0 {
            wrapped.push(' ');
            width += 1;
        }
        wrapped.push_str(word);
        width += long;
    }
    wrapped.push('\n');
    wrapped
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
