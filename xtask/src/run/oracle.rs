// SPDX-License-Identifier: MIT OR Apache-2.0
//! Oracles: what a guest program is asked, and what the model says of its answer.
//!
//! The only place where the engine meets the model of the seccomp cache.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use seccomp_oracle::batch;
use seccomp_oracle::cache::expected;
use seccomp_oracle::calls::{self, Call, CallCase, Facts, Word, X32};
use seccomp_oracle::cases::{NamedChain, named, request};
use seccomp_oracle::chain;
use seccomp_oracle::insn::Insn;
use seccomp_oracle::judge::{Status, SubVerdict, judge};
use seccomp_oracle::random;
use seccomp_oracle::request::{self as chain_file, Chain};
use seccomp_oracle::sound::{self, Sound};
use seccomp_oracle::tables::Kernel;

use crate::fault::Fault;
use crate::judge::ModelVerdict;
use crate::lab::check::{Oracle, RandomChains};
use crate::lab::kernel::{Abi, Arch};
use crate::lab::profile;
use crate::record::model::{CheckStatus, SubRecord};
use crate::run::bench::{Counting, Measuring, Settings};
use crate::run::tree_facts::TreeFacts;

/// Chains that get a sub-result of their own where they are wrong; the others are counted.
const WRONG_SHOWN_MAX: usize = 20;

/// Calls that are made for real for one chain.
const WITNESSES_MAX: usize = 1000;

/// Figures of this name and a number stand for numbers that the kernel allows whatever filters say.
pub const ALWAYS_ALLOWED: &str = "always_allowed.";

/// Sub-results of single chains are called this and the chain's id.
pub const CHAIN_PREFIX: &str = "chain-";

/// The figure of a search for denied calls: for how many numbers it found neither one nor that there is none.
pub const UNDECIDED: &str = "numbers that are undecided";

/// How the reason of such a sub-result begins where the kernel caches a call that the filters do not allow.
pub const UNSAFE: &str = "unsafe: ";

/// The figure that counts those chains.
pub const UNSAFE_CHAINS: &str = "unsafe";

/// The kernel that is asked.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its source.
    pub facts: &'a TreeFacts,
    /// Its architecture.
    pub arch: Arch,
    /// Whether it has a second table, and so a second bitmap: `CONFIG_COMPAT`.
    pub has_compat: bool,
    /// Whether `int $0x80` reaches that table: `CONFIG_IA32_EMULATION`.
    pub has_ia32: bool,
    /// Whether it has the file that shows the cache.
    pub has_file: bool,
    /// Whether it interprets filters where the JIT is off.
    pub has_interpreter: bool,
    /// Whether it makes calls with x32 numbers.
    pub x32: X32,
    /// What the guest program is compiled for.
    pub abi: Abi,
}

impl Subject<'_> {
    /// The tables and the program, as calls see them.
    ///
    /// # Errors
    /// If the tree lacks a table that the kernel has.
    pub fn call_facts(&self) -> Result<Facts> {
        let program = match self.abi {
            Abi::Bits64 => Word::Bits64,
            Abi::Bits32 => Word::Bits32,
        };
        Ok(Facts { kernel: self.facts.kernel(self.arch, self.has_ia32)?, program, x32: self.x32 })
    }
}

/// A question to one guest.
pub struct Question {
    /// What the guest program reads on its standard input.
    pub input: Vec<u8>,
    asked: Asked,
}

/// What the answer is judged by.
enum Asked {
    Cases(Vec<NamedChain>),
    Chains(Vec<Chain>),
    /// Calls, and for how many numbers it is not known whether the filters deny any.
    Calls(Facts, Vec<CallCase>, usize),
    /// What is measured.
    Measured(Measuring),
}

