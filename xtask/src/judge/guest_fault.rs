// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether the lab saw a fault that was planted in a guest for what it is. Pure.

use std::time::Duration;

use crate::lab::guest_fault::GuestFault;
use crate::record::model::{CellRecord, CheckStatus, worst_exit_code};
use crate::record::notes::notes;

/// What is not as the fault's entry says, a line each; none if all is.
pub fn differences(fault: &GuestFault, record: &CellRecord) -> Vec<String> {
    let mut wrong = Vec::new();
    if record.outcome != fault.outcome {
        wrong.push(format!("{} instead of {}", record.outcome.word(), fault.outcome.word()));
    }
    let code = worst_exit_code([record.outcome]);
    if code != fault.code {
        wrong.push(format!("exit code {code} instead of {}", fault.code));
    }
    let notes = notes(record);
    let told = record.reason.lines().chain(record.excerpt.iter().chain(&notes).map(String::as_str));
    let lines: Vec<&str> = told.map(str::trim).collect();
    if let Some(pattern) = fault.not_shown(&lines) {
        wrong.push(format!("neither reason, excerpt nor notes show `{pattern}`"));
    }
    let statuses: Vec<CheckStatus> = record.checks.iter().map(|check| check.status).collect();
    if statuses != fault.statuses {
        wrong.push(format!("checks: {} instead of {}", words(&statuses), words(&fault.statuses)));
    }
    let took = guest_time(record);
    if took > fault.deadline {
        let (took, deadline) = (took.as_secs_f64(), fault.deadline.as_secs());
        wrong.push(format!("{took:.1} s, and it was to take {deadline} at most"));
    }
    wrong
}

/// From starting QEMU to its end; zero for what never got so far.
pub fn guest_time(record: &CellRecord) -> Duration {
    record.timings_ms.get("guest").map_or(Duration::ZERO, |ms| Duration::from_millis(*ms))
}

fn words(statuses: &[CheckStatus]) -> String {
    statuses.iter().map(|status| status.word()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::guest_fault::Plant;
    use crate::lab::names::MutantName;
    use crate::record::model::Outcome;
    use crate::record::sample::check;

    fn fault() -> GuestFault {
        GuestFault {
            name: MutantName::parse("panic").unwrap(),
            what: "w".into(),
            plant: Plant::Kernel("panic".into()),
            flavor: "x86_64".into(),
            append: String::new(),
            outcome: Outcome::Crashed,
            code: 104,
            shows: vec!["^Kernel panic".into()],
            statuses: vec![CheckStatus::Pass, CheckStatus::Fail],
            check: None,
            boot: None,
            grace: None,
            deadline: Duration::from_secs(5),
        }
    }

    fn record() -> CellRecord {
        let excerpt = vec!["Kernel panic - not syncing".to_owned()];
        let mut record = CellRecord::without_guest("5.10/f/x", Outcome::Crashed, "it ended".into(), excerpt);
        record.checks = vec![
            check("a", CheckStatus::Pass, "", Vec::new()),
            check("b", CheckStatus::Fail, "it did not end", Vec::new()),
        ];
        record.timings_ms.insert("guest".into(), 4_000);
        record
    }

    #[test]
    fn what_is_as_declared_has_no_difference() {
        assert_eq!(differences(&fault(), &record()), Vec::<String>::new());
    }

    #[test]
    fn a_note_shows_what_a_pass_has_to_show() {
        let shows = vec!["^b left 2 processes".into()];
        let (fault, mut record) = (GuestFault { shows, ..fault() }, record());
        assert_eq!(differences(&fault, &record).len(), 1);
        record.checks[1].leftover = 2;
        assert_eq!(differences(&fault, &record), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_is_not_as_declared_is_told() {
        type Change = fn(&mut CellRecord);
        let changes: [(Change, &str); 4] = [
            (|record| record.outcome = Outcome::Infra, "infra instead of crashed"),
            (|record| record.excerpt.clear(), "neither reason, excerpt nor notes show"),
            (|record| drop(record.checks.pop()), "checks: pass instead of pass fail"),
            (|record| record.timings_ms = [("guest".to_owned(), 6_000)].into(), "5 at most"),
        ];
        for (change, told) in changes {
            let mut record = record();
            change(&mut record);
            let wrong = differences(&fault(), &record).join("; ");
            assert!(wrong.contains(told), "{wrong}");
        }
    }
}
