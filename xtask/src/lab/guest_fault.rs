// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults that `selfcheck guests` plants in guests: `configs/faults.toml`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use fs_err as fs;
use regex::Regex;
use serde::Deserialize;

use crate::fault::{Fault, FaultKind};
use crate::lab::check::duration;
use crate::lab::files::read_toml;
use crate::lab::kernel::FlavorId;
use crate::lab::names::{MutantName, SeriesName};
use crate::lab::patch::Patch;
use crate::lab::provenance::SeriesProvenance;
use crate::lab::series::{Series, SeriesFacts, SeriesOrigin};
use crate::record::model::{CheckStatus, Outcome};

/// The list, in the lab's checkout.
pub const FILE: &str = "configs/faults.toml";

/// What is broken on purpose in one kernel, which its command line chooses from.
pub const KERNEL_PATCH: &str = "guest/faults/kernel.patch";

/// The program that misbehaves.
pub const PROGRAM: &str = "guest/faults/faults.c";

/// Longest that any of them may take, so that the suite ends in a few minutes.
const DEADLINE_MAX: Duration = Duration::from_secs(90);

/// Longest that one check of a faulty guest takes, if it does not say.
const CHECK: Duration = Duration::from_secs(10);

/// Where a fault is planted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Plant {
    /// In a check: arguments of [`PROGRAM`].
    Check(Vec<String>),
    /// In init, by the name that `guest/init/fault.h` has for it.
    Init(String),
    /// In a kernel of its own, by the name that [`KERNEL_PATCH`] has for it.
    Kernel(String),
    /// In the same kernel, when the faulty check wants it.
    KernelInCheck(String),
    /// In nothing but the kernel's command line.
    CommandLine(String),
    /// In the host.
    Host(KillAt),
}

/// When QEMU is killed behind the lab's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KillAt {
    /// As soon as it runs.
    KillAtBoot,
    /// When the second check begins.
    KillAtCheck,
}

/// `[[fault]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestFault {
    /// Its name.
    pub name: MutantName,
    /// What it is, in one line.
    pub what: String,
    /// Where it is planted.
    pub plant: Plant,
    /// The flavor whose guest has it.
    #[serde(default = "default_flavor")]
    pub flavor: String,
    /// More words for the kernel's command line.
    #[serde(default)]
    pub append: String,
    /// What the lab must call it.
    pub outcome: Outcome,
    /// The exit code that a run with this cell alone has.
    pub code: u8,
    /// Patterns, each of which a line of reason, excerpt or notes must fit; a pass may have none.
    #[serde(default)]
    pub shows: Vec<String>,
    /// The statuses of the checks: the one before the fault, the fault's, and the one after it.
    pub statuses: Vec<CheckStatus>,
    /// Time of the check that has the fault, in the guest.
    #[serde(default, deserialize_with = "some_duration")]
    pub check: Option<Duration>,
    /// Time to init's first record, if not that of lab.toml.
    #[serde(default, deserialize_with = "some_duration")]
    pub boot: Option<Duration>,
    /// Time that init has beyond a check's own, if not the usual.
    #[serde(default, deserialize_with = "some_duration")]
    pub grace: Option<Duration>,
    /// By when the guest must have ended, counted from its start.
    #[serde(deserialize_with = "duration")]
    pub deadline: Duration,
}

fn default_flavor() -> String {
    "x86_64".to_owned()
}

fn some_duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    fault: Vec<GuestFault>,
}

