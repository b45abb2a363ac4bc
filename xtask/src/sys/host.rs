// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the host must have, what is missing, and how to install it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::fault::Fault;
use crate::sys::logged::logged_to_its_end;
use crate::sys::process::{Exit, command, pasteable};

/// Longest an installation may take.
const INSTALL_DEADLINE: Duration = Duration::from_secs(1800);

/// Something that the lab uses and does not bring along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// What it is for.
    pub purpose: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    probe: Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    /// A program on the PATH.
    Program(&'static str),
    /// One of these files.
    File(&'static [&'static str]),
}

const NEEDS: &[Need] = &[
    need("boots the guests", "qemu-system-x86", Probe::Program("qemu-system-x86_64")),
    need("imports and patches trees", "git", Probe::Program("git")),
    need("builds kernels", "make", Probe::Program("make")),
    need("builds kernels and guest programs", "gcc", Probe::Program("gcc")),
    need("links kernels", "binutils", Probe::Program("ld")),
    need("builds kernels (kconfig)", "flex", Probe::Program("flex")),
    need("builds kernels (kconfig)", "bison", Probe::Program("bison")),
    need("builds kernels (time constants)", "bc", Probe::Program("bc")),
    need("builds kernels (header checks)", "perl", Probe::Program("perl")),
    need("builds newer kernels (python scripts)", "python3", Probe::Program("python3")),
    need("builds newer kernels (objtool)", "libelf-dev", Probe::File(&["/usr/include/libelf.h"])),
    need("installs kernel headers", "rsync", Probe::Program("rsync")),
    need("unpacks kernel sources", "xz-utils", Probe::Program("xz")),
    need("unpacks kernel sources", "tar", Probe::Program("tar")),
    need("downloads tarballs", "curl", Probe::Program("curl")),
    need(
        "checks what is downloaded",
        "debian-archive-keyring",
        Probe::File(&[
            "/usr/share/keyrings/debian-archive-keyring.gpg",
            "/usr/share/keyrings/debian-archive-keyring.pgp",
        ]),
    ),
    need(
        "builds guest programs",
        "libc6-dev",
        Probe::File(&["/usr/lib/x86_64-linux-gnu/libc.a", "/usr/lib64/libc.a"]),
    ),
    need(
        "builds 32-bit guest programs",
        "gcc-multilib",
        Probe::File(&["/usr/lib32/libc.a", "/usr/lib/i386-linux-gnu/libc.a"]),
    ),
    need("the guest's shell", "busybox-static", Probe::File(&[BUSYBOX, "/usr/bin/busybox"])),
];

/// The static busybox of `busybox-static`.
pub const BUSYBOX: &str = "/bin/busybox";

const fn need(purpose: &'static str, package: &'static str, probe: Probe) -> Need {
    Need { purpose, package, probe }
}

/// All that the host must have, and whether it has it.
pub fn survey() -> Vec<(Need, bool)> {
    NEEDS.iter().map(|need| (*need, need.probe.is_there())).collect()
}

/// What is missing.
pub fn missing() -> Vec<Need> {
    NEEDS.iter().filter(|need| !need.probe.is_there()).copied().collect()
}

impl Probe {
    fn is_there(self) -> bool {
        match self {
            Probe::Program(name) => find_program(name).is_some(),
            Probe::File(paths) => paths.iter().any(|path| Path::new(path).exists()),
        }
    }
}

/// A program on the PATH.
pub fn find_program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The command that installs packages.
pub fn install_command(needs: &[Need]) -> String {
    let sudo = if rustix::process::geteuid().is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install --no-install-recommends {}", packages(needs).join(" "))
}

fn packages(needs: &[Need]) -> Vec<&'static str> {
    let mut packages: Vec<&str> = needs.iter().map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// The fault for a host that lacks something.
pub fn missing_fault(needs: &[Need]) -> Fault {
    let lines: Vec<String> =
        needs.iter().map(|need| format!("\n    {:24} {}", need.package, need.purpose)).collect();
    Fault::infra(format!("packages are missing on this host:{}", lines.concat()))
        .help(format!("{}   (or run again with --install-deps)", install_command(needs)))
}

/// Installs packages, as root or with `sudo -n`.
///
/// # Errors
/// An infra fault with the command that did not work.
pub fn install(needs: &[Need], log: &Path) -> Result<()> {
    if find_program("apt-get").is_none() {
        return Err(missing_fault(needs)).context("there is no apt-get on this host");
    }
    let install = || {
        let mut apt = as_root("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt.args(["install", "--yes", "--no-install-recommends"]).args(packages(needs));
        apt
    };
    let shown = pasteable(&install());
    if logged_to_its_end(install(), "installing packages", INSTALL_DEADLINE, log)?.is_success() {
        return still_missing(needs, log);
    }
    // Package lists that are empty or old are the usual reason.
    let mut update = as_root("apt-get");
    update.arg("update");
    let updated = logged_to_its_end(update, "updating package lists", INSTALL_DEADLINE, log)?;
    let exit = logged_to_its_end(install(), "installing packages", INSTALL_DEADLINE, log)?;
    if exit.is_success() {
        return still_missing(needs, log);
    }
    Err(not_installed(&shown, updated, exit, log).into())
}

fn not_installed(shown: &str, updated: Exit, exit: Exit, log: &Path) -> Fault {
    Fault::infra(format!(
        "`{shown}` did not work ({exit}; `apt-get update` before it: {updated}): see {}",
        log.display()
    ))
    .help("run it by hand as root, then run the lab again")
}

fn still_missing(needs: &[Need], log: &Path) -> Result<()> {
    let left: Vec<Need> = needs.iter().filter(|need| !need.probe.is_there()).copied().collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(missing_fault(&left)).with_context(|| format!("after installing (see {})", log.display()))
}

fn as_root(program: &str) -> Command {
    if rustix::process::geteuid().is_root() {
        return command(program);
    }
    let mut sudo = command("sudo");
    sudo.args(["-n", "--preserve-env=DEBIAN_FRONTEND", "--", program]);
    sudo
}
