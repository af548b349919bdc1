//! The thread pool: one for the process, shared by all loops.
//!
//! It starts with the first job, and its threads start one with each job, up to
//! `UV_THREADPOOL_SIZE`. A submission wakes at most one worker, mostly the one that fell asleep
//! last, and none when enough are on their way already. Threads stay until the process exits.
//!
//! A finished job goes on a lock-free stack of its loop, and the loop is woken by its `wq_async`;
//! the loop calls the jobs' `done` in the order in which they were finished.
//!
//! A forked child starts with no pool: nothing here may be in the hands of a thread that the
//! child does not have. Jobs that the parent's pool had not finished are not done in the child.
//!
//! <https://docs.libuv.org/en/v1.x/threadpool.html>

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering::SeqCst};

use crate::abi::*;
use crate::async_handle::Async;
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;
use crate::handle::Handle;
use crate::list::{self, List};
use crate::system::title;
use crate::view::{addr, get, owner, set};

use super::jobs::{Done, Job, Jobs, Run};
use super::worker;

pub(crate) use super::jobs::Kind;

/// Every so many wake-ups the worker that has slept longest gets its turn.
const FAIR_WAKE: u32 = 8;
/// How many jobs the pool does with the threads it has before it asks for another one again.
const PATIENCE: u32 = 1000;
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
    /// The workers that sleep, the one that fell asleep last at the end.
    asleep: [u16; worker::MOST],
    asleep_count: usize,
    /// How many were woken so far.
    woken: u32,
    /// Workers that were started or woken and have not looked for a job yet.
    coming: usize,
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

