//! The thread pool: one for the process, used by all loops.
//!
//! The first job starts it. Its submitter makes one worker, and that worker makes the others, up
//! to the smaller of four and `UV_THREADPOOL_SIZE`. Beyond four, a worker makes another one before
//! it begins a job that would leave none idle. So all workers have the affinity, priority, signal
//! mask, identity and sandbox of the moment of the first job, whatever thread submits later.
//! Threads stay until the process exits, or unloads the library.
//!
//! A submission wakes an idle worker, unless enough workers are about to ask for a job. Those were
//! woken, or are about to finish another job, or spin. So never more workers are woken than there
//! are jobs. At most one worker spins before it blocks (`spin/`).
//!
//! A forked child starts without a pool: nothing here may depend on a thread that the child does
//! not have. Jobs that the parent's pool had not finished are not done in the child.
//!
//! <https://docs.libuv.org/en/v1.x/threadpool.html>

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::AtomicU16;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::abi::*;
use crate::async_handle::Async;
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;
use crate::observe::{self, Event};
use crate::spin::{self, Spun, Waiter};
use crate::sys::clock;
use crate::sys::lock::QuickLock;
use crate::sys::shared::{AtomicBool, AtomicUsize};
use crate::system::settings::leading_number;
use crate::view::{member, owner};

use super::queue::{Job, Queue, Run};
use super::{completions, worker};

/// The number of jobs that the pool takes before it asks the system for a thread again, after the
/// system refused one. Asking costs as much as a hundred short jobs.
const THREAD_RETRY_JOBS: u32 = 1000;
/// The number of threads by default, and of those made with the first job, as in libuv.
const DEFAULT_THREADS: usize = 4;

/// The state of the pool, which its lock protects. What each job needs comes first, in few cache
/// lines: each submission moves them between processors.
#[repr(C)]
struct State {
    queue: Queue,
    /// The maximal number of threads; 0 before the pool has started.
    size: usize,
    /// The number of threads that were made.
    threads: usize,
    /// The blocked workers are a ring; this is where the one is that has blocked longest.
    longest_blocked: usize,
    blocked_count: usize,
    /// The number of workers that were made or woken and have not asked for a job yet.
    waking: usize,
    /// The value of [`HINTS`].
    hints_shown: usize,
    /// Whether a worker spins, waiting for a job.
    has_spinner: bool,
    waiter: Waiter,
    /// The number of jobs to be taken before the system is asked for a thread again.
    jobs_until_retry: u32,
    stopping: bool,
}

/// The numbers of the blocked workers, a ring. It is written with the pool locked. It is not in
/// [`State`], whose few cache lines each submission moves between processors. Zeros at first, it
/// takes no room in the file, nor memory before it is used.
static BLOCKED: [AtomicU16; worker::MAX_WORKERS] =
    [const { AtomicU16::new(0) }; worker::MAX_WORKERS];
/// The workers' threads, by number. It is written with the pool locked, and stands beside the state
/// for the reasons that [`BLOCKED`] has.
static THREADS: [AtomicUsize; worker::MAX_WORKERS] =
    [const { AtomicUsize::new(0) }; worker::MAX_WORKERS];

/// Aligned to a cache line, in which processors move memory.
#[repr(C, align(64))]
struct Pool {
    lock: QuickLock,
    /// The number of workers that deliver a completion and will then ask for a job. A loop that
    /// spins submits its next job before the worker is back. It is decremented with the lock only.
    returning: AtomicUsize,
    state: UnsafeCell<State>,
}

// SAFETY: the state is reached through `Guard` only, which holds the lock.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool {
    lock: QuickLock::new(),
    returning: AtomicUsize::new(0),
    state: UnsafeCell::new(State::new()),
};

/// Whether there ever was a job. Most processes end without one, and touch no memory of the pool.
static HAS_STARTED: AtomicBool = AtomicBool::new(false);
/// Whether this process is a forked child, and may have jobs of its parent's pool.
static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// What threads read of the pool without its lock: [`hints`]. A thread that changes the state
/// writes it before it unlocks. A thread that reads an old value, as ARM and POWER allow for some
/// time, decides nothing wrong by it: what depends on the state is checked again with the lock.
static HINTS: Hints = Hints(AtomicUsize::new(0));

/// Alone in its cache line: a thread that spins reads it all the time.
#[repr(align(64))]
struct Hints(AtomicUsize);

