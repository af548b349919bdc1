//! The calls by which a child changes its descriptors and its identity.
//!
//! **Async-signal-safe zone**, as `child.rs`.

use core::ffi::{CStr, c_int, c_long};

use crate::errors::Result;
use crate::sys::{cvt, large};

/// Whose functions a child calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// The kernel's. libc's, or those that something has put in their place (torsocks,
    /// ThreadSanitizer), keep books in memory, and where that is shared the books are the parent's:
    /// its threads would change their user as well.
    Kernel,
    /// libc's, or what is in their place: the child was made by `fork()`, and has books of its own.
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

    /// Makes `target` another number of an open file than `fd`, which it must not be already.
    pub(super) fn dup2(self, fd: c_int, target: c_int) -> Result {
        // SAFETY: takes numbers.
        let result = unsafe {
            match self {
                Calls::Kernel => number(system_dup2(fd, target)),
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

    /// As far as it is allowed.
    pub(super) fn give_up_groups(self) {
        let none = core::ptr::null::<libc::gid_t>();
        // SAFETY: no groups are read.
        unsafe {
            match self {
                Calls::Kernel => libc::syscall(libc::SYS_setgroups, 0, none) as c_int,
                Calls::Library => libc::setgroups(0, none),
            }
        };
    }

    pub(super) fn set_group(self, gid: libc::gid_t) -> Result {
        // SAFETY: takes a number.
        let result = unsafe {
            match self {
                Calls::Kernel => number(libc::syscall(libc::SYS_setgid, gid)),
                Calls::Library => cvt(libc::setgid(gid)),
            }
        };
        result.map(drop)
    }

    pub(super) fn set_user(self, uid: libc::uid_t) -> Result {
        // SAFETY: takes a number.
        let result = unsafe {
            match self {
                Calls::Kernel => number(libc::syscall(libc::SYS_setuid, uid)),
                Calls::Library => cvt(libc::setuid(uid)),
            }
        };
        result.map(drop)
    }
}

/// The result of a system call that gives a number.
fn number(result: c_long) -> Result<c_int> {
    cvt(result as c_int)
}

/// What libc's `dup2` asks the kernel for: sandboxes know no other call for it.
///
/// # Safety
/// Whoever uses `target` must not mind.
#[cfg(target_arch = "x86_64")]
unsafe fn system_dup2(fd: c_int, target: c_int) -> c_long {
    // SAFETY: takes numbers.
    unsafe { libc::syscall(libc::SYS_dup2, fd, target) }
}

/// Makes `target` another number of `fd` by `dup3`: the kernel has no `dup2` for this processor.
///
/// # Safety
/// Whoever uses `target` must not mind.
#[cfg(target_arch = "aarch64")]
unsafe fn system_dup2(fd: c_int, target: c_int) -> c_long {
    // SAFETY: takes numbers.
    unsafe { libc::syscall(libc::SYS_dup3, fd, target, 0) }
}
