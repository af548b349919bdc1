//! Polling: waits for readiness and messages, and delivers them.
//!
//! *Messages* do not come through descriptors: they are sent async handles, and completions of
//! jobs. They are delivered whenever the loop polls. While it blocks in the poller, the sender of
//! a message wakes it (`event_loop/wakeup.rs`). Before it blocks it may spin for a while, if that
//! costs less (`spin/`).
//!
//! <https://docs.libuv.org/en/v1.x/design.html#the-i-o-loop>

use core::ffi::c_int;
use core::sync::atomic::Ordering::Relaxed;

use super::dispatch::dispatch;
use crate::abi::*;
use crate::async_handle;
use crate::backend::{EVENT_BATCH, Events, ready};
use crate::event_loop::Loop;
use crate::observe::{self, Event};
use crate::process;
use crate::spin::{self, Spun};
use crate::sys::clock;
use crate::view::get;
use crate::work::completions;

/// How many full batches one iteration takes before the other phases get their turn: as many as in
/// libuv.
const MAX_FULL_BATCHES: u32 = 48;
/// How many iterations in a row may skip the poller because there are messages: few enough that a
/// busy sender does not keep the loop from its descriptors.
const MAX_SKIPPED_POLLS: u32 = 16;

/// The result of one delivery of messages and events.
struct Dispatched {
    seen: u64,
    any_signal: bool,
}

impl Loop {
    /// Whether there is a message for the loop.
    #[inline]
    pub(super) fn has_messages(self) -> bool {
        self.asyncs().any_sent()
            || self.async_walk(|all| all.any_pending())
            || completions::any(self)
    }

