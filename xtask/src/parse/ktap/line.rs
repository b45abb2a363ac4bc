// SPDX-License-Identifier: MIT OR Apache-2.0
//! What one line of KTAP is, seen alone.
//!
//! Sources: Documentation/dev-tools/ktap.rst of the kernel, tools/testing/selftests/kselftest.h,
//! `kselftest_harness.h` and kselftest/runner.sh.

use super::report::Status;

/// How a line is moved to the right of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nesting {
    /// Not at all, or by spaces and tabs.
    Blank,
    /// By at least one `# ` of the kselftest runner. Such a line may be a mere comment.
    Hash,
}

/// A line with its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placed<'a> {
    /// Columns to the left: a blank is 1, `# ` is 2, a tab is 4.
    pub(super) indent: usize,
    pub(super) nesting: Nesting,
    pub(super) item: Item<'a>,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// `TAP version 13`, `KTAP version 1`.
    Version,
    Plan(PlanLine<'a>),
    Result(ResultLine<'a>),
    /// `ok` or `not ok` with no number or an impossible one.
    Unnumbered,
    /// `Bail out!` and why.
    BailOut(&'a str),
    /// `# Subtest: name`, or the runner's `# selftests: dir: program`.
    Subtest(&'a str),
    /// `#  RUN           name ...` of the kernel's harness.
    Run(&'a str),
    /// `#            OK  name`: only repeats the result line.
    Ok,
    /// A comment, or noise.
    Text,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum PlanLine<'a> {
    Count(u32),
    SkipAll(&'a str),
    Malformed,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ResultLine<'a> {
    pub(super) ordinal: u32,
    /// Empty if the line has none.
    pub(super) name: &'a str,
    pub(super) status: Status,
    pub(super) reason: Option<&'a str>,
}

/// More `# ` in front of a line are taken as text.
const HASHES_MAX: usize = 8;
const TAB_COLUMNS: usize = 4;

/// Finds out what a line is and how far it is indented.
pub(super) fn place(line: &str) -> Placed<'_> {
    let mut rest = line;
    let mut indent = 0;
    let mut nesting = Nesting::Blank;
    for _ in 0..=HASHES_MAX {
        let text = rest.trim_start_matches([' ', '\t']);
        let blank = &rest[..rest.len() - text.len()];
        indent += blank.chars().map(|c| if c == '\t' { TAB_COLUMNS } else { 1 }).sum::<usize>();
        if let Some(item) = item(text) {
            return Placed { indent, nesting, item };
        }
        let Some(inner) = text.strip_prefix("# ") else {
            break;
        };
        rest = inner;
        indent += 2;
        nesting = Nesting::Hash;
    }
    Placed { indent: 0, nesting: Nesting::Blank, item: Item::Text }
}

fn item(text: &str) -> Option<Item<'_>> {
    match text.as_bytes().first()? {
        b'#' => comment(text.strip_prefix('#')?),
        b'1' => plan(text).map(Item::Plan),
        b'T' | b'K' => is_version(text).then_some(Item::Version),
        b'B' => Some(Item::BailOut(text.strip_prefix("Bail out!")?.trim())),
        b'o' | b'n' => result(text),
        _ => None,
    }
}

fn is_version(text: &str) -> bool {
    let number = text.strip_prefix("TAP version ").or_else(|| text.strip_prefix("KTAP version "));
    number.is_some_and(|number| number.trim_end().parse::<u32>().is_ok())
}

fn comment(text: &str) -> Option<Item<'_>> {
    let text = text.trim();
    if let Some(name) =
        text.strip_prefix("Subtest: ").or_else(|| text.starts_with("selftests: ").then_some(text))
    {
        return Some(Item::Subtest(name.trim()));
    }
    if let Some(name) = text.strip_prefix("RUN  ") {
        return Some(Item::Run(name.strip_suffix(" ...")?.trim()));
    }
    text.starts_with("OK  ").then_some(Item::Ok)
}

fn plan(text: &str) -> Option<PlanLine<'_>> {
    let rest = text.strip_prefix("1..")?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, after) = rest.split_at(digits);
    let comment = after.trim();
    if number.is_empty() || !(comment.is_empty() || comment.starts_with('#')) {
        return None;
    }
    let plan = match number.parse::<u32>() {
        Err(_) => PlanLine::Malformed,
        Ok(0) => PlanLine::SkipAll(skip_reason(comment)),
        Ok(count) => PlanLine::Count(count),
    };
    Some(plan)
}

