// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks that a crash has cut off: they run once more, in a guest of their own. The cell keeps its outcome.

use std::time::Instant;

use anyhow::Result;

use crate::judge::NEVER_BEGAN;
use crate::parse::splat::Splats;
use crate::record::model::{Attempt, CellRecord, CheckRecord, CheckStatus, Host, Outcome};
use crate::run::context::Context;
use crate::run::guest;
use crate::run::ready::Ready;

/// Which boot of a cell the second guest is.
const SECOND: u32 = 2;

/// Runs what the crash of a guest has cut off before it began, and notes it in the cell's record.
///
/// # Errors
/// As [`guest::run`].
pub fn run_cut_off(
    context: &Context<'_>,
    host: &Host,
    splats: &Splats,
    ready: &Ready,
    record: &mut CellRecord,
) -> Result<()> {
    let cut_off = cut_off(record);
    if cut_off.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let rest = ready.only(SECOND, |name| cut_off.iter().any(|cut_off| cut_off == name));
    let second = guest::run(context, host, splats, &rest)?;
    let (count, cell) = (cut_off.len(), &record.id);
    context
        .note(format!("{cell}: {count} checks that had not begun ran in a second guest: {}", second.word()));
    merge(record, second, guest::millis(started.elapsed()));
    Ok(())
}

/// The checks that never began since the guest was gone; none for a guest that said that it has finished, or
/// that the lab or the user has ended.
fn cut_off(record: &CellRecord) -> Vec<String> {
    if !matches!(record.outcome, Outcome::Crashed | Outcome::TimedOut) {
        return Vec::new();
    }
    record.checks.iter().filter(|check| is_cut_off(check)).map(|check| check.name.clone()).collect()
}

fn is_cut_off(check: &CheckRecord) -> bool {
    check.status == CheckStatus::NotRun && check.reason == NEVER_BEGAN
}

/// Takes over what ran in the second guest, what its kernel said, and its files.
fn merge(record: &mut CellRecord, second: CellRecord, ms: u64) {
    record.attempts.push(Attempt::new(second.outcome, ms));
    for check in second.checks {
        let place = record.checks.iter_mut().find(|before| before.name == check.name && is_cut_off(before));
        if let Some(before) = place
            && !is_cut_off(&check)
        {
            *before = CheckRecord { boot: Some(SECOND), ..check };
        }
    }
    record.findings.extend(second.findings);
    record.findings_dropped += second.findings_dropped;
    for (kind, name) in second.files {
        // The kernel's files are those of the first.
        if !record.files.values().any(|known| *known == name) {
            record.files.insert(format!("{kind} {SECOND}"), name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample::check;

    fn record(outcome: Outcome, checks: Vec<CheckRecord>) -> CellRecord {
        let mut record = CellRecord::without_guest("a/b/c", outcome, "r".into(), Vec::new());
        record.checks = checks;
        record
    }

    #[test]
    fn only_what_a_crash_cut_off_runs_again() {
        let checks = || {
            vec![
                check("a", CheckStatus::Pass, "", Vec::new()),
                check("b", CheckStatus::Fail, "it did not end", Vec::new()),
                check("c", CheckStatus::NotRun, NEVER_BEGAN, Vec::new()),
                check("d", CheckStatus::NotRun, "no sub-result came", Vec::new()),
            ]
        };
        assert_eq!(cut_off(&record(Outcome::Crashed, checks())), ["c"]);
        assert_eq!(cut_off(&record(Outcome::TimedOut, checks())), ["c"]);
        for outcome in [Outcome::Infra, Outcome::BootFailed, Outcome::Cancelled, Outcome::Fail] {
            assert!(cut_off(&record(outcome, checks())).is_empty(), "{outcome:?}");
        }
    }

    #[test]
    fn the_cell_stays_what_it_is_whatever_the_second_guest_says() {
        let mut first =
            record(Outcome::Crashed, vec![check("c", CheckStatus::NotRun, NEVER_BEGAN, Vec::new())]);
        first.files.insert("console.log".into(), "c.console.log".into());
        let mut second = record(Outcome::Pass, vec![check("c", CheckStatus::Pass, "", Vec::new())]);
        second.files.insert("console.log".into(), "c.boot2.console.log".into());
        merge(&mut first, second, 5);
        assert_eq!((first.outcome, first.reason.as_str()), (Outcome::Crashed, "r"));
        assert_eq!((first.checks[0].status, first.checks[0].boot), (CheckStatus::Pass, Some(2)));
        assert_eq!(first.attempts, [Attempt::new(Outcome::Pass, 5)]);
        assert_eq!(first.files["console.log 2"], "c.boot2.console.log");
    }

    #[test]
    fn what_the_second_guest_did_not_begin_either_stays_as_it_was() {
        let never = || vec![check("c", CheckStatus::NotRun, NEVER_BEGAN, Vec::new())];
        let mut first = record(Outcome::Crashed, never());
        merge(&mut first, record(Outcome::BootFailed, never()), 5);
        assert_eq!((first.checks[0].status, first.checks[0].boot), (CheckStatus::NotRun, None));
    }
}
