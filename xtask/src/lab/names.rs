// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that a user can write: a type each, so that a flavor is never taken for a tree.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// The longest name accepted, in bytes: names become parts of file names.
pub const NAME_BYTES_MAX: usize = 64;

/// Letters, digits, `.`, `_` and `-`, beginning with a letter or digit: nothing that a path, a
/// glob or a cell id could take for its own.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= NAME_BYTES_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Makes any text a name by replacing what a name cannot hold.
pub fn sanitize(text: &str) -> String {
    let mapped: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let trimmed = mapped.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let mut name = if trimmed.is_empty() { "unnamed".to_owned() } else { trimmed.to_owned() };
    name.truncate(NAME_BYTES_MAX);
    name
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Reads a name.
            ///
            /// # Errors
            /// A usage fault for anything but letters, digits, `.`, `_` and `-`.
            pub fn parse(text: &str) -> Result<Self, Fault> {
                if is_name(text) {
                    return Ok(Self(text.to_owned()));
                }
                Err(Fault::usage(format!(
                    concat!("`{}` is no ", $what, " name: letters, digits, `.`, `_` and `-`, at most {} bytes"),
                    text.escape_default(), NAME_BYTES_MAX
                )))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = Fault;
            fn try_from(text: String) -> Result<Self, Fault> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name_type!(
    /// A kernel source.
    TreeName, "tree"
);
name_type!(
    /// A series of patches; `none` is the empty one.
    SeriesName, "series"
);
name_type!(
    /// A kernel config without its variants.
    KernelName, "kernel config"
);
name_type!(
    /// A flavor without its variants.
    FlavorName, "flavor"
);
name_type!(
    /// A variant of a kernel config, such as `debug`.
    VariantName, "variant"
);
name_type!(
    /// A check, `CHECK` or `CHECK.SUB`.
    CheckName, "check"
);
name_type!(
    /// A matrix: a named list of cells and checks.
    MatrixName, "matrix"
);

name_type!(
    /// A planted fault.
    MutantName, "mutant"
);
name_type!(
    /// What sort of mistake a planted fault stands for.
    MutantClass, "class of mutants"
);

impl SeriesName {
    /// The empty series.
    pub const NONE: &'static str = "none";

    /// Whether this is the empty series.
    pub fn is_none(&self) -> bool {
        self.0 == Self::NONE
    }
}

impl CheckName {
    /// Whether `prefix` names this check or a family that it belongs to: `seccomp_cache` covers
    /// `seccomp_cache.dump`, and not `seccomp_cache2`.
    pub fn is_under(&self, prefix: &str) -> bool {
        self.0.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// The candidate nearest to what was written, if it is near enough to be meant.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.len().min(written.len()) / 3
                || candidate.starts_with(written) && !written.is_empty()
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// The fault for a name that is not known, with the nearest one and all there are.
pub fn unknown<'a>(
    what: &str,
    written: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Fault {
    let all: Vec<&str> = candidates.clone().into_iter().collect();
    if all.is_empty() {
        return Fault::usage(format!("there is no {what} `{}`, nor any other", written.escape_default()));
    }
    let fault = Fault::usage(format!("there is no {what} `{}`", written.escape_default()));
    match nearest(written, candidates) {
        Some(near) => fault.help(format!("did you mean `{near}`? known: {}", all.join(", "))),
        None => fault.help(format!("known: {}", all.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_hold_path_or_glob_characters() {
        for good in ["5.10", "seccomp_cache.dump", "x86_64", "a-b"] {
            assert!(TreeName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "..", "-x", "a/b", "a*", "a@3", "a+b", "a b", "\u{1b}[1m", &"a".repeat(65)] {
            assert!(TreeName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_check_is_under_its_family_only() {
        let check = CheckName::parse("seccomp_cache.dump").unwrap();
        assert!(check.is_under("seccomp_cache"));
        assert!(check.is_under("seccomp_cache.dump"));
        assert!(!check.is_under("seccomp"));
        assert!(!check.is_under("seccomp_cache.d"));
    }

    #[test]
    fn the_nearest_name_is_offered_when_it_is_near() {
        assert_eq!(nearest("i368", ["x86_64", "i386", "compat"]), Some("i386"));
        assert_eq!(nearest("sparc", ["x86_64", "i386", "compat"]), None);
        assert_eq!(sanitize("../v5 (final).mbox"), "v5--final-.mbox");
    }
}
