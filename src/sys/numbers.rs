//! System calls by their number, where the machines differ in what numbers there are.

use core::ffi::{c_int, c_long};

// Where there are two of them, the older calls take ids of 16 bits.
#[cfg(not(any(target_arch = "arm", target_arch = "x86")))]
pub(crate) use libc::{SYS_setgid, SYS_setgroups, SYS_setuid};
#[cfg(any(target_arch = "arm", target_arch = "x86"))]
pub(crate) use libc::{
    SYS_setgid32 as SYS_setgid, SYS_setgroups32 as SYS_setgroups, SYS_setuid32 as SYS_setuid,
};

/// The system call that libc's `dup2` makes: sandboxes allow no other one for it. Its result is
/// that of `syscall`. Async-signal-safe.
///
/// # Safety
/// No other code may rely on `target`, and `fd` must be another number.
pub(crate) unsafe fn dup2(fd: c_int, target: c_int) -> c_long {
    #[cfg(not(target_arch = "aarch64"))]
    // SAFETY: takes numbers.
    return unsafe { libc::syscall(libc::SYS_dup2, fd, target) };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: takes numbers.
    return unsafe { libc::syscall(libc::SYS_dup3, fd, target, 0) };
}
