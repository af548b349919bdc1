//! The library's error type. `error_names.rs` has the names and texts of the codes.
//!
//! <https://docs.libuv.org/en/v1.x/errors.html>

use core::ffi::c_int;

use crate::abi::*;

/// An error: one of the negative `UV_E…` codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Errno(c_int);

/// The result of what can fail inside the library.
pub(crate) type Result<T = ()> = core::result::Result<T, Errno>;

impl Errno {
    pub(crate) const EACCES: Errno = Errno(UV_EACCES);
    pub(crate) const EADDRINUSE: Errno = Errno(UV_EADDRINUSE);
    pub(crate) const EAFNOSUPPORT: Errno = Errno(UV_EAFNOSUPPORT);
    pub(crate) const EAGAIN: Errno = Errno(UV_EAGAIN);
    pub(crate) const EALREADY: Errno = Errno(UV_EALREADY);
    pub(crate) const EBADF: Errno = Errno(UV_EBADF);
    pub(crate) const EBUSY: Errno = Errno(UV_EBUSY);
    pub(crate) const ECANCELED: Errno = Errno(UV_ECANCELED);
    pub(crate) const ECONNABORTED: Errno = Errno(UV_ECONNABORTED);
    pub(crate) const ECONNREFUSED: Errno = Errno(UV_ECONNREFUSED);
    pub(crate) const EDESTADDRREQ: Errno = Errno(UV_EDESTADDRREQ);
    pub(crate) const EEXIST: Errno = Errno(UV_EEXIST);
    pub(crate) const EINPROGRESS: Errno = Errno(-libc::EINPROGRESS);
    pub(crate) const EINTR: Errno = Errno(UV_EINTR);
    pub(crate) const EINVAL: Errno = Errno(UV_EINVAL);
    pub(crate) const EIO: Errno = Errno(UV_EIO);
    pub(crate) const EISCONN: Errno = Errno(UV_EISCONN);
    pub(crate) const EISDIR: Errno = Errno(UV_EISDIR);
    pub(crate) const ELOOP: Errno = Errno(UV_ELOOP);
    pub(crate) const EMFILE: Errno = Errno(UV_EMFILE);
    pub(crate) const ENAMETOOLONG: Errno = Errno(UV_ENAMETOOLONG);
    pub(crate) const ENFILE: Errno = Errno(UV_ENFILE);
    pub(crate) const ENOBUFS: Errno = Errno(UV_ENOBUFS);
    pub(crate) const ENODEV: Errno = Errno(UV_ENODEV);
    pub(crate) const ENOENT: Errno = Errno(UV_ENOENT);
    pub(crate) const ENOMEM: Errno = Errno(UV_ENOMEM);
    pub(crate) const ENOSYS: Errno = Errno(UV_ENOSYS);
    pub(crate) const ENOTCONN: Errno = Errno(UV_ENOTCONN);
    pub(crate) const ENOTDIR: Errno = Errno(UV_ENOTDIR);
    pub(crate) const ENOTSUP: Errno = Errno(UV_ENOTSUP);
    pub(crate) const ENOTTY: Errno = Errno(UV_ENOTTY);
    pub(crate) const EOVERFLOW: Errno = Errno(UV_EOVERFLOW);
    pub(crate) const EPERM: Errno = Errno(UV_EPERM);
    pub(crate) const EPIPE: Errno = Errno(UV_EPIPE);
    pub(crate) const ERANGE: Errno = Errno(UV_ERANGE);
    pub(crate) const ESPIPE: Errno = Errno(UV_ESPIPE);
    pub(crate) const ESRCH: Errno = Errno(UV_ESRCH);
    pub(crate) const EOF: Errno = Errno(UV_EOF);

    /// The error of a negative `UV_E…` code.
    #[inline]
    pub(crate) const fn from_code(code: c_int) -> Errno {
        debug_assert!(code < 0);
        Errno(code)
    }

    /// The error of a positive error number of the system.
    #[inline]
    pub(crate) const fn from_system(number: c_int) -> Errno {
        Errno(-number)
    }

    /// The error that the last failed call of libc left in `errno`.
    #[inline]
    pub(crate) fn last() -> Errno {
        Errno::from_system(errno())
    }

    /// The negative `UV_E…` code, which C gets.
    #[inline]
    pub(crate) const fn code(self) -> c_int {
        self.0
    }
}

/// The number in `errno`.
#[inline]
fn errno() -> c_int {
    // SAFETY: the location is this thread's own.
    unsafe { *libc::__errno_location() }
}

/// Sets `errno`, for functions of libc's that tell only by it whether they failed.
#[inline]
pub(crate) fn set_errno(number: c_int) {
    // SAFETY: the location is this thread's own.
    unsafe { *libc::__errno_location() = number };
}

/// Runs `work` and leaves `errno` as it was.
#[inline]
pub(crate) fn keeping_errno<R>(work: impl FnOnce() -> R) -> R {
    let saved = errno();
    let result = work();
    set_errno(saved);
    result
}

/// Converts a result to what an entry point returns: 0 or a value, or a negative code.
pub(crate) trait IntoCode {
    fn into_code(self) -> c_int;
}

impl IntoCode for Result<()> {
    #[inline]
    fn into_code(self) -> c_int {
        match self {
            Ok(()) => 0,
            Err(error) => error.code(),
        }
    }
}

impl IntoCode for Result<c_int> {
    #[inline]
    fn into_code(self) -> c_int {
        match self {
            Ok(value) => value,
            Err(error) => error.code(),
        }
    }
}
