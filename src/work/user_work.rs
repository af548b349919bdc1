//! The program's own work on the thread pool.
//!
//! A request is the pool's from `uv_queue_work` until `after_work_cb` is about to run. That
//! happens on the loop's thread, for cancelled work too.
//!
//! <https://docs.libuv.org/en/v1.x/threadpool.html>

use core::ffi::c_int;

use crate::abi::*;
use crate::event_loop::Loop;
use crate::observe::call_back;
use crate::request::Request;
use crate::view::{get, pointee, set, upcast, view};

use super::pooled::{self, Pooled, has_job};

view!(
    /// A request for work.
    Work => uv_work_t
);
has_job!(Work => uv_work_t);

impl Work {
    upcast!(request: Request);
    pointee!(event_loop: Loop = r#loop);

    fn start(self, event_loop: Loop, work: uv_work_cb, after: uv_after_work_cb) {
        self.request().start(event_loop, UV_WORK);
        set!(self.r#loop = event_loop.raw());
        set!(self.work_cb = work);
        set!(self.after_work_cb = after);
        pooled::submit::<Work>(event_loop, self);
    }

    fn invoke_work(self) {
        if let Some(callback) = get!(self.work_cb) {
            // SAFETY: the user's callback gets the request it was given for.
            unsafe { call_back!(Work: callback(self.raw())) }
        }
    }

    fn invoke_after(self, status: c_int) {
        if let Some(callback) = get!(self.after_work_cb) {
            // SAFETY: the user's callback gets the request it was given for, which nothing here
            // touches afterwards.
            unsafe { call_back!(AfterWork: callback(self.raw(), status)) }
        }
    }
}

impl Pooled for Work {
    type Request = Work;

    fn run(work: Work) {
        work.invoke_work();
    }

    fn done(work: Work, status: c_int) {
        work.request().finish(work.event_loop());
        work.invoke_after(status);
    }
}

// C entry points

/// Calls `work_cb` on a thread of the pool, and then `after_work_cb`, which may be `NULL`, on the
/// loop's thread. Its status is 0, or `UV_ECANCELED` if `uv_cancel` came before a thread began the
/// work.
///
/// The pool has four threads unless the environment variable `UV_THREADPOOL_SIZE` sets another
/// number (1 to 1024) when the pool is first used.
///
/// Returns 0, or `UV_EINVAL` when `work_cb` is `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/threadpool.html#c.uv_queue_work>
///
/// # Safety
/// `loop` must be initialised; `req` must stay in place until `after_work_cb` is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_queue_work(
    r#loop: *mut uv_loop_t,
    req: *mut uv_work_t,
    work_cb: uv_work_cb,
    after_work_cb: uv_after_work_cb,
) -> c_int {
    if work_cb.is_none() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { Work::from_ptr(req).start(Loop::from_ptr(r#loop), work_cb, after_work_cb) };
    0
}
