//! The thread pool: one for the process, shared by all loops.
//!
//! It starts with the first job, and its threads start when jobs wait for them, up to
//! `UV_THREADPOOL_SIZE`. One worker at a time is on its way, started or woken; when it takes a job
//! and there are more, it calls the next before it begins. So many workers never come for few jobs,
//! and yet each job finds somebody, even if those at work block. Threads stay until the process
//! exits, or unloads the library.
//!
//! *Light* jobs, which a loop gives away only to share the work, call nobody while a worker is awake,
//! and not one by one: the loop sees to them when it polls ([`attend`]), and when they get stuck
//! behind a job that waits, or the loop has nothing else to do, they are jobs like any other.
//!
//! A worker without a job may look for one for a while before it sleeps (`spin/`, `fs/share.rs`), one
//! worker at a time: a submission then wakes nobody.
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
use crate::handle::Handle;
use crate::spin::{self, How, Spin};
use crate::sys::clock;
use crate::sys::process::Stack;
use crate::system::settings::leading_number;
use crate::system::{cpu, title};
use crate::view::{addr, owner};

use super::jobs::{Job, Jobs};
use super::{finished, worker};

pub(crate) use super::jobs::{Done, Kind, Run};

/// How many jobs the pool does with the threads it has before it asks for another one again.
const PATIENCE: u32 = 1000;
/// So often the lock is tried before who wants it sleeps.
const PATIENT_TRIES: u32 = 64;
/// So many light jobs are worth a call.
const BATCH: usize = 8;
/// Threads unless the environment says otherwise.
const DEFAULT_SIZE: usize = 4;

/// What the lock protects.
struct State {
    /// The most threads there may be; 0 before the pool has started.
    size: usize,
    jobs: Jobs,
    /// Threads that were started.
    threads: usize,
    handles: [libc::pthread_t; worker::MOST],
    /// The workers that sleep, as a ring: the one that has slept longest is at `longest_asleep`.
    asleep: [u16; worker::MOST],
    longest_asleep: usize,
    asleep_count: usize,
    /// Workers that were started or woken and have not looked for a job yet.
    coming: usize,
    /// A worker looks for jobs.
    has_looker: bool,
    /// Jobs taken so far, and how many these were when a loop saw to the light ones last.
    taken: u32,
    seen_taken: u32,
    /// Light jobs are treated like all others, until none is left.
    is_hurried: bool,
    /// The system refused a thread: for so many jobs it is not asked again.
    patience: u32,
    stopping: bool,
}

struct Pool {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    state: UnsafeCell<State>,
}

// SAFETY: the state is reached through `Guard` only, which holds the lock.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool {
    lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
    state: UnsafeCell::new(State::new()),
};

/// There was a job once. Most processes that end have had none, and touch no memory of the pool.
static HAS_STARTED: AtomicBool = AtomicBool::new(false);
/// Jobs are queued while there is no thread: loops have to do them. A hint, looked at without
/// the lock.
static HAS_NO_THREAD: AtomicBool = AtomicBool::new(false);

/// Whether this process is a forked child, and may have jobs that its parent's pool had.
static IS_FORKED: AtomicBool = AtomicBool::new(false);
/// How many light jobs are queued: for loops, which have not the lock.
static LIGHT: AtomicUsize = AtomicUsize::new(0);
/// A loop gives one job after the other, and has found it worth it that a worker looks for them: after
/// the present ones, once.
static IS_MORE_EXPECTED: AtomicBool = AtomicBool::new(false);
/// How many jobs could start: for the worker that looks for one, who has not the lock.
static RUNNABLE: AtomicUsize = AtomicUsize::new(0);
/// No job is queued or runs.
const IDLE: usize = 0;
/// There are threads for all jobs.
const SOME: usize = 1;
/// As many jobs run as there may be threads.
const FULL: usize = 2;
/// One of the above, to be looked at without the lock as well.
static LOAD: AtomicUsize = AtomicUsize::new(IDLE);
/// Whether one thread does everything, so that jobs are done in the order of their submission.
static IS_ORDERED: AtomicBool = AtomicBool::new(false);

