//! The calls by which a child changes its descriptors and its identity.
//!
//! **Async-signal-safe zone**: the rules of `child.rs` apply.

use core::ffi::{CStr, c_int, c_long};

use crate::errors::Result;
use crate::sys::numbers::{SYS_setgid, SYS_setgroups, SYS_setuid, dup2};
use crate::sys::{cvt, large};

/// Which functions a child calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// System calls. libc's functions, or those that replace them (torsocks, ThreadSanitizer), keep
    /// records in memory. Where memory is shared, these are the parent's records: its threads would
    /// change their user as well.
    Kernel,
    /// libc's functions, or those that replace them: the child was made by `fork()` and has its own
    /// copy of their records.
    Library,
}

impl Calls {
    pub(super) fn fcntl(self, fd: c_int, command: c_int, argument: c_int) -> Result<c_int> {
        // SAFETY: the commands used here take and give numbers.
        unsafe {
            match self {
                Calls::Kernel => number(libc::syscall(libc::SYS_fcntl, fd, command, argument)),
                Calls::Library => cvt(large::fcntl(fd, command, argument)),
            }
        }
    }

    /// Makes `target` another descriptor of the open file `fd`, which must be a different number.
    pub(super) fn dup2(self, fd: c_int, target: c_int) -> Result {
        // SAFETY: takes numbers.
        let result = unsafe {
            match self {
                Calls::Kernel => number(dup2(fd, target)),
                Calls::Library => cvt(libc::dup2(fd, target)),
            }
        };
        result.map(drop)
    }

    pub(super) fn open(self, path: &CStr, mode: c_int) -> Result<c_int> {
        let path = path.as_ptr();
        // SAFETY: a terminated string.
        unsafe {
            match self {
                Calls::Kernel => {
                    number(libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, mode))
                }
                Calls::Library => cvt(large::open(path, mode)),
            }
        }
    }

    /// Closes a descriptor of the child's, if it is open.
    pub(super) fn close(self, fd: c_int) {
        // SAFETY: the child's descriptors are not its parent's.
        unsafe {
            match self {
                Calls::Kernel => libc::syscall(libc::SYS_close, fd) as c_int,
                Calls::Library => libc::close(fd),
            }
        };
    }

    /// Gives up the supplementary groups, if that is allowed.
    pub(super) fn give_up_groups(self) {
        let none = core::ptr::null::<libc::gid_t>();
        // SAFETY: no groups are read.
        unsafe {
            match self {
                Calls::Kernel => libc::syscall(SYS_setgroups, 0, none) as c_int,
                Calls::Library => libc::setgroups(0, none),
            }
        };
    }

    pub(super) fn set_group(self, gid: libc::gid_t) -> Result {
        // SAFETY: takes a number.
        let result = unsafe {
            match self {
                Calls::Kernel => number(libc::syscall(SYS_setgid, gid)),
                Calls::Library => cvt(libc::setgid(gid)),
            }
        };
        result.map(drop)
    }

    pub(super) fn set_user(self, uid: libc::uid_t) -> Result {
        // SAFETY: takes a number.
        let result = unsafe {
            match self {
                Calls::Kernel => number(libc::syscall(SYS_setuid, uid)),
                Calls::Library => cvt(libc::setuid(uid)),
            }
        };
        result.map(drop)
    }
}

/// The result of a system call that returns a number.
fn number(result: c_long) -> Result<c_int> {
    cvt(result as c_int)
}
