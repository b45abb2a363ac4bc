// SPDX-License-Identifier: MIT OR Apache-2.0
//! Trees and series that are given on the command line: read, named, and put into the lab.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use console::Style;

use crate::cli::{AxisArgs, ReadingArgs};
use crate::cmd::session::Session;
use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::mail::Choice;
use crate::lab::names::{SeriesName, TreeName};
use crate::lab::series::Series;
use crate::lab::tree::{TreeSource, parse_ad_hoc};
use crate::run::{commits, mailbox};
use crate::tell;
use crate::tell::terminal::status_line;

/// Names that stand for what was given ad hoc.
#[derive(Debug)]
pub struct Named {
    /// Trees.
    pub trees: Vec<String>,
    /// Points.
    pub series: Vec<String>,
}

/// How much of a series is meant: what stands behind its `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    First(usize),
    Between(usize, usize),
}

/// Where series that are given ad hoc are looked for, and how they are read.
pub struct Source<'a> {
    /// Which posting of an mbox.
    pub choice: &'a Choice,
    /// Where a range of commits is looked for that names no repository.
    pub near: &'a Path,
}

impl Session {
    /// Takes up trees and series that are given ad hoc, and gives their names.
    ///
    /// # Errors
    /// Usage faults for what is no tree or series.
    pub fn name_axes(&mut self, axes: &AxisArgs) -> Result<Named> {
        self.name_ad_hoc(&axes.tree, &axes.series, &axes.reading)
    }

    /// As [`Session::name_axes`], for verbs with other flags.
    ///
    /// # Errors
    /// As there.
    pub fn name_ad_hoc(
        &mut self,
        trees: &[String],
        series: &[String],
        reading: &ReadingArgs,
    ) -> Result<Named> {
        let mut named = Named { trees: Vec::new(), series: Vec::new() };
        for value in trees {
            named.trees.push(self.name_tree(value)?);
        }
        let choice = reading.series_version.clone().unwrap_or_default();
        let near = self.near(&named.trees)?;
        let source = Source { choice: &choice, near: &near };
        let mut given = Vec::new();
        for value in series {
            let (point, name) = self.name_series(value, &source)?;
            named.series.push(point);
            given.extend(name);
        }
        if choice != Choice::Newest && given.is_empty() {
            return Err(Fault::usage(
                "--series-version chooses among the mails of an mbox, and none is given",
            )
            .help("give the mbox along: --series FILE.mbox")
            .into());
        }
        self.place_after(&given, &reading.after, &near)?;
        if reading.at_base {
            self.place_at_base(&given, &named.trees)?;
        }
        for name in &given {
            self.note_base(name, &named.trees)?;
            self.note_prerequisites(name)?;
            for note in self.lab.series.get(name).iter().flat_map(|series| &series.provenance.notes) {
                let line = status_line(
                    &Style::new().for_stderr().yellow(),
                    "NOTE",
                    None,
                    &format!("{name}: {note}"),
                );
                tell::print_error(&line);
            }
        }
        Ok(named)
    }

    /// The name of a `--tree` value; one that is given ad hoc is taken up.
    ///
    /// # Errors
    /// A usage fault for what is no tree.
    pub fn name_tree(&mut self, value: &str) -> Result<String> {
        let Some(tree) = parse_ad_hoc(value)? else { return Ok(value.to_owned()) };
        if self.lab.trees.contains_key(&tree.name) {
            return Err(Fault::usage(format!("`--tree {value}`: there is a tree `{}` already", tree.name))
                .help("give it a name of its own: --tree NAME=path:DIR")
                .into());
        }
        let name = tree.name.to_string();
        self.lab.trees.insert(tree.name.clone(), tree);
        Ok(name)
    }

    /// Where a range of commits is looked for: in the one tree that is a checkout of the user's, else here.
    fn near(&self, trees: &[String]) -> Result<PathBuf> {
        let folders: Vec<PathBuf> = trees.iter().filter_map(|name| folder_of(&self.lab, name)).collect();
        if let [folder] = folders.as_slice()
            && commits::is_repository(folder)?
        {
            return Ok(folder.clone());
        }
        std::env::current_dir().context("finding the current folder")
    }

    /// The point that a `--series` value stands for, and the name of the series if it is none of the lab's.
    fn name_series(&mut self, value: &str, source: &Source<'_>) -> Result<(String, Option<SeriesName>)> {
        let (text, part) = split_part(value);
        if !is_ad_hoc(text) {
            let known = self.lab.series.keys().find(|name| name.as_str() == text).cloned();
            return match (known, part) {
                (None, _) if Path::new(text).exists() => Err(Fault::usage(format!(
                    "there is no series `{text}`, and a file or folder of that name"
                ))
                .help(format!("write `--series ./{value}` if you mean that"))
                .into()),
                (Some(name), Part::Between(first, last)) if first != 1 => {
                    let subset = self.lab.series(&name)?.subset(first, last)?;
                    let point = subset.last_point();
                    self.take(value, subset)?;
                    Ok((point.to_string(), Some(point.series)))
                }
                (_, Part::Between(_, last)) => Ok((format!("{text}@{last}"), None)),
                _ => Ok((value.to_owned(), None)),
            };
        }
        let series = read_ad_hoc(text, source)?;
        let (series, applied) = match part {
            Part::Whole => (series, None),
            Part::First(applied) => (series, Some(applied)),
            Part::Between(first, last) => (series.subset(first, last)?, None),
        };
        let name = self.take(value, series)?;
        let series = self.lab.series(&name)?;
        let point = match applied {
            Some(applied) => series.point(applied)?,
            None => series.last_point(),
        };
        Ok((point.to_string(), Some(name)))
    }

