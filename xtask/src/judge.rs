// SPDX-License-Identifier: MIT OR Apache-2.0
//! The judge: from what a guest said to a verdict. Pure, and fails closed.
//!
//! A pass needs the end record with this boot's nonce, every planned check with its full plan, no
//! finding, and a kernel log that was able to show one. Anything missing is never a pass.

use crate::lab::expected::{Expected, ExpectedStatus};
use crate::parse::ktap::{KtapReport, Plan, Status};
use crate::parse::splat::Finding;
use crate::parse::transcript::{CheckTranscript, Ended, Transcript, is_plant_tag, is_planted};
use crate::plan::work::Scope;
use crate::record::model::{CheckRecord, CheckStatus, FindingRecord, Outcome, SubRecord};
use crate::sys::process::Exit;

/// Longest excerpt of a verdict, in lines.
const EXCERPT_LINES_MAX: usize = 40;

/// A check as the judge sees it.
#[derive(Debug, Clone)]
pub struct JudgedCheck {
    /// Its name.
    pub name: String,
    /// What it means if it is absent.
    pub scope: Scope,
    /// What is known about it.
    pub state: CheckState,
}

/// What is known about a check.
#[derive(Debug, Clone)]
pub enum CheckState {
    /// The kernel lacks a symbol that it requires: it was not sent to the guest.
    Absent(String),
    /// It is number `index` of the job.
    Sent {
        /// Index into [`Transcript::checks`].
        index: usize,
        /// What its results are taken from.
        verdict: VerdictSource,
    },
}

/// What the results of a check are taken from.
#[derive(Debug, Clone)]
pub enum VerdictSource {
    /// Its KTAP; with the names that it must have, where they are known.
    Ktap(Vec<String>),
    /// Its exit code.
    ExitCode,
    /// What a model said of its output.
    Model(Vec<SubRecord>),
}

/// All that decides a verdict.
pub struct Evidence<'a> {
    /// The cell.
    pub cell: &'a str,
    /// The nonce of this boot.
    pub nonce: &'a str,
    /// The checks, in order.
    pub checks: &'a [JudgedCheck],
    /// How many checks the job had.
    pub sent: usize,
    /// What the guest said.
    pub transcript: &'a Transcript,
    /// What its console said.
    pub console: &'a [Finding<u16>],
    /// The last lines of its console.
    pub console_tail: &'a [String],
    /// How QEMU ended.
    pub exit: Exit,
    /// What QEMU said of itself.
    pub qemu_said: &'a str,
    /// Known failures and skips.
    pub expected: &'a Expected,
    /// `YYYY-MM-DD`.
    pub today: &'a str,
}

/// A verdict and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// Why, in one line; empty for a pass.
    pub reason: String,
    /// The lines that show it.
    pub excerpt: Vec<String>,
    /// The checks.
    pub checks: Vec<CheckRecord>,
    /// The findings.
    pub findings: Vec<FindingRecord>,
}

/// Judges a guest.
pub fn judge(evidence: &Evidence<'_>) -> Verdict {
    let checks: Vec<CheckRecord> = evidence.checks.iter().map(|check| judge_check(evidence, check)).collect();
    let findings = findings(evidence);
    let cut = [broken_boot, broken_conversation, blind_log]
        .iter()
        .find_map(|judge| judge(evidence))
        .or_else(|| bad_finding(&findings))
        .or_else(|| bad_check(evidence, &checks));
    let (outcome, reason, excerpt) = cut.unwrap_or((Outcome::Pass, String::new(), Vec::new()));
    let mut excerpt = excerpt;
    excerpt.truncate(EXCERPT_LINES_MAX);
    Verdict { outcome, reason, excerpt, checks, findings }
}

type Bad = (Outcome, String, Vec<String>);

/// Init never spoke.
fn broken_boot(evidence: &Evidence<'_>) -> Option<Bad> {
    if evidence.transcript.hello.is_some() || evidence.transcript.fatal.is_some() {
        return None;
    }
    let excerpt = first_excerpt(evidence);
    let titled = first_title(evidence);
    Some(match evidence.exit {
        Exit::Deadline => {
            (Outcome::BootFailed, format!("no sign of init before the boot deadline{titled}"), excerpt)
        }
        Exit::Interrupted => (Outcome::Cancelled, "interrupted".into(), Vec::new()),
        Exit::Code(code)
            if code != 0 || evidence.console_tail.is_empty() && !evidence.qemu_said.is_empty() =>
        {
            let said = evidence.qemu_said.lines().map(str::to_owned).collect();
            (Outcome::Infra, format!("QEMU ended with exit code {code} before init spoke"), said)
        }
        Exit::Code(_) => (Outcome::BootFailed, format!("the guest reset before init spoke{titled}"), excerpt),
        Exit::Signal(signal) => {
            (Outcome::Infra, format!("QEMU was killed by signal {signal} before init spoke"), excerpt)
        }
    })
}

