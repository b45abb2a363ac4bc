// SPDX-License-Identifier: MIT OR Apache-2.0
//! A profile that a user names: one of the lab's own, or a file.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;
use seccomp_oracle::cases::NamedChain;
use seccomp_oracle::insn::Insn;
use seccomp_oracle::request;

use crate::fault::Fault;
use crate::lab::kernel::Abi;
use crate::lab::names::nearest;
use crate::lab::profile::oci::{self, Container, DOCKER_CAPABILITIES, Engine};
use crate::lab::profile::rules::Layout;
use crate::lab::profile::{self, FOLDER, MANIFEST, SYSTEMD_PREFIX};
use crate::run::context::Context;
use crate::run::libseccomp::{Compiler, instructions};

/// The largest file that is taken for a profile, in bytes: far more than any real one.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// How many unknown calls of a profile are told by name.
const UNKNOWN_SHOWN_MAX: usize = 10;

/// What kind of file it is, by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Rules for containers.
    Json,
    /// One program: an array of `struct sock_filter`.
    Program,
    /// One chain in the lab's format.
    Chain,
}

/// Loads `NAME`, `@SET`, `FILE.json`, `FILE.bpf` or `FILE.chain`.
///
/// JSON is compiled as for a container that Docker starts, linear, for the architectures that it names. Only this
/// needs anything beyond the file: gcc and libseccomp.
///
/// # Errors
/// Usage faults that name the file and what is wrong in it, or the nearest profile; infra faults of libseccomp's package.
pub fn load(context: &Context<'_>, value: &str) -> Result<NamedChain> {
    let filters = match kind(value)? {
        None => return shipped(context, value),
        Some(Kind::Json) => vec![compile(context, value, text(value, &bytes(value)?)?)?],
        Some(Kind::Program) => {
            vec![instructions(&bytes(value)?).map_err(|fault| fault.within(value))?]
        }
        Some(Kind::Chain) => chain(value, &bytes(value)?)?,
    };
    Ok(NamedChain { name: value.to_owned(), filters })
}

/// `None` for what is no path.
fn kind(value: &str) -> Result<Option<Kind>, Fault> {
    let path = Path::new(value);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(Some(Kind::Json)),
        Some("bpf") => Ok(Some(Kind::Program)),
        Some("chain") => Ok(Some(Kind::Chain)),
        _ if value.contains('/') => Err(Fault::usage(format!(
            "`{}`: what kind of profile is it?",
            value.escape_default()
        ))
        .help(
            "names end in .json (rules of a container), .bpf (struct sock_filter) or .chain (the lab's own)",
        )),
        _ => Ok(None),
    }
}

fn shipped(context: &Context<'_>, value: &str) -> Result<NamedChain> {
    let profiles = profile::read(&context.lab.root)?;
    let name = match value.strip_prefix('@') {
        Some(set) => format!("{SYSTEMD_PREFIX}{set}"),
        None => value.to_owned(),
    };
    match profiles.iter().find(|profile| profile.name == name) {
        Some(profile) => Ok(NamedChain { name, filters: profile.chain_for(Abi::Bits64) }),
        None => Err(no_profile(value, profiles.iter().map(|profile| profile.name.as_str())).into()),
    }
}

/// Without all their names, which are more than fit a screen.
fn no_profile<'a>(value: &str, names: impl Iterator<Item = &'a str>) -> Fault {
    let near = nearest(value, names).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    Fault::usage(format!("there is no profile `{}`", value.escape_default()))
        .help(format!("{near}{FOLDER}/{MANIFEST} has the names; files end in .json, .bpf or .chain"))
}

fn bytes(value: &str) -> Result<Vec<u8>, Fault> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Fault::usage(format!("reading a profile: {error}")).help(
            "a profile is wanted: a name, or a file that ends in .json (rules of a container), .bpf (struct \
             sock_filter) or .chain (the lab's own)",
        )
    };
    let size = fs::metadata(value).map_err(|error| unreadable(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(Fault::usage(format!(
            "{value}: {size} bytes are no profile, at most {FILE_BYTES_MAX} are read"
        )));
    }
    fs::read(value).map_err(|error| unreadable(&error))
}

