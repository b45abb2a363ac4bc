// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verbs: flags to calls, one file each.

mod ad_hoc;
mod base;
pub mod bench;
pub mod bench_saved;
pub mod bisect;
pub mod check_patch;
pub mod clean;
pub mod diff;
pub mod doctor;
mod engine;
pub mod explain;
pub mod fuzz;
pub mod import;
pub mod list;
pub mod merge;
pub mod mutants;
pub mod profiles;
mod referee;
pub mod report;
pub mod selfcheck;
mod series_record;
pub mod session;
pub mod shell;
mod shrink;
pub mod test;
pub mod trend;
