// SPDX-License-Identifier: MIT OR Apache-2.0
//! One check: from its transcript to its status.

use std::collections::BTreeMap;

use super::{CheckState, Evidence, JudgedCheck, Known, VerdictSource};
use crate::lab::expected::ExpectedStatus;
use crate::parse::ktap::{KtapReport, Plan, Status};
use crate::parse::transcript::{CheckTranscript, Ended};
use crate::record::model::{CheckRecord, CheckStatus, INTERRUPTED, SubRecord};
use crate::sys::process::Exit;

/// How the reason of a check begins that took too long.
pub(super) const CUT: &str = "killed at its deadline";

/// The reason of a check that the guest did not get to.
pub const NEVER_BEGAN: &str = "it never began";

/// Judges a check that was not sent to a guest.
pub(super) fn judge_unsent(known: &Known<'_>, judged: &JudgedCheck) -> CheckRecord {
    match &judged.state {
        CheckState::Absent(why) => blank(judged, CheckStatus::Absent, why.clone()),
        CheckState::Made { subs, ms } => {
            let (status, reason) = sum_up(known, &judged.name, subs);
            let plan = u32::try_from(subs.len()).ok();
            CheckRecord {
                name: judged.name.clone(),
                status,
                reason,
                plan,
                ms: *ms,
                figures: BTreeMap::new(),
                boot: None,
                leftover: 0,
                subs: subs.clone(),
            }
        }
        CheckState::Sent { .. } => blank(judged, CheckStatus::NotRun, "no guest was booted".into()),
    }
}

fn blank(judged: &JudgedCheck, status: CheckStatus, reason: String) -> CheckRecord {
    CheckRecord {
        name: judged.name.clone(),
        status,
        reason,
        plan: None,
        ms: 0,
        figures: BTreeMap::new(),
        boot: None,
        leftover: 0,
        subs: Vec::new(),
    }
}

/// Judges one check.
pub(super) fn judge_check(evidence: &Evidence<'_>, judged: &JudgedCheck) -> CheckRecord {
    let known = Known { cell: evidence.cell, expected: evidence.expected, today: evidence.today };
    let CheckState::Sent { index, verdict } = &judged.state else {
        return judge_unsent(&known, judged);
    };
    let blank = |status, reason| blank(judged, status, reason);
    let index = *index;
    let check = evidence.transcript.checks.get(index).filter(|check| check.starts > 0);
    // What it had said by then is no result, and least of all the kernel's fault.
    if evidence.exit == Exit::Interrupted && check.is_none_or(|check| check.dones.is_empty()) {
        return blank(CheckStatus::NotRun, INTERRUPTED.into());
    }
    let Some(check) = check else {
        return blank(CheckStatus::NotRun, NEVER_BEGAN.into());
    };
    let (plan, subs, own_fault) = match verdict {
        VerdictSource::Ktap(names) => from_ktap(check.ktap.as_ref(), names),
        VerdictSource::ExitCode => from_exit_code(&judged.name, check),
        VerdictSource::Model(model) => (u32::try_from(model.subs.len()).ok(), model.subs.clone(), None),
    };
    let (status, reason) = match program_fault(check, verdict).or(own_fault) {
        Some(fault) => (CheckStatus::Fail, fault),
        None => sum_up(&known, &judged.name, &subs),
    };
    let ms = check.dones.first().map_or(0, |done| done.ms);
    let figures = match verdict {
        VerdictSource::Model(model) => model.figures.clone(),
        VerdictSource::Ktap(_) | VerdictSource::ExitCode => BTreeMap::new(),
    };
    let leftover = check.dones.first().map_or(0, |done| done.leftover);
    CheckRecord { name: judged.name.clone(), status, reason, plan, ms, figures, boot: None, leftover, subs }
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
        (Ended::Deadline, _) => Some(format!("{CUT} after {} ms", done.ms)),
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
fn sum_up(known: &Known<'_>, check: &str, subs: &[SubRecord]) -> (CheckStatus, String) {
    if subs.is_empty() {
        return (CheckStatus::NotRun, "no sub-result came".into());
    }
    let is_expected = |sub: &SubRecord, status| {
        let name = format!("{check}.{}", sub.name());
        known.expected.find(known.cell, &name, status, known.today).is_some()
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
            let text = format!("{} of {} {what}, the first is {}", bad.len(), subs.len(), first.name());
            // Why something is absent is the same for all that is.
            let text =
                if status == CheckStatus::Absent { format!("{} ({text})", first.reason) } else { text };
            return (status, text);
        }
    }
    (CheckStatus::Pass, String::new())
}
