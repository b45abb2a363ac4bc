// SPDX-License-Identifier: MIT OR Apache-2.0
//! From what a guest measured to figures, and from figures to verdicts.
//!
//! Figures are compared for equality or by a bound; nothing here is about equal. A relation whose figures are missing
//! is not run, one about the cache of a kernel without a cache is absent.

use std::collections::BTreeMap;

use super::answer::{Answer, Record, Status as Went, decode};
use super::filters::{ALLOWED, CACHED, DENIED, NATIVE, NUMBER};
use super::{Bounds, LOOP, Measurement, Part, Presence, Subject, What};
use crate::errno;
use crate::judge::{Status, SubVerdict};

/// A piece of execution between marks, as a plugin of QEMU's has counted it, in instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// All of it.
    pub total: u64,
    /// What ran with interrupts off.
    pub off: u64,
    /// The longest run of that.
    pub off_longest: u64,
}

/// Figures by name: instructions, or bytes where the name says so.
pub type Figures = BTreeMap<String, u64>;

/// Behind the name of an attachment: its longest run with interrupts off.
pub const IRQS_OFF: &str = ".irqs-off";

/// Behind the name of a reading: how many bytes came.
pub const BYTES: &str = ".bytes";

/// Why relations about the cache have no subject.
pub const NO_CACHE: &str = "no cache: the architecture of this tree does not name its tables";

/// The verdicts about a part, and its figures. `sections` are those of this answer, from its number 0 on.
#[must_use]
pub fn judge(
    part: Part,
    subject: &Subject,
    bounds: Bounds,
    list: &[Measurement],
    answer: &[u8],
    sections: Result<&[Section], &str>,
) -> (Vec<SubVerdict>, Figures) {
    let answer = decode(answer);
    let mut figures = Figures::new();
    let mut wrong = setting(subject, &answer);
    if list.is_empty() {
        wrong.push("there is nothing to measure".into());
    }
    for (id, one) in (0_u32..).zip(list) {
        let record = answer.records.iter().find(|record| record.id == id);
        let measured = match record {
            Some(record) => take(part, one, record, sections, &mut figures),
            None => Err("not measured".to_owned()),
        };
        wrong.extend(measured.err().map(|why| format!("{}: {why}", one.name)));
    }
    wrong.extend(answer.damage.map(|damage| format!("the answer: {damage}")));
    let mut verdicts = vec![verdict("measured", wrong)];
    let relations: &[Relation] = match part {
        Part::Calls => &[SAME_AT_ANY_LENGTH, CACHED_BELOW_UNCACHED, SURCHARGE],
        Part::Filters => &[SAME_FOR_ANY_CALL],
        Part::Attach => &[ATTACH_BOUND],
        Part::Read | Part::Memory | Part::Profile => &[],
    };
    for relation in relations {
        verdicts.push(relation.judge(subject, bounds, &figures));
    }
    (verdicts, figures)
}

/// What is wrong with how it was measured.
fn setting(subject: &Subject, answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    let bits = subject.facts.program.bits();
    if answer.bits != bits {
        wrong.push(format!("a program of {} bits answered, not one of {bits}", answer.bits));
    }
    let is_translated = answer.jit == 1;
    if is_translated == (subject.interpreter == Presence::There) {
        let how = if is_translated { "translated" } else { "interpreted" };
        wrong.push(format!("filters were {how}, which the kernel's config does not say"));
    }
    wrong
}

