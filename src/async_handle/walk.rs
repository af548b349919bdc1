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

/// How far a walk has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// There is no walk.
    Outside,
    Beginning,
    /// Behind this handle: the one whose callback ran last, or that was made since. If that one was
    /// closed, the one before it.
    Behind(Place),
}

/// The order of a loop's async handles, and how far a walk has come.
pub(crate) struct Walk {
    order: Order,
    at: At,
}

impl Walk {
    pub(crate) const fn new() -> Walk {
        Walk {
            order: Order::new(),
            at: At::Outside,
        }
    }

    /// Whether a handle was collected whose callback has not run yet.
    #[inline]
    pub(crate) fn any_pending(&self) -> bool {
        self.order.any_pending()
    }

    /// Gives a new handle its place.
    pub(super) fn insert(&mut self, all: List<Place>, place: Place) -> Result {
        let other = match self.at {
            At::Outside => all.back(),
            At::Beginning => None,
            At::Behind(last) => Some(last),
        };
        self.order.insert_behind(all, other, place)?;
        if self.at != At::Outside {
            self.at = At::Behind(place);
        }
        Ok(())
    }

    /// Removes a closing handle.
    pub(super) fn remove(&mut self, all: List<Place>, place: Place) {
        if self.at == At::Behind(place) {
            self.at = all.before(place).map_or(At::Beginning, At::Behind);
        }
        self.order.remove(place);
    }

    /// Begins at the first handle.
    pub(super) fn begin(&mut self) {
        self.at = At::Beginning;
    }

    pub(super) fn end(&mut self) {
        self.at = At::Outside;
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
    pub(super) fn next(&mut self) -> Option<Place> {
        let last = match self.at {
            At::Behind(last) => Some(last),
            At::Outside | At::Beginning => None,
        };
        let next = self.order.next_pending(last)?;
        self.order.unmark(next);
        self.at = At::Behind(next);
        Some(next)
    }
}
