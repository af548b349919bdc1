//! Requests that the pool runs: what it does for each type of them.
//!
//! The pool knows jobs only, and calls two C functions for each. Here those functions are written
//! once, for every type of request.

use core::ffi::{c_int, c_void};

use crate::abi::*;
use crate::event_loop::Loop;
use crate::observe::{self, Event};

use super::pool;
use super::queue::{Done, Job, Kind, Run};

/// A request with a job for the pool, its member `work_req`. [`has_job`] implements it.
///
/// A request stays in place until its callback, so its job does as well.
pub(crate) trait HasJob: Copy {
    /// The job, which is a member of the request.
    fn job(self) -> Job;

    /// The request's address, as C knows it.
    fn address(self) -> *const c_void;

    /// The request that a job is a member of.
    ///
    /// # Safety
    /// The job must be that member of a live request of this type.
    unsafe fn from_job(job: Job) -> Self;

    /// Initialises the job as one that was never submitted, so that it cannot be cancelled.
    fn init_job(self) {
        self.job().init_unused();
    }
}

/// Implements [`HasJob`] for a view: `has_job!(Work => uv_work_t)`.
macro_rules! has_job {
    ($view:ident => $raw:ty) => {
        impl $crate::work::pooled::HasJob for $view {
            fn job(self) -> $crate::work::queue::Job {
                // SAFETY: a member of a live request.
                unsafe { $crate::work::queue::Job::from_ptr($crate::view::addr!(self.work_req)) }
            }

            fn address(self) -> *const core::ffi::c_void {
                self.raw().cast()
            }

            unsafe fn from_job(job: $crate::work::queue::Job) -> $view {
                // SAFETY: the caller vouches for the job.
                unsafe { $view::from_ptr($crate::view::owner!(job.raw(), $raw, work_req)) }
            }
        }
    };
}
pub(crate) use has_job;

/// What the pool does for a request.
pub(crate) trait Pooled {
    type Request: HasJob;

    /// What the job spends its time on.
    const KIND: Kind = Kind::Usual;

    /// Does the job. It is called on a worker, unless the job does not block.
    fn run(request: Self::Request);

    /// Ends the request, on the loop's thread. The status is 0, or `UV_ECANCELED` if the job was
    /// cancelled.
    fn done(request: Self::Request, status: c_int);
}

unsafe extern "C" fn run<P: Pooled>(job: *mut uv__work) {
    // SAFETY: the functions below submit the member of a request of this type.
    P::run(unsafe { P::Request::from_job(Job::from_ptr(job)) });
}

unsafe extern "C" fn done<P: Pooled>(job: *mut uv__work, status: c_int) {
    // SAFETY: the functions below submit the member of a request of this type.
    P::done(unsafe { P::Request::from_job(Job::from_ptr(job)) }, status);
}

/// Submits a request's job: [`Pooled::run`] is called on a worker, and [`Pooled::done`] when the
/// loop polls after that.
pub(crate) fn submit<P: Pooled>(event_loop: Loop, request: P::Request) {
    let (job, address) = (request.job(), request.address());
    submit_job(event_loop, job, address, (P::KIND, run::<P>, done::<P>));
}

#[inline(never)]
fn submit_job(event_loop: Loop, job: Job, request: *const c_void, what: (Kind, Run, Done)) {
    let (kind, run, done) = what;
    job.init(event_loop, kind, run, done);
    observe::report(Event::JobQueued, 0, job.raw(), request.addr());
    pool::submit(event_loop, job);
}

/// Runs a job that cannot block, on this thread, the loop's. [`Pooled::done`] is called when the
/// loop polls.
pub(crate) fn run_at_once<P: Pooled>(event_loop: Loop, request: P::Request) {
    let job = request.job();
    job.init(event_loop, Kind::Usual, run::<P>, done::<P>);
    pool::run_at_once(job);
}

/// Delivers a job that was done on this thread, the loop's. [`Pooled::done`] is called when the
/// loop polls.
pub(crate) fn done_at_once<P: Pooled>(event_loop: Loop, request: P::Request) {
    end_inline(event_loop, request.job(), request.address(), done::<P>);
}

#[inline(never)]
fn end_inline(event_loop: Loop, job: Job, request: *const c_void, done: Done) {
    job.init_done(event_loop, done);
    observe::report(Event::DoneInline, 0, job.raw(), request.addr());
    pool::done_at_once(job);
}
