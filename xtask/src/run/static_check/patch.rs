// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the last patch of a point adds to what a compiler has to say.

use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use super::build::{Baseline, Objects, arch_folder, changed_since};
use super::compile::{is_left_out, judge};
use super::{Found, Subject};

/// Compiles the C files that the last patch touches with more warnings than a kernel build has, and
/// wants none that the tree without that patch does not give. Where a patch touches headers, the C
/// files that the series touches stand for those that include them.
pub(super) fn warnings(subject: &Subject<'_>, deadline: Duration) -> Result<Found> {
    let Some(previous) = &subject.source.previous else {
        return Ok(Found::Absent("no patch is applied".into()));
    };
    if !subject.kernel.config.is_file() {
        return Ok(Found::Absent("the kernel was given without its config".into()));
    }
    let touched = changed_since(subject, previous)?;
    let mut files: Vec<String> = touched.iter().filter(|path| is_compiled(path)).cloned().collect();
    if touched.iter().any(|path| path.ends_with(".h")) {
        let of_series = changed_since(subject, &subject.source.imported.tree)?;
        files.extend(of_series.into_iter().filter(|path| is_compiled(path)));
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        return Ok(Found::Absent("the patch touches no C file of a kernel".into()));
    }
    let objects = Objects::open(subject, None, deadline)?;
    objects
        .configure(Some(&fs::read_to_string(&subject.kernel.config)?), &std::collections::BTreeMap::new())?;
    let baseline = Baseline::write_from(subject, previous)?;
    let targets: Vec<String> =
        files.iter().filter_map(|file| Some(format!("{}.o", file.strip_suffix(".c")?))).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let made = objects.objects(&targets, &["W=1"])?;
    let in_config: Vec<&str> =
        targets.iter().copied().filter(|target| !is_left_out(&made.said, target)).collect();
    if in_config.is_empty() {
        let what = format!("nothing that the patch touches is in this config: {}", targets.join(", "));
        return Ok(Found::Absent(what));
    }
    let arch = arch_folder(subject.config.arch.make_name());
    let judged = judge("new-warnings", &objects, &in_config, &made, &baseline, arch)?;
    Ok(Found::Subs(vec![judged]))
}

/// User programs of the tree are no objects of a kernel build.
fn is_compiled(path: &str) -> bool {
    path.ends_with(".c")
        && !["tools/", "samples/", "scripts/", "usr/"].iter().any(|top| path.starts_with(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_headers_are_no_objects_of_a_kernel() {
        assert!(is_compiled("kernel/seccomp.c"));
        assert!(!is_compiled("include/linux/seccomp.h"));
        assert!(!is_compiled("tools/testing/selftests/seccomp/seccomp_bpf.c"));
        assert!(!is_compiled("kernel/head.S"));
    }
}
