//! The pool's queue: which job is next. It knows no threads and no locks.
//!
//! Jobs start in the order of their submission, with one exception. Slow ones, such as name
//! lookups, wait for other machines, and may occupy only half of the threads. Those beyond that
//! are deferred: others overtake them, and they go first as soon as they may start.

use core::ffi::c_int;

use crate::abi::*;
use crate::event_loop::Loop;
use crate::list::{List, linked};
use crate::view::{get, set, view};

/// A function that runs a job on a worker.
pub(super) type Run = unsafe extern "C" fn(*mut uv__work);
/// A function that is called on the loop's thread afterwards, with 0 or `UV_ECANCELED`.
pub(super) type Done = unsafe extern "C" fn(*mut uv__work, c_int);

/// What a job spends its time on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Computes, or does I/O on this machine.
    Usual,
    /// Waits for other machines.
    Slow,
}

view!(
    /// A job: the member of a request that the pool uses.
    ///
    /// `work` is set only while the job is queued. `wq` links it in the queue, and later in the
    /// loop's stack of completions. The two low bits of `loop` are zero in the address of any loop,
    /// and one of the pool's marks here.
    Job => uv__work
);
linked!(pub(super) link: Job in uv__work.wq);

/// The job is of the usual kind, or has ended.
const NO_MARK: usize = 0;
/// The job counts as slow. That matters until it is cancelled.
const SLOW_MARK: usize = 1;
/// The job was cancelled.
const CANCELLED_MARK: usize = 2;
/// The job was done inline, and its callback is due.
const DONE_INLINE_MARK: usize = 3;
/// The bits of a job's loop that its mark takes. A job has one mark at a time. On 32-bit x86 a loop's address has no more that are zero.
const MARKS: usize = 3;
const _: () = assert!(align_of::<uv_loop_t>() > MARKS);

