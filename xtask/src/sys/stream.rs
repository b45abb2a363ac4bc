// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a child writes, to its end: and that comes, although something that it started still holds the pipe.

use std::io::{Read, Result};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::sys::process::Process;

/// How often the child is looked at. A pipe that closes is seen at once.
const LOOK: Duration = Duration::from_millis(100);
const LOOK_TIMESPEC: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How long a pipe may stay open after its child has ended, before what holds it is killed; and how long it may be
/// silent after that, before it is given up.
const GRACE: Duration = Duration::from_millis(500);

/// How long something that cannot be found to be killed may go on writing.
const NOISE: Duration = Duration::from_secs(20);

/// How far the end of a pipe has come.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The child runs.
    Open,
    /// The child has ended, at this time.
    Ended(Instant),
    /// What it started in groups of its own has been killed, at this time.
    Killed(Instant),
}

/// A pipe out of a child. It ends with the pipe, or a while after the child: a compiler's server or a daemon that
/// left the child's process group may hold it for ever.
pub struct UntilEnd<'a, S> {
    stream: S,
    process: &'a Process,
    end: End,
    looked: Instant,
}

impl<'a, S: Read + AsFd> UntilEnd<'a, S> {
    /// The stream of a process.
    pub fn new(stream: S, process: &'a Process) -> Self {
        Self { stream, process, end: End::Open, looked: Instant::now() }
    }

    /// Whether there is something to read, or the end of the pipe.
    fn is_ready(&self) -> Result<bool> {
        let mut fds = [PollFd::new(&self.stream, PollFlags::IN)];
        Ok(rustix::io::retry_on_intr(|| poll(&mut fds, Some(&LOOK_TIMESPEC)))? > 0)
    }

    /// Looks at the child, and does what is due after its end.
    fn look(&mut self) -> Result<()> {
        self.looked = Instant::now();
        match self.end {
            End::Open if self.process.has_ended().map_err(std::io::Error::other)? => {
                self.end = End::Ended(Instant::now());
            }
            End::Ended(at) if at.elapsed() >= GRACE => {
                self.process.kill_all();
                self.end = End::Killed(Instant::now());
            }
            End::Open | End::Ended(_) | End::Killed(_) => {}
        }
        Ok(())
    }

    fn is_given_up(&self, is_ready: bool) -> bool {
        match self.end {
            End::Killed(at) => at.elapsed() >= if is_ready { NOISE } else { GRACE },
            End::Open | End::Ended(_) => false,
        }
    }
}

impl<S: Read + AsFd> Read for UntilEnd<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let is_ready = self.is_ready()?;
            if self.looked.elapsed() >= LOOK {
                self.look()?;
            }
            if self.is_given_up(is_ready) {
                return Ok(0);
            }
            if is_ready {
                return self.stream.read(buffer);
            }
        }
    }
}
