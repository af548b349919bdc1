//! Watching a directory with everything below it (`UV_FS_EVENT_RECURSIVE`).
//!
//! inotify watches single directories. So each directory of the tree has a watch, and a *node* here
//! that knows its name and its parent: renaming a directory is renaming one node. Nothing is
//! missed, because a directory that appears is first watched and then scanned. What was made in it
//! before the watch is found, and reported as if it had just been made. What is made after brings
//! an event. What is made between the two is reported twice.
//!
//! The file system is ahead of its events. So the tree checks what is there, rather than derive it
//! from the order of events. A directory is recognised by its watch's number, wherever it is found,
//! and watched and scanned through a descriptor, whatever its path is by then. One that was moved
//! is looked up where it should be, and dropped with all below it if it is not there. If its parent
//! is not there either, an event that says where the parent went is still queued: the parent is
//! incomplete until it is read, and is then scanned again.
//!
//! Symbolic links are not followed. Directories that may not be read are left out until that
//! changes. Any other failure says nothing about a directory: what is watched stays watched. The
//! failure is reported with the directory's name, once for all directories that appeared together.
//! The directory stays incomplete and is scanned again (`scan.rs`, `retry.rs`).
//!
//! Nothing in this module calls back into C: reports are queued, and the handle delivers them.

mod events;
mod nodes;
mod scan;

use core::ffi::{CStr, c_char, c_int};

use super::FsEvent;
use super::registry::Registry;
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::sys::dir::Directory;
use crate::sys::inotify::Target;

/// The node of the watched directory itself.
const ROOT_NODE: u32 = 0;
/// Stands for no node in a link between nodes.
const NIL: u32 = u32::MAX;

/// A directory of the tree.
struct Node {
    wd: c_int,
    /// The id of the subscription to the watch.
    id: u64,
    name: alloc::Vec<u8>,
    parent: u32,
    first_child: u32,
    prev: u32,
    next: u32,
    /// The number of the last scan that found it in its parent.
    seen: u32,
    /// The number of the last scan that scanned it.
    visited: u32,
    /// The directory has to be scanned: it may have directories without a node, or nodes in it may
    /// stand for directories that are gone.
    is_incomplete: bool,
    /// The directory has just appeared, and so has all that is found in it.
    is_new: bool,
    /// A failure to scan it was reported.
    is_reported: bool,
}

/// A call of the handle's callback that is to be made.
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
    /// A report was lost because memory was lacking.
    lost_report: bool,
    /// The root is not where it was, so new directories cannot be reached.
    is_displaced: bool,
    /// How many nodes are incomplete.
    incomplete: u32,
    /// The number of the last scan, and whether it has reported a failure.
    scan_number: u32,
    has_reported: bool,
    /// The last scan was a retry, not the answer to an event.
    is_late: bool,
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

/// The absolute path, which is valid in any working directory. Terminated.
fn absolute(path: &CStr) -> Result<alloc::Vec<u8>> {
    let mut result = alloc::vec();
    if !path.to_bytes().starts_with(b"/") {
        let mut buffer = [0u8; libc::PATH_MAX as usize];
        // SAFETY: the buffer has that length.
        if unsafe { libc::getcwd(buffer.as_mut_ptr().cast(), buffer.len()) }.is_null() {
            return Err(Errno::last());
        }
        append(&mut result, as_path(&buffer).to_bytes())?;
        append(&mut result, b"/")?;
    }
    append(&mut result, path.to_bytes_with_nul())?;
    Ok(result)
}

fn as_path(bytes: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(bytes).unwrap_or(c"")
}

// Making trees and reporting.
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
            scan_number: 0,
            has_reported: false,
            is_late: false,
        })
    }

    /// Makes the root's node, whose watch exists, and watches what is below.
    pub(super) fn build(&mut self, registry: &mut Registry, handle: FsEvent, wd: c_int) -> Result {
        self.begin_scan();
        self.insert(registry, handle, NIL, &[], wd)?;
        match Directory::open_at(libc::AT_FDCWD, as_path(&self.path), 0) {
            Ok(root) => self.scan(registry, handle, ROOT_NODE, root, false),
            Err(error) => self.fail(registry, ROOT_NODE, c"", error),
        }
        Ok(())
    }

    /// Starts afresh on a new inotify instance.
    pub(super) fn rebuild(&mut self, registry: &mut Registry, handle: FsEvent) -> Result {
        self.nodes.clear();
        self.free.clear();
        self.incomplete = 0;
        let wd = registry.watch(as_path(&self.path), Target::Directory)?;
        self.build(registry, handle, wd)
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
        while at != ROOT_NODE {
            length += self.nodes[at as usize].name.len() + 1;
            at = self.nodes[at as usize].parent;
        }
        let start = to.len();
        to.try_reserve(length + 1).map_err(|_| Errno::ENOMEM)?;
        to.resize(start + length, b'/');
        let mut end = to.len() - entry.len();
        to[end..].copy_from_slice(entry);
        let mut at = node;
        while at != ROOT_NODE {
            let name = &self.nodes[at as usize].name;
            end -= 1;
            to[end - name.len()..end].copy_from_slice(name);
            end -= name.len();
            at = self.nodes[at as usize].parent;
        }
        if entry.is_empty() && node != ROOT_NODE {
            // A directory's own path: a slash at its end would follow a symbolic link.
            to.pop();
        }
        to.push(0);
        Ok(())
    }

    /// The path of an entry of a directory, terminated; with an empty entry that of the directory.
    fn path_of(&self, node: u32, entry: &CStr) -> Result<alloc::Vec<u8>> {
        let mut path = copy(&self.path[..self.path.len() - 1])?;
        append(&mut path, b"/")?;
        self.append_relative(node, entry, &mut path)?;
        Ok(path)
    }
}
