// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `check-patch` found, as b4 reads it.

use serde::Serialize;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It was checked, and is right.
    Pass,
    /// It is doubtful, or could not be checked.
    Warn,
    /// It is wrong.
    Fail,
}

/// One result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Which check.
    pub tool: String,
    /// How it went.
    pub status: Status,
    /// One line.
    pub summary: String,
    /// Where more is to be read; empty, since all of it is here.
    pub url: String,
    /// More lines, or nothing.
    pub details: String,
}

impl Remark {
    /// A result.
    pub fn new(tool: &str, status: Status, summary: impl Into<String>) -> Self {
        let (summary, details) = (summary.into(), String::new());
        Self { tool: format!("seccomp-lab {tool}"), status, summary, url: String::new(), details }
    }

    /// The same with more to read.
    #[must_use]
    pub fn with(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }
}

/// An array of objects.
///
/// # Errors
/// Never, in practice: it is text.
pub fn json(remarks: &[Remark]) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(remarks)? + "\n")
}

/// A line for each remark that is no pass.
pub fn lines(remarks: &[Remark]) -> String {
    let line = |remark: &Remark| {
        let word = match remark.status {
            Status::Pass => return None,
            Status::Warn => "WARNING",
            Status::Fail => "ERROR",
        };
        Some(format!("{word}: {}: {}\n", remark.tool, remark.summary))
    };
    remarks.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_told_in_both_ways() {
        let remarks = [
            Remark::new("apply", Status::Pass, "applies"),
            Remark::new("checkpatch", Status::Warn, "long \"line\"").with("x\ny"),
            Remark::new("read", Status::Fail, "no diff"),
        ];
        let told: serde_json::Value = serde_json::from_str(&json(&remarks).unwrap()).unwrap();
        assert_eq!(told[0]["status"], "pass");
        assert_eq!(told[1]["details"], "x\ny");
        assert_eq!(told[2]["tool"], "seccomp-lab read");
        assert_eq!(
            lines(&remarks),
            "WARNING: seccomp-lab checkpatch: long \"line\"\nERROR: seccomp-lab read: no diff\n"
        );
        assert_eq!(lines(&remarks[..1]), "");
    }
}
