//! The async handles of a loop in their order, and which of them are pending.
//!
//! A tree. Its leaves contain up to 64 handles each, the nodes above contain nodes. A word in each
//! node marks the children that are pending, or have pending handles below. It takes a few steps,
//! however many handles there are, to mark a handle, to find the next marked one, and to insert
//! one between two others. Only making a handle needs memory.

use core::ptr::{NonNull, null_mut};

use crate::abi::uv__queue;
use crate::alloc;
use crate::errors::Result;
use crate::list::{List, linked};
use crate::sys::memory::prefetch;
use crate::view::{get, set, upcast, view};

/// The most children of a node: the bits of a word.
const MAX_CHILDREN: usize = 64;

/// The position of a handle or a node in the tree: both begin with this.
#[repr(C)]
pub(super) struct SpotFields {
    /// The parent; null for the root.
    parent: *mut NodeFields,
    index: usize,
}

#[repr(C)]
pub(super) struct NodeFields {
    spot: SpotFields,
    is_leaf: bool,
    /// The bits of the children that exist.
    used: u64,
    pending: u64,
    children: [*mut SpotFields; MAX_CHILDREN],
}

/// The fields that an async handle has in `uv_handle_t.u`.
#[repr(C)]
pub(super) struct PlaceFields {
    spot: SpotFields,
    link: uv__queue,
}

view!(
    /// The beginning of a place or a node.
    Spot => SpotFields
);
view!(
    /// A node.
    Node => NodeFields
);
view!(
    /// The place of an async handle in its loop's order.
    Place => PlaceFields
);

linked!(link: Place in PlaceFields.link);

impl Place {
    upcast!(spot: Spot);
}

/// The bits of a word from `index` on.
fn bits_from(index: usize) -> u64 {
    u64::MAX.checked_shl(index as u32).unwrap_or(0)
}

impl Spot {
    fn parent(self) -> Option<Node> {
        // SAFETY: null or live, as long as the child is in the tree.
        NonNull::new(get!(self.parent)).map(|node| unsafe { Node::from_ptr(node.as_ptr()) })
    }

    fn index(self) -> usize {
        get!(self.index)
    }
}

impl Node {
    fn new(is_leaf: bool) -> Result<Node> {
        let spot = SpotFields {
            parent: null_mut(),
            index: 0,
        };
        let node = alloc::boxed(NodeFields {
            spot,
            is_leaf,
            used: 0,
            pending: 0,
            children: [null_mut(); MAX_CHILDREN],
        })?;
        // SAFETY: just made; `free` ends its life.
        Ok(unsafe { Node::from_ptr(alloc::Box::into_raw(node)) })
    }

    fn free(self) {
        // SAFETY: made by `new`, and in no tree any more.
        drop(unsafe { alloc::Box::from_raw_in(self.raw(), alloc::Heap) });
    }

    upcast!(spot: Spot);

    fn child(self, index: usize) -> Spot {
        // SAFETY: only called for children that exist, which are live.
        unsafe { Spot::from_ptr(get!(self.children[index])) }
    }

    /// Prefetches handles: all at once takes little longer than one.
    fn prefetch(self, mut children: u64) {
        while children != 0 {
            prefetch(self.child(children.trailing_zeros() as usize).raw());
            children &= children - 1;
        }
    }

    fn put(self, index: usize, child: Spot, is_pending: bool) {
        // SAFETY: the node is live, and no reference to it exists.
        unsafe { (*self.raw()).children[index] = child.raw() };
        set!(child.parent = self.raw());
        set!(child.index = index);
        set!(self.used = get!(self.used) | 1 << index);
        set!(self.pending = get!(self.pending) | u64::from(is_pending) << index);
    }

    /// Moves a child to a free index, of this node or of another.
    fn move_child(self, index: usize, to: Node, to_index: usize) {
        let (child, bit) = (self.child(index), 1 << index);
        let is_pending = get!(self.pending) & bit != 0;
        set!(self.used = get!(self.used) & !bit);
        set!(self.pending = get!(self.pending) & !bit);
        to.put(to_index, child, is_pending);
    }

    /// Makes an index free before the child at `index`, or after the last one, and returns it. The
    /// node is not full.
    fn open(self, index: usize) -> usize {
        let free = !get!(self.used);
        let above = free & bits_from(index);
        if above != 0 {
            for at in (index..above.trailing_zeros() as usize).rev() {
                self.move_child(at, self, at + 1);
            }
            return index;
        }
        let below = MAX_CHILDREN - 1 - free.leading_zeros() as usize;
        for at in below + 1..index {
            self.move_child(at, self, at - 1);
        }
        index - 1
    }
}

