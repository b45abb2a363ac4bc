// SPDX-License-Identifier: MIT OR Apache-2.0
//! Configuring: base and fragments to a final `.config` that has what was asked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use fs_err as fs;

use crate::fault::Fault;
use crate::lab::fragment::Symbols;
use crate::lab::kernel::{KernelConfig, KernelId};
use crate::plan::key::{Key, KeyBuilder};
use crate::plan::work::KernelWork;
use crate::run::context::Context;
use crate::run::source::Source;
use crate::sys::logged::logged;
use crate::sys::process::{Exit, capture, command};

/// The build directory of one kernel config of one tree.
#[derive(Debug, Clone)]
pub struct BuildFolder {
    /// `O=`.
    pub path: PathBuf,
    /// The sources.
    pub work: PathBuf,
}

impl BuildFolder {
    /// A file of the lab's beside the build directory.
    pub fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(extension);
        self.path.with_file_name(name)
    }

    /// There while make runs: where it is found, make was killed.
    pub fn making_mark(&self) -> PathBuf {
        self.beside("making")
    }
}

/// A symbol that was asked for and is otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Without `CONFIG_`.
    pub symbol: String,
    /// The value asked for.
    pub wanted: String,
    /// The value in the final config.
    pub got: String,
}

/// What came of configuring.
pub enum Configured {
    /// The final config.
    Config {
        /// Its text.
        text: String,
        /// Its symbols.
        symbols: Symbols,
    },
    /// Kconfig dropped or changed symbols.
    Missing(Vec<Missing>),
    /// make itself failed; the log says why.
    MakeFailed(Exit),
}

/// A make command for a kernel: only what is in the key can change its result.
pub fn make(folder: &BuildFolder, config: &KernelConfig) -> Command {
    let mut make = command("make");
    make.current_dir(&folder.work);
    let mut output = std::ffi::OsString::from("O=");
    output.push(&folder.path);
    make.arg(output).arg(format!("ARCH={}", config.arch.make_name()));
    make.args(["LOCALVERSION=", "KBUILD_BUILD_USER=lab", "KBUILD_BUILD_HOST=seccomp-lab"]);
    make.args(["KBUILD_BUILD_TIMESTAMP=Thu Jan 1 00:00:00 UTC 2020", "KBUILD_BUILD_VERSION=1"]);
    make.args(&config.make).arg(format!("-j{}", parallelism()));
    make
}

/// Usable CPUs.
pub fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Makes the build directory. That of a variant begins as a copy of the plain config's, if there is one:
/// make knows which objects depend on which symbol, and builds only those that the variant changes.
///
/// # Errors
/// If the copy cannot be made.
pub fn begin(context: &Context<'_>, source: &Source, folder: &BuildFolder, id: &KernelId) -> Result<()> {
    let builds = source.imported.work.builds();
    let plain = BuildFolder { path: builds.join(id.kernel.as_str()), work: folder.work.clone() };
    let is_usable = plain.path.is_dir() && !plain.making_mark().exists();
    if id.variants.is_empty() || folder.path.exists() || !is_usable {
        fs::create_dir_all(&folder.path)?;
        return Ok(());
    }
    // Half a copy must not look like a build directory.
    let copy = context.cache.temporary()?;
    let made = copy.path().join("copy");
    let mut cp = command("cp");
    cp.args(["--archive", "--reflink=auto", "--"]).arg(&plain.path).arg(&made);
    let what = format!("copying {}", plain.path.display());
    let copied = capture(cp, &what, context.lab.deadlines.build, b"")?;
    match copied.exit {
        Exit::Interrupted => return Err(Fault::interrupted().into()),
        exit if !exit.is_success() => {
            return Err(Fault::infra(format!("{what}: {exit}\n{}", copied.stderr.trim_end())).into());
        }
        _ => {}
    }
    rename_in_tools(&made.join("tools"), &plain.path, &folder.path)?;
    fs::rename(made, &folder.path)?;
    Ok(())
}

/// The commands of the tree's own tools name their build directory in full: under another name make would
/// build them again, and then everything that objtool has looked at.
fn rename_in_tools(tools: &Path, from: &Path, to: &Path) -> Result<()> {
    if !tools.is_dir() {
        return Ok(());
    }
    let (from, to) = (format!("{}/", from.display()), format!("{}/", to.display()));
    let mut open = vec![tools.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "cmd" || extension == "d") {
                let text = fs::read_to_string(&path)?;
                fs::write(&path, text.replace(&from, &to))?;
            }
        }
    }
    Ok(())
}

