//! Mutexes, read-write locks, semaphores, condition variables, barriers and once.
//!
//! They are the system's own types by another name, and a program may pass them to pthread
//! functions. If a function without error codes fails, the caller has made a mistake, and the
//! process ends.
//!
//! <https://docs.libuv.org/en/v1.x/threading.html>

use core::ffi::{c_int, c_uint};

use crate::abi::*;
use crate::errors::IntoCode;
use crate::panic::{keep_frame, misuse, not_null};
use crate::sys::{clock, cvt, cvt_number};
use crate::zeroed::zeroed;

/// The error code of a pthread function's result.
fn code(result: c_int) -> c_int {
    cvt_number(result).into_code()
}

/// Ends the process unless a pthread function succeeded.
fn must(result: c_int, mistake: &'static str) {
    if result != 0 {
        misuse(mistake);
    }
}

/// The result of a function that only tries: 0, or `UV_EBUSY`.
fn tried(result: c_int, mistake: &'static str) -> c_int {
    match result {
        0 => 0,
        libc::EBUSY | libc::EAGAIN => UV_EBUSY,
        _ => misuse(mistake),
    }
}

/// The error code of a function that returned −1 and set `errno`, or 0.
fn posix_code(result: c_int) -> c_int {
    cvt(result).into_code()
}

// C entry points

/// Initialises a mutex. Returns 0 or an error, such as `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_mutex_init>
///
/// # Safety
/// `handle` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_init(handle: *mut uv_mutex_t) -> c_int {
    // SAFETY: common pointer contract.
    code(unsafe { libc::pthread_mutex_init(not_null(handle), core::ptr::null()) })
}

/// Initialises a mutex that the thread which has it may lock again. Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_mutex_init_recursive>
///
/// # Safety
/// `handle` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_init_recursive(handle: *mut uv_mutex_t) -> c_int {
    // SAFETY: the attributes are initialised before they are used, and destroyed after; common
    // pointer contract.
    unsafe {
        let mut attributes: libc::pthread_mutexattr_t = zeroed();
        must(
            libc::pthread_mutexattr_init(&mut attributes),
            "no memory for mutex attributes",
        );
        libc::pthread_mutexattr_settype(&mut attributes, libc::PTHREAD_MUTEX_RECURSIVE);
        let result = libc::pthread_mutex_init(not_null(handle), &attributes);
        libc::pthread_mutexattr_destroy(&mut attributes);
        code(result)
    }
}

/// Destroys a mutex that is not locked.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_mutex_destroy>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_destroy(handle: *mut uv_mutex_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_mutex_destroy(not_null(handle)) },
        "the mutex is locked",
    );
}

/// Locks a mutex; blocks until it can.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_mutex_lock>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_lock(handle: *mut uv_mutex_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_mutex_lock(not_null(handle)) },
        "the mutex cannot be locked",
    );
}

/// Locks a mutex if that can be done at once. Returns 0, or `UV_EBUSY`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_mutex_trylock>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_trylock(handle: *mut uv_mutex_t) -> c_int {
    // SAFETY: common pointer contract.
    tried(
        unsafe { libc::pthread_mutex_trylock(not_null(handle)) },
        "the mutex cannot be locked",
    )
}

/// Unlocks a mutex.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_mutex_unlock>
///
/// # Safety
/// `handle` must be initialised, and locked by this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_unlock(handle: *mut uv_mutex_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_mutex_unlock(not_null(handle)) },
        "the mutex is not this thread's",
    );
}

/// Initialises a read-write lock. Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_rwlock_init>
///
/// # Safety
/// `rwlock` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_init(rwlock: *mut uv_rwlock_t) -> c_int {
    // SAFETY: common pointer contract.
    code(unsafe { libc::pthread_rwlock_init(not_null(rwlock), core::ptr::null()) })
}

/// Destroys a read-write lock that is not locked.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_rwlock_destroy>
///
/// # Safety
/// `rwlock` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_destroy(rwlock: *mut uv_rwlock_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_rwlock_destroy(not_null(rwlock)) },
        "the lock is held",
    );
}