/// Marks a child as pending, or as one with pending handles below.
fn mark(spot: Spot) {
    let mut at = spot;
    while let Some(node) = at.parent() {
        let before = get!(node.pending);
        set!(node.pending = before | 1 << at.index());
        if before != 0 {
            return;
        }
        at = node.spot();
    }
}

fn unmark(spot: Spot) {
    let mut at = spot;
    while let Some(node) = at.parent() {
        set!(node.pending = get!(node.pending) & !(1 << at.index()));
        if get!(node.pending) != 0 {
            return;
        }
        at = node.spot();
    }
}

/// The tree of a loop.
pub(super) struct Order {
    root: Option<Node>,
}

impl Order {
    pub(super) const fn new() -> Order {
        Order { root: None }
    }

    pub(super) fn mark(&mut self, place: Place) {
        mark(place.spot());
    }

    pub(super) fn unmark(&mut self, place: Place) {
        unmark(place.spot());
    }

    /// Inserts a handle right behind another one, in the tree and in the list. Behind none, it
    /// becomes the first.
    pub(super) fn insert_behind(
        &mut self,
        all: List<Place>,
        other: Option<Place>,
        place: Place,
    ) -> Result {
        let (node, index) = if let Some(other) = other {
            self.room_at(other.spot(), 1)?
        } else if let Some(first) = all.front() {
            self.room_at(first.spot(), 0)?
        } else {
            (*self.root.insert(Node::new(true)?), 0)
        };
        node.put(node.open(index), place.spot(), false);
        all.insert_behind(other, place);
        Ok(())
    }

    /// Finds a place before a child (`offset` 0), or behind it (1): a node that is not full, and
    /// the index that the new child comes before.
    fn room_at(&mut self, spot: Spot, offset: usize) -> Result<(Node, usize)> {
        let Some(node) = spot.parent() else {
            let root = Node::new(false)?;
            root.put(0, spot, self.any_pending());
            self.root = Some(root);
            return Ok((root, offset));
        };
        let index = spot.index() + offset;
        if get!(node.used) != u64::MAX {
            return Ok((node, index));
        }
        let sibling = self.split(node, index)?;
        Ok(
            match index.checked_sub(get!(node.used).count_ones() as usize) {
                Some(index) => (sibling, index),
                None => (node, index),
            },
        )
    }

    /// Splits a full node: half of its children move to a new node behind it. None move if the new
    /// child comes last: handles that are made one after the other leave full nodes.
    fn split(&mut self, node: Node, index: usize) -> Result<Node> {
        let (parent, before) = self.room_at(node.spot(), 1)?;
        let sibling = Node::new(get!(node.is_leaf))?;
        parent.put(parent.open(before), sibling.spot(), false);
        let kept = if index == MAX_CHILDREN {
            MAX_CHILDREN
        } else {
            MAX_CHILDREN / 2
        };
        for at in kept..MAX_CHILDREN {
            node.move_child(at, sibling, at - kept);
        }
        for half in [node, sibling] {
            if get!(half.pending) != 0 {
                mark(half.spot());
            } else {
                unmark(half.spot());
            }
        }
        Ok(sibling)
    }

    /// Removes a handle from the tree and from the list.
    pub(super) fn remove(&mut self, place: Place) {
        place.link().remove();
        unmark(place.spot());
        let mut at = (place.spot().parent(), place.spot().index());
        while let (Some(node), index) = at {
            set!(node.used = get!(node.used) & !(1 << index));
            if get!(node.used) != 0 {
                return;
            }
            at = (node.spot().parent(), node.spot().index());
            node.free();
        }
        self.root = None;
    }

    pub(super) fn any_pending(&self) -> bool {
        self.root.is_some_and(|root| get!(root.pending) != 0)
    }

