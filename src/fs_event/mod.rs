//! Watching files and directories for changes.
//!
//! A loop has one inotify instance. It is made for the first handle that is started, and kept until
//! the loop is closed. Its descriptor does not keep the loop alive. `registry` has the subscribers
//! of each watch, `tree` watches a directory with everything below it.
//!
//! A started handle owns a copy of its path and, if it is recursive, its tree; stopping frees both.
//! Callbacks may stop, close and start any handle, so the next subscriber is looked up after each
//! of them.
//!
//! When the kernel's queue of events was full, events are lost. Every handle of the loop then gets
//! `UV_CHANGE` without a file name. When events cannot be read, the error is reported to every
//! handle, once, and reading is tried again after a backoff. `retry` has trees scan directories
//! again that they could not scan.
//!
//! <https://docs.libuv.org/en/v1.x/fs_event.html>

mod registry;
mod retry;
mod tree;

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};

use crate::abi::*;
use crate::alloc;
use crate::backend::ready;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::event_loop::io::{Io, Watcher};
use crate::handle::{Handle, downcast};
use crate::list::Link;
use crate::observe::call_back;
use crate::sys::inotify::{self, Buffer, Event, Target};
use crate::text::c_str;
use crate::text_buffer::TextBuffer;
use crate::view::{get, member, set, upcast, view};
use registry::{NO_NODE, Registry};
use tree::Tree;

/// How many reads of events are made before other watchers of the loop get their turn.
const READ_BUDGET: u32 = 32;

view!(
    /// A file system event handle.
    FsEvent => uv_fs_event_t
);

/// The `UV_CHANGE` and `UV_RENAME` bits that a callback gets for an event.
fn events_of(event: &Event<'_>) -> c_int {
    let change = if event.is_change() { UV_CHANGE } else { 0 };
    let rename = if event.is_other() { UV_RENAME } else { 0 };
    (change | rename) as c_int
}

/// The last part of a path.
fn basename(path: &CStr) -> &[u8] {
    let bytes = path.to_bytes();
    let end = bytes.iter().rposition(|&byte| byte != b'/');
    // Only slashes, or nothing.
    let Some(end) = end else {
        return &bytes[..bytes.len().min(1)];
    };
    let bytes = &bytes[..=end];
    match bytes.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => &bytes[slash + 1..],
        None => bytes,
    }
}

impl FsEvent {
    upcast!(handle: Handle);
    downcast!(of: UV_FS_EVENT);
    member!(unused_link: Link = watchers);

    /// `UV_EINVAL` for another kind of handle.
    #[inline]
    fn expected(self) -> Result<FsEvent> {
        self.handle().expect(UV_FS_EVENT).map(|()| self)
    }

    fn event_loop(self) -> Loop {
        self.handle().event_loop()
    }

    /// The two pointers that the handle keeps: its tree, null in handles that are not recursive or
    /// not started, and in the others the id of its subscription.
    fn kept(self) -> (*mut Tree, u64) {
        let [tree, id, ..] = get!(self.u.reserved);
        (tree.cast(), id as usize as u64)
    }

    fn keep(self, tree: *mut Tree, id: u64) {
        let null = core::ptr::null_mut();
        set!(self.u.reserved = [tree.cast(), id as usize as *mut c_void, null, null]);
    }

    /// Calls `work` with the tree, if there is one; it must not call the program.
    fn with_tree<R>(self, work: impl FnOnce(&mut Tree, &mut Registry) -> R) -> Option<R> {
        let (tree, registry) = (self.kept().0, registry_of(self.event_loop()));
        // SAFETY: both live on the heap, are used by this thread only, and `work` cannot come back
        // here since it does not leave Rust.
        unsafe { Some(work(tree.as_mut()?, registry.as_mut()?)) }
    }

    fn init(self, event_loop: Loop) {
        self.handle().init(event_loop, UV_FS_EVENT);
        self.keep(core::ptr::null_mut(), 0);
        set!(self.path = core::ptr::null_mut());
        set!(self.cb = None);
        set!(self.wd = -1);
        self.unused_link().init();
    }

    fn start(self, callback: uv_fs_event_cb, path: &CStr, options: c_uint) -> Result {
        let handle = self.handle();
        if handle.is_active() || handle.is_closing() || callback.is_none() {
            return Err(Errno::EINVAL);
        }
        ensure_registry(self.event_loop())?;
        let copy = alloc::duplicate(path)?;
        set!(self.path = copy);
        self.watch(path, options & UV_FS_EVENT_RECURSIVE != 0)
            .inspect_err(|_| self.forget_path())?;
        set!(self.cb = callback);
        handle.start();
        self.deliver_later();
        retry::schedule(self.event_loop(), false);
        Ok(())
    }