impl Question {
    /// Puts an oracle's question.
    ///
    /// # Errors
    /// A usage fault for a file that holds no chains; more chains than a file can hold. If the tree lacks a table
    /// that the model needs.
    pub fn put(oracle: &Oracle, root: &Path, subject: Subject<'_>, settings: Settings) -> Result<Self> {
        match oracle {
            Oracle::Profiles => {
                let chains = profile::chains(&profile::read(root)?, subject.arch, subject.abi).into_iter();
                Self::cases(chains.map(|(name, filters)| NamedChain { name, filters }).collect())
            }
            Oracle::Cache => Self::cases(named()),
            Oracle::Behaviour => {
                let facts = subject.call_facts()?;
                let cases = calls::cases(&facts);
                Self::calls(facts, cases, 0)
            }
            Oracle::Bench(part) => {
                let measuring = Measuring::new(*part, root, subject, settings)?;
                Ok(Self { input: measuring.input(), asked: Asked::Measured(measuring) })
            }
            Oracle::Random(which) => Self::chains(random_chains(*which)?),
            Oracle::Kept(file) => Self::chains(read_chains(file)?),
            Oracle::Witnesses(file) => {
                let facts = subject.call_facts()?;
                let chain = read_chains(file)?.into_iter().next();
                let filters = chain.map(|chain| chain.filters).unwrap_or_default();
                let (cases, undecided) = denied_calls(&facts, &filters);
                Self::calls(facts, cases, undecided)
            }
        }
    }

    fn cases(cases: Vec<NamedChain>) -> Result<Self> {
        let input = request(&cases).context("writing chains")?;
        Ok(Self { input, asked: Asked::Cases(cases) })
    }

    fn chains(chains: Vec<Chain>) -> Result<Self> {
        let input = chain_file::encode(&chains).context("writing chains")?;
        Ok(Self { input, asked: Asked::Chains(chains) })
    }

    fn calls(facts: Facts, cases: Vec<CallCase>, undecided: usize) -> Result<Self> {
        let input = calls::request(&cases).context("writing calls")?;
        Ok(Self { input, asked: Asked::Calls(facts, cases, undecided) })
    }

    /// What the model says of an answer.
    ///
    /// # Errors
    /// If the tree lacks a table that the model needs.
    pub fn verdict(
        &self,
        subject: Subject<'_>,
        answer: &[u8],
        counting: &mut Counting<'_>,
    ) -> Result<ModelVerdict> {
        let kernel = subject.facts.kernel(subject.arch, subject.has_compat)?;
        Ok(match &self.asked {
            Asked::Measured(measuring) => measuring.verdict(answer, counting),
            Asked::Cases(cases) => {
                let mut subs = judge(&kernel, cases, answer);
                subs.push(soundness(&kernel, cases.iter().map(|case| (case.name.clone(), &case.filters))));
                ModelVerdict { subs: records(subs), figures: BTreeMap::new() }
            }
            Asked::Chains(chains) => chains_verdict(&kernel, chains, answer),
            Asked::Calls(facts, cases, undecided) => {
                let subs = records(calls::judge(facts, cases, answer));
                let undecided = (*undecided > 0).then(|| (UNDECIDED.to_owned(), *undecided as u64));
                ModelVerdict { subs, figures: undecided.into_iter().collect() }
            }
        })
    }
}

/// What a file of chains is, where something else was given.
pub const CHAIN_FILE_WANTED: &str = "a .chain file is wanted: one that `cargo xtask fuzz` has saved";

/// The chains of a file.
///
/// # Errors
/// A usage fault that names the file and what is wrong with it.
pub fn read_chains(file: &Path) -> Result<Vec<Chain>> {
    let refuse = |what: String| Fault::usage(what).help(CHAIN_FILE_WANTED);
    let bytes = fs::read(file).map_err(|error| refuse(format!("reading chains: {error}")))?;
    let chains = chain_file::decode(&bytes);
    Ok(chains.map_err(|error| refuse(format!("chains of {}: {error}", file.display())))?)
}

/// For each number a call with words for which the filters deny it, where such words were found; and for how
/// many numbers it could not be decided whether there are any.
fn denied_calls(facts: &Facts, filters: &[Vec<Insn>]) -> (Vec<CallCase>, usize) {
    let Ok(programs) = chain::check(filters) else { return (Vec::new(), 0) };
    let mut undecided = 0;
    let numbers = facts.kernel.tables().flat_map(|table| (0..table.count).map(move |nr| (table.arch, nr)));
    let denied = numbers.filter_map(|(arch, nr)| {
        let data = match sound::decide(&programs, nr.cast_signed(), arch.audit()) {
            Sound::Witness(data) => data,
            Sound::Allows => return None,
            Sound::Undecided(_) => {
                undecided += 1;
                return None;
            }
        };
        let call = Call::of(facts, &data)?;
        let (name, doc) = (format!("{arch} {nr}"), "words for which the filters deny it".to_owned());
        Some(CallCase { name, doc, filters: filters.to_vec(), calls: vec![call] })
    });
    let cases = denied.take(WITNESSES_MAX).collect();
    (cases, undecided)
}

