// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plan: from a selection of cells to ordered lists of work. Pure.
//!
//! Architecture invariant: no I/O. A plan can be printed (`--dry-run`), tested, and carried out.

pub mod bisect;
pub mod cell;
pub mod job;
pub mod key;
pub mod probe;
pub mod select;
pub mod shard;
#[cfg(test)]
mod test_lab;
pub mod work;
