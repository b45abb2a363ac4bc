// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record of a run: `run.json`, and where it is kept.

pub mod attempt;
pub mod baseline;
pub mod bench;
pub mod bench_saved;
pub mod bisect;
pub mod cell_id;
pub mod cell_tally;
pub mod change;
pub mod compare;
pub mod exit_codes;
pub mod finding;
pub mod merge;
pub mod model;
pub mod mutant;
pub mod notes;
pub mod origin;
pub mod outcome;
pub mod pairs;
pub mod repeat;
pub mod role;
pub mod run_diff;
#[cfg(test)]
pub mod sample;
pub mod store;
pub mod trend;
