//! The loop's counters: iterations, events, time spent waiting.
//!
//! <https://docs.libuv.org/en/v1.x/metrics.html>

use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::Loop;
use crate::abi::*;
use crate::panic::not_null;
use crate::sys::clock;

/// Adds to a counter that only the loop's own thread changes. No other thread's write can come
/// between, and an atomic addition costs as much as the rest of an idle iteration.
fn add(counter: &AtomicU64, number: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(number), Relaxed);
}

/// Counters that any thread may read.
#[derive(Default)]
pub(crate) struct Metrics {
    loop_count: AtomicU64,
    events: AtomicU64,
    events_waiting: AtomicU64,
    idle_ns: AtomicU64,
    /// Whether the events of this batch were there before the loop waited.
    pub(crate) were_waiting: AtomicBool,
    /// When the current wait began, in nanoseconds; 0 outside of waits.
    entered_poller_ns: AtomicU64,
}

impl Metrics {
    /// The number of the current iteration.
    pub(crate) fn iteration(&self) -> u64 {
        self.loop_count.load(Relaxed)
    }

    pub(crate) fn begin_iteration(&self) {
        add(&self.loop_count, 1);
    }

    pub(crate) fn enter_poller(&self) {
        self.entered_poller_ns.store(clock::monotonic_ns(), Relaxed);
    }

    pub(crate) fn leave_poller(&self) {
        let entered = self.entered_poller_ns.load(Relaxed);
        if entered != 0 {
            self.entered_poller_ns.store(0, Relaxed);
            let idle = clock::monotonic_ns().saturating_sub(entered);
            add(&self.idle_ns, idle);
        }
    }

    /// Counts events of the current batch.
    pub(crate) fn count_events(&self, seen: u64) {
        add(&self.events, seen);
        if self.were_waiting.load(Relaxed) {
            add(&self.events_waiting, seen);
        }
    }

    /// Nanoseconds in the poller, the current wait included.
    fn idle_time(&self) -> u64 {
        let idle = self.idle_ns.load(Relaxed);
        match self.entered_poller_ns.load(Relaxed) {
            0 => idle,
            entered => idle + clock::monotonic_ns().saturating_sub(entered),
        }
    }
}

// C entry points

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
        reserved: [core::ptr::null_mut(); 13],
    };
    // SAFETY: common pointer contract.
    unsafe { not_null(metrics).write(info) };
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
