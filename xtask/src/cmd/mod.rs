// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verbs: flags to calls, one file each.

pub mod bisect;
pub mod clean;
pub mod doctor;
mod engine;
pub mod explain;
pub mod fuzz;
pub mod list;
pub mod mutants;
pub mod profiles;
mod referee;
pub mod report;
pub mod selfcheck;
pub mod session;
pub mod shell;
mod shrink;
pub mod test;
