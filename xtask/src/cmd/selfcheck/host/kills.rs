// SPDX-License-Identifier: MIT OR Apache-2.0
//! A lab that is killed again and again, in every stage; each run goes on from what the last one left.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use fs_err as fs;

use super::damage::flip_byte;
use super::lab::{Lab, Ran, Running};
use super::stage::{Stage, is_in};
use crate::sys::process::{Exit, Signal};

/// Where the lab is killed, and how often.
const KILLS: [(Stage, usize); 13] = [
    (Stage::Download, 2),
    (Stage::Unpack, 2),
    (Stage::Import, 2),
    (Stage::Apply, 1),
    (Stage::CheckOut, 1),
    (Stage::Configure, 2),
    (Stage::Make, 3),
    (Stage::Link, 2),
    (Stage::Store, 1),
    (Stage::Program, 1),
    (Stage::Image, 1),
    (Stage::Guest, 1),
    (Stage::Record, 1),
];

/// Time between two looks, which cost about as much as they take: the shortest stages take some milliseconds.
fn poll(stage: Stage) -> Duration {
    Duration::from_millis(match stage {
        Stage::Image | Stage::Store | Stage::Record => 1,
        Stage::Apply | Stage::Program | Stage::Link => 5,
        Stage::Download | Stage::Unpack | Stage::Import | Stage::CheckOut => 20,
        Stage::Configure | Stage::Make | Stage::Guest => 20,
    })
}

/// Runs that are tried for a kill in one stage.
const TRIES_MAX: usize = 8;

/// Longest for a lab to come to a stage.
const STAGE_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Milliseconds that the n-th kill of a stage comes after its beginning.
const LATER_MS: [u64; 3] = [0, 150, 1200];

/// What is wanted.
pub const WANTED: &str =
    "20 labs killed in 13 stages leave no process, nothing half-written is used, and the next run passes";

/// The case.
///
/// # Errors
/// Trouble of this lab's own.
pub fn run(lab: &Lab) -> Result<Result<String, String>> {
    let (mut kills, mut missed, mut has_damaged) = (0, Vec::new(), false);
    let mut said = String::new();
    let begun = Instant::now();
    for (stage, count) in KILLS {
        for turn in 0..count {
            let later = Duration::from_millis(LATER_MS[turn % LATER_MS.len()]);
            let mut ran = kill_in(lab, stage, later)?;
            // The shortest stages may begin and end between two looks: such a run proves nothing.
            for _ in 1..TRIES_MAX {
                if ran.exit == Exit::Signal(9) {
                    break;
                }
                ran = kill_in(lab, stage, later)?;
            }
            if ran.exit == Exit::Signal(9) {
                kills += 1;
            } else {
                missed.push(format!("{stage}"));
            }
            said.push_str(&ran.said);
            let wrong =
                ran.outcomes.unwrap_or_default().into_iter().find(|one| one != "cancelled" && one != "pass");
            if let Some(wrong) = wrong {
                return Ok(Err(format!(
                    "killed in {stage}, the record says {wrong}: {}",
                    ran.places.log.display()
                )));
            }
            if stage == Stage::Unpack && !has_damaged {
                has_damaged = damage_download(&ran.places.cache)?;
            }
        }
    }
    let clean = lab.run()?;
    if let Err(told) = clean.wants(Exit::Code(0), &["1 pass"]) {
        return Ok(Err(format!("after {kills} kills: {told}")));
    }
    if !has_damaged || !said.contains("downloaded again") {
        return Ok(Err("a download that was damaged between two runs was not noticed".into()));
    }
    let all: usize = KILLS.iter().map(|(_, count)| count).sum();
    let told = format!("{kills} of {all} killed, {:.0} s", begun.elapsed().as_secs_f64());
    Ok(if missed.is_empty() && kills == all {
        Ok(told)
    } else {
        Err(format!("{told}; not reached: {missed:?}"))
    })
}

/// A run that is killed in a stage, or ends before.
fn kill_in(lab: &Lab, stage: Stage, later: Duration) -> Result<Ran> {
    let running = lab.start(lab.places(), None)?;
    if await_stage(&running, stage)? {
        std::thread::sleep(later);
        // It may have ended just now.
        let _ = running.process.signal(Signal::KILL);
    }
    running.finish()
}

/// Waits until a run is in a stage; it may end before.
pub fn await_stage(running: &Running, stage: Stage) -> Result<bool> {
    let (lab, places) = (running.process.number(), &running.places);
    let (begun, temporary) = (Instant::now(), places.cache.join("tmp"));
    while begun.elapsed() < STAGE_DEADLINE && !running.process.has_ended()? {
        crate::sys::interrupt::check()?;
        if is_in(lab, stage, &temporary, &places.results) {
            return Ok(true);
        }
        std::thread::sleep(poll(stage));
    }
    Ok(false)
}

/// Damages the kept download; says whether there is one.
fn damage_download(cache: &Path) -> Result<bool> {
    for entry in fs::read_dir(cache.join("downloads"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "tarball") {
            flip_byte(&path)?;
            return Ok(true);
        }
    }
    Ok(false)
}
