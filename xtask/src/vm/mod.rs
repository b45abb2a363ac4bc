// SPDX-License-Identifier: MIT OR Apache-2.0
//! The virtual machine: what QEMU is asked for, and the conversation with its guest.
//!
//! Architecture invariant: computing the arguments (`machine`), the wire format (`frame`), the
//! conversation (`session`) and the judging (`crate::judge`) are four things in four places.

pub mod frame;
pub mod machine;
mod monitor;
mod overdue;
pub mod registers;
pub mod session;
pub mod watchdogs;
