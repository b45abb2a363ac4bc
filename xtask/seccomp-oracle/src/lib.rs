// SPDX-License-Identifier: MIT OR Apache-2.0
//! A model of the seccomp cache of constant-allow results (`/proc/<pid>/seccomp_cache`).
//!
//! Chains of classic BPF filters go in; out come the bits that a correct kernel caches, the text that it shows for
//! them, the errno with which it refuses them, and a judgement of what a guest answered. No I/O, no kernel, no clock.
//!
//! The layers, lowest first:
//!
//! | module | what it models |
//! |---|---|
//! | [`insn`], [`data`], [`action`] | one instruction, what it reads, what a filter can answer |
//! | [`program`], [`chain`] | what the kernel's checker accepts |
//! | [`interpret`] | what a filter answers for one call (decodes through [`insn::Op`]) |
//! | [`walk`] | the constant-allow walk (reads raw opcodes, so that it shares no decoder with `interpret`) |
//! | [`tables`], [`cache`], [`difference`] | the bitmaps, their text, and how another text departs from it |
//! | [`tree`] | what the source says of how filters are treated |
//! | [`sound`] | whether a chain allows a call, by all its paths and apart from the walk |
//! | [`random`], [`shrink`] | chains out of a number, and smaller ones that still fail |
//! | [`request`], [`answer`], [`dump`] | the two file formats shared with the guest program |
//! | [`cases`], [`judge`] | the fixed cases of the check `seccomp_cache.dump`, and its verdicts |
//! | [`agree`] | whether two kernels say the same, apart from the model |
//! | [`batch`] | the verdict about many chains without names, and why a bit is as it is |
//! | [`calls`] | calls made for real, what must come of them, the check `behaviour.calls` |
//! | [`bench`] | what calls and attaching cost in instructions, and the relations that must hold |

pub mod action;
pub mod agree;
pub mod answer;
pub mod batch;
pub mod bench;
pub mod cache;
pub mod calls;
pub mod cases;
pub mod chain;
pub mod data;
pub mod difference;
pub mod dump;
pub mod errno;
pub mod insn;
pub mod interpret;
pub mod judge;
mod opcode;
pub mod program;
pub mod random;
pub mod request;
pub mod shrink;
pub mod sound;
pub mod tables;
pub mod tree;
pub mod walk;
