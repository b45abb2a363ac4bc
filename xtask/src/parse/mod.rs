// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parse: bytes to facts. Total functions: whatever a guest, a kernel or a compiler writes, the
//! answer is a value.
//!
//! Architecture invariant: no I/O, no clock, and no memory that grows with the input.

#[cfg(test)]
mod hostile_tests;
pub mod kmsg;
pub mod ktap;
mod lines;
pub mod make;
pub mod sections;
pub mod splat;
pub mod transcript;
