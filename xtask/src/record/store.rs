// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where runs are kept: `results/<id>/run.json`, written as outcomes arrive.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::lab::patch::hex;
use crate::record::model::{Run, SCHEMA};

/// Name of the link to the newest run.
pub const LATEST: &str = "latest";

/// A time as RFC 3339, to the second, in UTC.
pub fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A new run id: the time, and four digits that tell two of the same second apart; none that `results` has.
pub fn new_id(results: &Path, time: SystemTime) -> String {
    let mut turn = 0_u64;
    loop {
        let id = nth_id(time, turn);
        if !results.join(&id).exists() {
            return id;
        }
        turn += 1;
    }
}

fn nth_id(time: SystemTime, turn: u64) -> String {
    let stamp: String = timestamp(time).chars().filter(char::is_ascii_alphanumeric).collect();
    let salt = format!("{:?} {} {turn}", time, std::process::id());
    format!("{stamp}-{}", &hex(&Sha256::digest(salt.as_bytes()))[..4])
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run and points `latest` at it.
    ///
    /// # Errors
    /// If `results` cannot be written.
    pub fn create(results: &Path, id: &str) -> Result<Self> {
        let path = results.join(id);
        let make = || -> Result<()> {
            fs::create_dir_all(results)?;
            fs::create_dir(&path)?;
            // A link appears by rename, so that a reader never finds it missing.
            let fresh = results.join(format!(".{LATEST}.{id}"));
            std::os::unix::fs::symlink(id, &fresh)?;
            fs::rename(&fresh, results.join(LATEST))?;
            Ok(())
        };
        make().map_err(|error| {
            Fault::infra(format!("making the run's folder {}: {error:#}", path.display()))
                .help("give another place with --results-dir DIR")
        })?;
        Ok(Self { path })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the record: a reader sees the old one or the new one, whole.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, run: &Run) -> Result<()> {
        let text = serde_json::to_vec_pretty(run).context("writing the record as JSON")?;
        write_atomically(&self.path.join("run.json"), &text).map_err(|error| {
            Fault::infra(format!("keeping the record: {error:#}"))
                .help("make room, or give another place with --results-dir DIR")
                .into()
        })
    }
}

/// Writes a file beside its place and renames it there. It is on the disk when this returns, under its name.
///
/// # Errors
/// If it cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    let write = || -> Result<()> {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        // Before the rename: else a crash of the machine could leave an empty file under the name.
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_folder(folder)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Removes a file that need not be there.
///
/// # Errors
/// If it is there and cannot be removed.
pub fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Has the disk know what a folder holds: what was renamed into it.
///
/// # Errors
/// If it cannot be written.
pub fn sync_folder(folder: &Path) -> Result<()> {
    Ok(fs::File::open(folder)?.sync_all()?)
}

/// Reads the record of a run: a folder, an id under `results`, `latest`, or the N-th before it, `latest~N`.
///
/// # Errors
/// A usage fault for what is no run.
pub fn read(results: &Path, name: &str) -> Result<(PathBuf, Run)> {
    let candidates = [results.join(name), PathBuf::from(name)];
    let folder = match candidates.iter().find(|folder| is_run(folder)) {
        Some(folder) => folder.clone(),
        None => earlier(results, name).ok_or_else(|| no_run(results, name))?,
    };
    let run = read_folder(&folder)?;
    Ok((folder, run))
}

fn no_run(results: &Path, name: &str) -> Fault {
    let why = match Path::new(name).is_dir() || results.join(name).is_dir() {
        true => "no run.json is in it",
        false => "no run.json is there",
    };
    Fault::usage(format!("`{}` is no run: {why}", name.escape_default())).help(format!(
        "runs are folders of {}; `latest` is the newest, `latest~1` the one before; `cargo xtask test` makes one",
        results.display()
    ))
}

/// Whether there is a record in a folder.
pub fn is_run(folder: &Path) -> bool {
    folder.join("run.json").is_file()
}

/// The folders of runs in a folder, the oldest first: their names begin with their time, and of those of one
/// second the records were written one after the other.
///
/// # Errors
/// If the folder cannot be read. One that is not there has no runs.
pub fn runs(results: &Path) -> Result<Vec<PathBuf>> {
    if !results.exists() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(results)? {
        let entry = entry?;
        // Not by links: `latest` is one of the others.
        if entry.file_type()?.is_dir() && is_run(&entry.path()) {
            folders.push(entry.path());
        }
    }
    folders.sort_by_cached_key(|folder| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let second = name.split('-').next().unwrap_or_default().to_owned();
        let written = fs::metadata(folder.join("run.json")).and_then(|metadata| metadata.modified());
        (second, written.ok(), name.into_owned())
    });
    Ok(folders)
}

/// The folder that `NAME~N` means: N runs before the one of that name.
fn earlier(results: &Path, name: &str) -> Option<PathBuf> {
    let (name, back) = name.rsplit_once('~')?;
    let from = fs::canonicalize(results.join(name)).ok()?;
    let folders = runs(results).ok()?;
    let at = folders.iter().position(|folder| folder.file_name() == from.file_name())?;
    folders.get(at.checked_sub(back.parse().ok()?)?).cloned()
}

/// Reads the record in a folder.
///
/// # Errors
/// A usage fault for what is no record of this lab.
pub fn read_folder(folder: &Path) -> Result<Run> {
    let path = folder.join("run.json");
    Ok(parse(&path, &fs::read(&path)?)?)
}

