// SPDX-License-Identifier: MIT OR Apache-2.0
//! Static checks, as `lab.toml` declares them: what is looked at, and what must be found.
//!
//! They read sources or objects and need no boot. Nothing here is about one series: names of
//! functions are *roles* that `series.toml` or `[functions]` of `lab.toml` fill.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What must be in a file of the tree for a check to have a subject; else the check is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePattern {
    /// Path in the tree.
    pub file: String,
    /// A regular expression; `^` and `$` are ends of lines.
    pub pattern: String,
}

/// How a static check is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Method {
    /// Looks at the machine code of a function in the cell's `vmlinux`.
    Disassembly {
        /// Role of the function.
        function: String,
        /// Roles of functions that are part of it where the compiler did not inline them.
        #[serde(default)]
        follow: Vec<String>,
        /// What must be found.
        rule: Rule,
    },
    /// Asks the tree's own Kconfig, architecture by architecture, whether a symbol can be set, and
    /// wants a macro in the header of each where it can.
    Kconfig {
        /// The symbol, without `CONFIG_`.
        symbol: String,
        /// Symbols that are set with it.
        #[serde(default)]
        with: Vec<String>,
        /// The header below `arch/NAME/`.
        header: String,
        /// The macro that it must define.
        defines: String,
        /// Architectures (folders of `arch/`) where the symbol must be reachable.
        #[serde(default)]
        on: Vec<String>,
        /// Architectures where it must not be.
        #[serde(default)]
        never: Vec<String>,
        /// Its value where nothing sets it, although all of `with` is set.
        default: Option<String>,
        /// Symbols without which it must not be reachable.
        #[serde(default)]
        needs: Vec<String>,
    },
    /// Compiles a file that includes nothing but one header.
    Header {
        /// As in `#include <HEADER>`.
        header: String,
        /// The object whose compiler flags are taken.
        like: String,
        /// A cross toolchain of `[cross]`; the cell's own kernel config without.
        cross: Option<String>,
        /// Macros that are defined before it, as if the config had them: what an architecture cannot
        /// set is looked at all the same.
        #[serde(default)]
        define: Vec<String>,
    },
    /// Compiles objects with cross compilers.
    CrossCompile {
        /// The objects.
        objects: Vec<String>,
        /// Toolchains of `[cross]`.
        cross: Vec<String>,
    },
    /// Compiles a function of the tree into a program for the host, and runs it.
    HostProgram {
        /// The file that has the function.
        source: String,
        /// Role of the function.
        function: String,
        /// Roles of functions that it calls, and of structs (`struct NAME`): they come along, in this order,
        /// where the file has them.
        #[serde(default)]
        helpers: Vec<String>,
        /// Our program, which includes `extracted.h` and calls `LAB_FUNCTION`.
        program: String,
    },
    /// Compiles the objects that use something in other configs, without linking or booting them.
    Compile {
        /// The changes of the kernel's config.
        variants: Vec<Changed>,
        /// A regular expression: every C file with it is compiled where the config has it.
        mentions: String,
        /// Where to look for such files.
        folders: Vec<String>,
    },
    /// Compiles what the last patch of a point touches, with `W=1`: no warning may be new.
    PatchWarnings {},
    /// Reads the last patch of a point with the tree's `scripts/checkpatch.pl`: no error, and its warnings told.
    PatchStyle {},
    /// Looks for a pattern in a file of the tree.
    Text {
        /// The file.
        file: String,
        /// The regular expression; `^` and `$` are ends of lines.
        pattern: String,
    },
}

/// What must be found in machine code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// Every bit test with a variable index has an index that was masked against speculation.
    MaskedIndex,
    /// There are so many comparisons with any of these constants. Storing one is none.
    Comparisons {
        /// The constants.
        constants: Vec<u32>,
        /// How many comparisons.
        count: usize,
        /// How many in a kernel with some symbol.
        #[serde(default)]
        with: Option<CountWith>,
    },
}

/// Another number for kernels with a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountWith {
    /// Without `CONFIG_`.
    pub symbol: String,
    /// How many.
    pub count: usize,
}

/// A config that differs from the kernel's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// What results call it.
    pub name: String,
    /// Symbols, without `CONFIG_`, and their values.
    pub set: BTreeMap<String, String>,
    /// An architecture (`ARCH=`) for which this makes sense; all without.
    pub arch: Option<String>,
}

/// `[cross.NAME]`: a compiler for another architecture, from packages that are unpacked into the
/// cache. Installing them would remove the host's own 32-bit compiler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossTools {
    /// `ARCH=`.
    pub arch: String,
    /// `CROSS_COMPILE=`.
    pub prefix: String,
    /// Debian packages of the host's suite.
    pub packages: Vec<String>,
    /// Symbols, without `CONFIG_`, asked for on top of `tinyconfig`.
    #[serde(default)]
    pub symbols: BTreeMap<String, String>,
    /// Symbols, without `CONFIG_`, asked for where the tree knows them.
    #[serde(default)]
    pub optional: BTreeMap<String, String>,
}

impl Method {
    /// Regular expressions of this method, to be checked when the configuration is read.
    pub fn patterns(&self) -> Vec<&str> {
        match self {
            Method::Text { pattern, .. } => vec![pattern],
            Method::Compile { mentions, .. } => vec![mentions],
            _ => Vec::new(),
        }
    }

    /// Cross toolchains that it names.
    pub fn cross(&self) -> Vec<&str> {
        match self {
            Method::Header { cross, .. } => cross.iter().map(String::as_str).collect(),
            Method::CrossCompile { cross, .. } => cross.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Paths that it names.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Method::Disassembly { .. } | Method::PatchWarnings {} | Method::PatchStyle {} => Vec::new(),
            Method::Kconfig { header, .. } => vec![header],
            Method::Header { header, like, .. } => vec![header, like],
            Method::CrossCompile { objects, .. } => objects.iter().map(String::as_str).collect(),
            Method::HostProgram { source, program, .. } => vec![source, program],
            Method::Compile { folders, .. } => folders.iter().map(String::as_str).collect(),
            Method::Text { file, .. } => vec![file],
        }
    }

    /// Whether the result depends on the cell's kernel, or on its source alone.
    pub fn needs_kernel(&self) -> bool {
        match self {
            Method::Disassembly { .. } | Method::Compile { .. } | Method::PatchWarnings {} => true,
            Method::Header { cross, .. } => cross.is_none(),
            Method::Kconfig { .. }
            | Method::CrossCompile { .. }
            | Method::HostProgram { .. }
            | Method::PatchStyle {}
            | Method::Text { .. } => false,
        }
    }
}
