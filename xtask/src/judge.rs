// SPDX-License-Identifier: MIT OR Apache-2.0
//! The judge: from what a guest said to a verdict. Pure, and fails closed.
//!
//! A pass needs the end record with this boot's nonce, every planned check with its full plan, no
//! finding, and a kernel log that was able to show one. Anything missing is never a pass.

mod boot;
mod check;
pub mod guest_fault;
pub mod mutant;

use boot::{blind_log, broken_boot, broken_conversation};
pub use check::NEVER_BEGAN;
use check::{judge_check, judge_unsent};

use crate::lab::expected::Expected;
use crate::parse::splat::Finding;
use crate::parse::transcript::{Transcript, is_plant_tag, is_planted};
use crate::plan::work::Scope;
use crate::record::model::{CheckRecord, CheckStatus, FindingRecord, Outcome, Seen, SubRecord, Trouble};
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
    /// It was made on the host, and needs no guest.
    Made {
        /// Its results.
        subs: Vec<SubRecord>,
        /// How long it took when it was made, in ms.
        ms: u64,
    },
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
    Model(ModelVerdict),
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
    /// What the CPUs were doing when the guest's time was over.
    pub stuck: &'a [String],
    /// Known failures and skips.
    pub expected: &'a Expected,
    /// `YYYY-MM-DD`.
    pub today: &'a str,
}

/// What a model says of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelVerdict {
    /// The sub-results.
    pub subs: Vec<SubRecord>,
    /// What was counted, by name.
    pub figures: std::collections::BTreeMap<String, u64>,
}

/// What is known of a cell without its guest.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The cell.
    pub cell: &'a str,
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
    /// Whose trouble it is, where the outcome is `infra`.
    pub trouble: Option<Trouble>,
    /// The lines that show it.
    pub excerpt: Vec<String>,
    /// The checks.
    pub checks: Vec<CheckRecord>,
    /// The findings.
    pub findings: Vec<FindingRecord>,
    /// How many more there were than are kept.
    pub findings_dropped: u64,
}

/// Judges a guest.
pub fn judge(evidence: &Evidence<'_>) -> Verdict {
    let checks: Vec<CheckRecord> = evidence.checks.iter().map(|check| judge_check(evidence, check)).collect();
    let findings = findings(evidence);
    let findings_dropped = evidence.transcript.findings.findings_dropped;
    // A kernel that floods its log is to blame for the holes in it: findings come first.
    let unfinished = broken_boot(evidence).or_else(|| broken_conversation(evidence));
    let trouble = if unfinished.is_some() { Trouble::Host } else { Trouble::Evidence };
    let cut = unfinished
        .or_else(|| bad_finding(&findings, findings_dropped))
        .or_else(|| blind_log(evidence))
        .or_else(|| bad_check(evidence, &checks));
    let (outcome, reason, excerpt) = cut.unwrap_or((Outcome::Pass, String::new(), Vec::new()));
    let trouble = (outcome == Outcome::Infra).then_some(trouble);
    let mut excerpt = excerpt;
    excerpt.truncate(EXCERPT_LINES_MAX);
    Verdict { outcome, reason, trouble, excerpt, checks, findings, findings_dropped }
}

type Bad = (Outcome, String, Vec<String>);

fn bad_finding(findings: &[FindingRecord], dropped: u64) -> Option<Bad> {
    let first = findings.first()?;
    let others = findings.len() as u64 - 1 + dropped;
    let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    let during = if first.check.is_empty() { String::new() } else { format!(" during {}", first.check) };
    Some((Outcome::Fail, format!("kernel log: {}{during}{more}", first.title), first.excerpt.clone()))
}

fn bad_check(evidence: &Evidence<'_>, checks: &[CheckRecord]) -> Option<Bad> {
    bad_of(evidence.checks, checks, &|judged, check| check_excerpt(evidence, judged, check))
}

/// Judges a cell whose checks need no guest: none is booted.
pub fn judge_without_guest(known: &Known<'_>, checks: &[JudgedCheck]) -> Verdict {
    let records: Vec<CheckRecord> = checks.iter().map(|check| judge_unsent(known, check)).collect();
    let cut = bad_of(checks, &records, &|_, check| bad_subs(check));
    let (outcome, reason, excerpt) = cut.unwrap_or((Outcome::Pass, String::new(), Vec::new()));
    let (findings, findings_dropped) = (Vec::new(), 0);
    Verdict { outcome, reason, trouble: None, excerpt, checks: records, findings, findings_dropped }
}

