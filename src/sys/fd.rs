//! Descriptors: who closes them, modes, eventfd.

use core::ffi::c_int;
use core::mem::ManuallyDrop;

use super::{cvt, large, retry, retry_size, shared, typed};
use crate::errors::{Errno, Result};

/// Closes a descriptor. An interrupted close is not repeated: on Linux the descriptor is gone.
pub(crate) fn close(fd: c_int) -> Result {
    match cvt(typed::close(fd)) {
        Err(Errno::EINTR | Errno::EINPROGRESS) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Closes a descriptor where an error of closing cannot be reported. It may change `errno`.
pub(crate) fn close_quietly(fd: c_int) {
    let _ = close(fd);
}

/// A descriptor that the library has opened, and closes when this is dropped. That may change
/// `errno`.
pub(crate) struct OwnedFd(c_int);

impl OwnedFd {
    /// Takes an open descriptor that has no other owner.
    pub(crate) fn new(fd: c_int) -> OwnedFd {
        OwnedFd(fd)
    }

    pub(crate) fn raw(&self) -> c_int {
        self.0
    }

    /// Leaves closing to the caller.
    pub(crate) fn into_raw(self) -> c_int {
        ManuallyDrop::new(self).0
    }

    /// Gives the descriptor to `taker`, which owns it if it succeeds. If it fails, the descriptor
    /// is closed.
    pub(crate) fn give<R>(self, taker: impl FnOnce(c_int) -> Result<R>) -> Result<R> {
        let taken = taker(self.raw())?;
        self.into_raw();
        Ok(taken)
    }

    /// Closes it now. An error may say that data could not be written.
    pub(crate) fn close(self) -> Result {
        close(self.into_raw())
    }

    /// Makes it one of the library's own, above the standard ones, by duplicating it if need be.
    /// Where the standard ones are closed, a child would take it for its input or output, and
    /// printing would write to it.
    pub(crate) fn above_standard(self) -> Result<OwnedFd> {
        self.at_least(libc::STDERR_FILENO + 1)
    }

    /// Makes it at least `lowest`, by duplicating it if need be.
    pub(crate) fn at_least(self, lowest: c_int) -> Result<OwnedFd> {
        if self.raw() >= lowest {
            return Ok(self);
        }
        duplicate(self.raw(), lowest)
    }
}

impl Drop for OwnedFd {
    fn drop(&mut self) {
        close_quietly(self.0);
    }
}

pub(crate) fn set_nonblocking(fd: c_int, on: bool) -> Result {
    let mut flag: c_int = on.into();
    // SAFETY: FIONBIO reads one int.
    retry(|| unsafe { libc::ioctl(fd, libc::FIONBIO, &raw mut flag) }).map(drop)
}

/// Makes a descriptor non-blocking whose driver does not know the ioctl.
pub(crate) fn set_nonblocking_by_flags(fd: c_int) -> Result {
    set_status_flags(fd, status_flags(fd)? | libc::O_NONBLOCK)
}

pub(crate) fn set_cloexec(fd: c_int) -> Result {
    // SAFETY: FIOCLEX takes no argument.
    retry(|| unsafe { libc::ioctl(fd, libc::FIOCLEX) }).map(drop)
}

/// Takes a new descriptor, and makes it one of the library's own, as
/// [`OwnedFd::above_standard`] does.
pub(crate) fn own(fd: c_int) -> Result<OwnedFd> {
    OwnedFd::new(fd).above_standard()
}

/// Another descriptor of one open file, at least `lowest`, that is not inherited.
pub(crate) fn duplicate(fd: c_int, lowest: c_int) -> Result<OwnedFd> {
    // SAFETY: takes and gives numbers.
    match cvt(unsafe { large::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) }) {
        // The limit of the process is no more than `lowest`.
        Err(Errno::EINVAL) => Err(Errno::EMFILE),
        result => result.map(OwnedFd::new),
    }
}

/// Calls `work` while the standard descriptors are open, opening those that are not.
#[cfg(feature = "portable-poller")]
pub(crate) fn with_standard_taken<R>(work: impl FnOnce() -> R) -> Result<R> {
    let first = open_null()?;
    if first.raw() > libc::STDERR_FILENO {
        drop(first);
        return Ok(work());
    }
    with_standard_taken(work)
}

/// The open file's status flags (`O_ACCMODE`, `O_NONBLOCK`, …).
pub(crate) fn status_flags(fd: c_int) -> Result<c_int> {
    // SAFETY: F_GETFL takes no argument.
    retry(|| unsafe { large::fcntl(fd, libc::F_GETFL) })
}

/// Sets those of the open file's status flags that can be changed.
pub(crate) fn set_status_flags(fd: c_int, flags: c_int) -> Result {
    // SAFETY: F_SETFL takes an int.
    retry(|| unsafe { large::fcntl(fd, libc::F_SETFL, flags) }).map(drop)
}

fn open_null() -> Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    retry(|| typed::open(c"/dev/null", flags, 0)).map(OwnedFd::new)
}

/// A descriptor of the null device, to be closed when the process needs a number.
pub(crate) fn open_dummy() -> Result<OwnedFd> {
    open_null().and_then(OwnedFd::above_standard)
}

/// Makes a pipe. Its ends, to read from and to write to, are at least `lowest` and not inherited.
pub(crate) fn pipe(lowest: c_int) -> Result<[OwnedFd; 2]> {
    let mut ends = [-1; 2];
    cvt(typed::pipe2(&mut ends, libc::O_CLOEXEC))?;
    pair_at_least(ends.map(OwnedFd::new), lowest)
}

/// Makes both descriptors of a new pair at least `lowest`, as [`OwnedFd::at_least`] does.
pub(crate) fn pair_at_least([first, second]: [OwnedFd; 2], lowest: c_int) -> Result<[OwnedFd; 2]> {
    Ok([first.at_least(lowest)?, second.at_least(lowest)?])
}

pub(crate) fn eventfd() -> Result<OwnedFd> {
    cvt(typed::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)).and_then(own)
}

/// Wakes the thread that waits for the eventfd. Async-signal-safe.
pub(crate) fn eventfd_signal(fd: c_int) {
    let one = 1u64;
    // A full counter (EAGAIN) has woken its reader already.
    // SAFETY: writes the eight bytes of `one`.
    let _ = retry_size(|| unsafe { shared::write(fd, (&raw const one).cast(), 8) });
}

/// Resets the eventfd.
pub(crate) fn eventfd_drain(fd: c_int) {
    let mut count = 0u64;
    // SAFETY: reads at most eight bytes into `count`.
    let _ = retry_size(|| unsafe { libc::read(fd, (&raw mut count).cast(), 8) });
}
