//! Signals: a thread's mask, the process's dispositions, and a lock for signal handlers.
//!
//! Everything here is async-signal-safe: system calls and atomic operations, no more.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::cvt;
use crate::errors::Result;

/// The largest signal number there is.
pub(crate) const LAST: usize = 64;

/// All signals are blocked in this thread as long as this lives.
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
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
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

/// Restores a signal's default action.
pub(crate) fn set_default(signum: c_int) -> Result {
    set_action(signum, libc::SIG_DFL, 0)
}

fn set_action(signum: c_int, handler: libc::sighandler_t, flags: c_int) -> Result {
    // SAFETY: an all-zero action is valid.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_mask = every_signal();
    action.sa_flags = flags;
    // SAFETY: `handler` is a function that takes a signal number, or SIG_DFL.
    cvt(unsafe { libc::sigaction(signum, &action, std::ptr::null_mut()) }).map(drop)
}

const FREE: u32 = 0;
const HELD: u32 = 1;
const WAITED_FOR: u32 = 2;

/// A lock that signal handlers may take, because whoever else takes it has all signals blocked:
/// a handler can only ever wait for another thread, and that thread is not interrupted.
pub(crate) struct Lock(AtomicU32);

impl Lock {
    pub(crate) const fn new() -> Lock {
        Lock(AtomicU32::new(FREE))
    }

    pub(crate) fn acquire(&self) {
        let free = self.0.compare_exchange(FREE, HELD, Acquire, Relaxed);
        if free.is_ok() {
            return;
        }
        while self.0.swap(WAITED_FOR, Acquire) != FREE {
            self.wait();
        }
    }

    pub(crate) fn release(&self) {
        if self.0.swap(FREE, Release) == WAITED_FOR {
            self.wake_one();
        }
    }

    /// Makes it free, whoever held it: for a forked child, which does not have that thread.
    pub(crate) fn reset(&self) {
        self.0.store(FREE, Relaxed);
    }

    #[cfg(target_os = "linux")]
    fn wait(&self) {
        let forever = std::ptr::null::<libc::timespec>();
        let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word is aligned and lives as long as the lock.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                operation,
                WAITED_FOR,
                forever,
            )
        };
    }

    #[cfg(target_os = "linux")]
    fn wake_one(&self) {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word is aligned and lives as long as the lock.
        unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), operation, 1) };
    }

    #[cfg(not(target_os = "linux"))]
    fn wait(&self) {
        // SAFETY: takes no arguments.
        unsafe { libc::sched_yield() };
    }

    #[cfg(not(target_os = "linux"))]
    fn wake_one(&self) {}
}

/// Runs `work` and leaves `errno` as it was.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::UnsafeCell;

    #[test]
    fn a_lock_lets_one_thread_in_at_a_time() {
        struct Shared(Lock, UnsafeCell<u64>);
        // SAFETY: the number is used under the lock.
        unsafe impl Sync for Shared {}
        static SHARED: Shared = Shared(Lock::new(), UnsafeCell::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        SHARED.0.acquire();
                        // SAFETY: under the lock.
                        unsafe { *SHARED.1.get() += 1 };
                        SHARED.0.release();
                    }
                });
            }
        });
        // SAFETY: the threads have ended.
        assert_eq!(unsafe { *SHARED.1.get() }, 40_000);
    }
}