/// The guest spoke, and did not finish; or what it said cannot be believed.
fn broken_conversation(evidence: &Evidence<'_>) -> Option<Bad> {
    let transcript = evidence.transcript;
    let excerpt = || first_excerpt(evidence);
    if evidence.exit == Exit::Interrupted {
        return Some((Outcome::Cancelled, "interrupted".into(), Vec::new()));
    }
    if let Some(fatal) = &transcript.fatal {
        return Some((Outcome::Infra, format!("init gave up: {fatal}"), excerpt()));
    }
    if let Some(error) = transcript.errors.first() {
        return Some((
            Outcome::Crashed,
            format!("the guest's records cannot be trusted: {error}"),
            excerpt(),
        ));
    }
    let during = during(evidence);
    let Some((end, before)) = &transcript.end else {
        let titled = first_title(evidence);
        return Some(match evidence.exit {
            Exit::Deadline => {
                (Outcome::TimedOut, format!("killed at the deadline {during}{titled}"), excerpt())
            }
            Exit::Signal(signal) => {
                (Outcome::Infra, format!("QEMU was killed by signal {signal} {during}"), excerpt())
            }
            _ => (
                Outcome::Crashed,
                format!("the guest ended without its end record {during}{titled}"),
                excerpt(),
            ),
        });
    };
    let hello_nonce = transcript.hello.as_ref().map(|hello| hello.nonce.as_str());
    if hello_nonce != Some(evidence.nonce) || end.nonce != evidence.nonce {
        return Some((Outcome::Crashed, "the guest's records carry another boot's nonce".into(), excerpt()));
    }
    if end.frames != *before {
        let reason = format!("the guest sent {} records, and {before} came", end.frames);
        return Some((Outcome::Crashed, reason, excerpt()));
    }
    if end.checks != evidence.sent as u64 {
        let reason = format!("{} of {} checks ended", end.checks, evidence.sent);
        return Some((Outcome::Crashed, reason, excerpt()));
    }
    None
}

/// The kernel log has holes, or could not show a finding.
fn blind_log(evidence: &Evidence<'_>) -> Option<Bad> {
    let (transcript, log) = (evidence.transcript, &evidence.transcript.log);
    let excerpt = || evidence.console_tail.to_vec();
    if !log.is_whole() {
        let mut holes = Vec::new();
        if log.first_sequence != Some(0) {
            holes.push("its beginning is missing".to_owned());
        }
        if log.missing > 0 {
            holes.push(format!("{} messages are missing", log.missing));
        }
        if log.malformed > 0 || log.backwards > 0 {
            holes.push(format!("{} records cannot be read", log.malformed + log.backwards));
        }
        if holes.is_empty() {
            holes.push("it is cut short".to_owned());
        }
        return Some((
            Outcome::Infra,
            format!("the kernel log is incomplete: {}", holes.join(", ")),
            excerpt(),
        ));
    }
    match transcript.plant.as_deref() {
        Some("written") => {}
        Some(said) => {
            return Some((
                Outcome::Infra,
                format!("the planted warning could not be written ({said}): is CONFIG_LKDTM set?"),
                Vec::new(),
            ));
        }
        None => return Some((Outcome::Infra, "init did not plant its warning".into(), Vec::new())),
    }
    let in_log = transcript.findings.findings.iter().any(|one| is_plant_tag(one.tag) && is_planted(one));
    let on_console = evidence.console.iter().any(is_planted);
    let blind = match (in_log, on_console) {
        (true, true) => return None,
        (false, true) => "the kernel log",
        (true, false) => "the console",
        (false, false) => "neither the kernel log nor the console",
    };
    let reason = if in_log || on_console {
        format!("the planted warning is not in {blind}: a finding could not have been seen")
    } else {
        format!("{blind} shows the planted warning: a finding could not have been seen")
    };
    Some((Outcome::Infra, reason, excerpt()))
}

