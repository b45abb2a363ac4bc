// SPDX-License-Identifier: MIT OR Apache-2.0
//! One level of nesting: its plan, and what its results do to it.

use super::{KtapError, Plan, RepeatedNames, Status};
use std::collections::HashSet;

/// Missing ordinals that are listed one by one.
const MISSING_LISTED_MAX: usize = 20;

/// One level that is open.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) indent: usize,
    /// The name from `# Subtest:`, until the parent's result gives the final one.
    pub(super) announced: String,
    pub(super) plan: Option<Plan>,
    /// Results of this level when the plan came.
    pub(super) results_before_plan: usize,
    pub(super) results: usize,
    ordinals: HashSet<u32>,
    names: HashSet<String>,
    highest: u32,
    pub(super) failed: bool,
    /// The test that a `RUN` line announced and that has no result yet.
    pub(super) running: Option<String>,
    /// The first of the report's results that may belong to this level or below.
    pub(super) first_result: usize,
}

impl Level {
    /// A level at this indent whose results come after the first `first_result` of the report.
    pub(super) fn new(indent: usize, first_result: usize) -> Self {
        Self { indent, first_result, ..Self::default() }
    }

    /// Adds a result; says what is wrong with its ordinal and its name.
    pub(super) fn add(
        &mut self,
        name: &str,
        ordinal: u32,
        status: Status,
        repeated_names: RepeatedNames,
    ) -> Vec<KtapError> {
        let mut errors = Vec::new();
        if let Some(planned) = self.planned() {
            if ordinal > planned {
                let name = name.to_owned();
                errors.push(KtapError::PastPlan { ordinal, planned, name });
            }
            if self.results_before_plan > 0 && self.results == self.results_before_plan {
                errors.push(KtapError::PlanInTheMiddle { ordinal });
            }
        }
        if !self.ordinals.insert(ordinal) {
            let name = name.to_owned();
            errors.push(KtapError::DuplicateOrdinal { ordinal, name });
        } else if ordinal < self.highest {
            let highest = self.highest;
            errors.push(KtapError::OutOfOrder { ordinal, highest });
        }
        self.highest = self.highest.max(ordinal);
        let fresh = name.is_empty() || self.names.insert(name.to_owned());
        if !fresh && repeated_names == RepeatedNames::Error {
            let name = name.to_owned();
            errors.push(KtapError::DuplicateName { ordinal, name });
        }
        self.results += 1;
        self.failed |= status.is_failure();
        errors
    }

    fn planned(&self) -> Option<u32> {
        match self.plan {
            Some(Plan::Count(count)) => Some(count),
            Some(Plan::SkipAll(_)) => Some(0),
            Some(Plan::Missing) | None => None,
        }
    }

    /// What is missing when the level closes. The outermost level (`None`) may lack a plan here:
    /// the report says so in its own way.
    pub(super) fn unfilled(&self, subtest: Option<&str>) -> Option<KtapError> {
        let Some(planned) = self.planned() else {
            let subtest = subtest?.to_owned();
            return Some(KtapError::SubtestWithoutPlan { subtest });
        };
        let present = self.ordinals.iter().filter(|ordinal| **ordinal <= planned).count();
        let missing_count = planned.saturating_sub(u32::try_from(present).unwrap_or(u32::MAX));
        if missing_count == 0 {
            return None;
        }
        // Ends after at most `ordinals.len()` + the cap steps, however large the plan is.
        let missing = (1..=planned)
            .filter(|ordinal| !self.ordinals.contains(ordinal))
            .take(MISSING_LISTED_MAX)
            .collect();
        Some(KtapError::PlanNotFilled {
            subtest: subtest.map(str::to_owned),
            planned,
            missing,
            missing_count,
        })
    }
}
