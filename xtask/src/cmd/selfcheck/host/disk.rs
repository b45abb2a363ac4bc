// SPDX-License-Identifier: MIT OR Apache-2.0
//! Disks that are full, or can only be read, and a network that is cut.

use std::time::Instant;

use anyhow::Result;
use fs_err as fs;

use super::kills::await_stage;
use super::lab::{Lab, Mounted, Places, Ran};
use super::stage::Stage;
use crate::sys::process::{Exit, Signal, tail};

/// What is wanted of a network that is cut.
pub const CUT_WANTED: &str =
    "a download that is cut off is the lab's trouble (105), and the next run goes on from it";
/// What is wanted of a full cache.
pub const CACHE_WANTED: &str =
    "a full disk in a download, a build and the store is the lab's trouble (105), never a verdict";
/// What is wanted of full results.
pub const RESULTS_WANTED: &str = "full results are the lab's trouble (105), never a verdict";
/// What is wanted of results that can only be read.
pub const READ_ONLY_WANTED: &str =
    "results that can only be read are the lab's trouble (105), told before anything is built";

const INFRA: Exit = Exit::Code(105);

/// A network that is cut in a download.
///
/// # Errors
/// Trouble of this lab's own.
pub fn cut_download(lab: &Lab) -> Result<Result<String, String>> {
    let begun = Instant::now();
    let places = Places { cache: other_cache(lab)?, ..lab.places() };
    lab.server.cut(true);
    let ran = lab.start(places.clone(), None).and_then(super::lab::Running::finish);
    lab.server.cut(false);
    let ran = ran?;
    let part = std::fs::read_dir(places.cache.join("downloads"))?
        .filter_map(Result::ok)
        .find(|entry| entry.path().extension().is_some_and(|end| end == "part"));
    let kept = part.and_then(|part| part.metadata().ok()).map_or(0, |metadata| metadata.len());
    if let Err(told) = ran.wants(INFRA, &["downloading http://127.0.0.1:", "1 infra"]) {
        return Ok(Err(told));
    }
    if kept == 0 {
        return Ok(Err("nothing was kept of the download".into()));
    }
    // What comes after the download is for other cases.
    let before = lab.server.begins().len();
    let next = lab.start(Places { cache: places.cache, ..lab.places() }, None)?;
    let is_whole = await_stage(&next, Stage::Unpack)?;
    // It may have ended just now.
    let _ = next.process.signal(Signal::KILL);
    let next = next.finish()?;
    let begins = lab.server.begins().split_off(before);
    if !is_whole || begins != [kept] {
        let end = tail(&next.said, 600).replace('\n', "; ");
        return Ok(Err(format!("{kept} bytes were kept, and the next run began at {begins:?}: {end}")));
    }
    let (mib, seconds) = (kept as f64 / f64::from(1 << 20), begun.elapsed().as_secs_f64());
    Ok(Ok(format!("{mib:.1} MiB kept, and no more fetched than was missing, {seconds:.0} s")))
}

/// A disk that is full, in three places of the cache.
///
/// # Errors
/// Trouble of this lab's own.
pub fn full_cache(lab: &Lab) -> Result<Result<String, String>> {
    if let Err(why) = Lab::can_mount()? {
        return Ok(Err(why));
    }
    let begun = Instant::now();
    let places = Places { cache: other_cache(lab)?, ..lab.places() };
    let cache = places.cache.clone();
    let ran = lab.run_with(places, &Mounted { at: &cache, options: "size=8m" })?;
    if let Err(told) = no_verdict(&ran) {
        return Ok(Err(format!("in a download: {told}")));
    }
    for (at, size, what) in [("work/5.10/build", "size=6m", "a build"), ("objects", "size=1m", "the store")] {
        lab.change()?;
        let places = lab.places();
        let at = places.cache.join(at);
        let ran = lab.run_with(places, &Mounted { at: &at, options: size })?;
        if let Err(told) = no_verdict(&ran) {
            return Ok(Err(format!("in {what}: {told}")));
        }
    }
    after(lab, begun)
}

/// Results on a full disk.
///
/// # Errors
/// Trouble of this lab's own.
pub fn full_results(lab: &Lab) -> Result<Result<String, String>> {
    if let Err(why) = Lab::can_mount()? {
        return Ok(Err(why));
    }
    let begun = Instant::now();
    // All files of such a run take about 160k.
    for size in ["size=4k", "size=64k", "size=100k", "size=132k"] {
        let places = lab.places();
        let results = places.results.clone();
        let ran = lab.run_with(places, &Mounted { at: &results, options: size })?;
        if let Err(told) = ran.wants(INFRA, &[]) {
            return Ok(Err(format!("{size}: {told}")));
        }
    }
    after(lab, begun)
}

/// Results that can only be read.
///
/// # Errors
/// Trouble of this lab's own.
pub fn read_only_results(lab: &Lab) -> Result<Result<String, String>> {
    if let Err(why) = Lab::can_mount()? {
        return Ok(Err(why));
    }
    let begun = Instant::now();
    let places = lab.places();
    let results = places.results.clone();
    let ran = lab.run_with(places, &Mounted { at: &results, options: "ro" })?;
    if let Err(told) = ran.wants(INFRA, &["making the run's folder", "--results-dir DIR"]) {
        return Ok(Err(told));
    }
    Ok(Ok(format!("{:.0} s", begun.elapsed().as_secs_f64())))
}

/// Nothing, if the run ended for want of disk and gave no verdict.
fn no_verdict(ran: &Ran) -> Result<(), String> {
    ran.wants(INFRA, &[])?;
    match ran.outcomes.iter().flatten().find(|one| *one != "infra" && *one != "cancelled") {
        Some(wrong) => Err(format!("the record says {wrong}")),
        None => Ok(()),
    }
}

/// With room again a run passes.
fn after(lab: &Lab, begun: Instant) -> Result<Result<String, String>> {
    let ran = lab.run()?;
    Ok(match ran.wants(Exit::Code(0), &["1 pass"]) {
        Err(told) => Err(format!("with room again: {told}")),
        Ok(()) => Ok(format!("{:.0} s", begun.elapsed().as_secs_f64())),
    })
}

/// A cache with nothing in it.
fn other_cache(lab: &Lab) -> Result<std::path::PathBuf> {
    let folder = lab.places().cache.with_file_name("other-cache");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
