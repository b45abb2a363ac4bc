// SPDX-License-Identifier: MIT OR Apache-2.0
//! Consoles of real guests that were broken on purpose (`cargo xtask selfcheck guests`), cut to what is needed.
//! The head of each says which fault it is of, and what is to be found: `# expect: TITLE` in order, or `clean`;
//! behind each title with the first and the last line of the report, `# from: LINE` and `# to: LINE`.
//! `NAME.kmsg` is what the same guest's log said over the port, where that came: it has the same reports.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::{Finding, Splats};
use crate::parse::transcript::{scan_console, scan_log};

/// Consoles that there are at least.
const CONSOLES_MIN: usize = 25;

/// Logs as they come over the port that there are at least.
const LOGS_MIN: usize = 3;

/// Longest that one may be: what is not needed is cut away.
const BYTES_MAX: usize = 32 << 10;

fn splats() -> Splats {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/splats.toml");
    Splats::parse(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The files with this ending, in order.
fn files(ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/splats");
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        all.filter(|path| path.extension().is_some_and(|end| end == ending)).collect();
    files.sort();
    files
}

/// What the head of a file wants to be found, in the words of that head.
fn wanted(path: &Path, bytes: &[u8]) -> Vec<String> {
    assert!(bytes.len() <= BYTES_MAX, "{}: {} bytes", path.display(), bytes.len());
    let text = String::from_utf8_lossy(bytes);
    assert!(text.starts_with("# fault: "), "{}: no `# fault:` line", path.display());
    let head = text.lines().skip(1).take_while(|line| line.starts_with("# "));
    let wanted: Vec<String> = head.filter(|line| is_wish(line)).map(str::to_owned).collect();
    assert!(!wanted.is_empty(), "{}: no `# expect:` line", path.display());
    wanted
}

fn is_wish(line: &str) -> bool {
    ["# expect: ", "# from: ", "# to: "].iter().any(|start| line.starts_with(start))
}

/// What was found, in the same words.
fn told(found: &[Finding<u16>]) -> Vec<String> {
    let of_finding = |finding: &Finding<u16>| {
        let lines = &finding.excerpt;
        let ends = [lines.first(), lines.last()].map(|line| line.map_or("", String::as_str));
        [format!("# expect: {}", finding.title), format!("# from: {}", ends[0]), format!("# to: {}", ends[1])]
    };
    let told: Vec<String> = found.iter().flat_map(of_finding).collect();
    if told.is_empty() { vec!["# expect: clean".to_owned()] } else { told }
}

fn instead(path: &Path, told: &[String], wanted: &[String]) -> String {
    format!("{}:\n{}\ninstead of\n{}", path.display(), told.join("\n"), wanted.join("\n"))
}

#[test]
fn real_consoles_give_what_they_expect() {
    let (splats, mut count, mut wrong) = (splats(), 0, Vec::new());
    for path in files("log") {
        let bytes = fs::read(&path).unwrap();
        let (wanted, told) = (wanted(&path, &bytes), told(&scan_console(&splats, &bytes)));
        if told != wanted {
            wrong.push(instead(&path, &told, &wanted));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= CONSOLES_MIN, "{count} consoles");
}

/// What comes over the port is cut into records, and has lines of several records in one: the reports are the same.
#[test]
fn real_logs_give_what_their_consoles_give() {
    let (splats, mut wrong) = (splats(), Vec::new());
    for path in files("kmsg") {
        let bytes = fs::read(path.with_extension("log")).unwrap();
        let wanted = wanted(&path, &bytes);
        let told = told(&scan_log(&splats, &fs::read(&path).unwrap()));
        if told != wanted {
            wrong.push(instead(&path, &told, &wanted));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files("kmsg").len() >= LOGS_MIN);
}

/// Wherever a console ends, a report that has begun is told.
#[test]
fn a_console_that_is_cut_anywhere_behind_its_first_report_is_not_clean() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/splats/oops.log");
    let (splats, bytes) = (splats(), fs::read(path).unwrap());
    let begin = memchr::memmem::find(&bytes, b"] BUG: kernel NULL").unwrap() + 60;
    for end in (begin..bytes.len()).step_by(37) {
        assert_eq!(scan_console(&splats, &bytes[..end]).len(), 1, "cut at byte {end}");
    }
}
