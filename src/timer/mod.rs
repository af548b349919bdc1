//! Timers.
//!
//! `queue.rs` keeps the started timers in order. All timers that are due are taken out first, and
//! then called. So one that a callback starts anew waits for the next iteration, and one that a
//! callback stops is removed from the list of the due.
//!
//! <https://docs.libuv.org/en/v1.x/timer.html>

pub(crate) mod queue;

use core::ffi::c_int;

use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::handle::Handle;
use crate::list::{List, local};
use crate::observe::call_back;
use crate::view::{get, set, upcast};
pub(crate) use queue::Timer;

impl Timer {
    upcast!(pub(crate) handle: Handle);

    /// `UV_EINVAL` for another kind of handle.
    #[inline]
    fn expected(self) -> Result<Timer> {
        self.handle().expect(UV_TIMER).map(|()| self)
    }

    pub(crate) fn init(self, event_loop: Loop) {
        self.handle().init(event_loop, UV_TIMER);
        set!(self.timer_cb = None);
        set!(self.timeout = 0);
        set!(self.repeat = 0);
        self.link().init();
    }

    pub(crate) fn start(self, callback: uv_timer_cb, timeout: u64, repeat: u64) -> Result {
        if self.handle().is_closing() || callback.is_none() {
            return Err(Errno::EINVAL);
        }
        let event_loop = self.handle().event_loop();
        self.leave_queue(event_loop);
        let start_id = get!(event_loop.timer_counter);
        set!(event_loop.timer_counter = start_id + 1);
        set!(self.timer_cb = callback);
        set!(self.timeout = event_loop.now().saturating_add(timeout));
        set!(self.repeat = repeat);
        set!(self.start_id = start_id);
        event_loop.timers(|timers| timers.insert(self));
        self.handle().start();
        Ok(())
    }

    pub(crate) fn stop(self) {
        self.leave_queue(self.handle().event_loop());
        self.handle().stop();
    }

    /// Removes the timer from the queue, or from the list of the due.
    #[inline]
    fn leave_queue(self, event_loop: Loop) {
        if self.handle().is_active() {
            event_loop.timers(|timers| timers.remove(self));
        } else {
            self.link().remove();
        }
    }

    pub(crate) fn again(self) -> Result {
        if get!(self.timer_cb).is_none() {
            return Err(Errno::EINVAL);
        }
        let repeat = get!(self.repeat);
        if repeat != 0 {
            self.start(get!(self.timer_cb), repeat, repeat)?;
        }
        Ok(())
    }

    fn invoke(self) {
        if let Some(callback) = get!(self.timer_cb) {
            // SAFETY: the user's callback gets the timer it was registered for, which nothing
            // here touches afterwards.
            unsafe { call_back!(Timer: callback(self.raw())) }
        }
    }
}

/// Milliseconds until the next timer is due; −1 without timers.
pub(crate) fn next_timeout(event_loop: Loop) -> c_int {
    match event_loop.timers(|timers| timers.next_due()) {
        None => -1,
        Some(due) => due.saturating_sub(event_loop.now()).min(c_int::MAX as u64) as c_int,
    }
}

/// Runs the callbacks of the timers that are due.
pub(crate) fn run_due(event_loop: Loop) {
    local!(due: List<Timer>);
    let now = event_loop.now();
    while let Some(timer) = event_loop.timers(|timers| timers.first_due(now)) {
        queue::check(timer.handle().is_active());
        event_loop.timers(|timers| timers.remove(timer));
        timer.handle().stop();
        due.push_back(timer);
    }
    while let Some(timer) = due.pop_front() {
        // A started timer has a callback, so this does not fail.
        let _ = timer.again();
        timer.invoke();
    }
}

// C entry points

/// Initialises a timer, which is not started. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_init(r#loop: *mut uv_loop_t, handle: *mut uv_timer_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Timer::from_ptr(handle).init(Loop::from_ptr(r#loop)) };
    0
}

/// Starts a timer, or starts it anew. `cb` is called after `timeout` milliseconds, counted from
/// the loop's time. Unless `repeat` is 0, it is then called every `repeat` milliseconds. A timeout
/// of 0 is due in the loop's next iteration.
///
/// Returns 0, or `UV_EINVAL` when the timer is closing or `cb` is `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_start>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_start(
    handle: *mut uv_timer_t,
    cb: uv_timer_cb,
    timeout: u64,
    repeat: u64,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Timer::from_ptr(handle) }
        .expected()
        .and_then(|timer| timer.start(cb, timeout, repeat))
        .into_code()
}

/// Stops a timer: its callback is not called any more. Returns 0, also for one not started.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_stop>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_stop(handle: *mut uv_timer_t) -> c_int {
    // SAFETY: common pointer contract.
    if let Ok(handle) = unsafe { Timer::from_ptr(handle) }.expected() {
        handle.stop();
    }
    0
}

/// Stops a timer and, if it repeats, starts it with its repeat value as the timeout.
///
/// Returns 0, or `UV_EINVAL` for a timer that was never started.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_again>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_again(handle: *mut uv_timer_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Timer::from_ptr(handle) }
        .expected()
        .and_then(Timer::again)
        .into_code()
}

/// Sets the repeat value in milliseconds, used from the next expiry on.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_set_repeat>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_set_repeat(handle: *mut uv_timer_t, repeat: u64) {
    // SAFETY: common pointer contract.
    let timer = unsafe { Timer::from_ptr(handle) };
    set!(timer.repeat = repeat);
}

/// The repeat value in milliseconds.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_get_repeat>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_get_repeat(handle: *const uv_timer_t) -> u64 {
    // SAFETY: common pointer contract.
    let timer = unsafe { Timer::from_ptr(handle) };
    get!(timer.repeat)
}

/// Milliseconds of the loop's time until the timer is due; 0 when that has passed.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_get_due_in>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_get_due_in(handle: *const uv_timer_t) -> u64 {
    // SAFETY: common pointer contract.
    let timer = unsafe { Timer::from_ptr(handle) };
    timer.expected().map_or(0, |timer| {
        get!(timer.timeout).saturating_sub(timer.handle().event_loop().now())
    })
}
