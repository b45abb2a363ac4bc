// SPDX-License-Identifier: MIT OR Apache-2.0
//! Can a symbol be set, on each architecture that the tree has? Asked of the tree's own Kconfig.
//!
//! `scripts/kconfig/conf` of the tree runs for each architecture twice: `allyesconfig`, and
//! `allnoconfig` with the symbol and those named with it set. Compiler and linker are stand-ins that
//! know their version and accept every option, so that no cross compiler is needed. With that more
//! can be set than with any real compiler: a symbol that is not reachable here is reachable nowhere.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;
use regex::Regex;

use super::{Found, Subject, kconfig_option, numbered, sub};
use crate::fault::Fault;
use crate::lab::fragment::Symbols;
use crate::record::model::SubRecord;
use crate::sys::process::{Exit, capture, command, tail};

/// What `ARCH=` can be besides the folders of `arch/`, and which folder it is.
const ALIASES: [(&str, &str); 5] =
    [("i386", "x86"), ("x86_64", "x86"), ("sparc64", "sparc"), ("sparc32", "sparc"), ("sh64", "sh")];

/// Architectures whose headers are, where they have none, those of another.
const HEADERS_OF: [(&str, &str); 1] = [("um", "x86")];

/// The stand-in for compilers and linkers. Versions come from the host's own.
const STAND_IN: &str = "#!/bin/sh\n\
    # Accepts every option; only what asks for a version reaches the real tool.\n\
    case \" $* \" in\n\
    *--version*|*' -E '*|*' -v '*|*-print*) exec TOOL \"$@\" ;;\n\
    esac\n\
    exit 0\n";

/// What is asked.
pub(super) struct Question<'a> {
    /// The symbol.
    pub(super) symbol: &'a str,
    /// Symbols set with it.
    pub(super) with: &'a [String],
    /// The header below `arch/NAME/`.
    pub(super) header: &'a str,
    /// The macro that it must define.
    pub(super) defines: &'a str,
    /// Where the symbol must be reachable.
    pub(super) on: &'a [String],
    /// Where it must not.
    pub(super) never: &'a [String],
    /// Its value where nothing sets it.
    pub(super) default: Option<&'a str>,
    /// Symbols without which it must not be reachable.
    pub(super) needs: &'a [String],
}

impl Question<'_> {
    /// All of `with`, set.
    pub(super) fn neighbours(&self) -> String {
        self.with.iter().map(|name| format!("CONFIG_{name}=y\n")).collect()
    }

    /// All of `with` and the symbol, set.
    pub(super) fn wanted(&self) -> String {
        format!("{}CONFIG_{}=y\n", self.neighbours(), self.symbol)
    }
}

/// What came of one architecture.
struct Answer {
    record: SubRecord,
    is_reachable: bool,
}

