//! The loop: its making, its end, and what the rest of the library asks of it.
//!
//! The public part of a loop is `uv_loop_t` in the caller's memory; what does not fit there is
//! [`Internals`], behind `internal_fields`.
//!
//! <https://docs.libuv.org/en/v1.x/loop.html>

mod backoff;
mod changes;
pub(crate) mod io;
mod metrics;
mod run;
mod wait;

use core::ffi::{c_int, c_uint, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::abi::*;
use crate::alloc;
use crate::async_handle::{self, AsyncState, Walk};
use crate::errors::{Errno, IntoCode, Result};
use crate::fs::Allowance;
use crate::fs_event;
use crate::handle::{self, Handle, flags};
use crate::list::{self, List};
use crate::process::{self, Lookout};
use crate::signal::{self, Caught};
use crate::spin;
use crate::sys::clock;
use crate::timer::Timers;
use crate::view::{addr, get, set, view};
use crate::work::pool;
use backoff::Backoff;
use io::{Descriptors, Io};
use metrics::Metrics;
use wait::Waiting;

/// What of a loop is not in the caller's memory.
pub(crate) struct Internals {
    descriptors: Descriptors,
    timers: Timers,
    asyncs: AsyncState,
    caught: Caught,
    metrics: Metrics,
    waiting: Waiting,
    backoff: Backoff,
    /// Watchers that back off.
    backed_off: uv__queue,
    async_walk: Walk,
    /// Jobs of this loop's that were done in its own thread and are still to be told.
    done_here: uv__queue,
    /// What file operations may be done in the loop's own thread.
    allowance: Allowance,
    /// How the ends of processes are heard of where `SIGCHLD` does not tell.
    lookout: Lookout,
    options: c_uint,
}

/// Bits of [`Internals::options`].
const BLOCK_SIGPROF: c_uint = 1;
const MEASURE_IDLE_TIME: c_uint = 2;

view!(
    /// A loop.
    Loop => uv_loop_t
);

// What the rest of the library asks of a loop.
impl Loop {
    fn internals(self) -> *mut Internals {
        get!(self.internal_fields).cast()
    }

    /// Works on the descriptors; `work` must not call back into C.
    pub(crate) fn descriptors<R>(self, work: impl FnOnce(&mut Descriptors) -> R) -> R {
        // SAFETY: an initialised loop has its internals, only this thread uses this part of them,
        // and `work` cannot come back here since it does not leave Rust.
        work(unsafe { &mut (*self.internals()).descriptors })
    }

    /// Works on the timers; `work` must not call back into C.
    pub(crate) fn timers<R>(self, work: impl FnOnce(&mut Timers) -> R) -> R {
        // SAFETY: as in `descriptors`.
        work(unsafe { &mut (*self.internals()).timers })
    }

    /// What async handles share with the threads that send; all of it is atomic.
    pub(crate) fn asyncs<'a>(self) -> &'a AsyncState {
        // SAFETY: lives as long as the loop, and nobody has it mutably.
        unsafe { &(*self.internals()).asyncs }
    }

    /// What the signal handler tells the loop; protected by the signal registry's lock.
    pub(crate) fn caught(self) -> *mut Caught {
        // SAFETY: an initialised loop has its internals; no reference is made.
        unsafe { &raw mut (*self.internals()).caught }
    }

    pub(crate) fn metrics<'a>(self) -> &'a Metrics {
        // SAFETY: lives as long as the loop, and nobody has it mutably.
        unsafe { &(*self.internals()).metrics }
    }

    /// Works on the walk through the async handles; `work` must not call back into C.
    #[inline]
    pub(crate) fn async_walk<R>(self, work: impl FnOnce(&mut Walk) -> R) -> R {
        // SAFETY: as in `descriptors`.
        work(unsafe { &mut (*self.internals()).async_walk })
    }

    /// Jobs that were done in this thread and are still to be told.
    pub(crate) fn done_here(self) -> List {
        // SAFETY: an initialised loop has its internals, which stay in place.
        unsafe { List::from_ptr(&raw mut (*self.internals()).done_here) }
    }

    /// Works on what the loop knows of its waits; `work` must not call back into C.
    fn waiting<R>(self, work: impl FnOnce(&mut Waiting) -> R) -> R {
        // SAFETY: as in `descriptors`.
        work(unsafe { &mut (*self.internals()).waiting })
    }

    /// Works on what may be done inline; `work` must not call back into C.
    pub(crate) fn allowance<R>(self, work: impl FnOnce(&mut Allowance) -> R) -> R {
        // SAFETY: as in `descriptors`.
        work(unsafe { &mut (*self.internals()).allowance })
    }

    pub(crate) fn lookout(self) -> *mut Lookout {
        // SAFETY: an initialised loop has its internals; no reference is made.
        unsafe { &raw mut (*self.internals()).lookout }
    }

    fn has_option(self, option: c_uint) -> bool {
        // SAFETY: an initialised loop has its internals.
        unsafe { (*self.internals()).options & option != 0 }
    }

    fn blocks_sigprof(self) -> bool {
        self.has_option(BLOCK_SIGPROF)
    }

    fn measures_idle_time(self) -> bool {
        self.has_option(MEASURE_IDLE_TIME)
    }

    /// The loop's time in milliseconds, as of the last update.
    #[inline]
    pub(crate) fn now(self) -> u64 {
        get!(self.time)
    }

    pub(crate) fn update_time(self) {
        self.set_time(clock::monotonic_ns());
    }

    fn set_time(self, nanoseconds: u64) {
        set!(self.time = nanoseconds / 1_000_000);
    }

    pub(crate) fn add_active_handle(self) {
        set!(self.active_handles = get!(self.active_handles) + 1);
    }

    pub(crate) fn remove_active_handle(self) {
        set!(self.active_handles = get!(self.active_handles) - 1);
    }

    fn has_active_handles(self) -> bool {
        get!(self.active_handles) > 0
    }

    pub(crate) fn add_active_request(self) {
        set!(self.active_reqs.count = get!(self.active_reqs.count) + 1);
    }

    pub(crate) fn remove_active_request(self) {
        set!(self.active_reqs.count = get!(self.active_reqs.count) - 1);
    }

    fn has_active_requests(self) -> bool {
        get!(self.active_reqs.count) > 0
    }

    fn add_watched(self, count: c_uint) {
        set!(self.nfds = get!(self.nfds) + count);
    }

    fn remove_watched(self, count: c_uint) {
        set!(self.nfds = get!(self.nfds) - count);
    }

    pub(crate) fn closing_handles(self) -> *mut uv_handle_t {
        get!(self.closing_handles)
    }

    pub(crate) fn set_closing_handles(self, first: *mut uv_handle_t) {
        set!(self.closing_handles = first);
    }

    fn is_alive(self) -> bool {
        self.has_active_handles()
            || self.has_active_requests()
            || !self.pending().is_empty()
            || !self.closing_handles().is_null()
    }

    fn list(self, link: *mut uv__queue) -> List {
        // SAFETY: only called with lists that are members of the loop.
        unsafe { List::from_ptr(link) }
    }

    /// All handles of the loop.
    pub(crate) fn handles(self) -> List {
        self.list(addr!(self.handle_queue))
    }

    /// Watchers that are due in the pending phase.
    pub(crate) fn pending(self) -> List {
        self.list(addr!(self.pending_queue))
    }

    fn changed_watchers(self) -> List {
        self.list(addr!(self.watcher_queue))
    }

    pub(crate) fn idle_handles(self) -> List {
        self.list(addr!(self.idle_handles))
    }

    pub(crate) fn prepare_handles(self) -> List {
        self.list(addr!(self.prepare_handles))
    }

    pub(crate) fn check_handles(self) -> List {
        self.list(addr!(self.check_handles))
    }

    /// Async handles that are not closing, in the order in which they are called.
    pub(crate) fn async_handles(self) -> List {
        self.list(addr!(self.async_handles))
    }

    pub(crate) fn process_handles(self) -> List {
        self.list(addr!(self.process_handles))
    }

    fn signal_watcher(self) -> Io {
        // SAFETY: a member of the loop.
        unsafe { Io::from_ptr(addr!(self.signal_io_watcher)) }
    }

    /// A spare descriptor, given up for a moment when the process has no other left.
    pub(crate) fn spare_fd(self) -> c_int {
        get!(self.emfile_fd)
    }

    pub(crate) fn set_spare_fd(self, fd: c_int) {
        set!(self.emfile_fd = fd);
    }
}

// Making, forking and ending.
impl Loop {
    /// Makes caller's memory a loop; `data` is left alone.
    fn init(self) -> Result {
        let internals = alloc::boxed(Internals {
            descriptors: Descriptors::new()?,
            timers: Timers::new(),
            asyncs: AsyncState::new(),
            caught: Caught::new(),
            metrics: Metrics::default(),
            waiting: Waiting::new(),
            backoff: Backoff::new(),
            backed_off: list::head(),
            async_walk: Walk::new(),
            done_here: list::head(),
            allowance: Allowance::new(),
            lookout: Lookout::new(),
            options: 0,
        })?;
        self.init_fields();
        set!(self.backend_fd = internals.descriptors.poller.fd());
        set!(self.internal_fields = alloc::Box::into_raw(internals).cast());
        self.done_here().init();
        self.backed_off().init();
        self.update_time();
        // Asks for the number of processors, which a sandbox may not allow any more later.
        spin::window_ns();
        self.init_parts().inspect_err(|_| self.drop_internals())
    }

    fn init_fields(self) {
        for list in [
            self.handles(),
            self.pending(),
            self.changed_watchers(),
            self.idle_handles(),
            self.prepare_handles(),
            self.check_handles(),
            self.async_handles(),
            self.list(addr!(self.process_handles)),
            self.list(addr!(self.wq)),
        ] {
            list.init();
        }
        set!(self.active_handles = 0);
        set!(
            self.active_reqs = uv__active_reqs {
                unused: core::ptr::null_mut()
            }
        );
        set!(self.stop_flag = 0);
        set!(self.flags = 0);
        set!(self.watchers = core::ptr::null_mut());
        set!(self.nwatchers = 0);
        set!(self.nfds = 0);
        set!(self.closing_handles = core::ptr::null_mut());
        set!(self.async_unused = None);
        set!(self.async_wfd = -1);
        set!(
            self.timer_heap = uv__timer_heap {
                min: core::ptr::null_mut(),
                nelts: 0
            }
        );
        set!(self.timer_counter = 0);
        set!(self.emfile_fd = -1);
        set!(self.inotify_fd = -1);
        set!(self.inotify_watchers = core::ptr::null_mut());
    }

    fn init_parts(self) -> Result {
        async_handle::loop_init(self);
        signal::loop_init(self)
            .and_then(|()| process::loop_init(self))
            .and_then(|()| pool::loop_init(self))
            .inspect_err(|_| {
                signal::loop_cleanup(self);
                async_handle::loop_cleanup(self);
            })
    }

    fn drop_internals(self) {
        let internals = self.internals();
        set!(self.internal_fields = core::ptr::null_mut());
        // SAFETY: made by `init` on this allocator, and not used from here on.
        drop(unsafe { alloc::Box::from_raw_in(internals, alloc::Heap) });
    }

    fn close(self) -> Result {
        let mut link = self.handles().front();
        while let Some(at) = link {
            if !Handle::from_link(at).has(flags::INTERNAL) {
                return Err(Errno::EBUSY);
            }
            link = self.handles().after(at);
        }
        if self.has_active_requests() || !self.closing_handles().is_null() {
            return Err(Errno::EBUSY);
        }
        self.tear_down();
        let null = core::ptr::null_mut();
        let _ =
            DEFAULT_LOOP.compare_exchange(self.raw(), null, Ordering::AcqRel, Ordering::Relaxed);
        Ok(())
    }

    fn tear_down(self) {
        signal::loop_cleanup(self);
        fs_event::loop_cleanup(self);
        pool::loop_cleanup(self);
        async_handle::loop_cleanup(self);
        if self.spare_fd() != -1 {
            crate::sys::fd::close_quietly(self.spare_fd());
            self.set_spare_fd(-1);
        }
        set!(self.backend_fd = -1);
        self.drop_internals();
    }

    fn fork(self) -> Result {
        self.descriptors(|all| all.fork(|io| io.requeue(self)))?;
        set!(self.backend_fd = self.descriptors(|all| all.poller.fd()));
        // A child may be about to enter a sandbox.
        self.allowance(|allowance| *allowance = Allowance::new());
        async_handle::loop_fork(self)?;
        process::loop_fork(self);
        signal::loop_fork(self)?;
        fs_event::loop_fork(self)
    }

    fn configure(self, option: uv_loop_option, argument: c_int) -> Result {
        let bit = match option {
            UV_METRICS_IDLE_TIME => MEASURE_IDLE_TIME,
            // Only the profiler's signal can be kept from interrupting the poller.
            UV_LOOP_BLOCK_SIGNAL if argument == libc::SIGPROF => BLOCK_SIGPROF,
            UV_LOOP_BLOCK_SIGNAL => return Err(Errno::EINVAL),
            // Accepted for the day there is a ring; without one there is nothing to turn on.
            UV_LOOP_USE_IO_URING_SQPOLL => 0,
            _ => return Err(Errno::ENOSYS),
        };
        // SAFETY: an initialised loop has its internals.
        unsafe { (*self.internals()).options |= bit };
        Ok(())
    }
}

// Looking at handles.
impl Loop {
    /// Calls `each` for every handle that is not the library's own; handles may be closed, and
    /// added, meanwhile. The list goes round once, with a mark for its end, and loses none of them
    /// in between: a callback that forks has to find them there.
    fn walk(self, each: impl Fn(Handle)) {
        // SAFETY: plain data, valid when zeroed.
        let mut mark: uv_handle_t = unsafe { core::mem::zeroed() };
        mark.flags = flags::INTERNAL;
        // SAFETY: outlives the walk, at the end of which it leaves the list.
        let mark = unsafe { Handle::from_ptr(&raw mut mark) };
        self.handles().push_back(mark.link());
        while let Some(link) = self.handles().pop_front() {
            if link == mark.link() {
                return;
            }
            self.handles().push_back(link);
            let handle = Handle::from_link(link);
            if !handle.has(flags::INTERNAL) {
                each(handle);
            }
        }
    }

    /// Prints the handles, a line each.
    fn print(self, stream: *mut libc::FILE, only_active: bool) {
        let mut link = self.handles().front();
        while let Some(at) = link {
            let handle = Handle::from_link(at);
            link = self.handles().after(at);
            let is_mark_of_walk = handle.kind() == UV_UNKNOWN_HANDLE;
            if is_mark_of_walk || only_active && !handle.is_active() {
                continue;
            }
            let mark = |bit, letter: u8| c_int::from(if handle.has(bit) { letter } else { b'-' });
            let name = handle::type_name(handle.kind()).unwrap_or(c"<unknown>");
            // SAFETY: the format takes three characters, a string and a pointer; the stream is
            // the caller's.
            unsafe {
                libc::fprintf(
                    stream,
                    c"[%c%c%c] %-8s %p\n".as_ptr(),
                    mark(flags::REF, b'R'),
                    mark(flags::ACTIVE, b'A'),
                    mark(flags::INTERNAL, b'I'),
                    name.as_ptr(),
                    handle.raw(),
                )
            };
        }
    }
}

/// The default loop, once it has been asked for.
static DEFAULT_LOOP: AtomicPtr<uv_loop_t> = AtomicPtr::new(core::ptr::null_mut());

struct DefaultLoopMemory(core::cell::UnsafeCell<core::mem::MaybeUninit<uv_loop_t>>);

// SAFETY: handed out as a pointer only; who uses it from which thread is the program's matter.
unsafe impl Sync for DefaultLoopMemory {}

static DEFAULT_LOOP_MEMORY: DefaultLoopMemory =
    DefaultLoopMemory(core::cell::UnsafeCell::new(core::mem::MaybeUninit::zeroed()));

unsafe extern "C" {
    static stderr: *mut libc::FILE;
}

/// The default loop, made at the first call; null when that fails.
fn default_loop() -> *mut uv_loop_t {
    let existing = DEFAULT_LOOP.load(Ordering::Acquire);
    if !existing.is_null() {
        return existing;
    }
    let memory = DEFAULT_LOOP_MEMORY.0.get().cast::<uv_loop_t>();
    // SAFETY: static memory of the right type, for this call and what follows.
    if unsafe { Loop::from_ptr(memory) }.init().is_err() {
        return core::ptr::null_mut();
    }
    DEFAULT_LOOP.store(memory, Ordering::Release);
    memory
}

/// The loop, or the default loop for null.
///
/// # Safety
/// `on` must be null or an initialised loop of this thread's.
unsafe fn or_default(on: *mut uv_loop_t) -> Loop {
    let on = if on.is_null() { default_loop() } else { on };
    // SAFETY: the caller vouches for the pointer; the default loop is initialised.
    unsafe { Loop::from_ptr(on) }
}

fn stream_or_stderr(stream: *mut libc::FILE) -> *mut libc::FILE {
    if !stream.is_null() {
        return stream;
    }
    // SAFETY: libc initialises `stderr` before any code runs.
    unsafe { stderr }
}

// C entry points

/// The default loop, made at the first call; `NULL` when that fails. It is an ordinary loop that
/// the library holds for convenience, no more thread-safe than others.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_default_loop>
#[unsafe(no_mangle)]
pub extern "C" fn uv_default_loop() -> *mut uv_loop_t {
    default_loop()
}

/// Makes `loop` a loop.
///
/// Returns 0 or an error, such as `UV_ENOMEM`, `UV_EMFILE` or `UV_ENFILE`.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_init>
///
/// # Safety
/// `loop` must be writable and stay in place until `uv_loop_close`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_init(r#loop: *mut uv_loop_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.init().into_code()
}

