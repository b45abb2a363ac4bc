// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the list of splats and of the scanner. The samples in `tests/data/kmsg/` say in their
//! own first lines what is to be found (`# expect: TITLE`, or `clean`), in order.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

static SHIPPED: LazyLock<Splats> = LazyLock::new(|| shipped(""));

const RULES: &str = r#"
    [[deny]]
    name = "warning"
    family = "warning"
    pattern = '^WARNING: at (?P<file>\S+)'
    title = "WARNING at {file}{in}"
    function = "registers"
    end = "trace"
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped(more: &str) -> Splats {
    let text = fs::read_to_string(root().join("../configs/splats.toml")).unwrap();
    Splats::parse(&(text + more)).unwrap()
}

fn scan(splats: &Splats, text: &str) -> Findings<()> {
    let mut scanner = Scanner::new(splats);
    for line in text.lines() {
        scanner.line(line, ());
    }
    scanner.finish()
}

fn titles(found: &Findings<()>) -> Vec<&str> {
    found.findings.iter().map(|finding| finding.title.as_str()).collect()
}

fn refused(toml: &str) -> String {
    format!("{:#}", Splats::parse(toml).unwrap_err())
}

#[test]
fn samples_give_what_they_expect() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("tests/data/kmsg")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let header = |key: &str| -> Vec<&str> {
            text.lines().filter_map(|line| line.strip_prefix(key)).map(str::trim).collect()
        };
        let mut expected = header("# expect: ");
        assert!(!expected.is_empty(), "{}: no `# expect:` line", path.display());
        expected.retain(|title| *title != "clean");
        let mut allow = String::new();
        for pattern in header("# allow: ") {
            allow += "\n[[allow]]\nreason = 'known'\nuntil = '2099-01-01'\n";
            allow += &["pattern = '", pattern, "'\n"].concat();
        }
        let log: Vec<&str> = text
            .lines()
            .skip_while(|line| line.starts_with("# expect: ") || line.starts_with("# allow: "))
            .collect();
        let splats = shipped(&allow);
        let found = scan(&splats, &log.join("\n"));
        assert_eq!(titles(&found), expected, "{}", path.display());
        assert_eq!(found.unused, Vec::<String>::new(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 12, "the samples are gone");
}

/// Every line is cut off once: what is left of a report is never found to be a clean log.
#[test]
fn a_cut_report_is_still_a_finding() {
    let text = fs::read_to_string(root().join("tests/data/kmsg/warning-5.10.log")).unwrap();
    let splats = shipped("");
    let lines: Vec<&str> = text.lines().skip(1).collect();
    for length in 1..=lines.len() {
        assert_eq!(scan(&splats, &lines[..length].join("\n")).findings.len(), 1, "{length} lines");
    }
    for start in 0..lines.len() - 1 {
        assert_eq!(scan(&splats, &lines[start..].join("\n")).findings.len(), 1, "from line {start}");
    }
}

#[test]
fn an_excerpt_is_the_report_and_no_more() {
    let splats = Splats::parse(RULES).unwrap();
    let mut scanner = Scanner::new(&splats);
    scanner.line("before", "console");
    scanner.line("WARNING: at k.c\nRIP: 0010:f+0x1/0x2", "port");
    scanner.line("---[ end trace 12 ]---", "port");
    scanner.line("after", "console");
    let found = scanner.finish();
    assert_eq!(found.lines, 5);
    let [finding] = found.findings.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(finding.title, "WARNING at k.c in f");
    assert_eq!((finding.first_line_index, finding.tag), (1, "port"));
    assert_eq!(finding.excerpt, ["WARNING: at k.c", "RIP: 0010:f+0x1/0x2", "---[ end trace 12 ]---"]);
}

#[test]
fn foreign_lines_end_a_report_and_are_left_out() {
    let splats = shipped("");
    let log = format!("BUG: odd\nCall Trace:\n f+0x1/0x2\n{}", "eth0: link is up\n".repeat(60));
    let found = scan(&splats, &log);
    assert_eq!(titles(&found), ["BUG: odd in f"]);
    assert_eq!(found.findings[0].excerpt.len(), 3);
}