/// Jobs are queued while there is no thread: loops have to do them. A hint, looked at without
/// the lock.
static HAS_NO_THREAD: AtomicBool = AtomicBool::new(false);

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
            asleep_count: 0,
            woken: 0,
            coming: 0,
            patience: 0,
            stopping: false,
        }
    }

    /// Back to before the first job, without touching memory that was never used.
    fn reset(&mut self) {
        self.size = 0;
        self.threads = 0;
        self.asleep_count = 0;
        self.coming = 0;
        self.patience = 0;
        self.stopping = false;
    }

    fn start(&mut self) {
        if self.size == 0 {
            self.size = size_from_environment();
            self.jobs.start(self.size);
            watch_forks();
        }
    }

    /// Sees to it that there will be somebody for each job that could start.
    fn call_worker(&mut self) -> Next {
        if self.coming >= self.jobs.runnable() {
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

    fn may_start_thread(&mut self) -> bool {
        let is_patient = self.patience > 0;
        self.patience = self.patience.saturating_sub(1);
        // Who waits for the end of the threads has counted them.
        self.threads < self.size && !is_patient && !self.stopping
    }

    /// The worker that fell asleep last, whose memory is still in the caches; now and then the one
    /// that has slept longest, so that none is left out for ever.
    fn pick_sleeper(&mut self) -> usize {
        self.asleep_count -= 1;
        self.woken = self.woken.wrapping_add(1);
        if !self.woken.is_multiple_of(FAIR_WAKE) {
            return self.asleep[self.asleep_count].into();
        }
        let longest = self.asleep[0];
        self.asleep.copy_within(1..=self.asleep_count, 0);
        longest.into()
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
        self.asleep[self.asleep_count] = worker as u16;
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
    loop {
        if let Some(job) = pool.jobs.take() {
            let was_slow = job.is_slow();
            let run = job.take_work();
            drop(pool);
            perform(job, run);
            pool = Guard::lock();
            pool.jobs.finished(was_slow);
        } else if pool.stopping {
            return std::ptr::null_mut();
        } else {
            pool.fall_asleep(worker);
            drop(pool);
            worker::sleep(worker);
            pool = Guard::lock();
            pool.arrive();
        }
    }
}

/// Runs a job that was taken from the queue. Its memory is the loop's again afterwards.
fn perform(job: Job, run: Option<Run>) {
    if let Some(run) = run {
        // SAFETY: the submitter vouches for the function, and gets back the pointer it gave.
        unsafe { run(job.raw()) };
    }
    deliver(job);
}

/// The loop's finished jobs, the last one first, linked by `wq.next`.
fn finished<'a>(on: Loop) -> &'a AtomicPtr<uv__queue> {
    // SAFETY: aligned, live, and accessed atomically only once the loop is initialised.
    unsafe { AtomicPtr::from_ptr(addr!(on.wq.next)) }
}

fn wakeup(on: Loop) -> Async {
    // SAFETY: a member of the loop.
    unsafe { Async::from_ptr(addr!(on.wq_async)) }
}

/// Gives a job back to its loop.
fn deliver(job: Job) {
    let on = job.event_loop();
    wakeup(on).send_after(|| {
        let stack = finished(on);
        let link = job.link().raw();
        let mut top = stack.load(SeqCst);
        loop {
            // SAFETY: the job is this thread's until it is on the stack.
            unsafe { (*link).next = top };
            match stack.compare_exchange_weak(top, link, SeqCst, SeqCst) {
                Ok(_) => break,
                Err(other) => top = other,
            }
        }
    });
}

/// Moves the finished jobs to `into`, the first one first, and says how many there are.
fn take_finished(on: Loop, into: List) -> u64 {
    let mut count = 0;
    let mut link = finished(on).swap(std::ptr::null_mut(), SeqCst);
    into.init();
    while !link.is_null() {
        // SAFETY: links on the stack are members of live jobs, and this thread's since the swap.
        let at = unsafe { List::from_ptr(link) };
        // SAFETY: as above.
        link = unsafe { (*link).next };
        into.push_front(at);
        count += 1;
    }
    count
}

/// The loop's `wq_async` was sent.
unsafe extern "C" fn on_wakeup(handle: *mut uv_async_t) {
    // SAFETY: the handle is that member of a live loop.
    let on = unsafe { Loop::from_ptr(owner!(handle, uv_loop_t, wq_async)) };
    if HAS_NO_THREAD.load(SeqCst) {
        do_one_here(on);
    }
    let mut local = list::head();
    // SAFETY: `local` outlives the walk, which leaves it empty.
    let todo = unsafe { List::from_ptr(&raw mut local) };
    let count = take_finished(on, todo);
    // The wake-up itself has been counted as one event.
    on.metrics().count_events(count.saturating_sub(1));
    while let Some(link) = todo.pop_front() {
        let job = Job::from_link(link);
        let status = if job.end_cancelled() { UV_ECANCELED } else { 0 };
        invoke_done(job, status);
    }
}

fn invoke_done(job: Job, status: c_int) {
    if let Some(done) = get!(job.done) {
        // SAFETY: the submitter's function gets back the pointer that was submitted, and nothing
        // here touches the job afterwards.
        unsafe { done(job.raw(), status) }
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

/// `UV_THREADPOOL_SIZE`, read when the pool starts.
fn size_from_environment() -> usize {
    // SAFETY: the name is terminated.
    let value = unsafe { libc::getenv(c"UV_THREADPOOL_SIZE".as_ptr()) };
    if value.is_null() {
        return DEFAULT_SIZE;
    }
    // SAFETY: `getenv` returns a terminated string.
    parse_size(unsafe { CStr::from_ptr(value) }.to_bytes())
}

/// A number is brought into the range that is supported; anything else means the default.
fn parse_size(text: &[u8]) -> usize {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return DEFAULT_SIZE;
    }
    text.iter()
        .fold(0usize, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add((digit - b'0').into())
        })
        .clamp(1, worker::MOST)
}

/// Has [`forget_parent`] called in children; the registration is inherited by them.
fn watch_forks() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, SeqCst) {
        // SAFETY: the function does what may be done in the child of a fork.
        unsafe { libc::pthread_atfork(None, None, Some(forget_parent)) };
    }
}

