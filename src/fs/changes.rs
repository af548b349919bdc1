//! Operations that change something and are under way.
//!
//! Programs start an operation after another one without waiting for that one, and on the pool
//! the second one as a rule finds what the first one did. So nothing is inline meanwhile.

use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How many such operations of this process are queued or run.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// One is about to be queued.
pub(super) fn begin() {
    UNDER_WAY.fetch_add(1, SeqCst);
}

/// One is done, or was cancelled. A forked child counts none of its parent's, and may cancel some.
pub(super) fn end() {
    let _ = UNDER_WAY.fetch_update(SeqCst, SeqCst, |count| count.checked_sub(1));
}

pub(super) fn any() -> bool {
    UNDER_WAY.load(SeqCst) > 0
}

/// In a forked child, which has none of its parent's threads.
pub(crate) fn reset_after_fork() {
    UNDER_WAY.store(0, SeqCst);
}