/// Chains of a sequence; a chain's id is its place in it.
fn random_chains(which: RandomChains) -> Result<Vec<Chain>> {
    let number = |value: u64| u32::try_from(value).with_context(|| format!("chain {value}: too far on"));
    let (first, end) = (number(which.first)?, number(which.first.saturating_add(which.count))?);
    Ok(random::chains(which.seed, first..end))
}

/// One sub-result for all bits, one for their soundness, one for the answer, one for each chain that is wrong.
fn chains_verdict(kernel: &Kernel, chains: &[Chain], answer: &[u8]) -> ModelVerdict {
    let report = batch::judge(kernel, chains, answer);
    let named = chains.iter().map(|chain| (format!("chain {}", chain.id), &chain.filters));
    let mut subs = vec![bits(&report), soundness(kernel, named)];
    let mut whole: Vec<String> = report.damage.iter().map(ToString::to_string).collect();
    if !report.unasked.is_empty() {
        whole.push(format!("{} answers to chains that were not asked", report.unasked.len()));
    }
    subs.push(verdict("answer", whole.is_empty(), whole.join("\n")));
    let single = |id: u32, ok_status: Status, message: String| SubVerdict {
        name: format!("{CHAIN_PREFIX}{id}"),
        status: ok_status,
        message: Some(message),
    };
    // What lets a call through comes before what only costs time: not all that is wrong is shown.
    let (unsafe_ones, others): (Vec<_>, Vec<_>) =
        report.mismatches.iter().partition(|wrong| wrong.denied.is_some());
    let wrong = unsafe_ones.iter().chain(&others).map(|wrong| single(wrong.id, Status::Fail, why(wrong)));
    let not_run = report.not_run.iter().map(|one| single(one.id, Status::NotRun, one.message.clone()));
    let died = report.died_at().map(|id| {
        single(
            id,
            Status::NotRun,
            "the guest ended while it was at this chain: it is the one to look at".into(),
        )
    });
    subs.extend(wrong.take(WRONG_SHOWN_MAX));
    subs.extend(died.into_iter().chain(not_run).take(WRONG_SHOWN_MAX));
    let figure = |name: &str, count: usize| (name.to_owned(), u64::try_from(count).unwrap_or(u64::MAX));
    let mut figures = BTreeMap::from([
        figure("chains", report.asked),
        figure("dumped", report.dumped),
        figure("refused", report.refused),
        figure("mixed", report.mixed),
        figure("different", report.mismatches.len()),
        figure(UNSAFE_CHAINS, unsafe_ones.len()),
    ]);
    // What another kernel may do otherwise.
    figures.extend(kernel.always_allowed_native.iter().map(|nr| (format!("{ALWAYS_ALLOWED}{nr}"), 1)));
    ModelVerdict { subs: records(subs), figures }
}

/// What is wrong with a chain; that its cache lets a call through is said first.
fn why(wrong: &batch::Mismatch) -> String {
    match wrong.denied {
        Some((arch, nr)) => format!(
            "{UNSAFE}{arch} {nr} is cached as allowed, and the filters do not allow it\n{}",
            wrong.message
        ),
        None => wrong.message.clone(),
    }
}

fn verdict(name: &str, passes: bool, message: String) -> SubVerdict {
    let status = if passes { Status::Pass } else { Status::Fail };
    SubVerdict { name: name.to_owned(), status, message: Some(message).filter(|text| !text.is_empty()) }
}

