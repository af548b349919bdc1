//! What `uv.h` declares: types, constants and error codes. Nothing here runs.
//!
//! Layouts are checked against the ABI tables by `tests/abi.rs` and, on the generated header, by
//! the C compiler. The shared fields of handles and requests are written out in each struct,
//! because cbindgen does not look inside macros.
#![allow(non_camel_case_types)]

mod base;
mod callbacks;
mod constants;
mod data;
pub mod errno;
mod event_loop;
mod handles;
mod requests;
mod streams;

pub use base::*;
pub use callbacks::*;
pub use constants::*;
pub use data::*;
pub use errno::*;
pub use event_loop::*;
pub use handles::*;
pub use requests::*;
pub use streams::*;

// Layouts, system calls and the names of libc's functions are those of Linux with glibc or musl.
#[cfg(not(all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))))]
compile_error!("this library is for Linux with glibc or musl");

// `uv_loop_configure` is variadic in C and not here. These processors pass an `int` alike both ways.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "powerpc64",
    target_arch = "s390x",
)))]
compile_error!("uv_loop_configure: variadic arguments may be passed differently here");

/// A file descriptor.
pub type uv_file = core::ffi::c_int;
/// A socket.
pub type uv_os_sock_t = core::ffi::c_int;
/// A file descriptor.
pub type uv_os_fd_t = core::ffi::c_int;
/// A process id.
pub type uv_pid_t = libc::pid_t;
/// A user id.
pub type uv_uid_t = libc::uid_t;
/// A group id.
pub type uv_gid_t = libc::gid_t;
/// Runs something once: the system's own type.
pub type uv_once_t = libc::pthread_once_t;
/// A thread: the system's own type.
pub type uv_thread_t = libc::pthread_t;
/// A mutex: the system's own type.
pub type uv_mutex_t = libc::pthread_mutex_t;
/// A read-write lock: the system's own type.
pub type uv_rwlock_t = libc::pthread_rwlock_t;
/// A semaphore: the system's own type.
pub type uv_sem_t = libc::sem_t;
/// A condition variable: the system's own type.
pub type uv_cond_t = libc::pthread_cond_t;
/// A thread-local key: the system's own type.
pub type uv_key_t = libc::pthread_key_t;
/// A barrier: the system's own type.
pub type uv_barrier_t = libc::pthread_barrier_t;
/// Private: a directory entry as the system reads it.
pub type uv__dirent_t = libc::dirent64;
