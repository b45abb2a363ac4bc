// SPDX-License-Identifier: MIT OR Apache-2.0
//! Figures that are kept in `configs/bench/`, and held against later ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::cli_bench::BenchArgs;
use crate::cmd::bench::tell_aside;
use crate::fault::{EXIT_OK, Fault};
use crate::lab::Lab;
use crate::lab::names::nearest;
use crate::plan::key::KeyBuilder;
use crate::record::bench::figures;
use crate::record::bench_saved::{Comparison, Saved, SavedCell, compare, symbols_of};
use crate::record::model::{Outcome, Run};
use crate::record::store::write_atomically;

/// Where they are kept, from the top of the checkout.
const FOLDER: &str = "configs/bench";

/// What decides the figures besides kernel and QEMU.
const MEASURING: [&str; 4] = ["guest/count.c", "guest/counted.h", "guest/wire.h", "guest/plugin/count.c"];

/// How figures begin that are of the allocator's pages: another history of the same kernel moves them.
const MEMORY: &str = "memory.";

fn is_exact(figure: &str) -> bool {
    !figure.starts_with(MEMORY)
}

/// How many differences are told.
const TOLD_MAX: usize = 40;

/// The file of saved figures.
///
/// # Errors
/// A usage fault for what is no plain name.
pub fn path(lab: &Lab, name: &str) -> Result<PathBuf, Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(Fault::usage(format!("`{}` is no name for saved figures", name.escape_default()))
            .help("letters, digits, `-`, `_` and `.`: it becomes a file in configs/bench/"));
    }
    Ok(lab.root.join(FOLDER).join(format!("{name}.toml")))
}

/// Reads saved figures.
///
/// # Errors
/// A usage fault with the nearest name, or with what is wrong in the file.
pub fn read(lab: &Lab, name: &str) -> Result<Saved, Fault> {
    let file = path(lab, name)?;
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let entries = std::fs::read_dir(lab.root.join(FOLDER)).into_iter().flatten().flatten();
            let names: Vec<String> = entries
                .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
                .collect();
            let fault = Fault::usage(format!("no figures were saved as `{name}`"));
            return Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("save some: cargo xtask bench --save {name}")),
            });
        }
        Err(error) => return Err(Fault::usage(format!("reading saved figures: {error}"))),
    };
    toml::from_str(&text)
        .map_err(|error| Fault::usage(format!("{}: {}", file.display(), error.to_string().trim_end())))
}

/// What is to be saved of a run.
///
/// # Errors
/// A config that cannot be read.
pub fn of_run(lab: &Lab, args: &BenchArgs, run: &Run, folder: &Path) -> Result<Saved> {
    let mut key = KeyBuilder::new("measured by").part("filters", args.filters.to_string());
    for source in MEASURING {
        key = key.part(source, fs::read(lab.root.join(source))?);
    }
    let (qemu, measured_by) = (run.host.qemu.clone(), key.finish().to_string());
    let mut saved = Saved { qemu, measured_by, ..Saved::default() };
    for cell in &run.cells {
        let figures: BTreeMap<String, u64> = figures(cell)
            .into_iter()
            .filter(|(name, _)| is_exact(name))
            .map(|(name, figure)| (name.to_owned(), figure))
            .collect();
        if figures.is_empty() {
            continue;
        }
        let config = match cell.files.get("config") {
            Some(name) => symbols_of(&fs::read_to_string(folder.join(name))?),
            None if args.save.is_some() || args.against.is_some() => {
                return Err(Fault::usage(format!("{}: the config of its kernel is not known", cell.id))
                    .help("put the .config beside the kernel that you give")
                    .into());
            }
            None => Vec::new(),
        };
        let digest = KeyBuilder::new("saved config").parts("symbol", &config).finish().to_string();
        saved.config.insert(digest.clone(), config);
        let compiler = cell.toolchain.clone();
        saved.cell.insert(cell.id.clone(), SavedCell { compiler, config: digest, figures });
    }
    Ok(saved)
}

/// Holds figures against saved ones, and tells what came of it.
///
/// # Errors
/// A usage fault where they cannot be compared.
pub fn judge(args: &BenchArgs, saved: &Saved, now: &Saved) -> Result<Option<Outcome>, Fault> {
    let name = args.against.as_deref().unwrap_or_default();
    match compare(saved, now) {
        Comparison::Equal { figures } => {
            tell_aside(args, "EQUAL", &format!("{figures} figures are those saved as {name}"));
            Ok(None)
        }
        Comparison::Different(lines) => {
            for line in lines.iter().take(TOLD_MAX) {
                tell_aside(args, "DIFFERENT", line);
            }
            if lines.len() > TOLD_MAX {
                tell_aside(args, "DIFFERENT", &format!("… and {} more", lines.len() - TOLD_MAX));
            }
            Ok(Some(Outcome::Fail))
        }
        Comparison::Refused(why) => {
            let text = format!("figures saved as `{name}` are of something else:\n  {}", why.join("\n  "));
            Err(Fault::usage(text).help(format!("save new ones: cargo xtask bench --save {name}")))
        }
    }
}

/// Keeps figures. Those of a run that did not pass are nothing to hold others against.
///
/// # Errors
/// If the file cannot be written.
pub fn save(args: &BenchArgs, path: &Path, now: &Saved, code: u8) -> Result<()> {
    if code != EXIT_OK {
        tell_aside(args, "NOT SAVED", "the run did not pass: its figures are nothing to hold others against");
        return Ok(());
    }
    let text = toml::to_string_pretty(now).context("writing figures as TOML")?;
    let command = "# Made by `cargo xtask bench --save`; `--against` wants the same figures again.\n";
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    write_atomically(path, format!("{command}{text}").as_bytes())?;
    tell_aside(args, "SAVED", &path.display().to_string());
    Ok(())
}
