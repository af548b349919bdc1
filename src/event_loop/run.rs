//! `uv_run`: the phases of an iteration in their order, and the metrics.
//!
//! <https://docs.libuv.org/en/v1.x/design.html#the-i-o-loop>

use std::ffi::{c_int, c_uint};
use std::sync::atomic::Ordering::Relaxed;

use super::io::{FED, Io, apply_changes};
use super::{Loop, Metrics};
use crate::abi::*;
use crate::backend::{BATCH, Events, ready};
use crate::handle::Handle;
use crate::list::{self, List};
use crate::phases;
use crate::sys::clock;
use crate::timer;
use crate::view::{get, set};

/// How often full batches are taken in a row before the other phases get their turn.
const FULL_BATCHES: u32 = 48;
/// How often the pending phase is repeated after polling: callbacks of writes that were done at
/// once should not wait for the next iteration, nor keep the loop to themselves.
const PENDING_ROUNDS: u32 = 8;

impl Loop {
    pub(super) fn run(self, mode: uv_run_mode) -> c_int {
        let mut alive = self.is_alive();
        if !alive {
            self.update_time();
        }
        // In the default mode timers that are due run before the first poll as well; the other
        // modes poll first, once.
        if mode == UV_RUN_DEFAULT && alive && !self.is_stopped() {
            self.update_time();
            timer::run_due(self);
        }
        while alive && !self.is_stopped() {
            self.iterate(mode);
            alive = self.is_alive();
            if mode != UV_RUN_DEFAULT {
                break;
            }
        }
        if self.is_stopped() {
            set!(self.stop_flag = 0);
        }
        alive.into()
    }

    fn iterate(self, mode: uv_run_mode) {
        let can_sleep = self.pending().is_empty() && self.idle_handles().is_empty();
        self.run_pending();
        phases::run_idle(self);
        phases::run_prepare(self);

        let timeout = match mode {
            UV_RUN_DEFAULT => self.timeout(),
            UV_RUN_ONCE if can_sleep => self.timeout(),
            _ => 0,
        };
        self.metrics().loop_count.fetch_add(1, Relaxed);
        self.poll(timeout);

        for _ in 0..PENDING_ROUNDS {
            if self.pending().is_empty() {
                break;
            }
            self.run_pending();
        }
        // Idle time ends here at the latest, should polling have had no event to end it.
        self.metrics().leave_poller();

        phases::run_check(self);
        self.run_closing();
        self.update_time();
        timer::run_due(self);
    }

    fn is_stopped(self) -> bool {
        get!(self.stop_flag) != 0
    }

    /// How long polling may take, in milliseconds; −1 is for ever.
    pub(super) fn timeout(self) -> c_int {
        let may_sleep = !self.is_stopped()
            && (self.has_active_handles() || self.has_active_requests())
            && self.pending().is_empty()
            && self.idle_handles().is_empty()
            && self.closing_handles().is_null();
        if may_sleep {
            timer::next_timeout(self)
        } else {
            0
        }
    }

    fn run_pending(self) {
        let mut local = list::head();
        // SAFETY: `local` outlives the walk, and whatever is left in it leaves it below.
        let todo = unsafe { List::from_ptr(&raw mut local) };
        self.pending().take(todo);
        while let Some(link) = todo.pop_front() {
            Io::from_pending_link(link).dispatch(self, FED);
        }
    }

    fn run_closing(self) {
        let mut next = self.closing_handles();
        self.set_closing_handles(std::ptr::null_mut());
        while !next.is_null() {
            // SAFETY: closing handles stay in place until their callback.
            let handle = unsafe { Handle::from_ptr(next) };
            next = get!(handle.next_closing);
            handle.finish_close();
        }
    }

    /// Waits for readiness and tells the watchers.
    fn poll(self, timeout: c_int) {
        let mut timeout = if apply_changes(self) { 0 } else { timeout };
        let deadline = (timeout > 0).then(|| self.now().saturating_add(timeout as u64));
        let mut events = Events::new();
        // With idle time measured, a first look that does not wait tells events that were there
        // already from events that were waited for.
        let mut looking = self.measures_idle_time() && timeout != 0;
        let mut batches = FULL_BATCHES;
        loop {
            self.wait(&mut events, if looking { 0 } else { timeout });
            let count = self.dispatch_all(&events, looking);
            if count.any_signal {
                return;
            }
            if count.seen > 0 {
                batches -= 1;
                if events.len() == BATCH && batches > 0 {
                    timeout = 0;
                    looking = false;
                    continue;
                }
                return;
            }
            if looking {
                looking = false;
                continue;
            }
            match deadline {
                None if timeout == -1 => {}
                Some(deadline) if self.now() < deadline => {
                    timeout = (deadline - self.now()).min(c_int::MAX as u64) as c_int;
                }
                _ => return,
            }
        }
    }

