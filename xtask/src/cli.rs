// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flags: the command line as a type.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use crate::cli_bench::BenchArgs;
pub use crate::cli_nights::{DiffArgs, DiffFormat, MergeArgs, ReportArgs, ReportFormat, TrendArgs};
pub use crate::cli_series::{
    BisectArgs, CheckPatchArgs, CheckPatchFormat, ImportArgs, SelfcheckArgs, SelfcheckSuite,
};
use crate::cli_values;
use crate::lab::mail::Choice;
use crate::plan::select::Selection;
use crate::plan::shard::Shard;
use crate::record::exit_codes::{BadIf, ExitCodes};
use crate::run::context::{AccelChoice, ClockChoice, CutOff, Options};

/// A kernel test lab: a patch series and a kernel tree go in, a verdict comes out.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 as expected, 1 internal error, 2 usage or configuration, 4 a glob matched nothing,\n\
100 a check failed, 102 did not apply, 103 did not build, 104 did not boot or crashed or hung,\n\
105 the lab's surroundings failed (packages, network, disk, KVM), 130 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Where downloads, trees and kernels are kept [default: $LAB_CACHE_DIR, else the XDG cache
    /// directory + /seccomp-lab].
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Where runs are recorded [default: results/ in the lab's checkout].
    #[arg(long, global = true, value_name = "DIR")]
    pub results_dir: Option<PathBuf>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Fetch, apply, build, boot, check, record.
    Test(TestArgs),
    /// Compare kernels with the model on random filter chains.
    Fuzz(FuzzArgs),
    /// Say why a call is in the cache of a filter chain or not.
    Explain(ExplainArgs),
    /// Count what calls and attaching cost, in guest instructions.
    Bench(BenchArgs),
    /// Find the patch that changes a check, or the range that it can be told to.
    Bisect(BisectArgs),
    /// Plant faults for real, and see that the lab tells where they are.
    Selfcheck(SelfcheckArgs),
    /// Show cells, checks and cached kernels.
    List(ListArgs),
    /// Open a shell in a guest, or run one command in it.
    Shell(ShellArgs),
    /// Plant faults in the series one by one, and tell which check notices each.
    Mutants(MutantsArgs),
    /// Make the reports of a run again.
    Report(ReportArgs),
    /// Compare two runs: newly failing, fixed, still failing, new, vanished.
    Diff(DiffArgs),
    /// Show what changed over the last runs, and what changes its mind on the same kernel.
    Trend(TrendArgs),
    /// Make one run of the records of shards.
    Merge(MergeArgs),
    /// Say what is missing on this host and how to install it.
    Doctor(DoctorArgs),
    /// Show what the cache and the results take, and remove it.
    Clean(CleanArgs),
    /// Make the real filters of configs/profiles/ again, from Debian's packages.
    Profiles(ProfilesArgs),
    /// Write a series into kernel-patches/, with a series.toml.
    Import(ImportArgs),
    /// Check one patch on standard input, and say what was found as JSON: for b4.
    CheckPatch(CheckPatchArgs),
    /// Kill what a dead lab has left (the lab starts this itself).
    #[command(name = crate::sys::reaper::VERB, hide = true)]
    Reaper {
        /// What the children of that lab carry in their environment.
        mark: String,
    },
}

/// Which cells.
#[derive(Debug, Clone, Default, Args)]
pub struct AxisArgs {
    /// Cells: ids or globs such as '*/i386' ('*' crosses '/'); default: the default matrix.
    #[arg(value_name = "CELL_GLOB")]
    pub globs: Vec<String>,
    /// A tree of lab.toml, path=DIR, or NAME=path:DIR.
    #[arg(long, value_name = "TREE")]
    pub tree: Vec<String>,
    /// A series: NAME, `none`, an mbox, a folder of patches, or commits: git:[DIR:]BASE..HEAD. Behind it @N
    /// stands for the first N patches, @A-B for patches A to B.
    #[arg(long, value_name = "SERIES")]
    pub series: Vec<String>,
    /// How series that are given ad hoc are read and placed.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// A flavor, with or without variants.
    #[arg(long, value_name = "FLAVOR")]
    pub flavor: Vec<String>,
}

/// How series that are given ad hoc are read and placed.
#[derive(Debug, Clone, Default, Args)]
pub struct ReadingArgs {
    /// Which series of an mbox: a version, v4, or the message id of one of its mails [default: the newest].
    #[arg(long, value_name = "V")]
    pub series_version: Option<Choice>,
    /// A series that the given ones need: applied whole before them. Given more than once, in this order.
    #[arg(long, value_name = "SERIES")]
    pub after: Vec<String>,
    /// Apply to the commit that the series names as its base, instead of what is checked out in the tree.
    #[arg(long)]
    pub at_base: bool,
}