/// The bits of [`HINTS`].
mod hints {
    /// Jobs are queued and there is no thread, so loops have to do them.
    pub(super) const HAS_NO_THREAD: usize = 1;
    /// A queued job could start.
    pub(super) const CAN_START: usize = 2;
    /// One thread does all jobs, in the order of their submission, and there are some.
    pub(super) const HAS_ORDERED_JOBS: usize = 4;
}

fn has_hint(bit: usize) -> bool {
    HINTS.0.load(SeqCst) & bit != 0
}

/// Access to the state, with the pool locked while this lives. Nothing calls into C meanwhile.
struct Guard(());

impl Guard {
    fn lock() -> Guard {
        if POOL.lock.acquire().is_err() {
            crate::panic::misuse("the thread pool's lock is broken");
        }
        Guard(())
    }
}

impl Deref for Guard {
    type Target = State;
    fn deref(&self) -> &State {
        // SAFETY: this thread holds the lock.
        unsafe { &*POOL.state.get() }
    }
}

impl DerefMut for Guard {
    fn deref_mut(&mut self) -> &mut State {
        // SAFETY: this thread holds the lock, and has but one guard.
        unsafe { &mut *POOL.state.get() }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let hints = self.hints();
        if self.hints_shown != hints {
            self.hints_shown = hints;
            HINTS.0.store(hints, SeqCst);
        }
        // SAFETY: this thread holds the lock.
        unsafe { POOL.lock.release() };
    }
}

/// What a submission has to do after the lock is released.
enum Next {
    Nothing,
    Wake(usize),
    /// There is no thread, and none can be made.
    RunOnLoop,
}

impl State {
    const fn new() -> State {
        State {
            queue: Queue::new(),
            size: 0,
            threads: 0,
            longest_blocked: 0,
            blocked_count: 0,
            waking: 0,
            hints_shown: 0,
            has_spinner: false,
            waiter: Waiter::new(),
            jobs_until_retry: 0,
            stopping: false,
        }
    }

    /// Resets the state to before the first job, without touching memory that was never used.
    fn reset(&mut self) {
        self.size = 0;
        self.queue.start(0);
        self.threads = 0;
        self.blocked_count = 0;
        self.waking = 0;
        self.has_spinner = false;
        self.waiter = Waiter::new();
        self.jobs_until_retry = 0;
        self.stopping = false;
    }

    fn start(&mut self) {
        if self.size == 0 {
            self.size = size_from_environment();
            HAS_STARTED.store(true, SeqCst);
            self.queue.start(self.size);
        }
    }

    fn hints(&self) -> usize {
        let is_empty = self.queue.is_empty();
        let has_jobs = self.queue.running() > 0 || !is_empty;
        let bit = |bit: usize, is_set: bool| if is_set { bit } else { 0 };
        bit(hints::HAS_NO_THREAD, self.threads == 0 && !is_empty)
            | bit(hints::CAN_START, self.queue.runnable() > 0)
            | bit(hints::HAS_ORDERED_JOBS, self.size == 1 && has_jobs)
    }

    /// Takes a blocked worker, unless enough are about to ask for a job, or makes the first one.
    fn wake_worker(&mut self) -> Next {
        let waking = self.waking + usize::from(self.has_spinner) + POOL.returning.load(SeqCst);
        if waking >= self.queue.runnable() {
            return Next::Nothing;
        }
        if self.blocked_count > 0 {
            self.waking += 1;
            return Next::Wake(self.pick_blocked());
        }
        if self.threads == 0 && (self.stopping || !self.make_thread()) {
            return Next::RunOnLoop;
        }
        Next::Nothing
    }

    /// On a worker: makes the first threads. Later, makes a thread if there are as many jobs as
    /// threads.
    fn make_threads(&mut self) {
        self.jobs_until_retry = self.jobs_until_retry.saturating_sub(1);
        while self.wants_thread() {
            if !self.make_thread() {
                self.jobs_until_retry = THREAD_RETRY_JOBS;
            }
        }
    }

    fn wants_thread(&self) -> bool {
        let is_first = self.threads < DEFAULT_THREADS;
        let busy = self.queue.running() + self.queue.runnable();
        // `uv_library_shutdown` has counted the threads that it waits for.
        self.threads < self.size
            && (is_first || busy >= self.threads)
            && self.jobs_until_retry == 0
            && !self.stopping
    }

    /// Takes the worker that has blocked longest. Always taking one is slower: it is often on
    /// another processor than the loop, and each then has to wake the other's processor.
    fn pick_blocked(&mut self) -> usize {
        let worker = BLOCKED[self.longest_blocked].load(Relaxed);
        self.longest_blocked = (self.longest_blocked + 1) % worker::MAX_WORKERS;
        self.blocked_count -= 1;
        worker.into()
    }

