// SPDX-License-Identifier: MIT OR Apache-2.0
//! Asking points: builds, boots, and what they said, in one record.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use console::Style;

use crate::cmd::bisect::points::{Overlay, Points, no_build_key, rerun, write};
use crate::cmd::bisect::{Request, are_in_guest, word};
use crate::cmd::engine::OpenRun;
use crate::cmd::session::Session;
use crate::fault::Fault;
use crate::lab::Lab;
use crate::lab::series::{Point, SeriesOrigin};
use crate::parse::splat::Splats;
use crate::plan::bisect::{Answer, Change, Found, Limits, Next, Search, Seen, Verdict};
use crate::plan::cell::Cell;
use crate::plan::select::Selection;
use crate::plan::work::{Plan, SourceWork};
use crate::record::bisect::{AskedRecord, BisectRecord};
use crate::record::model::{CellRecord, CheckStatus, Outcome};
use crate::run::context::Options;
use crate::run::event::{Cached, Event, Step};
use crate::run::schedule;
use crate::tell::terminal::{Terminal, status_line};

/// A search under way.
pub struct Asking<'a> {
    open: OpenRun<'a>,
    lab: &'a Lab,
    request: &'a Request,
    /// What was asked, in its order.
    pub asked: Vec<AskedRecord>,
    /// Of every point that was looked at, its key or why it has none.
    built: BTreeMap<Point, Result<Option<String>, String>>,
    seen: BTreeMap<Point, Seen>,
    /// What stood for each point in the last search, and the overlay that was on it.
    view: BTreeMap<usize, Point>,
    overlay: Option<Overlay>,
}

/// What the terminal is told: that a kernel is in the cache is no news here.
fn on_event(terminal: &mut Terminal, event: &Event) {
    if !matches!(event, Event::Done { step: Step::Build, cached: Cached::Yes, .. }) {
        terminal.event(event);
    }
}

impl<'a> Asking<'a> {
    /// Begins a record.
    ///
    /// # Errors
    /// Trouble of the lab's that leaves no record.
    pub fn begin(
        session: &'a Session,
        request: &'a Request,
        options: &'a Options,
        splats: &'a Splats,
    ) -> Result<Self> {
        Ok(Self {
            open: OpenRun::begin(session, options, splats, 0, &[])?,
            lab: &session.lab,
            request,
            asked: Vec::new(),
            built: BTreeMap::new(),
            seen: BTreeMap::new(),
            view: BTreeMap::new(),
            overlay: None,
        })
    }

    /// Searches between the limits, on the points with an overlay or on the series' own.
    ///
    /// # Errors
    /// Interrupts, and trouble of the lab's.
    pub fn search(&mut self, limits: Limits, points: &Points, overlay: Option<&Overlay>) -> Result<Answer> {
        self.overlay = overlay.cloned();
        let on_top = match overlay {
            Some(overlay) => {
                format!(", with {} on every point", crate::tell::bisect::patches(&overlay.numbers))
            }
            None => String::new(),
        };
        let text = format!(
            "{} between @{} and @{} of {}{on_top}",
            self.request.check.text(),
            limits.first,
            limits.last,
            points.patches.len()
        );
        self.open.print(&status_line(&Style::new().cyan(), "SEARCHING", None, &text));
        let mut search = Search::new(limits.first, limits.last);
        loop {
            crate::sys::interrupt::check()?;
            let (number, is_asked) = match search.next() {
                Next::Done(answer) => return Ok(answer),
                Next::Ask(number) => (number, true),
                Next::Build(number) => (number, false),
            };
            let point = self.choose(number)?;
            self.view.insert(number, point.clone());
            match self.built.get(&point) {
                Some(Ok(key)) => search.built(number, key.clone()),
                _ => {
                    self.untestable(number, &point);
                    search.saw(number, Seen::Untestable);
                    continue;
                }
            }
            if !is_asked {
                continue;
            }
            if search.seen_at(number).is_some() {
                let text = format!(
                    "{}: its kernel and programs are those of a point that was asked",
                    self.cell(&point)
                );
                self.open.print(&status_line(&Style::new().cyan(), "INERT", None, &text));
                continue;
            }
            let seen = match self.seen.get(&point) {
                Some(seen) => *seen,
                None => self.ask(number, &point)?,
            };
            search.saw(number, seen);
        }
    }

    /// What stands for a point: itself with the overlay, or without where that does not build.
    fn choose(&mut self, number: usize) -> Result<Point> {
        let plain = Point { applied: number, ..self.request.last.clone() };
        let overlaid = self.overlay.as_ref().and_then(|overlay| overlay.points.get(number).cloned());
        if let Some(overlaid) = overlaid {
            self.build(&overlaid)?;
            if matches!(self.built.get(&overlaid), Some(Ok(_))) {
                return Ok(overlaid);
            }
        }
        self.build(&plain)?;
        Ok(plain)
    }

