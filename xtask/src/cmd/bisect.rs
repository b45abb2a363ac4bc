// SPDX-License-Identifier: MIT OR Apache-2.0
//! `bisect`: the patch that changes a check, or the range that it can be told to.

mod asking;
mod points;

use anyhow::Result;
use console::Style;

use crate::cli::{BisectArgs, Cli, ReadingArgs};
use crate::cmd::bisect::asking::Asking;
use crate::cmd::bisect::points::{Innocence, Overlay, Points};
use crate::cmd::session::{Session, host_packages};
use crate::cmd::test::read_splats;
use crate::fault::{self, Fault};
use crate::lab::check::{Check, CheckKind};
use crate::lab::kernel::FlavorId;
use crate::lab::names::{SeriesName, TreeName};
use crate::lab::series::Point;
use crate::parse::splat::Splats;
use crate::plan::bisect::{Answer, Change, Found, Limits, Verdict, confidence};
use crate::plan::cell::parse_point;
use crate::record::bisect::{AnswerKind, BisectRecord, CandidateRecord, FoundRecord};
use crate::run::context::Options;
use crate::tell;
use crate::tell::terminal::status_line;

/// Runs the verb.
///
/// # Errors
/// Usage faults, interrupts, and trouble of the lab's.
pub fn run(cli: &Cli, args: &BisectArgs) -> Result<u8> {
    let mut session = Session::open(cli)?;
    let request = Request::read(&mut session, args)?;
    if !args.run.skip_host_check {
        host_packages(args.run.install_deps, &mut |text| {
            tell::print(&status_line(&Style::new().cyan(), "PACKAGES", None, text));
        })?;
    }
    let splats = read_splats(&session.lab)?;
    let told = find(&mut session, &request, &args.run.options(), &splats)?;
    Ok(exit_code(told.answer))
}

/// The exit code for what a search came to.
fn exit_code(answer: AnswerKind) -> u8 {
    match answer {
        AnswerKind::Found => fault::EXIT_OK,
        AnswerKind::SameEverywhere | AnswerKind::NotProved => fault::EXIT_CHECK,
        AnswerKind::Untestable | AnswerKind::Open => fault::EXIT_BOOT,
    }
}

/// What is looked for, and where.
#[derive(Debug, Clone)]
pub struct Request {
    /// The tree.
    pub tree: TreeName,
    /// The last point.
    pub last: Point,
    /// The flavor.
    pub flavor: FlavorId,
    /// The check.
    pub check: Asked,
    /// Between which points.
    pub limits: Limits,
    /// How often each point is asked.
    pub repeat: u32,
    /// What is put on every point.
    pub overlay: OverlayFrom,
    /// `--tree` and `--series` that were given ad hoc, for the commands that run a point again.
    pub ad_hoc: AdHoc,
}

/// What was given ad hoc, as it was written.
#[derive(Debug, Clone, Default)]
pub struct AdHoc {
    /// The tree.
    pub tree: Option<String>,
    /// Series below it.
    pub after: Vec<String>,
}

/// Where patches come from that are put on every point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverlayFrom {
    /// There are none.
    Nowhere,
    /// The series itself: what is wrong with them is wrong everywhere.
    Itself,
    /// A series that is known to be good.
    Trusted(SeriesName),
}

/// A check, a family of checks, or one sub-result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What is asked of the lab.
    pub check: String,
    /// The sub-result, or a group of them.
    pub sub: Option<String>,
}

impl Asked {
    /// As it was written.
    pub fn text(&self) -> String {
        self.sub.as_ref().map_or_else(|| self.check.clone(), |sub| format!("{}.{sub}", self.check))
    }

    /// The longest part that is a check; what is left is a sub-result.
    fn parse(session: &Session, text: &str) -> Result<Self, Fault> {
        let unknown = match session.lab.checks_under(text) {
            Ok(_) => return Ok(Self { check: text.to_owned(), sub: None }),
            Err(unknown) => unknown,
        };
        for (at, _) in text.rmatch_indices('.') {
            let (check, sub) = (&text[..at], &text[at + 1..]);
            if session.lab.checks.keys().any(|name| name.as_str() == check) && !sub.is_empty() {
                return Ok(Self { check: check.to_owned(), sub: Some(sub.to_owned()) });
            }
        }
        Err(unknown)
    }
}

