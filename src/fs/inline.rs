//! Operations whose answer the kernel has in memory, done in the loop's own thread.
//!
//! To hand an operation to a thread and to be told of its end costs ten times what the operation
//! itself does. So opening (for reading) and questions about files are tried in place first, in ways that cannot wait: see `sys/cached.rs`. What the kernel cannot answer so goes to
//! the pool, as do files that are not regular, files of other machines and of FUSE, and whatever
//! exceeds the share of an iteration, so that the loop stays responsive. The callback comes from
//! the loop, when it polls, as if a thread had been quick.
//!
//! Cancelling works until then, as it does for an operation that no thread has begun: what was done
//! is undone, where it shows at all. Where one thread does all of the pool's jobs, in their order,
//! nothing passes those that wait.
//!
//! Not used under seccomp, which could end the process for a call that it does not know; where
//! libc's functions are replaced (fakeroot and the like must see what is opened); on kernels before
//! 5.12, which lack a call or do it wrongly; or with `OXUV_FS_INLINE=0`. `OXUV_FS_INLINE=1` leaves
//! the first two reasons out.
//!
//! One thing does hold up opening and reading in place: a program that lets others have files by
//! fanotify(7)'s permission events, as scanners for viruses do. Nothing tells whether there is one.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::operation::Operation;
use super::request::FsRequest;
use super::{changes, mounts};
use crate::abi::uv_stat_t;
use crate::errors::Result;
use crate::event_loop::Loop;
use crate::sys::cached::{self, Answer};
use crate::sys::stat::Target;
use crate::system::{environment, supervision};
use crate::work::pool;

/// When anything is inline, by `OXUV_FS_INLINE`.
const UNKNOWN: u32 = 0;
const NEVER: u32 = 1;
const UNLESS_SUPERVISED: u32 = 2;
const ALWAYS: u32 = 3;

/// One of the above, found out at the first operation.
fn mode() -> u32 {
    static MODE: AtomicU32 = AtomicU32::new(UNKNOWN);
    let known = MODE.load(Relaxed);
    if known != UNKNOWN {
        return known;
    }
    let mode = match environment::number(c"OXUV_FS_INLINE") {
        Some(0) => NEVER,
        Some(_) => ALWAYS,
        None if cached::is_libc_itself() => UNLESS_SUPERVISED,
        None => NEVER,
    };
    MODE.store(mode, Relaxed);
    mode
}

fn is_allowed(on: Loop) -> bool {
    match mode() {
        NEVER => false,
        ALWAYS => true,
        _ => {
            let now_ms = on.now();
            if on.allowance(|allowance| allowance.should_ask(now_ms)) {
                let answer = supervision::is_supervised();
                on.allowance(|allowance| allowance.answered(answer, now_ms));
            }
            on.allowance(|allowance| allowance.is_unsupervised())
        }
    }
}

/// What came of an attempt.
pub(super) enum Outcome {
    Done(Result<usize>),
    /// To be done by the pool.
    Pool,
    /// The same, which should also find out about the file system.
    PoolAndLearn,
}

/// A file of a local file system, with what the kernel has in memory of it.
pub(super) struct LocalFile {
    /// Closed by whoever made this.
    pub(super) fd: c_int,
    pub(super) stat: uv_stat_t,
}

impl LocalFile {
    pub(super) fn is(&self, kind: libc::mode_t) -> bool {
        self.stat.st_mode & u64::from(libc::S_IFMT) == u64::from(kind)
    }
}

/// Tries to do an operation here and now, without waiting for anything.
pub(super) fn attempt<O: Operation>(request: FsRequest, on: Loop) -> Outcome {
    let Some(target) = O::inline_target(request) else {
        return Outcome::Pool;
    };
    if changes::any() || pool::keeps_order() && pool::has_jobs() || !is_allowed(on) {
        return Outcome::Pool;
    }
    let iteration = on.metrics().iteration();
    if !on.allowance(|allowance| allowance.take(iteration)) {
        return Outcome::Pool;
    }
    look_at(target, |file| O::try_inline(request, file))
}

/// Goes on with a target's file, if its names are in memory.
fn look_at(target: Target<'_>, work: impl FnOnce(&LocalFile) -> Option<Result<usize>>) -> Outcome {
    let (path, flags) = match target {
        Target::Path(path) => (path, 0),
        Target::Link(path) => (path, libc::O_NOFOLLOW),
        Target::Descriptor(fd) => return look_at_open(fd, work),
    };
    match cached::open(path, libc::O_PATH | flags) {
        Answer::Known(Ok(file)) => look_at_open(file.fd(), work),
        Answer::Known(Err(error)) => Outcome::Done(Err(error)),
        Answer::Unknown => Outcome::Pool,
    }
}

/// Goes on with an open file, if it is of a local file system.
fn look_at_open(fd: c_int, work: impl FnOnce(&LocalFile) -> Option<Result<usize>>) -> Outcome {
    let Ok(status) = cached::status(fd) else {
        return Outcome::Pool;
    };
    match mounts::is_local(status.mount) {
        Some(true) => {
            let stat = status.stat;
            work(&LocalFile { fd, stat }).map_or(Outcome::Pool, Outcome::Done)
        }
        Some(false) => Outcome::Pool,
        None if status.mount == 0 => Outcome::Pool,
        None => Outcome::PoolAndLearn,
    }
}

/// On a worker, after the operation: finds out about the file system, for the next time.
pub(super) fn learn<O: Operation>(request: FsRequest) {
    let (path, follow) = match O::inline_target(request) {
        Some(Target::Path(path)) => (path, true),
        Some(Target::Link(path)) => (path, false),
        Some(Target::Descriptor(fd)) => return mounts::learn(fd),
        None => return,
    };
    if let Ok(file) = cached::locate(path, follow) {
        mounts::learn(file.fd());
    }
}
