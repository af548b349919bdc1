//! How an operation is started, where it is done, and by whom.

use core::ffi::c_int;

use super::in_place::{self, Outcome};
use super::request::FsRequest;
use super::{attributes, copy, directories, files, names, status, times};
use crate::abi::*;
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;
use crate::panic::keep_frame;
use crate::view::{addr, owner};
use crate::work::pool::{self, Kind, Run};

/// Starts an operation: `fill` gives the request its arguments.
///
/// Returns what the entry point does: for a synchronous call its result, otherwise 0; or the error
/// that kept it from starting, such as `UV_EINVAL` for a null pointer.
///
/// # Safety
/// `on` must be null or an initialised loop of this thread's, `req` null or memory for a request
/// that stays in place until the callback.
pub(super) unsafe fn start(
    on: *mut uv_loop_t,
    req: *mut uv_fs_t,
    kind: uv_fs_type,
    callback: uv_fs_cb,
    fill: impl FnOnce(FsRequest) -> Result,
) -> c_int {
    if req.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller vouches for the pointer.
    let request = unsafe { FsRequest::from_ptr(req) };
    request.init(on, kind, callback);
    if callback.is_some() && on.is_null() {
        request.set_result(Err(Errno::EINVAL));
        return UV_EINVAL;
    }
    let result = match fill(request) {
        Ok(()) => dispatch(request),
        Err(error) => {
            request.set_result(Err(error));
            error.code()
        }
    };
    keep_frame();
    result
}

/// The one place that decides where an operation is done: without a callback here, before the call
/// returns. With one, in place if the kernel can answer without waiting, and otherwise on a thread
/// of the pool, for a file may be on a disk that is slow, or on a server that does not answer. In
/// both cases the callback follows from the loop.
fn dispatch(request: FsRequest) -> c_int {
    if request.is_synchronous() {
        perform(request);
        request.release_buffers();
        return request.result_code();
    }
    let on = request.activate();
    let work = addr!(request.work_req);
    match in_place::attempt(request, on) {
        Outcome::Done(outcome) => {
            request.set_result(outcome);
            // SAFETY: the request stays in place until its callback, and so does its member.
            unsafe { pool::done_at_once(on, work, done) };
        }
        Outcome::Pool => submit(request, on, run),
        Outcome::PoolAndLearn => submit(request, on, run_and_learn),
    }
    0
}

fn submit(request: FsRequest, on: Loop, run: Run) {
    // SAFETY: the request stays in place until its callback, and so does its member.
    unsafe { pool::submit(on, addr!(request.work_req), Kind::Fast, run, done) };
}

/// Takes a request back that no worker has begun with, or that was done in place and is still to
/// be told.
///
/// # Safety
/// `req` must be a request that was given to one of the `uv_fs_…` functions.
pub(crate) unsafe fn cancel(req: *mut uv_fs_t) -> Result {
    // SAFETY: the caller vouches for the pointer.
    let request = unsafe { FsRequest::from_ptr(req) };
    if request.is_synchronous() {
        // Done before anybody could cancel it.
        return Err(Errno::EBUSY);
    }
    // SAFETY: an asynchronous request was submitted as that member.
    unsafe { pool::cancel(addr!(request.work_req), || in_place::undo(request)) }
}

/// On a worker.
unsafe extern "C" fn run(job: *mut uv__work) {
    // SAFETY: submitted as that member of a live request.
    perform(unsafe { FsRequest::from_ptr(owner!(job, uv_fs_t, work_req)) });
}

/// The same, and finds out about the file system.
unsafe extern "C" fn run_and_learn(job: *mut uv__work) {
    // SAFETY: submitted as that member of a live request.
    let request = unsafe { FsRequest::from_ptr(owner!(job, uv_fs_t, work_req)) };
    perform(request);
    in_place::learn(request);
}

/// On the loop's thread.
unsafe extern "C" fn done(job: *mut uv__work, status: c_int) {
    // SAFETY: submitted as that member of a live request.
    let request = unsafe { FsRequest::from_ptr(owner!(job, uv_fs_t, work_req)) };
    if status != 0 {
        request.set_result(Err(Errno::from_code(status)));
    }
    request.finish();
}

/// Does the operation in this thread, and leaves its outcome in the request.
fn perform(request: FsRequest) {
    let outcome = operation(request.kind())(request);
    request.set_result(outcome);
}

type Operation = fn(FsRequest) -> Result<usize>;

fn operation(kind: uv_fs_type) -> Operation {
    match kind {
        UV_FS_OPEN => files::open,
        UV_FS_CLOSE => files::close,
        UV_FS_READ => files::read,
        UV_FS_WRITE => files::write,
        UV_FS_SENDFILE => copy::sendfile,
        UV_FS_STAT => status::stat,
        UV_FS_LSTAT => status::lstat,
        UV_FS_FSTAT => status::fstat,
        UV_FS_FTRUNCATE => files::ftruncate,
        UV_FS_UTIME => times::utime,
        UV_FS_FUTIME => times::futime,
        UV_FS_ACCESS => attributes::access,
        UV_FS_CHMOD => attributes::chmod,
        UV_FS_FCHMOD => attributes::fchmod,
        UV_FS_FSYNC => files::fsync,
        UV_FS_FDATASYNC => files::fdatasync,
        UV_FS_UNLINK => names::unlink,
        UV_FS_RMDIR => directories::rmdir,
        UV_FS_MKDIR => directories::mkdir,
        UV_FS_MKDTEMP => directories::mkdtemp,
        UV_FS_RENAME => names::rename,
        UV_FS_SCANDIR => directories::scandir,
        UV_FS_LINK => names::link,
        UV_FS_SYMLINK => names::symlink,
        UV_FS_READLINK => names::readlink,
        UV_FS_CHOWN => attributes::chown,
        UV_FS_FCHOWN => attributes::fchown,
        UV_FS_REALPATH => names::realpath,
        UV_FS_COPYFILE => copy::copyfile,
        UV_FS_LCHOWN => attributes::lchown,
        UV_FS_OPENDIR => directories::opendir,
        UV_FS_READDIR => directories::readdir,
        UV_FS_CLOSEDIR => directories::closedir,
        UV_FS_STATFS => status::statfs,
        UV_FS_MKSTEMP => files::mkstemp,
        UV_FS_LUTIME => times::lutime,
        _ => |_| Err(Errno::ENOSYS),
    }
}
