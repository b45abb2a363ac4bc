// SPDX-License-Identifier: MIT OR Apache-2.0
//! Run: the only stage with side effects. Carries out a plan and tells what happens as events.

pub mod apt;
pub mod artifact;
pub mod branch;
pub mod cache;
pub mod checkpatch;
pub mod code;
pub mod commits;
pub mod compiler;
pub mod config;
pub mod context;
pub mod event;
pub mod fetch;
pub mod fixtures;
pub mod found;
pub mod git;
pub mod guest;
pub mod headers;
pub mod image;
pub mod import;
pub mod kernel;
pub mod kvm;
pub mod libseccomp;
pub mod mailbox;
pub mod oracle;
pub mod profile;
pub mod program;
pub mod queue;
pub mod ready;
pub mod schedule;
pub mod shown;
pub mod source;
pub mod static_check;
pub mod tree_facts;
pub mod worker;
pub mod worktree;
