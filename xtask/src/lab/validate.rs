// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names in the configuration that must be known.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::check::CheckKind;
use crate::lab::kernel::Variant;
use crate::lab::names::{KernelName, MatrixName, SeriesName, TreeName, unknown};
use crate::lab::static_check::Method;
use crate::lab::tree::TreeSource;

impl Lab {
    /// Every name that a later stage looks up is known.
    ///
    /// # Errors
    /// A usage fault with the place and the nearest name.
    pub(super) fn validate(&self) -> Result<()> {
        for (name, tree) in &self.trees {
            // A directory may be missing until it is asked for.
            if !matches!(tree.source, TreeSource::Path { .. }) {
                tree.source.validate().with_context(|| format!("in [tree.\"{name}\"]"))?;
            }
        }
        for (name, flavor) in &self.flavors {
            known("kernel config", flavor.kernel.as_str(), self.kernels.keys().map(KernelName::as_str))
                .with_context(|| format!("in [flavor.{name}]"))?;
        }
        for (name, variant) in &self.variants {
            self.validate_variant(variant).with_context(|| format!("in [variant.{name}]"))?;
        }
        for (tree, functions) in &self.functions {
            self.tree(tree).context("in [functions]")?;
            self.validate_roles(functions).with_context(|| format!("in [functions.\"{tree}\"]"))?;
        }
        for check in self.checks.values() {
            if let CheckKind::Static { method, .. } = &check.kind {
                for name in method.cross() {
                    known("cross toolchain", name, self.cross.keys().map(String::as_str))
                        .with_context(|| format!("in [check.\"{}\"]", check.name))?;
                }
            }
        }
        for flavor in &self.defaults.flavors {
            self.flavor(flavor).context("in [defaults]")?;
        }
        known("tree", self.defaults.tree.as_str(), self.trees.keys().map(TreeName::as_str))
            .context("in [defaults]")?;
        known("series", self.defaults.series.as_str(), self.series.keys().map(SeriesName::as_str))
            .context("in [defaults]")?;
        known("matrix", self.defaults.matrix.as_str(), self.matrices.keys().map(MatrixName::as_str))
            .context("in [defaults]")?;
        for check in &self.defaults.every_patch {
            self.checks_under(check).context("in [defaults], every_patch")?;
        }
        for (name, matrix) in &self.matrices {
            for check in &matrix.checks {
                self.checks_under(check).with_context(|| format!("in [matrix.{name}]"))?;
            }
        }
        for series in self.series.values() {
            self.validate_roles(&series.facts.functions)
                .with_context(|| format!("in kernel-patches/{}/series.toml, [functions]", series.name))?;
            if let Some(tree) = &series.facts.tree {
                self.tree(tree).with_context(|| format!("in kernel-patches/{}/series.toml", series.name))?;
            }
            for check in series.facts.check.iter().chain(&series.facts.retired) {
                self.checks_under(check.name.as_str())
                    .with_context(|| format!("in kernel-patches/{}/series.toml", series.name))?;
            }
            if let Some(required) = &series.facts.requires {
                known("series", required.as_str(), self.series.keys().map(SeriesName::as_str))
                    .with_context(|| format!("in kernel-patches/{}/series.toml", series.name))?;
            }
        }
        Ok(())
    }

    /// A name for a role that no check asks for would never be looked at.
    fn validate_roles(&self, functions: &BTreeMap<String, String>) -> Result<(), Fault> {
        let methods = self.checks.values().filter_map(|check| match &check.kind {
            CheckKind::Static { method, .. } => Some(method),
            _ => None,
        });
        let asked: BTreeSet<&str> = methods.flat_map(roles).collect();
        functions.keys().try_for_each(|role| known("role of a function", role, asked.iter().copied()))
    }

    fn validate_variant(&self, variant: &Variant) -> Result<(), Fault> {
        for flavor in &variant.flavors {
            self.flavor(flavor)?;
        }
        for kernel in variant.kernel_fragments.keys() {
            known("kernel config", kernel.as_str(), self.kernels.keys().map(KernelName::as_str))?;
        }
        for check in variant.checks.iter().chain(&variant.without) {
            self.checks_under(check)?;
        }
        if variant.slower == Some(0) {
            return Err(Fault::usage("`slower = 0`: it is a factor, 1 or more"));
        }
        Ok(())
    }
}

/// Roles of functions that a static check asks for.
fn roles(method: &Method) -> Vec<&str> {
    let (function, others) = match method {
        Method::Disassembly { function, follow, .. } => (function, follow),
        Method::HostProgram { function, helpers, .. } => (function, helpers),
        _ => return Vec::new(),
    };
    others.iter().chain([function]).map(String::as_str).collect()
}

fn known<'a>(
    what: &str,
    name: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Result<(), Fault> {
    if candidates.clone().into_iter().any(|candidate| candidate == name) {
        return Ok(());
    }
    Err(unknown(what, name, candidates))
}
