// SPDX-License-Identifier: MIT OR Apache-2.0
//! What series say of the commit they were made on and of what they need, against what they are applied to.

use anyhow::Result;

use crate::cmd::session::Session;
use crate::fault::Fault;
use crate::lab::names::{SeriesName, TreeName};
use crate::lab::tree::TreeSource;
use crate::run::commits;

impl Session {
    /// Replaces the trees by the commit that the given series name as their base.
    pub(super) fn place_at_base(&mut self, given: &[SeriesName], trees: &[String]) -> Result<()> {
        let bases: Vec<(SeriesName, String)> = given
            .iter()
            .filter_map(|name| {
                Some((name.clone(), self.lab.series.get(name)?.provenance.base_commit.clone()?))
            })
            .collect();
        let Some((_, base)) = bases.first() else {
            return Err(Fault::usage("--at-base: no given series names the commit it was made on")
                .help("its mails would have a line `base-commit: …` (`git format-patch --base=auto`); a range git:BASE..HEAD has one")
                .into());
        };
        if let Some((name, other)) = bases.iter().find(|(_, other)| other != base) {
            return Err(Fault::usage(format!(
                "--at-base: `{}` was made on {base}, and `{name}` on {other}",
                bases[0].0
            ))
            .help("give one series at a time")
            .into());
        }
        if trees.is_empty() {
            return Err(Fault::usage("--at-base: the commit is looked for in a git tree, and none is given")
                .help("give it along: --tree path=DIR")
                .into());
        }
        for name in trees {
            let tree = self.lab.trees.get_mut(&TreeName::parse(name)?);
            let Some(tree) = tree else { continue };
            tree.source = at_commit(name, &tree.source, base)?;
        }
        Ok(())
    }

    /// Tells where a series is not applied to the commit that it names as its base.
    pub(super) fn note_base(&mut self, name: &SeriesName, trees: &[String]) -> Result<()> {
        let Some(base) = self.lab.series.get(name).and_then(|series| series.provenance.base_commit.clone())
        else {
            return Ok(());
        };
        let default = [self.lab.defaults.tree.to_string()];
        let trees = if trees.is_empty() { &default } else { trees };
        let mut notes = Vec::new();
        for tree in trees {
            let Some(known) = self.lab.trees.get(&TreeName::parse(tree)?) else { continue };
            let (is_there, has_it) = match &known.source {
                TreeSource::Git { revision, .. } => (revision.starts_with(&base), true),
                TreeSource::Path { directory } => {
                    let head = commits::find_commit(directory, "HEAD")?;
                    let has_it = commits::find_commit(directory, &base)?.is_some();
                    (head.is_some_and(|head| head.starts_with(&base)), has_it)
                }
                _ => (false, false),
            };
            if !is_there {
                let how = if has_it { "; --at-base applies it there" } else { "" };
                notes.push(format!(
                    "it was made on commit {}, and is applied to {}{how}",
                    short(&base),
                    known.source.describe()
                ));
            }
        }
        if let Some(series) = self.lab.series.get_mut(name) {
            series.provenance.notes.extend(notes);
        }
        Ok(())
    }

    /// Tells which patches a series says it needs that are not applied before it.
    pub(super) fn note_prerequisites(&mut self, name: &SeriesName) -> Result<()> {
        let series = self.lab.series(name)?;
        let wanted = series.provenance.prerequisites.clone();
        if wanted.is_empty() {
            return Ok(());
        }
        let below = crate::lab::series::Point { series: name.clone(), applied: 0 };
        let applied = commits::patch_ids(&self.lab.patches(&below)?)?;
        let missing: Vec<&str> =
            wanted.iter().filter(|id| !applied.contains(id)).map(|id| short(id)).collect();
        if let Some(series) = self.lab.series.get_mut(name).filter(|_| !missing.is_empty()) {
            series.provenance.notes.push(format!(
                "of the {} patches that it says it needs, {} {} not applied before it (patch ids {}): unless the tree has them, give them with --after",
                wanted.len(), missing.len(), if missing.len() == 1 { "is" } else { "are" }, missing.join(", ")
            ));
        }
        Ok(())
    }
}

/// A git tree at another commit.
fn at_commit(name: &str, source: &TreeSource, base: &str) -> Result<TreeSource> {
    let refuse = |why: String, help: &str| Err(Fault::usage(format!("--at-base: {why}")).help(help).into());
    match source {
        TreeSource::Path { directory } => match commits::find_commit(directory, base)? {
            Some(revision) => Ok(TreeSource::Git { repository: directory.display().to_string(), revision }),
            None => refuse(
                format!("{} does not have commit {base}", directory.display()),
                "fetch it into that repository, or leave --at-base out",
            ),
        },
        TreeSource::Git { repository, .. } if base.len() >= 40 => {
            Ok(TreeSource::Git { repository: repository.clone(), revision: base.to_owned() })
        }
        TreeSource::Git { .. } => refuse(format!("`{base}` is no full commit id"), "leave --at-base out"),
        other => refuse(
            format!("tree `{name}` ({}) is no git repository", other.describe()),
            "give one that has the commit: --tree path=DIR",
        ),
    }
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
