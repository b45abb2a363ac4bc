// SPDX-License-Identifier: MIT OR Apache-2.0
//! What one line of a build log says.
//!
//! Sources: GNU make, gcc, clang, GNU ld and lld as they print, scripts/kconfig/ and scripts/mod/ of
//! the kernel.

use super::super::lines::shorten;
use super::{BuildFailure, Warning};
use regex::{Captures, Regex, RegexSet};

/// Bytes kept of a text.
const TEXT_BYTES_MAX: usize = 1024;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Warning(Warning),
    Failure(BuildFailure),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Host,
    Warning,
    ToolWarning,
    Compiler,
    CompilerTool,
    Linker,
    Kconfig,
    Make,
}

/// The first pattern that matches decides. Lines that begin with a blank never match: compilers
/// quote the source in them, and the source may say anything.
const PATTERNS: &[(Kind, &str)] = &[
    (
        Kind::Host,
        r"^[^\s].*(?:No space left on device|Cannot allocate memory|virtual memory exhausted|Input/output error|Read-only file system|Too many open files|Disk quota exceeded|[Rr]esource temporarily unavailable)",
    ),
    (
        Kind::Host,
        r"^[^\s].*(?:Killed signal terminated program|Terminated signal terminated program|internal compiler error: (?:Killed|Terminated|Bus error)|clang frontend command failed due to signal)",
    ),
    (Kind::Host, r"^(?:Killed|Terminated|Bus error)$"),
    (
        Kind::Host,
        r"^make(?:\[\d+\])?: \*\*\* .*(?:\] (?:Killed|Terminated|Hangup|Interrupt|Bus error|Error 137|Error 143|Error 127)$|write error)",
    ),
    (
        Kind::Host,
        r"^\S*(?:sh|bash|make)(?:\[\d+\])?: .*(?:[Cc]ommand not found|: not found|: No such file or directory)$",
    ),
    (
        Kind::Host,
        r"^(?:scripts|tools|certs)/.*fatal error: (?:openssl/|libelf\.h|gelf\.h|ncurses\.h|gmp\.h|mpc\.h).*No such file or directory",
    ),
    (Kind::Host, r"^(?:\*\*\* )?(?:Compiler|Linker|Assembler) .*(?:too old|not supported|missing)"),
    (Kind::Warning, r"^(?P<file>[^\s:][^:]*):(?:(?P<line>\d+):)?(?:\d+:)? ?(?:[Ww]arning: )(?P<message>.*)$"),
    (Kind::ToolWarning, r"^WARNING: (?P<file>modpost|objtool): (?P<message>.*)$"),
    (Kind::Kconfig, r"^(?P<file>[^\s:]*Kconfig[^\s:]*):(?P<line>\d+): ?(?:error: ?)?(?P<message>.*)$"),
    (Kind::Kconfig, r"^\*\*\* (?P<message>Configuration file .* not found!|Error during .*configuration.*)$"),
    (Kind::Kconfig, r"^(?P<message>Can't find default configuration .*|Error in reading or end of file\.)$"),
    (Kind::Linker, r"^(?:ERROR: )?modpost: (?P<message>.*(?:undefined!|no license|failed).*)$"),
    (Kind::Linker, r"^ERROR: (?P<message>.* undefined!.*)$"),
    (
        Kind::Linker,
        r"^.*(?:undefined reference to [`'](?P<symbol>[^']+)'|undefined symbol: (?P<symbol2>\S+)|multiple definition of [`'](?P<symbol3>[^']+)').*$",
    ),
    (
        Kind::Linker,
        r"^(?:\S*/)?(?:\S+-)?ld(?:\.lld|\.bfd|\.gold)?: (?:error: |fatal error: )?(?P<message>(?:cannot find|cannot open|section |relocation |final link failed|unrecognized|unknown|error).*)$",
    ),
    (
        Kind::Compiler,
        r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):(?:\d+:)? (?:fatal |internal compiler )?[Ee]rror: (?P<message>.*)$",
    ),
    (
        Kind::CompilerTool,
        r"^(?P<file>cc1|gcc|clang|as|[^\s:]*-gcc|[^\s:]*\.o): (?:fatal |internal compiler )?[Ee]rror: (?P<message>.*)$",
    ),
    (
        Kind::Make,
        r"^make(?:\[\d+\])?: \*\*\* (?:\[(?:[^\s\]]+: )?(?P<target>[^\]]+)\] Error \d+|No rule to make target [`'](?P<target2>[^']+)'.*|.*Stop\.)$",
    ),
    (Kind::Make, r"^\S*Makefile\S*:\d+: \*\*\* .*Stop\.$"),
];

#[derive(Debug)]
pub(super) struct Classifier {
    set: RegexSet,
    patterns: Vec<(Kind, Regex)>,
}

impl Classifier {
    pub(super) fn new() -> Result<Self, regex::Error> {
        let patterns = PATTERNS
            .iter()
            .map(|(kind, pattern)| Ok((*kind, Regex::new(pattern)?)))
            .collect::<Result<_, regex::Error>>()?;
        Ok(Self { set: RegexSet::new(PATTERNS.iter().map(|(_, pattern)| pattern))?, patterns })
    }

    pub(super) fn classify(&self, line: &str) -> Option<Fact> {
        if line.starts_with([' ', '\t']) || !self.set.is_match(line) {
            return None;
        }
        let first = self.set.matches(line).iter().next()?;
        let (kind, pattern) = self.patterns.get(first)?;
        let groups = pattern.captures(line)?;
        Some(fact(*kind, line, &groups))
    }
}

fn fact(kind: Kind, line: &str, groups: &Captures<'_>) -> Fact {
    let text = |name: &str| groups.name(name).map(|group| kept(group.as_str()));
    let first = |names: &[&str]| names.iter().find_map(|name| text(name));
    let number = || groups.name("line").and_then(|group| group.as_str().parse().ok());
    let message = || text("message").unwrap_or_else(|| kept(line));
    match kind {
        Kind::Warning | Kind::ToolWarning => {
            let (message, flag) = split_flag(&message());
            Fact::Warning(Warning { file: text("file").unwrap_or_default(), line: number(), message, flag })
        }
        Kind::Host => Fact::Failure(BuildFailure::Host { message: kept(line) }),
        Kind::Compiler | Kind::CompilerTool => Fact::Failure(BuildFailure::Compiler {
            file: text("file").unwrap_or_default(),
            line: number(),
            message: message(),
        }),
        Kind::Linker => Fact::Failure(BuildFailure::Linker {
            symbol: first(&["symbol", "symbol2", "symbol3"]),
            message: kept(line),
        }),
        Kind::Kconfig => {
            Fact::Failure(BuildFailure::Kconfig { file: text("file"), line: number(), message: message() })
        }
        Kind::Make => Fact::Failure(BuildFailure::Make {
            target: first(&["target", "target2"]).unwrap_or_default(),
            message: kept(line),
        }),
    }
}

/// `unused variable 'x' [-Wunused-variable]`.
fn split_flag(message: &str) -> (String, Option<String>) {
    let flag = message
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once(" ["))
        .filter(|(_, flag)| flag.starts_with("-W") && !flag.contains(' '));
    match flag {
        Some((message, flag)) => (message.to_owned(), Some(flag.to_owned())),
        None => (message.to_owned(), None),
    }
}

fn kept(text: &str) -> String {
    shorten(text.trim(), TEXT_BYTES_MAX).to_owned()
}
