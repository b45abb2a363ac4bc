// SPDX-License-Identifier: MIT OR Apache-2.0
//! Known failures and skips, each with a reason and an end date.

use serde::Deserialize;

use crate::fault::Fault;
use crate::parse::splat::Date;

/// `expected.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    #[serde(default)]
    expect: Vec<Expectation>,
}

/// One entry of `expected.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// A glob over cell ids.
    pub cell: String,
    /// A glob over `CHECK.SUBTEST`.
    pub check: String,
    /// What is expected instead of a pass.
    pub status: ExpectedStatus,
    /// Why.
    pub reason: String,
    /// The last day it holds, `YYYY-MM-DD`.
    pub until: String,
}

/// What can be expected of a sub-test that does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectedStatus {
    /// It fails.
    Fail,
    /// It is skipped.
    Skip,
}

impl Expected {
    /// Reads the file's text.
    ///
    /// # Errors
    /// A usage fault that names the file and the entry.
    pub fn parse(file: &str, text: &str) -> Result<Self, Fault> {
        let expected: Self =
            toml::from_str(text).map_err(|error| Fault::usage(format!("{file}: {error}")))?;
        for entry in &expected.expect {
            let bad = |what: &str| Fault::usage(format!("{file}: entry for `{}`: {what}", entry.check));
            for glob in [&entry.cell, &entry.check] {
                glob::Pattern::new(glob).map_err(|error| bad(&format!("`{glob}` is no glob: {error}")))?;
            }
            if entry.reason.trim().is_empty() {
                return Err(bad("`reason` is empty"));
            }
            entry.until.parse::<Date>().map_err(|error| bad(&format!("`until`: {error:#}")))?;
        }
        Ok(expected)
    }

    /// The entries that no longer hold on `today`: they excuse nothing, and should go.
    pub fn expired<'a>(&'a self, today: &'a str) -> impl Iterator<Item = &'a Expectation> {
        self.expect.iter().filter(move |entry| entry.until.as_str() < today)
    }

    /// The entries whose glob can fit no sub-result of any of these checks. Only what stands before the first
    /// wildcard is looked at: which sub-results a check has, only a guest knows.
    pub fn aimless<'a>(&'a self, checks: &'a [&'a str]) -> impl Iterator<Item = &'a Expectation> {
        self.expect.iter().filter(move |entry| {
            let fixed = entry.check.split(['*', '?', '[']).next().unwrap_or_default();
            let fits = |check: &&str| {
                check.starts_with(fixed) && fixed.len() < entry.check.len()
                    || fixed == *check
                    || fixed.strip_prefix(check).is_some_and(|rest| rest.starts_with('.'))
            };
            !checks.iter().any(fits)
        })
    }

    /// The entry that explains this sub-test, if one does and holds on `today`.
    pub fn find(&self, cell: &str, check: &str, status: ExpectedStatus, today: &str) -> Option<&Expectation> {
        let matches = |glob: &str, text: &str| glob::Pattern::new(glob).is_ok_and(|glob| glob.matches(text));
        self.expect.iter().find(|entry| {
            entry.status == status
                && entry.until.as_str() >= today
                && matches(&entry.cell, cell)
                && matches(&entry.check, check)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"
        [[expect]]
        cell = "*/compat"
        check = "seccomp_bpf.global.*"
        status = "skip"
        reason = "needs ptrace"
        until = "2030-01-01"
    "#;

    #[test]
    fn an_entry_holds_for_its_cells_until_its_day() {
        let expected = Expected::parse("expected.toml", ENTRY).unwrap();
        let find = |cell, status, today| expected.find(cell, "seccomp_bpf.global.x", status, today).is_some();
        assert!(find("5.10/none/compat", ExpectedStatus::Skip, "2029-12-31"));
        assert!(find("5.10/none/compat", ExpectedStatus::Skip, "2030-01-01"));
        assert!(!find("5.10/none/compat", ExpectedStatus::Skip, "2030-01-02"));
        assert!(!find("5.10/none/compat", ExpectedStatus::Fail, "2029-12-31"));
        assert!(!find("5.10/none/x86_64", ExpectedStatus::Skip, "2029-12-31"));
    }

    #[test]
    fn an_entry_without_reason_or_date_is_refused() {
        for (from, to) in [("needs ptrace", " "), ("2030-01-01", "soon"), ("reason =", "why =")] {
            let error = Expected::parse("expected.toml", &ENTRY.replace(from, to)).unwrap_err();
            assert!(error.to_string().starts_with("expected.toml"), "{error}");
        }
    }

    #[test]
    fn an_entry_that_fits_no_check_is_known() {
        let checks = ["seccomp_bpf", "seccomp_cache.dump"];
        let aimless = |glob: &str| {
            let text = ENTRY.replace("seccomp_bpf.global.*", glob);
            Expected::parse("expected.toml", &text).unwrap().aimless(&checks).count() == 1
        };
        for glob in
            ["*", "seccomp_b*", "seccomp_bpf*", "seccomp_bpf.x", "seccomp_cache.dump.a?", "seccomp_bpf"]
        {
            assert!(!aimless(glob), "{glob}");
        }
        for glob in ["seccomp_bfp.*", "seccomp_bpf2.x", "seccomp_cache.x", "x*", "seccomp_cache"] {
            assert!(aimless(glob), "{glob}");
        }
    }

    #[test]
    fn a_day_that_no_calendar_has_is_refused() {
        for day in ["2027-13-30", "2027-02-30", "2026-11-31", "2027-02-29", "2027-00-01", "2027-01-00"] {
            let error = Expected::parse("expected.toml", &ENTRY.replace("2030-01-01", day)).unwrap_err();
            assert!(error.to_string().contains(&format!("`{day}` is no date (YYYY-MM-DD)")), "{error}");
        }
        Expected::parse("expected.toml", &ENTRY.replace("2030-01-01", "2028-02-29")).unwrap();
    }
}
