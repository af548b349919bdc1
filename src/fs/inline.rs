//! Inline operations: done in the loop's own thread, from what the kernel has in memory.
//!
//! Handing an operation to a worker and getting its completion takes ten times as long as a query
//! about a file. So the loop's thread itself does such queries (stat, lstat, fstat,
//! access) and opens files for reading, in ways that cannot block (`sys/nonblocking_fs.rs`). The
//! callback comes from the loop, as if a worker had been quick. Until then `uv_cancel` cancels the
//! operation. Everything else goes to the pool. That includes reads, since nothing shows in advance
//! whether a read blocks.
//!
//! An operation is inline only if
//!
//! - the names of its path are in the kernel's cache (`RESOLVE_CACHED`, Linux 5.12),
//! - the file is in a mount that is known to be local (`mounts.rs`), and regular if it is opened,
//! - no operation that changes something is under way (`changes.rs`), and, where one worker does
//!   all jobs in their order, no job at all,
//! - neither a tracer nor a sandbox supervises the thread's system calls (`system/supervision.rs`),
//!   and no library replaces libc's functions (fakeroot),
//! - the iteration has not used up its operations (`allowance.rs`).
//!
//! With `OXUV_FS_INLINE=1` the fourth condition is not checked; with 0 nothing is inline.
//!
//! What can block the loop nevertheless:
//!
//! - A path that ends at the root of a mount of NFS or 9p, or in `.` or `..` within one. The kernel
//!   asks the server before it reports the mount. `RESOLVE_NO_XDEV` would avoid most of it, but
//!   then every file outside the mount of the root or the working directory would go to the pool.
//! - A file that is replaced by one of a remote mount between the query and the opening.
//! - A program that decides about each opening of a file (permission events of fanotify(7), as
//!   virus scanners use them). Nothing shows whether there is one.
//! - A filter (seccomp) that a callback installs within a millisecond after an inline operation,
//!   and that ends the process for calls that libuv does not make.

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

/// Values of [`mode`]: when operations may be inline.
const UNKNOWN: u32 = 0;
const NEVER: u32 = 1;
const UNLESS_SUPERVISED: u32 = 2;
const ALWAYS: u32 = 3;

/// When operations may be inline: one of the constants above, by `OXUV_FS_INLINE` and libc.
/// Determined at the first operation.
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
                event_loop.allowance(|allowance| allowance.set_answer(answer, asked_at));
            }
            event_loop.allowance(|allowance| allowance.is_unsupervised())
        }
    }
}

/// The result of an inline attempt.
pub(super) enum Outcome {
    Done(Result<usize>),
    /// The pool has to do the operation.
    Pool,
    /// The pool has to do the operation, and then to learn about the file system.
    PoolAndLearn,
}

/// Tries to do an operation in the calling thread, without waiting for anything.
pub(super) fn attempt<O: Operation>(request: FsRequest, event_loop: Loop) -> Outcome {
    O::inline_target(request).map_or(Outcome::Pool, |target| {
        attempt_with(target, O::try_inline, request, event_loop)
    })
}

/// [`Operation::try_inline`].
type TryInline = fn(FsRequest, &LocalFile) -> Option<Result<usize>>;

fn attempt_with(
    target: Target<'_>,
    try_inline: TryInline,
    request: FsRequest,
    event_loop: Loop,
) -> Outcome {
    if changes::any() || pool::has_jobs_in_order() || !is_allowed(event_loop) {
        return Outcome::Pool;
    }
    let iteration = event_loop.metrics().iteration();
    if !event_loop.allowance(|allowance| allowance.take(iteration)) {
        return Outcome::Pool;
    }
    with_target(target, try_inline, request)
}

/// Opens a target whose names are in the kernel's cache, and answers from it.
fn with_target(target: Target<'_>, try_inline: TryInline, request: FsRequest) -> Outcome {
    let (path, flags) = match target {
        Target::Path(path) => (path, 0),
        Target::Link(path) => (path, libc::O_NOFOLLOW),
        Target::Descriptor(fd) => return with_descriptor(fd, try_inline, request),
    };
    match nonblocking_fs::open(path, libc::O_PATH | flags) {
        Answer::Known(Ok(file)) => with_descriptor(file.raw(), try_inline, request),
        Answer::Known(Err(error)) => Outcome::Done(Err(error)),
        Answer::Unknown => Outcome::Pool,
    }
}

/// Answers from an open file of a local file system. The mount is asked for first: every other query
/// may go to a server.
fn with_descriptor(fd: c_int, try_inline: TryInline, request: FsRequest) -> Outcome {
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
        Ok(stat) => {
            try_inline(request, &LocalFile { fd, stat }).map_or(Outcome::Pool, Outcome::Done)
        }
        Err(_) => Outcome::Pool,
    }
}

/// Learns about the file system of a request's target, on a worker after the operation.
pub(super) fn learn(target: Option<Target<'_>>) {
    let (path, follow) = match target {
        Some(Target::Path(path)) => (path, true),
        Some(Target::Link(path)) => (path, false),
        Some(Target::Descriptor(fd)) => return mounts::learn(fd),
        None => return,
    };
    if let Ok(file) = nonblocking_fs::locate(path, follow) {
        mounts::learn(file.raw());
    }
}
