// SPDX-License-Identifier: MIT OR Apache-2.0
//! Labs that share a cache, and a user who has no patience.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::kills::await_stage;
use super::lab::{Lab, Running, statuses};
use super::stage::Stage;
use crate::sys::process::{Exit, Signal};

/// What is wanted of labs at once.
pub const TOGETHER_WANTED: &str = "four labs at once on one cache build once, and say what one says";
/// What is wanted of two interrupts.
pub const TWICE_WANTED: &str = "Ctrl-C twice ends a lab at once (130) and leaves nothing behind";

/// Labs at once.
const LABS: usize = 4;

/// Time between the two interrupts, and most that the end may take.
const BETWEEN: Duration = Duration::from_millis(30);
const END_DEADLINE: Duration = Duration::from_secs(10);

/// Four labs, and none of them has the kernel yet.
///
/// # Errors
/// Trouble of this lab's own.
pub fn four_at_once(lab: &Lab) -> Result<Result<String, String>> {
    let begun = Instant::now();
    lab.change()?;
    let running: Vec<Running> = (0..LABS).map(|_| lab.start(lab.places(), None)).collect::<Result<_>>()?;
    let mut told = Vec::new();
    let mut built = 0;
    // All of them first: what is left behind is looked for when none runs any more.
    let ended = running.into_iter().map(Running::finish).collect::<Result<Vec<_>>>()?;
    for ran in &ended {
        if let Err(told) = ran.wants(Exit::Code(0), &["1 pass"]) {
            return Ok(Err(told));
        }
        built += ran.said.matches("       BUILT").count();
        told.push(statuses(&ran.places.results)?);
    }
    let alone = statuses(&lab.run()?.places.results)?;
    if alone.is_empty() || told.iter().any(|one| *one != alone) {
        return Ok(Err("they do not say what one alone says".into()));
    }
    if built != 1 {
        return Ok(Err(format!("{built} of them have built the kernel")));
    }
    Ok(Ok(format!("{} results each, {:.0} s", alone.len(), begun.elapsed().as_secs_f64())))
}

/// Two interrupts, in a build and in a guest.
///
/// # Errors
/// Trouble of this lab's own.
pub fn interrupt_twice(lab: &Lab) -> Result<Result<String, String>> {
    let begun = Instant::now();
    lab.change()?;
    for stage in [Stage::Make, Stage::Guest] {
        let running = lab.start(lab.places(), None)?;
        if !await_stage(&running, stage)? {
            return Ok(Err(format!("it never came to {stage}")));
        }
        let interrupted = Instant::now();
        running.process.signal(Signal::INT)?;
        std::thread::sleep(BETWEEN);
        // It may be gone already.
        let _ = running.process.signal(Signal::INT);
        let ran = running.finish()?;
        if let Err(told) = ran.wants(Exit::Code(130), &["interrupted"]) {
            return Ok(Err(format!("in {stage}: {told}")));
        }
        if interrupted.elapsed() > END_DEADLINE {
            return Ok(Err(format!("in {stage}: it took {:.0} s", interrupted.elapsed().as_secs_f64())));
        }
        // The next stage needs what this one was to make.
        if let Err(told) = lab.run()?.wants(Exit::Code(0), &["1 pass"]) {
            return Ok(Err(format!("after {stage}: {told}")));
        }
    }
    Ok(Ok(format!("{:.0} s", begun.elapsed().as_secs_f64())))
}
