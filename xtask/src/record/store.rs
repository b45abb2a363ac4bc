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

/// A new run id: the time, and four digits that tell two of the same second apart.
pub fn new_id(time: SystemTime) -> String {
    let stamp: String = timestamp(time).chars().filter(char::is_ascii_alphanumeric).collect();
    let salt = format!("{:?} {}", time, std::process::id());
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
        write_atomically(&self.path.join("run.json"), &text)
    }
}

/// Writes a file beside its place and renames it there.
///
/// # Errors
/// If it cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Reads the record of a run: a folder, an id under `results`, or `latest`.
///
/// # Errors
/// A usage fault for what is no run.
pub fn read(results: &Path, name: &str) -> Result<(PathBuf, Run)> {
    let candidates = [results.join(name), PathBuf::from(name)];
    let folder = candidates.iter().find(|folder| folder.join("run.json").is_file());
    let Some(folder) = folder else {
        return Err(Fault::usage(format!("`{}` is no run: no run.json is there", name.escape_default()))
            .help(format!("runs are folders of {}; `latest` is the newest", results.display()))
            .into());
    };
    let path = folder.join("run.json");
    let bytes = fs::read(&path)?;
    let no_record = |error| Fault::usage(format!("{} is no record of this lab: {error}", path.display()));
    // First: what another schema has in its other fields is not known.
    let SchemaOnly { schema } = serde_json::from_slice(&bytes).map_err(no_record)?;
    if schema != SCHEMA {
        let what = format!("{}: schema {schema} is not this lab's, which is {SCHEMA}", path.display());
        return Err(Fault::usage(what).into());
    }
    let run = serde_json::from_slice(&bytes).map_err(no_record)?;
    Ok((folder.clone(), run))
}

/// What is read of any record.
#[derive(Deserialize)]
struct SchemaOnly {
    schema: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::RunState;
    use crate::record::sample;
    use std::time::Duration;

    #[test]
    fn ids_sort_by_time_and_look_as_documented() {
        let id = new_id(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
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
    fn what_is_no_run_is_a_usage_fault() {
        let results = tempfile::tempdir().unwrap();
        let error = read(results.path(), "nothing").unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE);
        fs::create_dir(results.path().join("x")).unwrap();
        fs::write(results.path().join("x/run.json"), "{}").unwrap();
        assert!(read(results.path(), "x").is_err());
    }
}
