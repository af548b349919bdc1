//! The inotify instance of a loop, and the subscribers of its watches.
//!
//! The kernel numbers watches by file. All handles and directories of trees that are watched
//! through one inode have one watch, which is removed with the last of them. Numbers are given out
//! in ascending order and not used again for a long time. So a sorted array is enough.

use core::ffi::{CStr, c_int};

use super::FsEvent;
use super::retry::Retry;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::sys::dir::Directory;
use crate::sys::fd::OwnedFd;
use crate::sys::inotify;

/// Stands in [`Subscription::node`] for the handle's path itself, which is no directory of a tree.
pub(super) const NO_NODE: u32 = u32::MAX;

/// A handle's claim to the events of a watch.
#[derive(Clone, Copy)]
pub(super) struct Subscription {
    wd: c_int,
    /// Orders the subscriptions of a watch by age, and is never used again.
    pub(super) id: u64,
    pub(super) handle: FsEvent,
    pub(super) node: u32,
    is_live: bool,
}

/// All subscriptions, ordered by watch and id. Those that ended stay in place, dead, until they
/// outnumber the others. So a removal is cheap, and the delivery of an event keeps its place.
pub(super) struct Subscriptions {
    list: alloc::Vec<Subscription>,
    dead: usize,
    last_id: u64,
}

impl Subscriptions {
    fn new() -> Subscriptions {
        Subscriptions {
            list: alloc::vec(),
            dead: 0,
            last_id: 0,
        }
    }

    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }

    /// The place of the first subscription to the watch with an id above `id`.
    fn place_after(&self, wd: c_int, id: u64) -> usize {
        self.list
            .partition_point(|one| (one.wd, one.id) <= (wd, id))
    }

    /// The live subscriptions to the watch, from a place on.
    fn of(&self, wd: c_int, place: usize) -> impl Iterator<Item = &Subscription> {
        self.list[place..]
            .iter()
            .take_while(move |one| one.wd == wd)
            .filter(|one| one.is_live)
    }

    /// The first live subscription to the watch with an id above `id`.
    pub(super) fn next(&self, wd: c_int, id: u64) -> Option<Subscription> {
        self.of(wd, self.place_after(wd, id)).next().copied()
    }

    /// The directory of the handle's tree that the watch stands for.
    pub(super) fn node_of(&self, wd: c_int, handle: FsEvent) -> Option<u32> {
        let mut all = self.of(wd, self.place_after(wd, 0));
        all.find(|one| one.handle == handle && one.node != NO_NODE)
            .map(|one| one.node)
    }

    pub(super) fn add(&mut self, wd: c_int, handle: FsEvent, node: u32) -> Result<u64> {
        self.list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.last_id += 1;
        let place = self.place_after(wd, self.last_id);
        let one = Subscription {
            wd,
            id: self.last_id,
            handle,
            node,
            is_live: true,
        };
        self.list.insert(place, one);
        Ok(one.id)
    }

    /// Ends a subscription; returns whether it was the last one to the watch.
    fn remove(&mut self, wd: c_int, id: u64) -> bool {
        let place = self.place_after(wd, id - 1);
        match self.list.get_mut(place) {
            Some(one) if one.wd == wd && one.id == id && one.is_live => one.is_live = false,
            _ => return false,
        }
        self.dead += 1;
        if self.dead > 16 && self.dead > self.list.len() / 2 {
            self.list.retain(|one| one.is_live);
            self.dead = 0;
        }
        self.next(wd, 0).is_none()
    }

    fn clear(&mut self) {
        self.list.clear();
        self.dead = 0;
    }
}

/// The inotify state of a loop, behind `inotify_watchers`.
pub(super) struct Registry {
    /// The instance; `None` after a fork that left the loop without one.
    pub(super) inotify: Option<OwnedFd>,
    /// The number of the instance, counted from 1.
    pub(super) instance: u32,
    pub(super) subscriptions: Subscriptions,
    /// Trees have reports that no event will have delivered.
    pub(super) has_reports: bool,
    /// A tree could not scan a directory, and no retry is scheduled for it yet.
    pub(super) needs_retry: bool,
    pub(super) retry: Retry,
    /// The last read of events failed, and that was reported.
    pub(super) is_failing: bool,
}

