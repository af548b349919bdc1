//! Operations that change something and are under way.
//!
//! A program may start a second operation without waiting for the first. On the pool the second one
//! usually sees what the first one changed. So no operation is inline while one that changes
//! something is under way.

use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How many operations of this process that change something are queued or running.
static IN_PROGRESS: AtomicUsize = AtomicUsize::new(0);

/// Counts an operation that changes something, before it is queued.
pub(super) fn begin() {
    IN_PROGRESS.fetch_add(1, SeqCst);
}

/// Counts an operation that changes something as done or cancelled. A forked child starts at 0, and
/// may still cancel some of its parent's.
pub(super) fn end() {
    let _ = IN_PROGRESS.fetch_update(SeqCst, SeqCst, |count| count.checked_sub(1));
}

pub(super) fn any() -> bool {
    IN_PROGRESS.load(SeqCst) > 0
}

/// Resets the count in a forked child, which has none of its parent's workers.
pub(crate) fn reset_after_fork() {
    IN_PROGRESS.store(0, SeqCst);
}
