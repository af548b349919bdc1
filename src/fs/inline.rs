//! Inline operations: done in the loop's own thread, from what the kernel has in memory.
//!
//! To hand an operation to a worker and to be called back takes ten times as long as a question
//! about a file. So the loop's thread itself asks such questions (stat, lstat, fstat, access,
//! readlink) and opens files for reading, in ways that cannot block (`sys/nonblocking_fs.rs`). The callback
//! comes from the loop, as if a worker had been quick, and until then `uv_cancel` takes the
//! operation back. Everything else goes to the pool, reading as well: of a read nothing tells
//! beforehand whether it blocks.
//!
//! An operation is inline only if
//!
//! - the names of its path are in the kernel's cache (`RESOLVE_CACHED`, Linux 5.12),
//! - the file is in a mount that is known to be local (`mounts.rs`), and regular if it is opened,
//! - no operation that changes something is under way (`changes.rs`), and, where one worker does
//!   all jobs in their order, no job at all,
//! - neither a tracer nor a sandbox has a say in the thread's system calls
//!   (`system/supervision.rs`), nor does a library that replaces libc's functions (fakeroot),
//! - the iteration has done less than its part of such operations (`allowance.rs`).
//!
//! `OXUV_FS_INLINE=1` leaves the fourth condition out; with 0 nothing is inline.
//!
//! What can hold up the loop all the same:
//!
//! - A path that ends at the root of a mount of NFS or 9p, or in `.` or `..` within one: the kernel
//!   asks the server before it says which mount that is. Not to cross mounts (`RESOLVE_NO_XDEV`)
//!   would avoid most of it, and leave all files to the pool that are in another mount than the
//!   root or the current folder.
//! - A file that another one of a remote mount takes the place of, between the question and the
//!   opening.
//! - A program that decides who may open files (permission events of fanotify(7), as scanners for
//!   viruses use them). Nothing tells whether there is one.
//! - A filter (seccomp) that a callback installs within a millisecond after an inline operation, and
//!   that ends the process for calls which libuv does not make.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::operation::{LocalFile, Operation};
use super::request::FsRequest;
use super::{changes, mounts};
use crate::errors::Result;
use crate::event_loop::Loop;
use crate::sys::nonblocking_fs::{self, Answer};
use crate::sys::stat::Target;
use crate::system::settings::Setting;
use crate::system::supervision;
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
    static SETTING: Setting = Setting::new(c"OXUV_FS_INLINE", 1, "where it is safe");
    let mode = match SETTING.value() {
        Some(0) => NEVER,
        Some(_) => ALWAYS,
        None if nonblocking_fs::is_libc_itself() => UNLESS_SUPERVISED,
        None => NEVER,
    };
    MODE.store(mode, Relaxed);
    mode
}

fn is_allowed(event_loop: Loop) -> bool {
    match mode() {
        NEVER => false,
        ALWAYS => true,
        _ => {
            let now_ms = event_loop.now();
            if event_loop.allowance(|allowance| allowance.should_ask(now_ms)) {
                let answer = supervision::is_supervised();
                // While the loop does not run, its time stands still.
                let asked_at = event_loop.asyncs().is_running().then_some(now_ms);
                event_loop.allowance(|allowance| allowance.answered(answer, asked_at));
            }
            event_loop.allowance(|allowance| allowance.is_unsupervised())
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

/// Tries to do an operation here and now, without waiting for anything.
pub(super) fn attempt<O: Operation>(request: FsRequest, event_loop: Loop) -> Outcome {
    let Some(target) = O::inline_target(request) else {
        return Outcome::Pool;
    };
    if changes::any() || pool::has_jobs_in_order() || !is_allowed(event_loop) {
        return Outcome::Pool;
    }
    let iteration = event_loop.metrics().iteration();
    if !event_loop.allowance(|allowance| allowance.take(iteration)) {
        return Outcome::Pool;
    }
    with_target(target, |file| O::try_inline(request, file))
}

/// Goes on with a target's file, if its names are in memory.
fn with_target(
    target: Target<'_>,
    work: impl FnOnce(&LocalFile) -> Option<Result<usize>>,
) -> Outcome {
    let (path, flags) = match target {
        Target::Path(path) => (path, 0),
        Target::Link(path) => (path, libc::O_NOFOLLOW),
        Target::Descriptor(fd) => return with_descriptor(fd, work),
    };
    match nonblocking_fs::open(path, libc::O_PATH | flags) {
        Answer::Known(Ok(file)) => with_descriptor(file.fd(), work),
        Answer::Known(Err(error)) => Outcome::Done(Err(error)),
        Answer::Unknown => Outcome::Pool,
    }
}

/// Goes on with an open file, if it is of a local file system. Which mount it is in comes first:
/// every other question may go to a server.
fn with_descriptor(fd: c_int, work: impl FnOnce(&LocalFile) -> Option<Result<usize>>) -> Outcome {
    let Some(mount) = nonblocking_fs::mount(fd) else {
        return Outcome::Pool;
    };
    match mounts::is_local(mount) {
        Some(true) => {}
        Some(false) => return Outcome::Pool,
        None => return Outcome::PoolAndLearn,
    }
    match nonblocking_fs::status(fd) {
        Ok(stat) if mounts::is_stale(mount, stat.st_dev) => Outcome::PoolAndLearn,
        Ok(stat) => work(&LocalFile { fd, stat }).map_or(Outcome::Pool, Outcome::Done),
        Err(_) => Outcome::Pool,
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
    if let Ok(file) = nonblocking_fs::locate(path, follow) {
        mounts::learn(file.fd());
    }
}