/// Locks for reading; blocks while a writer has the lock.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_rwlock_rdlock>
///
/// # Safety
/// `rwlock` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_rdlock(rwlock: *mut uv_rwlock_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_rwlock_rdlock(not_null(rwlock)) },
        "the lock cannot be had",
    );
}

/// Locks for reading if that can be done at once. Returns 0, or `UV_EBUSY`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_rwlock_tryrdlock>
///
/// # Safety
/// `rwlock` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_tryrdlock(rwlock: *mut uv_rwlock_t) -> c_int {
    // SAFETY: common pointer contract.
    tried(
        unsafe { libc::pthread_rwlock_tryrdlock(not_null(rwlock)) },
        "the lock cannot be had",
    )
}

/// Unlocks after reading.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_rwlock_rdunlock>
///
/// # Safety
/// `rwlock` must be initialised, and locked by this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_rdunlock(rwlock: *mut uv_rwlock_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_rwlock_unlock(not_null(rwlock)) },
        "the lock is not held",
    );
    // Otherwise the compiler has one function for this and `uv_rwlock_wrunlock`.
    keep_frame();
}

/// Locks for writing; blocks while readers or a writer have the lock.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_rwlock_wrlock>
///
/// # Safety
/// `rwlock` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_wrlock(rwlock: *mut uv_rwlock_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_rwlock_wrlock(not_null(rwlock)) },
        "the lock cannot be had",
    );
}

/// Locks for writing if that can be done at once. Returns 0, or `UV_EBUSY`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_rwlock_trywrlock>
///
/// # Safety
/// `rwlock` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_trywrlock(rwlock: *mut uv_rwlock_t) -> c_int {
    // SAFETY: common pointer contract.
    tried(
        unsafe { libc::pthread_rwlock_trywrlock(not_null(rwlock)) },
        "the lock cannot be had",
    )
}

/// Unlocks after writing.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_rwlock_wrunlock>
///
/// # Safety
/// `rwlock` must be initialised, and locked by this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_wrunlock(rwlock: *mut uv_rwlock_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_rwlock_unlock(not_null(rwlock)) },
        "the lock is not held",
    );
}

/// Initialises a semaphore with a count. Returns 0 or an error: `UV_EINVAL` for too large a count.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_sem_init>
///
/// # Safety
/// `sem` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_init(sem: *mut uv_sem_t, value: c_uint) -> c_int {
    // SAFETY: common pointer contract.
    posix_code(unsafe { libc::sem_init(not_null(sem), 0, value) })
}

/// Destroys a semaphore on which no thread waits.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_sem_destroy>
///
/// # Safety
/// `sem` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_destroy(sem: *mut uv_sem_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::sem_destroy(not_null(sem)) },
        "not a semaphore",
    );
}

/// Increments a semaphore. May be called in a signal handler.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_sem_post>
///
/// # Safety
/// `sem` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_post(sem: *mut uv_sem_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::sem_post(not_null(sem)) },
        "the semaphore's count is at its end",
    );
}

/// Decrements a semaphore; blocks while it is 0.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_sem_wait>
///
/// # Safety
/// `sem` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_wait(sem: *mut uv_sem_t) {
    loop {
        // SAFETY: common pointer contract.
        match posix_code(unsafe { libc::sem_wait(not_null(sem)) }) {
            0 => return,
            UV_EINTR => {}
            _ => misuse("not a semaphore"),
        }
    }
}

/// Decrements a semaphore if that can be done at once. Returns 0, or `UV_EAGAIN`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_sem_trywait>
///
/// # Safety
/// `sem` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_trywait(sem: *mut uv_sem_t) -> c_int {
    loop {
        // SAFETY: common pointer contract.
        match posix_code(unsafe { libc::sem_trywait(not_null(sem)) }) {
            result @ (0 | UV_EAGAIN) => return result,
            UV_EINTR => {}
            _ => misuse("not a semaphore"),
        }
    }
}

/// Initialises a condition variable. Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_cond_init>
///
/// # Safety
/// `cond` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_init(cond: *mut uv_cond_t) -> c_int {
    // SAFETY: the attributes are initialised before they are used, and destroyed after; common
    // pointer contract.
    unsafe {
        let mut attributes: libc::pthread_condattr_t = zeroed();
        let result = libc::pthread_condattr_init(&mut attributes);
        if result != 0 {
            return code(result);
        }
        // Setting the clock must not change how long a wait takes.
        libc::pthread_condattr_setclock(&mut attributes, libc::CLOCK_MONOTONIC);
        let result = libc::pthread_cond_init(not_null(cond), &attributes);
        libc::pthread_condattr_destroy(&mut attributes);
        code(result)
    }
}

