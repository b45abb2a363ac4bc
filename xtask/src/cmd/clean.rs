// SPDX-License-Identifier: MIT OR Apache-2.0
//! `clean`: what the cache and the results take, and how to get it back.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::cli::{CleanArgs, Cli};
use crate::cmd::session::Session;
use crate::fault::{self, Fault};
use crate::record::store::LATEST;
use crate::run::cache::{Kind, use_file};
use crate::run::git::Git;
use crate::run::import::family_in;
use crate::sys::lock;
use crate::tell;
use crate::tell::table::{Align, lay_out};

/// Runs the verb.
///
/// # Errors
/// If something cannot be removed.
pub fn run(cli: &Cli, args: &CleanArgs) -> Result<u8> {
    let session = Session::open(cli)?;
    let cache = session.cache_dir();
    let mut told = String::new();
    let _alone = alone(cache, args)?;
    if args.all {
        told.push_str(&remove_cache(cache)?);
    } else {
        if let Some(tree) = &args.tree {
            told.push_str(&remove_tree(cache, tree)?);
        }
        if let Some(span) = args.older_than {
            told.push_str(&remove_old_objects(cache, span)?);
        }
    }
    if let Some(keep) = args.keep_runs {
        told.push_str(&remove_old_runs(&session.results, keep)?);
    }
    told.push_str(&sizes(cache, &session.results));
    tell::print(&told);
    Ok(fault::EXIT_OK)
}

/// Nothing is removed from a cache that another lab uses.
fn alone(cache: &Path, args: &CleanArgs) -> Result<Option<std::fs::File>> {
    let removes = args.all || args.tree.is_some() || args.older_than.is_some();
    if !removes || !cache.join("CACHEDIR.TAG").is_file() {
        return Ok(None);
    }
    let file = use_file(cache)?;
    if file.try_lock().is_err() {
        return Err(Fault::infra(format!("another lab uses the cache {}", cache.display()))
            .help("try again when it has ended")
            .into());
    }
    Ok(Some(file))
}

/// Only a folder that carries our tag is removed as a whole.
fn remove_cache(cache: &Path) -> Result<String> {
    if !cache.exists() {
        return Ok(String::new());
    }
    let tag = fs::read_to_string(cache.join("CACHEDIR.TAG")).unwrap_or_default();
    if !tag.contains("seccomp-lab") {
        return Err(Fault::usage(format!(
            "{} is no cache of this lab: it has no CACHEDIR.TAG",
            cache.display()
        ))
        .help("remove it by hand if you are sure")
        .into());
    }
    fs::remove_dir_all(cache)?;
    Ok(format!("removed {}\n", cache.display()))
}

/// Forgets a tree and clears its objects out of the repository. The work tree of its family goes
/// with it: it is made again where another tree needs it.
fn remove_tree(cache: &Path, name: &str) -> Result<String> {
    let trees = folders(&cache.join("trees"));
    let tree_of = |folder: &Path| -> Option<(String, String)> {
        // NAME-DIGEST: several sources may have had the name.
        let slug = folder.file_name()?.to_string_lossy().into_owned();
        Some((slug.rsplit_once('-')?.0.to_owned(), slug.clone()))
    };
    let wait = |text: &str| tell::print_error(&format!("waiting {text}\n"));
    let git = Git::open(cache.join("repo.git"))?;
    let mut told = String::new();
    for folder in &trees {
        let Some((_, slug)) = tree_of(folder).filter(|(tree, _)| tree == name) else { continue };
        let _lock = lock::lock(&folder.join("lock"), &format!("tree {name}"), &wait)?;
        if let Some(work) =
            family_in(folder).map(|family| cache.join("work").join(family)).filter(|work| work.exists())
        {
            let _lock = lock::lock(&work.join("lock"), "the work tree", &wait)?;
            fs::remove_dir_all(&work)?;
            told.push_str(&format!("removed {}\n", work.display()));
        }
        git.try_with(&["update-ref", "-d", &format!("refs/lab/{slug}")], None, None, b"")?;
        fs::remove_dir_all(folder)?;
        told.push_str(&format!("removed {}\n", folder.display()));
    }
    if told.is_empty() {
        let known: Vec<String> = trees.iter().filter_map(|folder| Some(tree_of(folder)?.0)).collect();
        let fault = Fault::usage(format!("no tree `{name}` is in the cache"));
        return Err(fault.help(format!("there are: {}", known.join(", "))).into());
    }
    tell::print_error("clearing its objects out of the repository; this may take a minute\n");
    // What another lab has only just written has no name yet.
    git.run(&["prune", "--expire=1.hour.ago"])?;
    Ok(told)
}

fn remove_old_objects(cache: &Path, span: Duration) -> Result<String> {
    let before = SystemTime::now().checked_sub(span).context("a span before the beginning of time")?;
    let mut removed = 0;
    for kind in Kind::ALL {
        for folder in folders(&cache.join("objects").join(kind.folder())) {
            let used = fs::metadata(folder.join("digests.json")).and_then(|metadata| metadata.modified());
            if used.map_or(true, |used| used < before) {
                fs::remove_dir_all(&folder)?;
                removed += 1;
            }
        }
    }
    Ok(format!("stored objects removed: {removed}\n"))
}

fn remove_old_runs(results: &Path, keep: usize) -> Result<String> {
    let mut runs: Vec<PathBuf> =
        folders(results).into_iter().filter(|folder| folder.join("run.json").is_file()).collect();
    // Ids begin with the time, in seconds: of several runs in one only the link knows the newest.
    let newest = fs::canonicalize(results.join(LATEST)).ok();
    runs.sort_by_cached_key(|run| (fs::canonicalize(run).ok() == newest, run.clone()));
    let doomed = runs.len().saturating_sub(keep);
    for run in runs.iter().take(doomed) {
        fs::remove_dir_all(run)?;
    }
    if doomed > 0 && keep == 0 {
        fs::remove_file(results.join(LATEST)).context("removing the link to the newest run")?;
    }
    Ok(format!("runs removed: {doomed}\n"))
}

fn sizes(cache: &Path, results: &Path) -> String {
    let mut rows = vec![vec!["what".to_owned(), "size".to_owned(), "where".to_owned()]];
    let mut row = |what: &str, path: PathBuf| {
        if path.exists() {
            rows.push(vec![what.to_owned(), human(size(&path)), path.display().to_string()]);
        }
    };
    for folder in folders(cache) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.as_str() {
            // The large ones in their parts.
            "work" | "objects" => folders(&folder).into_iter().for_each(|part| {
                let part_name = part.file_name().unwrap_or_default().to_string_lossy().into_owned();
                row(&format!("{name}/{part_name}"), part);
            }),
            _ => row(&name, folder),
        }
    }
    row("cache in all", cache.to_owned());
    row("results", results.to_owned());
    lay_out(&rows, &[Align::Left, Align::Right, Align::Left])
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let entries = entries.filter_map(Result::ok);
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut found: Vec<PathBuf> = entries.filter(is_folder).map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn size(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        use std::os::unix::fs::MetadataExt;
        return metadata.blocks() * 512;
    }
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries.filter_map(Result::ok).map(|entry| size(&entry.path())).sum()
}

fn human(bytes: u64) -> String {
    let mib = bytes >> 20;
    if mib >= 1024 { format!("{:.1} GiB", mib as f64 / 1024.0) } else { format!("{mib} MiB") }
}