/// Whether every chain has the bits, or the refusal, that the model says.
fn bits(report: &batch::Report) -> SubVerdict {
    let (asked, right) = (report.asked, report.dumped + report.refused);
    let mut message = format!(
        "{right} of {asked} chains as the model says: {} with every bit, {} refused",
        report.dumped, report.refused
    );
    if !report.mismatches.is_empty() {
        message = format!("{message}; {} differ", report.mismatches.len());
    }
    let without = report.unanswered.len() + report.not_run.len();
    if without > 0 {
        message = format!("{message}; {without} without an answer");
    }
    let status = match (report.is_right(), report.mismatches.is_empty()) {
        (true, _) => Status::Pass,
        // Every answer that came is right, and not all came.
        (false, true) if without > 0 => Status::NotRun,
        (false, _) => Status::Fail,
    };
    SubVerdict { name: "bits".into(), status, message: Some(message) }
}

/// Whether what the model caches is allowed whatever the arguments, decided without the walk.
fn soundness<'a>(
    kernel: &Kernel,
    chains: impl IntoIterator<Item = (String, &'a Vec<Vec<Insn>>)>,
) -> SubVerdict {
    let (mut allowed, mut undecided, mut witnesses) = (0, Vec::new(), Vec::new());
    for (name, filters) in chains {
        let Ok(programs) = chain::check(filters) else { continue };
        let audit = sound::audit(kernel, &programs, &expected(kernel, &programs));
        allowed += audit.allowed;
        let doubts = audit.undecided.into_iter();
        undecided.extend(doubts.map(|(arch, nr, doubt)| format!("{name}, {arch} {nr}: {doubt}")));
        let of_chain = audit.witnesses.into_iter();
        witnesses.extend(of_chain.map(|(arch, nr, data)| format!("{name}, {arch} {nr}: {data:?}")));
    }
    let mut message =
        format!("{allowed} cached calls are allowed whatever the arguments, {} undecided", undecided.len());
    if let Some(first) = witnesses.first() {
        message = format!("{message}, {} are not: {first}", witnesses.len());
    } else if let Some(first) = undecided.first() {
        message = format!("{message}: {first}");
    }
    // What the walk caches takes one path through each filter: nothing of it may be undecided.
    let status = match (witnesses.is_empty(), undecided.is_empty()) {
        (false, _) => Status::Fail,
        (true, true) => Status::Pass,
        (true, false) => Status::NotRun,
    };
    SubVerdict { name: "sound".into(), status, message: Some(message) }
}

/// Numbers the verdicts of a model.
pub fn records(verdicts: Vec<SubVerdict>) -> Vec<SubRecord> {
    let record = |(ordinal, verdict): (u32, SubVerdict)| SubRecord {
        path: vec![verdict.name],
        ordinal,
        status: match verdict.status {
            Status::Pass => CheckStatus::Pass,
            Status::Fail => CheckStatus::Fail,
            Status::NotRun => CheckStatus::NotRun,
            Status::Absent => CheckStatus::Absent,
        },
        reason: verdict.message.unwrap_or_default(),
    };
    (1..).zip(verdicts).map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::bench::BenchBounds;

    #[test]
    fn what_the_model_caches_of_cases_is_decided_without_the_walk_too() {
        let facts = TreeFacts {
            x86_64: Some(441),
            ia32: Some(441),
            always_allowed: Vec::new(),
            has_cache: true,
            filters_freed: None,
        };
        let (has_compat, has_ia32) = (true, true);
        let (arch, abi, x32) = (Arch::X86_64, Abi::Bits64, X32::Disabled);
        let (has_file, has_interpreter) = (true, true);
        let subject =
            Subject { facts: &facts, arch, has_compat, has_ia32, has_file, has_interpreter, x32, abi };
        let settings = Settings { bounds: BenchBounds::default().of_one_kernel(), length_max: 1 };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for oracle in [Oracle::Cache, Oracle::Profiles] {
            let question = Question::put(&oracle, root, subject, settings).unwrap();
            // A guest that says nothing: what the model says of itself does not hang on it.
            let subs = question.verdict(subject, b"", &mut Counting::new(None, None)).unwrap().subs;
            let sound = subs.iter().find(|sub| sub.name() == "sound").unwrap();
            assert_eq!(sound.status, CheckStatus::Pass, "{}", sound.reason);
            let count: u32 = sound.reason.split(' ').next().unwrap().parse().unwrap();
            assert!(count > 1000 && sound.reason.ends_with(", 0 undecided"), "{}", sound.reason);
        }
    }
}