impl Job {
    pub(super) fn init(self, event_loop: Loop, kind: Kind, run: Run, done: Done) {
        let mark = match kind {
            Kind::Slow => SLOW_MARK,
            Kind::Usual => NO_MARK,
        };
        set!(self.work = Some(run));
        set!(self.done = Some(done));
        set!(self.r#loop = event_loop.raw());
        self.set_mark(mark);
    }

    /// Initialises a job that was done inline: it is never queued, and only its callback is due.
    pub(super) fn init_done(self, event_loop: Loop, done: Done) {
        set!(self.work = None);
        set!(self.done = Some(done));
        set!(self.r#loop = event_loop.raw());
        self.set_mark(DONE_INLINE_MARK);
    }

    /// Initialises a job that is neither queued nor done.
    pub(super) fn init_unused(self) {
        set!(self.work = None);
        set!(self.r#loop = core::ptr::null_mut());
    }

    fn mark(self) -> usize {
        get!(self.r#loop).addr() & MARKS
    }

    fn set_mark(self, mark: usize) {
        set!(self.r#loop = get!(self.r#loop).map_addr(|address| address & !MARKS | mark));
    }

    pub(super) fn is_slow(self) -> bool {
        self.mark() == SLOW_MARK
    }

    pub(super) fn is_cancelled(self) -> bool {
        self.mark() == CANCELLED_MARK
    }

    pub(super) fn mark_cancelled(self) {
        self.set_mark(CANCELLED_MARK);
    }

    pub(super) fn is_done_inline(self) -> bool {
        self.mark() == DONE_INLINE_MARK
    }

    /// Ends the job, whose callback is about to run; returns whether it was cancelled. Clears the
    /// mark.
    pub(super) fn end(self) -> bool {
        let was_cancelled = self.is_cancelled();
        self.set_mark(NO_MARK);
        was_cancelled
    }

    pub(super) fn event_loop(self) -> Loop {
        let event_loop = get!(self.r#loop).map_addr(|address| address & !MARKS);
        // SAFETY: a loop outlives its jobs.
        unsafe { Loop::from_ptr(event_loop) }
    }

    pub(super) fn is_queued(self) -> bool {
        get!(self.work).is_some()
    }

    /// Takes what to run; from here on the job is not queued. `None` if it was not.
    pub(super) fn take_work(self) -> Option<Run> {
        let work = get!(self.work);
        set!(self.work = None);
        work
    }
}

/// The queue. It must stay in place from [`Queue::start`] on, since jobs link to it.
#[repr(C)]
pub(super) struct Queue {
    waiting: uv__queue,
    /// Slow jobs that may not start yet, each older than any in `waiting`.
    deferred: uv__queue,
    /// The number of queued jobs that are not slow.
    others: usize,
    /// The number of queued slow jobs, deferred or not.
    slow: usize,
    slow_running: usize,
    /// The number of jobs that were taken and are not finished.
    running: usize,
    slow_limit: usize,
    /// There is one thread, on which slow jobs and others take turns.
    takes_turns: bool,
    last_was_slow: bool,
}

impl Queue {
    pub(super) const fn new() -> Queue {
        const UNLINKED: uv__queue = uv__queue {
            next: core::ptr::null_mut(),
            prev: core::ptr::null_mut(),
        };
        Queue {
            waiting: UNLINKED,
            deferred: UNLINKED,
            others: 0,
            slow: 0,
            slow_running: 0,
            running: 0,
            slow_limit: 0,
            takes_turns: false,
            last_was_slow: false,
        }
    }

    /// Makes it an empty queue for a pool of `threads` threads.
    pub(super) fn start(&mut self, threads: usize) {
        *self = Queue::new();
        self.slow_limit = threads.div_ceil(2);
        self.takes_turns = threads == 1;
        self.waiting().init();
        self.deferred().init();
    }

    fn waiting(&mut self) -> List<Job> {
        // SAFETY: the head stays in place, and outlives the view, which no caller keeps.
        unsafe { List::from_ptr(&raw mut self.waiting) }
    }

    fn deferred(&mut self) -> List<Job> {
        // SAFETY: as `waiting`.
        unsafe { List::from_ptr(&raw mut self.deferred) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.others + self.slow == 0
    }

    /// The number of queued jobs that could start now, given enough threads.
    pub(super) fn runnable(&self) -> usize {
        let room = self.slow_limit.saturating_sub(self.slow_running);
        self.others + self.slow.min(room)
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn push(&mut self, job: Job) {
        self.waiting().push_back(job);
        *self.count(job) += 1;
    }

    /// Removes a queued job.
    pub(super) fn remove(&mut self, job: Job) {
        job.link().remove();
        *self.count(job) -= 1;
    }

    /// Whether a job is queued here.
    pub(super) fn contains(&mut self, job: Job) -> bool {
        [self.waiting(), self.deferred()]
            .into_iter()
            .any(|list| list.iter().any(|queued| queued == job))
    }

    /// Takes the next job that may start. When it is done, the caller calls [`Queue::finished`].
    pub(super) fn take(&mut self) -> Option<Job> {
        if self.may_start_slow() {
            if let Some(job) = self.deferred().pop_front() {
                return Some(self.taken(job));
            }
        }
        while let Some(job) = self.waiting().pop_front() {
            if !job.is_slow() || self.may_start_slow() {
                return Some(self.taken(job));
            }
            self.deferred().push_back(job);
        }
        None
    }

    pub(super) fn finished(&mut self, was_slow: bool) {
        // A forked child may return from a job that began before the queue was emptied.
        self.running = self.running.saturating_sub(1);
        if was_slow {
            self.slow_running = self.slow_running.saturating_sub(1);
        }
    }

    fn taken(&mut self, job: Job) -> Job {
        *self.count(job) -= 1;
        self.last_was_slow = job.is_slow();
        self.running += 1;
        if job.is_slow() {
            self.slow_running += 1;
        }
        job
    }

    fn may_start_slow(&self) -> bool {
        let is_others_turn = self.takes_turns && self.last_was_slow && self.others > 0;
        self.slow_running < self.slow_limit && !is_others_turn
    }

    fn count(&mut self, job: Job) -> &mut usize {
        if job.is_slow() {
            &mut self.slow
        } else {
            &mut self.others
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn run(_: *mut uv__work) {}
    unsafe extern "C" fn done(_: *mut uv__work, _: c_int) {}

    /// Jobs of the kinds in the text: `s` is slow, anything else is not.
    fn jobs(kinds: &str) -> std::vec::Vec<uv__work> {
        let event_loop = core::ptr::NonNull::<uv_loop_t>::dangling().as_ptr();
        let unused = uv__work {
            work: None,
            done: None,
            r#loop: core::ptr::null_mut(),
            wq: crate::list::head(),
        };
        let mut all = std::vec![unused; kinds.len()];
        for (memory, kind) in all.iter_mut().zip(kinds.chars()) {
            let kind = match kind {
                's' => Kind::Slow,
                _ => Kind::Usual,
            };
            // SAFETY: live for the call; the loop's address is never dereferenced.
            unsafe {
                Job::from_ptr(&raw mut *memory).init(Loop::from_ptr(event_loop), kind, run, done)
            };
        }
        all
    }

    struct Fixture {
        queue: std::boxed::Box<Queue>,
        memory: std::vec::Vec<uv__work>,
    }

    impl Fixture {
        fn new(threads: usize, kinds: &str) -> Fixture {
            let mut fixture = Fixture {
                queue: std::boxed::Box::new(Queue::new()),
                memory: jobs(kinds),
            };
            fixture.queue.start(threads);
            for index in 0..fixture.memory.len() {
                let job = fixture.job(index);
                fixture.queue.push(job);
            }
            fixture
        }

        fn job(&mut self, index: usize) -> Job {
            // SAFETY: the fixture keeps the memory in place.
            unsafe { Job::from_ptr(&raw mut self.memory[index]) }
        }

        fn take(&mut self) -> Option<usize> {
            let job = self.queue.take()?;
            let base = self.memory.as_ptr();
            // SAFETY: every job is an element of the vector.
            Some(unsafe { job.raw().cast_const().offset_from(base) } as usize)
        }

        fn take_all(&mut self) -> std::vec::Vec<usize> {
            core::iter::from_fn(|| self.take()).collect()
        }
    }

    #[test]
    fn jobs_start_in_order() {
        let mut fixture = Fixture::new(8, "csccsc");
        assert_eq!(fixture.queue.runnable(), 6);
        assert_eq!(fixture.take_all(), [0, 1, 2, 3, 4, 5]);
        assert!(fixture.queue.is_empty());
    }

    #[test]
    fn slow_jobs_are_deferred_and_then_go_first() {
        let mut fixture = Fixture::new(4, "ssssccs");
        assert_eq!(fixture.queue.runnable(), 4);
        assert_eq!(fixture.take_all(), [0, 1, 4, 5]);
        assert_eq!(fixture.queue.runnable(), 0);
        fixture.queue.finished(false);
        assert_eq!(fixture.take(), None);
        fixture.queue.finished(true);
        assert_eq!(fixture.queue.runnable(), 1);
        assert_eq!(fixture.take_all(), [2]);
        fixture.queue.finished(true);
        fixture.queue.finished(true);
        assert_eq!(fixture.take_all(), [3, 6]);
        assert!(fixture.queue.is_empty());
    }

    #[test]
    fn a_single_thread_takes_turns() {
        let mut fixture = Fixture::new(1, "ssscc");
        let mut order = std::vec::Vec::new();
        while let Some(index) = fixture.take() {
            order.push(index);
            let was_slow = fixture.job(index).is_slow();
            fixture.queue.finished(was_slow);
        }
        assert_eq!(order, [0, 3, 1, 4, 2]);
    }

    #[test]
    fn removal_works_wherever_the_job_is() {
        let mut fixture = Fixture::new(2, "ssscsc");
        assert_eq!(fixture.take_all(), [0, 3, 5]);
        for index in [1, 4, 2] {
            let job = fixture.job(index);
            fixture.queue.remove(job);
        }
        assert!(fixture.queue.is_empty());
        fixture.queue.finished(true);
        assert_eq!(fixture.take(), None);
    }

    #[test]
    fn marks_do_not_disturb_the_loop() {
        let mut memory = jobs("s");
        // SAFETY: the vector keeps the memory in place.
        let job = unsafe { Job::from_ptr(&raw mut memory[0]) };
        let event_loop = job.event_loop();
        assert!(job.is_slow() && !job.is_cancelled());
        job.mark_cancelled();
        assert!(job.is_cancelled() && !job.is_done_inline() && job.event_loop() == event_loop);
        assert!(job.end() && !job.is_cancelled() && !job.is_slow());
        assert!(job.event_loop() == event_loop);
        assert!(job.is_queued() && job.take_work().is_some() && !job.is_queued());
    }
}
