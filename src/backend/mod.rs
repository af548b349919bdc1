//! Pollers: who tells the loop which descriptors are ready.
//!
//! The contract, which each backend keeps in a file of its own under the same names:
//!
//! - `Poller::new()` makes one; `Poller::fd()` is what `uv_backend_fd` answers and becomes readable
//!   when something is ready. Dropping the poller closes it.
//! - `Poller::set(fd, registered, interest, token)` makes the poller report readiness for `fd` as
//!   events that carry `token`: level-triggered, unless the interest has the bit `EDGE`. `registered`
//!   says whether `fd` was set before and not forgotten.
//!   `ENOMEM` and `ENOSPC` are the system's lacks, and say nothing about `fd`; what the poller knew
//!   before stays.
//! - `Poller::forget(fd)` ends that, at once, so that `fd` may be closed or used for something else.
//! - `Poller::abandon()` closes one that a forked child shares with its parent, whose poller stays
//!   as it is. There is none then: to set anything is `ENOMEM`, and a wait is one without events.
//! - `Poller::probe(fd)` says whether the descriptor can be polled at all (files cannot).
//! - `Poller::wait(events, timeout, block_sigprof)` waits up to `timeout` milliseconds (−1: for
//!   ever) and fills `events`; a wait that is interrupted, or cannot be had at the moment, is one
//!   without events.
//! - `Poller::refine(fd, interest, token, mode)`, of the portable one, says what exactly is ready
//!   after an event.
//!
//! Interest and readiness are the bits of poll(2) below. `ERROR` and `HANG_UP` are reported
//! whether asked for or not.
//!
//! An accelerator such as io_uring hangs off a backend (its ring's descriptor is one of those
//! polled) and is a sibling file here.

#[cfg(not(feature = "portable-poller"))]
mod epoll;
#[cfg(not(feature = "portable-poller"))]
pub(crate) use epoll::{Events, Poller};

#[cfg(feature = "portable-poller")]
mod portable;
#[cfg(feature = "portable-poller")]
pub(crate) use portable::{Events, Poller};

use core::ffi::c_int;

use crate::sys::cvt;

/// Bits of interest and readiness.
pub(crate) mod ready {
    pub(crate) const READABLE: u32 = libc::POLLIN as u32;
    pub(crate) const PRIORITY: u32 = libc::POLLPRI as u32;
    pub(crate) const WRITABLE: u32 = libc::POLLOUT as u32;
    pub(crate) const ERROR: u32 = libc::POLLERR as u32;
    pub(crate) const HANG_UP: u32 = libc::POLLHUP as u32;
    pub(crate) const PEER_CLOSED: u32 = libc::POLLRDHUP as u32;

    /// Added to an interest: an event for each change to readiness, not as long as there is some.
    /// 0 where the poller cannot do that.
    #[cfg(not(feature = "portable-poller"))]
    pub(crate) const EDGE: u32 = libc::EPOLLET as u32;
    #[cfg(feature = "portable-poller")]
    pub(crate) const EDGE: u32 = 0;

    /// What a watcher can ask for.
    pub(crate) const REQUESTABLE: u32 = READABLE | PRIORITY | WRITABLE | PEER_CLOSED;
}

/// How many events one wait takes.
pub(crate) const EVENT_BATCH: usize = 1024;

/// What of `interest` is ready on `fd` right now, asked of poll(2); `ERROR` where it is closed.
pub(crate) fn readiness(fd: c_int, interest: u32) -> u32 {
    let mut entry = libc::pollfd {
        fd,
        events: interest as i16,
        revents: 0,
    };
    // SAFETY: `entry` is one valid pollfd.
    match cvt(unsafe { libc::poll(&mut entry, 1, 0) }) {
        Ok(0) | Err(_) => 0,
        Ok(_) => {
            let ready = entry.revents as u16 as u32;
            let known = ready & (ready::REQUESTABLE | ready::ERROR | ready::HANG_UP);
            if ready & libc::POLLNVAL as u32 != 0 {
                known | ready::ERROR
            } else {
                known
            }
        }
    }
}

/// Waits for nothing but the end of `timeout` milliseconds (−1: for ever).
fn pause(timeout: c_int) {
    // SAFETY: no descriptors are passed.
    unsafe { libc::poll(core::ptr::null_mut(), 0, timeout) };
}
