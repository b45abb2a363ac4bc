// SPDX-License-Identifier: MIT OR Apache-2.0
//! A guest's deadline: what is asked of QEMU and of the guest when it has passed, before QEMU is killed.

use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sys::process::Process;
use crate::vm::monitor::Monitor;
use crate::vm::session::ToGuest;

/// Time that QEMU has beyond the guest's deadline: the watch kills it then, whatever becomes of the asking.
const SPARE: Duration = Duration::from_secs(8);

/// Time that the guest has for its answer.
const ANSWER: Duration = Duration::from_secs(2);

/// The deadline of one guest.
pub struct Deadline<'a> {
    process: &'a Process,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    at: Instant,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The guest has time.
    Running,
    /// Its time is over, and it is asked.
    Asked,
    /// It has ended.
    Over,
}

impl<'a> Deadline<'a> {
    /// A deadline, counted from now.
    pub fn new(process: &'a Process, after: Duration) -> Self {
        process.set_deadline(after + SPARE);
        let state = State { at: Instant::now() + after, stage: Stage::Running };
        Self { process, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it, unless it has passed.
    pub fn set(&self, after: Duration) {
        let mut state = self.lock();
        if state.stage == Stage::Running {
            state.at = Instant::now() + after;
            self.process.set_deadline(after + SPARE);
            self.changed.notify_all();
        }
    }

    /// The guest has ended: nobody waits any more.
    pub fn end(&self) {
        self.lock().stage = Stage::Over;
        self.changed.notify_all();
    }

    /// Waits for the guest's end. If its time is over before, asks QEMU for its registers and, through `ask`, the
    /// guest for its tasks; then kills QEMU. What QEMU said, or why it did not.
    pub(super) fn watch(&self, monitor: &Monitor, ask: Sender<ToGuest>) -> Option<String> {
        if self.wait_until_overdue() == Stage::Over {
            return None;
        }
        let said = monitor.registers().unwrap_or_else(|error| format!("{error:#}\n"));
        // A guest whose end is near reads no more: then there is no answer.
        let _ = ask.send(ToGuest::Ask);
        drop(ask);
        let state = self.lock();
        let waits = |state: &mut State| state.stage == Stage::Asked;
        let waited = self.changed.wait_timeout_while(state, ANSWER, waits);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.process.set_deadline(Duration::ZERO);
        Some(said)
    }

    fn wait_until_overdue(&self) -> Stage {
        let mut state = self.lock();
        loop {
            let left = state.at.saturating_duration_since(Instant::now());
            if state.stage == Stage::Over {
                return Stage::Over;
            }
            if left.is_zero() {
                state.stage = Stage::Asked;
                return Stage::Asked;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
