//! Delivering sends in the order in which the handles were made.
//!
//! Each time the loop polls it *walks* from the first handle to the last, and calls back for those
//! that were sent. The others are not visited. Callbacks can observe the walk:
//!
//! - a handle that is sent meanwhile is called back in this walk if it comes later in the order,
//!   otherwise in the next one
//! - a handle that is made meanwhile is placed behind the one whose callback runs, and is not
//!   called back in this walk

use super::order::{Order, Place};
use crate::errors::Result;
use crate::list::List;

/// The order of a loop's async handles, and how far a walk has come.
pub(crate) struct Walk {
    order: Order,
    /// The link of the handle whose callback ran last in this walk, or the head of the list.
    /// `None` outside of a walk.
    at: Option<List>,
}

impl Walk {
    pub(crate) const fn new() -> Walk {
        Walk {
            order: Order::new(),
            at: None,
        }
    }

    /// Whether a handle was collected whose callback has not run yet.
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

    /// Removes a closing handle.
    pub(super) fn remove(&mut self, place: Place) {
        if self.at == Some(place.link()) {
            self.at = Some(place.link().prev());
        }
        self.order.remove(place);
    }

    /// Begins at the first handle.
    pub(super) fn begin(&mut self, all: List) {
        self.at = Some(all);
    }

    pub(super) fn end(&mut self) {
        self.at = None;
    }

    /// Marks a handle that was sent.
    pub(super) fn mark(&mut self, place: Place) {
        self.order.mark(place);
    }

    /// Drops the mark of a handle that was sent.
    pub(super) fn unmark(&mut self, place: Place) {
        self.order.unmark(place);
    }

    /// The next handle of the walk.
    #[inline]
    pub(super) fn next(&mut self, all: List) -> Option<Place> {
        let at = self.at.filter(|&at| at != all).map(Place::from_link);
        let next = self.order.next_pending(at)?;
        self.order.unmark(next);
        self.at = Some(next.link());
        Some(next)
    }
}