fn text<'a>(value: &str, bytes: &'a [u8]) -> Result<&'a str, Fault> {
    std::str::from_utf8(bytes).map_err(|error| Fault::usage(format!("{value}: no text: {error}")))
}

fn chain(value: &str, bytes: &[u8]) -> Result<Vec<Vec<Insn>>, Fault> {
    let mut chains = request::decode(bytes).map_err(|error| Fault::usage(format!("{value}: {error}")))?;
    match (chains.len(), chains.pop()) {
        (1, Some(chain)) => Ok(chain.filters),
        (count, _) => Err(Fault::usage(format!("{value}: it holds {count} chains, and a profile is one"))),
    }
}

fn compile(context: &Context<'_>, value: &str, text: &str) -> Result<Vec<Insn>> {
    let container = Container { engine: Engine::Amd64, capabilities: DOCKER_CAPABILITIES };
    let rules = oci::parse(value, text, container)?;
    let compiler = Compiler::of_host(context)?;
    let compiled = compiler.compile(value, &rules, Layout::Linear)?;
    if compiled.unknown.is_empty() {
        return Ok(compiled.insns);
    }
    Err(unknown_calls(value, &compiled.unknown, &compiler.version()?, &compiler.names()?).into())
}

fn unknown_calls(value: &str, calls: &[String], version: &str, known: &[String]) -> Fault {
    let shown = &calls[..calls.len().min(UNKNOWN_SHOWN_MAX)];
    let more = match calls.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let fault = Fault::usage(format!(
        "{value}: libseccomp {version} knows no system call `{}`{more}",
        shown.join("`, `")
    ));
    let near = |call: &String| {
        let near = nearest(call, known.iter().map(String::as_str))?;
        Some(format!("`{near}` for `{call}`"))
    };
    let near: Vec<String> = shown.iter().filter_map(near).collect();
    if near.is_empty() {
        return fault.help("take it out, or install a newer libseccomp-dev");
    }
    fault.help(format!("did you mean {}?", near.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seccomp_oracle::request::{Chain, encode};

    #[test]
    fn the_ending_says_what_a_file_is() {
        assert_eq!(kind("docker").unwrap(), None);
        assert_eq!(kind("@basic-io").unwrap(), None);
        assert_eq!(kind("a.json").unwrap(), Some(Kind::Json));
        assert_eq!(kind("../x/a.bpf").unwrap(), Some(Kind::Program));
        assert_eq!(kind("a.chain").unwrap(), Some(Kind::Chain));
        assert!(kind("./docker").is_err());
    }

    #[test]
    fn every_unknown_call_is_told_with_the_nearest_one() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let known = words(&["read", "write", "mount"]);
        let told = |calls: &[&str]| {
            crate::fault::describe(&unknown_calls("p.json", &words(calls), "2.5.4", &known).into())
        };
        let wanted = "error: p.json: libseccomp 2.5.4 knows no system call `raed`, `frobnicate`, `wirte`\n  \
                      help: did you mean `read` for `raed`, `write` for `wirte`?\n";
        assert_eq!(told(&["raed", "frobnicate", "wirte"]), wanted);
        assert!(told(&["frobnicate"]).contains("help: take it out"));
        assert!(told(&["frobnicate"; 200_000]).contains("`frobnicate` and 199990 more\n"));
    }

    #[test]
    fn a_profile_is_one_chain() {
        let one = Chain { id: 9, filters: vec![vec![Insn::ret(0)]] };
        let read = |chains: &[Chain]| chain("x.chain", &encode(chains).unwrap());
        assert_eq!(read(std::slice::from_ref(&one)).unwrap(), one.filters);
        assert_eq!(read(&[]).unwrap_err().to_string(), "x.chain: it holds 0 chains, and a profile is one");
        assert!(read(&[one.clone(), one]).is_err());
        assert!(
            chain("x.chain", b"SLCX").unwrap_err().to_string().starts_with("x.chain: not a file of chains")
        );
    }
}
