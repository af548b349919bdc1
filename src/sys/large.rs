//! libc's functions for files, by the names that libuv imports: those with offsets of 64 bits on
//! every machine (`open64`, `stat64`, …).
//!
//! Shims that replace functions of libc's replace these names, and some no others.

use core::ffi::c_int;
#[cfg(target_env = "musl")]
use core::ffi::{c_char, c_uint};

pub(crate) use libc::{
    fstat64 as fstat, fstatfs64 as fstatfs, ftruncate64 as ftruncate, getrlimit64 as getrlimit,
    lseek64 as lseek, lstat64 as lstat, mmap64 as mmap, open64 as open, openat64 as openat,
    pread64 as pread, preadv64 as preadv, pwrite64 as pwrite, pwritev64 as pwritev,
    readdir64 as readdir, rlimit64 as rlimit, sendfile64 as sendfile, stat64 as stat,
    statfs64 as statfs,
};

#[cfg(target_env = "gnu")]
pub(crate) use libc::statx;

/// As glibc's function, which musl has from 1.2.5 on.
///
/// # Safety
/// `path` must be terminated, `found` writable.
#[cfg(target_env = "musl")]
pub(crate) unsafe fn statx(
    parent: c_int,
    path: *const c_char,
    flags: c_int,
    mask: c_uint,
    found: *mut libc::statx,
) -> c_int {
    // SAFETY: the caller vouches for the memory.
    unsafe { libc::syscall(libc::SYS_statx, parent, path, flags, mask, found) as c_int }
}

/// The value of a resource limit that is not set, as `getrlimit` reports it.
pub(crate) const NO_LIMIT: u64 = u64::MAX;

unsafe extern "C" {
    /// <https://man7.org/linux/man-pages/man2/fcntl.2.html>
    #[cfg_attr(target_env = "gnu", link_name = "fcntl64")]
    pub(crate) fn fcntl(fd: c_int, operation: c_int, ...) -> c_int;
}
