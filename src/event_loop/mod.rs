//! The loop's state, and how the rest of the library reads and changes it. `driver/` makes, runs
//! and closes loops.
//!
//! The public part of a loop is `uv_loop_t` in the caller's memory; what does not fit there is
//! [`Internals`], behind `internal_fields`.
//!
//! <https://docs.libuv.org/en/v1.x/loop.html>

mod backoff;
pub(crate) mod io;
pub(crate) mod metrics;
mod sent;
pub(crate) mod waiting;
pub(crate) mod wakeup;

use core::ffi::{c_int, c_uint, c_void};

use crate::abi::*;
use crate::async_handle::walk::Walk;
use crate::errors::Result;
use crate::fs::allowance::Allowance;
use crate::list::{self, List};
use crate::process::exit_check::ExitCheck;
use crate::signal::caught::Caught;
use crate::sys::clock;
use crate::timer::queue::Timers;
use crate::view::{get, member, set, view};
use backoff::Backoff;
use io::{Changed, Descriptors, Io, Pending};
use metrics::Metrics;
use waiting::Waiting;
use wakeup::AsyncState;

/// The part of a loop that is not in the caller's memory.
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
    /// Jobs of this loop that were done inline, and whose callbacks are due.
    inline_completions: uv__queue,
    /// Which file operations may be done inline.
    allowance: Allowance,
    /// How the ends of processes are noticed where `SIGCHLD` does not report them.
    exit_check: ExitCheck,
    options: c_uint,
}

impl Internals {
    pub(crate) fn new() -> Result<Internals> {
        Ok(Internals {
            descriptors: Descriptors::new()?,
            timers: Timers::new(),
            asyncs: AsyncState::new(),
            caught: Caught::new(),
            metrics: Metrics::default(),
            waiting: Waiting::new(),
            backoff: Backoff::new(),
            backed_off: list::head(),
            async_walk: Walk::new(),
            inline_completions: list::head(),
            allowance: Allowance::new(),
            exit_check: ExitCheck::new(),
            options: 0,
        })
    }

    pub(crate) fn poller_fd(&self) -> c_int {
        self.descriptors.poller_fd()
    }
}

/// Bits of [`Internals::options`].
pub(crate) const BLOCK_SIGPROF: c_uint = 1;
pub(crate) const MEASURE_IDLE_TIME: c_uint = 2;

view!(
    /// A loop.
    Loop => uv_loop_t
);

#[cold]
fn has_no_internals() -> ! {
    crate::panic::misuse("the loop was closed, or never initialised")
}