    fn cell(&self, point: &Point) -> Cell {
        Cell { tree: self.request.tree.clone(), point: point.clone(), flavor: self.request.flavor.clone() }
    }

    fn plan(&self, point: &Point) -> Result<Plan> {
        let selection = Selection {
            globs: vec![self.cell(point).to_string()],
            checks: vec![self.request.check.check.clone()],
            ..Selection::default()
        };
        let mut plan = Plan::make(self.lab, &selection)?;
        for guest in &mut plan.guests {
            let (tree, point) = (self.request.tree.clone(), self.request.last.clone());
            guest.tests_from = Some(SourceWork { tree, point });
        }
        Ok(plan)
    }

    /// Builds a point, unless that was done, for its key.
    fn build(&mut self, point: &Point) -> Result<()> {
        if self.built.contains_key(point) {
            return Ok(());
        }
        let plan = self.plan(point)?;
        let checks: Vec<_> =
            plan.guests.iter().flat_map(|guest| &guest.checks).map(|one| &one.check).collect();
        let has_key = are_in_guest(&checks);
        // A point that an overlay does not fit is tried in every search, and compiles for minutes to fail.
        let is_overlaid = point.series != self.request.last.series;
        let tests = self.request.last.clone();
        let built = self.open.with_context(&mut on_event, |context| {
            let known = if is_overlaid { no_build_key(context, &plan, &tests)? } else { None };
            if let Some(reason) = known.as_ref().and_then(|key| context.answer::<String>(key)) {
                return Ok(Err(reason));
            }
            Ok(match schedule::prepare_one(context, &plan)? {
                Ok(ready) if has_key => Ok(ready.likeness(context)?.map(|key| key.as_str().to_owned())),
                Ok(_) => Ok(None),
                Err(record) if record.outcome == Outcome::Infra => {
                    return Err(Fault::infra(record.reason).into());
                }
                Err(record) => {
                    let reason = format!("{}: {}", record.outcome.word(), record.reason);
                    if let Some(key) = known.filter(|_| record.outcome == Outcome::BuildFailed) {
                        context.cache.keep_answer(&key, &reason)?;
                    }
                    Err(reason)
                }
            })
        })?;
        self.built.insert(point.clone(), built);
        Ok(())
    }

    fn untestable(&mut self, number: usize, point: &Point) {
        let reason = match self.built.get(point) {
            Some(Err(reason)) => reason.clone(),
            _ => String::new(),
        };
        let cell = self.cell(point).to_string();
        let text = format!("{cell}: {reason}");
        self.open.print(&status_line(&Style::new().yellow(), "UNTESTABLE", None, &text));
        self.seen.insert(point.clone(), Seen::Untestable);
        let says = "untestable".into();
        self.asked.push(AskedRecord { point: number, cell, says, reason, ..AskedRecord::default() });
    }

    /// Boots a point as often as was asked for.
    fn ask(&mut self, number: usize, point: &Point) -> Result<Seen> {
        let plan = self.plan(point)?;
        let cell = self.cell(point).to_string();
        let mut asked = AskedRecord { point: number, cell: cell.clone(), ..AskedRecord::default() };
        let mut seen = Seen::Untestable;
        for _ in 0..self.request.repeat {
            crate::sys::interrupt::check()?;
            self.open.carry_out(&plan, &mut on_event)?;
            let record = self.open.run.cells.iter().find(|record| record.id == cell);
            let record = record.ok_or_else(|| anyhow::anyhow!("{cell} is not in the record"))?;
            let (run, reason) = self.judge(record)?;
            match run {
                Seen::Verdict(Verdict::Passes) if asked.failed == 0 => asked.reason = reason,
                Seen::Verdict(Verdict::Passes) => {}
                _ => asked.reason = reason,
            }
            match run {
                Seen::Untestable => break,
                Seen::Verdict(Verdict::Passes) => asked.passed += 1,
                Seen::Verdict(Verdict::Fails) => asked.failed += 1,
            }
        }
        if asked.failed > 0 {
            seen = Seen::Verdict(Verdict::Fails);
        } else if asked.passed == self.request.repeat {
            seen = Seen::Verdict(Verdict::Passes);
        }
        asked.says = match seen {
            Seen::Untestable => "untestable".into(),
            Seen::Verdict(verdict) => word(verdict).into(),
        };
        self.asked.push(asked);
        self.seen.insert(point.clone(), seen);
        Ok(seen)
    }

    /// What a cell's record says of what is asked, and the reason.
    fn judge(&self, record: &CellRecord) -> Result<(Seen, String)> {
        let reason = format!("{}: {}", record.outcome.word(), record.reason);
        Ok(match record.outcome {
            Outcome::Infra => {
                return Err(Fault::infra(format!("{}: {}", record.id, record.reason))
                    .help("the lab failed, not the kernel: --retries N tries such a boot again")
                    .into());
            }
            Outcome::Cancelled => return Err(Fault::interrupted().into()),
            Outcome::ApplyFailed | Outcome::BuildFailed | Outcome::BootFailed => (Seen::Untestable, reason),
            Outcome::Crashed | Outcome::TimedOut => (Seen::Verdict(Verdict::Fails), reason),
            Outcome::Pass | Outcome::Fail => match &self.request.check.sub {
                Some(sub) => judge_sub(record, &self.request.check.check, sub),
                None if record.outcome == Outcome::Pass => (
                    Seen::Verdict(Verdict::Passes),
                    format!("pass: {}", crate::tell::grid::families_line(record)),
                ),
                None => (Seen::Verdict(Verdict::Fails), reason),
            },
        })
    }