    fn watch(self, path: &CStr, recursive: bool) -> Result {
        let event_loop = self.event_loop();
        if recursive {
            match with_registry(event_loop, |registry| {
                registry.watch(path, Target::Directory)
            }) {
                Ok(wd) => return self.watch_tree(path, wd),
                // A file has nothing below it.
                Err(Errno::ENOTDIR) => {}
                Err(error) => return Err(error),
            }
        }
        with_registry(event_loop, |registry| {
            let wd = registry.watch(path, Target::Anything)?;
            let id = registry.subscribe(wd, self, NO_NODE)?;
            self.keep(core::ptr::null_mut(), id);
            set!(self.wd = wd);
            Ok(())
        })
    }

    fn watch_tree(self, path: &CStr, wd: c_int) -> Result {
        with_registry(self.event_loop(), |registry| {
            let mut tree = Tree::new(path, basename(path))
                .and_then(alloc::boxed)
                .inspect_err(|_| registry.release(wd))?;
            tree.build(registry, self, wd)?;
            self.keep(alloc::Box::into_raw(tree), 0);
            set!(self.wd = wd);
            Ok(())
        })
    }

    fn forget_path(self) {
        // SAFETY: made by `start`.
        unsafe { alloc::free(get!(self.path).cast()) };
        set!(self.path = core::ptr::null_mut());
    }

    fn stop(self) {
        if !self.handle().is_active() {
            return;
        }
        self.handle().stop();
        let (tree, id) = self.kept();
        if tree.is_null() {
            let wd = get!(self.wd);
            with_registry(self.event_loop(), |registry| registry.unsubscribe(wd, id));
        } else {
            self.with_tree(|tree, registry| tree.end(registry));
            // SAFETY: made by `watch_tree`, and not used from here on.
            drop(unsafe { alloc::Box::from_raw_in(tree, alloc::Heap) });
        }
        self.keep(core::ptr::null_mut(), 0);
        set!(self.wd = -1);
        self.forget_path();
    }

    pub(crate) fn close(self) {
        self.stop();
    }

    fn path<'a>(self) -> Option<&'a CStr> {
        // SAFETY: null or the copy made by `start`, which lives until the handle is stopped.
        unsafe { c_str(get!(self.path)) }
    }

    fn copy_path_to(self, buffer: TextBuffer) -> Result {
        match self.expected().ok().and_then(FsEvent::path) {
            Some(path) => buffer.put(path.to_bytes()),
            None => {
                buffer.leave_empty();
                Err(Errno::EINVAL)
            }
        }
    }

    /// Reports an event of a handle without a tree.
    fn report(self, event: &Event<'_>) {
        if let Some(name) = event.name {
            self.invoke(name.as_ptr(), events_of(event), 0);
            return;
        }
        // The callback may stop the handle and go on to use the name: it gets a copy.
        let mut name = [0u8; 256];
        let own = self.path().map_or(&b""[..], basename);
        let length = own.len().min(name.len() - 1);
        name[..length].copy_from_slice(&own[..length]);
        self.invoke(name.as_ptr().cast(), events_of(event), 0);
    }

    /// Delivers the tree's reports, as long as the handle is not stopped.
    fn deliver(self) {
        while let Some(report) = self.with_tree(|tree, _| tree.next_report()).flatten() {
            self.invoke(report.name(), report.events, report.status);
        }
    }

    /// Scans the tree's incomplete directories again.
    fn rescan(self) {
        self.with_tree(|tree, registry| tree.retry(registry, self));
    }

    /// Has the loop deliver the reports of a start, which must not come within the call.
    fn deliver_later(self) {
        let event_loop = self.event_loop();
        if self.with_tree(|tree, _| tree.has_reports()) == Some(true) {
            with_registry(event_loop, |registry| registry.has_reports = true);
            event_loop.inotify_watcher().feed(event_loop);
        }
    }

    fn invoke(self, name: *const c_char, events: c_int, status: c_int) {
        if let Some(callback) = get!(self.cb) {
            // SAFETY: the user's callback gets the handle it was registered for, and a name that
            // lives as long as the call.
            unsafe { call_back!(FsEvent: callback(self.raw(), name, events, status)) }
        }
    }
}

// The inotify instance of a loop.

fn registry_of(event_loop: Loop) -> *mut Registry {
    get!(event_loop.inotify_watchers).cast()
}

