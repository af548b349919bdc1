//! Starts operations, and decides where each one is done: within the call, inline or by the pool.

use core::ffi::c_int;

use super::changes;
use super::inline::{self, Outcome};
use super::operation::Operation;
use super::request::FsRequest;
use crate::abi::*;
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;
use crate::panic::keep_frame;
use crate::view::{addr, owner};
use crate::work::pool::{self, Kind, Run};

/// Starts an operation: `fill` gives the request its arguments.
///
/// Returns what the entry point returns: for a synchronous call its result, otherwise 0. An error
/// that prevents the start is returned as well, such as `UV_EINVAL` for a null pointer.
///
/// # Safety
/// `event_loop` must be null or an initialised loop of this thread's, `req` null or memory for a
/// request that stays in place until the callback.
pub(super) unsafe fn start<O: Operation>(
    event_loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    callback: uv_fs_cb,
    fill: impl FnOnce(FsRequest) -> Result,
) -> c_int {
    if req.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller vouches for the pointer.
    let request = unsafe { FsRequest::from_ptr(req) };
    request.init(event_loop, O::KIND, callback);
    if callback.is_some() && event_loop.is_null() {
        request.set_result(Err(Errno::EINVAL));
        return UV_EINVAL;
    }
    let result = match fill(request) {
        Ok(()) => dispatch::<O>(request),
        Err(error) => {
            request.set_result(Err(error));
            error.code()
        }
    };
    keep_frame();
    result
}

/// Decides where an operation is done. Without a callback it is done here, before the call returns.
/// With one it is done inline if the kernel can answer without waiting, and otherwise by the pool:
/// a disk may be slow, a server may not answer. In both cases the callback comes from the loop.
fn dispatch<O: Operation>(request: FsRequest) -> c_int {
    if request.is_synchronous() {
        request.set_result(O::perform(request));
        request.release_buffers();
        return request.result_code();
    }
    let event_loop = request.activate();
    match inline::attempt::<O>(request, event_loop) {
        Outcome::Done(outcome) => {
            request.set_result(outcome);
            // SAFETY: the request stays in place until its callback, and so does its member.
            unsafe { pool::done_at_once(event_loop, addr!(request.work_req), done::<O>) };
        }
        Outcome::Pool => submit::<O>(request, event_loop, run::<O>),
        Outcome::PoolAndLearn => submit::<O>(request, event_loop, run_and_learn::<O>),
    }
    0
}

fn submit<O: Operation>(request: FsRequest, event_loop: Loop, run: Run) {
    if O::changes(request) {
        changes::begin();
    }
    // SAFETY: the request stays in place until its callback, and so does its member.
    unsafe {
        pool::submit(
            event_loop,
            addr!(request.work_req),
            Kind::Usual,
            run,
            done::<O>,
        )
    };
}

/// The request that a job is part of.
///
/// # Safety
/// `job` must be the member of a live request.
unsafe fn request_of(job: *mut uv__work) -> FsRequest {
    // SAFETY: the caller vouches for the pointer.
    unsafe { FsRequest::from_ptr(owner!(job, uv_fs_t, work_req)) }
}

/// Does the operation on a worker.
unsafe extern "C" fn run<O: Operation>(job: *mut uv__work) {
    // SAFETY: submitted as that member.
    let request = unsafe { request_of(job) };
    request.set_result(O::perform(request));
    if O::changes(request) {
        changes::end();
    }
}

/// Does the operation on a worker, and then learns about the file system. For operations that
/// change nothing.
unsafe extern "C" fn run_and_learn<O: Operation>(job: *mut uv__work) {
    // SAFETY: submitted as that member.
    let request = unsafe { request_of(job) };
    request.set_result(O::perform(request));
    inline::learn::<O>(request);
}

/// Finishes the request on the loop's thread.
unsafe extern "C" fn done<O: Operation>(job: *mut uv__work, status: c_int) {
    // SAFETY: submitted as that member.
    let request = unsafe { request_of(job) };
    if status != 0 {
        // It was cancelled.
        if O::changes(request) {
            changes::end();
        }
        request.set_result(Err(Errno::from_code(status)));
    }
    request.finish();
}