    fn wait(self, events: &mut Events, timeout: c_int) {
        if timeout != 0 && self.measures_idle_time() {
            self.metrics().enter_poller();
        }
        let block_sigprof = self.blocks_sigprof();
        let result = self.descriptors(|all| all.poller.wait(events, timeout, block_sigprof));
        if result.is_err() {
            crate::panic::misuse("the poller's descriptor was closed");
        }
        self.update_time();
    }

    /// Tells the watchers, the signal watcher last: a child's output comes before its exit.
    fn dispatch_all(self, events: &Events, were_waiting: bool) -> Dispatched {
        let mut done = Dispatched {
            seen: 0,
            any_signal: false,
        };
        if events.len() > 0 {
            self.metrics().leave_poller();
        }
        self.metrics().were_waiting.store(were_waiting, Relaxed);
        for index in 0..events.len() {
            let (token, readiness) = events.get(index);
            let Some(io) = self.descriptors(|all| all.watcher_of(token)) else {
                continue;
            };
            let readiness = io.relevant(readiness);
            if readiness == 0 {
                continue;
            }
            if io.is_signal() {
                done.any_signal = true;
            } else {
                io.dispatch(self, readiness);
            }
            done.seen += 1;
        }
        self.metrics().count_events(done.seen);
        if done.any_signal {
            self.signal_watcher().dispatch(self, ready::READABLE);
        }
        done
    }
}

struct Dispatched {
    seen: u64,
    any_signal: bool,
}

impl Metrics {
    fn enter_poller(&self) {
        self.entered_poller.store(clock::monotonic_ns(), Relaxed);
    }

    fn leave_poller(&self) {
        let entered = self.entered_poller.swap(0, Relaxed);
        if entered != 0 {
            let idle = clock::monotonic_ns().saturating_sub(entered);
            self.idle_ns.fetch_add(idle, Relaxed);
        }
    }

    /// Counts events of the batch that is being told.
    pub(crate) fn count_events(&self, seen: u64) {
        self.events.fetch_add(seen, Relaxed);
        if self.were_waiting.load(Relaxed) {
            self.events_waiting.fetch_add(seen, Relaxed);
        }
    }

    /// Total time in the poller, the wait under way included.
    fn idle_time(&self) -> u64 {
        let idle = self.idle_ns.load(Relaxed);
        match self.entered_poller.load(Relaxed) {
            0 => idle,
            entered => idle + clock::monotonic_ns().saturating_sub(entered),
        }
    }
}

// C entry points

/// Runs the loop: until nothing is alive in it (`UV_RUN_DEFAULT`), for one iteration that may wait
/// (`UV_RUN_ONCE`) or for one that does not (`UV_RUN_NOWAIT`).
///
/// Returns non-zero when handles or requests are still alive, which after `UV_RUN_DEFAULT` means
/// that `uv_stop` was called. Not to be called from within a callback of the same loop.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_run>
///
/// # Safety
/// `loop` must be initialised, and used by no other thread meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_run(r#loop: *mut uv_loop_t, mode: uv_run_mode) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.run(mode)
}

/// Makes `uv_run` return as soon as the current iteration is over; without waiting, if called
/// before it polls.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_stop>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_stop(r#loop: *mut uv_loop_t) {
    // SAFETY: common pointer contract.
    let on = unsafe { Loop::from_ptr(r#loop) };
    set!(on.stop_flag = 1 as c_uint);
}

/// Copies the loop's counters to `metrics`. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/metrics.html#c.uv_metrics_info>
///
/// # Safety
/// `loop` must be initialised, `metrics` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_metrics_info(
    r#loop: *mut uv_loop_t,
    metrics: *mut uv_metrics_t,
) -> c_int {
    // SAFETY: common pointer contract.
    let counters = unsafe { Loop::from_ptr(r#loop) }.metrics();
    let info = uv_metrics_t {
        loop_count: counters.loop_count.load(Relaxed),
        events: counters.events.load(Relaxed),
        events_waiting: counters.events_waiting.load(Relaxed),
        reserved: [std::ptr::null_mut(); 13],
    };
    // SAFETY: common pointer contract.
    unsafe { metrics.write(info) };
    0
}

/// Nanoseconds that the loop has spent waiting in the kernel's event provider, once the loop was
/// configured with `UV_METRICS_IDLE_TIME`; 0 otherwise. May be called from any thread.
///
/// <https://docs.libuv.org/en/v1.x/metrics.html#c.uv_metrics_idle_time>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_metrics_idle_time(r#loop: *mut uv_loop_t) -> u64 {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.metrics().idle_time()
}