/// Whether a file of an architecture is handed to `conf`, which may run it or let make read it.
fn is_used_by_conf(path: &str) -> bool {
    let mut parts = path.splitn(4, '/');
    let (Some("arch"), Some(_), Some(part)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    match parts.next() {
        Some(_) => matches!(part, "tools" | "scripts"),
        None => part.starts_with("Makefile"),
    }
}

/// A digest of the tree's entries that decide a configuration, and of the headers of a name.
pub(super) fn inputs(subject: &Subject<'_>, header: Option<&str>) -> Result<String> {
    let key = crate::plan::key::KeyBuilder::new("kconfig inputs")
        .part("sources", super::sources::digest())
        .part("tree", &subject.source.tree)
        .part("header", header.unwrap_or_default())
        .finish();
    let cache = &subject.context.cache;
    if let Some(digest) = cache.answer(&key) {
        return Ok(digest);
    }
    let listed = subject.source.imported.git.run(&["ls-tree", "-r", &subject.source.tree])?.text();
    let decides = |line: &&str| {
        let path = line.split('\t').nth(1).unwrap_or("");
        let name = path.rsplit('/').next().unwrap_or(path);
        name.starts_with("Kconfig")
            || is_used_by_conf(path)
            || path.starts_with("scripts/")
            || path == "Makefile"
            || header.is_some_and(|header| path.ends_with(header))
    };
    let lines = listed.lines().filter(decides);
    let digest = crate::plan::key::KeyBuilder::new("kconfig digest").parts("line", lines).finish();
    cache.keep_answer(&key, &digest)?;
    Ok(digest.as_str().to_owned())
}

/// Asks all architectures.
pub(super) fn look(subject: &Subject<'_>, question: &Question<'_>, deadline: Duration) -> Result<Found> {
    let scratch = subject.context.cache.temporary()?;
    let tree = Kconfig::export(subject, scratch.path(), question.header, deadline)?;
    if !tree.defines_symbol(question.symbol)? {
        return Ok(Found::Absent(format!("no Kconfig file of the tree defines {}", question.symbol)));
    }
    let all = tree.architectures()?;
    let folders: BTreeSet<&str> = all.iter().map(|(_, folder)| folder.as_str()).collect();
    let mut subs = Vec::new();
    for name in question.on.iter().chain(question.never) {
        if !folders.contains(name.as_str()) {
            subs.push(sub(1, name, false, format!("the tree has no arch/{name}")));
        }
    }
    let next = AtomicUsize::new(0);
    let answers = std::thread::scope(|scope| {
        let worker = || -> Result<Vec<(usize, Answer)>> {
            let mut own = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::SeqCst);
                let Some((arch, folder)) = all.get(at) else { return Ok(own) };
                own.push((at, tree.ask(question, arch, folder)?));
            }
        };
        let workers: Vec<_> = (0..crate::run::config::parallelism()).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| {
            worker.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the lab panicked")))
        });
        joined.collect::<Result<Vec<_>>>()
    })?;
    let mut answers: Vec<(usize, Answer)> = answers.into_iter().flatten().collect();
    answers.sort_by_key(|(at, _)| *at);
    // What the option says of itself is the same everywhere: one architecture that has it is enough.
    let one = question.on.iter().find_map(|name| all.iter().position(|(arch, _)| arch == name));
    let is_with = |at: &usize| answers.iter().any(|(of, answer)| of == at && answer.is_reachable);
    let one = one.filter(is_with).or_else(|| (0..all.len()).find(|at| is_with(at)));
    let asked = one.and_then(|at| all.get(at));
    subs.extend(answers.into_iter().map(|(_, answer)| answer.record));
    if let Some((arch, folder)) = asked {
        subs.extend(kconfig_option::look(&tree, question, arch, folder)?);
    }
    Ok(Found::Subs(numbered(subs)))
}

/// The Kconfig files of a tree, and its `conf`.
pub(super) struct Kconfig {
    top: PathBuf,
    deadline: Duration,
}

impl Kconfig {
    /// Writes the files that a configuration needs, and builds `conf` of them.
    fn export(subject: &Subject<'_>, scratch: &Path, header: &str, deadline: Duration) -> Result<Self> {
        let top = scratch.join("tree");
        fs::create_dir_all(&top)?;
        let git = &subject.source.imported.git;
        let archive = scratch.join("kconfig.tar");
        let output = format!("--output={}", archive.display());
        let headers = format!(":(glob)arch/*/{header}");
        let words = [
            "archive",
            "--format=tar",
            &output,
            &subject.source.tree,
            "--",
            ":(glob)**/Kconfig*",
            ":(glob)arch/*/Makefile*",
            ":(glob)arch/*/tools/**",
            ":(glob)arch/*/scripts/**",
            "Makefile",
            "scripts",
            &headers,
        ];
        git.run(&words)?;
        let mut tar = command("tar");
        tar.args(["--extract", "--no-same-owner", "--file"]).arg(&archive).arg("--directory").arg(&top);
        capture(tar, "tar", deadline, b"")?.success("unpacking Kconfig files")?;
        let tree = Self { top, deadline };
        for tool in ["gcc", "ld"] {
            let path = tree.stand_in(tool);
            fs::write(&path, STAND_IN.replace("TOOL", tool))?;
            fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        }
        tree.build()?;
        Ok(tree)
    }

