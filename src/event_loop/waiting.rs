//! The state of a loop's waits.

use crate::spin::Waiter;

/// What the loop remembers from one wait to the next.
pub(crate) struct Waiting {
    pub(crate) waiter: Waiter,
    /// The loop's time in milliseconds when it last polled, and how often it skipped the poller
    /// since.
    pub(crate) polled_at_ms: u64,
    pub(crate) skipped: u32,
}

impl Waiting {
    pub(crate) fn new() -> Waiting {
        Waiting {
            waiter: Waiter::new(),
            polled_at_ms: 0,
            skipped: 0,
        }
    }
}