/// In a forked child, where no worker is: the lock may be anybody's, the queue half linked.
unsafe extern "C" fn forget_parent() {
    // SAFETY: the child has one thread, this one, which is not within a `Guard`'s life.
    unsafe {
        POOL.lock.get().write(libc::PTHREAD_MUTEX_INITIALIZER);
        (*POOL.state.get()).reset();
    }
    HAS_NO_THREAD.store(false, SeqCst);
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
    let next = {
        let mut pool = Guard::lock();
        pool.start();
        pool.jobs.push(job);
        pool.call_worker()
    };
    match next {
        Next::Nothing => {}
        Next::Wake(worker) => worker::wake(worker),
        Next::LetTheLoopDoIt => {
            HAS_NO_THREAD.store(true, SeqCst);
            wakeup(on).send();
        }
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
    perform(job, run);
}

/// Takes a job back that no worker has begun with: `done` will be called with `UV_ECANCELED`.
/// `UV_EBUSY` when a worker has. To cancel again before that call has no effect.
///
/// # Safety
/// `work` must have been submitted, and its request not been released.
pub(crate) unsafe fn cancel(_on: Loop, work: *mut uv__work) -> Result {
    // SAFETY: the caller vouches for the pointer; the lock keeps workers away.
    let job = unsafe { Job::from_ptr(work) };
    {
        let mut pool = Guard::lock();
        if job.is_cancelled() {
            return Ok(());
        }
        if !job.is_queued() {
            return Err(Errno::EBUSY);
        }
        pool.jobs.remove(job);
        job.take_work();
        job.mark_cancelled();
    }
    deliver(job);
    Ok(())
}

pub(crate) fn loop_init(on: Loop) -> Result {
    set!(on.wq.next = std::ptr::null_mut());
    wakeup(on).init_internal(on, Some(on_wakeup))
}

/// The loop has no requests, but workers may still be about to leave it.
pub(crate) fn loop_cleanup(on: Loop) {
    wakeup(on).close();
    // SAFETY: begins with the fields of a handle.
    unsafe { Handle::from_ptr(wakeup(on).raw().cast()) }.uninit();
}

/// In a forked child: jobs that were finished before the fork are still to be told.
pub(crate) fn loop_fork(on: Loop) {
    if !finished(on).load(SeqCst).is_null() {
        wakeup(on).send();
    }
}

/// Ends the threads, after the jobs that are queued.
fn shut_down() {
    let mut pool = Guard::lock();
    if pool.size == 0 || pool.stopping {
        return;
    }
    pool.stopping = true;
    let threads = pool.threads;
    let (asleep, asleep_count) = (pool.asleep, pool.asleep_count);
    pool.asleep_count = 0;
    pool.coming += asleep_count;
    drop(pool);
    for worker in &asleep[..asleep_count] {
        worker::wake((*worker).into());
    }
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
static AT_EXIT: extern "C" fn() = uv_library_shutdown;

// C entry points

/// Releases what the library holds for the whole process: it ends the threads of the pool, after
/// the work that was queued, and forgets the process title. Happens by itself at exit. Call it once, when no loop is active and
/// no request under way, and nothing else of the library afterwards.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_library_shutdown>
#[unsafe(no_mangle)]
pub extern "C" fn uv_library_shutdown() {
    shut_down();
    title::forget();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_within_limits() {
        for (text, size) in [
            ("1", 1),
            ("4", 4),
            ("0", 1),
            ("007", 7),
            ("1024", 1024),
            ("1025", 1024),
            ("99999999999999999999999", 1024),
            ("", 4),
            ("-1", 4),
            ("abc", 4),
            ("8x", 4),
            (" 8", 4),
        ] {
            assert_eq!(parse_size(text.as_bytes()), size, "{text:?}");
        }
    }
}
