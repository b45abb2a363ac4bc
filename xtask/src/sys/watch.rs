// SPDX-License-Identifier: MIT OR Apache-2.0
//! One thread that kills process groups whose deadline has passed.
//!
//! So that every wait elsewhere can be a plain blocking one.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::sys::reaper;

/// Why a child was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// It was not.
    No,
    /// Its deadline had passed.
    Deadline,
    /// The lab was interrupted.
    Interrupt,
}

/// Whether an interrupt kills a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// At once.
    Kill,
    /// It is left to end by itself: a package manager that is killed leaves its database broken.
    Spare,
}

struct Entry {
    group: Pid,
    on_interrupt: OnInterrupt,
    deadline: Instant,
    killed: Arc<AtomicU8>,
}

struct Registry {
    entries: Mutex<Vec<Entry>>,
    changed: Condvar,
}

static REGISTRY: Registry = Registry { entries: Mutex::new(Vec::new()), changed: Condvar::new() };
static THREAD: Once = Once::new();

/// A child under watch. The group is forgotten when this is dropped, which must be before the
/// child is reaped: after that the number can be another process's.
pub struct Watched {
    group: Pid,
    killed: Arc<AtomicU8>,
}

impl Watched {
    /// Puts a process group under watch.
    pub fn begin(group: Pid, deadline: Duration, on_interrupt: OnInterrupt) -> Self {
        THREAD.call_once(|| {
            std::thread::spawn(watch);
        });
        let killed = Arc::new(AtomicU8::new(0));
        if on_interrupt == OnInterrupt::Kill {
            reaper::note_started(group);
        }
        lock().push(Entry {
            group,
            on_interrupt,
            deadline: Instant::now() + deadline,
            killed: Arc::clone(&killed),
        });
        REGISTRY.changed.notify_one();
        // A signal may have come between the spawn and the registration.
        if crate::sys::interrupt::is_interrupted() {
            kill_all();
        }
        Self { group, killed }
    }

    /// Sets another deadline, counted from now.
    pub fn set_deadline(&self, deadline: Duration) {
        let at = Instant::now() + deadline;
        for entry in lock().iter_mut().filter(|entry| entry.group == self.group) {
            entry.deadline = at;
        }
        REGISTRY.changed.notify_one();
    }

    /// Kills the whole group now.
    pub fn kill(&self) {
        kill(self.group);
    }

    /// Why the child was killed, if it was.
    pub fn killed(&self) -> Killed {
        match self.killed.load(Ordering::SeqCst) {
            1 => Killed::Deadline,
            2 => Killed::Interrupt,
            _ => Killed::No,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        lock().retain(|entry| entry.group != self.group);
        reaper::note_ended(self.group);
    }
}

/// Kills every child there is.
pub fn kill_all() {
    for entry in lock().iter().filter(|entry| entry.on_interrupt == OnInterrupt::Kill) {
        // A deadline that came first stays the reason.
        let _ = entry.killed.compare_exchange(0, 2, Ordering::SeqCst, Ordering::SeqCst);
        kill(entry.group);
    }
}

fn watch() {
    let mut entries = lock();
    loop {
        let now = Instant::now();
        for entry in entries.iter().filter(|entry| entry.deadline <= now) {
            if entry.killed.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                kill(entry.group);
            }
        }
        let next = entries
            .iter()
            .filter(|entry| entry.killed.load(Ordering::SeqCst) == 0)
            .map(|entry| entry.deadline)
            .min();
        let wait = next.map_or(Duration::from_secs(3600), |next| next.saturating_duration_since(now));
        entries = match REGISTRY.changed.wait_timeout(entries, wait) {
            Ok((entries, _)) => entries,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
}

fn kill(group: Pid) {
    // It may be gone already; nothing else can go wrong with a group of our own.
    let _ = kill_process_group(group, Signal::KILL);
}

fn lock() -> MutexGuard<'static, Vec<Entry>> {
    REGISTRY.entries.lock().unwrap_or_else(PoisonError::into_inner)
}