impl Request {
    fn read(session: &mut Session, args: &BisectArgs) -> Result<Self> {
        if args.run.kernel.is_some() {
            return Err(Fault::usage("--kernel: each point is a kernel of its own").into());
        }
        let (trees, series) = (args.tree.as_slice(), args.series.as_slice());
        let named = session.name_ad_hoc(trees, series, &args.reading)?;
        let trusted = session.name_ad_hoc(&[], args.overlay_from.as_slice(), &ReadingArgs::default())?;
        let lab = &session.lab;
        let tree = match named.trees.first() {
            Some(name) => lab.tree(&TreeName::parse(name)?)?.name.clone(),
            None => lab.defaults.tree.clone(),
        };
        let last = match named.series.first() {
            Some(point) => parse_point(lab, point)?,
            None => lab.series(&lab.defaults.series)?.last_point(),
        };
        if last.applied == 0 {
            return Err(Fault::usage(format!("{last}: there is no patch to blame"))
                .help("a commit of a git history is found with `git bisect run`: see the README")
                .into());
        }
        let flavor = match &args.flavor {
            Some(text) => FlavorId::parse(text)?,
            None => FlavorId {
                flavor: lab.defaults.flavors.first().cloned().ok_or_else(|| Fault::usage("no flavor"))?,
                variants: Vec::new(),
            },
        };
        lab.kernel_of(&flavor)?;
        let overlay = match trusted.series.first() {
            Some(point) => OverlayFrom::Trusted(parse_point(lab, point)?.series),
            None if args.no_overlay => OverlayFrom::Nowhere,
            None => OverlayFrom::Itself,
        };
        let wanted = args.fixed.then_some(Change::Fixed);
        Ok(Self {
            limits: Limits::new(last.applied, args.good, args.bad, wanted)?,
            check: Asked::parse(session, &args.check)?,
            repeat: args.repeat,
            ad_hoc: AdHoc {
                tree: args.tree.clone().filter(|text| text.contains('=')),
                after: args.reading.after.clone(),
            },
            tree,
            last,
            flavor,
            overlay,
        })
    }
}

/// Searches, proves, records and tells.
///
/// # Errors
/// Usage faults, interrupts, and trouble of the lab's.
pub fn find(
    session: &mut Session,
    request: &Request,
    options: &Options,
    splats: &Splats,
) -> Result<BisectRecord> {
    let points = Points::make(&mut session.lab, request)?;
    let mut asking = Asking::begin(session, request, options, splats)?;
    let result = search_and_prove(&mut asking, request, &points);
    let done = result.as_ref().map(|_| ()).map_err(|error| anyhow::anyhow!("{error:#}"));
    let folder = asking.end(&done)?;
    let record = result?;
    let text = tell::bisect::answer(&record, request.limits.claimed, &folder);
    tell::print(&text);
    Ok(record)
}

fn search_and_prove(asking: &mut Asking<'_>, request: &Request, points: &Points) -> Result<BisectRecord> {
    let overlaid = points.overlay.as_ref();
    let mut answer = asking.search(request.limits, points, overlaid)?;
    let mut candidates = suspects(points, &answer);
    let mut why = Vec::new();
    match (overlaid, &answer) {
        (Some(overlay), Answer::Found(found)) => {
            // From a point that the overlay does not fit to one that has it: the overlay is part of the change.
            let is_step = asking.is_bare(found.before) && !asking.is_bare(found.exposed);
            // What is on every point is wrong everywhere: without it the answer may be another.
            let is_own_fault = overlay.is_of_itself && found.change == Change::Broken;
            if is_step || is_own_fault {
                candidates.extend(overlay.numbers.iter().filter(|number| **number > found.before));
                let plain = asking.search_plain(request.limits, points)?;
                narrow(&mut candidates, points, &plain, &mut why);
            }
        }
        (Some(overlay), _) if overlay.is_of_itself => {
            answer = asking.search(request.limits, points, None)?;
            candidates = suspects(points, &answer);
            asking.without_overlay();
        }
        _ => {}
    }
    candidates.sort_unstable();
    candidates.dedup();
    conclude(asking, request, points, &answer, &candidates, why)
}

fn suspects(points: &Points, answer: &Answer) -> Vec<usize> {
    match answer {
        Answer::Found(found) => points.suspects(found),
        _ => Vec::new(),
    }
}

/// Leaves those candidates that a search without an overlay blames too.
fn narrow(candidates: &mut Vec<usize>, points: &Points, plain: &Answer, why: &mut Vec<String>) {
    let Answer::Found(plain) = plain else { return };
    let suspects = points.suspects(plain);
    let both: Vec<usize> = candidates.iter().copied().filter(|patch| suspects.contains(patch)).collect();
    why.push(format!(
        "without the overlay the check changes at @{}: {}",
        plain.exposed,
        tell::bisect::patches(&suspects)
    ));
    if !both.is_empty() {
        *candidates = both;
    }
}

