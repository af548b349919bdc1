//! The thread pool: one for the process, shared by all loops.
//!
//! The first job starts it: its submitter makes one worker, and that worker makes the others, up to
//! the smaller of four and `UV_THREADPOOL_SIZE`. Beyond four, a worker makes another one before it
//! begins a job that would leave none idle. So all workers have the affinity, priority, signal
//! mask, identity and sandbox of the moment of the first job, whoever submits later. Threads stay
//! until the process exits, or unloads the library.
//!
//! A submission wakes an idle worker unless one is on its way for each job that could start: never
//! more workers than jobs. On its way is who was woken, and who is about to be done with another job. One worker at a time may spin before it blocks (`spin.rs`); a submission
//! then wakes nobody.
//!
//! A forked child starts with no pool: nothing here may be in the hands of a thread that the
//! child does not have. Jobs that the parent's pool had not finished are not done in the child.
//!
//! <https://docs.libuv.org/en/v1.x/threadpool.html>

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicUsize};

use crate::abi::*;
use crate::async_handle::Async;
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;
use crate::fs::changes;
use crate::handle::Handle;
use crate::spin::{self, Spun, Waiter};
use crate::sys::clock;
use crate::sys::process::{self, Stack};
use crate::system::settings::leading_number;
use crate::system::title;
use crate::view::{addr, owner};

use super::queue::{Job, Queue};
use super::{completions, worker};

pub(crate) use super::queue::{Done, Kind, Run};

/// Jobs that the pool does with the threads it has after the system refused one: to ask for a
/// thread costs as much as a hundred short jobs.
const THREAD_RETRY_JOBS: u32 = 1000;
/// Threads unless the environment says otherwise, and threads made with the first job: libuv's.
const DEFAULT_THREADS: usize = 4;

/// What the lock protects.
struct State {
    /// The most threads there may be; 0 before the pool has started.
    size: usize,
    queue: Queue,
    /// Threads that were made.
    threads: usize,
    /// The workers that block are a ring: the one that has done so longest is at `longest_blocked`.
    longest_blocked: usize,
    blocked_count: usize,
    /// Workers that were made or woken and have not asked for a job yet.
    waking: usize,
    /// What [`HINTS`] shows.
    hints_shown: usize,
    /// A worker spins, waiting for a job.
    has_spinner: bool,
    waiter: Waiter,
    /// Jobs to be taken before the system is asked for a thread again.
    jobs_until_retry: u32,
    stopping: bool,
    /// What each job needs is above, close together: a submission moves that from processor to
    /// processor.
    blocked: [u16; worker::MAX_WORKERS],
    handles: [libc::pthread_t; worker::MAX_WORKERS],
}

/// Aligned as processors move memory.
#[repr(C, align(64))]
struct Pool {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    /// Workers that are delivering a job, and will ask for the next one: a loop that spins submits
    /// that one before the worker is back. Subtracted from with the lock held only.
    returning: AtomicUsize,
    state: UnsafeCell<State>,
}

// SAFETY: the state is reached through `Guard` only, which holds the lock.
unsafe impl Sync for Pool {}

/// The lock is held for less time than blocking takes: who wants it spins first.
const UNLOCKED: libc::pthread_mutex_t = libc::PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;

static POOL: Pool = Pool {
    lock: UnsafeCell::new(UNLOCKED),
    returning: AtomicUsize::new(0),
    state: UnsafeCell::new(State::new()),
};

/// There was a job once. Most processes that end have had none, and touch no memory of the pool.
static HAS_STARTED: AtomicBool = AtomicBool::new(false);
/// Whether this process is a forked child, and may have jobs that its parent's pool had.
static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// What threads without the lock may know of the pool: [`hints`]. Written by whoever releases the
/// lock, where anything has changed.
static HINTS: Hints = Hints(AtomicUsize::new(0));

/// Where nothing else is written to: who spins reads it all the time.
#[repr(align(64))]
struct Hints(AtomicUsize);

/// The bits of [`HINTS`].
mod hints {
    /// Jobs are queued while there is no thread: loops have to do them.
    pub(super) const HAS_NO_THREAD: usize = 1;
    /// A job could start.
    pub(super) const CAN_START: usize = 2;
    /// One thread does all jobs in the order of their submission, and there are some.
    pub(super) const HAS_ORDERED_JOBS: usize = 4;
}

fn has_hint(bit: usize) -> bool {
    HINTS.0.load(SeqCst) & bit != 0
}

/// Access to the state, as long as it lives. Nothing calls into C meanwhile.
struct Guard(());

