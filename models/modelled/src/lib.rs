//! What threads share, as loom models it: the names of `src/sys/shared.rs`, with the signatures of
//! `core` and libc. And how a model is run: [`explore`].
//!
//! loom runs the threads of a model one at a time, on one thread of the system, and changes from one
//! to another only here. It repeats the model for each order of these operations, and for each value
//! that a load may see by the rules of C11's memory model.
//!
//! An object keeps its size and its place, and memory that C declares can be one. So loom's part of
//! it is found by its address (`objects`). The object itself has the value that was written last. A
//! forked child begins with that. Outside of a model all operations are ordinary ones.
//!
//! loom has no sequentially consistent accesses. They are translated as compilers do, with fences:
//! before each access as for POWER, or after each write as for x86-64 ([`Fences`]). Every model is
//! run with both. A fence of loom's also orders what is not atomic, which is more than C11 promises.

mod atomic;
mod memory;
mod objects;
mod run;
mod trace;
mod waiting;

pub use atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, fence};
pub use memory::{allocate, free, reallocate, zeroed};
pub use run::{Fences, Limits, explore, fork, is_mutant, spawn};
pub use waiting::{
    epoll_pwait, pthread_create, pthread_join, pthread_mutex_lock, pthread_mutex_unlock,
    sched_yield, sem_init, sem_post, sem_wait, wait_readable, write,
};