/// Calls `work` with the loop's registry, which must exist; it must not call the program.
fn with_registry<R>(event_loop: Loop, work: impl FnOnce(&mut Registry) -> R) -> R {
    let registry = registry_of(event_loop);
    if registry.is_null() {
        crate::panic::misuse("the loop was closed, or overwritten");
    }
    // SAFETY: made by `ensure_registry`, used by this thread only, and `work` cannot come back here
    // since it does not leave Rust.
    work(unsafe { &mut *registry })
}

impl Loop {
    member!(inotify_watcher: Io = inotify_read_watcher);
}

fn ensure_registry(event_loop: Loop) -> Result {
    if registry_of(event_loop).is_null() {
        let registry = alloc::boxed(Registry::new())?;
        set!(event_loop.inotify_watchers = alloc::Box::into_raw(registry).cast());
    }
    if with_registry(event_loop, |registry| registry.inotify.is_some()) {
        return Ok(());
    }
    open_instance(event_loop)
}

fn open_instance(event_loop: Loop) -> Result {
    let inotify = inotify::open()?;
    let fd = inotify.raw();
    with_registry(event_loop, |registry| {
        registry.inotify = Some(inotify);
        registry.instance += 1;
    });
    let io = event_loop.inotify_watcher();
    io.init(Watcher::Inotify, -1);
    io.set_fd(event_loop, fd)
        .inspect_err(|_| with_registry(event_loop, Registry::close))?;
    io.start(event_loop, ready::READABLE);
    set!(event_loop.inotify_fd = fd);
    Ok(())
}

fn close_instance(event_loop: Loop) {
    if with_registry(event_loop, |registry| registry.inotify.is_some()) {
        event_loop.inotify_watcher().close(event_loop);
        with_registry(event_loop, Registry::close);
        set!(event_loop.inotify_fd = -1);
    }
}

/// Calls `each` for every started handle of the loop.
fn for_each_started(event_loop: Loop, each: impl Fn(FsEvent)) {
    let mut next = event_loop.handles().front();
    while let Some(handle) = next {
        if let Some(event) = FsEvent::of(handle).filter(|_| handle.is_active()) {
            each(event);
        }
        // Handles leave the list in the closing phase only.
        next = event_loop.handles().after(handle);
    }
}

/// Reports an event to the handles that subscribed to its watch before it was read.
fn dispatch(event_loop: Loop, event: &Event<'_>) {
    let newest_id = with_registry(event_loop, |registry| registry.subscriptions.last_id());
    let mut id = 0;
    while let Some(one) = with_registry(event_loop, |all| all.subscriptions.next(event.wd, id)) {
        if one.id > newest_id {
            return;
        }
        id = one.id;
        let handle = one.handle;
        if one.node == NO_NODE {
            handle.report(event);
        } else {
            handle.with_tree(|tree, all| tree.on_event(all, handle, one.node, event));
            handle.deliver();
        }
    }
}

/// Scans all trees again, and reports to all handles, that events were lost.
fn on_overflow(event_loop: Loop) {
    for_each_started(event_loop, |handle| {
        handle.with_tree(|tree, registry| tree.rescan_all(registry, handle));
        handle.invoke(core::ptr::null(), UV_CHANGE as c_int, 0);
        handle.deliver();
    });
}

/// Delivers events and reports: the inotify descriptor is readable, or a start has something to
/// report.
pub(crate) fn on_readable(event_loop: Loop) {
    if with_registry(event_loop, |registry| {
        core::mem::take(&mut registry.has_reports)
    }) {
        for_each_started(event_loop, FsEvent::deliver);
    }
    match read_events(event_loop) {
        Ok(()) | Err(Errno::EAGAIN) => (),
        Err(error) => on_failure(event_loop, error),
    }
    retry::schedule(event_loop, false);
}

