//! Intrusive circular doubly-linked lists, whose links live in handles, requests and the loop.
//!
//! A list knows the kind of its members and which link they are linked by ([`linked!`]), so it
//! takes and gives members. Its head is a link as well: C declares both as `uv__queue`. A *ring*
//! is a list without a head.
//!
//! Callbacks may add and remove members while a list is walked. So it is iterated in place only
//! where nothing calls back. Otherwise [`List::take`] moves all members to a local head, from which
//! [`List::pop_front`] takes one at a time. A member that a callback removes meanwhile leaves
//! whatever list it is in.

use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::abi::uv__queue;

/// A link of an object, or a list's head: the two are alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link(NonNull<uv__queue>);

impl Link {
    /// # Safety
    /// `link` must point to memory for a link that stays in place while the view is used. For
    /// every operation but [`Link::init`] it must be initialised, and in a list whose links are
    /// live.
    #[inline]
    pub(crate) unsafe fn from_ptr(link: *mut uv__queue) -> Link {
        debug_assert!(!link.is_null());
        // SAFETY: the caller vouches for the pointer.
        Link(unsafe { NonNull::new_unchecked(link) })
    }

    #[inline]
    pub(crate) fn raw(self) -> *mut uv__queue {
        self.0.as_ptr()
    }

    #[inline]
    fn next(self) -> Link {
        // SAFETY: links of a list are live and linked to live links.
        unsafe { Link::from_ptr((*self.raw()).next) }
    }

    #[inline]
    fn prev(self) -> Link {
        // SAFETY: links of a list are live and linked to live links.
        unsafe { Link::from_ptr((*self.raw()).prev) }
    }

    #[inline]
    fn set_next(self, next: Link) {
        // SAFETY: links of a list are live.
        unsafe { (*self.raw()).next = next.raw() };
    }

    #[inline]
    fn set_prev(self, prev: Link) {
        // SAFETY: links of a list are live.
        unsafe { (*self.raw()).prev = prev.raw() };
    }

    /// Makes it a link in no list.
    #[inline]
    pub(crate) fn init(self) {
        self.set_next(self);
        self.set_prev(self);
    }

    /// Whether it is in a list.
    #[inline]
    pub(crate) fn is_linked(self) -> bool {
        self.next() != self
    }

    /// Puts `link` right before this one.
    #[inline]
    fn insert_before(self, link: Link) {
        let last = self.prev();
        link.set_next(self);
        link.set_prev(last);
        last.set_next(link);
        self.set_prev(link);
    }

    /// Removes this link from its list; removing it again is harmless.
    #[inline]
    pub(crate) fn remove(self) {
        let (prev, next) = (self.prev(), self.next());
        prev.set_next(next);
        next.set_prev(prev);
        self.init();
    }
}

/// One way of linking objects: their kind, and which link of theirs. Made by [`linked!`].
///
/// # Safety
/// `link` must give a link that lies within the object, and `member` must lead back from it.
pub(crate) unsafe trait Linked {
    type Member: Copy;

    fn link(member: Self::Member) -> Link;

    /// # Safety
    /// The link must be that of a live object of this kind.
    unsafe fn member(link: Link) -> Self::Member;
}