/// Releases what the loop holds; its memory is the caller's again.
///
/// Returns 0, or `UV_EBUSY` while it has open handles or requests under way.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_close>
///
/// # Safety
/// `loop` must be initialised, and not running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_close(r#loop: *mut uv_loop_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.close().into_code()
}

/// Allocates and initialises a loop; `NULL` when that fails. Deprecated: use `uv_loop_init`.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_init>
#[unsafe(no_mangle)]
pub extern "C" fn uv_loop_new() -> *mut uv_loop_t {
    let memory = alloc::calloc(1, size_of::<uv_loop_t>()).cast::<uv_loop_t>();
    if memory.is_null() {
        return memory;
    }
    // SAFETY: memory of the right size, just allocated.
    if unsafe { Loop::from_ptr(memory) }.init().is_err() {
        // SAFETY: allocated above, and nobody else has it.
        unsafe { alloc::free(memory.cast()) };
        return core::ptr::null_mut();
    }
    memory
}

/// Closes and frees a loop of `uv_loop_new`. Deprecated: use `uv_loop_close`.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_close>
///
/// # Safety
/// `loop` must come from `uv_loop_new` and have neither handles nor requests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_delete(r#loop: *mut uv_loop_t) {
    let is_default = DEFAULT_LOOP.load(Ordering::Acquire) == r#loop;
    // SAFETY: common pointer contract.
    if unsafe { Loop::from_ptr(r#loop) }.close().is_err() {
        crate::panic::misuse("the loop still has handles or requests");
    }
    if !is_default {
        // SAFETY: allocated by `uv_loop_new`, and closed.
        unsafe { alloc::free(r#loop.cast()) };
    }
}

/// The size of a loop, for bindings that allocate without the header.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_size>
#[unsafe(no_mangle)]
pub extern "C" fn uv_loop_size() -> usize {
    size_of::<uv_loop_t>()
}

/// Non-zero when the loop has active and referenced handles, active requests or closing handles.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_alive>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_alive(r#loop: *const uv_loop_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.is_alive().into()
}

/// Sets an option of the loop.
///
/// - `UV_LOOP_BLOCK_SIGNAL`: block a signal while polling; only `SIGPROF`, else `UV_EINVAL`
/// - `UV_METRICS_IDLE_TIME`: measure the time spent waiting for events
/// - `UV_LOOP_USE_IO_URING_SQPOLL`: accepted
///
/// Returns 0, or `UV_ENOSYS` for an unknown option.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_configure>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_configure(
    r#loop: *mut uv_loop_t,
    option: uv_loop_option,
    argument: c_int,
) -> c_int {
    // C calls it as a variadic, with one `int` or none: x86_64 and aarch64 pass that alike.
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }
        .configure(option, argument)
        .into_code()
}

