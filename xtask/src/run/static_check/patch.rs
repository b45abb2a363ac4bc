// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the last patch of a point adds to what a compiler has to say.

use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use super::build::{Baseline, Objects, arch_folder, changed_since};
use super::compile::{is_left_out, judge};
use super::{Found, Subject, sub};
use crate::fault::Fault;
use crate::record::model::{REMARKS, SubRecord};
use crate::run::checkpatch::{self, Checked, Complaint, Weight};

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

/// What the tree's own script says of the last patch: an error fails, a warning is a remark.
pub(super) fn style(subject: &Subject<'_>) -> Result<Found> {
    let Some(patch) = &subject.last_patch else {
        return Ok(Found::Absent("no patch is applied".into()));
    };
    let imported = &subject.source.imported;
    let scratch = subject.context.cache.temporary()?;
    match checkpatch::run(&imported.git, &imported.tree, scratch.path(), patch)? {
        Checked::NoScript => Ok(Found::Absent("the tree has no scripts/checkpatch.pl".into())),
        Checked::Broke(words) => {
            let what = format!("scripts/checkpatch.pl of the tree broke off: {words}");
            Err(Fault::infra(what).help("cargo xtask doctor says whether perl is there").into())
        }
        Checked::Ran(complaints) => Ok(Found::Subs(styled(&complaints))),
    }
}

fn styled(complaints: &[Complaint]) -> Vec<SubRecord> {
    let of = |is_meant: &dyn Fn(Weight) -> bool| {
        let meant = complaints.iter().filter(|one| is_meant(one.weight));
        meant.map(|one| one.text.as_str()).collect::<Vec<_>>().join("\n")
    };
    let errors = of(&|weight| weight == Weight::Error);
    let remarks = of(&|weight| weight != Weight::Error);
    vec![sub(1, "errors", errors.is_empty(), errors), sub(2, REMARKS, true, remarks)]
}

/// User programs of the tree are no objects of a kernel build.
fn is_compiled(path: &str) -> bool {
    path.ends_with(".c")
        && !["tools/", "samples/", "scripts/", "usr/"].iter().any(|top| path.starts_with(top))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::CheckStatus;

    #[test]
    fn an_error_of_style_fails_and_a_warning_is_a_remark() {
        let one = |weight, text: &str| Complaint { weight, text: text.into() };
        let subs = styled(&[one(Weight::Warning, "WARNING: a"), one(Weight::Error, "ERROR: b")]);
        assert_eq!((subs[0].status, subs[0].reason.as_str()), (CheckStatus::Fail, "ERROR: b"));
        assert_eq!((subs[1].status, subs[1].reason.as_str()), (CheckStatus::Pass, "WARNING: a"));
        assert!(styled(&[]).iter().all(|sub| sub.status == CheckStatus::Pass && sub.reason.is_empty()));
    }

    #[test]
    fn programs_and_headers_are_no_objects_of_a_kernel() {
        assert!(is_compiled("kernel/seccomp.c"));
        assert!(!is_compiled("include/linux/seccomp.h"));
        assert!(!is_compiled("tools/testing/selftests/seccomp/seccomp_bpf.c"));
        assert!(!is_compiled("kernel/head.S"));
    }
}