/// Declares a link of a view, and the lists that link by it.
///
/// `linked!(link: Timer in uv_timer_t.node.queue);` makes the method `link`, and `List<Timer>`. Of
/// an object with several links, each has a name: with `as Changed` it is `List<Changed>`. The
/// field is a link, or has room for one.
macro_rules! linked {
    (
        $(#[$attribute:meta])*
        $visibility:vis $name:ident : $view:ident in $raw:ident . $($field:ident).+
    ) => {
        $crate::list::linked!(
            @ $(#[$attribute])* $visibility $name, $view, $view, $raw, $($field).+
        );
    };
    (
        $(#[$attribute:meta])*
        $visibility:vis $name:ident : $view:ident in $raw:ident . $($field:ident).+,
        as $list:ident
    ) => {
        #[doc = concat!("Linked by [`", stringify!($view), "::", stringify!($name), "`].")]
        $visibility struct $list;

        $crate::list::linked!(
            @ $(#[$attribute])* $visibility $name, $list, $view, $raw, $($field).+
        );
    };
    (
        @ $(#[$attribute:meta])* $visibility:vis $name:ident,
        $list:ident, $view:ident, $raw:ident, $($field:ident).+
    ) => {
        impl $view {
            $(#[$attribute])*
            #[inline]
            $visibility fn $name(self) -> $crate::list::Link {
                let link = $crate::view::beginning($crate::view::addr!(self.$($field).+));
                // SAFETY: the link lies within the object, and so lives as long.
                unsafe { $crate::list::Link::from_ptr(link) }
            }
        }

        // SAFETY: both go by the offset of one field, which has room for a link.
        unsafe impl $crate::list::Linked for $list {
            type Member = $view;

            #[inline]
            fn link(member: $view) -> $crate::list::Link {
                member.$name()
            }

            #[inline]
            unsafe fn member(link: $crate::list::Link) -> $view {
                // SAFETY: the caller vouches that the link lies within an object of this kind.
                unsafe { $view::from_ptr($crate::view::owner!(link.raw(), $raw, $($field).+)) }
            }
        }
    };
}

/// A list of objects that are linked by `L`.
pub(crate) struct List<L> {
    head: Link,
    of: PhantomData<L>,
}

impl<L> Clone for List<L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for List<L> {}

impl<L: Linked> List<L> {
    /// # Safety
    /// `head` must point to memory for a head that stays in place while the view is used. For
    /// every operation but [`List::init`] it must be initialised, and everything in the list must
    /// be linked by `L` and live.
    #[inline]
    pub(crate) unsafe fn from_ptr(head: *mut uv__queue) -> List<L> {
        List {
            // SAFETY: the caller vouches for the pointer.
            head: unsafe { Link::from_ptr(head) },
            of: PhantomData,
        }
    }

    /// The member that a link of the list belongs to; `None` for the head.
    #[inline]
    fn member(self, link: Link) -> Option<L::Member> {
        // SAFETY: but for the head, the links of the list are those of live members.
        (link != self.head).then(|| unsafe { L::member(link) })
    }

    /// Makes it an empty list.
    #[inline]
    pub(crate) fn init(self) {
        self.head.init();
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        !self.head.is_linked()
    }

    /// The first member.
    #[inline]
    pub(crate) fn front(self) -> Option<L::Member> {
        self.member(self.head.next())
    }

    /// The last member.
    #[inline]
    pub(crate) fn back(self) -> Option<L::Member> {
        self.member(self.head.prev())
    }

    /// The member before `member` in this list.
    #[inline]
    pub(crate) fn before(self, member: L::Member) -> Option<L::Member> {
        self.member(L::link(member).prev())
    }

    /// The member after `member` in this list.
    #[inline]
    pub(crate) fn after(self, member: L::Member) -> Option<L::Member> {
        self.member(L::link(member).next())
    }

    /// The members, from the first to the last. The one that was returned last may leave the list
    /// meanwhile, and no other one.
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = L::Member> {
        let mut next = self.head.next();
        core::iter::from_fn(move || {
            let member = self.member(next)?;
            next = next.next();
            Some(member)
        })
    }

    #[inline]
    pub(crate) fn push_back(self, member: L::Member) {
        self.head.insert_before(L::link(member));
    }

    #[inline]
    pub(crate) fn push_front(self, member: L::Member) {
        self.head.next().insert_before(L::link(member));
    }

    /// Inserts `member` right behind another one, or for `None` before all others.
    #[inline]
    pub(crate) fn insert_behind(self, other: Option<L::Member>, member: L::Member) {
        let link = other.map_or(self.head, L::link);
        link.next().insert_before(L::link(member));
    }

    #[inline]
    pub(crate) fn pop_front(self) -> Option<L::Member> {
        let first = self.head.next();
        let member = self.member(first)?;
        first.remove();
        Some(member)
    }

    /// Moves all members to `into`, an uninitialised or empty list, and leaves this one empty.
    #[inline]
    pub(crate) fn take(self, into: List<L>) {
        into.init();
        if self.is_empty() {
            return;
        }
        let (first, last) = (self.head.next(), self.head.prev());
        into.head.set_next(first);
        first.set_prev(into.head);
        into.head.set_prev(last);
        last.set_next(into.head);
        self.init();
    }
}

/// Inserts `member` right before another one, in the list or ring that the other one is in.
#[inline]
pub(crate) fn insert_before<L: Linked<Member = L>>(other: L, member: L) {
    L::link(other).insert_before(L::link(member));
}

/// Inserts `member` right behind another one in a ring.
#[inline]
pub(crate) fn insert_behind<L: Linked<Member = L>>(other: L, member: L) {
    L::link(other).next().insert_before(L::link(member));
}

/// The member behind this one in the ring it is in, unless it is alone.
#[inline]
pub(crate) fn next_in_ring<L: Linked<Member = L>>(member: L) -> Option<L> {
    let link = L::link(member);
    // SAFETY: the links of a ring are those of live members.
    link.is_linked().then(|| unsafe { L::member(link.next()) })
}

/// Memory for a head.
#[inline]
pub(crate) const fn head() -> uv__queue {
    uv__queue {
        next: core::ptr::null_mut(),
        prev: core::ptr::null_mut(),
    }
}

/// Declares an empty local list: `local!(todo);`, or `local!(due: List<Timer>);` where nothing else
/// says what its members are. It must be empty at the end of the block.
macro_rules! local {
    ($name:ident $(: $list:ty)?) => {
        let mut head = $crate::list::head();
        // SAFETY: the head lives to the end of the block, at which the list is empty. Only this
        // macro can name it, so it is not moved.
        let $name $(: $list)? = unsafe { $crate::list::List::from_ptr(&raw mut head) };
        $name.init();
    };
}

pub(crate) use {linked, local};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::view;

    /// An object with two links.
    pub(super) struct ItemFields {
        number: u32,
        first: uv__queue,
        second: uv__queue,
    }

    view!(
        /// A view of it.
        Item => ItemFields
    );
    linked!(link: Item in ItemFields.first);
    linked!(second_link: Item in ItemFields.second, as Second);

    impl Item {
        fn number(self) -> u32 {
            crate::view::get!(self.number)
        }
    }

    fn items<const N: usize>() -> [ItemFields; N] {
        core::array::from_fn(|index| ItemFields {
            number: index as u32,
            first: head(),
            second: head(),
        })
    }

    /// # Safety
    /// The array must outlive the views, and stay in place.
    unsafe fn views<const N: usize>(memory: &mut [ItemFields; N]) -> [Item; N] {
        // SAFETY: the caller vouches for the memory.
        let items = memory
            .each_mut()
            .map(|item| unsafe { Item::from_ptr(item) });
        for item in items {
            item.link().init();
            item.second_link().init();
        }
        items
    }

    fn order<L: Linked<Member = Item>>(list: List<L>) -> std::vec::Vec<u32> {
        list.iter().map(Item::number).collect()
    }

    #[test]
    fn keeps_order_and_survives_removal_while_taken() {
        let mut memory = items();
        // SAFETY: the array outlives the views.
        let [a, b, c] = unsafe { views(&mut memory) };
        local!(all: List<Item>);
        local!(taken);
        all.push_back(b);
        all.push_back(c);
        all.push_front(a);
        assert_eq!(order(all), [0, 1, 2]);
        all.take(taken);
        assert!(all.is_empty());
        b.link().remove();
        b.link().remove();
        assert!(taken.pop_front() == Some(a));
        all.push_back(a);
        assert!(taken.pop_front() == Some(c));
        assert!(taken.pop_front().is_none());
        assert_eq!(order(all), [0]);
        assert!(all.pop_front() == Some(a));
    }

    #[test]
    fn taking_an_empty_list_gives_an_empty_list() {
        local!(all: List<Item>);
        local!(taken);
        all.take(taken);
        assert!(all.is_empty() && taken.is_empty());
    }

    #[test]
    fn an_object_is_in_a_list_for_each_of_its_links() {
        let mut memory = items();
        // SAFETY: the array outlives the views.
        let [a, b] = unsafe { views(&mut memory) };
        local!(by_first: List<Item>);
        local!(by_second: List<Second>);
        by_first.push_back(a);
        by_first.push_back(b);
        by_second.push_back(b);
        by_second.push_back(a);
        assert_eq!(order(by_first), [0, 1]);
        assert_eq!(order(by_second), [1, 0]);
        for item in by_first.iter() {
            item.link().remove();
            assert!(item.second_link().is_linked());
        }
        assert!(by_first.is_empty());
        assert!(by_second.pop_front() == Some(b) && by_second.pop_front() == Some(a));
    }

    #[test]
    fn members_are_inserted_behind_and_before_others() {
        let mut memory = items();
        // SAFETY: the array outlives the views.
        let [a, b, c, d] = unsafe { views(&mut memory) };
        local!(all: List<Item>);
        all.insert_behind(None, b);
        all.insert_behind(None, a);
        all.insert_behind(Some(b), d);
        insert_before(d, c);
        assert_eq!(order(all), [0, 1, 2, 3]);
        assert!(all.back() == Some(d) && all.before(b) == Some(a) && all.after(b) == Some(c));
        assert!(all.before(a).is_none() && all.after(d).is_none());
        while all.pop_front().is_some() {}
    }

    #[test]
    fn a_ring_has_no_head() {
        let mut memory = items();
        // SAFETY: the array outlives the views.
        let [a, b, c] = unsafe { views(&mut memory) };
        assert!(next_in_ring(a).is_none());
        insert_behind(a, c);
        insert_before(c, b);
        let round = [a, b, c].map(|item| next_in_ring(item).map(Item::number));
        assert_eq!(round, [Some(1), Some(2), Some(0)]);
    }
}
