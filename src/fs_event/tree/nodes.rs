//! The nodes of a tree and their links.

use core::ffi::{CStr, c_int};

use super::super::FsEvent;
use super::super::registry::Registry;
use super::{NIL, Node, ROOT_NODE, Tree, copy};
use crate::alloc;
use crate::errors::{Errno, Result};

impl Tree {
    pub(super) fn node(&mut self, index: u32) -> &mut Node {
        &mut self.nodes[index as usize]
    }

    /// Makes an incomplete node for a watch that exists. If this fails the watch ends.
    pub(super) fn insert(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        parent: u32,
        name: &[u8],
        wd: c_int,
    ) -> Result<u32> {
        let prepared = copy(name).and_then(|name| {
            self.nodes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            // Reserved now, so that freeing a node cannot fail.
            let room = self.nodes.len() + 1 - self.free.len();
            self.free.try_reserve(room).map_err(|_| Errno::ENOMEM)?;
            Ok(name)
        });
        let name = prepared.inspect_err(|_| registry.release(wd))?;
        let index = self.free.last().copied().unwrap_or(self.nodes.len() as u32);
        let node = Node {
            wd,
            id: registry.subscribe(wd, handle, index)?,
            name,
            parent: NIL,
            first_child: NIL,
            prev: NIL,
            next: NIL,
            seen: self.scan_number,
            visited: self.scan_number.wrapping_sub(1),
            is_incomplete: false,
            is_new: false,
            is_reported: false,
        };
        if self.free.pop().is_some() {
            *self.node(index) = node;
        } else {
            self.nodes.push(node);
        }
        self.link(index, parent);
        self.set_incomplete(index, true);
        Ok(index)
    }

    fn link(&mut self, index: u32, parent: u32) {
        if parent == NIL {
            return;
        }
        let next = core::mem::replace(&mut self.node(parent).first_child, index);
        if next != NIL {
            self.node(next).prev = index;
        }
        let node = self.node(index);
        (node.parent, node.prev, node.next) = (parent, NIL, next);
    }

    /// The node of an entry of a directory.
    pub(super) fn child_named(&mut self, parent: u32, name: &CStr) -> Option<u32> {
        let mut at = self.node(parent).first_child;
        while at != NIL && self.node(at).name != name.to_bytes() {
            at = self.node(at).next;
        }
        (at != NIL).then_some(at)
    }

    fn unlink(&mut self, index: u32) {
        let &mut Node {
            parent, prev, next, ..
        } = self.node(index);
        if prev != NIL {
            self.node(prev).next = next;
        } else if parent != NIL {
            self.node(parent).first_child = next;
        }
        if next != NIL {
            self.node(next).prev = prev;
        }
    }

    pub(super) fn set_incomplete(&mut self, index: u32, value: bool) {
        let before = core::mem::replace(&mut self.node(index).is_incomplete, value);
        self.incomplete += u32::from(value);
        self.incomplete -= u32::from(before);
    }

    pub(super) fn is_within(&self, mut index: u32, ancestor: u32) -> bool {
        while index != ancestor && index != NIL {
            index = self.nodes[index as usize].parent;
        }
        index == ancestor
    }

    /// Notes that a known directory was found as `name` in `parent`; returns whether that is new.
    pub(super) fn move_to(&mut self, index: u32, parent: u32, name: &CStr) -> Result<bool> {
        // A mount can show a directory a second time, even below itself: the first place counts.
        if index == ROOT_NODE || self.is_within(parent, index) {
            return Ok(false);
        }
        let is_renamed = self.node(index).name != name.to_bytes();
        if is_renamed {
            self.node(index).name = copy(name.to_bytes())?;
        }
        let is_moved = self.node(index).parent != parent;
        if is_moved {
            self.unlink(index);
            self.link(index, parent);
        }
        Ok(is_renamed || is_moved)
    }

    /// Marks a directory, with all below it, as one that has just appeared.
    pub(super) fn mark_new_from(&mut self, top: u32) {
        for index in 0..self.nodes.len() as u32 {
            if self.node(index).wd != -1 && self.is_within(index, top) {
                self.set_incomplete(index, true);
                self.node(index).is_new = true;
            }
        }
    }

    /// Drops a directory with all below it.
    pub(super) fn drop_from(&mut self, registry: &mut Registry, top: u32) {
        self.unlink(top);
        self.node(top).parent = NIL;
        let mut at = top;
        loop {
            // Down to a leaf, which is dropped then.
            while self.node(at).first_child != NIL {
                at = self.node(at).first_child;
            }
            let &mut Node {
                wd,
                id,
                parent,
                next,
                ..
            } = self.node(at);
            registry.unsubscribe(wd, id);
            self.set_incomplete(at, false);
            let node = self.node(at);
            node.wd = -1;
            node.name = alloc::vec();
            self.free.push(at);
            if at == top {
                return;
            }
            self.node(parent).first_child = next;
            if next != NIL {
                self.node(next).prev = NIL;
            }
            at = parent;
        }
    }
}