/// Access to a part of the internals that only the loop's thread uses, and not while it already
/// does: `part!(timers: Timers);`
macro_rules! part {
    ($(#[$attribute:meta])* $name:ident : $kind:ident) => {
        $(#[$attribute])*
        #[inline]
        pub(crate) fn $name<R>(self, work: impl FnOnce(&mut $kind) -> R) -> R {
            // SAFETY: an initialised loop has its internals, only this thread uses this part of
            // them, and `work` cannot come back here since it does not leave Rust.
            work(unsafe { &mut (*self.internals()).$name })
        }
    };
}

// Access for the rest of the library.
impl Loop {
    /// The internals, which are not null. The process ends if the loop has none.
    #[inline]
    pub(crate) fn internals(self) -> *mut Internals {
        if self.is_closed() {
            has_no_internals();
        }
        get!(self.internal_fields).cast()
    }

    /// Whether the loop was closed, or is zeroed memory that was never initialised.
    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        get!(self.internal_fields).is_null()
    }

    /// Ends the process if the loop is zeroed memory. A closed loop has its lists, which are empty.
    pub(crate) fn expect_lists(self) {
        if get!(self.handle_queue.next).is_null() {
            has_no_internals();
        }
    }

    part!(
        /// Works on the descriptors; `work` must not call back into C.
        descriptors: Descriptors
    );

    part!(
        /// Works on the timers; `work` must not call back into C.
        timers: Timers
    );

    /// What async handles share with the threads that send. All of it is atomic.
    pub(crate) fn asyncs<'a>(self) -> &'a AsyncState {
        // SAFETY: lives as long as the loop, and no mutable reference to it exists.
        unsafe { &(*self.internals()).asyncs }
    }

    /// The signals that the handler has caught for the loop. The signal registry's lock protects
    /// them.
    pub(crate) fn caught(self) -> *mut Caught {
        // SAFETY: an initialised loop has its internals; no reference is made.
        unsafe { &raw mut (*self.internals()).caught }
    }

    pub(crate) fn metrics<'a>(self) -> &'a Metrics {
        // SAFETY: lives as long as the loop, and no mutable reference to it exists.
        unsafe { &(*self.internals()).metrics }
    }

    part!(
        /// Works on the walk through the async handles; `work` must not call back into C.
        async_walk: Walk
    );

    /// The head of the list of jobs that were done inline, and whose callbacks are due.
    pub(crate) fn inline_completions_head(self) -> *mut uv__queue {
        // SAFETY: an initialised loop has its internals; no reference is made.
        unsafe { &raw mut (*self.internals()).inline_completions }
    }

    part!(
        /// Works on the record of the loop's waits; `work` must not call back into C.
        waiting: Waiting
    );

    part!(
        /// Works on what may be done inline; `work` must not call back into C.
        allowance: Allowance
    );

    pub(crate) fn exit_check(self) -> *mut ExitCheck {
        // SAFETY: an initialised loop has its internals; no reference is made.
        unsafe { &raw mut (*self.internals()).exit_check }
    }

    pub(crate) fn set_option(self, option: c_uint) {
        // SAFETY: an initialised loop has its internals.
        unsafe { (*self.internals()).options |= option };
    }

    fn has_option(self, option: c_uint) -> bool {
        // SAFETY: an initialised loop has its internals.
        unsafe { (*self.internals()).options & option != 0 }
    }

    pub(crate) fn blocks_sigprof(self) -> bool {
        self.has_option(BLOCK_SIGPROF)
    }

    pub(crate) fn measures_idle_time(self) -> bool {
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

    pub(crate) fn set_time(self, nanoseconds: u64) {
        set!(self.time = nanoseconds / 1_000_000);
    }

    pub(crate) fn add_active_handle(self) {
        set!(self.active_handles = get!(self.active_handles) + 1);
    }

    pub(crate) fn remove_active_handle(self) {
        set!(self.active_handles = get!(self.active_handles) - 1);
    }

    pub(crate) fn has_active_handles(self) -> bool {
        get!(self.active_handles) > 0
    }

    pub(crate) fn add_active_request(self) {
        set!(self.active_reqs.count = get!(self.active_reqs.count) + 1);
    }

    pub(crate) fn remove_active_request(self) {
        set!(self.active_reqs.count = get!(self.active_reqs.count) - 1);
    }

    pub(crate) fn has_active_requests(self) -> bool {
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

    pub(crate) fn is_alive(self) -> bool {
        self.has_active_handles()
            || self.has_active_requests()
            || !self.pending().is_empty()
            || !self.closing_handles().is_null()
    }

    member!(
        /// Watchers that are due in the pending phase.
        pub(crate) pending: List<Pending> = pending_queue
    );
    member!(
        /// Watchers whose interest is not applied yet.
        pub(crate) changed_watchers: List<Changed> = watcher_queue
    );
    member!(pub(crate) signal_watcher: Io = signal_io_watcher);

    /// A spare descriptor. It is closed for a moment when the process has no other left.
    pub(crate) fn spare_fd(self) -> c_int {
        get!(self.emfile_fd)
    }

    pub(crate) fn set_spare_fd(self, fd: c_int) {
        set!(self.emfile_fd = fd);
    }
}

// C entry points

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
    let event_loop = unsafe { Loop::from_ptr(r#loop) };
    get!(event_loop.backend_fd)
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

/// Updates the loop's time. The loop does so itself each iteration; callbacks that take long may
/// do it as well.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_update_time>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_update_time(r#loop: *mut uv_loop_t) {
    // SAFETY: common pointer contract.
    let event_loop = unsafe { Loop::from_ptr(r#loop) };
    // Harmless for a closed loop, as in libuv.
    if !event_loop.is_closed() {
        event_loop.update_time();
    }
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
    let event_loop = unsafe { Loop::from_ptr(r#loop) };
    get!(event_loop.data)
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
    let event_loop = unsafe { Loop::from_ptr(r#loop) };
    set!(event_loop.data = data);
}
