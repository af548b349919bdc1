//! Handles that were sent: a lock-free stack that any thread pushes to, and that the loop takes
//! whole.
//!
//! A loop that falls behind finds handles on it that no cache has any more. To go from one to the
//! next would be to wait for memory each time; the loop would be slower than who sends, and fall
//! behind further. So a link says as well which one comes some links after it, and the loop has
//! that one fetched while it is busy with others. This is a hint, which is never followed: it may
//! be out of date, and what it points to gone.

use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

use crate::abi::uv__queue;
use crate::sys::memory::prefetch;

/// How many links lie between a link and its hint.
const AHEAD: usize = 8;

pub(super) struct Sent {
    /// The link that was pushed last. Links lead to the one below by `prev`, which lies beside
    /// `uv_async_t.pending`: a send has to fetch no more of the handle than it must. The hint is
    /// in `next`.
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
        // With nothing to wait for, there is nothing to hint at.
        let hint = if below.is_null() {
            core::ptr::null_mut()
        } else {
            self.trail.pass(link)
        };
        // SAFETY: the link is the caller's until the exchange.
        unsafe { (*link).next = hint };
        loop {
            // SAFETY: as above.
            unsafe { (*link).prev = below };
            match self.top.compare_exchange_weak(below, link, SeqCst, SeqCst) {
                Ok(_) => return,
                Err(other) => below = other,
            }
        }
    }

    /// Takes all links, the last one first.
    ///
    /// # Safety
    /// Until all of them were iterated over, they must be live, and a link must not be touched
    /// before it has come.
    pub(super) unsafe fn take(&self) -> impl Iterator<Item = *mut uv__queue> {
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

    /// Forgets them all.
    pub(super) fn clear(&self) {
        self.top.store(core::ptr::null_mut(), SeqCst);
    }
}

/// The links that were passed last. Threads that pass at once spoil hints, no more.
pub(super) struct Trail {
    passed: AtomicUsize,
    lately: [AtomicPtr<uv__queue>; AHEAD],
}

impl Trail {
    pub(super) const fn new() -> Trail {
        Trail {
            passed: AtomicUsize::new(0),
            lately: [const { AtomicPtr::new(core::ptr::null_mut()) }; AHEAD],
        }
    }

    /// The link that was passed `AHEAD` links before this one; null if there was none.
    #[inline]
    pub(super) fn pass(&self, link: *mut uv__queue) -> *mut uv__queue {
        let passed = self.passed.load(Relaxed);
        self.passed.store(passed.wrapping_add(1), Relaxed);
        let place = &self.lately[passed % AHEAD];
        let before = place.load(Relaxed);
        place.store(link, Relaxed);
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
        // The first one found nothing below, and left no trail.
        assert!(links[..=AHEAD].iter().all(|link| link.next.is_null()));
        for index in AHEAD + 1..links.len() {
            let hinted: *mut uv__queue = &raw mut links[index - AHEAD];
            assert_eq!(links[index].next, hinted);
        }
    }
}
