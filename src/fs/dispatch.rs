//! Starts operations, and decides where each one is done: within the call, inline or by the pool.

use core::ffi::c_int;
use core::marker::PhantomData;

use super::changes;
use super::inline::{self, Outcome};
use super::operation::Operation;
use super::request::FsRequest;
use crate::abi::*;
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;
use crate::panic::keep_frame;
use crate::work::pooled::{self, Pooled};

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
        return request.finish_synchronous(O::perform(request));
    }
    let event_loop = request.activate();
    match inline::attempt::<O>(request, event_loop) {
        Outcome::Done(outcome) => {
            request.set_result(outcome);
            pooled::done_at_once::<O>(event_loop, request);
        }
        Outcome::Pool => submit::<O, O>(request, event_loop),
        Outcome::PoolAndLearn => submit::<O, Learning<O>>(request, event_loop),
    }
    0
}

fn submit<O: Operation, P: Pooled<Request = FsRequest>>(request: FsRequest, event_loop: Loop) {
    if O::changes(request) {
        changes::begin();
    }
    pooled::submit::<P>(event_loop, request);
}

impl<O: Operation> Pooled for O {
    type Request = FsRequest;

    fn run(request: FsRequest) {
        request.set_result(O::perform(request));
        if O::changes(request) {
            changes::end();
        }
    }

    fn done(request: FsRequest, status: c_int) {
        if status != 0 {
            // It was cancelled.
            if O::changes(request) {
                changes::end();
            }
            request.set_result(Err(Errno::from_code(status)));
        }
        request.finish();
    }
}

/// An operation that changes nothing. The worker learns about the file system after it.
struct Learning<O>(PhantomData<O>);

impl<O: Operation> Pooled for Learning<O> {
    type Request = FsRequest;

    fn run(request: FsRequest) {
        request.set_result(O::perform(request));
        inline::learn(O::inline_target(request));
    }

    fn done(request: FsRequest, status: c_int) {
        <O as Pooled>::done(request, status);
    }
}
