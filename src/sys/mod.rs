//! libc's calls for descriptors, files, sockets, signals and processes, as functions that return a
//! `Result`.
//!
//! Calls that only one chapter needs are in that chapter: the pollers in `backend/`, the machine in
//! `system/`, names and interfaces in `net/`. So are threads, locks and shared libraries, and the
//! calls of a child before it executes a program (`process/child.rs`).
//!
//! System calls go through libc's functions where it has one, by the names that libuv imports
//! (`large.rs`). fakeroot, torsocks and sanitizers interpose those, and a drop-in must stay
//! interposable. libc's `syscall` makes those calls that it has no function for.

pub(crate) mod clock;
pub(crate) mod dir;
pub(crate) mod fd;
pub(crate) mod file;
pub(crate) mod inotify;
pub(crate) mod interface;
pub(crate) mod large;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod nonblocking_fs;
pub(crate) mod numbers;
pub(crate) mod path;
#[cfg(not(any(test, panic = "unwind", feature = "std")))]
mod personality;
pub(crate) mod plugin;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod replaced;
pub(crate) mod resolver;
pub(crate) mod shared;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod stat;
pub(crate) mod tty;
pub(crate) mod typed;
pub(crate) mod udp;

use core::ffi::c_int;

use crate::errors::{Errno, Result};

/// The result of a call that returns −1 and sets `errno` on failure.
#[inline]
pub(crate) fn cvt(value: c_int) -> Result<c_int> {
    if value == -1 {
        Err(Errno::last())
    } else {
        Ok(value)
    }
}

/// The result of a call that returns a number of bytes, or −1 and sets `errno` on failure.
#[inline]
pub(crate) fn cvt_size(value: isize) -> Result<usize> {
    if value == -1 {
        Err(Errno::last())
    } else {
        Ok(value as usize)
    }
}

/// The result of a call as by [`cvt`]. The call is repeated when a signal interrupts it.
#[inline]
pub(crate) fn retry(mut call: impl FnMut() -> c_int) -> Result<c_int> {
    loop {
        match cvt(call()) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// The result of a call as by [`cvt_size`]. The call is repeated when a signal interrupts it.
#[inline]
pub(crate) fn retry_size(mut call: impl FnMut() -> isize) -> Result<usize> {
    loop {
        match cvt_size(call()) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// The result of a call that returns its error number, as those of pthread do; 0 is success.
#[inline]
pub(crate) fn cvt_number(number: c_int) -> Result {
    match number {
        0 => Ok(()),
        number => Err(Errno::from_system(number)),
    }
}