/// Access to the state, as long as it lives. Nothing calls into C meanwhile.
struct Guard(());

impl Guard {
    /// Takes the lock. It is held for so short a time that to sleep until it is free, and to be woken,
    /// would take much longer.
    fn lock() -> Guard {
        Guard::try_lock().unwrap_or_else(Guard::wait_for_lock)
    }

    fn try_lock() -> Option<Guard> {
        // SAFETY: the mutex is static and always initialised.
        (unsafe { libc::pthread_mutex_trylock(POOL.lock.get()) } == 0).then(|| Guard(()))
    }

    #[cold]
    fn wait_for_lock() -> Guard {
        if cpu::processors() > 1 {
            for _ in 0..PATIENT_TRIES {
                core::hint::spin_loop();
                if let Some(guard) = Guard::try_lock() {
                    return guard;
                }
            }
        }
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
        self.publish();
        // SAFETY: this thread holds the lock.
        unsafe { libc::pthread_mutex_unlock(POOL.lock.get()) };
    }
}

/// What a submission comes down to, once the lock is released.
enum Next {
    Nothing,
    Wake(usize),
    /// There is no thread, and none can be started.
    LetTheLoopDoIt,
}

impl State {
    const fn new() -> State {
        State {
            size: 0,
            jobs: Jobs::new(),
            threads: 0,
            handles: [0; worker::MOST],
            asleep: [0; worker::MOST],
            longest_asleep: 0,
            asleep_count: 0,
            coming: 0,
            has_looker: false,
            taken: 0,
            seen_taken: 0,
            is_hurried: false,
            patience: 0,
            stopping: false,
        }
    }

    /// Back to before the first job, without touching memory that was never used.
    fn reset(&mut self) {
        self.size = 0;
        self.jobs.start(0);
        self.threads = 0;
        self.asleep_count = 0;
        self.coming = 0;
        self.has_looker = false;
        self.is_hurried = false;
        self.patience = 0;
        self.stopping = false;
    }

    fn start(&mut self) {
        if self.size == 0 {
            self.size = size_from_environment();
            HAS_STARTED.store(true, SeqCst);
            self.jobs.start(self.size);
            IS_ORDERED.store(self.size == 1, SeqCst);
        }
    }

    /// What others may know of it without the lock. They take it before they act on that, or may as
    /// well be mistaken.
    fn publish(&self) {
        let set = |shown: &AtomicUsize, now: usize| {
            if shown.load(Relaxed) != now {
                shown.store(now, Relaxed);
            }
        };
        set(&RUNNABLE, self.jobs.runnable());
        set(&LIGHT, self.jobs.light());
        let load = match self.jobs.running() {
            running if self.size > 0 && running >= self.size => FULL,
            0 if self.jobs.is_empty() => IDLE,
            _ => SOME,
        };
        set(&LOAD, load);
    }

    /// Sees to it that somebody comes if a job could start. Whoever comes does the same after
    /// taking one.
    fn call_worker(&mut self) -> Next {
        if self.can_wait() {
            Next::Nothing
        } else {
            self.call_worker_now()
        }
    }

    /// The same, though light jobs could wait.
    fn call_worker_now(&mut self) -> Next {
        if self.coming > 0 || self.has_looker || self.jobs.runnable() == 0 {
            return Next::Nothing;
        }
        // A new thread rather than one that sleeps: programs expect as many as the size says
        // once they have given the pool as many jobs.
        if self.may_start_thread() && self.start_thread() {
            return Next::Nothing;
        }
        if self.asleep_count > 0 {
            self.coming += 1;
            return Next::Wake(self.pick_sleeper());
        }
        if self.threads == 0 {
            Next::LetTheLoopDoIt
        } else {
            Next::Nothing
        }
    }

    /// Whether all jobs are light, and either somebody will take them soon or there are too few to
    /// call anybody before the loop polls.
    fn can_wait(&self) -> bool {
        let (light, running) = (self.jobs.light(), self.jobs.running());
        !self.is_hurried
            && light == self.jobs.runnable()
            && running < self.threads
            && (running > 0 || light < BATCH)
    }

