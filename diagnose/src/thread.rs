//! Threads of the instruments, and how others wake them.

use core::mem::MaybeUninit;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Starts a thread that handles no signal of the program's; false where there can be none.
pub(crate) fn spawn(name: &str, main: impl FnOnce() + Send + 'static) -> bool {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointers are valid; the mask is put back below. A new thread inherits it.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let builder = std::thread::Builder::new().name(name.to_string());
    let result = builder.spawn(main);
    // SAFETY: the mask was read above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), core::ptr::null_mut()) };
    match result {
        Ok(_) => true,
        Err(error) => {
            eprintln!("oxuv: {name}: no thread can be made: {error}");
            false
        }
    }
}

/// A semaphore, which a signal handler may post. The C library's own measures its waits by a clock
/// that may jump.
pub(crate) struct Semaphore(AtomicU32);

impl Semaphore {
    pub(crate) const fn new() -> Semaphore {
        Semaphore(AtomicU32::new(0))
    }

    /// Forgets posts, before the thread that waits for it is made.
    pub(crate) fn init(&self) {
        self.0.store(0, Relaxed);
    }

    /// Has a thread go on that waits, or the next one that would wait.
    pub(crate) fn post(&self) {
        self.0.fetch_add(1, Release);
        self.call(libc::FUTEX_WAKE, 1, core::ptr::null());
    }

    /// Waits for at most that many milliseconds; returns whether there was a post.
    pub(crate) fn wait(&self, ms: u64) -> bool {
        let until = now_ns() + ms * 1_000_000;
        loop {
            let count = self.0.load(Relaxed);
            if count > 0 {
                match self.0.compare_exchange(count, count - 1, Acquire, Relaxed) {
                    Ok(_) => return true,
                    Err(_) => continue,
                }
            }
            let rest = until.saturating_sub(now_ns());
            if rest == 0 {
                return false;
            }
            let time = libc::timespec {
                tv_sec: (rest / 1_000_000_000) as libc::time_t,
                tv_nsec: (rest % 1_000_000_000) as _,
            };
            self.call(libc::FUTEX_WAIT, 0, &time);
        }
    }

    fn call(&self, what: i32, value: u32, time: *const libc::timespec) {
        let what = what | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word stays while the call lasts, and the time is null or valid.
        unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), what, value, time) };
    }
}

/// The time by the clock that intervals are measured by, in nanoseconds.
#[inline]
pub(crate) fn now_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is valid.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
