//! The epoll backend: straight on the system calls.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use super::{EVENT_BATCH, pause};
use crate::errors::{Errno, Result};
use crate::sys::fd::{self, OwnedFd};
use crate::sys::{cvt, shared, typed};
use crate::zeroed::zeroed;

pub(crate) struct Poller {
    /// The epoll instance; `None` when the poller is abandoned.
    fd: Option<OwnedFd>,
}

/// Space for one batch of events, on the stack of the loop's iteration.
pub(crate) struct Events {
    list: MaybeUninit<[libc::epoll_event; EVENT_BATCH]>,
    count: usize,
}

impl Events {
    pub(crate) fn new() -> Events {
        let mut events = MaybeUninit::<Events>::uninit();
        // For a literal, the compiler would zero all 12 KiB each time.
        // SAFETY: a field of `events`; the other one may be uninitialised.
        unsafe {
            (&raw mut (*events.as_mut_ptr()).count).write(0);
            events.assume_init()
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
        assert!(index < self.count);
        // SAFETY: the kernel filled the first `count` events.
        let event = unsafe { *self.list.as_ptr().cast::<libc::epoll_event>().add(index) };
        (event.u64, event.events)
    }
}

impl Poller {
    pub(crate) fn new() -> Result<Poller> {
        let fd = cvt(typed::epoll_create1(libc::EPOLL_CLOEXEC)).and_then(fd::own)?;
        Ok(Poller { fd: Some(fd) })
    }

    pub(crate) fn fd(&self) -> c_int {
        self.fd.as_ref().map_or(-1, OwnedFd::raw)
    }

    /// Closes it without a change to what the parent polls.
    pub(crate) fn abandon(&mut self) {
        self.fd = None;
    }

    fn control(&self, operation: c_int, fd: c_int, interest: u32, token: u64) -> Result {
        let own = self.fd.as_ref().ok_or(Errno::ENOMEM)?;
        let mut event = libc::epoll_event {
            events: interest,
            u64: token,
        };
        cvt(typed::epoll_ctl(own.raw(), operation, fd, &mut event)).map(drop)
    }

    pub(crate) fn set(&mut self, fd: c_int, registered: bool, interest: u32, token: u64) -> Result {
        let (first, second, if_error) = if registered {
            // The registration is gone if the descriptor was closed and opened again unseen.
            (libc::EPOLL_CTL_MOD, libc::EPOLL_CTL_ADD, Errno::ENOENT)
        } else {
            // The registration is there if a forked process shares the descriptor.
            (libc::EPOLL_CTL_ADD, libc::EPOLL_CTL_MOD, Errno::EEXIST)
        };
        match self.control(first, fd, interest, token) {
            Err(error) if error == if_error => self.control(second, fd, interest, token),
            result => result,
        }
    }

    pub(crate) fn deregister(&mut self, fd: c_int) {
        // The descriptor may be closed already, and with it its registration.
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0, 0);
    }

    pub(crate) fn probe(&mut self, fd: c_int) -> Result {
        match self.control(libc::EPOLL_CTL_ADD, fd, 0, u64::MAX) {
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
        let list = events.list.as_mut_ptr().cast::<libc::epoll_event>();
        events.count = 0;
        let Some(own) = &self.fd else {
            pause(timeout);
            return Ok(());
        };
        let mut sigprof: libc::sigset_t = zeroed();
        let mask: *const libc::sigset_t = if block_sigprof {
            // SAFETY: both write to `sigprof` only.
            unsafe {
                libc::sigemptyset(&mut sigprof);
                libc::sigaddset(&mut sigprof, libc::SIGPROF);
            }
            &sigprof
        } else {
            core::ptr::null()
        };
        // libuv makes this system call, and a sandbox may allow no other.
        // SAFETY: `list` has room for EVENT_BATCH events, and the mask is null or lives as long.
        let count =
            unsafe { shared::epoll_pwait(own.raw(), list, EVENT_BATCH as c_int, timeout, mask) };
        match cvt(count) {
            Ok(count) => {
                events.count = count as usize;
                Ok(())
            }
            Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
