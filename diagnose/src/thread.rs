//! Threads of the instruments, and how others wake them.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

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

/// A semaphore, which a signal handler may post.
pub(crate) struct Semaphore(UnsafeCell<MaybeUninit<libc::sem_t>>);

// SAFETY: semaphores are for use by many threads.
unsafe impl Sync for Semaphore {}

impl Semaphore {
    /// A semaphore that is to be initialised.
    pub(crate) const fn new() -> Semaphore {
        Semaphore(UnsafeCell::new(MaybeUninit::zeroed()))
    }

    fn raw(&self) -> *mut libc::sem_t {
        self.0.get().cast()
    }

    /// Initialises it, before the thread that waits for it is made.
    pub(crate) fn init(&self) {
        // SAFETY: memory for a semaphore, which nothing waits for.
        unsafe { libc::sem_init(self.raw(), 0, 0) };
    }

    /// Has a thread go on that waits, or the next one that would wait.
    pub(crate) fn post(&self) {
        // SAFETY: initialised.
        unsafe { libc::sem_post(self.raw()) };
    }

    /// Waits for at most that many milliseconds; returns whether there was a post.
    pub(crate) fn wait(&self, ms: u64) -> bool {
        let mut until = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is valid.
        unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut until) };
        let ns = until.tv_nsec as u64 + ms % 1000 * 1_000_000;
        until.tv_sec += (ms / 1000 + ns / 1_000_000_000) as libc::time_t;
        until.tv_nsec = (ns % 1_000_000_000) as _;
        loop {
            // SAFETY: initialised, and the pointer is valid.
            if unsafe { libc::sem_timedwait(self.raw(), &until) } == 0 {
                return true;
            }
            let error = std::io::Error::last_os_error().raw_os_error();
            if error != Some(libc::EINTR) {
                return false;
            }
        }
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
