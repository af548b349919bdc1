//! `uv_run`: the phases of an iteration in their order.
//!
//! <https://docs.libuv.org/en/v1.x/design.html#the-i-o-loop>

use core::ffi::{c_int, c_uint};

use super::close::finish_close;
use super::dispatch::dispatch;
use crate::abi::*;
use crate::event_loop::Loop;
use crate::event_loop::io::FED;
use crate::fs::allowance::Allowance;
use crate::handle::Handle;
use crate::list::local;
use crate::observe::{self, Event, Phase};
use crate::prepare_check_idle;
use crate::timer;
use crate::view::{get, set};

/// How often the pending phase is repeated after polling. Callbacks of writes that completed
/// inline need not wait for the next iteration, but must not starve the other phases.
const MAX_PENDING_ROUNDS: u32 = 8;
/// The pending phase is not repeated after this number of callbacks. A program that sends from its
/// callbacks would starve the handles that receive.
const MAX_PENDING_CALLBACKS: usize = 256;

impl Loop {
    pub(super) fn run(self, mode: uv_run_mode) -> c_int {
        observe::report(Event::RunBegins, mode, self.raw(), 0);
        let alive = self.run_until_done(mode);
        observe::report(Event::RunEnds, alive as u32, self.raw(), 0);
        alive
    }

    #[inline(always)]
    fn begin_phase(self, phase: Phase) {
        if observe::is_on() {
            self.report_phase(phase);
        }
    }

    #[cold]
    #[inline(never)]
    fn report_phase(self, phase: Phase) {
        observe::report(Event::PhaseBegins, phase as u32, self.raw(), 0);
    }

    fn run_until_done(self, mode: uv_run_mode) -> c_int {
        self.expect_lists();
        let mut alive = self.is_alive();
        if !alive {
            if self.is_closed() {
                // It has nothing to do, as in libuv.
                set!(self.stop_flag = 0);
                return 0;
            }
            self.update_time();
        }
        // In the default mode timers that are due run before the first poll as well. The other
        // modes poll once, first.
        if mode == UV_RUN_DEFAULT && alive && !self.is_stopped() {
            self.update_time();
            self.begin_phase(Phase::Timers);
            timer::run_due(self);
        }
        self.asyncs().end_blocking();
        while alive && !self.is_stopped() {
            self.iterate(mode);
            alive = self.is_alive();
            if mode != UV_RUN_DEFAULT {
                break;
            }
        }
        self.allowance(Allowance::forget_answer);
        self.leave();
        if self.is_stopped() {
            set!(self.stop_flag = 0);
        }
        alive.into()
    }

    /// From here on a message wakes the loop, those that are there already included: a program may
    /// wait for the loop's descriptor in a poller of its own.
    fn leave(self) {
        self.asyncs().begin_blocking();
        if self.has_messages() {
            self.asyncs().wake();
        }
    }

    fn iterate(self, mode: uv_run_mode) {
        let can_block = self.pending().is_empty() && self.idle_handles().is_empty();
        self.begin_phase(Phase::Pending);
        self.run_pending();
        self.begin_phase(Phase::Idle);
        prepare_check_idle::run_idle(self);
        self.begin_phase(Phase::Prepare);
        prepare_check_idle::run_prepare(self);

        let timeout = match mode {
            UV_RUN_DEFAULT => self.timeout(),
            UV_RUN_ONCE if can_block => self.timeout(),
            _ => 0,
        };
        self.metrics().begin_iteration();
        self.begin_phase(Phase::Poll);
        self.poll(timeout, mode);

        let mut count = 0;
        for _ in 0..MAX_PENDING_ROUNDS {
            if self.pending().is_empty() || count >= MAX_PENDING_CALLBACKS {
                break;
            }
            count += self.run_pending();
        }
        // Idle time ends here at the latest: polling may have had no event to end it.
        self.metrics().leave_poller();

        self.begin_phase(Phase::Check);
        prepare_check_idle::run_check(self);
        self.begin_phase(Phase::Closing);
        self.run_closing();
        self.begin_phase(Phase::Timers);
        self.update_time();
        timer::run_due(self);
    }

    fn is_stopped(self) -> bool {
        get!(self.stop_flag) != 0
    }

    /// How long polling may take, in milliseconds; −1 is for ever.
    pub(super) fn timeout(self) -> c_int {
        let may_block = !self.is_stopped()
            && (self.has_active_handles() || self.has_active_requests())
            && self.pending().is_empty()
            && self.idle_handles().is_empty()
            && self.closing_handles().is_null();
        if may_block {
            timer::next_timeout(self)
        } else {
            0
        }
    }

    /// Runs the watchers that are pending now; returns how many.
    fn run_pending(self) -> usize {
        local!(todo);
        self.pending().take(todo);
        let mut count = 0;
        while let Some(io) = todo.pop_front() {
            dispatch(self, io, FED);
            count += 1;
        }
        count
    }

    fn run_closing(self) {
        let mut next = self.closing_handles();
        self.set_closing_handles(core::ptr::null_mut());
        while !next.is_null() {
            // SAFETY: closing handles stay in place until their callback.
            let handle = unsafe { Handle::from_ptr(next) };
            next = get!(handle.next_closing);
            finish_close(handle);
        }
    }
}

// C entry points

/// Runs the loop: until nothing is alive in it (`UV_RUN_DEFAULT`), for one iteration that may wait
/// (`UV_RUN_ONCE`) or for one that does not (`UV_RUN_NOWAIT`).
///
/// Returns non-zero when handles or requests are still alive. After `UV_RUN_DEFAULT` that means
/// that `uv_stop` was called. A callback must not run its own loop again.
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

/// Makes `uv_run` return as soon as the current iteration is over. If called before the iteration
/// polls, polling does not wait.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_stop>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_stop(r#loop: *mut uv_loop_t) {
    // SAFETY: common pointer contract.
    let event_loop = unsafe { Loop::from_ptr(r#loop) };
    set!(event_loop.stop_flag = 1 as c_uint);
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
    let event_loop = unsafe { Loop::from_ptr(r#loop) };
    // Changes of interest reach the poller in `uv_run` only. A closed loop has nothing to wait for.
    if event_loop.changed_watchers().is_empty() && !event_loop.is_closed() {
        event_loop.within_backoff(event_loop.timeout())
    } else {
        0
    }
}
