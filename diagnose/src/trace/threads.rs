//! The rings of all threads.

use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

use super::ring::Ring;
use crate::threads::{OfThread, Threads};

pub(super) static RINGS: Threads<Ring> = Threads::new();
/// The events of threads that have no ring.
pub(super) static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl OfThread for Ring {
    fn make() -> Option<&'static Ring> {
        Ring::new()
    }

    /// The events of the thread that has ended are written by then.
    fn take_over(&self) -> bool {
        let ended = &self.has_ended;
        self.is_done() && ended.compare_exchange(true, false, AcqRel, Relaxed).is_ok()
    }

    fn thread_begins(&self, thread: i32) {
        self.thread.store(thread, Relaxed);
        self.uses.fetch_add(1, Release);
    }

    fn thread_ends(&self) {
        self.has_ended.store(true, Release);
    }
}

/// The ring of this thread. Without one its event is dropped.
#[inline]
pub(super) fn own() -> Option<&'static Ring> {
    let ring = RINGS.own();
    if ring.is_none() {
        DROPPED.fetch_add(1, Relaxed);
    }
    ring
}

/// In the child of a fork: forgets the rings, which are the parent's.
pub(super) fn reset_after_fork() {
    DROPPED.store(0, Relaxed);
    RINGS.forget_all();
}
