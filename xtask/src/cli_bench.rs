// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flags of `bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::{AxisArgs, RunArgs};

/// The longest chain that one can ask for: more than any kernel admits.
const FILTERS_MAX: i64 = 8192;

/// Flags of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Which cells.
    #[command(flatten)]
    pub axes: AxisArgs,
    /// Also measure the tree without the series, and hold the series' figures against it.
    #[arg(long)]
    pub baseline: bool,
    /// Measure each patch of the series on top of those before it.
    #[arg(long)]
    pub every_patch: bool,
    /// The longest chain of cached filters: all lengths up to 8, then the double each time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=FILTERS_MAX))]
    pub filters: u16,
    /// Say which functions of the kernel the instructions are of, for a few calls, instead of measuring all.
    #[arg(long, conflicts_with_all = ["save", "against", "real_time"])]
    pub profile: bool,
    /// Make the 200,000,000 calls of the published table, in real time and under KVM.
    #[arg(long, conflicts_with_all = ["save", "against", "baseline", "every_patch"])]
    pub real_time: bool,
    /// Keep the figures in configs/bench/NAME.toml, with the compiler and the config.
    #[arg(long, value_name = "NAME")]
    pub save: Option<String>,
    /// Hold the figures against those kept as NAME: equal to the instruction, or the run fails.
    #[arg(long, value_name = "NAME")]
    pub against: Option<String>,
    /// How to print the figures. Anything but `text` leaves standard output to them alone.
    #[arg(long, value_enum, default_value_t = BenchFormat::Text)]
    pub format: BenchFormat,
    /// Where the picture goes as well; it is always kept in the run's folder as bench.svg.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// How to run them.
    #[command(flatten)]
    pub run: RunArgs,
}

/// How `bench` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchFormat {
    /// For people, at a terminal.
    Text,
    /// For a cover letter.
    Markdown,
    /// For programs: figures by cell and name.
    Json,
}