    fn stand_in(&self, tool: &str) -> PathBuf {
        self.top.join(format!("lab-{tool}"))
    }

    /// Lets the tree's own Makefile build `conf`.
    fn build(&self) -> Result<()> {
        let mut make = command("make");
        make.current_dir(&self.top).args(["ARCH=x86_64", "LOCALVERSION=", "allnoconfig"]);
        let what = "building scripts/kconfig/conf";
        let made = capture(make, what, self.deadline, b"")?;
        match made.exit {
            Exit::Code(0) => Ok(()),
            Exit::Interrupted => Err(Fault::interrupted().into()),
            exit => {
                let said = tail(&made.stderr, 1000);
                Err(Fault::infra(format!("{what}: {exit}\n{said}")).into())
            }
        }
    }

    fn defines_symbol(&self, symbol: &str) -> Result<bool> {
        let wanted = format!("config {symbol}");
        let mut open = vec![self.top.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("Kconfig")) {
                    let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
                    if text.lines().any(|line| line.trim() == wanted) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// What `ARCH=` can be, and the folder that it is.
    fn architectures(&self) -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.top.join("arch"))? {
            let path = entry?.path();
            if path.join("Kconfig").is_file() {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                all.push((name.clone(), name.clone()));
                let aliases = ALIASES.iter().filter(|(_, folder)| *folder == name);
                all.extend(aliases.map(|(alias, folder)| ((*alias).to_owned(), (*folder).to_owned())));
            }
        }
        all.sort();
        Ok(all)
    }

    fn ask(&self, question: &Question<'_>, arch: &str, folder: &str) -> Result<Answer> {
        let wanted = question.wanted();
        let is_reachable = self.conf(arch, folder, "allyesconfig", "")?.is_set(question.symbol)
            || self.conf(arch, folder, "allnoconfig", &wanted)?.is_set(question.symbol);
        let header = self.header(folder, question.header);
        let record = judge(question, arch, folder, is_reachable, header.as_deref());
        Ok(Answer { record, is_reachable })
    }

    fn header(&self, folder: &str, header: &str) -> Option<String> {
        let others = HEADERS_OF.iter().filter(|(of, _)| *of == folder).map(|(_, other)| *other);
        let mut places = std::iter::once(folder).chain(others);
        places.find_map(|place| fs::read_to_string(self.top.join("arch").join(place).join(header)).ok())
    }

    /// Runs `conf`, and gives the final config.
    pub(super) fn conf(&self, arch: &str, folder: &str, mode: &str, wanted: &str) -> Result<Symbols> {
        let place = self.top.join(format!("conf-{arch}-{mode}"));
        fs::create_dir_all(&place)?;
        let (dot_config, set) = (place.join(".config"), place.join("wanted"));
        fs::write(&set, wanted)?;
        let mut conf = command(self.top.join("scripts/kconfig/conf"));
        conf.arg(format!("--{mode}")).arg("Kconfig").current_dir(&place);
        conf.env("srctree", &self.top).env("ARCH", arch).env("SRCARCH", folder);
        conf.env("KCONFIG_CONFIG", &dot_config).env("KCONFIG_ALLCONFIG", &set);
        // Where this file is there, conf does not write one file more for each symbol.
        conf.env("KCONFIG_AUTOCONFIG", &set);
        // User-mode Linux takes the host's architecture.
        conf.env("SUBARCH", "x86_64").env("HEADER_ARCH", "x86").env("KERNELVERSION", "0.0.0");
        let (gcc, ld) = (self.stand_in("gcc"), self.stand_in("ld"));
        for (name, tool) in [("CC", &gcc), ("HOSTCC", &gcc), ("HOSTCXX", &gcc), ("LD", &ld)] {
            conf.env(name, tool);
        }
        for (name, tool) in [("AR", "ar"), ("NM", "nm"), ("OBJCOPY", "objcopy"), ("READELF", "readelf")] {
            conf.env(name, tool);
        }
        conf.env("CC_VERSION_TEXT", "gcc")
            .env("PAHOLE", "false")
            .env("RUSTC", "false")
            .env("BINDGEN", "false");
        let what = format!("conf --{mode} for {arch}");
        let ran = capture(conf, &what, self.deadline, b"")?;
        match ran.exit {
            Exit::Code(0) => {}
            Exit::Interrupted => return Err(Fault::interrupted().into()),
            exit => {
                let said = tail(&ran.stderr, 600);
                return Err(Fault::infra(format!("{what}: {exit}\n{said}")).into());
            }
        }
        Ok(Symbols::parse_config(&fs::read_to_string(&dot_config).context("reading what conf wrote")?))
    }
}

