//! The pool: jobs, their completions, and how workers are woken.

use core::ffi::c_int;

use uv::abi::*;

use super::parts::{Shared, Watch, close_loop, new_loop, place, run};

type After = unsafe extern "C" fn(*mut uv_work_t, c_int);

/// A job as the loop's thread sees it.
#[derive(Clone, Copy)]
struct Job {
    raw: *mut uv_work_t,
    watch: Shared<Watch>,
}

impl Job {
    fn new() -> Job {
        let job = Job {
            raw: place(),
            watch: Watch::new(),
        };
        // SAFETY: memory for a request.
        unsafe { (*job.raw).data = job.watch.raw().cast() };
        job
    }

    fn queue(self, event_loop: *mut uv_loop_t, after: After) {
        // SAFETY: memory for a request, and a loop of this thread.
        let result = unsafe { uv::uv_queue_work(event_loop, self.raw, Some(work), Some(after)) };
        assert_eq!(result, 0);
    }
}

unsafe extern "C" fn work(request: *mut uv_work_t) {
    // SAFETY: what `new` has set.
    unsafe { Shared::<Watch>::from_raw((*request).data) }.write();
}

unsafe extern "C" fn check(request: *mut uv_work_t, status: c_int) {
    assert_eq!(status, 0);
    // SAFETY: what `new` has set.
    let watch = unsafe { Shared::<Watch>::from_raw((*request).data) };
    watch.called();
    watch.check();
}

/// The data is there if and only if the job was not cancelled.
unsafe extern "C" fn check_cancelled(request: *mut uv_work_t, status: c_int) {
    // SAFETY: what `new` has set.
    let watch = unsafe { Shared::<Watch>::from_raw((*request).data) };
    watch.called();
    let is_cancelled = watch.has_flag(0);
    assert_eq!(status, if is_cancelled { UV_ECANCELED } else { 0 });
    if !is_cancelled {
        watch.check();
    }
}

/// Queues the same job once more.
unsafe extern "C" fn queue_again(request: *mut uv_work_t, status: c_int) {
    // SAFETY: the library passes the request that is done, with what `new` has set.
    unsafe {
        check(request, status);
        let event_loop = (*request).r#loop;
        let result = uv::uv_queue_work(event_loop, request, Some(work), Some(check));
        assert_eq!(result, 0);
    }
}

fn set_threads(count: &str) {
    // SAFETY: all threads of a model are one thread of the system.
    unsafe { std::env::set_var("UV_THREADPOOL_SIZE", count) };
}

/// Runs the loop to its end, closes it while workers may still be about to, and ends them.
fn finish(event_loop: *mut uv_loop_t) {
    assert_eq!(run(event_loop, UV_RUN_DEFAULT), 0);
    close_loop(event_loop);
    uv::uv_library_shutdown();
}

/// A completion wakes the loop. Its callback is the last; the loop is closed and freed then.
pub fn one() {
    set_threads("1");
    let event_loop = new_loop();
    let job = Job::new();
    job.queue(event_loop, check);
    finish(event_loop);
    assert_eq!(job.watch.calls.get(), 1);
}

/// A worker is woken by a job that comes while it is about to block.
pub fn one_after_another() {
    set_threads("1");
    let event_loop = new_loop();
    let job = Job::new();
    job.queue(event_loop, queue_again);
    finish(event_loop);
    assert_eq!(job.watch.calls.get(), 2);
}

/// Two workers deliver at once.
pub fn two_workers() {
    set_threads("2");
    let event_loop = new_loop();
    let jobs = [Job::new(), Job::new()];
    for job in jobs {
        job.queue(event_loop, check);
    }
    finish(event_loop);
    assert_eq!(jobs.map(|job| job.watch.calls.get()), [1, 1]);
}

/// A job is cancelled, or a worker has begun it. Its callback runs once either way.
pub fn cancel() {
    set_threads("1");
    let event_loop = new_loop();
    let job = Job::new();
    job.queue(event_loop, check_cancelled);
    // SAFETY: the request is submitted.
    match unsafe { uv::uv_cancel(job.raw.cast()) } {
        0 => job.watch.set_flag(0),
        error => assert_eq!(error, UV_EBUSY),
    }
    finish(event_loop);
    assert_eq!(job.watch.calls.get(), 1);
}