    /// Sees to light jobs on behalf of a loop that polls.
    fn call_worker_for_light(&mut self, will_sleep: bool) -> Next {
        let is_stuck = self.taken == self.seen_taken && self.coming == 0;
        self.seen_taken = self.taken;
        self.is_hurried |= will_sleep || is_stuck;
        if self.jobs.running() == 0 {
            self.call_worker_now()
        } else {
            self.call_worker()
        }
    }

    fn may_start_thread(&mut self) -> bool {
        let is_patient = self.patience > 0;
        self.patience = self.patience.saturating_sub(1);
        // Who waits for the end of the threads has counted them.
        self.threads < self.size && !is_patient && !self.stopping
    }

    /// The worker that has slept longest. Always the same one would often be on another processor
    /// than the loop, and each of the two have to wake the other's.
    fn pick_sleeper(&mut self) -> usize {
        let worker = self.asleep[self.longest_asleep];
        self.longest_asleep = (self.longest_asleep + 1) % worker::MOST;
        self.asleep_count -= 1;
        worker.into()
    }

    fn start_thread(&mut self) -> bool {
        let spawned = worker::spawn(self.threads, work);
        match spawned {
            Ok(thread) => {
                self.handles[self.threads] = thread;
                self.threads += 1;
                self.coming += 1;
            }
            // With no thread at all each job is a reason to try again.
            Err(_) => self.patience = if self.threads > 0 { PATIENCE } else { 0 },
        }
        spawned.is_ok()
    }

    fn fall_asleep(&mut self, worker: usize) {
        let free = (self.longest_asleep + self.asleep_count) % worker::MOST;
        self.asleep[free] = worker as u16;
        self.asleep_count += 1;
    }

    fn arrive(&mut self) {
        self.coming = self.coming.saturating_sub(1);
    }
}

/// What a worker's thread does.
extern "C" fn work(argument: *mut c_void) -> *mut c_void {
    let worker = argument.addr();
    worker::name_self();
    let mut pool = Guard::lock();
    pool.arrive();
    let mut spin = Spin::of_worker();
    loop {
        if let Some(job) = pool.jobs.take() {
            pool.taken = pool.taken.wrapping_add(1);
            let next = pool.call_worker();
            let was_slow = job.is_slow();
            let run = job.take_work();
            drop(pool);
            if let Next::Wake(other) = next {
                worker::wake(other);
            }
            perform(job, run);
            pool = Guard::lock();
            pool.jobs.finished(was_slow);
        } else if pool.stopping {
            return core::ptr::null_mut();
        } else {
            pool = wait_for_job(pool, worker, &mut spin);
        }
    }
}

/// Looks for a job, if that has proved worth it, and sleeps until woken.
fn wait_for_job(mut pool: Guard, worker: usize, spin: &mut Spin) -> Guard {
    let limit = spin::limit();
    let began = if limit > 0 { clock::monotonic_ns() } else { 0 };
    let since = || clock::monotonic_ns().saturating_sub(began);
    spin.join_trials();
    let is_asked_to = IS_MORE_EXPECTED.swap(false, Relaxed);
    let looks = limit > 0 && (is_asked_to || spin.should_look()) && !pool.has_looker;
    if looks {
        pool.has_looker = true;
        drop(pool);
        spin.look(began, limit, || RUNNABLE.load(Relaxed) > 0);
        pool = Guard::lock();
        pool.has_looker = false;
        if pool.jobs.runnable() > 0 || pool.stopping {
            spin.looked(since(), How::Found);
            return pool;
        }
    }
    pool.fall_asleep(worker);
    drop(pool);
    worker::sleep(worker);
    match limit {
        0 => {}
        _ if looks => spin.looked(since(), How::LookedInVain),
        _ => spin.waited(since(), How::Slept),
    }
    pool = Guard::lock();
    pool.arrive();
    pool
}

/// Runs a job that was taken from the queue. Its memory is the loop's again afterwards.
fn perform(job: Job, run: Option<Run>) {
    run_it(job, run);
    finished::deliver(job);
}

fn run_it(job: Job, run: Option<Run>) {
    if let Some(run) = run {
        // SAFETY: the submitter vouches for the function, and gets back the pointer it gave.
        unsafe { run(job.raw()) };
    }
}