fn read_events(event_loop: Loop) -> Result {
    for _ in 0..READ_BUDGET {
        let mut buffer = Buffer::new();
        let (fd, instance) =
            with_registry(event_loop, |registry| (registry.fd(), registry.instance));
        let events = buffer.read(fd)?;
        with_registry(event_loop, |registry| registry.is_failing = false);
        for event in events {
            if event.is_overflow() {
                on_overflow(event_loop);
            } else {
                dispatch(event_loop, &event);
            }
            // A callback may have forked: the events that are left are the parent's.
            if with_registry(event_loop, |registry| registry.instance) != instance {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Events cannot be read at the moment: reports that once to every handle, and backs off.
fn on_failure(event_loop: Loop, error: Errno) {
    event_loop.inotify_watcher().back_off(event_loop);
    if !with_registry(event_loop, |registry| {
        core::mem::replace(&mut registry.is_failing, true)
    }) {
        for_each_started(event_loop, |handle| {
            handle.invoke(core::ptr::null(), 0, error.code())
        });
    }
}

pub(crate) fn loop_cleanup(event_loop: Loop) {
    let registry = registry_of(event_loop);
    if registry.is_null() {
        return;
    }
    retry::end(event_loop);
    close_instance(event_loop);
    set!(event_loop.inotify_watchers = core::ptr::null_mut());
    // SAFETY: made by `ensure_registry`, and not used from here on.
    drop(unsafe { alloc::Box::from_raw_in(registry, alloc::Heap) });
}

/// Watches everything anew after a fork, since the inotify instance is shared with the parent.
/// Returns the first error, such as that of a path that is gone; the other handles are watched
/// nevertheless.
pub(crate) fn loop_fork(event_loop: Loop) -> Result {
    if registry_of(event_loop).is_null() {
        return Ok(());
    }
    close_instance(event_loop);
    open_instance(event_loop)?;
    let first_error = core::cell::Cell::new(Ok(()));
    for_each_started(event_loop, |handle| {
        let renewed = handle
            .with_tree(|tree, registry| tree.rebuild(registry, handle))
            .unwrap_or_else(|| {
                handle
                    .path()
                    .map_or(Ok(()), |path| handle.watch(path, false))
            });
        handle.deliver_later();
        first_error.set(first_error.get().and(renewed));
    });
    retry::schedule(event_loop, false);
    first_error.get()
}

// C entry points

/// Makes `handle` a file system event handle that is not started. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/fs_event.html#c.uv_fs_event_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_event_init(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_fs_event_t,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { FsEvent::from_ptr(handle).init(Loop::from_ptr(r#loop)) };
    0
}

/// Watches `path`: a file, or a directory and its entries, or with the flag `UV_FS_EVENT_RECURSIVE`
/// a directory and everything below it. `cb` is called for each event, with the name of the entry
/// relative to the watched directory (a file's own name for a file). `UV_RENAME` says that the
/// entry was created, removed or renamed, `UV_CHANGE` that it was changed. `UV_CHANGE` without a
/// name means that events were lost. A negative status says that a directory below could not be
/// watched, such as `UV_ENOSPC` for the system's limit. Without a name, it says that the watched
/// directory itself, or the events, cannot be read. It is reported once, and watching is tried
/// again; the handle stays started.
///
/// Returns 0 or an error: `UV_EINVAL` when it is started already, `UV_ENOENT`, `UV_EACCES`,
/// `UV_ENOSPC` (no more watches), `UV_EMFILE` (no more inotify instances).
///
/// <https://docs.libuv.org/en/v1.x/fs_event.html#c.uv_fs_event_start>
///
/// # Safety
/// `handle` must be initialised, `path` a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_event_start(
    handle: *mut uv_fs_event_t,
    cb: uv_fs_event_cb,
    path: *const c_char,
    flags: c_uint,
) -> c_int {
    if path.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe {
        FsEvent::from_ptr(handle)
            .expected()
            .and_then(|event| event.start(cb, CStr::from_ptr(path), flags))
    }
    .into_code()
}

/// Stops watching: the callback is not called any more. Returns 0, also for a handle that is not
/// started.
///
/// <https://docs.libuv.org/en/v1.x/fs_event.html#c.uv_fs_event_stop>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_event_stop(handle: *mut uv_fs_event_t) -> c_int {
    // SAFETY: common pointer contract.
    if let Ok(handle) = unsafe { FsEvent::from_ptr(handle) }.expected() {
        handle.stop();
    }
    0
}

/// Copies the path that is watched to `buffer`, which has room for `*size` bytes; `*size` becomes
/// its length without the terminator.
///
/// Returns 0 or an error: `UV_EINVAL` when the handle is not started, `UV_ENOBUFS` when the buffer
/// is too small. Then `*size` is the size needed, terminator included.
///
/// <https://docs.libuv.org/en/v1.x/fs_event.html#c.uv_fs_event_getpath>
///
/// # Safety
/// `handle` must be initialised, `buffer` writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_event_getpath(
    handle: *mut uv_fs_event_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        TextBuffer::new(buffer, size)
            .and_then(|buffer| FsEvent::from_ptr(handle).copy_path_to(buffer))
    }
    .into_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_path() {
        for (path, name) in [
            (c"w", "w"),
            (c"./w", "w"),
            (c"/a/b/w", "w"),
            (c"w/", "w"),
            (c"a/w///", "w"),
            (c"w/s/..", ".."),
            (c".", "."),
            (c"/", "/"),
            (c"//", "/"),
            (c"", ""),
        ] {
            assert_eq!(basename(path), name.as_bytes(), "{path:?}");
        }
    }
}
