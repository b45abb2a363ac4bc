// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the verbs share: the lab with ad hoc trees and series, places, host packages.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::cli::Cli;
use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::kernel::Arch;
use crate::parse::splat::Splats;
use crate::record::model::Host;
use crate::run::cache::Cache;
use crate::sys::host;
use crate::sys::process::{capture, command};

/// The lab and its places.
pub struct Session {
    /// The configuration, ad hoc trees and series included.
    pub lab: Lab,
    /// Where runs are recorded.
    pub results: PathBuf,
    cache_dir: PathBuf,
}

impl Session {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Usage faults of the configuration; no place for the cache.
    pub fn open(cli: &Cli) -> Result<Self> {
        let root = find_root()?;
        let results = match &cli.results_dir {
            Some(given) => std::path::absolute(given).context("finding the results folder")?,
            None => root.join("results"),
        };
        Ok(Self { lab: read_lab(&root)?, results, cache_dir: Cache::default_root(cli.cache_dir.as_deref())? })
    }

    /// Opens the cache, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn cache(&self) -> Result<Cache> {
        Cache::open(self.cache_dir.clone())
    }

    /// Where the cache is, or would be.
    pub fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }
}

fn read_lab(root: &Path) -> Result<Lab> {
    let lab = Lab::read(root)?;
    crate::plan::select::check_matrices(&lab)?;
    crate::lab::mutant::check_all(&lab)?;
    parse_splats(&lab)?;
    Ok(lab)
}

/// The list of splats, what has run out included.
///
/// # Errors
/// A usage fault that names the entry.
pub fn parse_splats(lab: &Lab) -> Result<Splats, Fault> {
    Splats::parse(&lab.splats).map_err(|error| Fault::usage(format!("configs/splats.toml: {error:#}")))
}

/// The lab's checkout: where the binary was built, or above the current folder.
fn find_root() -> Result<PathBuf> {
    let is_lab = |folder: &Path| folder.join("configs/lab.toml").is_file();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned);
    // A moved checkout: target/debug/xtask still lies inside it.
    let binary = std::env::current_exe().ok();
    let above = binary.iter().flat_map(|binary| binary.ancestors()).map(Path::to_owned);
    let mut candidates = above.chain(built_in);
    candidates.find(|folder| is_lab(folder)).ok_or_else(|| {
        Fault::usage("the lab's configs/lab.toml is not there")
            .help("keep the binary in target/ of the lab's checkout")
            .into()
    })
}

/// Sees to the host's packages: installs them if that was asked for, else names what is missing.
///
/// # Errors
/// The infra fault with the command that installs them.
pub fn host_packages(install: bool, tell: &mut dyn FnMut(&str)) -> Result<()> {
    let missing = host::missing();
    if missing.is_empty() {
        return Ok(());
    }
    if !install {
        return Err(host::missing_fault(&missing).into());
    }
    let names: Vec<&str> = missing.iter().map(|need| need.package).collect();
    tell(&format!("installing {}", names.join(", ")));
    let log = std::env::temp_dir().join(format!("seccomp-lab-install-{}.log", std::process::id()));
    host::install(&missing, &log)?;
    // There is none where nothing was said.
    let _ = fs::remove_file(&log);
    tell(&format!("installed {}", names.join(", ")));
    Ok(())
}

/// What this machine is, for the record.
///
/// # Errors
/// An infra fault if QEMU is not there.
pub fn describe_host() -> Result<Host> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |path: &str, name: &str| {
        let text = read(path);
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let mut asking = command(Arch::X86_64.qemu());
    asking.arg("--version");
    let said = capture(asking, "asking QEMU for its version", Duration::from_secs(20), b"")?;
    let qemu = said.success("qemu --version")?.text().lines().next().unwrap_or("").to_owned();
    Ok(Host {
        kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        cpu: field("/proc/cpuinfo", "model name"),
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        qemu,
        lab: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
