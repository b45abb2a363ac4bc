// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::sys::logged::logged;
use fs_err as fs;

const SOON: Duration = Duration::from_secs(20);

fn sh(script: &str) -> Command {
    let mut command = command("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn output_and_exit_are_kept_apart() {
    let captured = capture(sh("cat; echo err >&2; exit 3"), "sh", SOON, b"input").unwrap();
    assert_eq!(captured.exit, Exit::Code(3));
    assert_eq!(captured.text(), "input");
    assert_eq!(captured.stderr, "err\n");
    assert!(captured.success("sh").unwrap_err().to_string().contains("exit code 3"));
}

#[test]
fn a_deadline_kills_the_whole_group() {
    let begun = Instant::now();
    let captured = capture(sh("sleep 60 & sleep 60"), "sh", Duration::from_millis(100), b"").unwrap();
    assert_eq!(captured.exit, Exit::Deadline);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_left_the_group_holds_nobody_up_and_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    // As a Makefile could start a daemon: it keeps the pipe, and no signal to the group finds it.
    let script = format!("setsid sh -c 'echo $$ > {}/pid; exec sleep 60' &", folder.path().display());
    let captured = capture(sh(&format!("{script} echo said")), "sh", SOON, b"").unwrap();
    assert_eq!((captured.exit, captured.text().as_str()), (Exit::Code(0), "said\n"));
    let mut lines = Vec::new();
    let log = folder.path().join("log");
    let wait = Duration::from_millis(300);
    let exit =
        logged(sh(&format!("{script} sleep 60")), "sh", wait, &log, &mut |line| lines.push(line.len()));
    assert_eq!(exit.unwrap(), Exit::Deadline);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let daemon = fs::read_to_string(folder.path().join("pid")).unwrap();
    let state = std::fs::read_to_string(format!("/proc/{}/stat", daemon.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "it still runs: {state}");
}

#[test]
fn a_signal_is_no_exit_code() {
    assert_eq!(capture(sh("kill -TERM $$"), "sh", SOON, b"").unwrap().exit, Exit::Signal(15));
}

#[test]
fn the_environment_holds_nothing_by_accident() {
    let captured = capture(command("env"), "env", SOON, b"").unwrap();
    assert!(captured.text().contains("LC_ALL=C.UTF-8"));
    assert!(!captured.text().contains("CARGO"), "{}", captured.text());
}

#[test]
fn a_missing_program_is_the_hosts_fault() {
    let error = capture(command("no-such-program"), "trying", SOON, b"").unwrap_err();
    assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_INFRA);
}

#[test]
fn a_log_has_every_line_of_both_streams() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut lines = Vec::new();
    let exit = logged(sh("echo a; echo b >&2; printf c"), "sh", SOON, &log, &mut |line| {
        lines.push(line.to_owned());
    });
    assert!(exit.unwrap().is_success());
    assert_eq!(lines, ["a", "b", "c"]);
    assert!(fs::read_to_string(&log).unwrap().ends_with("a\nb\nc"));
}

#[test]
fn words_survive_a_shell() {
    for word in ["plain", "two words", "it's", "", "a$b`c"] {
        let captured = capture(sh(&format!("printf %s {}", quote(word))), "sh", SOON, b"").unwrap();
        assert_eq!(captured.text(), word);
    }
}

#[test]
fn the_tail_of_a_text_begins_with_a_line() {
    assert_eq!(tail("one\ntwo\nthree\n", 8), "three");
    assert_eq!(tail("short", 100), "short");
}