/// Takes the figures of one measurement.
fn take(
    part: Part,
    one: &Measurement,
    record: &Record,
    sections: Result<&[Section], &str>,
    figures: &mut Figures,
) -> Result<(), String> {
    match record.status {
        Went::Measured => {}
        Went::Refused(filter, error) => {
            let (filter, of) = (filter + 1, one.filters.len());
            return Err(format!(
                "the kernel refused filter {filter} of {of}: errno {}",
                errno::describe(error)
            ));
        }
        Went::ProgramError(error) => {
            return Err(format!("the guest program failed: errno {}", errno::describe(error)));
        }
        Went::Cut(status) => return Err(format!("its task ended too early, with wait status {status:#x}")),
    }
    let [first, second, ..] = record.values;
    let (count, _) = one.count_and_samples();
    match one.what {
        What::Calls(call) => {
            let slope = slope(first, second, count)?;
            let slope = slope.checked_sub(LOOP).ok_or("fewer instructions than the loop has")?;
            figures.insert(one.name.clone(), slope);
            let end = one.name.rsplit_once('.').map_or("", |(_, end)| end);
            if part == Part::Filters && [ALLOWED, DENIED].iter().chain(&CACHED).any(|known| *known == end) {
                figures.insert(format!("{}{NUMBER}", one.name), call.nr.into());
            }
        }
        What::Attach { .. } | What::Read => {
            let range = record.first_section..record.first_section + record.sections;
            let of_record = sections?.get(range).filter(|some| !some.is_empty());
            let of_record = of_record.ok_or("QEMU's plugin has not counted it")?;
            // The plugin leaves interrupts out, which long measurements cannot do without.
            let total = of_record.iter().map(|section| section.total).min().unwrap_or(0);
            let off = of_record.iter().map(|section| section.off_longest).min().unwrap_or(0);
            figures.insert(one.name.clone(), total);
            match one.what {
                What::Read => figures.insert(format!("{}{BYTES}", one.name), second),
                _ => figures.insert(format!("{}{IRQS_OFF}", one.name), off),
            };
        }
        What::Memory { .. } => {
            let more = second.checked_sub(first).ok_or("less was in use after twice as many")?;
            figures.insert(one.name.clone(), more / u64::from(count));
        }
    }
    Ok(())
}

/// Instructions a call, from the least that a number of calls took and the least that twice as many did.
fn slope(once: u64, twice: u64, count: u32) -> Result<u64, String> {
    let more = twice.checked_sub(once).ok_or("twice as many calls took less")?;
    match (more / u64::from(count), more % u64::from(count)) {
        (slope, 0) if slope > 0 => Ok(slope),
        _ => Err(format!("{count} calls more took {more} instructions more: that is no whole number a call")),
    }
}

/// Something that figures must be to each other.
struct Relation {
    name: &'static str,
    /// Whether it is about the cache.
    needs_cache: bool,
    judge: fn(Bounds, &Figures) -> Option<Finding>,
}

/// What is wrong, and the figures.
struct Finding {
    wrong: Vec<String>,
    told: String,
}

impl Relation {
    fn judge(&self, subject: &Subject, bounds: Bounds, figures: &Figures) -> SubVerdict {
        let (status, message) = match (self.needs_cache, subject.cache) {
            (true, Presence::Absent) => (Status::Absent, NO_CACHE.to_owned()),
            _ => match (self.judge)(bounds, figures) {
                None => (Status::NotRun, "figures are missing".to_owned()),
                Some(Finding { wrong, told }) if wrong.is_empty() => (Status::Pass, told),
                Some(Finding { wrong, .. }) => (Status::Fail, wrong.join("\n")),
            },
        };
        SubVerdict { name: self.name.to_owned(), status, message: Some(message) }
    }
}

/// What a cached call costs is independent of the chain's length.
const SAME_AT_ANY_LENGTH: Relation = Relation {
    name: "same-at-any-length",
    needs_cache: true,
    judge: |_, figures| {
        let lengths = of_prefix(figures, "cached.");
        let first = *figures.get("cached.1")?;
        if lengths.len() < 2 {
            return None;
        }
        let others = lengths.iter().filter(|(_, cost)| *cost != first);
        let wrong: Vec<String> = others
            .map(|(filters, cost)| format!("{cost} instructions under {filters} filters, {first} under 1"))
            .collect();
        let told = format!("{first} instructions, {} lengths", lengths.len());
        Some(Finding { wrong, told })
    },
};

