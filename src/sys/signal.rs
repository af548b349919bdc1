//! Signals: a thread's mask, and the process's dispositions.
//!
//! Everything here is async-signal-safe: system calls and atomic operations, no more.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use super::cvt;
use crate::errors::Result;
use crate::zeroed::zeroed;

/// The largest signal number on Linux.
pub(crate) const LARGEST_SIGNAL: usize = 64;

/// All signals are blocked in this thread as long as this value lives.
pub(crate) struct AllBlocked(libc::sigset_t);

impl AllBlocked {
    pub(crate) fn new() -> AllBlocked {
        let all = every_signal();
        let mut before = MaybeUninit::uninit();
        // SAFETY: reads one set and writes the other.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, before.as_mut_ptr());
            AllBlocked(before.assume_init())
        }
    }
}

impl Drop for AllBlocked {
    fn drop(&mut self) {
        // SAFETY: reads the set that `new` wrote.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, core::ptr::null_mut()) };
    }
}

fn every_signal() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        all.assume_init()
    }
}

/// Has `handler` called for a signal, with all signals blocked meanwhile; if `once`, the default
/// action is restored when the signal arrives. Interrupted system calls are resumed.
///
/// `UV_EINVAL` for signals that do not exist or cannot be caught.
pub(crate) fn catch(signum: c_int, handler: extern "C" fn(c_int), once: bool) -> Result {
    let flags = libc::SA_RESTART | if once { libc::SA_RESETHAND } else { 0 };
    set_action(signum, handler as *const () as usize, flags)
}

/// Whether a signal's action is to call `handler`.
pub(crate) fn is_caught_by(signum: c_int, handler: extern "C" fn(c_int)) -> bool {
    let mut action: libc::sigaction = zeroed();
    // SAFETY: `action` is what is written.
    let result = unsafe { libc::sigaction(signum, core::ptr::null(), &mut action) };
    result == 0 && action.sa_sigaction == handler as *const () as usize
}

/// Restores a signal's default action.
pub(crate) fn set_default(signum: c_int) -> Result {
    set_action(signum, libc::SIG_DFL, 0)
}

fn set_action(signum: c_int, handler: libc::sighandler_t, flags: c_int) -> Result {
    let mut action: libc::sigaction = zeroed();
    action.sa_sigaction = handler;
    action.sa_mask = every_signal();
    action.sa_flags = flags;
    // SAFETY: `handler` is a function that takes a signal number, or SIG_DFL.
    cvt(unsafe { libc::sigaction(signum, &action, core::ptr::null_mut()) }).map(drop)
}