    /// Makes a worker; returns whether the system allowed it.
    fn make_thread(&mut self) -> bool {
        let Ok(thread) = worker::spawn(self.threads, work) else {
            return false;
        };
        THREADS[self.threads].store(thread as usize, Relaxed);
        self.threads += 1;
        self.waking += 1;
        true
    }

    fn begin_blocking(&mut self, worker: usize) {
        let free = (self.longest_blocked + self.blocked_count) % worker::MAX_WORKERS;
        BLOCKED[free].store(worker as u16, Relaxed);
        self.blocked_count += 1;
    }

    fn has_woken(&mut self) {
        self.waking = self.waking.saturating_sub(1);
    }
}

/// The main function of a worker's thread.
extern "C" fn work(argument: *mut c_void) -> *mut c_void {
    let worker = argument.addr();
    worker::name_self();
    let mut pool = Guard::lock();
    pool.has_woken();
    loop {
        pool.make_threads();
        if let Some(job) = pool.queue.take() {
            let was_slow = job.is_slow();
            let run = job.take_work();
            drop(pool);
            run_it(job, run);
            // With jobs queued this one does not count, nor after a slow job: a deferred one may
            // be next.
            let returning = !was_slow && !has_hint(hints::CAN_START);
            // Before the completion is seen: the loop that it wakes counts on this worker. The push
            // of the completion releases it.
            if returning {
                POOL.returning.fetch_add(1, SeqCst);
            }
            completions::deliver(job);
            pool = Guard::lock();
            pool.waiter.count(1);
            if returning {
                POOL.returning.fetch_sub(1, SeqCst);
            }
            pool.queue.finished(was_slow);
        } else if pool.stopping {
            return core::ptr::null_mut();
        } else {
            pool = wait_for_job(pool, worker);
        }
    }
}

/// Waits for a job: spins first if that has paid off, and blocks until woken.
fn wait_for_job(mut pool: Guard, worker: usize) -> Guard {
    let mut spun = Spun::Not;
    if !pool.has_spinner && pool.waiter.should_spin() {
        pool.has_spinner = true;
        drop(pool);
        spun = spin::spin(|| HINTS.0.load(Relaxed) & hints::CAN_START != 0);
        pool = Guard::lock();
        pool.has_spinner = false;
        if pool.queue.runnable() > 0 || pool.stopping {
            pool.waiter.waited(clock::monotonic_ns(), spun);
            return pool;
        }
    }
    pool.begin_blocking(worker);
    drop(pool);
    worker::block(worker);
    pool = Guard::lock();
    pool.has_woken();
    pool.waiter.waited(clock::monotonic_ns(), spun);
    pool
}

/// Runs a job that was taken from the queue. Its memory is the loop's again afterwards.
fn perform(job: Job, run: Option<Run>) {
    run_it(job, run);
    completions::deliver(job);
}

fn run_it(job: Job, run: Option<Run>) {
    if let Some(run) = run {
        observe::report(Event::JobBegins, 0, job.raw(), 0);
        // SAFETY: the submitter vouches for the function, and gets back the pointer it gave.
        unsafe { run(job.raw()) };
        observe::report(Event::JobEnds, 0, job.raw(), 0);
    }
}

impl Loop {
    member!(pool_wakeup: Async = wq_async);
}

/// The loop's `wq_async` was sent: there may be jobs and no thread.
unsafe extern "C" fn on_wakeup(handle: *mut uv_async_t) {
    // SAFETY: the handle is that member of a live loop.
    let event_loop = unsafe { Loop::from_ptr(owner!(handle, uv_loop_t, wq_async)) };
    if has_hint(hints::HAS_NO_THREAD) {
        run_one_on_loop(event_loop);
    }
}

/// Runs a job on the loop's thread, since there is no worker. One at a time: the loop has more to
/// do.
fn run_one_on_loop(event_loop: Loop) {
    let mut pool = Guard::lock();
    if pool.queue.is_empty() || pool.threads > 0 || pool.make_thread() {
        return;
    }
    let Some(job) = pool.queue.take() else { return };
    let was_slow = job.is_slow();
    let run = job.take_work();
    drop(pool);
    perform(job, run);
    let mut pool = Guard::lock();
    pool.queue.finished(was_slow);
    if !pool.queue.is_empty() {
        drop(pool);
        event_loop.pool_wakeup().send();
    }
}