#[test]
fn excerpts_and_findings_are_capped() {
    let splats = shipped("");
    let long = format!("BUG: odd\n{}", format!(" {}\n", "x".repeat(2000)).repeat(9000));
    let found = scan(&splats, &long);
    assert_eq!(found.findings[0].excerpt.len(), 128);
    assert!(found.findings[0].excerpt[1].len() <= 512);
    let found = scan(&splats, &"BUG: odd\n".repeat(1200));
    assert_eq!((found.findings.len(), found.findings_dropped), (1000, 200));
}

/// What is excused must not take the room of what is not.
#[test]
fn excused_findings_hide_no_others() {
    let known = "[[allow]]\npattern = '^BUG: known'\nreason = 'r'\nuntil = '2030-01-01'\n";
    let found = scan(&shipped(known), &("BUG: known\n".repeat(1200) + "BUG: odd\n"));
    assert_eq!((titles(&found), found.findings_dropped), (vec!["BUG: odd"], 0));
    assert_eq!((found.allowed.len(), found.unused.len()), (1000, 0));
}

#[test]
fn only_the_first_line_of_a_record_begins_a_report() {
    let splats = shipped("");
    for within in [
        "BUG: KASAN: evil in f",
        "------------[ cut here ]------------",
        "---[ end trace 0123456789abcdef ]---",
        "Kernel panic - not syncing: evil",
    ] {
        let mut scanner = Scanner::new(&splats);
        scanner.line(&format!("\n{within}[71]: says something"), ());
        scanner.line(&format!("random: words\n{within}"), ());
        assert_eq!(titles(&scanner.finish()), Vec::<&str>::new(), "{within}");
    }
    // A report goes on within a record.
    let mut scanner = Scanner::new(&splats);
    scanner.line("BUG: odd\nCall Trace:\n f+0x1/0x2", ());
    let found = scanner.finish();
    assert_eq!((titles(&found), found.findings[0].excerpt.len()), (vec!["BUG: odd in f"], 3));
}

#[test]
fn the_name_of_a_program_begins_no_report() {
    let fault = "segfault at 0 ip 0000000000401a2c sp 00007ffd3e5b7b80 error 6 in faults[401000+8f000]";
    for record in [
        format!("BUG: evil[71]: {fault}"),
        format!("\nBUG: evil[71]: {fault}"),
        "traps: BUG: evil[71] trap int3 ip:401a2c sp:7ffd3e5b7b80 error:0 in faults[401000+8f000]".into(),
        "traps: BUG: evil[71] general protection fault ip:401a2c sp:7ffd3e5b error:0".into(),
    ] {
        let mut scanner = Scanner::new(&SHIPPED);
        scanner.line(&record, ());
        assert_eq!(titles(&scanner.finish()), Vec::<&str>::new(), "{record}");
    }
    // What the kernel says of itself is longer than a name.
    for record in [format!("BUG: Bad page state in process x[71]: {fault}"), "BUG: evil[71]: stuck".into()] {
        assert_eq!(scan(&SHIPPED, &record).findings.len(), 1, "{record}");
    }
}

#[test]
fn an_allow_excuses_only_what_it_matches() {
    let allow = "
        [[allow]]
        pattern = '^WARNING at k\\.c'
        reason = 'known'
        until = '2030-01-31'
        [[allow]]
        pattern = '^never seen'
        reason = 'known'
        until = '2029-01-31'
    ";
    let splats = Splats::parse(&(RULES.to_owned() + allow)).unwrap();
    let log = "WARNING: at k.c\n---[ end trace\nWARNING: at l.c\n---[ end trace\n";
    let found = scan(&splats, log);
    assert_eq!(titles(&found), ["WARNING at l.c"]);
    assert_eq!(found.allowed[0].finding.title, "WARNING at k.c");
    assert_eq!(found.allowed[0].reason, "known");
    assert_eq!(found.unused, ["^never seen"]);

    assert_eq!(splats.expired("2029-01-31").unwrap().len(), 0, "the last day counts");
    assert_eq!(splats.expired("2029-02-01").unwrap()[0].pattern.as_str(), "^never seen");
    assert!(splats.expired("tomorrow").is_err());
    let splats = splats.without_expired("2030-02-01").unwrap();
    assert_eq!(titles(&scan(&splats, log)), ["WARNING at k.c", "WARNING at l.c"]);
}

