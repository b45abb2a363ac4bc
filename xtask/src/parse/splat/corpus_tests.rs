// SPDX-License-Identifier: MIT OR Apache-2.0
//! Consoles of real guests that were broken on purpose (`cargo xtask selfcheck guests`), cut to what is needed.
//! The head of each says which fault it is of, and what is to be found: `# expect: TITLE` in order, or `clean`.

use std::path::Path;

use fs_err as fs;

use super::Splats;
use crate::parse::transcript::scan_console;

/// Consoles that there are at least.
const CONSOLES_MIN: usize = 25;

/// Longest that one may be: what is not needed is cut away.
const BYTES_MAX: usize = 32 << 10;

fn splats() -> Splats {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/splats.toml");
    Splats::parse(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn real_consoles_give_what_they_expect() {
    let (splats, mut count, mut wrong) = (splats(), 0, Vec::new());
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/splats")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() <= BYTES_MAX, "{}: {} bytes", path.display(), bytes.len());
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("# fault: "), "{}: no `# fault:` line", path.display());
        let mut expected: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# expect: ")).collect();
        assert!(!expected.is_empty(), "{}: no `# expect:` line", path.display());
        expected.retain(|title| *title != "clean");
        let found = scan_console(&splats, &bytes);
        let titles: Vec<&str> = found.iter().map(|finding| finding.title.as_str()).collect();
        if titles != expected {
            wrong.push(format!("{}: {titles:?} instead of {expected:?}", path.display()));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= CONSOLES_MIN, "{count} consoles");
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
