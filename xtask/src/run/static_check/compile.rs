// SPDX-License-Identifier: MIT OR Apache-2.0
//! Objects compiled in other configs and for other architectures: without errors, and without
//! warnings that the tree does not give without the patches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use super::build::{Baseline, Made, Objects, arch_folder, last, source_of};
use super::cross::Tools;
use super::warnings::{Warning, new_ones, warnings};
use super::{Found, Subject, cross, numbered, sub};
use crate::fault::Fault;
use crate::lab::fragment::Symbols;
use crate::lab::static_check::Changed;
use crate::record::model::SubRecord;
use crate::sys::process::{Exit, tail};

/// Most lines of a reason.
const REASON_LINES_MAX: usize = 12;

/// Configures for a cross toolchain, or as the cell's kernel.
///
/// # Errors
/// Trouble of the lab's.
pub(super) fn configure(
    subject: &Subject<'_>,
    objects: &Objects<'_>,
    tools: Option<&Tools<'_>>,
) -> Result<Symbols> {
    match tools {
        Some(tools) => {
            let mut symbols = tools.declared.optional.clone();
            symbols.extend(tools.declared.symbols.clone());
            objects.configure(None, &symbols)
        }
        None => objects.configure(Some(&fs::read_to_string(&subject.kernel.config)?), &BTreeMap::new()),
    }
}

/// Compiles objects with cross compilers.
pub(super) fn foreign(
    subject: &Subject<'_>,
    wanted: &[String],
    names: &[String],
    deadline: Duration,
) -> Result<Found> {
    let baseline = Baseline::write(subject)?;
    let mut subs = Vec::new();
    for name in names {
        let tools = cross::tools(subject.context, name)?;
        let objects = Objects::open(subject, Some(&tools), deadline)?;
        let symbols = configure(subject, &objects, Some(&tools))?;
        let lost: Vec<&str> = tools
            .declared
            .symbols
            .iter()
            .filter(|(symbol, value)| symbols.value(symbol) != value.as_str())
            .map(|(symbol, _)| symbol.as_str())
            .collect();
        if !lost.is_empty() {
            let reason = format!("not in the config of {name}: CONFIG_{}", lost.join(", CONFIG_"));
            subs.push(sub(1, name, false, reason));
            continue;
        }
        let targets: Vec<&str> = wanted.iter().map(String::as_str).collect();
        // W=1, as the check of headers has it: with other flags all would be made again.
        let made = objects.objects(&targets, &["W=1"])?;
        subs.push(judge(name, &objects, &targets, &made, &baseline, arch_folder(&tools.declared.arch))?);
    }
    Ok(Found::Subs(numbered(subs)))
}

/// Compiles what mentions a pattern, in configs that differ from the kernel's.
pub(super) fn variants(
    subject: &Subject<'_>,
    variants: &[Changed],
    mentions: &str,
    folders: &[String],
    deadline: Duration,
) -> Result<Found> {
    if !subject.kernel.config.is_file() {
        return Ok(Found::Absent("the kernel was given without its config".into()));
    }
    let files = mentioning(subject, mentions, folders)?;
    if files.is_empty() {
        return Ok(Found::Absent(format!("no C file of the tree mentions `{mentions}`")));
    }
    let objects = Objects::open(subject, None, deadline)?;
    let arch = subject.config.arch.make_name();
    let baseline = Baseline::write(subject)?;
    let base = fs::read_to_string(&subject.kernel.config)?;
    let mut subs = Vec::new();
    for variant in variants.iter().filter(|one| one.arch.as_deref().is_none_or(|only| only == arch)) {
        let symbols = objects.configure(Some(&base), &variant.set)?;
        let is_otherwise = |(symbol, value): &(&String, &String)| symbols.value(symbol) != value.as_str();
        if let Some((symbol, value)) = variant.set.iter().find(is_otherwise) {
            let got = symbols.value(symbol);
            let reason = format!("CONFIG_{symbol}={value} was asked for, and the config has {got}");
            subs.push(sub(1, &variant.name, false, reason));
            continue;
        }
        let targets: Vec<&str> = files.iter().map(String::as_str).collect();
        let made = objects.objects(&targets, &[])?;
        let enabled: Vec<&str> =
            targets.iter().copied().filter(|target| !is_left_out(&made.said, target)).collect();
        let record = judge(&variant.name, &objects, &enabled, &made, &baseline, arch_folder(arch))?;
        subs.push(record);
    }
    Ok(Found::Subs(numbered(subs)))
}