fn bad_finding(findings: &[FindingRecord]) -> Option<Bad> {
    let first = findings.first()?;
    let more = if findings.len() > 1 { format!(" (and {} more)", findings.len() - 1) } else { String::new() };
    let during = if first.check.is_empty() { String::new() } else { format!(" during {}", first.check) };
    Some((Outcome::Fail, format!("kernel log: {}{during}{more}", first.title), first.excerpt.clone()))
}

fn bad_check(evidence: &Evidence<'_>, checks: &[CheckRecord]) -> Option<Bad> {
    let ran = checks.iter().any(|check| check.status == CheckStatus::Pass);
    let bad: Vec<(&JudgedCheck, &CheckRecord)> = evidence
        .checks
        .iter()
        .zip(checks)
        .filter(|(judged, check)| match check.status {
            CheckStatus::Pass => false,
            CheckStatus::Absent => judged.scope == Scope::Asked,
            _ => true,
        })
        .collect();
    let Some((judged, first)) = bad.first() else {
        // Nothing failed because nothing ran: that is no pass.
        return (!ran).then(|| (Outcome::Fail, "no check ran".into(), Vec::new()));
    };
    let more = if bad.len() > 1 { format!(" (and {} more)", bad.len() - 1) } else { String::new() };
    let reason = format!("{} {}: {}{more}", first.name, first.status.word(), first.reason);
    Some((Outcome::Fail, reason, check_excerpt(evidence, judged, first)))
}

/// The sub-results that do not pass, and the end of what the check wrote.
fn check_excerpt(evidence: &Evidence<'_>, judged: &JudgedCheck, check: &CheckRecord) -> Vec<String> {
    let bad = check.subs.iter().filter(|sub| sub.status != CheckStatus::Pass);
    let mut lines: Vec<String> = bad
        .take(10)
        .flat_map(|sub| {
            let head = format!("{} {}", sub.status.word(), sub.name());
            std::iter::once(head).chain(sub.reason.lines().map(|line| format!("    {line}")))
        })
        .collect();
    if let CheckState::Sent { index, verdict: VerdictSource::Ktap(_) | VerdictSource::ExitCode } =
        &judged.state
        && let Some(transcript) = evidence.transcript.checks.get(*index)
        && lines.len() < EXCERPT_LINES_MAX / 2
    {
        let tail: Vec<&str> = transcript.tail.lines().filter(|line| !line.is_empty()).collect();
        lines.extend(tail.iter().skip(tail.len().saturating_sub(12)).map(|line| (*line).to_owned()));
    }
    lines
}

/// Findings of the log, without the planted one, and what only the console could show after it; of
/// the console alone, where no log came to its end.
fn findings(evidence: &Evidence<'_>) -> Vec<FindingRecord> {
    let name = |tag: u16| {
        let sent = evidence.checks.iter().find(|check| match &check.state {
            CheckState::Sent { index, .. } => *index == usize::from(tag),
            CheckState::Absent(_) => false,
        });
        sent.map(|check| check.name.clone()).unwrap_or_default()
    };
    let of_log = &evidence.transcript.findings.findings;
    let source: Vec<&Finding<u16>> = if evidence.transcript.end.is_some() {
        // One is planted; a second is the kernel's own.
        let planted = of_log.iter().position(|one| is_plant_tag(one.tag) && is_planted(one));
        let of_log = of_log.iter().enumerate().filter(|(at, _)| Some(*at) != planted).map(|(_, one)| one);
        let of_log: Vec<_> = of_log.collect();
        let late = after_plant(evidence.console).iter();
        let late = late.filter(|one| !of_log.iter().any(|other| other.title == one.title));
        of_log.iter().copied().chain(late).collect()
    } else {
        evidence.console.iter().filter(|finding| !is_planted(finding)).collect()
    };
    source
        .into_iter()
        .map(|finding| FindingRecord {
            family: finding.family.clone(),
            title: finding.title.clone(),
            check: name(finding.tag),
            excerpt: finding.excerpt.clone(),
        })
        .collect()
}

/// What the console says after the planted warning: by then only init runs, so no program forged it,
/// and the log has been sent.
fn after_plant(console: &[Finding<u16>]) -> &[Finding<u16>] {
    let planted = console.iter().rposition(is_planted);
    planted.map_or(&[], |at| &console[at + 1..])
}

/// What the console says of a kernel in trouble; the planted warning is none.
fn console_finding<'a>(evidence: &Evidence<'a>) -> Option<&'a Finding<u16>> {
    evidence.console.iter().find(|finding| !is_planted(finding))
}

