//! A worker of the pool: how its thread is made, and how it blocks.
//!
//! Each worker blocks on a semaphore of its own, so that a wake-up reaches exactly one.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;

use crate::errors::{Errno, Result};
use crate::sys::{cvt_number, shared};

/// The most workers that a pool can have.
pub(super) const MAX_WORKERS: usize = 1024;

/// The stack of a worker, as documented by libuv. Only the used part takes memory.
const STACK_BYTES: usize = 8 << 20;
/// The stack of a worker where address space is scarce, which is better than no thread.
const SMALL_STACK_BYTES: usize = 1 << 20;

pub(super) type Main = extern "C" fn(*mut c_void) -> *mut c_void;

struct Semaphores([UnsafeCell<MaybeUninit<libc::sem_t>>; MAX_WORKERS]);

// SAFETY: semaphores are for use by many threads; each is initialised before its worker starts.
unsafe impl Sync for Semaphores {}

static SEMAPHORES: Semaphores =
    Semaphores([const { UnsafeCell::new(MaybeUninit::zeroed()) }; MAX_WORKERS]);

fn semaphore(worker: usize) -> *mut libc::sem_t {
    SEMAPHORES.0[worker].get().cast()
}

/// Blocks until [`wake`] is called for this worker, or was already.
pub(super) fn block(worker: usize) {
    // SAFETY: initialised before the worker started.
    while unsafe { shared::sem_wait(semaphore(worker)) } == -1 && Errno::last() == Errno::EINTR {}
}

/// Wakes a worker that blocks, or is about to.
pub(super) fn wake(worker: usize) {
    // SAFETY: initialised before the worker started.
    unsafe { shared::sem_post(semaphore(worker)) };
}

/// Starts the thread of a worker; `main` gets the worker's number.
///
/// The thread has the signal mask of its maker, as in libuv. Work may start processes, which
/// inherit the mask, and may need its own handlers of signals such as SIGSEGV. So no signal is
/// blocked.
pub(super) fn spawn(worker: usize, main: Main) -> Result<libc::pthread_t> {
    // SAFETY: static memory, which no thread uses yet.
    unsafe { shared::sem_init(semaphore(worker), 0, 0) };
    let argument = core::ptr::without_provenance_mut(worker);
    create(STACK_BYTES, main, argument).or_else(|_| create(SMALL_STACK_BYTES, main, argument))
}

/// Gives the calling thread its name in debuggers and `/proc`.
pub(super) fn name_self() {
    // SAFETY: the name is terminated, and short enough.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), c"libuv-worker".as_ptr()) };
}

/// Whether `thread` is the calling thread.
pub(super) fn is_self(thread: libc::pthread_t) -> bool {
    // SAFETY: takes no memory.
    unsafe { libc::pthread_equal(thread, libc::pthread_self()) != 0 }
}

/// Waits for the end of a worker's thread.
pub(super) fn join(thread: libc::pthread_t) {
    // SAFETY: the caller joins each thread that `spawn` made once at most.
    unsafe { shared::pthread_join(thread, core::ptr::null_mut()) };
}

fn create(stack_size: usize, main: Main, argument: *mut c_void) -> Result<libc::pthread_t> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: memory for the attributes.
    cvt_number(unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) })?;
    // SAFETY: initialised above.
    unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack_size) };
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: all pointers are valid for the call, and `main` takes any argument.
    let result = cvt_number(unsafe {
        shared::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), main, argument)
    });
    // SAFETY: initialised above.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    // SAFETY: `pthread_create` has written it when it returns 0.
    result.map(|()| unsafe { thread.assume_init() })
}
