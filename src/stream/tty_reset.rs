//! The terminal settings to restore when the program ends.
//!
//! [`reset`] is async-signal-safe: it calls tcsetattr and atomic operations, saves and restores
//! `errno`, allocates nothing and does not block. The lock is taken for a few stores or one
//! tcsetattr. A signal handler that interrupts the thread with the lock must not wait for it, and
//! does not.

use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

use crate::errors::{Errno, Result, keeping_errno};
use crate::sys::tty;

/// The settings of the terminal whose mode was changed first; `fd` is −1 if there is none.
struct Original {
    fd: c_int,
    settings: MaybeUninit<libc::termios>,
}

struct Global {
    is_locked: AtomicBool,
    original: UnsafeCell<Original>,
}

// SAFETY: the settings are reached through `try_with` only, one at a time.
unsafe impl Sync for Global {}

static GLOBAL: Global = Global {
    is_locked: AtomicBool::new(false),
    original: UnsafeCell::new(Original {
        fd: -1,
        settings: MaybeUninit::uninit(),
    }),
};

/// Calls `work` with the settings, unless the lock is taken: then `None`.
fn try_with<R>(work: impl FnOnce(&mut Original) -> R) -> Option<R> {
    let lock = &GLOBAL.is_locked;
    if lock
        .compare_exchange(false, true, Acquire, Acquire)
        .is_err()
    {
        return None;
    }
    // SAFETY: under the lock, which was taken above.
    let result = work(unsafe { &mut *GLOBAL.original.get() });
    lock.store(false, Release);
    Some(result)
}

/// Calls `work` with the settings, once the lock is free. Not for signal handlers.
fn with(mut work: impl FnMut(&mut Original)) {
    while try_with(&mut work).is_none() {
        core::hint::spin_loop();
    }
}

/// Keeps a terminal's settings before its mode is changed, if none are kept.
pub(super) fn remember(fd: c_int, settings: &libc::termios) {
    with(|original| {
        if original.fd == -1 {
            original.settings = MaybeUninit::new(*settings);
            original.fd = fd;
        }
    });
}

/// Restores the settings if they are those of a descriptor that is about to be closed, and forgets
/// them.
pub(super) fn forget(fd: c_int) {
    with(|original| {
        if original.fd == fd {
            let _ = original.restore();
            original.fd = -1;
        }
    });
}

/// Restores the settings that are kept, if any. `UV_EBUSY` if the lock is taken.
pub(super) fn reset() -> Result {
    let result = keeping_errno(|| try_with(|original| original.restore()));
    result.unwrap_or(Err(Errno::EBUSY))
}

impl Original {
    fn restore(&self) -> Result {
        if self.fd == -1 {
            return Ok(());
        }
        // SAFETY: written before the descriptor was.
        tty::set_settings(self.fd, unsafe { self.settings.assume_init_ref() })
    }
}

/// Frees the lock in a forked child, which does not have the thread that took it.
pub(super) fn reset_after_fork() {
    GLOBAL.is_locked.store(false, Release);
}