/// A cached call costs less than one for which filters run.
const CACHED_BELOW_UNCACHED: Relation = Relation {
    name: "cached-below-uncached",
    needs_cache: true,
    judge: |_, figures| {
        let (cached, uncached) = (*figures.get("cached.1")?, *figures.get("uncached.1")?);
        let told = format!("{cached} instructions cached, {uncached} uncached, under one filter");
        let wrong = if cached < uncached { Vec::new() } else { vec![told.clone()] };
        Some(Finding { wrong, told })
    },
};

/// What an uncached call pays besides its filters is little more than what a cached call pays.
const SURCHARGE: Relation = Relation {
    name: "uncached-surcharge",
    needs_cache: true,
    judge: |bounds, figures| {
        let get = |name: &str| figures.get(name).copied();
        let (one, two) = (get("uncached.1")?, get("uncached.2")?);
        let (native, cached) = (get("native")?, get("cached.1")?);
        let filter = two.checked_sub(one)?;
        let besides = one.checked_sub(native)?.checked_sub(filter)?;
        let more = besides.saturating_sub(cached.checked_sub(native)?);
        let uneven = of_prefix(figures, "uncached.")
            .windows(2)
            .any(|pair| pair[1].1.checked_sub(pair[0].1) != Some(filter));
        let told = format!(
            "{besides} instructions besides {filter} a filter: {more} more than a cached call pays, {} are allowed",
            bounds.surcharge_max
        );
        let mut wrong = if more <= bounds.surcharge_max { Vec::new() } else { vec![told.clone()] };
        if uneven {
            wrong.push("one filter more does not always cost the same".to_owned());
        }
        Some(Finding { wrong, told })
    },
};

/// What a cached call pays does not depend on the call, nor on the filters.
const SAME_FOR_ANY_CALL: Relation = Relation {
    name: "same-for-any-call",
    needs_cache: true,
    judge: |_, figures| {
        let paid = figures.get("cached.1")?.checked_sub(*figures.get("native")?)?;
        let (mut wrong, mut count) = (Vec::new(), 0);
        for (name, cost) in figures.iter().filter(|(name, _)| is_cached_call(name)) {
            let native = figures.get(&format!("{name}{NATIVE}"))?;
            count += 1;
            if cost.checked_sub(*native) != Some(paid) {
                wrong.push(format!(
                    "{name}: {cost} instructions, {native} without filters: {paid} more is due"
                ));
            }
        }
        let told = format!("{paid} instructions for each of {count} calls");
        // Each profile has all three, or something was not measured.
        (count > 0 && count % CACHED.len() == 0).then_some(Finding { wrong, told })
    },
};

/// Attaching costs no more than it may.
const ATTACH_BOUND: Relation = Relation {
    name: "within-bound",
    needs_cache: false,
    judge: |bounds, figures| {
        let totals =
            figures.iter().filter(|(name, _)| name.starts_with("attach.") && !name.ends_with(IRQS_OFF));
        let totals: Vec<(&String, &u64)> = totals.collect();
        let (dearest, most) = totals.iter().max_by_key(|(_, cost)| *cost)?;
        let over = totals.iter().filter(|(_, cost)| **cost > bounds.attach_max);
        let wrong = over
            .map(|(name, cost)| format!("{name}: {cost} instructions, {} are allowed", bounds.attach_max))
            .collect();
        Some(Finding { wrong, told: format!("{dearest} is the dearest: {most} instructions") })
    },
};

fn is_cached_call(name: &str) -> bool {
    CACHED.iter().any(|end| name.rsplit_once('.').is_some_and(|(_, last)| last == *end))
}

/// Figures of a family, by the number behind its name.
fn of_prefix(figures: &Figures, prefix: &str) -> Vec<(usize, u64)> {
    let number = |(name, cost): (&String, &u64)| Some((name.strip_prefix(prefix)?.parse().ok()?, *cost));
    let mut found: Vec<(usize, u64)> = figures.iter().filter_map(number).collect();
    found.sort_unstable();
    found
}

fn verdict(name: &str, wrong: Vec<String>) -> SubVerdict {
    let status = if wrong.is_empty() { Status::Pass } else { Status::Fail };
    let message = Some(wrong.join("\n")).filter(|text| !text.is_empty());
    SubVerdict { name: name.to_owned(), status, message }
}