/// Makes the final `.config`, or finds that the one that is there was made of the same things.
///
/// # Errors
/// Trouble of the lab's.
pub fn configure(
    context: &Context<'_>,
    source: &Source,
    folder: &BuildFolder,
    work: &KernelWork,
    log: &Path,
) -> Result<Configured> {
    let config = context.lab.kernel(&work.id)?;
    let key = config_key(context, source, config, work)?;
    let (dot_config, mark) = (folder.path.join(".config"), folder.path.join(".lab-config"));
    let made_of = |text: &str| format!("{key} {}", KeyBuilder::new("config").part("text", text).finish());
    let text = match fs::read_to_string(&dot_config) {
        Ok(text) if fs::read_to_string(&mark).is_ok_and(|made| made == made_of(&text)) => text,
        _ => match run_kconfig(context, folder, config, work, log)? {
            Ok(text) => text,
            Err(exit) => return Ok(Configured::MakeFailed(exit)),
        },
    };
    let symbols = Symbols::parse_config(&text);
    let mut missing: Vec<Missing> = work
        .wanted
        .missing_from(&symbols)
        .into_iter()
        .map(|(symbol, wanted, got)| Missing {
            symbol: symbol.into(),
            wanted: wanted.into(),
            got: got.into(),
        })
        .collect();
    missing.extend(none_of(&work.one_of, &symbols));
    if !missing.is_empty() {
        return Ok(Configured::Missing(missing));
    }
    fs::write(&mark, made_of(&text))?;
    Ok(Configured::Config { text, symbols })
}

/// Lists of names none of which is set.
fn none_of<'a>(lists: &'a [Vec<String>], symbols: &'a Symbols) -> impl Iterator<Item = Missing> + use<'a> {
    let unmet = lists.iter().filter(|names| !names.iter().any(|name| symbols.is_set(name)));
    unmet.map(|names| Missing { symbol: names.join(" or CONFIG_"), wanted: "y".into(), got: "n".into() })
}

fn run_kconfig(
    context: &Context<'_>,
    folder: &BuildFolder,
    config: &KernelConfig,
    work: &KernelWork,
    log: &Path,
) -> Result<Result<String, Exit>> {
    let dot_config = folder.path.join(".config");
    let run = |target: &str| -> Result<Exit> {
        let mut kconfig = make(folder, config);
        kconfig.arg(target);
        let deadline = context.lab.deadlines.build;
        logged(kconfig, &format!("make {target}"), deadline, log, &mut |_| {})
    };
    let file = context.lab.root.join("configs/kernel").join(&config.base);
    if file.is_file() {
        fs::copy(&file, &dot_config)?;
    } else {
        let exit = run(&config.base)?;
        if !exit.is_success() {
            return Ok(Err(exit));
        }
    }
    let mut text = fs::read_to_string(&dot_config)?;
    text.push_str(&work.optional.to_fragment());
    text.push_str(&work.wanted.to_fragment());
    fs::write(&dot_config, text)?;
    let exit = run("olddefconfig")?;
    if !exit.is_success() {
        return Ok(Err(exit));
    }
    Ok(Ok(fs::read_to_string(&dot_config)?))
}

/// Everything that decides the final config: what is asked for, the compiler that Kconfig asks,
/// and the tree's own Kconfig files and default configs.
fn config_key(
    context: &Context<'_>,
    source: &Source,
    config: &KernelConfig,
    work: &KernelWork,
) -> Result<Key> {
    let git = &source.imported.git;
    let listed = git.run(&["ls-tree", "-r", &source.tree])?.text();
    let decides = |line: &&str| {
        let path = line.split('\t').nth(1).unwrap_or("");
        let name = path.rsplit('/').next().unwrap_or(path);
        name.starts_with("Kconfig")
            || path.starts_with("scripts/")
            || path.contains("/configs/")
            || path.starts_with("kernel/configs")
            || path == "Makefile"
            || path.starts_with("arch/x86/Makefile")
    };
    let base_file = context.lab.root.join("configs/kernel").join(&config.base);
    Ok(KeyBuilder::new("final config")
        .parts("kconfig", listed.lines().filter(decides))
        .part("base", &config.base)
        .part("base file", fs::read(base_file).unwrap_or_default())
        .part("arch", config.arch.make_name())
        .parts("make", &config.make)
        .part("wanted", work.wanted.to_fragment())
        .part("optional", work.optional.to_fragment())
        .part("toolchain", context.toolchain.identity())
        .finish())
}

/// Explains symbols that did not survive.
pub fn missing_reason(missing: &[Missing]) -> String {
    let shown: Vec<String> = missing
        .iter()
        .take(5)
        .map(|one| format!("CONFIG_{} (asked for {}, got {})", one.symbol, one.wanted, one.got))
        .collect();
    let more = missing.len().saturating_sub(shown.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("not in the final config: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_of_a_copied_build_directory_are_called_by_its_name() {
        let top = tempfile::tempdir().unwrap();
        let objtool = top.path().join("objtool");
        fs::create_dir(&objtool).unwrap();
        fs::write(
            objtool.join(".check.o.cmd"),
            "cmd_/b/x86_64/tools/a.o := gcc /b/x86_64/tools/a.o /b/x86_64-other/x",
        )
        .unwrap();
        fs::write(objtool.join("check.o"), "/b/x86_64/").unwrap();
        rename_in_tools(top.path(), Path::new("/b/x86_64"), Path::new("/b/x86_64+v")).unwrap();
        assert_eq!(
            fs::read_to_string(objtool.join(".check.o.cmd")).unwrap(),
            "cmd_/b/x86_64+v/tools/a.o := gcc /b/x86_64+v/tools/a.o /b/x86_64-other/x"
        );
        assert_eq!(fs::read_to_string(objtool.join("check.o")).unwrap(), "/b/x86_64/");
        rename_in_tools(&top.path().join("none"), Path::new("/a"), Path::new("/b")).unwrap();
    }
}
