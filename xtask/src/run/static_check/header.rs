// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file that includes nothing but one header: is the header complete by itself?

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use super::build::{Baseline, Objects, arch_folder, last};
use super::warnings::{new_ones, warnings};
use super::{Found, Subject, compile, cross, sub};

/// What is compiled.
pub(super) struct File<'a> {
    /// As in `#include <HEADER>`.
    pub(super) header: &'a str,
    /// Macros that are defined before it.
    pub(super) define: &'a [String],
}

impl File<'_> {
    fn text(&self) -> String {
        let one = |name: &String| format!("#ifndef {name}\n#define {name} 1\n#endif\n");
        let defines: Vec<String> = self.define.iter().map(one).collect();
        format!("{}#include <{}>\n", defines.concat(), self.header)
    }
}

/// Compiles the file with the tree's own flags and `W=1`. Where patches are applied, warnings that
/// the tree gives without them do not count; else those that name the header do.
pub(super) fn look(
    subject: &Subject<'_>,
    file: &File<'_>,
    like: &str,
    cross: Option<&str>,
    deadline: Duration,
) -> Result<Found> {
    let (text, header) = (file.text(), file.header);
    if subject.file(&format!("include/{header}"))?.is_none() {
        return Ok(Found::Absent(format!("the tree has no include/{header}")));
    }
    if cross.is_none() && !subject.kernel.config.is_file() {
        return Ok(Found::Absent("the kernel was given without its config".into()));
    }
    let tools = cross.map(|name| cross::tools(subject.context, name)).transpose()?;
    let objects = Objects::open(subject, tools.as_ref(), deadline)?;
    let arch = tools.as_ref().map_or(subject.config.arch.make_name(), |tools| &tools.declared.arch);
    compile::configure(subject, &objects, tools.as_ref())?;
    let name = format!("<{header}> on {arch}");
    let made = objects.objects(&[like], &["W=1"])?;
    if !objects.has(like) {
        let reason = format!("{like} does not compile: {}", last(&made.said, 8));
        return Ok(Found::Subs(vec![sub(1, &name, false, reason)]));
    }
    let how = objects.recorded(like)?;
    let scratch = subject.context.cache.temporary()?;
    let file = scratch.path().join("only_this_header.c");
    fs::write(&file, text)?;
    let now = objects.compile(&how, &file, &[])?;
    let found = warnings(&now.report, &[objects.sources()]);
    let baseline = Baseline::write(subject)?;
    let lines = if baseline.is_empty() {
        let names_it = |line: &String| line.contains(header);
        new_ones(&found, &BTreeSet::new()).into_iter().filter(names_it).collect()
    } else {
        let before = objects.compile(&how, &file, &baseline.headers(arch_folder(arch)))?;
        new_ones(&found, &warnings(&before.report, &[objects.sources(), baseline.top()]))
    };
    let record = if !now.exit.is_success() {
        sub(1, &name, false, format!("it does not compile: {}", last(&now.said, 8)))
    } else {
        sub(1, &name, lines.is_empty(), lines.join("\n"))
    };
    Ok(Found::Subs(vec![record]))
}
