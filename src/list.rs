//! An intrusive circular doubly-linked list, whose links live in handles, requests and the loop.
//!
//! Callbacks may add and remove links while a list is walked, so it is never iterated in place:
//! [`List::take`] moves all links to a local head, from which [`List::pop_front`] takes one at a
//! time. A link that a callback removes meanwhile leaves whatever list it is in.

use core::ptr::NonNull;

use crate::abi::uv__queue;

/// A link, or a list's head: the two are alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct List(NonNull<uv__queue>);

impl List {
    /// # Safety
    /// `link` must point to memory for a link that stays in place while the view is used. For
    /// every operation but [`List::init`] it must be initialised, and in a list whose links are
    /// live.
    #[inline]
    pub(crate) unsafe fn from_ptr(link: *mut uv__queue) -> List {
        debug_assert!(!link.is_null());
        // SAFETY: the caller vouches for the pointer.
        List(unsafe { NonNull::new_unchecked(link) })
    }

    #[inline]
    pub(crate) fn raw(self) -> *mut uv__queue {
        self.0.as_ptr()
    }

    #[inline]
    fn next(self) -> List {
        // SAFETY: links of a list are live and linked to live links.
        unsafe { List::from_ptr((*self.raw()).next) }
    }

    /// The link before this one, which may be the head.
    #[inline]
    pub(crate) fn prev(self) -> List {
        // SAFETY: links of a list are live and linked to live links.
        unsafe { List::from_ptr((*self.raw()).prev) }
    }

    #[inline]
    fn set_next(self, next: List) {
        // SAFETY: links of a list are live.
        unsafe { (*self.raw()).next = next.raw() };
    }

    #[inline]
    fn set_prev(self, prev: List) {
        // SAFETY: links of a list are live.
        unsafe { (*self.raw()).prev = prev.raw() };
    }

    /// Makes it an empty list, or a link in no list.
    #[inline]
    pub(crate) fn init(self) {
        self.set_next(self);
        self.set_prev(self);
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.next() == self
    }

    /// The first link, or `None` of an empty list.
    #[inline]
    pub(crate) fn front(self) -> Option<List> {
        (!self.is_empty()).then(|| self.next())
    }

    /// The link after `link` in this list.
    #[inline]
    pub(crate) fn after(self, link: List) -> Option<List> {
        let next = link.next();
        (next != self).then_some(next)
    }

    /// The link before `link` in this list; before the list itself, the last one.
    #[inline]
    pub(crate) fn before(self, link: List) -> Option<List> {
        let prev = link.prev();
        (prev != self).then_some(prev)
    }

    #[inline]
    pub(crate) fn push_back(self, link: List) {
        let last = self.prev();
        link.set_next(self);
        link.set_prev(last);
        last.set_next(link);
        self.set_prev(link);
    }

    #[inline]
    pub(crate) fn push_front(self, link: List) {
        self.next().insert_before(link);
    }

    /// Puts `link` right before this one.
    #[inline]
    pub(crate) fn insert_before(self, link: List) {
        self.push_back(link);
    }

    /// Removes this link from its list; removing it again is harmless.
    #[inline]
    pub(crate) fn remove(self) {
        let (prev, next) = (self.prev(), self.next());
        prev.set_next(next);
        next.set_prev(prev);
        self.init();
    }

    #[inline]
    pub(crate) fn pop_front(self) -> Option<List> {
        let first = self.front()?;
        first.remove();
        Some(first)
    }

    /// Moves all links to `into`, an uninitialised head, and leaves this list empty.
    #[inline]
    pub(crate) fn take(self, into: List) {
        into.init();
        if self.is_empty() {
            return;
        }
        let (first, last) = (self.next(), self.prev());
        into.set_next(first);
        first.set_prev(into);
        into.set_prev(last);
        last.set_next(into);
        self.init();
    }
}

/// Memory for a local head.
#[inline]
pub(crate) const fn head() -> uv__queue {
    uv__queue {
        next: core::ptr::null_mut(),
        prev: core::ptr::null_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(list: List) -> std::vec::Vec<*mut uv__queue> {
        let mut links = std::vec::Vec::new();
        let mut at = list.front();
        while let Some(link) = at {
            links.push(link.raw());
            at = list.after(link);
        }
        links
    }

    #[test]
    fn keeps_order_and_survives_removal_while_taken() {
        let mut memory: [uv__queue; 5] = core::array::from_fn(|_| head());
        let [a, b, c, all, local] =
            // SAFETY: the array outlives the views.
            memory.each_mut().map(|link| unsafe { List::from_ptr(link) });
        all.init();
        all.push_back(b);
        all.push_back(c);
        all.push_front(a);
        assert_eq!(order(all), [a.raw(), b.raw(), c.raw()]);
        all.take(local);
        assert!(all.is_empty());
        b.remove();
        b.remove();
        assert_eq!(local.pop_front().map(List::raw), Some(a.raw()));
        all.push_back(a);
        assert_eq!(local.pop_front().map(List::raw), Some(c.raw()));
        assert!(local.pop_front().is_none());
        assert_eq!(order(all), [a.raw()]);
    }

    #[test]
    fn taking_an_empty_list_gives_an_empty_list() {
        let mut memory: [uv__queue; 2] = core::array::from_fn(|_| head());
        // SAFETY: the array outlives the views.
        let [all, local] = memory
            .each_mut()
            .map(|link| unsafe { List::from_ptr(link) });
        all.init();
        all.take(local);
        assert!(all.is_empty() && local.is_empty());
    }
}
