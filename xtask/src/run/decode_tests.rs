// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files and lines in reports, by stand-ins for the kernel's script.

use super::*;

/// As the kernel's script does it: what it reads goes into programs of awk and of the shell.
const CARELESS: &str = r#"
    while read line; do
        name=${line%+*}
        awk 'BEGIN { exit "'"$name"'" == "" }' </dev/null >/dev/null 2>&1
        eval "echo $line" >/dev/null 2>&1
        echo "$name (kernel/lab.c:7) "
    done
"#;

fn decoder(script: &str) -> (tempfile::TempDir, Decoder) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("decode.sh");
    fs::write(&path, script).unwrap();
    let decoder = Decoder { script: path, vmlinux: "/vmlinux".into() };
    (folder, decoder)
}

fn finding(lines: &[&str]) -> FindingRecord {
    FindingRecord { excerpt: owned(lines), ..FindingRecord::default() }
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn places_of(line: &str) -> Vec<&str> {
    places(line).into_iter().map(|range| &line[range]).collect()
}

#[test]
fn places_are_names_with_two_numbers_and_nothing_else() {
    for (line, found) in [
        (" f+0x1/0x2", vec!["f+0x1/0x2"]),
        ("RIP: 0010:f.isra.0+0x1a/0x80", vec!["f.isra.0+0x1a/0x80"]),
        ("BUG: KASAN: use-after-free in f+0x1/0x2", vec!["f+0x1/0x2"]),
        (" #0: (lock){+.+.}-{2:2}, at: f+0x1/0x2", vec!["f+0x1/0x2"]),
        ("[<ffffffff81000000>] ? f+0x1/0x2", vec!["f+0x1/0x2"]),
        ("EIP: (f+0x1/0x2) and g+0x3/0x4, said", vec!["f+0x1/0x2", "g+0x3/0x4"]),
        (" f+0x1/0x2 [module]", vec![]),
        (" x\"||system(\"id\")||\"+0x1/0x2", vec![]),
        (" $(id)+0x1/0x2", vec![]),
        (" `id`x+0x1/0x2", vec![]),
        (" f+0x1/0x2;id", vec![]),
        (" f+0x1/0x2$(id)", vec![]),
        (" f+0x1+0x2/0x3", vec![]),
        (" f+0xg/0x2 f+0x1/2 f+0x1 +0x1/0x2 1f+0x1/0x2 é+0x1/0x2", vec![]),
        (" f+0x11111111111111111/0x2", vec![]),
    ] {
        assert_eq!(places_of(line), found, "{line}");
    }
}

#[test]
fn reports_get_their_lines_and_what_a_check_wrote_does_not() {
    let (_folder, decoder) = decoder(CARELESS);
    let mut findings = [finding(&["BUG: odd", " f+0x1/0x2", " g.part.0+0x3/0x4 said"])];
    let mut excerpt = owned(&["BUG: odd", " f+0x1/0x2", "mine: f+0x1/0x2"]);
    decoder.decode(&mut findings, &mut excerpt).unwrap();
    let report = ["BUG: odd", " f+0x1/0x2 (kernel/lab.c:7)", " g.part.0+0x3/0x4 (kernel/lab.c:7) said"];
    assert_eq!(findings[0].excerpt, report);
    assert_eq!(excerpt, ["BUG: odd", " f+0x1/0x2 (kernel/lab.c:7)", "mine: f+0x1/0x2"]);
}

/// A program of a guest wrote what looks like a report, to have its words run on the host.
#[test]
fn nothing_that_a_guest_wrote_is_run() {
    let (folder, decoder) = decoder(CARELESS);
    let proof = folder.path().join("proof");
    let touch = format!("touch {}", proof.display());
    let hostile = [
        format!(" x\"||system(\"{touch}\")||\"+0x1/0x2"),
        format!(" $({touch})+0x1/0x2"),
        format!(" f+0x1/0x2;{touch}"),
        format!(" f+$({touch})+0x1/0x2"),
        format!("Code: `{touch}` f+0x1/0x2"),
    ];
    let lines: Vec<&str> = hostile.iter().map(String::as_str).collect();
    let (mut findings, mut excerpt) = ([finding(&lines)], hostile.to_vec());
    decoder.decode(&mut findings, &mut excerpt).unwrap();
    assert!(!proof.exists());
    // The stand-in is one that would have run it.
    let whole = hostile[0].trim();
    assert!(decoder.ask(&[whole, &hostile[1]]).is_ok());
    assert!(proof.exists());
}

#[test]
fn a_place_is_asked_for_once_and_only_so_many_are() {
    let (folder, decoder) = decoder("tee \"$(dirname $0)/asked\"");
    let all: Vec<String> = (0..300).map(|n| format!(" f{n}+0x1/0x2")).chain([" f0+0x1/0x2".into()]).collect();
    let lines: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut findings = [finding(&lines)];
    decoder.decode(&mut findings, &mut []).unwrap();
    assert_eq!(findings[0].excerpt, all, "what the script does not know stays");
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(asked.lines().count(), PLACES_MAX);
    let mut many = vec![finding(&[" f+0x1/0x2"]); FINDINGS_MAX];
    many.push(finding(&[" late+0x1/0x2"]));
    decoder.decode(&mut many, &mut []).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("asked")).unwrap(), "f+0x1/0x2\n");
}

#[test]
fn a_script_that_fails_or_answers_otherwise_changes_nothing() {
    for script in ["exit 1", "head -n 1", "cat; echo more"] {
        let (_folder, decoder) = decoder(script);
        let mut findings = [finding(&[" f+0x1/0x2", " g+0x1/0x2"])];
        let before = findings.clone();
        assert!(decoder.decode(&mut findings, &mut []).is_err(), "{script}");
        assert_eq!(findings, before);
    }
    // An answer to another question is none.
    assert_eq!(answer("f+0x1/0x2", "g (a.c:1)"), None);
    assert_eq!(answer("f+0x1/0x2", "f+0x1/0x2 (a.c:1 b.h:2)").as_deref(), Some("a.c:1 b.h:2"));
    assert_eq!(answer("f+0x1/0x2", "f+0x1/0x2"), None);
}

#[test]
fn a_file_without_lines_has_none() {
    assert!(!has_lines(Path::new("/nowhere")));
    let (_folder, decoder) = decoder("no ELF file");
    assert!(!has_lines(&decoder.script));
}
