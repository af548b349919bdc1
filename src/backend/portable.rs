//! The second backend, on the `polling` crate (feature `portable-poller`). All tests pass on it,
//! too, so nothing relies on more than the contract of pollers.
//!
//! `polling` reports only readable and writable. What exactly is ready is found by poll(2) with a
//! zero timeout, one call per event. The crate takes memory from the process's global allocator.

use core::ffi::c_int;
use core::num::NonZeroUsize;
use core::time::Duration;
use std::os::fd::{AsRawFd, BorrowedFd};

use polling::{Event, PollMode};

use super::{EVENT_BATCH, pause, readiness, ready};
use crate::errors::{Errno, Result};
use crate::sys::fd;
use crate::zeroed::zeroed;

// The crate carries no more than a word with an event, in which half of a token would be lost.
#[cfg(not(target_pointer_width = "64"))]
compile_error!("the portable poller is for machines with words of 64 bits");

pub(crate) struct Poller {
    /// The crate's poller; `None` when it is abandoned.
    inner: Option<polling::Poller>,
}

/// One batch of events.
pub(crate) struct Events {
    raw: polling::Events,
    list: [(u64, u32); EVENT_BATCH],
    count: usize,
}

impl Events {
    pub(crate) fn new() -> Events {
        let capacity = NonZeroUsize::new(EVENT_BATCH).unwrap_or(NonZeroUsize::MIN);
        Events {
            raw: polling::Events::with_capacity(capacity),
            list: [(0, 0); EVENT_BATCH],
            count: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Token and readiness of an event of the last wait.
    pub(crate) fn get(&self, index: usize) -> (u64, u32) {
        self.list[..self.count][index]
    }
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_system(error.raw_os_error().unwrap_or(libc::EIO))
}

/// How long to pause when the system refuses a wait, in milliseconds.
const MAX_REFUSED_WAIT_MS: c_int = 10;

/// Marks the token of a registration that waits for the peer's end, but not for data, and is
/// level-triggered at the moment. The bit is above any descriptor, and below the generation.
const LEVEL_TRIGGERED_BIT: u64 = 1 << 31;

/// Whether `interest` is in the peer's end, but not in data. The crate does not distinguish the
/// two.
fn is_peer_only(interest: u32) -> bool {
    interest & (ready::READABLE | ready::PEER_CLOSED) == ready::PEER_CLOSED
}

/// The interest in the crate's terms. Unread data makes a level-triggered poller wake the loop for
/// ever. So interest in the peer's end alone is edge-triggered while there is nothing to report.
fn request(interest: u32, token: u64) -> (Event, PollMode) {
    let readable = interest & (ready::READABLE | ready::PEER_CLOSED) != 0;
    let mut event = Event::new(token as usize, readable, interest & ready::WRITABLE != 0);
    event.set_priority(interest & ready::PRIORITY != 0);
    if is_peer_only(interest) && token & LEVEL_TRIGGERED_BIT == 0 {
        (event, PollMode::Edge)
    } else {
        (event, PollMode::Level)
    }
}

impl Poller {
    pub(crate) fn new() -> Result<Poller> {
        let make = || polling::Poller::new().map_err(errno);
        let mut inner = make()?;
        if inner.as_raw_fd() <= libc::STDERR_FILENO {
            // The crate has descriptors that cannot be moved; they come after the poller's own.
            drop(inner);
            inner = fd::with_standard_taken(make)??;
        }
        Ok(Poller { inner: Some(inner) })
    }

    fn inner(&self) -> Result<&polling::Poller> {
        self.inner.as_ref().ok_or(Errno::ENOMEM)
    }

    pub(crate) fn fd(&self) -> c_int {
        self.inner.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Closes the poller's own descriptor. Dropping the crate's poller would deregister its other
    /// descriptors from what the parent polls. So those few stay open in the child.
    pub(crate) fn abandon(&mut self) {
        if let Some(inner) = self.inner.take() {
            let own = inner.as_raw_fd();
            core::mem::forget(inner);
            fd::close_quietly(own);
        }
    }

    pub(crate) fn set(&mut self, fd: c_int, registered: bool, interest: u32, token: u64) -> Result {
        let (event, mode) = request(interest, token);
        if registered {
            match self.modify(fd, event, mode) {
                Err(Errno::ENOENT) => self.add(fd, event, mode),
                result => result,
            }
        } else {
            match self.add(fd, event, mode) {
                Err(Errno::EEXIST) => self.modify(fd, event, mode),
                result => result,
            }
        }
    }

    fn add(&mut self, fd: c_int, event: Event, mode: PollMode) -> Result {
        // SAFETY: the loop calls `forget` before the descriptor is closed.
        unsafe { self.inner()?.add_with_mode(fd, event, mode) }.map_err(errno)
    }

    fn modify(&mut self, fd: c_int, event: Event, mode: PollMode) -> Result {
        // SAFETY: only borrowed for the call.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let result = self.inner()?.modify_with_mode(fd, event, mode);
        result.map_err(errno)
    }

    pub(crate) fn deregister(&mut self, fd: c_int) {
        if let Ok(inner) = self.inner() {
            // SAFETY: only borrowed for the call.
            let _ = inner.delete(unsafe { BorrowedFd::borrow_raw(fd) });
        }
    }

    pub(crate) fn probe(&mut self, fd: c_int) -> Result {
        if fd < 0 {
            return Err(Errno::EBADF);
        }
        match self.add(fd, Event::none(0), PollMode::Level) {
            Ok(()) => {
                self.deregister(fd);
                Ok(())
            }
            Err(Errno::EEXIST) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn wait(
        &mut self,
        events: &mut Events,
        timeout: c_int,
        block_sigprof: bool,
    ) -> Result {
        events.count = 0;
        events.raw.clear();
        let duration = u64::try_from(timeout).ok().map(Duration::from_millis);
        let Ok(inner) = self.inner() else {
            pause(timeout);
            return Ok(());
        };
        let before = block_sigprof.then(|| change_sigprof(libc::SIG_BLOCK));
        let result = inner.wait(&mut events.raw, duration);
        if before == Some(true) {
            change_sigprof(libc::SIG_UNBLOCK);
        }
        match result.map_err(errno) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EBADF) => return Err(Errno::EBADF),
            // The crate registers descriptors of its own in each wait, which the system may
            // refuse. The events found before that are there.
            Err(_) if !events.raw.is_empty() => {}
            // No event can end this pause.
            Err(_) => pause(if timeout < 0 {
                MAX_REFUSED_WAIT_MS
            } else {
                timeout.min(MAX_REFUSED_WAIT_MS)
            }),
        }
        for event in events.raw.iter() {
            let token = event.key as u64;
            let mode = if token & LEVEL_TRIGGERED_BIT != 0 {
                LEVEL_TRIGGERED_BIT as u32
            } else {
                0
            };
            events.list[events.count] = (token & !LEVEL_TRIGGERED_BIT, mode);
            events.count += 1;
        }
        Ok(())
    }

    /// Replaces "something is ready", reported in a `mode`, by what exactly is ready. As long as
    /// something is ready, each wait reports it.
    pub(crate) fn refine(&mut self, fd: c_int, interest: u32, token: u64, mode: u32) -> u32 {
        let ready = readiness(fd, interest);
        let is_level = mode & LEVEL_TRIGGERED_BIT as u32 != 0;
        if is_peer_only(interest) && is_level != (ready != 0) {
            let (event, mode) = request(
                interest,
                if is_level {
                    token
                } else {
                    token | LEVEL_TRIGGERED_BIT
                },
            );
            // The next arrival is reported again.
            let _ = self.modify(fd, event, mode);
        }
        ready
    }
}

/// Blocks or unblocks SIGPROF in this thread; returns whether it was unblocked before.
fn change_sigprof(how: c_int) -> bool {
    // SAFETY: all-zero sets are valid memory for the calls, which write to them only.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        let mut old: libc::sigset_t = zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGPROF);
        libc::pthread_sigmask(how, &set, &mut old);
        libc::sigismember(&old, libc::SIGPROF) == 0
    }
}
