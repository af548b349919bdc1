//! Events of a tree: directories that appeared, disappeared or were moved.

use core::ffi::CStr;

use super::super::FsEvent;
use super::super::registry::Registry;
use super::scan::is_gone;
use super::{ROOT_NODE, Tree, append, as_path, copy};
use crate::abi::*;
use crate::alloc;
use crate::errors::Errno;
use crate::sys::inotify::Event;

impl Tree {
    /// Handles an event of a directory of the tree, or of an entry in it.
    pub(in super::super) fn on_event(
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
        self.report(self.relative(node, name), super::super::events_of(event), 0);
        if event.is_new_directory() {
            self.on_appeared(registry, handle, node, name);
        } else if event.is_changed_directory() {
            // One that could not be read may be readable now.
            match self.child_named(node, name) {
                Some(child) => self.rescan(registry, handle, child),
                None => self.on_appeared(registry, handle, node, name),
            }
        }
    }

    /// Handles an event of a directory itself. Below the root the event of its parent is reported
    /// instead.
    fn on_self_event(
        &mut self,
        registry: &mut Registry,
        handle: FsEvent,
        node: u32,
        event: &Event<'_>,
    ) {
        if node == ROOT_NODE {
            let name = copy(&self.name).and_then(|mut name| {
                append(&mut name, b"\0")?;
                Ok(name)
            });
            self.report(name, super::super::events_of(event), 0);
            if event.is_self_moved() {
                self.on_root_moved(registry, handle);
            }
        } else if event.is_self_moved() {
            self.on_moved(registry, node);
        } else if event.is_unmounted() {
            self.replace(registry, handle, node);
        } else if event.is_end() {
            self.drop_from(registry, node);
        }
    }

    fn on_root_moved(&mut self, registry: &mut Registry, handle: FsEvent) {
        self.begin_scan();
        match self.open_known(registry, ROOT_NODE) {
            Ok(_) => {
                self.is_displaced = false;
                self.rescan(registry, handle, ROOT_NODE);
            }
            Err(error) if is_gone(error) => self.is_displaced = true,
            Err(error) => self.fail(registry, ROOT_NODE, c"", error),
        }
    }

    /// Finds out where a directory below the root was moved to.
    fn on_moved(&mut self, registry: &mut Registry, node: u32) {
        let parent = self.node(node).parent;
        self.begin_scan();
        let found = match self.open_known(registry, node) {
            Err(error) if is_gone(error) && !self.is_displaced => {
                self.open_known(registry, parent).map(|_| false)
            }
            result => result.map(|_| true),
        };
        match found {
            Ok(true) => {}
            // It may be in a directory that could not be scanned.
            Ok(false) if self.incomplete > 0 => {
                self.set_incomplete(parent, true);
                registry.needs_retry = true;
            }
            Ok(false) => self.drop_from(registry, node),
            Err(error) if !is_gone(error) => self.fail(registry, parent, c"", error),
            Err(_) if self.is_displaced => self.drop_from(registry, node),
            // An event that says where the parent went is still queued.
            Err(_) => self.set_incomplete(parent, true),
        }
    }

    /// A file system was unmounted from the directory; what was below the mount appears again.
    fn replace(&mut self, registry: &mut Registry, handle: FsEvent, node: u32) {
        let parent = self.node(node).parent;
        let mut name = core::mem::replace(&mut self.node(node).name, alloc::vec());
        self.drop_from(registry, node);
        if append(&mut name, b"\0").is_ok() {
            self.on_appeared(registry, handle, parent, as_path(&name));
        } else {
            self.fail(registry, parent, c"", Errno::ENOMEM);
        }
    }

    /// Watches and scans a directory that was made in another, or moved there.
    fn on_appeared(&mut self, registry: &mut Registry, handle: FsEvent, parent: u32, name: &CStr) {
        self.begin_scan();
        let directory = match self.open_known(registry, parent) {
            Ok(directory) => directory,
            Err(error) if !is_gone(error) => return self.fail_new(registry, parent, name, error),
            Err(_) if self.is_displaced => {
                return self.report(self.relative(parent, name), 0, UV_ENOENT);
            }
            // An event that says where the parent went is still queued.
            Err(_) => return self.set_incomplete(parent, true),
        };
        match self.attach(registry, handle, parent, directory.fd(), name) {
            Ok(Some((node, directory, true))) => {
                self.node(node).is_new = true;
                self.scan(registry, handle, node, directory, true);
            }
            Ok(Some((node, _, false))) => self.rescan(registry, handle, node),
            Ok(None) => {}
            Err(error) => self.fail_new(registry, parent, name, error),
        }
    }

    /// Notes a failure as [`Tree::fail`] does, and reports it even if other entries could not be
    /// scanned either.
    fn fail_new(&mut self, registry: &mut Registry, parent: u32, name: &CStr, error: Errno) {
        self.node(parent).is_reported = false;
        self.fail(registry, parent, name, error);
    }
}
