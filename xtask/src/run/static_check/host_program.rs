// SPDX-License-Identifier: MIT OR Apache-2.0
//! A function of the tree, compiled for the host with sanitizers and fed by a program of ours.

use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use super::function::extract;
use super::{Found, Subject, numbered, sub};
use crate::fault::Fault;
use crate::parse::ktap::{KtapLimits, KtapParser, KtapReport, Plan, Status};
use crate::record::model::SubRecord;
use crate::sys::process::{Captured, Exit, capture, command, is_host_trouble, tail};

/// Sanitizers end the program at the first thing they find.
const FLAGS: &[&str] = &[
    "-std=gnu11",
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fno-strict-aliasing",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-Wall",
    "-Wno-unused",
];

/// What is taken out of the tree.
pub(super) struct Wanted<'a> {
    /// The file.
    pub(super) source: &'a str,
    /// Role of the function.
    pub(super) function: &'a str,
    /// Roles of functions that it may call.
    pub(super) helpers: &'a [String],
}

/// Compiles and runs.
pub(super) fn look(
    subject: &Subject<'_>,
    wanted: &Wanted<'_>,
    program: &str,
    deadline: Duration,
) -> Result<Found> {
    let (source, role) = (wanted.source, wanted.function);
    let Some(name) = subject.function(role) else {
        return Ok(Found::Absent(format!("nobody says what the function `{role}` is called in this tree")));
    };
    let Some(text) = subject.file(source)? else {
        return Ok(Found::Absent(format!("the tree has no {source}")));
    };
    let Some(function) = extract(&text, name) else {
        return Ok(Found::no_function(role, name, &format!("the tree's {source}")));
    };
    let scratch = subject.context.cache.temporary()?;
    let helpers = wanted.helpers.iter().filter_map(|role| extract(&text, subject.function(role)?));
    let parts: Vec<&str> = helpers.chain([function]).collect();
    fs::write(scratch.path().join("extracted.h"), format!("{}\n", parts.join("\n\n")))?;
    let binary = scratch.path().join("program");
    let mut gcc = command("gcc");
    gcc.args(FLAGS).arg(format!("-DLAB_FUNCTION={name}")).arg("-I").arg(scratch.path());
    gcc.arg(subject.context.lab.root.join(program)).arg("-o").arg(&binary);
    let compiled = capture(gcc, &format!("compiling {program}"), deadline, b"")?;
    if let Some(failed) = not_compiled(&compiled, name, program)? {
        return Ok(Found::Subs(vec![failed]));
    }
    let mut run = command(&binary);
    // Leaks are not looked for: that needs ptrace, which not every host grants.
    run.env("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=0").env("UBSAN_OPTIONS", "print_stacktrace=1");
    let ran = capture(run, &format!("running {program}"), deadline, b"")?;
    let mut parser = KtapParser::new(KtapLimits::default());
    parser.push(&ran.stdout);
    Ok(Found::Subs(judge(&ran, &parser.finish())?))
}

/// A function that does not compile by itself is one that the check cannot vouch for.
fn not_compiled(compiled: &Captured, name: &str, program: &str) -> Result<Option<SubRecord>> {
    match compiled.exit {
        Exit::Code(0) => Ok(None),
        Exit::Interrupted => Err(Fault::interrupted().into()),
        exit if is_host_trouble(exit, &compiled.stderr) || compiled.stderr.contains("cannot find -l") => {
            let said = tail(&compiled.stderr, 800);
            Err(Fault::infra(format!("compiling {program} for the host: {exit}\n{said}"))
                .help("the sanitizers come with gcc: `apt-get install libgcc-12-dev`")
                .into())
        }
        _ => {
            let errors: Vec<&str> =
                compiled.stderr.lines().filter(|line| line.contains("error")).take(4).collect();
            let reason = format!("with {program} it does not compile on the host:\n{}", errors.join("\n"));
            Ok(Some(sub(1, name, false, reason)))
        }
    }
}

/// How our program ends where the host does not give it what it needs.
const TROUBLE: i32 = 3;

/// A program that did not end well passes nothing, whatever it printed. The function runs in its
/// children, each with a limit of its own: what ends the program itself, or keeps it from its end, is
/// the host's trouble.
fn judge(ran: &Captured, report: &KtapReport) -> Result<Vec<SubRecord>> {
    match ran.exit {
        Exit::Interrupted => return Err(Fault::interrupted().into()),
        Exit::Code(code) if code != TROUBLE => {}
        exit => {
            let said = tail(&ran.stderr, 800);
            let fault = Fault::infra(format!("a program of the function, on the host: {exit}\n{said}"));
            return Err(fault.help("is the machine short of time or memory? run it again").into());
        }
    }
    let mut subs: Vec<SubRecord> = Vec::new();
    for result in &report.results {
        let passes = result.status == Status::Pass;
        let reason = if passes { String::new() } else { result.diagnostics.join("\n") };
        subs.push(sub(1, &result.name, passes, reason));
    }
    let all_passed = report.results.iter().all(|result| result.status == Status::Pass);
    let is_whole = matches!(report.plan, Plan::Count(count) if count > 0) && report.is_complete();
    let ended = match ran.exit {
        Exit::Code(0) => all_passed,
        Exit::Code(1) => !all_passed,
        _ => false,
    };
    if !is_whole || !ended {
        let error = report.errors.first().map(ToString::to_string).unwrap_or_default();
        let reason = format!("it ended with {}: {error}\n{}", ran.exit, tail(&ran.stderr, 800));
        subs.push(sub(1, "the whole program", false, reason));
    }
    Ok(numbered(subs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::CheckStatus;

    fn statuses(stdout: &str, code: i32) -> Vec<CheckStatus> {
        let ran = Captured { exit: Exit::Code(code), stdout: stdout.into(), stderr: String::new() };
        let mut parser = KtapParser::new(KtapLimits::default());
        parser.push(stdout.as_bytes());
        judge(&ran, &parser.finish()).unwrap().iter().map(|sub| sub.status).collect()
    }

    #[test]
    fn a_program_that_the_host_ended_is_no_verdict() {
        for exit in [Exit::Deadline, Exit::Signal(9), Exit::Interrupted, Exit::Code(TROUBLE)] {
            let ran =
                Captured { exit, stdout: b"TAP version 13\n1..1\nok 1 a\n".into(), stderr: String::new() };
            let mut parser = KtapParser::new(KtapLimits::default());
            parser.push(&ran.stdout);
            judge(&ran, &parser.finish()).unwrap_err();
        }
    }

    #[test]
    fn only_a_whole_program_with_a_fitting_end_passes() {
        use CheckStatus::{Fail, Pass};
        assert_eq!(statuses("TAP version 13\n1..1\nok 1 a\n", 0), [Pass]);
        assert_eq!(statuses("TAP version 13\n1..1\nnot ok 1 a\n", 1), [Fail]);
        assert_eq!(statuses("TAP version 13\n1..1\nok 1 a\n", 1), [Pass, Fail]);
        assert_eq!(statuses("TAP version 13\n1..2\nok 1 a\n", 0), [Pass, Fail]);
        assert_eq!(statuses("", 0), [Fail]);
    }
}
