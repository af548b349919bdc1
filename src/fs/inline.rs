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

use super::locality;
use super::request::FsRequest;
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;
use crate::sys::cached::{self, Answer, Found, Status};
use crate::sys::fd;
use crate::system::environment;
use crate::view::{addr, get, set};
use crate::work::pool;

/// Whether operations may be done in place. A filter of system calls may be installed at any time,
/// also by the callback that starts the operation, and would end the process.
fn is_allowed() -> bool {
    match mode() {
        OFF => false,
        ALWAYS => true,
        _ => !cached::is_filtered(),
    }
}

const UNKNOWN: u32 = 0;
const OFF: u32 = 1;
/// Unless there is a filter of system calls.
const ON: u32 = 2;
const ALWAYS: u32 = 3;

/// One of the above, found out at the first operation.
fn mode() -> u32 {
    static MODE: AtomicU32 = AtomicU32::new(UNKNOWN);
    let known = MODE.load(Relaxed);
    if known != UNKNOWN {
        return known;
    }
    let mode = match environment::number(c"OXUV_FS_INLINE") {
        Some(0) => OFF,
        Some(_) if cached::is_supported() => ALWAYS,
        None if !cached::is_filtered() && cached::is_libc_itself() && cached::is_supported() => ON,
        _ => OFF,
    };
    MODE.store(mode, Relaxed);
    mode
}

/// What came of an attempt.
pub(super) enum Outcome {
    Done(Result<usize>),
    /// To be done by the pool.
    Pool,
    /// The same, which should also find out about the file system.
    PoolAndLearn,
}

type Attempt = fn(FsRequest) -> Outcome;

fn attempt_of(kind: uv_fs_type) -> Option<Attempt> {
    Some(match kind {
        UV_FS_STAT => stat,
        UV_FS_LSTAT => lstat,
        UV_FS_FSTAT => fstat,
        UV_FS_ACCESS => access,
        UV_FS_READLINK => readlink,
        UV_FS_OPEN => open,
        _ => return None,
    })
}

/// Tries to do an operation here and now, without waiting for anything.
pub(super) fn attempt(request: FsRequest, on: Loop) -> Outcome {
    let Some(attempt) = attempt_of(request.kind()) else {
        return Outcome::Pool;
    };
    if !is_allowed() || pool::keeps_order() && pool::has_jobs() {
        return Outcome::Pool;
    }
    let iteration = on.metrics().iteration();
    if on.inline_budget(|budget| budget.take(iteration)) {
        attempt(request)
    } else {
        Outcome::Pool
    }
}

/// Says how to go on with a file: by its status if it is of a local file system.
fn with_local(fd: c_int, work: impl FnOnce(&Status) -> Outcome) -> Outcome {
    let Ok(status) = cached::status(fd) else {
        return Outcome::Pool;
    };
    match locality::is_local(status.mount) {
        Some(true) => work(&status),
        Some(false) => Outcome::Pool,
        None if status.mount == 0 => Outcome::Pool,
        None => Outcome::PoolAndLearn,
    }
}

/// The same with a path's file, if its names are in memory.
fn with_path(
    request: FsRequest,
    flags: c_int,
    work: impl FnOnce(Found, &Status) -> Outcome,
) -> Outcome {
    match cached::open(request.path(), libc::O_PATH | flags) {
        Answer::Known(Ok(file)) => {
            let fd = file.fd();
            with_local(fd, |status| work(file, status))
        }
        Answer::Known(Err(error)) => Outcome::Done(Err(error)),
        Answer::Unknown => Outcome::Pool,
    }
}

fn tell_status(request: FsRequest, status: &Status) -> Outcome {
    set!(request.statbuf = status.stat);
    set!(request.ptr = addr!(request.statbuf).cast());
    Outcome::Done(Ok(0))
}

fn stat(request: FsRequest) -> Outcome {
    with_path(request, 0, |_, status| tell_status(request, status))
}

fn lstat(request: FsRequest) -> Outcome {
    with_path(request, libc::O_NOFOLLOW, |_, status| {
        tell_status(request, status)
    })
}

fn fstat(request: FsRequest) -> Outcome {
    with_local(get!(request.file), |status| tell_status(request, status))
}

