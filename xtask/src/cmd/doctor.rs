// SPDX-License-Identifier: MIT OR Apache-2.0
//! `doctor`: what is missing on this host, and the command that installs it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use console::style;

use crate::cli::{Cli, DoctorArgs};
use crate::cmd::session::{Session, host_packages};
use crate::fault;
use crate::sys::host;
use crate::tell;
use crate::tell::table::lay_out;

/// Disk that a first run takes, in GiB: a tree, its work tree, build directories, kernels.
const DISK_GIB_WANTED: u64 = 4;

/// Runs the verb.
///
/// # Errors
/// Usage faults of the configuration; an installation that does not work.
pub fn run(cli: &Cli, args: &DoctorArgs) -> Result<u8> {
    let session = Session::open(cli)?;
    if args.install_deps {
        host_packages(true, &mut |text| tell::print(&format!("{text}\n")))?;
    }
    let survey = host::survey();
    let mut rows = vec![["", "package", "for"].map(str::to_owned).to_vec()];
    for (need, is_there) in &survey {
        let mark = if *is_there { style("ok").green() } else { style("MISSING").red().bold() };
        rows.push(vec![mark.to_string(), need.package.to_owned(), need.purpose.to_owned()]);
    }
    let mut text = lay_out(&rows, &[]);
    let free_gib = free_bytes(session.cache_dir()).map(|bytes| bytes >> 30);
    let _ = writeln!(text, "\n  cache    {} ({})", session.cache_dir().display(), disk(free_gib));
    let _ = writeln!(text, "  results  {}", session.results.display());
    let _ = writeln!(text, "  kvm      {}", kvm());
    let missing: Vec<_> = survey.iter().filter(|(_, is_there)| !is_there).map(|(need, _)| *need).collect();
    let is_full = free_gib.is_some_and(|gib| gib < DISK_GIB_WANTED);
    if missing.is_empty() && !is_full {
        let _ = writeln!(text, "\n  nothing is missing: run `cargo xtask test`");
    }
    if !missing.is_empty() {
        let _ = writeln!(text, "\n  install what is missing with\n    {}", host::install_command(&missing));
    }
    if is_full {
        let _ = writeln!(
            text,
            "\n  a first run takes about {DISK_GIB_WANTED} GiB: free some, or give --cache-dir"
        );
    }
    tell::print(&text);
    Ok(if missing.is_empty() && !is_full { fault::EXIT_OK } else { fault::EXIT_INFRA })
}

fn disk(free_gib: Option<u64>) -> String {
    free_gib.map_or_else(|| "free space unknown".into(), |gib| format!("{gib} GiB free"))
}

/// Free space where a folder is, or will be made.
fn free_bytes(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// What can be said without booting; `test` finds out whether it really works.
fn kvm() -> String {
    match std::fs::File::options().read(true).write(true).open("/dev/kvm") {
        Ok(_) => "/dev/kvm opens; `test` boots a guest under it before it is used".into(),
        Err(error) => format!("not usable, guests are emulated (/dev/kvm: {error})"),
    }
}
