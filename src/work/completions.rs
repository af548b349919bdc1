//! Completions: finished jobs whose callbacks are due.
//!
//! Workers push them to a lock-free stack of the loop, linked by each job's `wq.next`.
//! Jobs that were done inline are in a list of the loop, behind those that were on the stack
//! before. When the loop polls, it calls back for both, in the order in which the jobs were
//! finished.

use core::ffi::c_int;
use core::sync::atomic::Ordering::SeqCst;

use super::queue::Job;
use crate::abi::*;
use crate::event_loop::Loop;
use crate::list::{self, Link, Linked, List, local};
use crate::observe::{self, Event};
use crate::sys::shared::AtomicPtr;
use crate::view::get;

fn stack<'a>(event_loop: Loop) -> &'a AtomicPtr<uv__queue> {
    event_loop.asyncs().completions()
}

impl Loop {
    /// Jobs that were done inline, and whose callbacks are due.
    pub(crate) fn inline_completions(self) -> List<Job> {
        // SAFETY: the head stays in place while the loop is initialised, and links jobs only.
        unsafe { List::from_ptr(self.inline_completions_head()) }
    }
}

pub(super) fn loop_init(event_loop: Loop) {
    stack(event_loop).store(core::ptr::null_mut(), SeqCst);
}

/// Whether there is a completion.
#[inline]
pub(crate) fn any(event_loop: Loop) -> bool {
    !event_loop.inline_completions().is_empty() || !stack(event_loop).load(SeqCst).is_null()
}

/// Delivers a completion to its loop, from any thread. The loop may be gone when this returns,
/// since it is pinned only until it is woken.
pub(super) fn deliver(job: Job) {
    let event_loop = job.event_loop();
    event_loop.asyncs().pin(|asyncs| {
        let link = job.link().raw();
        let mut top = stack(event_loop).load(SeqCst);
        loop {
            // SAFETY: the job is this thread's until it is on the stack.
            unsafe { (*link).next = top };
            // This releases the link, what the job did, and the pin; `take_completions` acquires
            // them. That it is sequentially consistent is for the look at the loop's state in `wake`
            // (`event_loop/wakeup.rs`).
            match stack(event_loop).compare_exchange_weak(top, link, SeqCst, SeqCst) {
                Ok(_) => break,
                Err(other) => top = other,
            }
        }
        if asyncs.wake() {
            observe::report(Event::LoopWoken, 0, event_loop.raw(), 0);
        }
    });
}

/// Delivers a job that was done inline; its callback runs when the loop polls. The completions
/// that are on the stack by now go before it.
pub(super) fn deliver_inline(job: Job) {
    let event_loop = job.event_loop();
    take_completions(event_loop, event_loop.inline_completions());
    event_loop.inline_completions().push_back(job);
    // A program may wait for the loop's descriptor instead of running the loop.
    event_loop.asyncs().wake();
}

/// Runs the callbacks of the completions that are there now; returns how many.
pub(crate) fn deliver_all(event_loop: Loop) -> u64 {
    local!(todo);
    event_loop.inline_completions().take(todo);
    take_completions(event_loop, todo);
    let mut count = 0;
    while let Some(job) = todo.pop_front() {
        let status = if job.end() { UV_ECANCELED } else { 0 };
        count += 1;
        // Each is an event, and counted before its callback, which sees the count.
        event_loop.metrics().count_events(1);
        invoke_done(job, status);
    }
    count
}

/// Moves the completions of workers to the end of `into`, the oldest first.
fn take_completions(event_loop: Loop, into: List<Job>) {
    if stack(event_loop).load(SeqCst).is_null() {
        return;
    }
    // This acquires what all workers have released that are on the stack: each push reads the one
    // before.
    let mut link = stack(event_loop).swap(core::ptr::null_mut(), SeqCst);
    let mut newest = None;
    while !link.is_null() {
        // SAFETY: links on the stack are those of live jobs, and this thread's since the swap.
        let job = unsafe { Job::member(Link::from_ptr(link)) };
        // SAFETY: as above.
        link = unsafe { (*link).next };
        // The stack's top is the latest: each goes before the one that was put in last.
        match newest {
            Some(newest) => list::insert_before(newest, job),
            None => into.push_back(job),
        }
        newest = Some(job);
    }
}

fn invoke_done(job: Job, status: c_int) {
    if let Some(done) = get!(job.done) {
        // SAFETY: the submitter's function gets back the pointer that was submitted, and nothing
        // here touches the job afterwards.
        unsafe { done(job.raw(), status) }
    }
}