impl GuestFault {
    /// Whether a line of these fits each pattern; the first pattern that nothing fits.
    pub fn not_shown<'a>(&'a self, lines: &[&str]) -> Option<&'a str> {
        let fits = |pattern: &str| {
            Regex::new(pattern).is_ok_and(|pattern| lines.iter().any(|line| pattern.is_match(line)))
        };
        self.shows.iter().map(String::as_str).find(|pattern| !fits(pattern))
    }

    /// Time of the check that has the fault, in the guest.
    pub fn check_deadline(&self) -> Duration {
        self.check.unwrap_or(CHECK)
    }

    /// The words that it puts on the kernel's command line.
    pub fn command_line(&self) -> String {
        let own = match &self.plant {
            Plant::Kernel(name) => format!("lab_fault={name}"),
            Plant::CommandLine(words) => words.clone(),
            Plant::Check(_) | Plant::KernelInCheck(_) | Plant::Init(_) | Plant::Host(_) => String::new(),
        };
        format!("{own} {}", self.append).trim().to_owned()
    }

    /// The series that its cell is called after: on top of `required`, with the patch if its kernel has one.
    ///
    /// # Errors
    /// A usage fault if the patch cannot be read.
    pub fn series(&self, root: &Path, required: &SeriesName) -> Result<Series> {
        let path = root.join(KERNEL_PATCH);
        let patches = match &self.plant {
            Plant::Kernel(_) | Plant::KernelInCheck(_) => vec![
                Patch::parse("kernel.patch", fs::read(&path)?)
                    .with_context(|| format!("reading {}", path.display()))?,
            ],
            _ => Vec::new(),
        };
        let facts = SeriesFacts {
            title: format!("fault: {}", self.what),
            requires: Some(required.clone()),
            ..SeriesFacts::default()
        };
        Ok(Series {
            name: SeriesName::parse(&format!("fault-{}", self.name))?,
            origin: SeriesOrigin::AdHoc(path),
            facts,
            patches,
            provenance: SeriesProvenance::default(),
        })
    }

    fn validate(&self) -> Result<(), Fault> {
        let refuse = |why: String| Err(Fault::usage(format!("{FILE}: fault `{}`: {why}", self.name)));
        if self.what.trim().is_empty() || self.what.contains('\n') {
            return refuse("`what` is one line".into());
        }
        if self.outcome.exit_code() != self.code {
            return refuse(format!(
                "{} ends a run with {}, not {}",
                self.outcome.word(),
                self.outcome.exit_code(),
                self.code
            ));
        }
        if self.outcome != Outcome::Pass && self.shows.is_empty() {
            return refuse("`shows` is missing: only a pass needs none".into());
        }
        if let Some(bad) = self.shows.iter().find(|pattern| Regex::new(pattern).is_err()) {
            return refuse(format!("`{bad}` is no pattern"));
        }
        if !(2..=3).contains(&self.statuses.len()) {
            return refuse("`statuses` has one for the check before it, its own, and one after it".into());
        }
        if self.deadline > DEADLINE_MAX {
            return refuse(format!("a deadline of more than {}s", DEADLINE_MAX.as_secs()));
        }
        if let Plant::Init(name) | Plant::Kernel(name) | Plant::KernelInCheck(name) = &self.plant
            && !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        {
            return refuse(format!("`{name}` is no name: lower case letters and `-`"));
        }
        FlavorId::parse(&self.flavor).map(|_| ())
    }
}

/// All of the faults.
///
/// # Errors
/// A usage fault that names the entry.
pub fn read(root: &Path) -> Result<Vec<GuestFault>> {
    let path = root.join(FILE);
    let text = read_toml(&path)?;
    parse(&text).map_err(|fault| fault.within(&format!("reading {}", path.display())).into())
}

/// Reads the text of the list.
///
/// # Errors
/// As [`read`].
pub(crate) fn parse(text: &str) -> Result<Vec<GuestFault>, Fault> {
    let file: File = toml::from_str(text).map_err(|error| Fault::usage(error.to_string()))?;
    let mut names = BTreeSet::new();
    for fault in &file.fault {
        fault.validate()?;
        if !names.insert(fault.name.clone()) {
            return Err(Fault::usage(format!("{FILE}: fault `{}` is there twice", fault.name)));
        }
    }
    if file.fault.is_empty() {
        return Err(Fault::new(FaultKind::Usage, format!("{FILE}: no fault is declared")));
    }
    Ok(file.fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [[fault]]
        name = "panic"
        what = "the kernel panics"
        plant = { check = ["provoke", "PANIC"] }
        outcome = "crashed"
        code = 104
        shows = ['^Kernel panic']
        statuses = ["pass", "fail", "not-run"]
        deadline = "20s"
    "#;

    #[test]
    fn the_shipped_faults_are_thirty_or_more() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let faults = read(&root).unwrap();
        assert!(faults.len() >= 30, "{} faults", faults.len());
        for fault in &faults {
            fault.series(&root, &SeriesName::parse("s").unwrap()).unwrap();
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert_eq!(parse(GOOD).unwrap().len(), 1);
        for (from, to, why) in [
            ("104", "105", "ends a run with 104"),
            ("['^Kernel panic']", "[]", "`shows`"),
            ("^Kernel", "(", "no pattern"),
            ("20s", "20min", "deadline"),
            (", \"not-run\"]", ", \"not-run\", \"pass\"]", "`statuses`"),
            ("check = [\"provoke\", \"PANIC\"]", "init = \"A B\"", "no name"),
            ("code", "cod", "cod"),
        ] {
            let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(why), "{to}: {error}");
        }
        assert!(parse(&GOOD.repeat(2)).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn each_pattern_needs_a_line() {
        let fault = &parse(GOOD).unwrap()[0];
        assert_eq!(fault.not_shown(&["x", "Kernel panic - not syncing"]), None);
        assert_eq!(fault.not_shown(&["a Kernel panic"]), Some("^Kernel panic"));
    }
}