/// Destroys a condition variable on which no thread waits.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_cond_destroy>
///
/// # Safety
/// `cond` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_destroy(cond: *mut uv_cond_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_cond_destroy(not_null(cond)) },
        "a thread waits for the condition",
    );
}

/// Wakes one waiting thread.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_cond_signal>
///
/// # Safety
/// `cond` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_signal(cond: *mut uv_cond_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_cond_signal(not_null(cond)) },
        "not a condition variable",
    );
}

/// Wakes all waiting threads.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_cond_broadcast>
///
/// # Safety
/// `cond` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_broadcast(cond: *mut uv_cond_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_cond_broadcast(not_null(cond)) },
        "not a condition variable",
    );
}

/// Waits for the condition, with the mutex unlocked meanwhile. It may return without a signal.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_cond_wait>
///
/// # Safety
/// Both must be initialised, and the mutex locked by this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_wait(cond: *mut uv_cond_t, mutex: *mut uv_mutex_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_cond_wait(not_null(cond), mutex) },
        "the mutex is not this thread's",
    );
}

/// Waits for the condition for at most `timeout` nanoseconds, with the mutex unlocked meanwhile.
/// It may return without a signal. Returns 0, or `UV_ETIMEDOUT`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_cond_timedwait>
///
/// # Safety
/// Both must be initialised, and the mutex locked by this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_timedwait(
    cond: *mut uv_cond_t,
    mutex: *mut uv_mutex_t,
    timeout: u64,
) -> c_int {
    let deadline = clock::monotonic_ns().saturating_add(timeout);
    let deadline = clock::timespec(deadline);
    // SAFETY: common pointer contract.
    match unsafe { libc::pthread_cond_timedwait(not_null(cond), mutex, &deadline) } {
        0 => 0,
        libc::ETIMEDOUT => UV_ETIMEDOUT,
        _ => misuse("the mutex is not this thread's"),
    }
}

/// Initialises a barrier for `count` threads. Returns 0 or an error: `UV_EINVAL` for a count of 0.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_barrier_init>
///
/// # Safety
/// `barrier` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_barrier_init(barrier: *mut uv_barrier_t, count: c_uint) -> c_int {
    // SAFETY: common pointer contract.
    code(unsafe { libc::pthread_barrier_init(not_null(barrier), core::ptr::null(), count) })
}

/// Waits until as many threads wait as the barrier was initialised for. Returns a positive number
/// in one of them, which may destroy the barrier, and 0 in the others.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_barrier_wait>
///
/// # Safety
/// `barrier` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_barrier_wait(barrier: *mut uv_barrier_t) -> c_int {
    // SAFETY: common pointer contract.
    match unsafe { libc::pthread_barrier_wait(not_null(barrier)) } {
        0 => 0,
        libc::PTHREAD_BARRIER_SERIAL_THREAD => 1,
        _ => misuse("not a barrier"),
    }
}

/// Destroys a barrier on which no thread waits.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_barrier_destroy>
///
/// # Safety
/// `barrier` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_barrier_destroy(barrier: *mut uv_barrier_t) {
    // SAFETY: common pointer contract.
    must(
        unsafe { libc::pthread_barrier_destroy(not_null(barrier)) },
        "not a barrier",
    );
}

unsafe extern "C" {
    fn pthread_once(guard: *mut uv_once_t, callback: extern "C" fn()) -> c_int;
}

/// Calls `callback` only the first time that this is called with `guard`, which must begin as
/// `UV_ONCE_INIT`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_once>
///
/// # Safety
/// `guard` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_once(guard: *mut uv_once_t, callback: Option<extern "C" fn()>) {
    let Some(callback) = callback else {
        misuse("no callback");
    };
    // SAFETY: common pointer contract.
    must(
        unsafe { pthread_once(not_null(guard), callback) },
        "not a guard",
    );
}