fn conclude(
    asking: &mut Asking<'_>,
    request: &Request,
    points: &Points,
    answer: &Answer,
    candidates: &[usize],
    mut why: Vec<String>,
) -> Result<BisectRecord> {
    let (kind, found) = match answer {
        Answer::SameEverywhere { .. } => (AnswerKind::SameEverywhere, None),
        Answer::Untestable => (AnswerKind::Untestable, None),
        Answer::Found(found) => {
            if let Some(claimed) = request.limits.claimed.filter(|claimed| *claimed != found.change) {
                let way = if claimed == Change::Broken {
                    "from passing to failing"
                } else {
                    "from failing to passing"
                };
                return Err(Fault::usage(format!(
                    "{} does not go {way} between @{} and @{}: it goes the other way",
                    request.check.text(),
                    request.limits.first,
                    request.limits.last
                ))
                .help("leave out --good, --bad and --fixed to find a change in either direction")
                .into());
            }
            why.extend(reasons(found, points, asking));
            let proved = asking.prove(found)?;
            let kind = if proved { AnswerKind::Found } else { AnswerKind::NotProved };
            let candidate = |number: &usize| {
                let patch = points.patches.get(number - 1).cloned().unwrap_or_default();
                CandidateRecord { number: *number, ..patch }
            };
            let record = FoundRecord {
                change: if found.change == Change::Broken { "broken" } else { "fixed" }.into(),
                candidates: candidates.iter().map(candidate).collect(),
                before: asking.cell_of(found.before),
                exposed: asking.cell_of(found.exposed),
                why,
                rerun: Vec::new(),
            };
            (kind, Some(record))
        }
    };
    let overlay: Vec<usize> = asking.overlay().map(|overlay| overlay.numbers.clone()).unwrap_or_default();
    let mut record = BisectRecord {
        check: request.check.text(),
        overlay,
        asked: asking.asked.clone(),
        answer: kind,
        found,
        confidence_permille: None,
    };
    if request.repeat > 1 {
        record.confidence_permille = Some(confidence_of(&record));
    }
    asking.keep(record)
}

/// Why the answer is a range, in words.
fn reasons(found: &Found, points: &Points, asking: &Asking<'_>) -> Vec<String> {
    let mut why = Vec::new();
    let (innocent, inert): (Vec<usize>, Vec<usize>) =
        found.inert.iter().partition(|number| points.innocent.contains_key(number));
    if !inert.is_empty() {
        why.push(format!(
            "{} may hold what shows only from @{} on: the kernel and the tests are the same without and with",
            tell::bisect::patches(&inert),
            found.exposed
        ));
    }
    for number in innocent {
        why.push(match points.innocent.get(&number) {
            Some(Innocence::Trusted) => {
                format!("not patch {number}: it is that of the series taken for good")
            }
            _ => format!(
                "not patch {number}: it touches no kernel, and all points had the tests of the last one"
            ),
        });
    }
    for point in &found.untestable {
        why.push(format!("@{point} could not be tested: {}", asking.reason_of(*point)));
    }
    if let Some(Overlay { numbers, is_of_itself, .. }) = asking.overlay() {
        let missing: Vec<usize> = numbers.iter().copied().filter(|number| *number > found.exposed).collect();
        if !missing.is_empty() {
            let from = if *is_of_itself { "the series itself" } else { "a series that is taken for good" };
            why.push(format!("put on every point, from {from}: {}", tell::bisect::patches(numbers)));
        }
        if asking.is_bare(found.before) && points.overlay.is_some() {
            why.push(format!("@{} is without them", found.before));
        }
    }
    why
}

/// How sure the answer is, of what was counted.
fn confidence_of(record: &BisectRecord) -> u32 {
    let mut passed: Vec<(&str, u32)> = Vec::new();
    let (mut failures, mut runs) = (0, 0);
    for asked in &record.asked {
        if asked.failed > 0 {
            failures += asked.failed;
            runs += asked.failed + asked.passed;
        } else if asked.passed > 0 {
            match passed.iter_mut().find(|(cell, _)| *cell == asked.cell) {
                Some((_, count)) => *count += asked.passed,
                None => passed.push((&asked.cell, asked.passed)),
            }
        }
    }
    let counts: Vec<u32> = passed.iter().map(|(_, count)| *count).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to 1000")]
    let permille = (confidence(&counts, failures, runs) * 1000.0).floor() as u32;
    permille
}

/// Whether the checks are made in a guest: what looks at sources differs where kernels do not.
fn are_in_guest(checks: &[&Check]) -> bool {
    !checks.iter().any(|check| matches!(check.kind, CheckKind::Static { .. }))
}

/// The word for a verdict.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passes => "passes",
        Verdict::Fails => "fails",
    }
}
