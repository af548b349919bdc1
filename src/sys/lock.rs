//! The library's own locks: one that signal handlers may take, and one that is quick.
//!
//! [`Locked`] is async-signal-safe: atomic operations and system calls, no more. A handler may wait
//! for the lock if all other code that takes it has all signals blocked. It then waits only for
//! another thread, which is not interrupted.
//!
//! [`QuickLock`] is the thread pool's.

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{cvt_number, shared};
use crate::errors::Result;

const FREE: u32 = 0;
const HELD: u32 = 1;
const WAITED_FOR: u32 = 2;

/// A value under a lock, which signal handlers may take.
pub(crate) struct Locked<T> {
    lock: Lock,
    value: UnsafeCell<T>,
}

// SAFETY: the value is used under the lock, by one thread after the other.
unsafe impl<T: Send> Sync for Locked<T> {}

impl<T> Locked<T> {
    pub(crate) const fn new(value: T) -> Locked<T> {
        Locked {
            lock: Lock(AtomicU32::new(FREE)),
            value: UnsafeCell::new(value),
        }
    }

    /// Calls `work` with the value, once the lock is free; `work` must not call this again.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        self.lock.acquire();
        self.use_and_release(work)
    }

    /// Calls `work` with the value if the lock is free; `None` otherwise.
    pub(crate) fn try_with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.lock.try_acquire().then(|| self.use_and_release(work))
    }

    fn use_and_release<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: under the lock, which the callers have acquired.
        let result = work(unsafe { &mut *self.value.get() });
        self.lock.release();
        result
    }

    /// Makes the lock free in a forked child, which does not have the thread that took it.
    pub(crate) fn reset(&self) {
        self.lock.0.store(FREE, Relaxed);
    }
}

/// A lock for work that takes less time than blocking: a thread that wants it spins first. No
/// signal handler takes it.
#[repr(transparent)]
pub(crate) struct QuickLock(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: a mutex is for use by many threads.
unsafe impl Sync for QuickLock {}

impl QuickLock {
    #[cfg(target_env = "gnu")]
    const FREE: libc::pthread_mutex_t = libc::PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
    /// musl's mutexes all spin for a moment.
    #[cfg(target_env = "musl")]
    const FREE: libc::pthread_mutex_t = libc::PTHREAD_MUTEX_INITIALIZER;

    /// It must stay in place from its first use on.
    pub(crate) const fn new() -> QuickLock {
        QuickLock(UnsafeCell::new(QuickLock::FREE))
    }

    pub(crate) fn acquire(&self) -> Result {
        // SAFETY: always initialised.
        cvt_number(unsafe { shared::pthread_mutex_lock(self.0.get()) })
    }

    /// # Safety
    /// This thread must have acquired the lock.
    pub(crate) unsafe fn release(&self) {
        // SAFETY: the caller has it.
        unsafe { shared::pthread_mutex_unlock(self.0.get()) };
    }

    /// Makes the lock free in a forked child, which does not have the thread that took it.
    ///
    /// # Safety
    /// The process must have no other thread.
    pub(crate) unsafe fn reset(&self) {
        // SAFETY: no other thread uses it meanwhile.
        unsafe { self.0.get().write(QuickLock::FREE) };
    }
}

struct Lock(AtomicU32);

impl Lock {
    fn try_acquire(&self) -> bool {
        self.0
            .compare_exchange(FREE, HELD, Acquire, Relaxed)
            .is_ok()
    }

    /// The exchange that finds the lock free acquires what the last holder has released. A waiter
    /// cannot miss its wake-up: the kernel compares the word with [`WAITED_FOR`] under a lock of its
    /// own, which the holder's wake-up takes after the word was changed.
    fn acquire(&self) {
        if self.try_acquire() {
            return;
        }
        while self.0.swap(WAITED_FOR, Acquire) != FREE {
            self.wait();
        }
    }

    fn release(&self) {
        if self.0.swap(FREE, Release) == WAITED_FOR {
            self.wake_one();
        }
    }

    fn wait(&self) {
        let forever = core::ptr::null::<libc::timespec>();
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

    fn wake_one(&self) {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word is aligned and lives as long as the lock.
        unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), operation, 1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time_has_the_value() {
        static NUMBER: Locked<u64> = Locked::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        NUMBER.with(|number| *number += 1);
                    }
                });
            }
        });
        assert_eq!(NUMBER.with(|number| *number), 40_000);
    }

    #[test]
    fn trying_does_not_wait() {
        static NUMBER: Locked<u64> = Locked::new(7);
        let while_held = NUMBER.with(|_| NUMBER.try_with(|number| *number));
        assert_eq!(while_held, None);
        assert_eq!(NUMBER.try_with(|number| *number), Some(7));
    }
}