/// Objects whose sources mention a pattern.
fn mentioning(subject: &Subject<'_>, pattern: &str, folders: &[String]) -> Result<Vec<String>> {
    let git = &subject.source.imported.git;
    let tree = &subject.source.tree;
    let mut words = vec!["grep", "--files-with-matches", "--extended-regexp", "-e", pattern, tree, "--"];
    words.extend(folders.iter().map(String::as_str));
    let listed = git.try_with(&words, None, None, b"")?;
    // git ends with 1 where nothing is found; any other end says nothing of the tree.
    if !matches!(listed.exit, Exit::Code(0 | 1)) {
        let said = tail(&listed.stderr, 600);
        return Err(Fault::infra(format!("git grep `{pattern}`: {}\n{said}", listed.exit)).into());
    }
    let prefix = format!("{tree}:");
    let listed = listed.text();
    let files = listed.lines().filter_map(|line| line.strip_prefix(&prefix));
    Ok(files.filter_map(|file| Some(format!("{}.o", file.strip_suffix(".c")?))).collect())
}

/// Whether make says that the config has no use for an object. Any other failure is one.
pub(super) fn is_left_out(said: &str, target: &str) -> bool {
    // make that misses what the object is made from says `…, needed by '…'.`, and that is a failure.
    let no_rule = format!("No rule to make target '{target}'.");
    let nothing = format!("Nothing to be done for '{target}'.");
    said.lines().any(|line| line.contains(&no_rule) || line.contains(&nothing))
}

/// Judges objects: all there, and no warning that the baseline does not give.
pub(super) fn judge(
    name: &str,
    objects: &Objects<'_>,
    targets: &[&str],
    made: &Made,
    baseline: &Baseline,
    arch: &str,
) -> Result<SubRecord> {
    let uncompiled: Vec<&str> = targets.iter().copied().filter(|target| !objects.has(target)).collect();
    if targets.is_empty() {
        return Ok(sub(1, name, false, format!("nothing was compiled: {}", last(&made.said, 8))));
    }
    if let Some(first) = uncompiled.first() {
        let why = made.report.failure.as_ref().map_or_else(|| last(&made.said, 8), ToString::to_string);
        let reason =
            format!("{} of {} objects do not compile, {first} first: {why}", uncompiled.len(), targets.len());
        return Ok(sub(1, name, false, reason));
    }
    let mut found: BTreeSet<Warning> = BTreeSet::new();
    let mut before: BTreeSet<Warning> = BTreeSet::new();
    // make tells warnings of other files as well: each object is asked for its own, and only then.
    let asked = if made.report.warnings.is_empty() { &[] } else { targets };
    for target in asked {
        let how = objects.recorded(target)?;
        let file = source_of(target);
        let now = objects.compile(&how, &objects.sources().join(&file), &[])?;
        let now = warnings(&now.report, &[objects.sources()]);
        if now.is_empty() {
            continue;
        }
        found.extend(now);
        let file = baseline.file(&file, objects.sources());
        let then = objects.compile(&how, &file, &baseline.headers(arch))?;
        before.extend(warnings(&then.report, &[objects.sources(), baseline.top()]));
    }
    let mut lines = new_ones(&found, &before);
    lines.truncate(REASON_LINES_MAX);
    let passes = lines.is_empty();
    let reason = if passes { format!("{} objects", targets.len()) } else { lines.join("\n") };
    Ok(sub(1, name, passes, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_that_make_has_no_use_for_is_left_out() {
        let said = "make[3]: *** No rule to make target 'security/apparmor/domain.o'.  Stop.\n\
                    make[2]: *** [/w/scripts/Makefile.build:286: kernel/seccomp.o] Error 1\n\
                    make[1]: *** [/w/Makefile:1832: kernel] Error 2\n";
        assert!(is_left_out(said, "security/apparmor/domain.o"));
        assert!(!is_left_out(said, "kernel/seccomp.o"));
        assert!(!is_left_out(said, "apparmor/domain.o"));
        let said = "make[2]: *** No rule to make target 'include/x.h', needed by 'kernel/seccomp.o'.  Stop.\n\
                    make[2]: *** No rule to make target 'kernel/a.o', needed by 'kernel/built-in.a'.\n\
                    make[3]: Nothing to be done for 'mm/b.o'.\n";
        assert!(!is_left_out(said, "kernel/seccomp.o"));
        assert!(!is_left_out(said, "kernel/a.o"));
        assert!(is_left_out(said, "mm/b.o"));
    }
}
