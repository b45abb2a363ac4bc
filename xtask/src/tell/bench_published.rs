// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel's own benchmark says, next to what was published with the series.

use console::style;
use regex::Regex;

use crate::tell::table::{Align, lay_out};

/// `getpid()` in nanoseconds, of 200,000,000 calls, as the series was posted with (LKML, 2020): the calls as the
/// program names them, and what they took.
const PUBLISHED: [(&str, u64); 5] = [
    ("native", 646),
    ("RET_ALLOW 1 filter", 675),
    ("RET_ALLOW 2 filters", 675),
    ("RET_ALLOW 3 filters", 732),
    ("RET_ALLOW 4 filters", 752),
];

/// The estimates that the program printed, by the calls as it names them.
fn estimates(printed: &str) -> Vec<(String, u64)> {
    let Ok(pattern) =
        Regex::new(r"(?m)^(?:# )?getpid (native|RET_ALLOW \d+ filters?)(?: \([^)]*\))?: (\d+) ns")
    else {
        return Vec::new();
    };
    let found = pattern.captures_iter(printed);
    found.filter_map(|one| Some((one[1].to_owned(), one[2].parse().ok()?))).collect()
}

/// The table of a cell; a line that says so where the program printed no estimates.
pub fn table(cell: &str, printed: &str) -> String {
    let estimates = estimates(printed);
    if estimates.is_empty() {
        return format!("\n  {cell}: the benchmark printed no estimates\n");
    }
    let dim = |text: &str| style(text).dim().to_string();
    let mut rows = vec![vec![dim(cell), dim("here, ns"), dim("published, ns")]];
    for (calls, nanoseconds) in estimates {
        let published = PUBLISHED.iter().find(|(name, _)| *name == calls);
        let published = published.map_or_else(|| "-".to_owned(), |(_, published)| published.to_string());
        rows.push(vec![format!("getpid {calls}"), nanoseconds.to_string(), published]);
    }
    format!("\n{}", lay_out(&rows, &[Align::Left, Align::Right, Align::Right]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_stand_next_to_those_that_were_published() {
        let printed = "# check x\n# getpid native: 209 ns\n# getpid RET_ALLOW 1 filter (cacheable): 326 ns\n\
                       getpid RET_ALLOW 3 filters: 788 ns\n# Overhead of 1 cacheable filter: 117 ns\n";
        let told = console::strip_ansi_codes(&table("c", printed)).into_owned();
        let words: Vec<Vec<&str>> =
            told.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["getpid", "native", "209", "646"]);
        assert_eq!(words[1], ["getpid", "RET_ALLOW", "1", "filter", "326", "675"]);
        assert_eq!(words[2], ["getpid", "RET_ALLOW", "3", "filters", "788", "732"]);
        assert!(table("c", "nothing").contains("no estimates"));
    }
}