impl Guard {
    fn lock() -> Guard {
        // SAFETY: the mutex is static and always initialised.
        if unsafe { libc::pthread_mutex_lock(POOL.lock.get()) } != 0 {
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
        unsafe { libc::pthread_mutex_unlock(POOL.lock.get()) };
    }
}

/// What a submission comes down to, once the lock is released.
enum Next {
    Nothing,
    Wake(usize),
    /// There is no thread, and none can be made.
    RunOnLoop,
}

impl State {
    const fn new() -> State {
        State {
            size: 0,
            queue: Queue::new(),
            threads: 0,
            longest_blocked: 0,
            blocked_count: 0,
            waking: 0,
            hints_shown: 0,
            has_spinner: false,
            waiter: Waiter::new(),
            jobs_until_retry: 0,
            stopping: false,
            blocked: [0; worker::MAX_WORKERS],
            handles: [0; worker::MAX_WORKERS],
        }
    }

    /// Back to before the first job, without touching memory that was never used.
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

    /// Has a worker on its way for each job that could start, as far as there are idle ones.
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

    /// On a worker: makes the first threads, and later the one that would be idle beside as many
    /// jobs as there are threads.
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
        // `uv_library_shutdown` has counted those that it waits for.
        self.threads < self.size
            && (is_first || busy >= self.threads)
            && self.jobs_until_retry == 0
            && !self.stopping
    }

    /// The worker that has blocked longest. Always the same one would often be on another
    /// processor than the loop, and each of the two have to wake the other's.
    fn pick_blocked(&mut self) -> usize {
        let worker = self.blocked[self.longest_blocked];
        self.longest_blocked = (self.longest_blocked + 1) % worker::MAX_WORKERS;
        self.blocked_count -= 1;
        worker.into()
    }

    /// Makes a worker; whether the system allowed it.
    fn make_thread(&mut self) -> bool {
        let Ok(thread) = worker::spawn(self.threads, work) else {
            return false;
        };
        self.handles[self.threads] = thread;
        self.threads += 1;
        self.waking += 1;
        true
    }

    fn begin_blocking(&mut self, worker: usize) {
        let free = (self.longest_blocked + self.blocked_count) % worker::MAX_WORKERS;
        self.blocked[free] = worker as u16;
        self.blocked_count += 1;
    }

    fn has_woken(&mut self) {
        self.waking = self.waking.saturating_sub(1);
    }
}

/// What a worker's thread does.
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
            // Where more jobs wait, nobody needs to know. After a slow job, one that was held back
            // may come first.
            let returning = usize::from(!was_slow && !has_hint(hints::CAN_START));
            POOL.returning.fetch_add(returning, SeqCst);
            completions::deliver(job);
            pool = Guard::lock();
            pool.waiter.did(1);
            POOL.returning.fetch_sub(returning, SeqCst);
            pool.queue.finished(was_slow);
        } else if pool.stopping {
            return core::ptr::null_mut();
        } else {
            pool = wait_for_job(pool, worker);
        }
    }
}

/// Waits for a job: spins first where that has proved worth it, and blocks until woken.
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
        // SAFETY: the submitter vouches for the function, and gets back the pointer it gave.
        unsafe { run(job.raw()) };
    }
}

fn wakeup(event_loop: Loop) -> Async {
    // SAFETY: a member of the loop.
    unsafe { Async::from_ptr(addr!(event_loop.wq_async)) }
}

/// The loop's `wq_async` was sent: there may be jobs and no thread.
unsafe extern "C" fn on_wakeup(handle: *mut uv_async_t) {
    // SAFETY: the handle is that member of a live loop.
    let event_loop = unsafe { Loop::from_ptr(owner!(handle, uv_loop_t, wq_async)) };
    if has_hint(hints::HAS_NO_THREAD) {
        run_one_on_loop(event_loop);
    }
}

/// Does a job on the loop's thread, for want of others. One a time: the loop has more to do.
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
        wakeup(event_loop).send();
    }
}

/// `UV_THREADPOOL_SIZE`, read when the pool starts: brought into the range that is supported. What is
/// no number, or a negative one, means the default.
fn size_from_environment() -> usize {
    match leading_number(c"UV_THREADPOOL_SIZE") {
        Some(size @ 0..) => size.clamp(1, worker::MAX_WORKERS as i64) as usize,
        _ => DEFAULT_THREADS,
    }
}

/// Has [`reset_after_fork`] called in children; the registration is inherited by them. To be called
/// before the lock is taken for the first time.
fn watch_forks() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.load(SeqCst) {
        // Twice does no harm, should two threads be the first.
        // SAFETY: the function does what may be done in the child of a fork.
        unsafe { libc::pthread_atfork(None, None, Some(reset_after_fork)) };
        REGISTERED.store(true, SeqCst);
    }
}

