//! Watching a directory with everything below it (`UV_FS_EVENT_RECURSIVE`).
//!
//! inotify watches single directories, so each directory of the tree has a watch, and a *node* here
//! that knows its name and its parent: renaming one is renaming one node. Nothing is missed, because
//! a directory that appears is first watched and then looked into: what was made in it before the
//! watch is found, and reported as if it had just come to be; what is made after brings an event;
//! what falls between is reported twice.
//!
//! The system is ahead of the events that tell of it, so what the tree believes is checked rather
//! than derived from the order of events. A directory is recognised by its watch's number, wherever
//! it turns up, and watched and looked into through a descriptor, whatever its path has come to be.
//! One that was moved is looked for where it should be, and dropped with all below it if it is not
//! there. If its parent is not there either, an event that says where the parent went is still to
//! come: the parent is noted as incomplete until then, and looked into again.
//!
//! Symbolic links are not followed, and directories that may not be read are left out. Other
//! failures, such as the kernel's limit of watches (`UV_ENOSPC`), are reported with the name of the
//! directory, once for everything that appeared at a time, and the rest goes on.
//!
//! Nothing in this file calls back into C: reports are queued, and the handle delivers them.

use core::ffi::{CStr, c_char, c_int};

use super::FsEvent;
use super::registry::Registry;
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::sys::inotify::{Directory, Event, Target};

/// The watched directory itself.
const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

/// One directory.
struct Node {
    wd: c_int,
    /// Of the subscription.
    id: u64,
    name: alloc::Vec<u8>,
    parent: u32,
    first_child: u32,
    prev: u32,
    next: u32,
    /// The look that it was seen by last.
    seen: u32,
    /// Whether it may have directories that have no node.
    is_incomplete: bool,
}

/// Something to tell the handle's callback.
pub(super) struct Report {
    /// Terminated; empty when it is not known.
    name: alloc::Vec<u8>,
    pub(super) events: c_int,
    pub(super) status: c_int,
}

impl Report {
    pub(super) fn name(&self) -> *const c_char {
        // The terminator alone stands for the root, whose name is not relative to itself.
        if self.name.len() <= 1 {
            core::ptr::null()
        } else {
            self.name.as_ptr().cast()
        }
    }
}

/// What a look into directories is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// They were there before anybody watched: nothing to report.
    Start,
    /// They have just appeared, and so has what is in them.
    Appeared,
    /// Events were lost: nothing that is known is taken for granted.
    Review,
}

/// The directories below a handle's path.
pub(super) struct Tree {
    /// The path of the root, absolute and terminated.
    path: alloc::Vec<u8>,
    /// The root's own name, as reported.
    name: alloc::Vec<u8>,
    nodes: alloc::Vec<Node>,
    free: alloc::Vec<u32>,
    reports: alloc::Vec<Report>,
    next_report: usize,
    /// A report was lost for want of memory.
    lost_report: bool,
    /// The root is not where it was, so new directories cannot be reached.
    is_displaced: bool,
    /// How many nodes are incomplete.
    incomplete: u32,
    /// Counts looks that must know afterwards what they have seen.
    look: u32,
}

fn append(to: &mut alloc::Vec<u8>, bytes: &[u8]) -> Result {
    to.try_reserve(bytes.len()).map_err(|_| Errno::ENOMEM)?;
    to.extend_from_slice(bytes);
    Ok(())
}

fn copy(bytes: &[u8]) -> Result<alloc::Vec<u8>> {
    let mut copy = alloc::vec();
    append(&mut copy, bytes)?;
    Ok(copy)
}

