//! Scans directories again that could not be scanned.
//!
//! A timer of the loop has the trees scan their incomplete directories again. The first delay is
//! short, and each further failure doubles it. The timer is made when it is first needed, and does
//! not keep the loop alive.

use super::{FsEvent, for_each_started, with_registry};
use crate::abi::*;
use crate::event_loop::Loop;
use crate::handle::flags;
use crate::sys::clock;
use crate::timer::Timer;
use crate::zeroed::zeroed;

/// The delay before the first retry, in milliseconds.
const FIRST_DELAY_MS: u64 = 1;
/// The longest delay between retries, in milliseconds: so rare that they cost nothing.
const LONGEST_DELAY_MS: u64 = 1000;
/// The pause after a retry, in multiples of the time that it took. So scanning many directories
/// takes at most a fiftieth of the loop's time.
const PAUSE_FACTOR: u64 = 50;

pub(super) struct Retry {
    timer: uv_timer_t,
    is_made: bool,
    /// How long the last delay was, in milliseconds.
    delay_ms: u64,
    /// The earliest time of the next retry, by the loop's clock in milliseconds.
    earliest_ms: u64,
}

impl Retry {
    pub(super) const fn new() -> Retry {
        Retry {
            timer: zeroed(),
            is_made: false,
            delay_ms: 0,
            earliest_ms: 0,
        }
    }

    /// How long to wait at `now`, in milliseconds; `again` after a retry that failed.
    fn next_delay(&mut self, now: u64, again: bool) -> u64 {
        self.delay_ms = if again {
            (2 * self.delay_ms).min(LONGEST_DELAY_MS)
        } else {
            FIRST_DELAY_MS
        };
        self.delay_ms.max(self.earliest_ms.saturating_sub(now))
    }
}

/// The timer, once it is made.
fn timer(event_loop: Loop) -> Timer {
    let timer = with_registry(event_loop, |registry| &raw mut registry.retry.timer);
    // SAFETY: lives as long as the registry; the loop's thread alone uses it.
    unsafe { Timer::from_ptr(timer) }
}

/// Starts the timer for a retry, if one is needed; `again` after a retry that failed.
pub(super) fn schedule(event_loop: Loop, again: bool) {
    if !with_registry(event_loop, |registry| {
        core::mem::take(&mut registry.needs_retry)
    }) {
        return;
    }
    let timer = timer(event_loop);
    if !with_registry(event_loop, |registry| {
        core::mem::replace(&mut registry.retry.is_made, true)
    }) {
        timer.init(event_loop);
        timer.handle().unreference();
        timer.handle().add(flags::INTERNAL);
    }
    let now = event_loop.now();
    let delay = with_registry(event_loop, |registry| registry.retry.next_delay(now, again));
    // Fails for closing timers only.
    let _ = timer.start(Some(on_timer), delay, 0);
}

/// Takes the timer out of the loop.
pub(super) fn end(event_loop: Loop) {
    if with_registry(event_loop, |registry| {
        core::mem::take(&mut registry.retry.is_made)
    }) {
        timer(event_loop).stop();
        timer(event_loop).handle().uninit();
    }
}

unsafe extern "C" fn on_timer(timer: *mut uv_timer_t) {
    // SAFETY: a timer that was started is live, and so is its loop.
    let event_loop = unsafe { Timer::from_ptr(timer) }.handle().event_loop();
    let began = clock::monotonic_ns();
    for_each_started(event_loop, FsEvent::rescan);
    let ended = clock::monotonic_ns();
    let pause = (ended - began) * PAUSE_FACTOR;
    with_registry(event_loop, |registry| {
        registry.retry.earliest_ms = (ended + pause) / 1_000_000;
    });
    schedule(event_loop, true);
    for_each_started(event_loop, FsEvent::deliver);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_longer_up_to_a_limit() {
        let mut retry = Retry::new();
        let mut delays: std::vec::Vec<u64> = std::vec::Vec::new();
        for count in 0..12 {
            delays.push(retry.next_delay(0, count > 0));
        }
        assert_eq!(delays[..5], [1, 2, 4, 8, 16]);
        assert_eq!(delays[10..], [LONGEST_DELAY_MS, LONGEST_DELAY_MS]);
        assert_eq!(retry.next_delay(0, false), FIRST_DELAY_MS);
    }

    #[test]
    fn a_long_retry_is_followed_by_a_long_pause() {
        let mut retry = Retry::new();
        retry.earliest_ms = 5000;
        assert_eq!(retry.next_delay(2000, false), 3000);
        assert_eq!(retry.next_delay(4999, true), 2);
        assert_eq!(retry.next_delay(6000, true), 4);
    }
}