/// Reads the text of a record.
///
/// # Errors
/// As [`read_folder`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Run, Fault> {
    let no_record = |error| {
        Fault::usage(format!("{} is no record of this lab: {error}", path.display()))
            .help("it is damaged or of another program: leave it out, or run `cargo xtask test` again")
    };
    // First: what another schema has in its other fields is not known.
    let SchemaOnly { schema } = serde_json::from_slice(bytes).map_err(no_record)?;
    if schema != SCHEMA {
        let what = format!("{}: schema {schema} is not this lab's, which is {SCHEMA}", path.display());
        let help = "read it with the lab that wrote it, or run `cargo xtask test` again";
        return Err(Fault::usage(what).help(help));
    }
    serde_json::from_slice(bytes).map_err(no_record)
}

/// What is read of any record.
#[derive(Deserialize)]
struct SchemaOnly {
    schema: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_whose_folder_is_there_is_not_given_again() {
        let results = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH;
        let first = new_id(results.path(), now);
        fs::create_dir(results.path().join(&first)).unwrap();
        assert_ne!(new_id(results.path(), now), first);
    }
    use crate::record::model::RunState;
    use crate::record::sample;
    use std::time::Duration;

    #[test]
    fn ids_sort_by_time_and_look_as_documented() {
        let id = nth_id(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000), 0);
        assert!(id.starts_with("20231114T221320Z-"), "{id}");
        assert_eq!(id.len(), "20231114T221320Z-0000".len());
    }

    fn folder(results: &Path) -> RunFolder {
        RunFolder::create(results, "20270101T000000Z-abcd").unwrap()
    }

    #[test]
    fn a_run_comes_back_as_it_was_written_by_id_path_and_latest() {
        let results = tempfile::tempdir().unwrap();
        let folder = folder(results.path());
        for state in [RunState::Running, RunState::Complete, RunState::Cancelled, RunState::Failed] {
            let mut run = sample::run(vec![sample::passed(), sample::failed(), sample::let_down()]);
            (run.state, run.ended) = (state, run.ended.filter(|_| state != RunState::Running));
            folder.write(&run).unwrap();
            for name in ["20270101T000000Z-abcd", LATEST, &folder.path().to_string_lossy()] {
                assert_eq!(read(results.path(), name).unwrap().1, run, "{name}");
            }
        }
    }

    #[test]
    fn a_record_of_another_schema_is_refused_and_the_schema_named() {
        let results = tempfile::tempdir().unwrap();
        let folder = folder(results.path());
        let good = serde_json::to_value(sample::run(vec![sample::passed()])).unwrap();
        for schema in [0, SCHEMA + 1] {
            let mut same = good.clone();
            same["schema"] = schema.into();
            for other in [same, serde_json::json!({ "schema": schema, "boxes": [] })] {
                fs::write(folder.path().join("run.json"), other.to_string()).unwrap();
                let error = read(results.path(), LATEST).unwrap_err();
                assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE);
                let text = crate::fault::describe(&error);
                assert!(text.contains(&format!("schema {schema}")), "{text}");
            }
        }
    }

    #[test]
    fn a_record_that_is_cut_short_is_refused() {
        let results = tempfile::tempdir().unwrap();
        let folder = folder(results.path());
        let text = serde_json::to_string(&sample::run(vec![sample::failed()])).unwrap();
        for length in [0, 1, text.len() / 2, text.len() - 1] {
            fs::write(folder.path().join("run.json"), &text[..length]).unwrap();
            assert!(read(results.path(), LATEST).is_err(), "{length}");
        }
    }

    #[test]
    fn a_run_is_named_by_how_many_are_between() {
        let results = tempfile::tempdir().unwrap();
        let ids = ["20270101T000000Z-abcd", "20270102T000000Z-0000", "20270103T000000Z-1111"];
        for id in ids {
            let folder = RunFolder::create(results.path(), id).unwrap();
            folder.write(&Run { id: id.into(), ..sample::run(Vec::new()) }).unwrap();
        }
        fs::create_dir(results.path().join("20270102T100000Z-none")).unwrap();
        let id = |name: &str| read(results.path(), name).map(|(_, run)| run.id);
        assert_eq!(id("latest~0").unwrap(), ids[2]);
        assert_eq!(id("latest~1").unwrap(), ids[1]);
        assert_eq!(id("latest~2").unwrap(), ids[0]);
        assert_eq!(id(&format!("{}~1", ids[1])).unwrap(), ids[0]);
        for name in ["latest~3", "latest~", "latest~x", "latest~-1", "never~1", "~1", ""] {
            let error = id(name).unwrap_err();
            assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE, "{name}");
            assert!(crate::fault::describe(&error).contains("help: "), "{name}");
        }
        assert_eq!(runs(results.path()).unwrap().len(), 3);
        assert!(runs(&results.path().join("not there")).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_run_is_a_usage_fault() {
        let results = tempfile::tempdir().unwrap();
        let error = read(results.path(), "nothing").unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE);
        fs::create_dir(results.path().join("x")).unwrap();
        fs::write(results.path().join("x/run.json"), "{}").unwrap();
        assert!(read(results.path(), "x").is_err());
    }
    #[test]
    fn a_record_that_cannot_be_kept_is_the_hosts_fault_and_says_where_else() {
        let results = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(results.path(), "x").unwrap();
        fs::remove_dir_all(folder.path()).unwrap();
        let error = folder.write(&sample::run(Vec::new())).unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_INFRA);
        let told = crate::fault::describe(&error);
        assert!(told.contains("run.json") && told.contains("--results-dir DIR"), "{told}");
    }
}
