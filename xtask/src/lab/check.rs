// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks, as `lab.toml` declares them.

use std::time::Duration;

use seccomp_oracle::bench::Part;
use serde::{Deserialize, Deserializer};

use crate::fault::Fault;
use crate::lab::names::CheckName;
use crate::lab::static_check::{FilePattern, Method};

/// One named thing with sub-results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `CHECK` or `CHECK.SUB`.
    pub name: CheckName,
    /// How it is made and judged.
    pub kind: CheckKind,
    /// Arguments of the program.
    pub args: Vec<String>,
    /// More arguments for the compiler.
    pub cflags: Vec<String>,
    /// Libraries that are linked where the source includes their header.
    pub libraries: Vec<Library>,
    /// Config symbols, without `CONFIG_`, without which the check is absent.
    pub requires: Vec<String>,
    /// Time it may take in the guest.
    pub deadline: Duration,
}

/// How a check is made and judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckKind {
    /// A program of the tree under test: `tools/testing/selftests/<target>/<binary>.c`.
    Kselftest {
        /// The selftest collection.
        target: String,
        /// The program.
        binary: String,
        /// What its results are taken from.
        plan: PlanSource,
    },
    /// A program of `guest/` that prints KTAP.
    Program {
        /// Its C source.
        source: String,
    },
    /// A program of `guest/` whose answer is compared with a model on the host.
    Oracle {
        /// Its C source.
        source: String,
        /// The model and what it asks.
        oracle: Oracle,
    },
    /// Looks at sources or objects on the host; needs no boot.
    Static {
        /// What must be there for the check to have a subject.
        applies: Vec<FilePattern>,
        /// How it is made.
        method: Method,
    },
}

/// What the results of a program are taken from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanSource {
    /// KTAP on its standard output: a plan, and a line for each sub-test.
    #[default]
    Ktap,
    /// Its exit code alone, for the kernel's older programs that print no plan: one sub-result.
    ExitCode,
}

/// A model that judges on the host, and what it asks the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oracle {
    /// `/proc/<pid>/seccomp_cache` of chains made by hand, against the model of the walk.
    Cache,
    /// The same of filters that people run: `configs/profiles/`.
    Profiles,
    /// The same of chains made by chance.
    Random(RandomChains),
    /// The same of a file of chains: what `fuzz --replay` was given. Not in `lab.toml`.
    Kept(std::path::PathBuf),
    /// Calls that the first chain of a file denies, made for real. Not in `lab.toml` either.
    Witnesses(std::path::PathBuf),
    /// Calls that are made for real under chains, against the interpreter.
    Behaviour,
    /// What calls and attaching cost, in instructions: only where those are counted.
    Bench(Part),
}

/// Which chains of a sequence; a chain depends on the seed and its place alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomChains {
    /// What the sequence is made of.
    pub seed: u64,
    /// The first chain, from 0.
    pub first: u64,
    /// How many chains.
    pub count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum OracleName {
    #[serde(rename = "seccomp-cache")]
    Cache,
    #[serde(rename = "seccomp-profiles")]
    Profiles,
    #[serde(rename = "seccomp-random")]
    Random,
    #[serde(rename = "seccomp-behaviour")]
    Behaviour,
    #[serde(rename = "seccomp-bench")]
    Bench,
}

/// A library that a program of newer trees needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Library {
    /// As in `-lNAME`.
    pub name: String,
    /// Linked if the source has `#include <HEADER>`.
    pub header: String,
    /// The Debian package with the static library, for the guest's architecture.
    pub package: String,
}

/// `[check.NAME]` as it stands in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCheck {
    kind: KindName,
    target: Option<String>,
    binary: Option<String>,
    plan: Option<PlanSource>,
    program: Option<String>,
    oracle: Option<OracleName>,
    seed: Option<u64>,
    chains: Option<u64>,
    #[serde(default, deserialize_with = "part")]
    part: Option<Part>,
    #[serde(rename = "static")]
    method: Option<Method>,
    #[serde(default)]
    applies: Vec<FilePattern>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    cflags: Vec<String>,
    #[serde(default)]
    library: Vec<Library>,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(deserialize_with = "duration")]
    deadline: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KindName {
    Kselftest,
    Program,
    Oracle,
    Static,
}