/// What must hold of one architecture.
fn judge(
    question: &Question<'_>,
    arch: &str,
    folder: &str,
    is_reachable: bool,
    header: Option<&str>,
) -> SubRecord {
    let (symbol, defines) = (question.symbol, question.defines);
    let has_macro = header.is_some_and(|text| {
        let pattern = format!(r"(?m)^\s*#\s*define\s+{}\b", regex::escape(defines));
        Regex::new(&pattern).is_ok_and(|regex| regex.is_match(text))
    });
    let is_among = |names: &[String]| names.iter().any(|name| name == folder);
    let (passes, reason) = match (is_reachable, has_macro) {
        (true, _) if is_among(question.never) => (false, format!("{symbol} can be set, and must not")),
        (true, false) => {
            (false, format!("{symbol} can be set, and {} does not define {defines}", question.header))
        }
        (false, _) if is_among(question.on) => (false, format!("{symbol} cannot be set")),
        (true, true) => (true, "can be set, and the macro is there".to_owned()),
        (false, true) => (true, format!("{defines} is there, and {symbol} cannot be set")),
        (false, false) => (true, "cannot be set".to_owned()),
    };
    sub(1, arch, passes, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::model::CheckStatus;

    #[test]
    fn what_an_architecture_hands_to_conf_is_among_its_inputs() {
        for (path, is_used) in [
            ("arch/x86/Makefile", true),
            ("arch/x86/Makefile.um", true),
            ("arch/x86/tools/relocs.c", true),
            ("arch/s390/tools/a/b.c", true),
            ("arch/arm/scripts/x.sh", true),
            ("arch/x86/kernel/Makefile", false),
            ("arch/x86/tools", false),
            ("tools/Makefile", false),
        ] {
            assert_eq!(is_used_by_conf(path), is_used, "{path}");
        }
    }

    #[test]
    fn the_option_implies_the_macro_and_not_the_other_way_round() {
        let (on, never) = (["x86".to_owned()], ["mips".to_owned()]);
        let question = Question {
            symbol: "CACHE_DEBUG",
            with: &[],
            header: "include/asm/x.h",
            defines: "ARCH_NATIVE",
            on: &on,
            never: &never,
            default: None,
            needs: &[],
        };
        let with = Some("#ifdef X\n# define ARCH_NATIVE 1\n#endif\n");
        let near = Some("#define ARCH_NATIVE_NR 1\n/* define ARCH_NATIVE */\n");
        for (folder, is_reachable, header, passes) in [
            ("arm", true, with, true),
            ("arm", true, near, false),
            ("arm", true, None, false),
            ("arm", false, with, true),
            ("arm", false, None, true),
            ("mips", true, with, false),
            ("mips", false, with, true),
            ("x86", true, with, true),
            ("x86", false, with, false),
        ] {
            let record = judge(&question, folder, folder, is_reachable, header);
            assert_eq!(record.status == CheckStatus::Pass, passes, "{folder} {is_reachable} {header:?}");
        }
    }
}