fn wakeup(on: Loop) -> Async {
    // SAFETY: a member of the loop.
    unsafe { Async::from_ptr(addr!(on.wq_async)) }
}

/// The loop's `wq_async` was sent: there may be jobs and no thread.
unsafe extern "C" fn on_wakeup(handle: *mut uv_async_t) {
    // SAFETY: the handle is that member of a live loop.
    let on = unsafe { Loop::from_ptr(owner!(handle, uv_loop_t, wq_async)) };
    if HAS_NO_THREAD.load(SeqCst) {
        do_one_here(on);
    }
}

/// Does a job on the loop's thread, for want of others. One a time: the loop has more to do.
fn do_one_here(on: Loop) {
    let mut pool = Guard::lock();
    if pool.size != 0 && pool.threads == 0 && !pool.jobs.is_empty() {
        pool.start_thread();
    }
    if pool.size == 0 || pool.threads > 0 || pool.jobs.is_empty() {
        HAS_NO_THREAD.store(false, SeqCst);
        return;
    }
    let Some(job) = pool.jobs.take() else { return };
    let was_slow = job.is_slow();
    let run = job.take_work();
    drop(pool);
    perform(job, run);
    let mut pool = Guard::lock();
    pool.jobs.finished(was_slow);
    if !pool.jobs.is_empty() {
        drop(pool);
        wakeup(on).send();
    }
}

/// `UV_THREADPOOL_SIZE`, read when the pool starts: brought into the range that is supported. What is
/// no number, or a negative one, means the default.
fn size_from_environment() -> usize {
    match leading_number(c"UV_THREADPOOL_SIZE") {
        Some(size @ 0..) => size.clamp(1, worker::MOST as i64) as usize,
        _ => DEFAULT_SIZE,
    }
}

/// Has [`forget_parent`] called in children; the registration is inherited by them. To be called
/// before the lock is taken for the first time.
fn watch_forks() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.load(SeqCst) {
        // Twice does no harm, should two threads be the first.
        // SAFETY: the function does what may be done in the child of a fork.
        unsafe { libc::pthread_atfork(None, None, Some(forget_parent)) };
        REGISTERED.store(true, SeqCst);
    }
}

/// In a forked child, where no worker is: the lock may be anybody's, the queue half linked.
unsafe extern "C" fn forget_parent() {
    // SAFETY: the child has one thread, this one, which is not within a `Guard`'s life.
    unsafe {
        POOL.lock.get().write(libc::PTHREAD_MUTEX_INITIALIZER);
        (*POOL.state.get()).reset();
    }
    spin::forget_parent();
    IS_FORKED.store(true, Relaxed);
    HAS_NO_THREAD.store(false, SeqCst);
    RUNNABLE.store(0, Relaxed);
    LIGHT.store(0, Relaxed);
    LOAD.store(IDLE, Relaxed);
    IS_ORDERED.store(false, SeqCst);
    IS_MORE_EXPECTED.store(false, Relaxed);
}

// What the rest of the library calls.

/// Has `run` called on a worker, and `done` on the loop's thread afterwards, from the loop.
///
/// # Safety
/// `work` must stay in place until `done` is called, and both functions take it from any thread.
pub(crate) unsafe fn submit(on: Loop, work: *mut uv__work, kind: Kind, run: Run, done: Done) {
    // SAFETY: the caller vouches for the pointer.
    let job = unsafe { Job::from_ptr(work) };
    job.init(on, kind, run, done);
    watch_forks();
    let next = {
        let mut pool = Guard::lock();
        pool.start();
        pool.jobs.push(job);
        pool.call_worker()
    };
    follow(next, on);
}

/// Submits a job that could as well be done on the loop's thread, unless every thread is at work and
/// none can be started; whether it was.
///
/// # Safety
/// As `submit`.
pub(crate) unsafe fn share(on: Loop, work: *mut uv__work, run: Run, done: Done) -> bool {
    watch_forks();
    let mut pool = Guard::lock();
    pool.start();
    let has_free_thread =
        pool.jobs.running() < pool.threads || pool.may_start_thread() && pool.start_thread();
    if !has_free_thread {
        return false;
    }
    pool.is_hurried &= pool.jobs.light() > 0;
    // SAFETY: the caller vouches for the pointer.
    let job = unsafe { Job::from_ptr(work) };
    job.init(on, Kind::Light, run, done);
    pool.jobs.push(job);
    let next = pool.call_worker();
    drop(pool);
    follow(next, on);
    true
}