/// The path as it will be found from any working directory.
fn absolute(path: &CStr) -> Result<alloc::Vec<u8>> {
    let mut result = alloc::vec();
    if !path.to_bytes().starts_with(b"/") {
        let mut buffer = [0u8; libc::PATH_MAX as usize];
        // SAFETY: the buffer has that length.
        let current = unsafe { libc::getcwd(buffer.as_mut_ptr().cast(), buffer.len()) };
        if !current.is_null() {
            let current = CStr::from_bytes_until_nul(&buffer).unwrap_or(c"");
            append(&mut result, current.to_bytes())?;
            append(&mut result, b"/")?;
        }
    }
    append(&mut result, path.to_bytes_with_nul())?;
    Ok(result)
}

fn as_path(bytes: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(bytes).unwrap_or(c"")
}

// Making and telling.
impl Tree {
    /// A tree without any node.
    pub(super) fn new(path: &CStr, name: &[u8]) -> Result<Tree> {
        Ok(Tree {
            path: absolute(path)?,
            name: copy(name)?,
            nodes: alloc::vec(),
            free: alloc::vec(),
            reports: alloc::vec(),
            next_report: 0,
            lost_report: false,
            is_displaced: false,
            incomplete: 0,
            look: 0,
        })
    }

    /// Makes the root's node, whose watch exists, and watches what is below.
    pub(super) fn plant(&mut self, registry: &mut Registry, handle: FsEvent, wd: c_int) -> Result {
        self.insert(registry, handle, NONE, &[], wd)?;
        match Directory::open_following(as_path(&self.path)) {
            Ok(root) => self.look_into(registry, handle, ROOT, root, Purpose::Start),
            Err(error) => self.report(Ok(alloc::vec()), 0, error.code()),
        }
        Ok(())
    }

    /// Starts afresh on a new inotify instance.
    pub(super) fn renew(&mut self, registry: &mut Registry, handle: FsEvent) -> Result {
        self.nodes.clear();
        self.free.clear();
        self.incomplete = 0;
        let wd = registry.watch(as_path(&self.path), Target::Directory)?;
        self.plant(registry, handle, wd)
    }

    /// Ends all watches.
    pub(super) fn end(&mut self, registry: &mut Registry) {
        for node in &self.nodes {
            if node.wd != -1 {
                registry.unsubscribe(node.wd, node.id);
            }
        }
        self.nodes.clear();
    }

    pub(super) fn has_reports(&self) -> bool {
        self.next_report < self.reports.len() || self.lost_report
    }

    /// The next report to be delivered.
    pub(super) fn next_report(&mut self) -> Option<Report> {
        if let Some(report) = self.reports.get_mut(self.next_report) {
            self.next_report += 1;
            let name = core::mem::replace(&mut report.name, alloc::vec());
            return Some(Report { name, ..*report });
        }
        self.reports.clear();
        self.next_report = 0;
        let lost = core::mem::take(&mut self.lost_report);
        lost.then(|| Report {
            name: alloc::vec(),
            events: UV_CHANGE as c_int,
            status: 0,
        })
    }

    fn report(&mut self, name: Result<alloc::Vec<u8>>, events: c_int, status: c_int) {
        let pushed = name.and_then(|name| {
            let report = Report {
                name,
                events,
                status,
            };
            alloc::push(&mut self.reports, report)
        });
        self.lost_report |= pushed.is_err();
    }
}

// Names.
impl Tree {
    /// The name of an entry of a directory relative to the root, terminated.
    fn relative(&self, node: u32, entry: &CStr) -> Result<alloc::Vec<u8>> {
        let mut result = alloc::vec();
        self.append_relative(node, entry, &mut result)?;
        Ok(result)
    }

    fn append_relative(&self, node: u32, entry: &CStr, to: &mut alloc::Vec<u8>) -> Result {
        // From the end towards the root: measured first, then filled in backwards.
        let entry = entry.to_bytes();
        let mut length = entry.len();
        let mut at = node;
        while at != ROOT {
            length += self.nodes[at as usize].name.len() + 1;
            at = self.nodes[at as usize].parent;
        }
        let start = to.len();
        to.try_reserve(length + 1).map_err(|_| Errno::ENOMEM)?;
        to.resize(start + length, b'/');
        let mut end = to.len() - entry.len();
        to[end..].copy_from_slice(entry);
        let mut at = node;
        while at != ROOT {
            let name = &self.nodes[at as usize].name;
            end -= 1;
            to[end - name.len()..end].copy_from_slice(name);
            end -= name.len();
            at = self.nodes[at as usize].parent;
        }
        if entry.is_empty() && node != ROOT {
            // A directory's own path: a slash at its end would follow a symbolic link.
            to.pop();
        }
        to.push(0);
        Ok(())
    }

