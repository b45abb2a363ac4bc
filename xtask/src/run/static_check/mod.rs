// SPDX-License-Identifier: MIT OR Apache-2.0
//! Static checks: of sources or objects, without a boot.
//!
//! A result is kept under a key of everything that decides it, so that a second run looks nothing
//! up but that key. What the lab could not do is an error and never a result; what the tree does
//! not have is *absent*, with the reason, and the scope of the check says what that means.

mod build;
mod comparisons;
mod compile;
mod cross;
mod disassembly;
mod function;
mod header;
mod host_program;
mod kconfig;
mod kconfig_option;
mod known;
mod machine_code;
mod masked_index;
mod patch;
mod sources;
mod warnings;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;
use regex::RegexBuilder;
use serde::{Deserialize, Serialize};

use crate::lab::check::Check;
use crate::lab::kernel::KernelConfig;
use crate::lab::static_check::{FilePattern, Method};
use crate::plan::key::{Key, KeyBuilder};
use crate::plan::work::{KernelWork, SourceWork};
use crate::record::model::{CheckStatus, SubRecord};
use crate::run::context::Context;
use crate::run::event::{Cached, Step};
use crate::run::guest::millis;
use crate::run::kernel::Kernel;
use crate::run::source::Source;

/// What is looked at.
pub struct Subject<'a> {
    context: &'a Context<'a>,
    source: &'a Source,
    kernel: &'a Kernel,
    config: &'a KernelConfig,
    /// What events call it.
    name: String,
    /// Names of functions, by role.
    functions: BTreeMap<String, String>,
    /// The last patch that is applied, as its mail has it.
    last_patch: Option<Vec<u8>>,
}

/// What came of a static check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaticResult {
    /// The tree or kernel has nothing that it could look at.
    Absent(String),
    /// It looked.
    Looked {
        /// The results.
        subs: Vec<SubRecord>,
        /// How long it took when it was made.
        ms: u64,
    },
}

/// What a method found, before it is timed and kept.
enum Found {
    Absent(String),
    Subs(Vec<SubRecord>),
}

impl Found {
    /// A function that has a name, and is not there, where the check has a subject. It was renamed, or
    /// its name is wrong: either way nothing was looked at.
    fn no_function(role: &str, name: &str, place: &str) -> Self {
        let reason = format!(
            "{place} has no function {name}, which [functions] says is the `{role}`: if it has another name, \
             give that in the series.toml of the series, or in [functions.\"TREE\"] of configs/lab.toml"
        );
        Self::Subs(vec![sub(1, name, false, reason)])
    }
}

impl<'a> Subject<'a> {
    /// A kernel and its source.
    ///
    /// # Errors
    /// A usage fault for names that are unknown.
    pub fn new(
        context: &'a Context<'a>,
        source: &'a Source,
        source_work: &SourceWork,
        kernel: &'a Kernel,
        work: &KernelWork,
    ) -> Result<Self> {
        Ok(Self {
            context,
            source,
            kernel,
            config: context.lab.kernel(&work.id)?,
            name: format!("{}/{}/{}", source_work.tree, source_work.point, work.id),
            functions: context.lab.functions(&source_work.tree, &source_work.point)?,
            last_patch: context.lab.patches(&source_work.point)?.last().map(|patch| patch.text()),
        })
    }

    /// A file of the tree.
    fn file(&self, path: &str) -> Result<Option<String>> {
        self.source.imported.git.file(&self.source.tree, path)
    }

    /// The entries of the tree at some paths: what they are decides their ids.
    fn entries(&self, paths: &[&str]) -> Result<Vec<u8>> {
        // Without a path git lists everything, and any change would count.
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let words = [&["ls-tree", self.source.tree.as_str(), "--"], paths].concat();
        Ok(self.source.imported.git.run(&words)?.stdout)
    }

    /// The name of the function with a role.
    fn function(&self, role: &str) -> Option<&str> {
        self.functions.get(role).map(String::as_str)
    }
}

