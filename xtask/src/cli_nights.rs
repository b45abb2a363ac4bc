// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flags of the verbs that work on records alone.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::ReadingArgs;

/// Flags of `diff`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 if nothing is worse, 100 if something is.")]
pub struct DiffArgs {
    /// The older run: an id, a folder, `latest`, or `latest~1` for the one before it.
    #[arg(value_name = "RUN")]
    pub older: String,
    /// The newer run.
    #[arg(value_name = "RUN")]
    pub newer: String,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
}

/// How `diff` and `trend` print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Text,
    /// For a step summary or a mail.
    Markdown,
    /// For programs.
    Json,
}

/// Flags of `trend`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0, or 100 if a result changes its mind on the same kernel.")]
pub struct TrendArgs {
    /// How many runs of each cell to look at.
    #[arg(value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub count: u16,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
}

/// Flags of `merge`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: that of the worst cell; 105 if a planned cell has no verdict, or a shard is missing or did not end."
)]
pub struct MergeArgs {
    /// Folders of runs, or folders with such folders in them.
    #[arg(value_name = "DIR", required = true)]
    pub shards: Vec<PathBuf>,
    /// The cells that must be there: a file that `list --format json` or `--format github` has printed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["matrix", "tree", "series", "flavor", "check", "cell", "every_patch", "baseline"])]
    pub plan: Option<PathBuf>,
    /// The cells and checks that must be there: a matrix of lab.toml.
    #[arg(long, value_name = "MATRIX")]
    pub matrix: Option<String>,
    /// The trees of the shards, as they were given to `test`.
    #[arg(long, value_name = "TREE")]
    pub tree: Vec<String>,
    /// Their series.
    #[arg(long, value_name = "SERIES")]
    pub series: Vec<String>,
    /// How those were read and placed.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Their flavors.
    #[arg(long, value_name = "FLAVOR")]
    pub flavor: Vec<String>,
    /// Their checks.
    #[arg(long, value_name = "CHECK")]
    pub check: Vec<String>,
    /// Their cells: ids or globs.
    #[arg(long, value_name = "CELL_GLOB")]
    pub cell: Vec<String>,
    /// The shards were of `test --every-patch`: every point must be there.
    #[arg(long)]
    pub every_patch: bool,
    /// The shards were of `test --baseline`: the points without patches must be there.
    #[arg(long)]
    pub baseline: bool,
}

impl MergeArgs {
    /// Whether a selection is given that the merged record has to fill.
    pub fn has_selection(&self) -> bool {
        self.matrix.is_some()
            || self.every_patch
            || self.baseline
            || [&self.tree, &self.series, &self.flavor, &self.check, &self.cell]
                .iter()
                .any(|given| !given.is_empty())
    }
}

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run: an id, a folder, or `latest`.
    #[arg(default_value = crate::record::store::LATEST)]
    pub run: String,
    /// Which report.
    #[arg(long, value_enum, default_value_t = ReportFormat::Summary)]
    pub format: ReportFormat,
}

/// Reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// The table and the failures, as `test` ends with.
    Summary,
    /// Every sub-result.
    Full,
    /// JUnit XML.
    Junit,
    /// KTAP.
    Ktap,
    /// Markdown.
    Markdown,
    /// A paragraph for a reply to the mailing list.
    Reply,
    /// The record itself.
    Json,
}