    /// The path of an entry of a directory, or with an empty entry of the directory, terminated.
    fn path_of(&self, node: u32, entry: &CStr) -> Result<alloc::Vec<u8>> {
        let mut path = copy(&self.path[..self.path.len() - 1])?;
        append(&mut path, b"/")?;
        self.append_relative(node, entry, &mut path)?;
        Ok(path)
    }
}

// The nodes and their links.
impl Tree {
    fn node(&mut self, index: u32) -> &mut Node {
        &mut self.nodes[index as usize]
    }

    /// Makes a node for a watch that exists and which ends if this fails.
    fn insert(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        parent: u32,
        name: &[u8],
        wd: c_int,
    ) -> Result<u32> {
        let prepared = copy(name).and_then(|name| {
            self.nodes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            // So that freeing a node cannot fail.
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
            parent: NONE,
            first_child: NONE,
            prev: NONE,
            next: NONE,
            seen: self.look,
            is_incomplete: false,
        };
        if self.free.pop().is_some() {
            *self.node(index) = node;
        } else {
            self.nodes.push(node);
        }
        self.link(index, parent);
        Ok(index)
    }

    fn link(&mut self, index: u32, parent: u32) {
        if parent == NONE {
            return;
        }
        let next = core::mem::replace(&mut self.node(parent).first_child, index);
        if next != NONE {
            self.node(next).prev = index;
        }
        let node = self.node(index);
        (node.parent, node.prev, node.next) = (parent, NONE, next);
    }

    fn unlink(&mut self, index: u32) {
        let &mut Node {
            parent, prev, next, ..
        } = self.node(index);
        if prev != NONE {
            self.node(prev).next = next;
        } else if parent != NONE {
            self.node(parent).first_child = next;
        }
        if next != NONE {
            self.node(next).prev = prev;
        }
    }

    fn set_incomplete(&mut self, index: u32, value: bool) {
        let before = core::mem::replace(&mut self.node(index).is_incomplete, value);
        self.incomplete += u32::from(value);
        self.incomplete -= u32::from(before);
    }

    fn is_within(&self, mut index: u32, ancestor: u32) -> bool {
        while index != ancestor && index != NONE {
            index = self.nodes[index as usize].parent;
        }
        index == ancestor
    }

    /// Notes that a known directory was seen as `name` in `parent`.
    fn move_to(&mut self, index: u32, parent: u32, name: &CStr) -> Result {
        // A mount can show a directory a second time, below itself even: the first place counts.
        if index == ROOT || self.is_within(parent, index) {
            return Ok(());
        }
        if self.node(index).name != name.to_bytes() {
            self.node(index).name = copy(name.to_bytes())?;
        }
        if self.node(index).parent != parent {
            self.unlink(index);
            self.link(index, parent);
        }
        Ok(())
    }

    /// Drops a directory with all below it.
    fn drop_from(&mut self, registry: &mut Registry, top: u32) {
        self.unlink(top);
        self.node(top).parent = NONE;
        let mut at = top;
        loop {
            // Down to a leaf, which is then plucked.
            while self.node(at).first_child != NONE {
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
            if next != NONE {
                self.node(next).prev = NONE;
            }
            at = parent;
        }
    }
}

// Events.
impl Tree {
    /// Something happened to a directory of the tree, or in it.
    pub(super) fn on_event(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        node: u32,
        event: &Event<'_>,
    ) {
        let Some(name) = event.name else {
            self.on_self_event(registry, handle, node, event);
            return;
        };
        self.report(self.relative(node, name), super::events_of(event), 0);
        if event.is_new_directory() {
            self.on_appeared(registry, handle, node, name);
        }
    }

    /// Of directories below the root the event of their parent is reported, not their own.
    fn on_self_event(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        node: u32,
        event: &Event<'_>,
    ) {
        if node == ROOT {
            let name = copy(&self.name).and_then(|mut name| {
                append(&mut name, b"\0")?;
                Ok(name)
            });
            self.report(name, super::events_of(event), 0);
            if event.is_self_moved() {
                self.is_displaced = !self.is_in_place(registry, ROOT);
            }
        } else if event.is_self_moved() {
            self.on_moved(registry, node);
        } else if event.is_unmounted() {
            self.replace(registry, handle, node);
        } else if event.is_end() {
            self.drop_from(registry, node);
        }
    }

    /// A directory below the root was moved, somewhere.
    fn on_moved(&mut self, registry: &mut Registry, node: u32) {
        let parent = self.node(node).parent;
        if self.is_in_place(registry, node) {
            return;
        }
        if self.is_displaced || self.is_in_place(registry, parent) {
            self.drop_from(registry, node);
        } else {
            self.set_incomplete(parent, true);
        }
    }

    /// Whether the directory is where the tree has it.
    fn is_in_place(&mut self, registry: &Registry, node: u32) -> bool {
        self.open_known(registry, node).is_ok()
    }

    /// Opens a directory where the tree has it; `UV_ENOENT` if it is not there.
    fn open_known(&mut self, registry: &Registry, node: u32) -> Result<Directory> {
        let path = self.path_of(node, c"")?;
        let directory = if node == ROOT {
            Directory::open_following(as_path(&path))?
        } else {
            Directory::open(as_path(&path))?
        };
        let wd = self.watch(registry, &directory, &path)?;
        if wd != self.node(node).wd {
            registry.release(wd);
            return Err(Errno::ENOENT);
        }
        Ok(directory)
    }

    /// Watches an open directory, if need be by the path that it was opened by.
    fn watch(&self, registry: &Registry, directory: &Directory, path: &[u8]) -> Result<c_int> {
        match registry.watch_open(directory) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => {
                registry.watch(as_path(path), Target::Directory)
            }
            result => result,
        }
    }

    /// A file system is gone from the directory; what was below the mount is there again.
    fn replace(&mut self, registry: &mut Registry, handle: FsEvent, node: u32) {
        let parent = self.node(node).parent;
        let mut name = core::mem::replace(&mut self.node(node).name, alloc::vec());
        self.drop_from(registry, node);
        if append(&mut name, b"\0").is_ok() {
            self.on_appeared(registry, handle, parent, as_path(&name));
        }
    }

    /// A directory has come to be, or turned up, in another.
    fn on_appeared(&mut self, registry: &mut Registry, handle: FsEvent, parent: u32, name: &CStr) {
        let Ok(directory) = self.open_known(registry, parent) else {
            if self.is_displaced {
                self.report(self.relative(parent, name), 0, UV_ENOENT);
            } else {
                self.set_incomplete(parent, true);
            }
            return;
        };
        match self.attach(registry, handle, parent, directory.fd(), name) {
            Ok(Some((node, directory, true))) => {
                self.look_into(registry, handle, node, directory, Purpose::Appeared);
            }
            Ok(Some((node, _, false))) => self.complete(registry, handle, node),
            Ok(None) => {}
            Err(error) => self.report(self.relative(parent, name), 0, error.code()),
        }
    }

    /// A directory was found where it is now: looks again into what is incomplete in it.
    fn complete(&mut self, registry: &mut Registry, handle: FsEvent, top: u32) {
        if self.incomplete == 0 {
            return;
        }
        for index in 0..self.nodes.len() as u32 {
            if !self.node(index).is_incomplete || !self.is_within(index, top) {
                continue;
            }
            if let Ok(directory) = self.open_known(registry, index) {
                self.set_incomplete(index, false);
                self.look = self.look.wrapping_add(1);
                self.look_into(registry, handle, index, directory, Purpose::Appeared);
                self.drop_unseen(registry, index);
            }
        }
    }

    /// Drops the directories in `parent` that the last look has not seen.
    fn drop_unseen(&mut self, registry: &mut Registry, parent: u32) {
        let look = self.look;
        let mut at = self.node(parent).first_child;
        while at != NONE {
            let &mut Node { next, seen, .. } = self.node(at);
            if seen != look {
                self.drop_from(registry, at);
            }
            at = next;
        }
    }

    /// Events were lost: looks at the whole tree anew.
    pub(super) fn review(&mut self, registry: &mut Registry, handle: FsEvent) {
        if self.nodes.is_empty() {
            return;
        }
        let Ok(root) = self.open_known(registry, ROOT) else {
            // What is known is all there is to go by.
            return;
        };
        self.look = self.look.wrapping_add(1);
        self.look_into(registry, handle, ROOT, root, Purpose::Review);
        for index in 0..self.nodes.len() as u32 {
            if self.node(index).wd != -1 {
                self.set_incomplete(index, false);
                self.drop_unseen(registry, index);
            }
        }
    }

    /// Watches an entry of an open directory and gives it its place. Returns its node, the directory
    /// opened, and whether the node is new; `None` if it is gone, no directory, or not to be read.
    fn attach(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        parent: u32,
        parent_fd: c_int,
        name: &CStr,
    ) -> Result<Option<(u32, Directory, bool)>> {
        let directory = match Directory::open_entry(parent_fd, name) {
            Ok(directory) => directory,
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(None),
            Err(Errno::EACCES | Errno::EPERM) => return Ok(None),
            Err(error) => return Err(error),
        };
        let path = self.path_of(parent, name)?;
        let wd = self.watch(registry, &directory, &path)?;
        if let Some(known) = registry.subscriptions.node_of(wd, handle) {
            self.move_to(known, parent, name)?;
            return Ok(Some((known, directory, false)));
        }
        let node = self.insert(registry, handle, parent, name.to_bytes(), wd)?;
        Ok(Some((node, directory, true)))
    }

    /// Watches what is below a directory, however deep.
    fn look_into(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        top: u32,
        directory: Directory,
        purpose: Purpose,
    ) {
        let mut open = alloc::vec();
        let mut failed = alloc::push(&mut open, (top, directory)).is_err();
        self.lost_report |= failed;
        while let Some((node, directory)) = open.last_mut() {
            let (node, fd) = (*node, directory.fd());
            let Some(entry) = directory.next() else {
                open.pop();
                continue;
            };
            if purpose == Purpose::Appeared {
                self.report(self.relative(node, entry.name), UV_RENAME as c_int, 0);
            }
            if !entry.may_be_directory {
                continue;
            }
            let child = match self.attach(registry, handle, node, fd, entry.name) {
                Ok(child) => child,
                Err(error) => {
                    self.fail(&mut failed, node, entry.name, error);
                    continue;
                }
            };
            if let Some((child, directory, is_new)) = child
                && self.is_to_visit(child, is_new, purpose)
                && let Err(error) = alloc::push(&mut open, (child, directory))
            {
                self.fail(&mut failed, child, c"", error);
            }
        }
    }

    fn is_to_visit(&mut self, child: u32, is_new: bool, purpose: Purpose) -> bool {
        let look = self.look;
        let seen = core::mem::replace(&mut self.node(child).seen, look);
        is_new || purpose == Purpose::Review && seen != look
    }

    /// Reports the first failure of a look into directories.
    fn fail(&mut self, failed: &mut bool, node: u32, entry: &CStr, error: Errno) {
        if !*failed {
            *failed = true;
            self.report(self.relative(node, entry), 0, error.code());
        }
    }
}
