//! Scanning directories: those of a start, those that appear and those that are incomplete.
//!
//! A directory that was scanned from its beginning to its end, each entry included, is complete:
//! nodes that were not found in it are dropped. Where anything fails it stays incomplete, nothing
//! in it is dropped, and it is scanned again. One scan may go through many directories; it reports
//! the first failure.

use core::ffi::{CStr, c_int};

use super::super::FsEvent;
use super::super::registry::Registry;
use super::{NIL, Node, ROOT_NODE, Tree, as_path};
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::sys::dir::Directory;
use crate::sys::inotify::Target;

/// There is no such directory, or not in this place.
pub(super) fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP)
}

/// The directory may not be read; a change of its attributes can change that.
fn is_denied(error: Errno) -> bool {
    matches!(error, Errno::EACCES | Errno::EPERM)
}

/// The process or the system lacks a resource, and so other directories fail as well.
fn is_shortage(error: Errno) -> bool {
    matches!(error, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM)
}

impl Tree {
    pub(super) fn begin_scan(&mut self) {
        self.scan_number = self.scan_number.wrapping_add(1);
        self.has_reported = false;
    }

    /// Notes that a directory, or an entry of it, could not be scanned.
    pub(super) fn fail(&mut self, registry: &mut Registry, node: u32, entry: &CStr, error: Errno) {
        self.set_incomplete(node, true);
        registry.needs_retry = true;
        let was_reported = core::mem::replace(&mut self.node(node).is_reported, true);
        if !was_reported && !self.has_reported {
            self.has_reported = true;
            self.report(self.relative(node, entry), 0, error.code());
        }
    }

    /// Opens a directory where the tree has it; an error of [`is_gone`] if it is not there.
    pub(super) fn open_known(&mut self, registry: &Registry, node: u32) -> Result<Directory> {
        let path = self.path_of(node, c"")?;
        // The root may be a link; directories below are not reached through links.
        let flags = if node == ROOT_NODE {
            0
        } else {
            libc::O_NOFOLLOW
        };
        let directory = Directory::open_at(libc::AT_FDCWD, as_path(&path), flags)?;
        let wd = self.watch(registry, &directory, &path)?;
        if wd != self.node(node).wd {
            registry.release(wd);
            return Err(Errno::ENOENT);
        }
        Ok(directory)
    }

    /// Watches an open directory, or if that fails the path that it was opened by.
    fn watch(&self, registry: &Registry, directory: &Directory, path: &[u8]) -> Result<c_int> {
        match registry.watch_open(directory) {
            Err(error) if is_gone(error) || is_denied(error) => {
                registry.watch(as_path(path), Target::Directory)
            }
            result => result,
        }
    }