/// Makes a static check, or finds its result.
///
/// # Errors
/// Trouble of the lab's: a compiler that is missing, no network, a deadline.
pub fn check(subject: &Subject<'_>, check: &Check) -> Result<StaticResult> {
    let crate::lab::check::CheckKind::Static { applies, method } = &check.kind else {
        anyhow::bail!("{} is no static check", check.name);
    };
    let cache = &subject.context.cache;
    let outer = outer_key(subject, applies, method)?;
    if let Some(result) = subject.context.answer(&outer) {
        return Ok(result);
    }
    let doing = || format!("static check {} of {}", check.name, subject.name);
    let inner = inner_key(subject, applies, method).with_context(doing)?;
    if let Some(inner) = &inner
        && let Some(result) = subject.context.answer::<StaticResult>(inner)
    {
        cache.keep_answer(&outer, &result)?;
        return Ok(result);
    }
    let timer = subject.context.timer(Step::Check, &subject.name);
    subject.context.announce(&timer, check.name.as_str());
    let found = match missing_subject(subject, applies)? {
        Some(why) => Found::Absent(why),
        None => look(subject, method, check.deadline).with_context(doing)?,
    };
    let took = subject.context.done(timer, check.name.as_str(), Cached::No);
    let result = match found {
        Found::Absent(why) => StaticResult::Absent(why),
        Found::Subs(subs) => StaticResult::Looked { subs, ms: millis(took) },
    };
    cache.keep_answer(&outer, &result)?;
    if let Some(inner) = &inner {
        cache.keep_answer(inner, &result)?;
    }
    Ok(result)
}

fn look(subject: &Subject<'_>, method: &Method, deadline: Duration) -> Result<Found> {
    match method {
        Method::Disassembly { function, follow, rule } => disassembly::look(subject, function, follow, rule),
        Method::Kconfig { symbol, with, header, defines, on, never, default, needs } => {
            let default = default.as_deref();
            let question = kconfig::Question { symbol, with, header, defines, on, never, default, needs };
            kconfig::look(subject, &question, deadline)
        }
        Method::Header { header, like, cross, define } => {
            let file = header::File { header, define };
            header::look(subject, &file, like, cross.as_deref(), deadline)
        }
        Method::CrossCompile { objects, cross } => compile::foreign(subject, objects, cross, deadline),
        Method::HostProgram { source, function, helpers, program } => {
            let wanted = host_program::Wanted { source, function, helpers };
            host_program::look(subject, &wanted, program, deadline)
        }
        Method::Compile { variants, mentions, folders } => {
            compile::variants(subject, variants, mentions, folders, deadline)
        }
        Method::PatchWarnings {} => patch::warnings(subject, deadline),
        Method::PatchStyle {} => patch::style(subject),
        Method::Text { file, pattern } => text(subject, file, pattern),
    }
}

/// Everything that decides the result, found without asking git.
fn outer_key(subject: &Subject<'_>, applies: &[FilePattern], method: &Method) -> Result<Key> {
    let mut key = base_key("static check", subject, applies, method)?
        .part("tree", &subject.source.tree)
        .part("base", &subject.source.imported.tree)
        .parts("previous", &subject.source.previous);
    if method.needs_kernel() {
        key = key.part("kernel", subject.kernel.key.as_str()).part("config", config_text(subject));
    }
    Ok(key.finish())
}

/// Everything that decides the result, and little else: most patches change nothing of it. Checks
/// that are quickly made have none.
fn inner_key(subject: &Subject<'_>, applies: &[FilePattern], method: &Method) -> Result<Option<Key>> {
    let key = base_key("static check, by parts", subject, applies, method)?;
    let mut paths: Vec<&str> = applies.iter().map(|one| one.file.as_str()).collect();
    let key = match method {
        Method::Disassembly { .. }
        | Method::Text { .. }
        | Method::Compile { .. }
        | Method::PatchStyle {}
        | Method::PatchWarnings {} => return Ok(None),
        Method::Kconfig { header, .. } => key.part("kconfig", kconfig::inputs(subject, Some(header))?),
        Method::HostProgram { source, .. } => {
            paths.push(source);
            key
        }
        Method::Header { cross, like, .. } => {
            paths.extend(["include", "arch", "scripts", "Makefile"]);
            let kconfig = kconfig::inputs(subject, None)?;
            // The object is compiled first, for its flags: where it does not compile, that is the result.
            let compiled = build::source_of(like);
            let key = key
                .part("base", base_entries(subject, &["include", "arch", &compiled])?)
                .part("sources", subject.entries(&[&compiled])?)
                .part("kconfig", kconfig)
                .part("is patched", is_patched(subject)?)
                .part("neighbours", neighbours(subject, like)?);
            if cross.is_none() { key.part("config", config_text(subject)) } else { key }
        }
        Method::CrossCompile { objects, .. } => {
            paths.extend(["include", "arch", "scripts", "Makefile"]);
            let sources: Vec<String> = objects.iter().map(|object| build::source_of(object)).collect();
            let base: Vec<&str> =
                ["include", "arch"].into_iter().chain(sources.iter().map(String::as_str)).collect();
            let own: Vec<&str> = sources.iter().map(String::as_str).collect();
            let kconfig = kconfig::inputs(subject, None)?;
            let mut key = key;
            for object in objects {
                key = key.part("neighbours", neighbours(subject, object)?);
            }
            key.part("base", base_entries(subject, &base)?)
                .part("sources", subject.entries(&own)?)
                .part("is patched", is_patched(subject)?)
                .part("kconfig", kconfig)
        }
    };
    Ok(Some(key.part("parts", subject.entries(&paths)?).finish()))
}