fn bad_of(
    judged: &[JudgedCheck],
    checks: &[CheckRecord],
    excerpt: &dyn Fn(&JudgedCheck, &CheckRecord) -> Vec<String>,
) -> Option<Bad> {
    let ran = checks.iter().any(|check| check.status == CheckStatus::Pass);
    let bad: Vec<(&JudgedCheck, &CheckRecord)> = judged
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
    Some((Outcome::Fail, reason, excerpt(judged, first)))
}

/// The sub-results that do not pass.
fn bad_subs(check: &CheckRecord) -> Vec<String> {
    let bad = check.subs.iter().filter(|sub| sub.status != CheckStatus::Pass).take(10);
    let mut lines: Vec<String> = bad
        .flat_map(|sub| {
            let head = format!("{} {}", sub.status.word(), sub.name());
            std::iter::once(head).chain(sub.reason.lines().map(|line| format!("    {line}")))
        })
        .collect();
    lines.truncate(EXCERPT_LINES_MAX);
    lines
}

/// The sub-results that do not pass, and the end of what the check wrote.
fn check_excerpt(evidence: &Evidence<'_>, judged: &JudgedCheck, check: &CheckRecord) -> Vec<String> {
    let mut lines = bad_subs(check);
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

/// Findings of the log, without the planted one, and what only the console could show: after the planted one,
/// or where the log did not come to its end.
fn findings(evidence: &Evidence<'_>) -> Vec<FindingRecord> {
    let name = |tag: u16| {
        let sent = evidence.checks.iter().find(|check| match &check.state {
            CheckState::Sent { index, .. } => *index == usize::from(tag),
            CheckState::Absent(_) | CheckState::Made { .. } => false,
        });
        sent.map(|check| check.name.clone()).unwrap_or_default()
    };
    let record = |finding: &Finding<u16>, seen| FindingRecord {
        family: finding.family.clone(),
        title: finding.title.clone(),
        check: name(finding.tag),
        seen,
        excerpt: finding.excerpt.clone(),
    };
    let of_log: Vec<&Finding<u16>> = log_findings(evidence).collect();
    let on_console = match evidence.transcript.end {
        Some(_) => after_plant(evidence.console),
        None => evidence.console,
    };
    let is_news =
        |one: &&Finding<u16>| !is_planted(one) && !of_log.iter().any(|other| other.title == one.title);
    let on_console = on_console.iter().filter(is_news).map(|one| record(one, Seen::Console));
    of_log.iter().map(|one| record(one, Seen::Log)).chain(on_console).collect()
}

/// Findings of the log, whether or not that came to its end. One warning is planted; a second is the kernel's own.
fn log_findings<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = &'a Finding<u16>> {
    let of_log = &evidence.transcript.findings.findings;
    let planted = of_log.iter().position(|one| is_plant_tag(one.tag) && is_planted(one));
    of_log.iter().enumerate().filter(move |(at, _)| Some(*at) != planted).map(|(_, one)| one)
}

/// What the console says after the planted warning: by then only init runs, so no program forged it,
/// and the log has been sent.
fn after_plant(console: &[Finding<u16>]) -> &[Finding<u16>] {
    let planted = console.iter().rposition(is_planted);
    planted.map_or(&[], |at| &console[at + 1..])
}

/// What is said of a kernel in trouble by its log, else by its console, where programs can write too; the
/// planted warning is none.
fn first_finding<'a>(evidence: &Evidence<'a>) -> Option<&'a Finding<u16>> {
    let on_console = || evidence.console.iter().find(|finding| !is_planted(finding));
    log_findings(evidence).next().or_else(on_console)
}

fn first_title(evidence: &Evidence<'_>) -> String {
    first_finding(evidence).map(|finding| format!(": {}", finding.title)).unwrap_or_default()
}

/// The first report, else the console's end; and in front of it what the CPUs were doing at a deadline.
fn first_excerpt(evidence: &Evidence<'_>) -> Vec<String> {
    let shown = match first_finding(evidence) {
        Some(finding) => &finding.excerpt,
        None => evidence.console_tail,
    };
    evidence.stuck.iter().chain(shown).cloned().collect()
}

/// What the guest was doing when it was last heard of.
fn during(evidence: &Evidence<'_>) -> String {
    let running = evidence.checks.iter().find(|check| match &check.state {
        CheckState::Sent { index, .. } => {
            let check = evidence.transcript.checks.get(*index);
            check.is_some_and(|check| check.starts > 0 && check.dones.is_empty())
        }
        CheckState::Absent(_) | CheckState::Made { .. } => false,
    });
    match running {
        Some(check) => format!("during {}", check.name),
        None => "between checks".into(),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