fn first_title(evidence: &Evidence<'_>) -> String {
    console_finding(evidence).map(|finding| format!(": {}", finding.title)).unwrap_or_default()
}

fn first_excerpt(evidence: &Evidence<'_>) -> Vec<String> {
    match console_finding(evidence) {
        Some(finding) => finding.excerpt.clone(),
        None => evidence.console_tail.to_vec(),
    }
}

/// What the guest was doing when it was last heard of.
fn during(evidence: &Evidence<'_>) -> String {
    let running = evidence.checks.iter().find(|check| match &check.state {
        CheckState::Sent { index, .. } => {
            let check = evidence.transcript.checks.get(*index);
            check.is_some_and(|check| check.starts > 0 && check.dones.is_empty())
        }
        CheckState::Absent(_) => false,
    });
    match running {
        Some(check) => format!("during {}", check.name),
        None => "between checks".into(),
    }
}

fn judge_check(evidence: &Evidence<'_>, judged: &JudgedCheck) -> CheckRecord {
    let blank = |status, reason: String| CheckRecord {
        name: judged.name.clone(),
        status,
        reason,
        plan: None,
        ms: 0,
        subs: Vec::new(),
    };
    let (index, verdict) = match &judged.state {
        CheckState::Absent(why) => return blank(CheckStatus::Absent, why.clone()),
        CheckState::Sent { index, verdict } => (*index, verdict),
    };
    let Some(check) = evidence.transcript.checks.get(index).filter(|check| check.starts > 0) else {
        return blank(CheckStatus::NotRun, "it never began".into());
    };
    let (plan, subs, own_fault) = match verdict {
        VerdictSource::Ktap(names) => from_ktap(check.ktap.as_ref(), names),
        VerdictSource::ExitCode => from_exit_code(&judged.name, check),
        VerdictSource::Model(subs) => (u32::try_from(subs.len()).ok(), subs.clone(), None),
    };
    let (status, reason) = match program_fault(check, verdict).or(own_fault) {
        Some(fault) => (CheckStatus::Fail, fault),
        None => sum_up(evidence, &judged.name, &subs),
    };
    let ms = check.dones.first().map_or(0, |done| done.ms);
    CheckRecord { name: judged.name.clone(), status, reason, plan, ms, subs }
}

/// What is wrong with how a program ran, whatever it printed.
fn program_fault(check: &CheckTranscript, verdict: &VerdictSource) -> Option<String> {
    let done = match check.dones.as_slice() {
        [] => return Some("it did not end".into()),
        [done] if check.starts == 1 => done,
        _ => return Some("it began or ended more than once".into()),
    };
    if done.stdout_bytes != check.stdout_bytes {
        return Some(format!("it wrote {} bytes, and {} came", done.stdout_bytes, check.stdout_bytes));
    }
    let failed_here =
        check.ktap.as_ref().is_some_and(|ktap| ktap.results.iter().any(|r| r.status.is_failure()));
    let skipped_here = check.ktap.as_ref().is_some_and(|ktap| {
        matches!(ktap.plan, Plan::SkipAll(_)) || ktap.results.iter().any(|r| r.status == Status::Skip)
    });
    match (done.how, verdict) {
        // The exit code of a program that tells its failures must fit them.
        (Ended::Exit(0), VerdictSource::Ktap(_)) if failed_here => {
            Some("exit code 0 with failed sub-tests".into())
        }
        (Ended::Exit(0), _) => None,
        (Ended::Exit(4), VerdictSource::Ktap(_)) if skipped_here => None,
        (Ended::Exit(_), VerdictSource::ExitCode) => None,
        (Ended::Exit(_), VerdictSource::Ktap(_)) if failed_here => None,
        (Ended::Exit(code), _) => Some(format!("exit code {code} without a failed sub-test")),
        (Ended::Signal(signal), _) => Some(format!("killed by signal {signal}")),
        (Ended::Deadline, _) => Some(format!("killed at its deadline after {} ms", done.ms)),
        (Ended::NotStarted(errno), _) => Some(format!("it could not be started: errno {errno}")),
    }
}

type Parts = (Option<u32>, Vec<SubRecord>, Option<String>);