impl RawCheck {
    /// Gives the check its kind, and refuses fields that do not belong to it.
    ///
    /// # Errors
    /// A usage fault that names the field.
    pub fn into_check(self, name: CheckName) -> Result<Check, Fault> {
        let is_random = self.oracle == Some(OracleName::Random);
        // Each field, whether it was given, and whether it belongs to the kind.
        let (is_kselftest, is_oracle) = (self.kind == KindName::Kselftest, self.kind == KindName::Oracle);
        let is_static = self.kind == KindName::Static;
        let fields = [
            ("target", self.target.is_some(), is_kselftest),
            ("binary", self.binary.is_some(), is_kselftest),
            ("plan", self.plan.is_some(), is_kselftest),
            ("program", self.program.is_some(), !is_kselftest && !is_static),
            ("oracle", self.oracle.is_some(), is_oracle),
            ("seed", self.seed.is_some(), is_random),
            ("chains", self.chains.is_some(), is_random),
            ("part", self.part.is_some(), self.oracle == Some(OracleName::Bench)),
            ("static", self.method.is_some(), is_static),
            ("applies", !self.applies.is_empty(), is_static),
            ("args", !self.args.is_empty(), !is_static),
            ("cflags", !self.cflags.is_empty(), !is_static),
            ("library", !self.library.is_empty(), !is_static),
        ];
        let mut stray = fields.iter().filter(|(_, given, belongs)| *given && !belongs);
        if let Some((field, _, _)) = stray.next() {
            return Err(Fault::usage(format!(
                "check `{name}`: `{field}` does not belong to kind {:?}",
                self.kind
            )));
        }
        let missing = |field: &str| Fault::usage(format!("check `{name}`: `{field}` is missing"));
        let oracle = self.oracle.map(|oracle| self.oracle(oracle, &missing));
        let kind = match self.kind {
            KindName::Kselftest => CheckKind::Kselftest {
                target: self.target.ok_or_else(|| missing("target"))?,
                binary: self.binary.ok_or_else(|| missing("binary"))?,
                plan: self.plan.unwrap_or_default(),
            },
            KindName::Program => {
                CheckKind::Program { source: self.program.ok_or_else(|| missing("program"))? }
            }
            KindName::Oracle => CheckKind::Oracle {
                source: self.program.ok_or_else(|| missing("program"))?,
                oracle: oracle.ok_or_else(|| missing("oracle"))??,
            },
            KindName::Static => CheckKind::Static {
                method: self.method.ok_or_else(|| missing("static"))?,
                applies: self.applies,
            },
        };
        for pattern in kind.patterns() {
            if let Err(error) = regex::Regex::new(pattern) {
                return Err(Fault::usage(format!("check `{name}`: `{pattern}` is no pattern: {error}")));
            }
        }
        if let Some(bad) = kind.words().into_iter().find(|word| !is_plain(word)) {
            return Err(Fault::usage(format!("check `{name}`: `{bad}` is no plain relative path")));
        }
        Ok(Check {
            name,
            kind,
            args: self.args,
            cflags: self.cflags,
            libraries: self.library,
            requires: self.requires,
            deadline: self.deadline,
        })
    }
}

impl RawCheck {
    /// The model, with what it needs.
    fn oracle(&self, name: OracleName, missing: &dyn Fn(&str) -> Fault) -> Result<Oracle, Fault> {
        Ok(match name {
            OracleName::Cache => Oracle::Cache,
            OracleName::Profiles => Oracle::Profiles,
            OracleName::Behaviour => Oracle::Behaviour,
            OracleName::Bench => Oracle::Bench(self.part.ok_or_else(|| missing("part"))?),
            OracleName::Random => Oracle::Random(RandomChains {
                seed: self.seed.ok_or_else(|| missing("seed"))?,
                first: 0,
                count: self.chains.ok_or_else(|| missing("chains"))?,
            }),
        })
    }
}

impl CheckKind {
    fn words(&self) -> Vec<&str> {
        match self {
            CheckKind::Kselftest { target, binary, .. } => vec![target, binary],
            CheckKind::Program { source } | CheckKind::Oracle { source, .. } => vec![source],
            CheckKind::Static { applies, method } => {
                applies.iter().map(|one| one.file.as_str()).chain(method.paths()).collect()
            }
        }
    }

    fn patterns(&self) -> Vec<&str> {
        match self {
            CheckKind::Static { applies, method } => {
                applies.iter().map(|one| one.pattern.as_str()).chain(method.patterns()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The name of the program in the guest; static checks have none.
    pub fn binary(&self) -> &str {
        match self {
            CheckKind::Static { .. } => "",
            CheckKind::Kselftest { binary, .. } => binary,
            CheckKind::Program { source } | CheckKind::Oracle { source, .. } => {
                let file = source.rsplit('/').next().unwrap_or(source);
                file.strip_suffix(".c").unwrap_or(file)
            }
        }
    }
}

fn is_plain(path: &str) -> bool {
    crate::lab::patch::is_safe(path) && !path.contains(char::is_whitespace)
}

/// Reads what a check of the oracle `seccomp-bench` measures.
fn part<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Part>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let names: Vec<&str> = Part::ALL.iter().map(|(name, _)| *name).collect();
    let found = Part::ALL.iter().find(|(name, _)| *name == text).map(|(_, part)| *part);
    found.map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "`{text}` is nothing to measure: one of {} is wanted",
            names.join(", ")
        ))
    })
}

/// Reads `"120s"`, `"5min"`.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|error| {
        serde::de::Error::custom(format!("`{text}` is no time span such as \"120s\" or \"5min\": {error}"))
    })
}
