// SPDX-License-Identifier: MIT OR Apache-2.0
//! Profiles of containers: the JSON files of Docker, podman and the OCI runtime specification, read as their engines
//! and runc do.
//!
//! Two things are left out: runc puts a prologue in front that answers ENOSYS to calls newer than the profile, and a
//! `minKernel` is taken as fulfilled, as on any kernel of this lab.

use std::collections::HashSet;

use serde::Deserialize;

use crate::fault::Fault;
use crate::lab::names::nearest;
use crate::lab::profile::rules::{
    Answer, Condition, EPERM, FilterArch, Fit, Operator, Rule, Rules, is_call_name,
};

/// What a container is given that a profile can depend on.
#[derive(Debug, Clone, Copy)]
pub struct Container {
    /// The architecture of its engine.
    pub engine: Engine,
    /// Its capabilities.
    pub capabilities: &'static [&'static str],
}

/// The architecture that an engine is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// 64-bit x86.
    Amd64,
    /// 32-bit x86.
    I386,
}

impl Engine {
    /// As profiles call it in `includes` and `excludes`.
    fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::I386 => "x86",
        }
    }

    /// As libseccomp calls it.
    fn arch(self) -> FilterArch {
        match self {
            Self::Amd64 => FilterArch::X86_64,
            Self::I386 => FilterArch::X86,
        }
    }
}