fn follow(next: Next, on: Loop) {
    match next {
        Next::Nothing => {}
        Next::Wake(worker) => worker::wake(worker),
        Next::LetTheLoopDoIt => {
            HAS_NO_THREAD.store(true, SeqCst);
            wakeup(on).send();
        }
    }
}

/// Has a worker look for jobs once, after the present ones.
pub(crate) fn expect_more() {
    if !IS_MORE_EXPECTED.load(Relaxed) {
        IS_MORE_EXPECTED.store(true, Relaxed);
    }
}

/// Sees to it that light jobs find somebody. A loop calls it whenever it polls, and again when it is
/// about to sleep.
#[inline]
pub(crate) fn attend(on: Loop, will_sleep: bool) {
    if LIGHT.load(Relaxed) > 0 {
        let next = Guard::lock().call_worker_for_light(will_sleep);
        follow(next, on);
    }
}

/// Runs a job that cannot block here and now; the rest is as if a worker had run it.
///
/// # Safety
/// As `submit`.
pub(crate) unsafe fn run_at_once(on: Loop, work: *mut uv__work, run: Run, done: Done) {
    // SAFETY: the caller vouches for the pointer.
    let job = unsafe { Job::from_ptr(work) };
    job.init(on, Kind::Fast, run, done);
    let run = job.take_work();
    run_it(job, run);
    finished::keep_here(job);
}

/// Has `done` called from the loop for what this thread, the loop's, has done already.
///
/// # Safety
/// As `submit`.
pub(crate) unsafe fn done_at_once(on: Loop, work: *mut uv__work, done: Done) {
    // SAFETY: the caller vouches for the pointer.
    let job = unsafe { Job::from_ptr(work) };
    job.init_done(on, done);
    job.mark_done_here();
    finished::keep_here(job);
}

/// Whether a job that is submitted now would have to wait for others.
pub(crate) fn is_busy() -> bool {
    LOAD.load(Relaxed) == FULL
}

/// Whether any job is queued or runs.
pub(crate) fn has_jobs() -> bool {
    LOAD.load(Relaxed) != IDLE
}

/// Whether a job that could be done elsewhere may as well be submitted: it would soon have a thread,
/// and a processor of its own. `queue` jobs before it are not too many.
pub(crate) fn wants_more(queue: usize) -> bool {
    RUNNABLE.load(Relaxed) < queue && !keeps_order() && !is_busy() && cpu::processors() > 1
}

/// Whether jobs are done in the order of their submission, since one thread does all. Before the
/// pool has started that is not known: there is no order to be kept either.
pub(crate) fn keeps_order() -> bool {
    IS_ORDERED.load(SeqCst)
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
        if job.is_done_here() {
            drop(pool);
            undo()?;
            job.mark_cancelled();
            return Ok(());
        }
        if !job.is_queued() {
            return Err(Errno::EBUSY);
        }
        // What a forked child's parent had queued is in no list of the child's.
        if !IS_FORKED.load(Relaxed) || pool.jobs.contains(job) {
            pool.jobs.remove(job);
        }
        job.take_work();
        job.mark_cancelled();
    }
    finished::deliver(job);
    Ok(())
}

pub(crate) fn loop_init(on: Loop) -> Result {
    finished::loop_init(on);
    wakeup(on).init_internal(on, Some(on_wakeup))
}

/// The loop has no requests, but workers may still be about to leave it.
pub(crate) fn loop_cleanup(on: Loop) {
    on.asyncs().wait_for_holders();
    wakeup(on).close();
    // SAFETY: begins with the fields of a handle.
    unsafe { Handle::from_ptr(wakeup(on).raw().cast()) }.uninit();
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
    while pool.asleep_count > 0 {
        pool.coming += 1;
        worker::wake(pool.pick_sleeper());
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