/// Which cells, and which checks in them.
#[derive(Debug, Clone, Default, Args)]
pub struct SelectArgs {
    /// Which cells.
    #[command(flatten)]
    pub axes: AxisArgs,
    /// A check or a family of checks.
    #[arg(long, value_name = "CHECK")]
    pub check: Vec<String>,
    /// A matrix of lab.toml.
    #[arg(long, value_name = "MATRIX")]
    pub matrix: Option<String>,
    /// Only part I of N.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

/// How to run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Guests at once [default: the number of CPUs].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), allow_negative_numbers = true)]
    pub jobs: Option<u16>,
    /// What runs the guests; `auto` takes KVM where a guest boots under it, and says which it took.
    #[arg(long, value_enum, default_value_t = AccelChoice::Auto)]
    pub accel: AccelChoice,
    /// Longest that one guest may take, e.g. 90s or 5min [default: that of lab.toml].
    #[arg(long, value_name = "SPAN", value_parser = cli_values::deadline)]
    pub deadline: Option<Duration>,
    /// Stop at the first cell that does not pass.
    #[arg(long)]
    pub fail_fast: bool,
    /// Try a cell again after trouble of the lab's own (never after a kernel's).
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub retries: u32,
    /// Install host packages that are missing (as root, else with sudo -n).
    #[arg(long)]
    pub install_deps: bool,
    /// Do not look for the host's packages: for the lab's own tests, whose tools are fakes.
    #[arg(long, hide = true)]
    pub skip_host_check: bool,
    /// Boot this vmlinux or bzImage instead of building one.
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
}

/// Flags of `test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Which cells.
    #[command(flatten)]
    pub select: SelectArgs,
    /// How to run them.
    #[command(flatten)]
    pub run: RunArgs,
    /// Run everything N times, and say how often each result passed. The exit code is that of the worst round;
    /// a sub-test that changes its mind is `flaky`, and no pass.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub repeat: u32,
    /// Also test the tree without the series, and say what the series changes: what fails there as well does
    /// not fail the run.
    #[arg(long, conflicts_with = "fail_fast")]
    pub baseline: bool,
    /// Test each patch of the series on top of those before it. Points whose kernel and programs are those of
    /// the point before are not booted: they are `inert`.
    #[arg(long)]
    pub every_patch: bool,
    /// Keep the names of the sub-tests of passing KTAP checks in configs/names/: from then on one
    /// that vanishes is a failure.
    #[arg(long)]
    pub save_names: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Take the tree's own tests from this point (SERIES@N) or tree, whatever the kernel.
    #[arg(long, value_name = "POINT|TREE")]
    pub tests_from: Option<String>,
    /// Whose exit codes: `bisect` is for `git bisect run`: 0 good, 1 bad, 125 cannot tell, 128 and above stop.
    #[arg(long, value_enum, default_value_t = ExitCodes::Lab)]
    pub exit_codes: ExitCodes,
    /// With `--exit-codes bisect`: what makes a commit bad.
    #[arg(long, value_enum, default_value_t = BadIf::Check)]
    pub bad_if: BadIf,
}

/// Flags of `fuzz`.
#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// Which cells: each gets all chains.
    #[command(flatten)]
    pub axes: AxisArgs,
    /// How many chains [default: 2000].
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = cli_values::number::<1, 1_000_000>, allow_negative_numbers = true)]
    pub chains: Option<u64>,
    /// Go on for this long, in rounds of 2000 chains.
    #[arg(long, value_name = "N", value_parser = cli_values::number::<1, 86_400>, allow_negative_numbers = true)]
    pub seconds: Option<u64>,
    /// What the chains are made of; the same number makes the same chains [default: a new one].
    #[arg(long, value_name = "S", value_parser = cli_values::number::<0, { u64::MAX }>, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Run the chains of a file instead: one that `fuzz` has saved.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["chains", "seconds", "seed"])]
    pub replay: Option<PathBuf>,
    /// How to run them.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A filter that people run: a name of configs/profiles/, or a file: FILE.json (rules as container engines read
    /// them), FILE.bpf (the instructions alone), FILE.chain.
    #[arg(long, value_name = "NAME|FILE", group = "what")]
    pub profile: Option<String>,
    /// A chain of a file: one that `fuzz` has saved.
    #[arg(long, value_name = "FILE", group = "what")]
    pub chain: Option<PathBuf>,
    /// A random chain: SEED:PLACE, as `fuzz` names it.
    #[arg(long, value_name = "SEED:PLACE", group = "what")]
    pub random: Option<String>,
    /// A case of the check `seccomp_cache.dump`, by its name.
    #[arg(long, value_name = "NAME", group = "what")]
    pub case: Option<String>,
    /// Which chain of the file, by its id [default: its first].
    #[arg(long, value_name = "ID", requires = "chain", conflicts_with_all = ["profile", "random", "case"])]
    pub id: Option<u32>,
    /// The architecture of the call: x86_64 or ia32.
    pub arch: String,
    /// The number of the call, decimal or as 0x27.
    #[arg(value_parser = cli_values::call_number, allow_negative_numbers = true)]
    pub number: u32,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which cells; default: every tree with `none`, and every point of each series on its tree.
    #[command(flatten)]
    pub select: SelectArgs,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
}

