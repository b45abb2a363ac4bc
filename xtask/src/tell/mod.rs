// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tell: reports, folded from events or from a stored run.
//!
//! Architecture invariant: only this folder and `main.rs` print. Every report can be made again
//! from `results/`.

pub mod baseline;
pub mod bench;
pub mod bench_picture;
pub mod bench_published;
pub mod bisect;
pub mod check_patch;
pub mod diff;
pub mod fuzz;
pub mod grid;
pub mod junit;
pub mod ktap;
pub mod list;
pub mod markdown;
pub mod mutants;
pub mod patches;
pub mod repeat;
pub mod reply;
pub mod rerun;
pub mod selfcheck;
pub mod summary;
pub mod table;
pub mod terminal;
pub mod trend;
pub mod visible;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Prints a finished text to standard output. A reader that has gone away is not an error. Nothing that would steer
/// a terminal gets through, but the lab's own colours.
pub fn print(text: &str) {
    print_bytes(visible::finished(text).as_bytes());
}

/// Prints bytes as they are to standard output.
pub fn print_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            HAS_LOST.store(true, Ordering::SeqCst)
        }
        _ => {}
    }
}

/// Whether something could not be written to standard output, other than to a reader that had gone.
pub fn has_lost() -> bool {
    HAS_LOST.load(Ordering::SeqCst)
}

static HAS_LOST: AtomicBool = AtomicBool::new(false);

/// Prints a text to the error stream.
pub fn print_error(text: &str) {
    print_error_bytes(visible::finished(text).as_bytes());
}

/// Prints bytes as they are to the error stream.
pub fn print_error_bytes(bytes: &[u8]) {
    let _ = std::io::stderr().lock().write_all(bytes);
}

#[cfg(test)]
#[path = "tell_tests.rs"]
mod tests;
