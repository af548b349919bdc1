//! Pollers: they find out which descriptors are ready.
//!
//! Each backend is a file with the same names inside, and keeps this contract:
//!
//! - `Poller::new()` makes one. `Poller::fd()` is the result of `uv_backend_fd`; it becomes
//!   readable when something is ready. Dropping the poller closes it.
//! - `Poller::set(fd, registered, interest, token)` makes the poller report readiness for `fd` as
//!   events that carry `token`: level-triggered, unless the interest has the bit `EDGE`.
//!   `registered` says whether `fd` was set before and not deregistered. `ENOMEM` and `ENOSPC` are
//!   lacks of the system, and say nothing about `fd`; the poller then keeps what it had.
//! - `Poller::deregister(fd)` ends that at once, so that `fd` may be closed or used for something
//!   else.
//! - `Poller::abandon()` closes a poller that a forked child shares with its parent, and changes
//!   nothing for the parent. From then on `set` fails with `ENOMEM`, and a wait has no events.
//! - `Poller::probe(fd)` is `Ok` if the descriptor can be polled at all. A file cannot.
//! - `Poller::wait(events, timeout, block_sigprof)` waits up to `timeout` milliseconds (−1: for
//!   ever) and fills `events`. A wait that is interrupted, or that the system refuses, has no
//!   events.
//! - `Poller::refine(fd, interest, token, mode)` exists in the portable backend. After an event it
//!   returns what exactly is ready.
//!
//! Interest and readiness are the bits of poll(2) below. `ERROR` and `HANG_UP` are reported
//! without being asked for.
//!
//! An accelerator such as io_uring is a sibling file here. The poller polls its descriptor, too.

#[cfg(not(feature = "portable-poller"))]
mod epoll;
#[cfg(not(feature = "portable-poller"))]
pub(crate) use epoll::{Events, Poller};

#[cfg(feature = "portable-poller")]
mod portable;
#[cfg(feature = "portable-poller")]
pub(crate) use portable::{Events, Poller};

use core::ffi::c_int;

use crate::sys::{cvt, typed};

/// Bits of interest and readiness.
pub(crate) mod ready {
    pub(crate) const READABLE: u32 = libc::POLLIN as u32;
    pub(crate) const PRIORITY: u32 = libc::POLLPRI as u32;
    pub(crate) const WRITABLE: u32 = libc::POLLOUT as u32;
    pub(crate) const ERROR: u32 = libc::POLLERR as u32;
    pub(crate) const HANG_UP: u32 = libc::POLLHUP as u32;
    pub(crate) const PEER_CLOSED: u32 = libc::POLLRDHUP as u32;

    /// A bit of an interest: an event for each change of readiness, not for as long as it lasts. 0
    /// where the poller cannot do that.
    #[cfg(not(feature = "portable-poller"))]
    pub(crate) const EDGE: u32 = libc::EPOLLET as u32;
    #[cfg(feature = "portable-poller")]
    pub(crate) const EDGE: u32 = 0;

    /// All that a watcher can ask for.
    pub(crate) const REQUESTABLE: u32 = READABLE | PRIORITY | WRITABLE | PEER_CLOSED;
}

/// The number of events that one wait can return: as many as in libuv. They take 12 KiB of stack.
pub(crate) const EVENT_BATCH: usize = 1024;

/// The part of `interest` that is ready on `fd` now, by poll(2); `ERROR` if `fd` is closed.
pub(crate) fn readiness(fd: c_int, interest: u32) -> u32 {
    let mut entries = [libc::pollfd {
        fd,
        events: interest as i16,
        revents: 0,
    }];
    match cvt(typed::poll(&mut entries, 0)) {
        Ok(0) | Err(_) => 0,
        Ok(_) => {
            let ready = entries[0].revents as u16 as u32;
            let known = ready & (ready::REQUESTABLE | ready::ERROR | ready::HANG_UP);
            if ready & libc::POLLNVAL as u32 != 0 {
                known | ready::ERROR
            } else {
                known
            }
        }
    }
}

/// Blocks for `timeout` milliseconds (−1: for ever), without events.
fn pause(timeout: c_int) {
    typed::poll(&mut [], timeout);
}