    /// Asks both sides of the change once more.
    ///
    /// # Errors
    /// As [`Asking::search`].
    pub fn prove(&mut self, found: &Found) -> Result<bool> {
        let text = format!("@{} and @{} are asked once more", found.before, found.exposed);
        self.open.print(&status_line(&Style::new().cyan(), "PROVING", None, &text));
        let (before, after) = match found.change {
            Change::Broken => (Verdict::Passes, Verdict::Fails),
            Change::Fixed => (Verdict::Fails, Verdict::Passes),
        };
        let mut holds = true;
        for (number, verdict) in [(found.before, before), (found.exposed, after)] {
            let point = self.choose(number)?;
            holds &= self.ask(number, &point)? == Seen::Verdict(verdict);
        }
        Ok(holds)
    }

    /// The cell that stood for a point.
    pub fn cell_of(&self, number: usize) -> String {
        self.view.get(&number).map(|point| self.cell(point).to_string()).unwrap_or_default()
    }

    /// Why a point could not be tested.
    pub fn reason_of(&self, number: usize) -> String {
        let asked = self.asked.iter().find(|asked| asked.point == number && asked.says == "untestable");
        asked.map(|asked| asked.reason.clone()).unwrap_or_default()
    }

    /// Whether a point stood for itself, without the overlay.
    pub fn is_bare(&self, number: usize) -> bool {
        self.view.get(&number).is_some_and(|point| {
            let overlaid = self.overlay.as_ref().and_then(|overlay| overlay.points.get(number));
            overlaid.is_some_and(|overlaid| overlaid != point)
        })
    }

    /// Searches as [`Asking::search`] does without an overlay, and forgets it: the answer that counts is another.
    ///
    /// # Errors
    /// As [`Asking::search`].
    pub fn search_plain(&mut self, limits: Limits, points: &Points) -> Result<Answer> {
        let kept = (self.overlay.clone(), self.view.clone());
        let answer = self.search(limits, points, None);
        (self.overlay, self.view) = kept;
        answer
    }

    /// The overlay of the search whose answer counts.
    pub fn overlay(&self) -> Option<&Overlay> {
        self.overlay.as_ref()
    }

    /// The answer that counts is one without overlay.
    pub fn without_overlay(&mut self) {
        self.overlay = None;
    }

    /// Keeps what can be told, with both points as something that can be run again.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&mut self, mut record: BisectRecord) -> Result<BisectRecord> {
        if let Some(found) = &mut record.found {
            for id in [found.before.clone(), found.exposed.clone()] {
                let Some(point) = self.view.values().find(|point| self.cell(point).to_string() == id) else {
                    continue;
                };
                let series = self.lab.series(&point.series)?;
                let is_overlaid = point.series != self.request.last.series;
                let mut folder = None;
                if point.applied > 0 && (is_overlaid || series.origin != SeriesOrigin::Shipped) {
                    let path = self.open.folder.path().join(format!("{}-{}", point.series, point.applied));
                    write(series, point.applied, &path)?;
                    folder = Some(path);
                }
                found.rerun.push(rerun(self.request, point, folder.as_deref()));
            }
        }
        self.open.run.bisect = Some(record.clone());
        Ok(record)
    }

    /// Ends the record; where it is.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(self, result: &Result<()>) -> Result<PathBuf> {
        let (_, folder) = self.open.end(result)?;
        Ok(folder.path().to_owned())
    }
}

/// What one sub-result says, or a group of them: all of it passes, or it does not.
fn judge_sub(record: &CellRecord, check: &str, name: &str) -> (Seen, String) {
    let check = record.checks.iter().find(|one| one.name == check);
    let is_meant =
        |sub: &str| sub == name || sub.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    let subs: Vec<_> = check.iter().flat_map(|one| &one.subs).filter(|sub| is_meant(&sub.name())).collect();
    match subs.iter().find(|sub| sub.status != CheckStatus::Pass) {
        Some(bad) => {
            let why = bad.reason.lines().next().unwrap_or("");
            (Seen::Verdict(Verdict::Fails), format!("{}: {} {why}", bad.status.word(), bad.name()))
        }
        None if subs.is_empty() => {
            let why = check.map_or("the check has no result", |one| one.reason.as_str());
            (Seen::Verdict(Verdict::Fails), format!("absent: {name} {why}"))
        }
        None => (Seen::Verdict(Verdict::Passes), format!("pass: {name}")),
    }
}