    /// Watches an entry of an open directory and puts its node in place. Returns the node, the
    /// directory opened, and whether the node was made; `None` if it is gone, is no directory, or
    /// may not be read.
    pub(super) fn attach(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        parent: u32,
        parent_fd: c_int,
        name: &CStr,
    ) -> Result<Option<(u32, Directory, bool)>> {
        match self.watch_entry(registry, handle, parent, parent_fd, name) {
            Err(error) if is_gone(error) => Ok(None),
            Err(error) if is_denied(error) => {
                // One that was watched before stays so.
                if let Some(known) = self.child_named(parent, name) {
                    self.node(known).seen = self.scan_number;
                }
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    fn watch_entry(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        parent: u32,
        parent_fd: c_int,
        name: &CStr,
    ) -> Result<(u32, Directory, bool)> {
        let directory = Directory::open_at(parent_fd, name, libc::O_NOFOLLOW)?;
        let path = self.path_of(parent, name)?;
        let wd = self.watch(registry, &directory, &path)?;
        if let Some(known) = registry.subscriptions.node_of(wd, handle) {
            if self.move_to(known, parent, name)? && self.is_late {
                self.mark_new_from(known);
            }
            return Ok((known, directory, false));
        }
        let node = self.insert(registry, handle, parent, name.to_bytes(), wd)?;
        Ok((node, directory, true))
    }

    /// Scans a directory and, however deep, those below it that are incomplete. `appeared` says
    /// that directories without a node have just appeared, with all that is in them.
    pub(super) fn scan(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        top: u32,
        directory: Directory,
        appeared: bool,
    ) {
        let mut open = alloc::vec();
        self.visit(registry, &mut open, top, directory);
        while let Some((node, directory)) = open.last_mut() {
            let (node, fd) = (*node, directory.fd());
            let entry = match directory.next() {
                Ok(Some(entry)) => entry,
                Ok(None) => {
                    open.pop();
                    self.end_visit(node);
                    continue;
                }
                Err(error) => {
                    open.pop();
                    self.fail(registry, node, c"", error);
                    continue;
                }
            };
            if self.node(node).is_new {
                self.report(self.relative(node, entry.name), UV_RENAME as c_int, 0);
            }
            if !matches!(entry.kind, UV_DIRENT_DIR | UV_DIRENT_UNKNOWN) {
                continue;
            }
            match self.attach(registry, handle, node, fd, entry.name) {
                Ok(Some((child, directory, is_made))) => {
                    let scan_number = self.scan_number;
                    let child_node = self.node(child);
                    child_node.seen = scan_number;
                    child_node.is_new |= is_made && appeared;
                    if child_node.is_incomplete && child_node.visited != scan_number {
                        self.visit(registry, &mut open, child, directory);
                    }
                }
                Ok(None) => {}
                Err(error) => self.fail(registry, node, entry.name, error),
            }
        }
    }

    /// Adds a directory to those that are being scanned. It is complete unless something fails.
    fn visit(
        &mut self,
        registry: &mut Registry,
        open: &mut alloc::Vec<(u32, Directory)>,
        node: u32,
        directory: Directory,
    ) {
        self.node(node).visited = self.scan_number;
        self.set_incomplete(node, false);
        if let Err(error) = alloc::push(open, (node, directory)) {
            self.fail(registry, node, c"", error);
        }
    }

    fn end_visit(&mut self, node: u32) {
        let node = self.node(node);
        if !node.is_incomplete {
            node.is_new = false;
            node.is_reported = false;
        }
    }

    /// Scans the incomplete directories below `top` again.
    pub(super) fn rescan(&mut self, registry: &mut Registry, handle: FsEvent, top: u32) {
        if self.incomplete > 0 {
            self.begin_scan();
            self.scan_incomplete(registry, handle, top, true);
        }
    }

    /// Scans all incomplete directories again, without an event that asks for it. A directory that
    /// has moved may have been reported by its old name since.
    pub(in super::super) fn retry(&mut self, registry: &mut Registry, handle: FsEvent) {
        self.is_late = true;
        self.rescan(registry, handle, ROOT_NODE);
        self.is_late = false;
    }

    /// Scans the whole tree anew, because events were lost.
    pub(in super::super) fn rescan_all(&mut self, registry: &mut Registry, handle: FsEvent) {
        for index in 0..self.nodes.len() as u32 {
            if self.node(index).wd != -1 {
                self.set_incomplete(index, true);
                self.node(index).is_reported = false;
            }
        }
        self.begin_scan();
        self.scan_incomplete(registry, handle, ROOT_NODE, false);
    }

    fn scan_incomplete(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        top: u32,
        appeared: bool,
    ) {
        let mut is_cut_short = false;
        for index in 0..self.nodes.len() as u32 {
            if !self.is_due(index) || !self.is_within(index, top) {
                continue;
            }
            match self.open_known(registry, index) {
                Ok(directory) => self.scan(registry, handle, index, directory, appeared),
                Err(error) => {
                    if is_gone(error) {
                        self.is_displaced |= index == ROOT_NODE;
                    } else if index == ROOT_NODE || !is_denied(error) {
                        self.fail(registry, index, c"", error);
                    }
                    // Nothing is reached without the root.
                    if index == ROOT_NODE || is_shortage(error) {
                        is_cut_short = true;
                        break;
                    }
                }
            }
        }
        self.drop_or_retry(registry, is_cut_short);
    }

    /// Drops nodes that were not found in their scanned directories. After a scan that was cut
    /// short, a directory may be in one that was not scanned: then nothing is dropped, and all is
    /// scanned again.
    fn drop_or_retry(&mut self, registry: &mut Registry, is_cut_short: bool) {
        for index in 0..self.nodes.len() as u32 {
            if self.node(index).wd == -1 || self.nodes[index as usize].visited != self.scan_number {
                continue;
            }
            if is_cut_short {
                self.set_incomplete(index, true);
            } else if !self.node(index).is_incomplete {
                self.drop_unseen(registry, index);
            }
        }
    }

    /// Whether a directory is incomplete and not visited by this scan.
    fn is_due(&mut self, index: u32) -> bool {
        let scan_number = self.scan_number;
        let node = self.node(index);
        node.is_incomplete && node.visited != scan_number
    }

    /// Drops the directories in `parent` that this scan has not found.
    fn drop_unseen(&mut self, registry: &mut Registry, parent: u32) {
        let scan_number = self.scan_number;
        let mut at = self.node(parent).first_child;
        while at != NIL {
            let &mut Node { next, seen, .. } = self.node(at);
            if seen != scan_number {
                self.drop_from(registry, at);
            }
            at = next;
        }
    }
}
