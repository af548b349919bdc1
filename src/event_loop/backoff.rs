//! Backoff: pauses for watchers whose descriptors are ready, but for which the system lacks memory
//! or descriptors at the moment.
//!
//! A watcher that backs off is not registered with the poller. Its interest stays, and is applied
//! when the backoff is over. So does a change that the poller refused for such a lack.
//!
//! All watchers of a loop that back off share one end. A backoff that begins soon after the last
//! one is twice as long, up to a limit.

use core::ffi::c_int;

use super::Loop;
use super::io::{Changed, Io};
use crate::list::List;

/// Long enough for other threads to release something.
const FIRST_DELAY_MS: u64 = 1;
/// Ten attempts a second cost nothing, and a longer pause would be noticed.
const LONGEST_DELAY_MS: u64 = 100;
/// A backoff that begins within this time after the last one has the same cause.
const RELATED_WITHIN_MS: u64 = 100;

/// When the last backoff of a loop ends or ended, and how long it is, in milliseconds.
pub(super) struct Backoff {
    end_ms: u64,
    length_ms: u64,
}

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff {
            end_ms: 0,
            length_ms: 0,
        }
    }

    /// Begins a backoff at `now`, in milliseconds.
    fn begin(&mut self, now: u64) {
        self.length_ms = match self.length_ms {
            0 => FIRST_DELAY_MS,
            _ if now > self.end_ms + RELATED_WITHIN_MS => FIRST_DELAY_MS,
            last => (2 * last).min(LONGEST_DELAY_MS),
        };
        self.end_ms = now + self.length_ms;
    }
}

impl Loop {
    /// Watchers that back off. One that is stopped or closed leaves the list.
    pub(crate) fn backed_off(self) -> List<Changed> {
        // SAFETY: an initialised loop has its internals, which stay in place.
        unsafe { List::from_ptr(&raw mut (*self.internals()).backed_off) }
    }

    /// Works on the loop's backoff; `work` must not call back into C.
    fn backoff<R>(self, work: impl FnOnce(&mut Backoff) -> R) -> R {
        // SAFETY: an initialised loop has its internals, only this thread uses this part of them,
        // and `work` cannot come back here since it does not leave Rust.
        work(unsafe { &mut (*self.internals()).backoff })
    }

    /// Puts off applying a watcher's changed interest until the backoff is over.
    pub(crate) fn apply_later(self, io: Io) {
        if self.backed_off().is_empty() {
            let now = self.now();
            self.backoff(|backoff| backoff.begin(now));
        }
        io.changed_link().remove();
        self.backed_off().push_back(io);
    }

    /// Milliseconds until the backoff is over; `None` if no watcher backs off.
    fn backoff_timeout(self) -> Option<c_int> {
        if self.backed_off().is_empty() {
            return None;
        }
        let end_ms = self.backoff(|backoff| backoff.end_ms);
        let left = end_ms.saturating_sub(self.now());
        Some(left.min(LONGEST_DELAY_MS) as c_int)
    }

    /// Cuts a wait of `timeout` milliseconds (−1: for ever) at the end of the backoff.
    pub(crate) fn within_backoff(self, timeout: c_int) -> c_int {
        match self.backoff_timeout() {
            None => timeout,
            Some(backoff) if timeout < 0 => backoff,
            Some(backoff) => timeout.min(backoff),
        }
    }

    /// Queues the interest of the watchers that backed off, if the backoff is over.
    pub(crate) fn end_backoff(self) {
        if self.backoff_timeout() != Some(0) {
            return;
        }
        while let Some(io) = self.backed_off().pop_front() {
            self.changed_watchers().push_back(io);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_longer_each_time_up_to_a_limit() {
        let mut backoff = Backoff::new();
        let mut lengths = [0; 9];
        let mut now = 5000;
        for length in &mut lengths {
            backoff.begin(now);
            *length = backoff.end_ms - now;
            now = backoff.end_ms;
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 64, 100, 100]);
    }

    #[test]
    fn it_is_short_again_after_a_while() {
        let mut backoff = Backoff::new();
        backoff.begin(0);
        backoff.begin(backoff.end_ms + RELATED_WITHIN_MS);
        assert_eq!(backoff.length_ms, 2);
        backoff.begin(backoff.end_ms + RELATED_WITHIN_MS + 1);
        assert_eq!(backoff.length_ms, 1);
    }
}
