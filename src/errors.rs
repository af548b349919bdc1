//! Error codes: the library's own error type, and their names and texts.
//!
//! <https://docs.libuv.org/en/v1.x/errors.html>

use core::ffi::{CStr, c_char, c_int};
use core::fmt::Write;

use crate::abi::*;
use crate::alloc;
use crate::panic::not_null;
use crate::text::Text;

/// An error: one of the negative `UV_E…` codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Errno(c_int);

/// The result of everything inside the library that can fail.
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

    /// From a negative `UV_E…` code.
    #[inline]
    pub(crate) const fn from_code(code: c_int) -> Errno {
        debug_assert!(code < 0);
        Errno(code)
    }

    /// From the system's own (positive) error number.
    #[inline]
    pub(crate) const fn from_system(number: c_int) -> Errno {
        Errno(-number)
    }

    /// What the last failed call of libc left in `errno`.
    #[inline]
    pub(crate) fn last() -> Errno {
        // SAFETY: the location is this thread's own and always readable.
        Errno(-unsafe { *libc::__errno_location() })
    }

    /// The negative code that C sees.
    #[inline]
    pub(crate) const fn code(self) -> c_int {
        self.0
    }
}

/// Runs `work` and leaves `errno` as it was.
#[inline]
pub(crate) fn keeping_errno<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: the location is this thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    let result = work();
    // SAFETY: as above.
    unsafe { *errno = saved };
    result
}

/// Turns a result into what an entry point returns: 0 or a value, or a negative code.
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

fn text_of(code: c_int) -> Option<&'static ErrorText> {
    ERRORS.iter().find(|row| row.code == code)
}

/// Writes `text` into a C buffer, cut to fit and terminated.
///
/// # Safety
/// `buffer` must be writable for `length` bytes.
unsafe fn copy_text(text: &CStr, buffer: *mut c_char, length: usize) {
    if length == 0 {
        return;
    }
    let buffer = not_null(buffer);
    let bytes = text.to_bytes();
    let count = bytes.len().min(length - 1);
    // SAFETY: `count + 1 <= length` bytes are written, which the caller vouches for.
    unsafe {
        core::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), buffer, count);
        *buffer.add(count) = 0;
    }
}

/// "Unknown system error N", in a buffer large enough for any `int`.
fn unknown_error(code: c_int) -> Text<40> {
    let mut text = Text::new();
    let _ = write!(text, "Unknown system error {code}");
    text
}

/// A copy that the caller keeps; the name says "leak" in libuv's docs too.
fn leaked_unknown_error(code: c_int) -> *const c_char {
    match alloc::duplicate(unknown_error(code).as_c_str()) {
        Ok(copy) => copy,
        Err(_) => c"Unknown system error".as_ptr(),
    }
}

// C entry points

/// The name of an error code, such as `"EINVAL"`.
///
/// For a code that is not known this leaks a few bytes of memory; `uv_err_name_r` does not.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_err_name>
#[unsafe(no_mangle)]
pub extern "C" fn uv_err_name(err: c_int) -> *const c_char {
    text_of(err).map_or_else(|| leaked_unknown_error(err), |row| row.name.as_ptr())
}

/// The name of an error code, written to `buf` and cut to `buflen` bytes with its terminator.
///
/// Returns `buf`.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_err_name_r>
///
/// # Safety
/// `buf` must be writable for `buflen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_err_name_r(err: c_int, buf: *mut c_char, buflen: usize) -> *mut c_char {
    let unknown = unknown_error(err);
    let text = text_of(err).map_or_else(|| unknown.as_c_str(), |row| row.name);
    // SAFETY: the caller vouches for the buffer.
    unsafe { copy_text(text, buf, buflen) };
    buf
}

/// The message for an error code, such as `"invalid argument"`.
///
/// For a code that is not known this leaks a few bytes of memory; `uv_strerror_r` does not.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_strerror>
#[unsafe(no_mangle)]
pub extern "C" fn uv_strerror(err: c_int) -> *const c_char {
    text_of(err).map_or_else(|| leaked_unknown_error(err), |row| row.message.as_ptr())
}

/// The message for an error code, written to `buf` and cut to `buflen` bytes with its terminator.
///
/// Returns `buf`.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_strerror_r>
///
/// # Safety
/// `buf` must be writable for `buflen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_strerror_r(err: c_int, buf: *mut c_char, buflen: usize) -> *mut c_char {
    let unknown = unknown_error(err);
    let text = text_of(err).map_or_else(|| unknown.as_c_str(), |row| row.message);
    // SAFETY: the caller vouches for the buffer.
    unsafe { copy_text(text, buf, buflen) };
    buf
}

/// The error code for an error number of the system; a negative number is returned as it is.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_translate_sys_error>
#[unsafe(no_mangle)]
pub extern "C" fn uv_translate_sys_error(sys_errno: c_int) -> c_int {
    if sys_errno <= 0 {
        sys_errno
    } else {
        -sys_errno
    }
}