/// How `list` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// As a GitHub Actions job matrix.
    Github,
}

/// Flags of `shell`.
#[derive(Debug, Args)]
pub struct ShellArgs {
    /// The cell.
    pub cell: String,
    /// A tree given ad hoc: path=DIR, or NAME=path:DIR.
    #[arg(long, value_name = "TREE")]
    pub tree: Vec<String>,
    /// A series given ad hoc: an mbox, a folder of patches, or git:[DIR:]BASE..HEAD.
    #[arg(long, value_name = "SERIES")]
    pub series: Vec<String>,
    /// How it is read and placed.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// How to run it.
    #[command(flatten)]
    pub run: RunArgs,
    /// Wait for a debugger before the first instruction.
    #[arg(long)]
    pub gdb: bool,
    /// Run one command and exit as it did.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// Flags of `mutants`.
#[derive(Debug, Args)]
pub struct MutantsArgs {
    /// Mutants: names or globs such as 'jge-*'; default: all of them.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Only those of a class.
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// Show them, and do nothing.
    #[arg(long)]
    pub list: bool,
    /// How to run them. A survivor does not end the run, and neither does anything else.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Install what is missing.
    #[arg(long)]
    pub install_deps: bool,
}

/// Flags of `profiles`.
#[derive(Debug, Args)]
pub struct ProfilesArgs {
    /// Write nothing: exit with 100 if a file is not what is made now.
    #[arg(long)]
    pub check: bool,
    /// Make nothing: print the programs of one profile: a name, `@SET` of systemd, FILE.json (rules of
    /// a container), FILE.bpf (an array of struct sock_filter) or FILE.chain (the lab's own).
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "check")]
    pub show: Option<String>,
}

/// Flags of `clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Remove kernels, programs, headers and images that no run used for this long, e.g. 14days.
    #[arg(long, value_name = "SPAN", value_parser = humantime::parse_duration)]
    pub older_than: Option<Duration>,
    /// Remove all but the newest N runs.
    #[arg(long, value_name = "N")]
    pub keep_runs: Option<usize>,
    /// Remove one tree with its build directories.
    #[arg(long, value_name = "TREE")]
    pub tree: Option<String>,
    /// Remove the whole cache.
    #[arg(long)]
    pub all: bool,
}

impl AxisArgs {
    /// The selection, with trees and series that were given ad hoc replaced by their names.
    pub fn selection(&self, trees: Vec<String>, series: Vec<String>, checks: Vec<String>) -> Selection {
        let (globs, flavors) = (self.globs.clone(), self.flavor.clone());
        Selection { globs, trees, series, flavors, checks, ..Selection::default() }
    }
}

impl SelectArgs {
    /// The selection, with trees and series that were given ad hoc replaced by their names.
    pub fn selection(&self, trees: Vec<String>, series: Vec<String>) -> Selection {
        let (matrix, shard) = (self.matrix.clone(), self.shard);
        Selection { matrix, shard, ..self.axes.selection(trees, series, self.check.clone()) }
    }
}

impl RunArgs {
    /// What the engine is told.
    pub fn options(&self) -> Options {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Options {
            jobs: self.jobs.map_or(cpus, usize::from),
            accel: self.accel,
            deadline: self.deadline,
            fail_fast: self.fail_fast,
            retries: self.retries,
            clock: ClockChoice::Host,
            kernel: self.kernel.clone(),
            cut_off: CutOff::Left,
        }
    }
}