fn from_ktap(report: Option<&KtapReport>, names: &[String]) -> Parts {
    let Some(report) = report else {
        return (None, Vec::new(), Some("it printed no KTAP".into()));
    };
    let mut subs: Vec<SubRecord> = report.results.iter().map(sub_record).collect();
    let plan = match report.plan {
        Plan::Count(count) => Some(count),
        Plan::SkipAll(_) => Some(0),
        Plan::Missing => None,
    };
    let mut fault = match (&report.plan, &report.bail_out) {
        (_, Some(words)) => Some(format!("it bailed out: {words}")),
        (Plan::SkipAll(why), _) => Some(format!("it skipped everything: {why}")),
        (Plan::Missing, _) => Some("it printed no plan".into()),
        (Plan::Count(_), _) => report.errors.first().map(ToString::to_string),
    };
    if fault.is_none() && !report.is_complete() {
        fault = Some("its plan is not filled".into());
    }
    let missing: Vec<&String> =
        names.iter().filter(|name| !subs.iter().any(|sub| sub.name() == **name)).collect();
    if let (Some(first), None) = (missing.first(), &fault) {
        fault = Some(format!("{} known sub-tests have vanished, `{first}` among them", missing.len()));
    }
    subs.extend(missing.into_iter().map(|name| SubRecord {
        path: vec![name.clone()],
        ordinal: 0,
        status: CheckStatus::NotRun,
        reason: "known from earlier runs, and not there".into(),
    }));
    (plan, subs, fault)
}

fn sub_record(result: &crate::parse::ktap::TestResult) -> SubRecord {
    let mut path = result.path.clone();
    path.push(result.name.clone());
    let status = match result.status {
        Status::Pass | Status::Xfail => CheckStatus::Pass,
        Status::Skip | Status::Todo => CheckStatus::Skip,
        Status::Fail | Status::Xpass | Status::Timeout | Status::Error => CheckStatus::Fail,
    };
    let mut reason: Vec<&str> = result.reason.as_deref().into_iter().collect();
    if status == CheckStatus::Fail {
        reason.extend(result.diagnostics.iter().map(String::as_str));
    }
    SubRecord { path, ordinal: result.ordinal, status, reason: reason.join("\n") }
}

/// kselftest's convention: 0 pass, 4 skip, anything else a failure.
fn from_exit_code(name: &str, check: &CheckTranscript) -> Parts {
    let status = match check.dones.first().map(|done| done.how) {
        Some(Ended::Exit(0)) => CheckStatus::Pass,
        Some(Ended::Exit(4)) => CheckStatus::Skip,
        Some(_) => CheckStatus::Fail,
        None => CheckStatus::NotRun,
    };
    let reason = match check.dones.first().map(|done| done.how) {
        Some(Ended::Exit(code)) if code != 0 => format!("exit code {code}"),
        _ => String::new(),
    };
    let last = name.rsplit('.').next().unwrap_or(name).to_owned();
    (Some(1), vec![SubRecord { path: vec![last], ordinal: 1, status, reason }], None)
}

/// The status of a check by those of its sub-results.
fn sum_up(evidence: &Evidence<'_>, check: &str, subs: &[SubRecord]) -> (CheckStatus, String) {
    if subs.is_empty() {
        return (CheckStatus::NotRun, "no sub-result came".into());
    }
    let is_expected = |sub: &SubRecord, status| {
        let name = format!("{check}.{}", sub.name());
        evidence.expected.find(evidence.cell, &name, status, evidence.today).is_some()
    };
    for (status, expected) in [
        (CheckStatus::NotRun, None),
        (CheckStatus::Fail, Some(ExpectedStatus::Fail)),
        (CheckStatus::Skip, Some(ExpectedStatus::Skip)),
        (CheckStatus::Absent, None),
        (CheckStatus::Flaky, None),
    ] {
        let bad: Vec<&SubRecord> = subs
            .iter()
            .filter(|sub| {
                sub.status == status && !expected.is_some_and(|expected| is_expected(sub, expected))
            })
            .collect();
        if let Some(first) = bad.first() {
            let what = match status {
                CheckStatus::Skip => "skipped without an entry in expected.toml",
                CheckStatus::NotRun => "without a result",
                CheckStatus::Absent => "absent",
                CheckStatus::Flaky => "flaky",
                CheckStatus::Pass | CheckStatus::Fail => "failed",
            };
            return (
                status,
                format!("{} of {} {what}, the first is {}", bad.len(), subs.len(), first.name()),
            );
        }
    }
    (CheckStatus::Pass, String::new())
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
