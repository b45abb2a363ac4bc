// SPDX-License-Identifier: MIT OR Apache-2.0
//! The queue between who builds kernels and who boots guests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::plan::cell::Cell;
use crate::run::ready::Ready;
use crate::run::shown::Showings;

/// Guests that are ready to boot.
#[derive(Default)]
pub struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
    stopped: AtomicBool,
    /// What guests showed, for those that would show the same.
    pub showings: Showings,
}

/// A guest, and what becomes of what it shows.
pub struct Boot {
    /// The guest.
    pub ready: Ready,
    /// The cell whose guest stands for this one's.
    pub shown_by: Option<Cell>,
    /// Whether what it shows is kept for others.
    pub is_kept: bool,
}

#[derive(Default)]
struct QueueState {
    ready: VecDeque<Boot>,
    is_closed: bool,
}

/// Closes a queue whatever becomes of who fills it: the workers must not wait for ever.
pub struct CloseOnDrop<'a>(pub &'a Queue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a guest.
    pub fn push(&self, ready: Boot) {
        self.lock().ready.push_back(ready);
        self.changed.notify_one();
    }

    /// No guest comes any more.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Nothing more is begun.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.close();
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Waits for the next guest; nothing once there is none and none comes.
    pub fn next(&self) -> Option<Boot> {
        let mut state = self.lock();
        loop {
            if self.is_stopped() {
                return None;
            }
            if let Some(ready) = state.ready.pop_front() {
                return Some(ready);
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