/// The capabilities of a container that Docker starts without further words.
pub const DOCKER_CAPABILITIES: &[&str] = &[
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// The capabilities of a container that podman starts without further words (`default_capabilities` of its
/// `containers.conf`).
pub const PODMAN_CAPABILITIES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

const ARCHES: [(&str, FilterArch); 20] = [
    ("SCMP_ARCH_X86", FilterArch::X86),
    ("SCMP_ARCH_X86_64", FilterArch::X86_64),
    ("SCMP_ARCH_X32", FilterArch::X32),
    ("SCMP_ARCH_ARM", FilterArch("arm")),
    ("SCMP_ARCH_AARCH64", FilterArch("aarch64")),
    ("SCMP_ARCH_LOONGARCH64", FilterArch("loongarch64")),
    ("SCMP_ARCH_MIPS", FilterArch("mips")),
    ("SCMP_ARCH_MIPS64", FilterArch("mips64")),
    ("SCMP_ARCH_MIPS64N32", FilterArch("mips64n32")),
    ("SCMP_ARCH_MIPSEL", FilterArch("mipsel")),
    ("SCMP_ARCH_MIPSEL64", FilterArch("mipsel64")),
    ("SCMP_ARCH_MIPSEL64N32", FilterArch("mipsel64n32")),
    ("SCMP_ARCH_PARISC", FilterArch("parisc")),
    ("SCMP_ARCH_PARISC64", FilterArch("parisc64")),
    ("SCMP_ARCH_PPC", FilterArch("ppc")),
    ("SCMP_ARCH_PPC64", FilterArch("ppc64")),
    ("SCMP_ARCH_PPC64LE", FilterArch("ppc64le")),
    ("SCMP_ARCH_RISCV64", FilterArch("riscv64")),
    ("SCMP_ARCH_S390", FilterArch("s390")),
    ("SCMP_ARCH_S390X", FilterArch("s390x")),
];

const OPERATORS: [(&str, Operator); 7] = [
    ("SCMP_CMP_NE", Operator::NotEqual),
    ("SCMP_CMP_LT", Operator::Less),
    ("SCMP_CMP_LE", Operator::LessOrEqual),
    ("SCMP_CMP_EQ", Operator::Equal),
    ("SCMP_CMP_GE", Operator::GreaterOrEqual),
    ("SCMP_CMP_GT", Operator::Greater),
    ("SCMP_CMP_MASKED_EQ", Operator::MaskedEqual),
];

const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

/// The largest error number of `SCMP_ACT_ERRNO`: the kernel answers it for all above.
const ERRNO_MAX: u16 = 4095;

/// Reads a profile for a container.
///
/// # Errors
/// A usage fault that names the file and the value: no JSON, a field, an action, an architecture, an operator or an
/// argument that there is not. Names of calls are only looked at for their letters: which there are, libseccomp knows.
pub fn parse(file: &str, text: &str, container: Container) -> Result<Rules, Fault> {
    Profile::read(text).and_then(|profile| profile.rules(container)).map_err(|fault| fault.within(file))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u64>,
    /// The same as text, for people: the number decides.
    #[serde(rename = "defaultErrno")]
    _default_errno: Option<String>,
    arch_map: Option<Vec<ArchMap>>,
    architectures: Option<Vec<String>>,
    #[serde(rename = "flags")]
    _flags: Option<Vec<String>>,
    #[serde(rename = "listenerPath")]
    _listener_path: Option<String>,
    #[serde(rename = "listenerMetadata")]
    _listener_metadata: Option<String>,
    syscalls: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ArchMap {
    architecture: String,
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: String,
    errno_ret: Option<u64>,
    #[serde(rename = "errno")]
    _errno: Option<String>,
    args: Option<Vec<Argument>>,
    #[serde(rename = "comment")]
    _comment: Option<String>,
    includes: Option<Demand>,
    excludes: Option<Demand>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Argument {
    index: u64,
    value: u64,
    value_two: Option<u64>,
    op: String,
}

/// What an entry depends on.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Demand {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

impl Profile {
    fn read(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let fault = Fault::usage(format!("no profile of containers: {message}"));
            let mut quoted = message.split('`').skip(1).step_by(2);
            match quoted.next() {
                Some(written) if message.starts_with("unknown field") => {
                    match nearest(written, quoted.collect::<Vec<_>>()) {
                        Some(near) => fault.help(format!("did you mean `{near}`?")),
                        None => fault,
                    }
                }
                _ => fault.help("a profile is a JSON object with `defaultAction` and `syscalls`"),
            }
        })
    }

    fn rules(self, container: Container) -> Result<Rules, Fault> {
        let default = answer(&self.default_action, "defaultErrnoRet", self.default_errno_ret)?;
        let arches = self.arches(container.engine)?;
        let mut rules = Vec::new();
        for (number, entry) in self.syscalls.unwrap_or_default().into_iter().enumerate() {
            let place = format!("syscalls[{number}]");
            rules.extend(entry.rules(container, default).map_err(|fault| fault.within(&place))?);
        }
        Ok(Rules { default, other_arch: None, arches, fit: Fit::Adapted, rules })
    }

    /// The engine's own architecture, and what the profile adds to it.
    fn arches(&self, engine: Engine) -> Result<Vec<FilterArch>, Fault> {
        let mut arches = vec![engine.arch()];
        let mut add = |arch| {
            if !arches.contains(&arch) {
                arches.push(arch);
            }
        };
        for map in self.arch_map.iter().flatten() {
            let is_own = one_of("architecture", &map.architecture, &ARCHES)? == engine.arch();
            for sub in map.sub_architectures.iter().flatten() {
                let sub = one_of("architecture", sub, &ARCHES)?;
                if is_own {
                    add(sub);
                }
            }
        }
        let given = self.architectures.as_deref().unwrap_or_default();
        if !given.is_empty() && self.arch_map.as_ref().is_some_and(|map| !map.is_empty()) {
            return Err(Fault::usage("`architectures` and `archMap` do not go together")
                .help("leave one of them out"));
        }
        for arch in given {
            add(one_of("architecture", arch, &ARCHES)?);
        }
        Ok(arches)
    }
}

impl Entry {
    /// Every entry is looked at, also one that does not apply: a wrong word in it is wrong.
    fn rules(self, container: Container, default: Answer) -> Result<Vec<Rule>, Fault> {
        let answer = answer(&self.action, "errnoRet", self.errno_ret)?;
        let arguments = self.args.as_deref().unwrap_or_default();
        let conditions: Vec<Condition> =
            arguments.iter().map(Argument::condition).collect::<Result<_, _>>()?;
        let calls = match (self.name, self.names) {
            (Some(name), None) => vec![name],
            (None, Some(names)) => names,
            _ => return Err(Fault::usage("either `name` or `names` has to be there")),
        };
        if let Some(odd) = calls.iter().find(|call| !is_call_name(call)) {
            return Err(Fault::usage(format!("`{}` is no name of a system call", odd.escape_default()))
                .help("names are small letters, digits and `_`"));
        }
        let applies = self.includes.is_none_or(|demand| demand.admits(container))
            && self.excludes.is_none_or(|demand| !demand.names_any(container));
        // libseccomp wants no rule that says what the default says.
        if !applies || answer == default {
            return Ok(Vec::new());
        }
        // A name again says nothing new, and libseccomp takes its time over each.
        let mut seen = HashSet::new();
        let calls = calls.iter().filter(|call| seen.insert(call.as_str()));
        let rule = |call: &String, conditions| Rule { answer, call: call.clone(), conditions };
        let mut rules = Vec::new();
        for call in calls {
            if asks_twice(&conditions) {
                rules.extend(conditions.iter().map(|condition| rule(call, vec![*condition])));
            } else {
                rules.push(rule(call, conditions.clone()));
            }
        }
        Ok(rules)
    }
}

/// Whether one argument has two conditions: then runc takes any of them for enough, else all have to hold.
fn asks_twice(conditions: &[Condition]) -> bool {
    (1..conditions.len()).any(|at| {
        let (before, rest) = conditions.split_at(at);
        before.iter().any(|condition| condition.argument == rest[0].argument)
    })
}

impl Argument {
    fn condition(&self) -> Result<Condition, Fault> {
        let argument = u8::try_from(self.index).ok().filter(|index| *index < 6);
        let argument =
            argument.ok_or_else(|| Fault::usage(format!("`index` {}: arguments are 0 to 5", self.index)))?;
        let operator = one_of("operator", &self.op, &OPERATORS)?;
        Ok(Condition { argument, operator, value: self.value, value_two: self.value_two.unwrap_or(0) })
    }
}

impl Demand {
    /// As `includes`: whether all that is named is there.
    fn admits(&self, container: Container) -> bool {
        let arches = self.arches.as_deref().unwrap_or_default();
        let caps = self.caps.as_deref().unwrap_or_default();
        (arches.is_empty() || arches.iter().any(|arch| arch == container.engine.name()))
            && caps.iter().all(|cap| container.capabilities.contains(&cap.as_str()))
    }

    /// As `excludes`: whether anything that is named is there.
    fn names_any(&self, container: Container) -> bool {
        let arches = self.arches.as_deref().unwrap_or_default();
        let caps = self.caps.as_deref().unwrap_or_default();
        self.min_kernel.as_ref().is_some_and(|version| !version.is_empty())
            || arches.iter().any(|arch| arch == container.engine.name())
            || caps.iter().any(|cap| container.capabilities.contains(&cap.as_str()))
    }
}

/// `field` is where the number stands.
fn answer(action: &str, field: &str, number: Option<u64>) -> Result<Answer, Fault> {
    let written = number.unwrap_or_else(|| EPERM.into());
    let max = if action == "SCMP_ACT_ERRNO" { ERRNO_MAX } else { u16::MAX };
    let number = u16::try_from(written).ok().filter(|number| *number <= max);
    let number = number.ok_or_else(|| Fault::usage(format!("{field} {written}: at most {max}")))?;
    Ok(match action {
        "SCMP_ACT_ALLOW" => Answer::ALLOW,
        "SCMP_ACT_ERRNO" => Answer::errno(number),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Answer::KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => Answer::KILL_PROCESS,
        "SCMP_ACT_LOG" => Answer::LOG,
        "SCMP_ACT_NOTIFY" => Answer::NOTIFY,
        "SCMP_ACT_TRACE" => Answer::trace(number),
        "SCMP_ACT_TRAP" => Answer::TRAP,
        other => return Err(crate::lab::names::unknown("action", other, ACTIONS)),
    })
}

fn one_of<T: Copy>(what: &str, written: &str, table: &[(&str, T)]) -> Result<T, Fault> {
    match table.iter().find(|(name, _)| *name == written) {
        Some((_, value)) => Ok(*value),
        None => Err(crate::lab::names::unknown(what, written, table.iter().map(|(name, _)| *name))),
    }
}

#[cfg(test)]
#[path = "oci_tests.rs"]
mod tests;