/// Whether there is anything to compare with: it decides which warnings count.
fn is_patched(subject: &Subject<'_>) -> Result<&'static str> {
    Ok(if build::changed(subject)?.is_empty() { "no" } else { "yes" })
}

/// The kernel's config; nothing where it was given without one.
fn config_text(subject: &Subject<'_>) -> Vec<u8> {
    fs::read(&subject.kernel.config).unwrap_or_default()
}

/// What decides how objects of a folder are compiled, beside the object: local headers and makefiles.
fn neighbours(subject: &Subject<'_>, object: &str) -> Result<String> {
    let folder = object.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let listed = subject.entries(&[if folder.is_empty() { "." } else { &folder }])?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let decides =
        |line: &&str| line.ends_with(".h") || line.ends_with("/Makefile") || line.ends_with("/Kbuild");
    Ok(listed.lines().filter(decides).collect::<Vec<_>>().join("\n"))
}

fn base_entries(subject: &Subject<'_>, paths: &[&str]) -> Result<Vec<u8>> {
    let imported = &subject.source.imported;
    let words = [&["ls-tree", imported.tree.as_str(), "--"], paths].concat();
    Ok(imported.git.run(&words)?.stdout)
}

fn base_key(
    kind: &str,
    subject: &Subject<'_>,
    applies: &[FilePattern],
    method: &Method,
) -> Result<KeyBuilder> {
    let lab = subject.context.lab;
    let mut key = KeyBuilder::new(kind)
        .part("sources", sources::digest())
        .part("applies", serde_json::to_vec(applies)?)
        .part("method", serde_json::to_vec(method)?)
        .part("functions", serde_json::to_vec(&subject.functions)?)
        .part("toolchain", subject.context.toolchain.identity());
    for name in method.cross() {
        key = key.part("cross", serde_json::to_vec(&lab.cross.get(name))?);
        key = key.part("versions", cross::tools(subject.context, name)?.versions()?);
    }
    if method.needs_kernel() {
        key = key.part("arch", subject.config.arch.make_name()).parts("make", &subject.config.make);
    }
    if let Method::PatchStyle {} = method {
        key = key.part("patch", subject.last_patch.as_deref().unwrap_or_default());
    }
    if let Method::HostProgram { program, .. } = method {
        key = key.part("program", fs::read(lab.root.join(program))?);
    }
    Ok(key)
}

/// Why there is nothing to look at.
fn missing_subject(subject: &Subject<'_>, applies: &[FilePattern]) -> Result<Option<String>> {
    for FilePattern { file, pattern } in applies {
        let Some(text) = subject.file(file)? else {
            return Ok(Some(format!("the tree has no {file}")));
        };
        if !matches(pattern, &text)? {
            return Ok(Some(format!("the tree's {file} has nothing that fits `{pattern}`")));
        }
    }
    Ok(None)
}

fn text(subject: &Subject<'_>, file: &str, pattern: &str) -> Result<Found> {
    let Some(text) = subject.file(file)? else {
        return Ok(Found::Absent(format!("the tree has no {file}")));
    };
    let is_there = matches(pattern, &text)?;
    let reason = if is_there { String::new() } else { format!("nothing in {file} fits `{pattern}`") };
    Ok(Found::Subs(vec![sub(1, file, is_there, reason)]))
}

fn matches(pattern: &str, text: &str) -> Result<bool> {
    let regex = RegexBuilder::new(pattern).multi_line(true).build();
    Ok(regex.with_context(|| format!("the pattern `{pattern}`"))?.is_match(text))
}

/// One sub-result.
fn sub(ordinal: u32, name: &str, passes: bool, reason: impl Into<String>) -> SubRecord {
    let status = if passes { CheckStatus::Pass } else { CheckStatus::Fail };
    SubRecord { path: vec![name.to_owned()], ordinal, status, reason: reason.into() }
}

/// Numbers sub-results in their order.
fn numbered(subs: impl IntoIterator<Item = SubRecord>) -> Vec<SubRecord> {
    (1..).zip(subs).map(|(ordinal, sub)| SubRecord { ordinal, ..sub }).collect()
}