fn access(request: FsRequest) -> Outcome {
    const MODES: c_int = libc::R_OK | libc::W_OK | libc::X_OK;
    // Other modes are an error whatever the path is; and paths are looked up for the effective user.
    if get!(request.flags) & !MODES != 0 || !cached::is_real_user() {
        return Outcome::Pool;
    }
    with_path(request, 0, |file, _| {
        match cached::access(file.fd(), get!(request.flags)) {
            Ok(()) => Outcome::Done(Ok(0)),
            Err(error @ Errno::EACCES) => Outcome::Done(Err(error)),
            Err(_) => Outcome::Pool,
        }
    })
}

fn readlink(request: FsRequest) -> Outcome {
    // Not even the text of a link need be in memory; it is when the link can be followed.
    if matches!(cached::open(request.path(), libc::O_PATH), Answer::Unknown) {
        return Outcome::Pool;
    }
    with_path(request, libc::O_NOFOLLOW, |file, status| {
        if !status.is(libc::S_IFLNK) {
            return Outcome::Done(Err(Errno::EINVAL));
        }
        match read_link(request, file.fd(), status.stat.st_size as usize) {
            Some(()) => Outcome::Done(Ok(0)),
            None => Outcome::Pool,
        }
    })
}

/// Leaves the text of a link in the request, if it is as long as was said.
fn read_link(request: FsRequest, fd: c_int, length: usize) -> Option<()> {
    let mut text: alloc::Vec<u8> = alloc::vec();
    // Room for the terminator, by which too long a text shows as well.
    text.try_reserve_exact(length + 1).ok()?;
    text.resize(length + 1, 0);
    let count = cached::readlink(fd, &mut text).ok()?;
    if count != length {
        return None;
    }
    text[length] = 0;
    set!(request.ptr = super::request::into_block(text).cast());
    Some(())
}

/// Whether to open with these flags changes nothing, nor waits for others. For writing it may, for who
/// holds a lease.
fn is_harmless(flags: c_int) -> bool {
    const HARMLESS: c_int = libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_LARGEFILE;
    flags & libc::O_ACCMODE == libc::O_RDONLY && flags & !(libc::O_ACCMODE | HARMLESS) == 0
}

fn open(request: FsRequest) -> Outcome {
    let flags = get!(request.flags);
    if !is_harmless(flags) {
        return Outcome::Pool;
    }
    // To open a FIFO or a device has effects, so what it is comes first.
    let is_regular = with_path(request, flags & libc::O_NOFOLLOW, |_, status| {
        if status.is(libc::S_IFREG) {
            Outcome::Done(Ok(0))
        } else {
            Outcome::Pool
        }
    });
    match is_regular {
        Outcome::Done(Ok(_)) => open_regular(request, flags),
        other => other,
    }
}

fn open_regular(request: FsRequest, flags: c_int) -> Outcome {
    // Not blocking, so that a lease is no reason to wait, nor what may be there instead by now.
    match cached::open(request.path(), flags | libc::O_NONBLOCK) {
        Answer::Known(Ok(file)) => {
            // Only pipes and the like have no position; those would have had to be waited for.
            let is_as_asked = cached::position(file.fd()).is_some()
                && cached::make_blocking(file.fd(), flags).is_ok();
            if is_as_asked {
                Outcome::Done(Ok(file.keep() as usize))
            } else {
                Outcome::Pool
            }
        }
        Answer::Known(Err(error)) => Outcome::Done(Err(error)),
        Answer::Unknown => Outcome::Pool,
    }
}

/// On a worker, after the operation: finds out about the file system, for the next time.
pub(super) fn learn(request: FsRequest) {
    match request.kind() {
        UV_FS_FSTAT => locality::learn(get!(request.file)),
        kind => {
            let follow = kind != UV_FS_LSTAT && kind != UV_FS_READLINK;
            if let Ok(file) = cached::locate(request.path(), follow) {
                locality::learn(file.fd());
            }
        }
    }
}

/// Takes an operation back that was done in place and is still to be told. `UV_EBUSY` if what it
/// did cannot be undone.
pub(super) fn undo(request: FsRequest) -> Result {
    match request.kind() {
        UV_FS_OPEN if get!(request.result) >= 0 => fd::close_quietly(get!(request.result) as c_int),
        UV_FS_READLINK => {
            // SAFETY: null, or allocated by `read_link`, and forgotten below.
            unsafe { alloc::free(get!(request.ptr)) };
        }
        _ => {}
    }
    set!(request.ptr = core::ptr::null_mut());
    Ok(())
}
