//! Descriptors: modes, closing, eventfd.

use core::ffi::c_int;

use super::{cvt, retry, retry_size};
use crate::errors::{Errno, Result};

/// Closes a descriptor. An interrupted close is not repeated: on Linux the descriptor is gone.
pub(crate) fn close(fd: c_int) -> Result {
    // SAFETY: closing takes no memory; that the descriptor is ours to close is the caller's care.
    match cvt(unsafe { libc::close(fd) }) {
        Err(Errno::EINTR | Errno::EINPROGRESS) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Closes a descriptor whose closing error nobody can be told, leaving `errno` alone.
pub(crate) fn close_quietly(fd: c_int) {
    let _ = close(fd);
}

pub(crate) fn set_nonblocking(fd: c_int, on: bool) -> Result {
    let mut flag: c_int = on.into();
    // SAFETY: FIONBIO reads one int.
    retry(|| unsafe { libc::ioctl(fd, libc::FIONBIO, &raw mut flag) }).map(drop)
}

/// The same for descriptors whose driver does not know the ioctl.
pub(crate) fn set_nonblocking_by_flags(fd: c_int) -> Result {
    let flags = status_flags(fd)?;
    // SAFETY: F_SETFL takes an int.
    retry(|| unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

pub(crate) fn set_cloexec(fd: c_int) -> Result {
    // SAFETY: FIOCLEX takes no argument.
    retry(|| unsafe { libc::ioctl(fd, libc::FIOCLEX) }).map(drop)
}

/// Moves a descriptor that is not inherited out of the way of the standard ones, which streams
/// leave open when they are closed. If this fails, the descriptor is as it was.
pub(crate) fn move_above_standard(fd: c_int) -> Result<c_int> {
    if fd > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let lowest = libc::STDERR_FILENO + 1;
    // SAFETY: takes and gives numbers.
    let moved = cvt(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) })?;
    close_quietly(fd);
    Ok(moved)
}

/// The open file's status flags (`O_ACCMODE`, `O_NONBLOCK`, …).
pub(crate) fn status_flags(fd: c_int) -> Result<c_int> {
    // SAFETY: F_GETFL takes no argument.
    retry(|| unsafe { libc::fcntl(fd, libc::F_GETFL) })
}

/// A descriptor of nothing in particular, to be given up when it is needed.
pub(crate) fn open_dummy() -> Result<c_int> {
    // SAFETY: the path is a terminated string.
    retry(|| unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) })
}

/// A pipe whose ends, to read from and to write to, are not inherited.
pub(crate) fn pipe() -> Result<[c_int; 2]> {
    let mut ends = [-1; 2];
    // SAFETY: `ends` has room for two.
    cvt(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok(ends)
}

pub(crate) fn eventfd() -> Result<c_int> {
    // SAFETY: eventfd takes no memory.
    cvt(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

/// Wakes whoever waits on the eventfd. Async-signal-safe.
pub(crate) fn eventfd_signal(fd: c_int) {
    let one = 1u64;
    // A full counter (EAGAIN) has woken its reader already.
    // SAFETY: writes the eight bytes of `one`.
    let _ = retry_size(|| unsafe { libc::write(fd, (&raw const one).cast(), 8) });
}

/// Resets the eventfd.
pub(crate) fn eventfd_drain(fd: c_int) {
    let mut count = 0u64;
    // SAFETY: reads at most eight bytes into `count`.
    let _ = retry_size(|| unsafe { libc::read(fd, (&raw mut count).cast(), 8) });
}