    /// Puts a series into the lab, under a name that is free.
    fn take(&mut self, value: &str, mut series: Series) -> Result<SeriesName> {
        // A name that is taken would make two series look like one in the record.
        if self.lab.series.contains_key(&series.name) {
            series.name = SeriesName::parse(&format!("{}-given", series.name))?;
        }
        if self.lab.series.contains_key(&series.name) {
            return Err(Fault::usage(format!("`{value}`: there is a series `{}` already", series.name))
                .help("a series is named after its file, folder or branch: give that another name")
                .into());
        }
        let name = series.name.clone();
        self.lab.series.insert(name.clone(), series);
        Ok(name)
    }

    /// Puts the series of `--after` under the given ones.
    fn place_after(&mut self, given: &[SeriesName], after: &[String], near: &Path) -> Result<()> {
        let mut below: Option<SeriesName> = None;
        for value in after {
            let (point, _) = self.name_series(value, &Source { choice: &Choice::Newest, near })?;
            let point = crate::plan::cell::parse_point(&self.lab, &point)?;
            let mut name = point.series.clone();
            let series = self.lab.series(&name)?;
            if point.applied == 0 {
                return Err(Fault::usage(format!("--after {value}: no patch is in it")).into());
            }
            if point.applied < series.patches.len() {
                let part = series.subset(1, point.applied)?;
                name = self.take(value, part)?;
            }
            self.require(&name, below.as_ref())?;
            below = Some(name);
        }
        if below.is_some() && given.is_empty() {
            return Err(Fault::usage("--after is for series that are given ad hoc, and none is")
                .help(
                    "a series of kernel-patches/ names what it needs in its series.toml: requires = \"NAME\"",
                )
                .into());
        }
        given.iter().try_for_each(|name| self.require(name, below.as_ref()))
    }

    fn require(&mut self, name: &SeriesName, below: Option<&SeriesName>) -> Result<()> {
        let Some(below) = below else { return Ok(()) };
        let Some(series) = self.lab.series.get_mut(name) else { return Ok(()) };
        match &series.facts.requires {
            Some(other) if other != below => Err(Fault::usage(format!(
                "series `{name}` requires `{other}`, and cannot be put on `{below}` as well"
            ))
            .into()),
            _ => {
                series.facts.requires = Some(below.clone());
                Ok(())
            }
        }
    }
}

/// Reads a series that is none of the lab's.
///
/// # Errors
/// Usage faults for what is no series.
pub fn read_ad_hoc(text: &str, source: &Source<'_>) -> Result<Series> {
    match text.strip_prefix(commits::PREFIX) {
        Some(_) if *source.choice != Choice::Newest => Err(Fault::usage(
            "--series-version chooses among the mails of an mbox, and a range of commits is none",
        )
        .into()),
        Some(range) => commits::read(range, source.near),
        None => mailbox::read(Path::new(text), source.choice),
    }
}

/// A source of which some patches may be meant, as `import` takes it.
///
/// # Errors
/// Usage faults for what is no series.
pub fn read_part(value: &str, source: &Source<'_>) -> Result<Series> {
    let (text, part) = split_part(value);
    if !is_ad_hoc(text) && !Path::new(text).exists() {
        return Err(Fault::usage(format!("{text}: there is no such file or folder"))
            .help("give an mbox, a folder of patches, or git:BASE..HEAD")
            .into());
    }
    let series = read_ad_hoc(text, source)?;
    match part {
        Part::Whole => Ok(series),
        Part::First(last) => Ok(series.subset(1, last)?),
        Part::Between(first, last) => Ok(series.subset(first, last)?),
    }
}

fn is_ad_hoc(text: &str) -> bool {
    text.starts_with(commits::PREFIX) || mailbox::is_path(text)
}

/// Splits off `@N` and `@A-B`, unless a file is called that.
fn split_part(value: &str) -> (&str, Part) {
    if Path::new(value).exists() {
        return (value, Part::Whole);
    }
    let Some((text, part)) = value.rsplit_once('@') else { return (value, Part::Whole) };
    let between =
        part.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match (part.parse(), between) {
        (Ok(applied), _) => (text, Part::First(applied)),
        (_, Some((first, last))) => (text, Part::Between(first, last)),
        _ => (value, Part::Whole),
    }
}

fn folder_of(lab: &Lab, tree: &str) -> Option<PathBuf> {
    match &lab.trees.get(&TreeName::parse(tree).ok()?)?.source {
        TreeSource::Path { directory } => Some(directory.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_the_last_at_is_a_part_or_belongs_to_the_name() {
        for (value, text, part) in [
            ("a.mbox", "a.mbox", Part::Whole),
            ("a.mbox@2", "a.mbox", Part::First(2)),
            ("x@1-4", "x", Part::Between(1, 4)),
            ("git:a@{1}..b@3", "git:a@{1}..b", Part::First(3)),
            ("git:a..HEAD@{2}", "git:a..HEAD@{2}", Part::Whole),
            ("git:a..@", "git:a..@", Part::Whole),
            ("x@many", "x@many", Part::Whole),
        ] {
            assert_eq!(split_part(value), (text, part), "{value}");
        }
    }
}