impl Registry {
    pub(super) fn new() -> Registry {
        Registry {
            inotify: None,
            instance: 0,
            subscriptions: Subscriptions::new(),
            has_reports: false,
            needs_retry: false,
            retry: Retry::new(),
            is_failing: false,
        }
    }

    /// The instance's descriptor, or −1.
    pub(super) fn fd(&self) -> c_int {
        self.inotify.as_ref().map_or(-1, OwnedFd::raw)
    }

    /// Closes the instance. Its watches are not touched: after a fork they are the parent's.
    pub(super) fn close(&mut self) {
        self.inotify = None;
        self.subscriptions.clear();
    }

    /// Watches a path; the caller subscribes to the watch right after. Handles that watch it
    /// already miss no event meanwhile.
    pub(super) fn watch(&self, path: &CStr, target: inotify::Target) -> Result<c_int> {
        inotify::add(self.fd(), path, target)
    }

    /// Watches an open directory; the caller subscribes to the watch right after.
    pub(super) fn watch_open(&self, directory: &Directory) -> Result<c_int> {
        inotify::add_open(self.fd(), directory)
    }

    /// Subscribes to a watch, which ends if that fails.
    pub(super) fn subscribe(&mut self, wd: c_int, handle: FsEvent, node: u32) -> Result<u64> {
        let result = self.subscriptions.add(wd, handle, node);
        if result.is_err() {
            self.release(wd);
        }
        result
    }

    pub(super) fn unsubscribe(&mut self, wd: c_int, id: u64) {
        if self.subscriptions.remove(wd, id) {
            inotify::remove(self.fd(), wd);
        }
    }

    /// Ends a watch unless it has subscriptions.
    pub(super) fn release(&self, wd: c_int) {
        if self.subscriptions.next(wd, 0).is_none() {
            inotify::remove(self.fd(), wd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(number: usize) -> FsEvent {
        // SAFETY: the array of subscriptions never reads the handle.
        unsafe { FsEvent::from_ptr((number * 4096) as *const _) }
    }

    fn nodes(all: &Subscriptions, wd: c_int) -> std::vec::Vec<u32> {
        let mut nodes = std::vec::Vec::new();
        let mut id = 0;
        while let Some(one) = all.next(wd, id) {
            nodes.push(one.node);
            id = one.id;
        }
        nodes
    }

    #[test]
    fn subscriptions_come_in_the_order_of_their_age() {
        let mut all = Subscriptions::new();
        for node in 0..100 {
            all.add(1 + (node % 3) as c_int, handle(1), node).unwrap();
        }
        assert!(nodes(&all, 2).iter().is_sorted());
        assert_eq!(nodes(&all, 2).len(), 33);
        assert!(nodes(&all, 4).is_empty());
        assert_eq!(all.node_of(3, handle(1)), Some(2));
        assert_eq!(all.node_of(3, handle(2)), None);
    }

    #[test]
    fn removing_the_last_subscription_is_reported() {
        let mut all = Subscriptions::new();
        let ids: std::vec::Vec<u64> = (0..200)
            .map(|node| all.add(7, handle(1), node).unwrap())
            .collect();
        let other = all.add(8, handle(1), NO_NODE).unwrap();
        for (done, id) in ids.iter().enumerate() {
            assert_eq!(all.remove(7, *id), done == 199);
            assert!(!all.remove(7, *id));
        }
        assert!(all.list.len() <= 17);
        assert_eq!(all.node_of(8, handle(1)), None);
        assert!(all.remove(8, other));
    }

    #[test]
    fn removal_while_walking_skips_what_is_gone() {
        let mut all = Subscriptions::new();
        let ids: std::vec::Vec<u64> = (0..50)
            .map(|node| all.add(7, handle(1), node).unwrap())
            .collect();
        let first = all.next(7, 0).unwrap();
        for id in &ids[..49] {
            all.remove(7, *id);
        }
        assert_eq!(all.next(7, first.id).map(|one| one.node), Some(49));
        assert!(all.next(7, ids[49]).is_none());
    }
}