/// `UV_THREADPOOL_SIZE`, brought into the supported range; it is read when the pool starts. What
/// is not a number, or negative, means the default.
fn size_from_environment() -> usize {
    match leading_number(c"UV_THREADPOOL_SIZE") {
        Some(size @ 0..) => size.clamp(1, worker::MAX_WORKERS as i64) as usize,
        _ => DEFAULT_THREADS,
    }
}

/// In a forked child, which has no worker: the lock may be locked, and the queue half linked.
pub(crate) fn reset_after_fork() {
    // SAFETY: the child has one thread, this one, which is not within a `Guard`'s life.
    unsafe {
        POOL.lock.reset();
        let state = &mut *POOL.state.get();
        state.reset();
        state.hints_shown = 0;
    }
    IS_FORKED.store(true, Relaxed);
    HINTS.0.store(0, SeqCst);
    POOL.returning.store(0, SeqCst);
}

// Used by the rest of the library.

/// Submits an initialised job: it is run on a worker, and called back for when the loop polls.
pub(super) fn submit(event_loop: Loop, job: Job) {
    event_loop.asyncs().reset_inherited_pins();
    let next = {
        let mut pool = Guard::lock();
        pool.start();
        pool.queue.push(job);
        pool.wake_worker()
    };
    apply(next, event_loop);
}

fn apply(next: Next, event_loop: Loop) {
    match next {
        Next::Nothing => {}
        Next::Wake(worker) => worker::wake(worker),
        Next::RunOnLoop => {
            event_loop.pool_wakeup().send();
        }
    }
}

/// Runs an initialised job on this thread, the loop's. It is called back for when the loop polls.
pub(super) fn run_at_once(job: Job) {
    let run = job.take_work();
    run_it(job, run);
    completions::deliver_inline(job);
}

/// Delivers a job that was done on this thread, the loop's. It is called back for when the loop
/// polls.
pub(super) fn done_at_once(job: Job) {
    completions::deliver_inline(job);
}

/// Whether there are jobs in a pool of one thread, which does them in order of submission.
pub(crate) fn has_jobs_in_order() -> bool {
    has_hint(hints::HAS_ORDERED_JOBS)
}

/// Cancels a job that no worker has begun, or that was given to [`done_at_once`] and that `undo`
/// undoes now. It will be called back for with `UV_ECANCELED`. Cancelling again before that has no
/// effect.
///
/// Errors: `UV_EBUSY` when a worker has begun the job, or the error of `undo`.
///
/// # Safety
/// The job must have been submitted, and its request not been released.
pub(crate) unsafe fn cancel(job: Job, undo: impl FnOnce() -> Result) -> Result {
    {
        // From here on the lock keeps workers away from the job.
        let mut pool = Guard::lock();
        if job.is_cancelled() {
            return Ok(());
        }
        if job.is_done_inline() {
            drop(pool);
            undo()?;
            job.mark_cancelled();
            return Ok(());
        }
        if !job.is_queued() {
            return Err(Errno::EBUSY);
        }
        // A job that was queued in a forked child's parent is in no list of the child.
        if !IS_FORKED.load(Relaxed) || pool.queue.contains(job) {
            pool.queue.remove(job);
        }
        job.take_work();
        job.mark_cancelled();
    }
    completions::deliver(job);
    Ok(())
}

pub(crate) fn loop_init(event_loop: Loop) -> Result {
    completions::loop_init(event_loop);
    event_loop
        .pool_wakeup()
        .init_internal(event_loop, Some(on_wakeup))
}

/// Waits for workers that still deliver to the loop, though it has no requests any more.
pub(crate) fn loop_cleanup(event_loop: Loop) {
    event_loop.asyncs().wait_for_pins();
    event_loop.pool_wakeup().close();
    event_loop.pool_wakeup().handle().uninit();
}

/// Ends the threads, after the queued jobs.
pub(crate) fn shut_down() {
    if !HAS_STARTED.load(SeqCst) {
        return;
    }
    let mut pool = Guard::lock();
    if pool.size == 0 || pool.stopping {
        return;
    }
    pool.stopping = true;
    let threads = pool.threads;
    while pool.blocked_count > 0 {
        pool.waking += 1;
        worker::wake(pool.pick_blocked());
    }
    drop(pool);
    // Threads were recorded under the lock, which this thread has had since.
    for thread in THREADS.iter().take(threads) {
        let thread = thread.load(Relaxed) as libc::pthread_t;
        // A job may call exit(), and its thread does not join itself.
        if !worker::is_self(thread) {
            worker::join(thread);
        }
    }
    Guard::lock().reset();
}