/// In a forked child, where no worker is: the lock may be anybody's, the queue half linked.
unsafe extern "C" fn reset_after_fork() {
    // SAFETY: the child has one thread, this one, which is not within a `Guard`'s life.
    unsafe {
        POOL.lock.get().write(UNLOCKED);
        let state = &mut *POOL.state.get();
        state.reset();
        state.hints_shown = 0;
    }
    process::count_fork();
    spin::reset_after_fork();
    changes::reset_after_fork();
    IS_FORKED.store(true, Relaxed);
    HINTS.0.store(0, SeqCst);
    POOL.returning.store(0, SeqCst);
}

// What the rest of the library calls.

/// Has `run` called on a worker, and `done` on the loop's thread afterwards, from the loop.
///
/// # Safety
/// `work` must stay in place until `done` is called, and both functions take it from any thread.
pub(crate) unsafe fn submit(
    event_loop: Loop,
    work: *mut uv__work,
    kind: Kind,
    run: Run,
    done: Done,
) {
    // SAFETY: the caller vouches for the pointer.
    let job = unsafe { Job::from_ptr(work) };
    job.init(event_loop, kind, run, done);
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
            wakeup(event_loop).send();
        }
    }
}

/// Runs a job that cannot block here and now; the rest is as if a worker had run it.
///
/// # Safety
/// As `submit`.
pub(crate) unsafe fn run_at_once(event_loop: Loop, work: *mut uv__work, run: Run, done: Done) {
    // SAFETY: the caller vouches for the pointer.
    let job = unsafe { Job::from_ptr(work) };
    job.init(event_loop, Kind::Usual, run, done);
    let run = job.take_work();
    run_it(job, run);
    completions::deliver_inline(job);
}

/// Has `done` called from the loop for what this thread, the loop's, has done already.
///
/// # Safety
/// As `submit`.
pub(crate) unsafe fn done_at_once(event_loop: Loop, work: *mut uv__work, done: Done) {
    // SAFETY: the caller vouches for the pointer.
    let job = unsafe { Job::from_ptr(work) };
    job.init_done(event_loop, done);
    job.mark_done_inline();
    completions::deliver_inline(job);
}

/// Whether there are jobs, which are done in the order of their submission, since one thread does all.
pub(crate) fn has_jobs_in_order() -> bool {
    has_hint(hints::HAS_ORDERED_JOBS)
}

/// Takes a job back that no worker has begun with, or that was given to [`done_at_once`] and is
/// undone by `undo` now: `done` will be called with `UV_ECANCELED`. `UV_EBUSY` when a worker has
/// begun, or the error of `undo`. To cancel again before that call has no effect.
///
/// # Safety
/// `work` must have been submitted, and its request not been released.
pub(crate) unsafe fn cancel(work: *mut uv__work, undo: impl FnOnce() -> Result) -> Result {
    // SAFETY: the caller vouches for the pointer; the lock keeps workers away.
    let job = unsafe { Job::from_ptr(work) };
    {
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
        // What a forked child's parent had queued is in no list of the child's.
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
    watch_forks();
    completions::loop_init(event_loop);
    wakeup(event_loop).init_internal(event_loop, Some(on_wakeup))
}

/// The loop has no requests, but workers may still be about to leave it.
pub(crate) fn loop_cleanup(event_loop: Loop) {
    event_loop.asyncs().wait_for_pins();
    wakeup(event_loop).close();
    // SAFETY: begins with the fields of a handle.
    unsafe { Handle::from_ptr(wakeup(event_loop).raw().cast()) }.uninit();
}

/// Ends the threads, after the jobs that are queued.
fn shut_down() {
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
    for index in 0..threads {
        let thread = Guard::lock().handles[index];
        // A job may call exit().
        if !worker::is_self(thread) {
            worker::join(thread);
        }
    }
    Guard::lock().reset();
}

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

/// Runs at exit, and in `dlclose`, before the functions that are registered for forks go.
///
/// Not the exported function: with two libuvs in a process, that name may be the other one's.
#[cfg(not(test))]
extern "C" fn at_exit() {
    release();
}

/// Releases what is held for the process. Where nothing is, no memory is written to: most processes
/// load the library and end.
fn release() {
    shut_down();
    title::forget();
    Stack::forget_spare();
}

// C entry points

/// Releases what the library holds for the whole process: it ends the threads of the pool, after
/// the work that was queued, forgets the process title, and unmaps the stack that it keeps for
/// children. Happens by itself at exit, and when the library is unloaded. Call it once, when no loop
/// is active and no request under way, and nothing else of the library afterwards.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_library_shutdown>
#[unsafe(no_mangle)]
pub extern "C" fn uv_library_shutdown() {
    release();
}