    /// The next pending handle, behind another one or from the first on.
    pub(super) fn next_pending(&self, after: Option<Place>) -> Option<Place> {
        let (mut node, mut range) = match after.map(Place::spot) {
            Some(spot) => (spot.parent()?, bits_from(spot.index() + 1)),
            None => (self.root?, u64::MAX),
        };
        loop {
            let marked = get!(node.pending) & range;
            if marked == 0 {
                range = bits_from(node.spot().index() + 1);
                node = node.spot().parent()?;
                continue;
            }
            let child = node.child(marked.trailing_zeros() as usize);
            if get!(node.is_leaf) {
                if range == u64::MAX {
                    node.prefetch(marked);
                }
                // SAFETY: the children of leaves are members of places, which they begin.
                return Some(unsafe { Place::from_ptr(child.raw().cast()) });
            }
            // SAFETY: the children of other nodes are nodes, which begin with it.
            node = unsafe { Node::from_ptr(child.raw().cast()) };
            range = u64::MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list;
    use std::vec::Vec;

    fn fields() -> PlaceFields {
        let spot = SpotFields {
            parent: null_mut(),
            index: 0,
        };
        let link = list::head();
        PlaceFields { spot, link }
    }

    /// A tree, and a plain list of numbers that should be equal to it.
    struct Model {
        order: Order,
        head: std::boxed::Box<uv__queue>,
        places: Vec<PlaceFields>,
        list: Vec<usize>,
        pending: Vec<bool>,
    }

    impl Model {
        fn new(count: usize) -> Model {
            let mut model = Model {
                order: Order::new(),
                head: std::boxed::Box::new(list::head()),
                places: (0..count).map(|_| fields()).collect(),
                list: Vec::new(),
                pending: std::vec![false; count],
            };
            model.all().init();
            model
        }

        fn all(&mut self) -> List<Place> {
            // SAFETY: the box outlives the list.
            unsafe { List::from_ptr(&raw mut *self.head) }
        }

        fn place(&mut self, number: usize) -> Place {
            // SAFETY: the vector outlives the tree and does not grow.
            unsafe { Place::from_ptr(self.places.as_mut_ptr().add(number)) }
        }

        /// At an index of the list.
        fn insert(&mut self, index: usize, number: usize) {
            let (all, place) = (self.all(), self.place(number));
            let other = index
                .checked_sub(1)
                .map(|index| self.place(self.list[index]));
            self.order.insert_behind(all, other, place).unwrap();
            self.list.insert(index, number);
        }

        fn remove(&mut self, index: usize) {
            let number = self.list.remove(index);
            let place = self.place(number);
            self.order.remove(place);
            self.pending[number] = false;
        }

        fn mark(&mut self, index: usize, value: bool) {
            let number = self.list[index];
            let place = self.place(number);
            self.pending[number] = value;
            if value {
                self.order.mark(place);
            } else {
                self.order.unmark(place);
            }
        }

        /// What is pending is found in the order of the list, from any handle on.
        fn check(&mut self, from: usize) {
            let after = from
                .checked_sub(1)
                .map(|index| self.place(self.list[index]));
            let expected: Vec<usize> = self.list[from..]
                .iter()
                .copied()
                .filter(|&number| self.pending[number])
                .collect();
            let mut found = Vec::new();
            let mut at = self.order.next_pending(after);
            while let Some(place) = at {
                let offset = place.raw().addr() - self.places.as_ptr().addr();
                found.push(offset / size_of::<PlaceFields>());
                at = self.order.next_pending(Some(place));
            }
            assert_eq!(found, expected);
            let any = self.pending.contains(&true);
            assert_eq!(self.order.any_pending(), any);
        }
    }

    /// Numbers without a pattern.
    fn random(seed: &mut u32) -> usize {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 8) as usize
    }

    #[test]
    fn what_is_pending_comes_in_order_wherever_handles_are_made_and_closed() {
        for seed in 1..8 {
            let mut model = Model::new(6000);
            let mut next = seed;
            for number in 0..6000 {
                let length = model.list.len();
                let index = match seed {
                    1 => length,
                    2 => 0,
                    3 => length.min(1),
                    _ => random(&mut next) % (length + 1),
                };
                model.insert(index, number);
                if random(&mut next) % 3 == 0 {
                    let index = random(&mut next) % model.list.len();
                    model.mark(index, seed % 2 == 0 || number % 5 > 0);
                }
                if seed > 4 && random(&mut next) % 8 < 5 {
                    let index = random(&mut next) % model.list.len();
                    model.remove(index);
                }
                if number % 500 == 0 && !model.list.is_empty() {
                    let from = random(&mut next) % model.list.len();
                    model.check(from);
                }
            }
            while !model.list.is_empty() {
                let index = random(&mut next) % model.list.len();
                model.remove(index);
                if model.list.len() % 1000 == 0 {
                    model.check(0);
                }
            }
            assert!(model.order.root.is_none() && model.all().is_empty());
        }
    }

    #[test]
    fn handles_made_one_after_the_other_fill_their_nodes() {
        let mut model = Model::new(MAX_CHILDREN * 3);
        for number in 0..MAX_CHILDREN * 3 {
            model.insert(number, number);
        }
        let root = model.order.root.unwrap();
        assert_eq!(get!(root.used), 0b111);
    }
}
