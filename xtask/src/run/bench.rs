// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is measured in instructions: the question, and the answer with what QEMU's plugin has counted.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use seccomp_oracle::bench::{self, Bounds, Figures, Measurement, Part, Presence, Section, answer};
use seccomp_oracle::tables::Arch as TableArch;

use crate::judge::ModelVerdict;
use crate::lab::profile;
use crate::parse::sections::Sections;
use crate::run::functions::Functions;
use crate::run::oracle::{Subject, records};

/// The real filters that are measured, where the kernel has them.
const PROFILES: [&str; 4] = ["docker", "docker-tree", "podman", "systemd-system-service"];

/// Figures of one call by the function that executes it begin with this, the measurement and the function behind it.
pub const BY_FUNCTION: &str = "in.";

/// What stands for everything that runs outside of the kernel.
const USER: &str = "(user)";

/// What stands for code of the kernel that its file does not have: filters that were translated.
const NAMELESS: &str = "(no symbol)";

/// How it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What figures may be at most.
    pub bounds: Bounds,
    /// The longest chain of cached filters.
    pub length_max: usize,
}

/// What a guest is asked to measure.
pub struct Measuring {
    part: Part,
    subject: bench::Subject,
    settings: Settings,
    list: Vec<Measurement>,
}

impl Measuring {
    /// What a part is on a kernel.
    ///
    /// # Errors
    /// Profiles that cannot be read; a table that the tree does not have.
    pub fn new(part: Part, root: &Path, subject: Subject<'_>, settings: Settings) -> Result<Self> {
        let presence = |is_there| if is_there { Presence::There } else { Presence::Absent };
        let all = profile::chains(&profile::read(root)?, subject.arch, subject.abi);
        let of_machine = |name: &str| {
            let is_it = |other: &str| other == name || other.strip_suffix("-x86") == Some(name);
            all.iter().find(|(other, _)| is_it(other)).map(|(_, chain)| (name.to_owned(), chain.clone()))
        };
        let named = PROFILES
            .map(|name| of_machine(name).with_context(|| format!("configs/profiles/ has no `{name}`")));
        let named = named.into_iter().collect::<Result<Vec<_>>>()?;
        let subject = bench::Subject {
            facts: subject.call_facts()?,
            cache: presence(subject.facts.has_cache),
            file: presence(subject.has_file),
            interpreter: presence(subject.has_interpreter),
        };
        let list = bench::list(part, &subject, &named, settings.length_max);
        Ok(Self { part, subject, settings, list })
    }

    /// What the guest program reads.
    pub fn input(&self) -> Vec<u8> {
        bench::request(&self.list)
    }

    /// What is to be said of an answer.
    pub fn verdict(&self, answer: &[u8], counting: &mut Counting<'_>) -> ModelVerdict {
        let first = counting.next;
        let sections = counting.of_answer(answer);
        let sections = sections.as_deref().map_err(String::as_str);
        let (subs, mut figures) =
            bench::judge(self.part, &self.subject, self.settings.bounds, &self.list, answer, sections);
        if let (Part::Profile, Some(first), Some(functions)) = (self.part, first, counting.functions) {
            figures.extend(self.by_function(answer, first, counting, functions));
        }
        ModelVerdict { subs: records(subs), figures }
    }

    /// For each measurement what each function of the kernel executes, a call.
    fn by_function(
        &self,
        answer: &[u8],
        first: usize,
        counting: &Counting<'_>,
        functions: &Functions,
    ) -> Figures {
        let mut figures = Figures::new();
        let Some(sections) = counting.sections.filter(|sections| sections.damage.is_none()) else {
            return figures;
        };
        // `PAGE_OFFSET` of a 32-bit kernel; a 64-bit one has the upper half.
        let kernel_half = match self.subject.facts.kernel.native.arch {
            TableArch::Ia32 => 0xc000_0000,
            TableArch::X86_64 => 1 << 63,
        };
        let answer = answer::decode(answer);
        for record in &answer.records {
            let Some(one) = usize::try_from(record.id).ok().and_then(|id| self.list.get(id)) else {
                continue;
            };
            let of_record = first + record.first_section..first + record.first_section + record.sections;
            // Every second section is of twice as many calls: the shortest of all is of the fewer.
            let shortest = of_record
                .filter_map(|at| Some((sections.sections.get(at)?.total, sections.addresses.get(at)?)))
                .min_by_key(|(total, _)| *total);
            let Some((_, addresses)) = shortest else { continue };
            let mut by_function: BTreeMap<&str, u64> = BTreeMap::new();
            for (address, times) in addresses {
                let outside = if *address < kernel_half { USER } else { NAMELESS };
                let name = functions.at(*address).unwrap_or(outside);
                *by_function.entry(name).or_default() += times;
            }
            let calls = one.calls();
            for (name, times) in by_function {
                figures.insert(format!("{BY_FUNCTION}{}.{name}", one.name), times / calls);
            }
        }
        figures
    }
}

/// What the plugin has counted in one boot, dealt out to the checks in their order.
pub struct Counting<'a> {
    sections: Option<&'a Sections>,
    functions: Option<&'a Functions>,
    /// The first section of the next check; unknown once a check did not come to its end.
    next: Option<usize>,
}

impl<'a> Counting<'a> {
    /// The counting of a boot; nothing where instructions were not counted.
    pub fn new(sections: Option<&'a Sections>, functions: Option<&'a Functions>) -> Self {
        Self { sections, functions, next: Some(0) }
    }

    /// The sections of the next check, whose program has answered this.
    fn of_answer(&mut self, answer: &[u8]) -> Result<Vec<Section>, String> {
        let count = answer::decode(answer).sections();
        let first = self.next;
        self.next = first.zip(count).map(|(first, count)| first + count);
        let sections = self.sections.ok_or("QEMU's plugin was not there")?;
        let (first, count) =
            first.zip(count).ok_or("this program or one before it did not come to its end")?;
        if let Some(damage) = &sections.damage {
            return Err(format!("what QEMU's plugin has counted: {damage}"));
        }
        let range = sections.sections.get(first..first + count);
        range.map(<[Section]>::to_vec).ok_or_else(|| "QEMU's plugin has seen fewer sections".to_owned())
    }
}
