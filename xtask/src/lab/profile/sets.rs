// SPDX-License-Identifier: MIT OR Apache-2.0
//! systemd's sets of system calls, as `systemd-analyze syscall-filter` lists them.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::Fault;
use crate::lab::profile::rules::{Answer, EPERM, FilterArch, Fit, Rule, Rules, is_call_name};

/// The set that every list of allowed calls contains.
const IMPLIED: &str = "@default";

/// The architectures of a 64-bit x86 system, in the order in which systemd attaches their filters: a filter that
/// forbids `seccomp()` forbids it only to the architecture that it is for, and the host's own is the last one.
pub const ATTACHED: [FilterArch; 3] = [FilterArch::X86, FilterArch::X32, FilterArch::X86_64];

/// Sets by their name, which begins with `@`. A member that begins with `@` is a set again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sets(BTreeMap<String, Vec<String>>);

impl Sets {
    /// Reads what `systemd-analyze syscall-filter` prints: a set's name at the beginning of a line, its members
    /// below it, indented. Lines that begin with `#` are comments.
    ///
    /// # Errors
    /// An infra fault for anything else: systemd's output is not what it was.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut open: Option<String> = None;
        let odd = |line: &str| {
            Fault::infra(format!(
                "systemd-analyze syscall-filter: `{}` is not understood",
                line.escape_default()
            ))
        };
        for line in text.lines() {
            let word = line.trim();
            let is_member = line.starts_with(char::is_whitespace);
            match word.strip_prefix('@') {
                _ if word.is_empty() => {}
                _ if word.starts_with('#') => {
                    // A comment that is not indented begins a list that is no set.
                    open = open.filter(|_| is_member);
                }
                Some(_) if !is_member => {
                    sets.insert(word.to_owned(), Vec::new());
                    open = Some(word.to_owned());
                }
                name => {
                    let set = open.as_ref().and_then(|open| sets.get_mut(open)).ok_or_else(|| odd(line))?;
                    if name.is_none() && !is_call_name(word) {
                        return Err(odd(line));
                    }
                    set.push(word.to_owned());
                }
            }
        }
        if !sets.contains_key(IMPLIED) {
            return Err(Fault::infra(format!("systemd-analyze syscall-filter lists no {IMPLIED}")));
        }
        Ok(Self(sets))
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The filter of one architecture for a service that may use the calls of a set: `SystemCallFilter=@set` with
    /// `SystemCallErrorNumber=EPERM`.
    ///
    /// # Errors
    /// An infra fault for a set that is not there.
    pub fn allow(&self, set: &str, arch: FilterArch) -> Result<Rules, Fault> {
        let mut calls = BTreeSet::new();
        let mut seen = BTreeSet::new();
        self.collect(IMPLIED, &mut seen, &mut calls)?;
        self.collect(set, &mut seen, &mut calls)?;
        let rule = |call: &str| Rule { answer: Answer::ALLOW, call: call.to_owned(), conditions: Vec::new() };
        Ok(Rules {
            default: Answer::errno(EPERM),
            other_arch: Some(Answer::ALLOW),
            arches: vec![arch],
            fit: Fit::Exact,
            rules: calls.into_iter().map(rule).collect(),
        })
    }

    fn collect<'a>(
        &'a self,
        set: &'a str,
        seen: &mut BTreeSet<&'a str>,
        calls: &mut BTreeSet<&'a str>,
    ) -> Result<(), Fault> {
        if !seen.insert(set) {
            return Ok(());
        }
        let members = self
            .0
            .get(set)
            .ok_or_else(|| Fault::infra(format!("systemd-analyze syscall-filter lists no {set}")))?;
        for member in members {
            if member.starts_with('@') {
                self.collect(member, seen, calls)?;
            } else {
                calls.insert(member);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::profile::rules::Layout;

    const LISTED: &str = "@default\n    # Always permitted\n    brk\n    exit\n\n@io\n    # Input\n    @raw\n    \
                          read\n\n@raw\n    # Both name each other\n    @io\n    ioperm\n\n\
                          # Ungrouped System Calls (known but in no set):\n#   vmsplice\n";

    #[test]
    fn sets_hold_sets_and_the_implied_one() {
        let sets = Sets::parse(LISTED).unwrap();
        assert_eq!(sets.names().collect::<Vec<_>>(), ["@default", "@io", "@raw"]);
        let text = sets.allow("@io", FilterArch::X32).unwrap().text(Layout::Linear);
        let wanted = "default 327681\nbadarch 2147418112\narch x32\nexact 2147418112 brk\nexact 2147418112 exit\n\
                      exact 2147418112 ioperm\nexact 2147418112 read\n";
        assert_eq!(text, wanted);
        assert!(sets.allow("@ghost", FilterArch::X86).is_err());
    }

    #[test]
    fn what_is_no_list_of_sets_is_refused() {
        for text in
            ["", "@io\n    read\n", "    read\n", "@default\n    brk -1\n", "brk\n", "@default\n#\n    brk\n"]
        {
            assert!(Sets::parse(text).is_err(), "{text:?}");
        }
    }
}
