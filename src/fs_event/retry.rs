//! Looking again into directories that could not be looked into.
//!
//! A timer of the loop's, which is made when it is needed and does not keep the loop alive, has the
//! trees look again: soon after the first failure, and after twice as long each time that something
//! fails again.

use core::mem::MaybeUninit;

use super::{FsEvent, for_each_started, with_registry};
use crate::abi::*;
use crate::event_loop::Loop;
use crate::handle::flags;
use crate::sys::clock;
use crate::timer::Timer;

const FIRST_MS: u64 = 1;
/// So rarely that it costs nothing.
const LONGEST_MS: u64 = 1000;
/// What looks into many directories may take one part of so many of the loop's time.
const SHARE: u64 = 50;

pub(super) struct Retry {
    timer: MaybeUninit<uv_timer_t>,
    is_made: bool,
    /// How long the last wait was, in milliseconds.
    delay: u64,
    /// When the next look may be, by the loop's clock in milliseconds.
    earliest: u64,
}

impl Retry {
    pub(super) const fn new() -> Retry {
        Retry {
            timer: MaybeUninit::zeroed(),
            is_made: false,
            delay: 0,
            earliest: 0,
        }
    }

    /// How long to wait at `now`; `again` after a look that was in vain.
    fn next_delay(&mut self, now: u64, again: bool) -> u64 {
        self.delay = if again {
            (2 * self.delay).min(LONGEST_MS)
        } else {
            FIRST_MS
        };
        self.delay.max(self.earliest.saturating_sub(now))
    }
}

/// The timer, once it is made.
fn timer(event_loop: Loop) -> Timer {
    let timer = with_registry(event_loop, |registry| registry.retry.timer.as_mut_ptr());
    // SAFETY: lives as long as the registry; the loop's thread alone uses it.
    unsafe { Timer::from_ptr(timer) }
}

/// Has the trees look again, if any failed; `again` after a look that was one already.
pub(super) fn schedule(event_loop: Loop, again: bool) {
    if !with_registry(event_loop, |registry| {
        core::mem::take(&mut registry.wants_look)
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
    let pause = (ended - began) * SHARE;
    with_registry(event_loop, |registry| {
        registry.retry.earliest = (ended + pause) / 1_000_000;
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
        assert_eq!(delays[10..], [LONGEST_MS, LONGEST_MS]);
        assert_eq!(retry.next_delay(0, false), FIRST_MS);
    }

    #[test]
    fn what_takes_long_waits_long() {
        let mut retry = Retry::new();
        retry.earliest = 5000;
        assert_eq!(retry.next_delay(2000, false), 3000);
        assert_eq!(retry.next_delay(4999, true), 2);
        assert_eq!(retry.next_delay(6000, true), 4);
    }
}
