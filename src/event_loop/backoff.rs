//! Backoff: watchers whose descriptors are ready, but cannot be worked on for want of something
//! that the system lacks (descriptors, memory).
//!
//! The poller forgets a watcher that backs off; its interest stays, to be applied when the backoff
//! is over. A change that the poller refuses for such a want waits for that as well. All watchers of a loop that back off share one end. A backoff that begins soon after
//! the last one is twice as long as that, up to a limit.

use core::ffi::c_int;

use super::Loop;
use super::io::Io;
use crate::list::List;

/// Long enough for other threads to give something back.
const FIRST_MS: u64 = 1;
/// Ten attempts a second cost nothing, and nobody waits noticeably longer for the eleventh.
const LONGEST_MS: u64 = 100;
/// What begins within this time after the last backoff has the same cause.
const RELATED_MS: u64 = 100;

/// When the last backoff of a loop ends or ended, and how long it is, in milliseconds.
pub(super) struct Backoff {
    end: u64,
    length: u64,
}

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff { end: 0, length: 0 }
    }

    /// Begins one at `now`.
    fn begin(&mut self, now: u64) {
        self.length = match self.length {
            0 => FIRST_MS,
            _ if now > self.end + RELATED_MS => FIRST_MS,
            last => (2 * last).min(LONGEST_MS),
        };
        self.end = now + self.length;
    }
}

impl Loop {
    /// Watchers that back off; whoever stops or is closed leaves the list.
    pub(crate) fn backed_off(self) -> List {
        // SAFETY: an initialised loop has its internals, which stay in place.
        unsafe { List::from_ptr(&raw mut (*self.internals()).backed_off) }
    }

    /// Works on the times; `work` must not call back into C.
    fn backoff<R>(self, work: impl FnOnce(&mut Backoff) -> R) -> R {
        // SAFETY: as in `descriptors`.
        work(unsafe { &mut (*self.internals()).backoff })
    }

    /// Has what changed of the watcher's interest applied when the backoff is over.
    pub(crate) fn apply_later(self, io: Io) {
        if self.backed_off().is_empty() {
            let now = self.now();
            self.backoff(|backoff| backoff.begin(now));
        }
        io.changed_link().remove();
        self.backed_off().push_back(io.changed_link());
    }

    /// Milliseconds until the backoff is over, if any watcher backs off.
    fn backoff_timeout(self) -> Option<c_int> {
        if self.backed_off().is_empty() {
            return None;
        }
        let end = self.backoff(|backoff| backoff.end);
        let left = end.saturating_sub(self.now());
        Some(left.min(LONGEST_MS) as c_int)
    }

    /// How long the poller may wait that may wait for `timeout` milliseconds (−1: for ever).
    pub(crate) fn within_backoff(self, timeout: c_int) -> c_int {
        match self.backoff_timeout() {
            None => timeout,
            Some(backoff) if timeout < 0 => backoff,
            Some(backoff) => timeout.min(backoff),
        }
    }

    /// Has the interest of those that backed off applied, if the backoff is over.
    pub(crate) fn end_backoff(self) {
        if self.backoff_timeout() != Some(0) {
            return;
        }
        while let Some(link) = self.backed_off().pop_front() {
            self.changed_watchers().push_back(link);
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
            *length = backoff.end - now;
            now = backoff.end;
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 64, 100, 100]);
    }

    #[test]
    fn it_is_short_again_after_a_while() {
        let mut backoff = Backoff::new();
        backoff.begin(0);
        backoff.begin(backoff.end + RELATED_MS);
        assert_eq!(backoff.length, 2);
        backoff.begin(backoff.end + RELATED_MS + 1);
        assert_eq!(backoff.length, 1);
    }
}