    /// Waits for readiness and messages, at most `timeout` milliseconds (−1: for ever), and
    /// delivers them.
    pub(super) fn poll(self, timeout: c_int, mode: uv_run_mode) {
        let mut timeout = self.longest_poll(timeout);
        if timeout == 0 && mode == UV_RUN_DEFAULT && self.may_skip_poller() {
            self.deliver_without_polling();
            return;
        }
        let mut deadline = (timeout > 0).then(|| self.now().saturating_add(timeout as u64));
        let mut events = Events::new();
        // Idle time is measured: a first wait of no time finds the events that nothing waited for.
        let mut peeking = self.measures_idle_time();
        let mut batches = MAX_FULL_BATCHES;
        loop {
            let slice = if peeking {
                0
            } else {
                self.within_backoff(timeout)
            };
            self.wait(&mut events, slice);
            let count = self.dispatch_all(&events, peeking);
            if count.any_signal {
                return;
            }
            if count.seen > 0 {
                batches -= 1;
                if events.len() == EVENT_BATCH && batches > 0 {
                    // What the callbacks have started is for the next iteration, so from here on
                    // nothing blocks.
                    timeout = 0;
                    deadline = None;
                    peeking = false;
                    continue;
                }
                return;
            }
            if peeking && timeout != 0 {
                peeking = false;
                continue;
            }
            if self.apply_changes() {
                return;
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

    /// How many milliseconds polling may block, at most `timeout`; −1 for any time. Applies changed
    /// interest first, since its errors are reported without blocking.
    fn longest_poll(self, timeout: c_int) -> c_int {
        let any_reported = self.apply_changes();
        let is_urgent = any_reported || self.has_messages();
        process::longest_wait(self, if is_urgent { 0 } else { timeout })
    }

    /// Whether this iteration may skip the poller. It may if the poller has no descriptor but the
    /// eventfd that wakes the loop. It also may if there are messages, for a few iterations within
    /// one millisecond.
    fn may_skip_poller(self) -> bool {
        if !self.watches_descriptors() {
            return true;
        }
        let now = self.now();
        self.has_messages()
            && self.waiting(|waiting| {
                waiting.skipped += 1;
                waiting.skipped <= MAX_SKIPPED_POLLS && waiting.polled_at_ms == now
            })
    }

    /// Whether the poller has other descriptors than the loop's own eventfd.
    fn watches_descriptors(self) -> bool {
        get!(self.nfds) > 1
    }

    fn deliver_without_polling(self) {
        let any = self.has_messages();
        // A program that reads the time now gets what it is after polling.
        if any || !self.check_handles().is_empty() {
            self.update_time();
        }
        if any {
            let were_waiting = self.measures_idle_time();
            self.metrics().were_waiting.store(were_waiting, Relaxed);
            let count = self.deliver_messages();
            self.waiting(|waiting| waiting.waiter.count(count));
        }
    }

    /// Waits for events and messages, at most `timeout` milliseconds (−1: for ever).
    fn wait(self, events: &mut Events, timeout: c_int) {
        if timeout == 0 {
            self.poll_events(events, 0);
            self.update_time();
        } else {
            self.wait_for_some(events, timeout);
        }
        let now = self.now();
        self.waiting(|waiting| {
            waiting.polled_at_ms = now;
            waiting.skipped = 0;
        });
    }

    fn wait_for_some(self, events: &mut Events, timeout: c_int) {
        if self.measures_idle_time() {
            self.metrics().enter_poller();
        }
        // Spinning may end with messages, without having polled for events.
        events.clear();
        let spins = self.waiting(|waiting| waiting.waiter.should_spin());
        let spun = match spins {
            true => spin::spin(|| self.poll_once(events)),
            false => Spun::Not,
        };
        if !matches!(spun, Spun::Enough { .. }) {
            self.block(events, timeout);
        }
        let now_ns = clock::monotonic_ns();
        self.set_time(now_ns);
        self.waiting(|waiting| waiting.waiter.waited(now_ns, spun));
    }

    /// Polls once for messages and events without waiting; whether there are any.
    fn poll_once(self, events: &mut Events) -> bool {
        if self.has_messages() {
            return true;
        }
        if !self.watches_descriptors() {
            return false;
        }
        self.poll_events(events, 0);
        events.len() > 0
    }

    fn block(self, events: &mut Events, timeout: c_int) {
        self.asyncs().begin_blocking();
        // Messages from before did not wake the loop.
        let timeout = if self.has_messages() { 0 } else { timeout };
        observe::report(Event::BlockBegins, 0, self.raw(), timeout as isize as usize);
        self.poll_events(events, timeout);
        observe::report(Event::BlockEnds, 0, self.raw(), events.len());
        self.asyncs().end_blocking();
    }

    fn poll_events(self, events: &mut Events, timeout: c_int) {
        let block_sigprof = self.blocks_sigprof();
        let result = self.descriptors(|all| all.wait(events, timeout, block_sigprof));
        if result.is_err() {
            crate::panic::misuse("the poller's descriptor was closed");
        }
    }

    /// Delivers messages, then readiness. So a message that was sent before data was written
    /// arrives before the data: the kernel's locks order the two on weak memory as well. What
    /// callbacks send is for the next iteration. The signal watcher comes last: a child's output is
    /// read before its exit is reported.
    fn dispatch_all(self, events: &Events, were_waiting: bool) -> Dispatched {
        let mut done = Dispatched {
            seen: 0,
            any_signal: false,
        };
        if events.len() > 0 || self.has_messages() {
            self.metrics().leave_poller();
        }
        self.metrics().were_waiting.store(were_waiting, Relaxed);
        let messages = self.deliver_messages();
        for index in 0..events.len() {
            let (token, readiness) = events.get(index);
            let Some(io) = self.descriptors(|all| all.watcher_of(token)) else {
                continue;
            };
            let readiness = io.relevant(self, readiness);
            if readiness == 0 {
                self.ignore_event(io);
                continue;
            }
            if io.is_async() {
                async_handle::on_readable(self);
                continue;
            }
            if io.is_signal() {
                done.any_signal = true;
            } else {
                dispatch(self, io, readiness);
            }
            done.seen += 1;
        }
        self.metrics().count_events(done.seen);
        done.seen += messages;
        self.waiting(|waiting| waiting.waiter.count(done.seen));
        if done.any_signal {
            dispatch(self, self.signal_watcher(), ready::READABLE);
        }
        done
    }

    /// Delivers completions and sent async handles; returns how many.
    fn deliver_messages(self) -> u64 {
        async_handle::begin(self);
        let done = completions::deliver_all(self);
        let sent = async_handle::deliver(self);
        self.metrics().count_events(sent);
        done + sent
    }
}
