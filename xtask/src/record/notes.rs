// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is to be said of a cell besides its verdict. Pure.

use crate::record::model::{CellRecord, ExcusedRecord, Seen};

/// Notes on one sort of thing; the rest is counted.
const ALIKE_MAX: usize = 5;

/// The notes on a cell, a line each; none for most.
pub fn notes(cell: &CellRecord) -> Vec<String> {
    let on_console = cell.findings.iter().filter(|finding| finding.seen == Seen::Console);
    let mut notes = capped(on_console.map(|finding| {
        format!("`{}` was seen on the console only: a program can write there, too", finding.title)
    }));
    notes.extend(capped(cell.excused.iter().map(|excused| {
        let ExcusedRecord { title, pattern, reason } = excused;
        format!("`{title}` is excused by the entry `{pattern}` of splats.toml: {reason}")
    })));
    notes.extend(capped(
        cell.retries().map(|why| format!("a boot did not count, and another was made: {why}")),
    ));
    if cell.findings_dropped > 0 {
        notes.push(format!("the kernel log has {} findings more than are kept", cell.findings_dropped));
    }
    let left = cell.checks.iter().filter(|check| check.leftover > 0);
    notes.extend(capped(left.map(|check| match check.leftover {
        1 => format!("{} left a process behind, which was killed", check.name),
        count => format!("{} left {count} processes behind, which were killed", check.name),
    })));
    notes
}

fn capped(mut all: impl Iterator<Item = String>) -> Vec<String> {
    let mut few: Vec<String> = all.by_ref().take(ALIKE_MAX).collect();
    let more = all.count();
    if more > 0 {
        few.push(format!("and {more} more like this"));
    }
    few
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::FindingRecord;
    use crate::record::sample::{failed, passed};

    #[test]
    fn most_cells_have_none() {
        assert_eq!(notes(&passed()), Vec::<String>::new());
        assert_eq!(notes(&failed()), Vec::<String>::new());
    }

    #[test]
    fn what_is_odd_is_said() {
        let mut cell = passed();
        cell.checks[0].leftover = 3;
        cell.checks[1].leftover = 1;
        cell.findings_dropped = 7;
        let words = ["WARNING in f", "^WARNING in f", "known"].map(str::to_owned);
        let [title, pattern, reason] = words;
        cell.excused = vec![ExcusedRecord { title, pattern, reason }];
        cell.attempts[0].retried_for = Some("QEMU was killed by signal 9".into());
        let finding = FindingRecord { title: "BUG: x".into(), seen: Seen::Console, ..Default::default() };
        cell.findings = vec![finding; ALIKE_MAX + 2];
        let notes = notes(&cell);
        assert_eq!(notes[0], "`BUG: x` was seen on the console only: a program can write there, too");
        assert_eq!(notes[ALIKE_MAX], "and 2 more like this");
        let rest = [
            "`WARNING in f` is excused by the entry `^WARNING in f` of splats.toml: known",
            "a boot did not count, and another was made: QEMU was killed by signal 9",
            "the kernel log has 7 findings more than are kept",
            "seccomp_bpf left 3 processes behind, which were killed",
            "seccomp_cache.dump left a process behind, which was killed",
        ];
        assert_eq!(notes[ALIKE_MAX + 1..], rest);
    }

    #[test]
    fn a_record_tells_where_a_finding_was_seen_and_an_older_one_means_the_log() {
        let finding = FindingRecord { seen: Seen::Console, ..Default::default() };
        let text = serde_json::to_string(&finding).unwrap();
        assert!(text.contains("\"seen\":\"console\""), "{text}");
        let older = serde_json::to_string(&FindingRecord::default()).unwrap();
        assert!(!older.contains("seen"), "{older}");
        assert_eq!(serde_json::from_str::<FindingRecord>(&older).unwrap().seen, Seen::Log);
    }
}