/// Makes a loop usable in a child after `fork()`. Call it before anything else of the loop is
/// used there; watchers of file system events have to be started anew where it fails.
///
/// Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_fork>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_fork(r#loop: *mut uv_loop_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.fork().into_code()
}

/// The descriptor of the loop's poller, for embedding: another event loop waits on it and calls
/// `uv_run` with `UV_RUN_NOWAIT` when it becomes readable or `uv_backend_timeout` is over.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_backend_fd>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_backend_fd(r#loop: *const uv_loop_t) -> c_int {
    // SAFETY: common pointer contract.
    let on = unsafe { Loop::from_ptr(r#loop) };
    get!(on.backend_fd)
}

/// How long polling may take until something else is due, in milliseconds; −1 is for ever.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_backend_timeout>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_backend_timeout(r#loop: *const uv_loop_t) -> c_int {
    // SAFETY: common pointer contract.
    let on = unsafe { Loop::from_ptr(r#loop) };
    // Changes of interest reach the poller in `uv_run` only.
    if on.changed_watchers().is_empty() {
        on.within_backoff(on.timeout())
    } else {
        0
    }
}

/// The loop's time in milliseconds since some moment in the past, as of the last update.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_now>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_now(r#loop: *const uv_loop_t) -> u64 {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.now()
}

/// Updates the loop's time, which the loop does itself each iteration; for callbacks that take
/// long.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_update_time>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_update_time(r#loop: *mut uv_loop_t) {
    // SAFETY: common pointer contract.
    let on = unsafe { Loop::from_ptr(r#loop) };
    // Harmless for a loop that is closed, as in libuv.
    if !on.internals().is_null() {
        on.update_time();
    }
}

/// Calls `walk_cb` with `arg` for every handle of the loop, closing ones included.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_walk>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_walk(r#loop: *mut uv_loop_t, walk_cb: uv_walk_cb, arg: *mut c_void) {
    let Some(callback) = walk_cb else { return };
    // SAFETY: common pointer contract.
    let on = unsafe { Loop::from_ptr(r#loop) };
    // SAFETY: the user's callback gets a live handle and the pointer it was registered with.
    on.walk(|handle| unsafe { callback(handle.raw(), arg) });
}

/// Prints all handles of the loop (`NULL`: the default loop) to `stream` (`NULL`: the standard
/// error), a line each, as `[RAI] type address`: referenced, active, internal.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_print_all_handles>
///
/// # Safety
/// `loop` must be null or initialised, `stream` null or open for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_print_all_handles(r#loop: *mut uv_loop_t, stream: *mut libc::FILE) {
    // SAFETY: common pointer contract.
    unsafe { or_default(r#loop) }.print(stream_or_stderr(stream), false);
    crate::panic::keep_frame();
}

/// Prints the active handles of the loop, as `uv_print_all_handles` does.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_print_active_handles>
///
/// # Safety
/// `loop` must be null or initialised, `stream` null or open for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_print_active_handles(r#loop: *mut uv_loop_t, stream: *mut libc::FILE) {
    // SAFETY: common pointer contract.
    unsafe { or_default(r#loop) }.print(stream_or_stderr(stream), true);
    crate::panic::keep_frame();
}

/// The user's own pointer, `loop->data`.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_get_data>
///
/// # Safety
/// `loop` must point to a loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_get_data(r#loop: *const uv_loop_t) -> *mut c_void {
    // SAFETY: common pointer contract.
    let on = unsafe { Loop::from_ptr(r#loop) };
    get!(on.data)
}

/// Sets the user's own pointer, `loop->data`.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_set_data>
///
/// # Safety
/// `loop` must point to a loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_set_data(r#loop: *mut uv_loop_t, data: *mut c_void) {
    // SAFETY: common pointer contract.
    let on = unsafe { Loop::from_ptr(r#loop) };
    set!(on.data = data);
}