fn skip_reason(comment: &str) -> &str {
    let text = comment.trim_start_matches('#').trim_start();
    match directive(text) {
        Some((Directive::Skip, reason)) => reason,
        _ => text,
    }
}

fn result(text: &str) -> Option<Item<'_>> {
    let (ok, rest) = match text.strip_prefix("not ok") {
        Some(rest) => (Verdict::NotOk, rest),
        None => (Verdict::Ok, text.strip_prefix("ok")?),
    };
    if !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let rest = rest.trim();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, after) = rest.split_at(digits);
    let ordinal = number.parse::<u32>().unwrap_or(0);
    if ordinal == 0 || !(after.is_empty() || after.starts_with([' ', '\t'])) {
        // Plain prose may begin with "ok"; a verdict is `not ok`, or `ok` alone, or `ok - name`.
        let verdict = ok == Verdict::NotOk || rest.is_empty() || rest.starts_with("- ");
        return (verdict || !number.is_empty()).then_some(Item::Unnumbered);
    }
    let after = after.trim_start();
    let description = match after.strip_prefix('-') {
        Some(name) if name.is_empty() || name.starts_with(' ') => name,
        _ => after,
    };
    let (name, comment) = split_comment(description);
    let (status, reason) = status(ok, comment);
    Some(Item::Result(ResultLine {
        ordinal,
        name: name.trim(),
        status,
        reason: reason.filter(|reason| !reason.is_empty()),
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    NotOk,
}

/// The comment begins at the first `#` behind a blank; names such as `a#b` stay whole.
fn split_comment(description: &str) -> (&str, Option<&str>) {
    let bytes = description.as_bytes();
    for (at, _) in description.match_indices('#') {
        if at == 0 || bytes[at - 1].is_ascii_whitespace() {
            return (&description[..at], Some(description[at + 1..].trim()));
        }
    }
    (description, None)
}

fn status(verdict: Verdict, comment: Option<&str>) -> (Status, Option<&str>) {
    if let Some((directive, reason)) = comment.and_then(directive) {
        let status = match directive {
            Directive::Skip => Status::Skip,
            Directive::Todo => Status::Todo,
            Directive::Xfail => Status::Xfail,
            // A failure stays one, whatever it is called.
            Directive::Xpass if verdict == Verdict::NotOk => Status::Fail,
            Directive::Xpass => Status::Xpass,
            Directive::Timeout => Status::Timeout,
            Directive::Error => Status::Error,
        };
        return (status, Some(reason));
    }
    match verdict {
        Verdict::Ok => (Status::Pass, comment),
        Verdict::NotOk => (Status::Fail, comment),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    Skip,
    Todo,
    Xfail,
    Xpass,
    Timeout,
    Error,
}

fn directive(comment: &str) -> Option<(Directive, &str)> {
    let letters = comment.len() - comment.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
    let (word, rest) = comment.split_at(letters);
    let directive = match word.to_ascii_uppercase().as_str() {
        "SKIP" | "SKIPPED" => Directive::Skip,
        "TODO" => Directive::Todo,
        "XFAIL" => Directive::Xfail,
        "XPASS" => Directive::Xpass,
        "TIMEOUT" => Directive::Timeout,
        "ERROR" => Directive::Error,
        _ => return None,
    };
    if !(rest.is_empty() || rest.starts_with([' ', '\t', ':'])) {
        return None;
    }
    Some((directive, rest.trim_start_matches([':', ' ', '\t'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Item<'_> {
        place(line).item
    }

    fn result_of(line: &str) -> (u32, &str, Status, Option<&str>) {
        match one(line) {
            Item::Result(r) => (r.ordinal, r.name, r.status, r.reason),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn reads_results() {
        assert_eq!(result_of("ok 1 a.b"), (1, "a.b", Status::Pass, None));
        assert_eq!(result_of("not ok 2 - a"), (2, "a", Status::Fail, None));
        assert_eq!(result_of("ok 3"), (3, "", Status::Pass, None));
        assert_eq!(result_of("ok 4 -dash"), (4, "-dash", Status::Pass, None));
        assert_eq!(result_of("ok 5 # SKIP no kcmp"), (5, "", Status::Skip, Some("no kcmp")));
        assert_eq!(result_of("ok 5 x # skip"), (5, "x", Status::Skip, None));
        assert_eq!(result_of("not ok 6 x # TODO: later"), (6, "x", Status::Todo, Some("later")));
        assert_eq!(result_of("ok 7 x # XFAIL r"), (7, "x", Status::Xfail, Some("r")));
        assert_eq!(result_of("not ok 8 x # XPASS"), (8, "x", Status::Fail, None));
        assert_eq!(
            result_of("not ok 9 selftests: d: p # TIMEOUT 45 seconds"),
            (9, "selftests: d: p", Status::Timeout, Some("45 seconds"))
        );
        assert_eq!(result_of("not ok 1 # error bad"), (1, "", Status::Error, Some("bad")));
        assert_eq!(result_of("not ok 1 x # exit=1"), (1, "x", Status::Fail, Some("exit=1")));
        assert_eq!(result_of("ok 1 a#b"), (1, "a#b", Status::Pass, None));
        assert_eq!(result_of("ok 1 x # SKIPPER"), (1, "x", Status::Pass, Some("SKIPPER")));
    }

    #[test]
    fn sees_what_is_no_result() {
        assert_eq!(one("okay 1 x"), Item::Text);
        assert_eq!(one("ok then"), Item::Text);
        assert_eq!(one("not okay"), Item::Text);
        assert_eq!(one("nothing"), Item::Text);
        for line in ["ok", "not ok", "ok - x", "not ok x", "ok 0 x", "ok 99999999999 x", "ok 1x"] {
            assert_eq!(one(line), Item::Unnumbered, "{line}");
        }
    }

    #[test]
    fn reads_plans() {
        assert_eq!(one("1..87"), Item::Plan(PlanLine::Count(87)));
        assert_eq!(one("1..3 # three"), Item::Plan(PlanLine::Count(3)));
        assert_eq!(one("1..0 # SKIP not root"), Item::Plan(PlanLine::SkipAll("not root")));
        assert_eq!(one("1..0"), Item::Plan(PlanLine::SkipAll("")));
        assert_eq!(one("1..99999999999"), Item::Plan(PlanLine::Malformed));
        for line in ["1..", "1..x", "1..2 apples", "2..3", "1.2"] {
            assert_eq!(one(line), Item::Text, "{line}");
        }
    }

    #[test]
    fn reads_the_rest() {
        assert_eq!(one("TAP version 13"), Item::Version);
        assert_eq!(one("KTAP version 1"), Item::Version);
        assert_eq!(one("TAP version x"), Item::Text);
        assert_eq!(one("Bail out!  no memory"), Item::BailOut("no memory"));
        assert_eq!(one("#  RUN           global.kcmp ..."), Item::Run("global.kcmp"));
        assert_eq!(one("#            OK  global.kcmp"), Item::Ok);
        assert_eq!(one("# Subtest: x"), Item::Subtest("x"));
        assert_eq!(one("# ok so far"), Item::Text);
        assert_eq!(one(""), Item::Text);
    }

    #[test]
    fn measures_nesting() {
        let at = |line| (place(line).indent, place(line).nesting);
        assert_eq!(at("ok 1 x"), (0, Nesting::Blank));
        assert_eq!(at("  ok 1 x"), (2, Nesting::Blank));
        assert_eq!(at("\tok 1 x"), (4, Nesting::Blank));
        assert_eq!(at("# ok 1 x"), (2, Nesting::Hash));
        assert_eq!(at("#     ok 1 x"), (6, Nesting::Hash));
        assert_eq!(at("# # ok 1 x"), (4, Nesting::Hash));
        assert_eq!(at("# #  RUN           a.b ..."), (2, Nesting::Hash));
    }
}
