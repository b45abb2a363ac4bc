// SPDX-License-Identifier: MIT OR Apache-2.0
//! The built `xtask` against fake tools (`examples/fake_tool/`): no kernel, QEMU, root or network.
//!
//! Each test has a lab of its own: a copy of the configuration, the binary inside it, a small tree
//! that looks like a kernel, a cache, and a `PATH` that holds nothing but fakes and git. After each
//! run of the lab no process of it may be left.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod bench;
mod bisect;
mod builds;
mod damage;
mod every_patch;
mod flakes;
mod fuzz;
mod good;
mod guests;
mod host;
mod interrupts;
mod lab;
mod messages;
mod mutants;
mod nights;
mod patches;
mod process;
mod profiles;
mod reports;
mod select;
mod series;
mod statics;
mod tree;
