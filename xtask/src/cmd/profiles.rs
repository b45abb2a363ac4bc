// SPDX-License-Identifier: MIT OR Apache-2.0
//! `profiles`: makes the real filters of `configs/profiles/` again, holds them against a fresh make, or shows one.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::mpsc::channel;

use anyhow::{Context as _, Result};
use console::Style;
use fs_err as fs;
use seccomp_oracle::cases::NamedChain;
use seccomp_oracle::chain;

use crate::cli::{Cli, ProfilesArgs};
use crate::cmd::session::Session;
use crate::fault::{self, Fault};
use crate::lab::kernel::{Abi, Arch};
use crate::lab::profile::{self, COMMAND, FOLDER, MANIFEST, Profile};
use crate::record::store::write_atomically;
use crate::run::compiler::Toolchain;
use crate::run::context::{Context, Options};
use crate::run::event::Event;
use crate::run::fixtures::{self, Files};
use crate::run::profile::load;
use crate::tell;
use crate::tell::terminal::status_line;

/// Runs the verb.
///
/// # Errors
/// Usage faults of profiles; infra faults of the packages that they are made of.
pub fn run(cli: &Cli, args: &ProfilesArgs) -> Result<u8> {
    if let Some(value) = &args.show {
        let profile = load_profile(cli, value)?;
        tell::print(&listing(&profile)?);
        chain::check(&profile.filters)
            .map_err(|refusal| Fault::usage(format!("{value}: kernels refuse it: {refusal}")))?;
        return Ok(fault::EXIT_OK);
    }
    let session = Session::open(cli)?;
    let folder = session.lab.root.join(FOLDER);
    let made = in_context(&session, fixtures::make)?;
    let present = fixtures::present(&folder)?;
    let changes = differences(&present, &made);
    if !args.check {
        write(&folder, &present, &made)?;
    }
    tell::print(&lines(&changes));
    if args.check && !changes.is_empty() {
        tell::print(&format!("\n{} files differ: `{COMMAND}` writes them\n", changes.len()));
        return Ok(fault::EXIT_CHECK);
    }
    let profiles = profile::read(&session.lab.root)?;
    tell::print(&summary(&profiles, made.values().map(Vec::len).sum()));
    Ok(fault::EXIT_OK)
}

/// Loads a profile that a user names, for verbs that need nothing else of the engine.
///
/// # Errors
/// As [`load`].
pub fn load_profile(cli: &Cli, value: &str) -> Result<NamedChain> {
    in_context(&Session::open(cli)?, |context| load(context, value))
}

fn in_context<T>(session: &Session, work: impl FnOnce(&Context<'_>) -> Result<T>) -> Result<T> {
    let cache = session.cache()?;
    let logs = cache.temporary()?;
    let (sender, events) = channel();
    std::thread::spawn(move || events.iter().for_each(|event| tell_event(&event)));
    let options = Options::without_guests();
    let folder = logs.path().to_owned();
    work(&Context::new(&session.lab, &cache, Toolchain::ask()?, &options, folder, sender))
}

fn tell_event(event: &Event) {
    let line = |word, text: &str| tell::print_error(&status_line(&Style::new().cyan(), word, None, text));
    match event {
        Event::Waiting(text) => line("WAITING", text),
        Event::Note(text) => line("NOTE", text),
        _ => {}
    }
}

/// What a file is, held against a fresh make.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    New(String),
    Other(String),
    Gone(String),
}

fn differences(present: &Files, made: &Files) -> Vec<Change> {
    let mut changes: Vec<Change> = made
        .iter()
        .filter_map(|(name, bytes)| match present.get(name) {
            None => Some(Change::New(name.clone())),
            Some(other) if other != bytes => Some(Change::Other(name.clone())),
            Some(_) => None,
        })
        .collect();
    changes.extend(present.keys().filter(|name| !made.contains_key(*name)).cloned().map(Change::Gone));
    changes
}

fn lines(changes: &[Change]) -> String {
    changes.iter().fold(String::new(), |mut text, change| {
        let (word, name) = match change {
            Change::New(name) => ("new", name),
            Change::Other(name) => ("differs", name),
            Change::Gone(name) => ("not made any more", name),
        };
        let _ = writeln!(text, "  {FOLDER}/{name}: {word}");
        text
    })
}

/// The list is written last: until then a reader is told that digests do not fit.
fn write(folder: &Path, present: &Files, made: &Files) -> Result<()> {
    for (name, bytes) in made.iter().filter(|(name, _)| *name != MANIFEST) {
        write_atomically(&folder.join(name), bytes)?;
    }
    for name in present.keys().filter(|name| !made.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    let list = made.get(MANIFEST).context("a make without a list of profiles")?;
    write_atomically(&folder.join(MANIFEST), list)
}

fn summary(profiles: &[Profile], bytes: usize) -> String {
    let count = |arch, abi| profile::chains(profiles, arch, abi).len();
    let on_64 = [count(Arch::X86_64, Abi::Bits64), count(Arch::X86_64, Abi::Bits32)];
    format!(
        "{} profiles, {} filters, {} KiB; attached on x86_64: {}, by 32-bit programs there: {}, on i386: {}\n",
        profiles.len(),
        profiles.iter().map(|profile| profile.filters.len()).sum::<usize>(),
        bytes.div_ceil(1024),
        on_64[0],
        on_64[1],
        count(Arch::I386, Abi::Bits32),
    )
}

/// The programs of a profile, those that kernels refuse as far as their instructions can be read.
fn listing(profile: &NamedChain) -> Result<String> {
    let filters = &profile.filters;
    let order = if filters.len() > 1 { ", oldest first" } else { "" };
    let mut text = format!("{}: {}{order}\n", profile.name, counted(filters.len(), "filter"));
    for (number, insns) in filters.iter().enumerate() {
        writeln!(text, "\nfilter {number}, {}", counted(insns.len(), "instruction"))?;
        for (at, insn) in insns.iter().enumerate() {
            writeln!(text, "{at:4}: {insn}")?;
        }
    }
    Ok(text)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_counts_as_people_do_and_shows_what_kernels_refuse() {
        use seccomp_oracle::insn::Insn;
        let told = |filters: Vec<Vec<Insn>>| listing(&NamedChain { name: "p".into(), filters }).unwrap();
        let (allow, load) = (Insn::ret(0x7fff_0000), Insn { code: 0x20, jt: 0, jf: 0, k: 4 });
        let one = told(vec![vec![load]]);
        assert!(one.starts_with("p: 1 filter\n\nfilter 0, 1 instruction\n   0: "), "{one}");
        let two = told(vec![vec![allow], vec![load, allow]]);
        assert!(two.starts_with("p: 2 filters, oldest first\n"), "{two}");
        assert!(two.contains("\nfilter 1, 2 instructions\n"), "{two}");
    }

    #[test]
    fn every_file_that_differs_is_told() {
        let files = |list: &[(&str, &str)]| -> Files {
            list.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
        };
        let present = files(&[("a", "1"), ("b", "2"), ("d", "4")]);
        let made = files(&[("a", "1"), ("b", "3"), ("c", "4")]);
        let wanted = [Change::Other("b".into()), Change::New("c".into()), Change::Gone("d".into())];
        assert_eq!(differences(&present, &made), wanted);
        assert_eq!(differences(&made, &made), []);
    }
}