#[test]
fn a_wrong_list_is_refused() {
    assert!(refused("").contains("no [[deny]] entry"));
    assert!(refused(&RULES.replace("family", "famly")).contains("famly"));
    assert!(refused(&RULES.replace("'^", "'")).contains("must begin with ^"));
    assert!(refused(&RULES.replace("'^", "'^BUG|")).contains("put them in (?:"));
    assert!(
        refused(&RULES.replace(r"'^WARNING: at (?P<file>\S+)'", "'^(?P<file>x*)'")).contains("empty line")
    );
    assert!(refused(&RULES.replace(r"\S+)", r"\S+")).contains("compiling"));
    assert!(refused(&RULES.replace("{file}", "{line}")).contains("{line}"));
    assert!(refused(&RULES.replace("\"trace\"", "\"never\"")).contains("never"));
    assert!(refused(&RULES.repeat(2)).contains("stands twice"));
    assert!(refused(&format!("{RULES}joins = ['x']")).contains("`x`"));
    let allow = |fields: &str| refused(&format!("{RULES}[[allow]]\npattern = '^x'\n{fields}"));
    let pattern = |pattern: &str| {
        refused(&format!("{RULES}[[allow]]\npattern = '{pattern}'\nreason = 'r'\nuntil = '2030-01-01'"))
    };
    assert!(pattern("WARNING").contains("must begin with ^"));
    assert!(pattern("^x|WARNING").contains("put them in (?:"));
    assert!(refused(&format!("of_programs = ['x']\n{RULES}")).contains("must begin with ^"));
    assert!(allow("reason = 'r'").contains("until"));
    assert!(allow("until = '2030-01-01'").contains("reason"));
    assert!(allow("reason = ' '\nuntil = '2030-01-01'").contains("reason is empty"));
    assert!(allow("reason = 'r'\nuntil = '2030-02-30'").contains("2030-02-30"));
    assert!(pattern("^.*").contains("everything"));
    // These are choices of a part, or none.
    for good in [r"^(?:x|y)", r"^x\|y", r"^[|x]y", r"^[\]|]y"] {
        let allow = format!("{RULES}[[allow]]\npattern = '{good}'\nreason = 'r'\nuntil = '2030-01-01'");
        assert!(Splats::parse(&allow).is_ok(), "{good}");
    }
}

#[test]
fn dates_are_real_days() {
    for good in ["2024-02-29", "2000-02-29", "2030-12-31"] {
        assert_eq!(good.parse::<Date>().unwrap().to_string(), good);
    }
    for bad in [
        "2023-02-29",
        "1900-02-29",
        "2030-04-31",
        "2030-13-01",
        "2030-00-01",
        "2030-1-01",
        "2030-01-01 ",
        "+030-01-01",
        "",
    ] {
        assert!(bad.parse::<Date>().is_err(), "{bad}");
    }
    assert!("2029-12-31".parse::<Date>().unwrap() < "2030-01-01".parse().unwrap());
}

proptest! {
    #[test]
    fn takes_any_text(lines in proptest::collection::vec(
        "(BUG: |WARNING: CPU: 1 PID: 2 at k.c:3 f|Oops: 0000 \\[#1\\]|refcount_t: |BUG: KASAN: x in f|=====================|------------\\[ cut here \\]------------|---\\[ end trace|---\\[ end Kernel panic|Kernel panic - not syncing: |Call Trace:| f\\+0x1/0x2|\\PC{0,20})", 0..60)
    ) {
        let found = scan(&SHIPPED, &lines.join("\n"));
        prop_assert!(found.findings.len() <= lines.len());
        for finding in &found.findings {
            prop_assert!(!finding.excerpt.is_empty() && !finding.title.is_empty());
        }
    }
}
