// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flags of the verbs that take a series apart or bring one in.

use clap::{Args, ValueEnum};

use crate::cli::{ReadingArgs, RunArgs};
use crate::lab::mail::Choice;

/// Flags of `bisect`.
#[derive(Debug, Args)]
pub struct BisectArgs {
    /// The check: CHECK, a family of checks, or CHECK.SUB for one sub-result.
    #[arg(long, value_name = "CHECK")]
    pub check: String,
    /// The flavor [default: the first of lab.toml].
    #[arg(long, value_name = "FLAVOR")]
    pub flavor: Option<String>,
    /// A tree of lab.toml, path=DIR, or NAME=path:DIR.
    #[arg(long, value_name = "TREE")]
    pub tree: Option<String>,
    /// The series, as `test` takes it.
    #[arg(long, value_name = "SERIES")]
    pub series: Option<String>,
    /// How a series that is given ad hoc is read and placed.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// The check passes with N patches: nothing before is asked.
    #[arg(long, value_name = "N")]
    pub good: Option<usize>,
    /// The check does not pass with N patches: nothing after is asked.
    #[arg(long, value_name = "N")]
    pub bad: Option<usize>,
    /// Look for the patch that makes the check pass: `--bad` comes before `--good`. Without any of the three, a
    /// change in either direction is found.
    #[arg(long)]
    pub fixed: bool,
    /// Ask each point K times; it is bad if one run is.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Take the patches that are put on every point from this series, which is known to be good: an earlier
    /// version, say. Then they are not to blame. The series' own are put on it otherwise.
    #[arg(long, value_name = "SERIES", conflicts_with = "no_overlay")]
    pub overlay_from: Option<String>,
    /// Put no patches on every point, whatever series.toml says.
    #[arg(long)]
    pub no_overlay: bool,
    /// How to run them.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Flags of `selfcheck`.
#[derive(Debug, Args)]
pub struct SelfcheckArgs {
    /// Which suite; default: all of them.
    #[arg(value_enum)]
    pub suite: Option<SelfcheckSuite>,
    /// Only cases with these names; `*` stands for any text.
    #[arg(value_name = "GLOB")]
    pub names: Vec<String>,
    /// Show the cases, and do nothing.
    #[arg(long)]
    pub list: bool,
    /// How to run them.
    #[command(flatten)]
    pub run: RunArgs,
}

impl SelfcheckSuite {
    /// As the command line has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bisect => "bisect",
            Self::Host => "host",
            Self::Guests => "guests",
        }
    }
}

/// Suites of `selfcheck`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SelfcheckSuite {
    /// Faults in patches of the series, and in a git history.
    Bisect,
    /// Labs that are killed, full disks, damaged caches.
    Host,
    /// Kernels and guests that are broken on purpose.
    Guests,
}

/// Flags of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// An mbox, a folder of patches, or commits: git:[DIR:]BASE..HEAD; with @N or @A-B, some of its patches.
    pub source: String,
    /// What to call it [default: as the file, folder or branch is called].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The tree of lab.toml that it was written for.
    #[arg(long, value_name = "TREE")]
    pub tree: Option<String>,
    /// Which series of an mbox: a version, v4, or the message id of one of its mails [default: the newest].
    #[arg(long, value_name = "V")]
    pub series_version: Option<Choice>,
}

/// Flags of `check-patch`.
#[derive(Debug, Args)]
pub struct CheckPatchArgs {
    /// What the patch has to apply to: a tree of lab.toml, path=DIR, or NAME=path:DIR [default: the commits
    /// of the git repository that it is run in].
    #[arg(long, value_name = "TREE")]
    pub tree: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = CheckPatchFormat::Json)]
    pub format: CheckPatchFormat,
}

/// How `check-patch` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckPatchFormat {
    /// An array of results: what `b4 review` reads.
    Json,
    /// A line for each remark and none for a pass: what `b4 prep --check` and `b4 am` read.
    Lines,
}
