//! What a loop knows of its waits.

use crate::spin::Waiter;

/// What the loop remembers from one wait to the next.
pub(crate) struct Waiting {
    pub(crate) waiter: Waiter,
    /// The loop's time when it last asked the poller, and how often it did not since.
    pub(crate) polled_at: u64,
    pub(crate) skipped: u32,
}

impl Waiting {
    pub(crate) fn new() -> Waiting {
        Waiting {
            waiter: Waiter::new(),
            polled_at: 0,
            skipped: 0,
        }
    }
}
