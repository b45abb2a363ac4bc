// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether the guest booted, finished, and could have shown a finding.

use super::{Bad, Evidence, during, first_excerpt, first_title};
use crate::parse::transcript::{is_plant_tag, is_planted};
use crate::record::model::{INTERRUPTED, Outcome};
use crate::sys::process::Exit;

/// Init never spoke.
pub(super) fn broken_boot(evidence: &Evidence<'_>) -> Option<Bad> {
    if evidence.transcript.hello.is_some() || evidence.transcript.fatal.is_some() {
        return None;
    }
    let excerpt = first_excerpt(evidence);
    let titled = first_title(evidence);
    Some(match evidence.exit {
        Exit::Deadline => {
            (Outcome::BootFailed, format!("no sign of init before the boot deadline{titled}"), excerpt)
        }
        Exit::Interrupted => (Outcome::Cancelled, INTERRUPTED.into(), Vec::new()),
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
pub(super) fn broken_conversation(evidence: &Evidence<'_>) -> Option<Bad> {
    let transcript = evidence.transcript;
    let excerpt = || first_excerpt(evidence);
    if evidence.exit == Exit::Interrupted {
        return Some((Outcome::Cancelled, INTERRUPTED.into(), Vec::new()));
    }
    if let Some(fatal) = &transcript.fatal {
        // Before its hello init complains of the job; after it, of the kernel that it runs on.
        let outcome = if transcript.hello.is_some() { Outcome::Crashed } else { Outcome::Infra };
        return Some((outcome, format!("init gave up: {fatal}"), excerpt()));
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
pub(super) fn blind_log(evidence: &Evidence<'_>) -> Option<Bad> {
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
    let mut excused = transcript.findings.allowed.iter();
    let excused = excused.find(|one| is_plant_tag(one.finding.tag) && is_planted(&one.finding));
    if let Some(entry) = excused.filter(|_| !in_log) {
        let reason = format!(
            "configs/splats.toml: the entry `{}` excuses the planted warning, too: narrow it",
            entry.pattern
        );
        return Some((Outcome::Infra, reason, Vec::new()));
    }
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
