//! The sent handles of a loop: a lock-free stack. Any thread pushes to it, and the loop takes it
//! whole.
//!
//! A loop that falls behind finds handles on it that are in no cache any more. Then it would wait
//! for memory at each link, be slower than the senders, and fall behind further.
//!
//! So a link has a hint as well: the link that comes some links after it. The loop prefetches that
//! one while it works on others. A hint may be stale, and what it points to freed; so it is never
//! dereferenced.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::abi::uv__queue;
use crate::sys::memory::prefetch;
use crate::sys::shared::{AtomicPtr, AtomicUsize};

/// The number of links between a link and the one that it hints at: far enough ahead that its
/// memory arrives before the walk does.
const HINT_DISTANCE_LINKS: usize = 8;

pub(super) struct Sent {
    /// The link that was pushed last. Each link's `prev` is the one below. It lies beside
    /// `uv_async_t.pending`, so a send fetches no more of the handle than it must. The hint is in
    /// `next`.
    top: AtomicPtr<uv__queue>,
    trail: Trail,
}

impl Sent {
    pub(super) const fn new() -> Sent {
        Sent {
            top: AtomicPtr::new(core::ptr::null_mut()),
            trail: Trail::new(),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.top.load(SeqCst).is_null()
    }

    /// # Safety
    /// The link must be live until it is taken, and belong to the caller.
    pub(super) unsafe fn push(&self, link: *mut uv__queue) {
        let mut below = self.top.load(SeqCst);
        // Without links to wait for, there is nothing to hint at.
        let hint = if below.is_null() {
            core::ptr::null_mut()
        } else {
            self.trail.record(link)
        };
        // SAFETY: the link is the caller's until the exchange.
        unsafe { (*link).next = hint };
        loop {
            // SAFETY: as above.
            unsafe { (*link).prev = below };
            // This releases the link's fields and all that the sender wrote before. `take` acquires
            // them: on ARM and POWER it could find the link before its fields otherwise. A later
            // push keeps that up, for it reads and writes at once. That it is sequentially
            // consistent is for the look at the loop's state that follows (`wakeup.rs`).
            match self.top.compare_exchange_weak(below, link, SeqCst, SeqCst) {
                Ok(_) => return,
                Err(other) => below = other,
            }
        }
    }

    /// Takes all links, the last one first.
    ///
    /// # Safety
    /// Until all links were iterated over, they must be live. A link must not be touched before
    /// the iterator returns it.
    pub(super) unsafe fn take(&self) -> impl Iterator<Item = *mut uv__queue> {
        // This acquires the fields of all links that it takes, the lower ones as well.
        let mut top = self.top.swap(core::ptr::null_mut(), SeqCst);
        core::iter::from_fn(move || {
            let link = core::ptr::NonNull::new(top)?.as_ptr();
            // SAFETY: the caller vouches for the links.
            unsafe {
                prefetch((*link).next);
                top = (*link).prev;
            }
            Some(link)
        })
    }

    /// Removes all links.
    pub(super) fn clear(&self) {
        self.top.store(core::ptr::null_mut(), SeqCst);
    }
}

/// The links that were pushed last. Threads that push at once spoil hints, no more. So nothing here
/// has an order.
pub(super) struct Trail {
    recorded: AtomicUsize,
    recent: [AtomicPtr<uv__queue>; HINT_DISTANCE_LINKS],
}

impl Trail {
    pub(super) const fn new() -> Trail {
        Trail {
            recorded: AtomicUsize::new(0),
            recent: [const { AtomicPtr::new(core::ptr::null_mut()) }; HINT_DISTANCE_LINKS],
        }
    }

    /// Records a link; returns the one that was recorded `HINT_DISTANCE_LINKS` links before it, or
    /// null.
    #[inline]
    pub(super) fn record(&self, link: *mut uv__queue) -> *mut uv__queue {
        let recorded = self.recorded.load(Relaxed);
        self.recorded.store(recorded.wrapping_add(1), Relaxed);
        let slot = &self.recent[recorded % HINT_DISTANCE_LINKS];
        let before = slot.load(Relaxed);
        slot.store(link, Relaxed);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNLINKED: uv__queue = crate::list::head();

    #[test]
    fn what_was_pushed_is_taken_once_the_last_one_first() {
        let sent = Sent::new();
        let mut links = [UNLINKED; 20];
        let all: std::vec::Vec<*mut uv__queue> =
            links.iter_mut().map(|link| &raw mut *link).collect();
        for _ in 0..2 {
            assert!(sent.is_empty());
            for &link in &all {
                // SAFETY: live, and in no list.
                unsafe { sent.push(link) };
            }
            assert!(!sent.is_empty());
            // SAFETY: as above.
            let taken: std::vec::Vec<_> = unsafe { sent.take() }.collect();
            assert!(taken.iter().eq(all.iter().rev()));
        }
    }

    #[test]
    fn hints_lead_to_what_was_pushed_before() {
        let sent = Sent::new();
        let mut links = [UNLINKED; 20];
        for link in &mut links {
            // SAFETY: live, and in no list.
            unsafe { sent.push(link) };
        }
        // The first link found nothing below, and was not recorded.
        assert!(
            links[..=HINT_DISTANCE_LINKS]
                .iter()
                .all(|link| link.next.is_null())
        );
        for index in HINT_DISTANCE_LINKS + 1..links.len() {
            let hinted: *mut uv__queue = &raw mut links[index - HINT_DISTANCE_LINKS];
            assert_eq!(links[index].next, hinted);
        }
    }
}
