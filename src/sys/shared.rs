//! The atomics, locks, semaphores and system calls by which threads meet and wait for each other.
//!
//! `cargo xtask models` compiles the library with `cfg(loom)`. Then the crate `modelled` (in
//! `models/`) takes the place of these names, and runs threads in every order. So the wake-up of a
//! loop, the sent handles, the completions and the pool name these things here, and nowhere else.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, fence,
};
#[cfg(not(any(loom, feature = "portable-poller")))]
pub(crate) use libc::epoll_pwait;
#[cfg(not(loom))]
pub(crate) use libc::{
    pthread_create, pthread_join, pthread_mutex_lock, pthread_mutex_unlock, sched_yield, sem_init,
    sem_post, sem_wait, write,
};

#[cfg(loom)]
pub(crate) use modelled::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, epoll_pwait, fence, pthread_create,
    pthread_join, pthread_mutex_lock, pthread_mutex_unlock, sched_yield, sem_init, sem_post,
    sem_wait, write,
};
