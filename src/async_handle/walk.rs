//! Calling the handles that were sent, in the order in which they were made.
//!
//! Each time the loop polls it *walks* from the first handle to the last, and calls those that it finds
//! sent; the others are not looked at. What callbacks do on the way shows that:
//!
//! - a handle that is sent meanwhile is called in the same walk if it comes later in the order, else
//!   in the next one
//! - a handle that is made meanwhile gets the place behind the one that is being called, and is not
//!   called in this walk

use core::sync::atomic::{Ordering::SeqCst, fence};

use super::order::{Order, Place};
use super::{Async, PENDING};
use crate::errors::Result;
use crate::event_loop::Loop;
use crate::list::List;

/// What a loop knows of its async handles, beside their list and the stack of those that were sent.
pub(crate) struct Walk {
    order: Order,
    /// How far the walk has come: the link of the handle that was called last, or the head of the
    /// list. `None` outside of a walk.
    at: Option<List>,
}

impl Walk {
    pub(crate) const fn new() -> Walk {
        Walk {
            order: Order::new(),
            at: None,
        }
    }

    /// Whether any handle was collected and not called yet.
    #[inline]
    pub(crate) fn any_pending(&self) -> bool {
        self.order.any_pending()
    }

    /// Gives a new handle its place.
    pub(super) fn insert(&mut self, all: List, place: Place) -> Result {
        let after = self.at.unwrap_or(all.prev());
        self.order.insert_after(all, after, place)?;
        self.at = self.at.map(|_| place.link());
        Ok(())
    }

    /// Takes a closing handle out.
    pub(super) fn remove(&mut self, place: Place) {
        if self.at == Some(place.link()) {
            self.at = Some(place.link().prev());
        }
        self.order.remove(place);
    }

    /// Forgets that a handle was sent.
    pub(super) fn forget(&mut self, place: Place) {
        self.order.unmark(place);
    }

    /// The next handle of the walk.
    #[inline]
    fn next(&mut self, all: List) -> Option<Place> {
        let at = self.at.filter(|&at| at != all).map(Place::from_link);
        let next = self.order.next_pending(at)?;
        self.order.unmark(next);
        self.at = Some(next.link());
        Some(next)
    }
}

/// Marks the handles that were sent.
#[inline]
pub(super) fn collect_sent(on: Loop) {
    if !on.asyncs().any_sent() {
        return;
    }
    on.async_walk(|walk| {
        // SAFETY: links on the stack are members of live handles, and this thread's once taken.
        for link in unsafe { on.asyncs().sent.take() } {
            // SAFETY: as above.
            let handle = Async::from_link(unsafe { List::from_ptr(link) });
            walk.order.mark(handle.place());
        }
    });
}

/// Begins a walk, which [`tell`] makes. Between the two, jobs that are done are told: what their
/// callbacks do is done at the beginning of the walk.
#[inline]
pub(crate) fn begin(on: Loop) {
    on.async_walk(|walk| walk.at = Some(on.async_handles()));
}

/// Calls the handles that were sent; how many.
pub(crate) fn tell(on: Loop) -> u64 {
    let mut count = 0;
    loop {
        // By other threads, or by the callback.
        collect_sent(on);
        let Some(place) = on.async_walk(|walk| walk.next(on.async_handles())) else {
            break;
        };
        let handle = Async::from_place(place);
        handle.pending().fetch_and(!PENDING, SeqCst);
        fence(SeqCst);
        handle.invoke();
        count += 1;
    }
    on.async_walk(|walk| walk.at = None);
    count
}
