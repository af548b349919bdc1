//! Watching files and directories for changes.
//!
//! A loop has one inotify instance, made for the first handle that is started and kept until the
//! loop is closed; its descriptor does not keep the loop alive. `registry` knows who is told of
//! which watch, `tree` watches a directory with everything below it.
//!
//! A started handle owns a copy of its path and, if it is recursive, its tree; stopping frees both.
//! Callbacks may stop, close and start any handle, so whoever is told next is looked up after
//! each of them.
//!
//! When the kernel's queue of events was full, events are lost: every handle of the loop is told so
//! by `UV_CHANGE` without a file name. When events cannot be read, every handle is told the error, once,
//! and they are read when that is possible again. `retry` has trees look again into directories that
//! they could not look into.
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
use crate::handle::Handle;
use crate::list::List;
use crate::sys::inotify::{self, Buffer, Event, Target};
use crate::view::{addr, get, set, view};
use registry::{NO_NODE, Registry};
use tree::Tree;

/// How many reads of events are made before others get their turn.
const READ_BUDGET: u32 = 32;

view!(
    /// A file system event handle.
    FsEvent => uv_fs_event_t
);

/// What a callback is told of an event.
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
    fn handle(self) -> Handle {
        // SAFETY: begins with the fields of a handle.
        unsafe { Handle::from_ptr(self.raw().cast()) }
    }

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

    /// Works on the tree, if there is one; `work` must not call back into C.
    fn with_tree<R>(self, work: impl FnOnce(&mut Tree, &mut Registry) -> R) -> Option<R> {
        let (tree, registry) = (self.kept().0, registry_of(self.event_loop()));
        // SAFETY: both live on the heap, are used by this thread only, and `work` cannot come back
        // here since it does not leave Rust.
        unsafe { Some(work(tree.as_mut()?, registry.as_mut()?)) }
    }

    fn init(self, on: Loop) {
        self.handle().init(on, UV_FS_EVENT);
        self.keep(core::ptr::null_mut(), 0);
        set!(self.path = core::ptr::null_mut());
        set!(self.cb = None);
        set!(self.wd = -1);
        // SAFETY: a member of a live handle.
        unsafe { List::from_ptr(addr!(self.watchers)) }.init();
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
        let on = self.event_loop();
        if recursive {
            match with_registry(on, |registry| registry.watch(path, Target::Directory)) {
                Ok(wd) => return self.watch_tree(path, wd),
                // A file has nothing below it.
                Err(Errno::ENOTDIR) => {}
                Err(error) => return Err(error),
            }
        }
        with_registry(on, |registry| {
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
            tree.plant(registry, self, wd)?;
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
        let path = get!(self.path);
        // SAFETY: null or the copy made by `start`, which lives until the handle is stopped.
        (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) })
    }

    /// Tells of an event without a tree.
    fn tell(self, event: &Event<'_>) {
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

    /// Tells what the tree has to report, as long as the handle is not stopped.
    fn deliver(self) {
        while let Some(report) = self.with_tree(|tree, _| tree.next_report()).flatten() {
            self.invoke(report.name(), report.events, report.status);
        }
    }

    /// Looks again into what is incomplete.
    fn look_again(self) {
        self.with_tree(|tree, registry| tree.retry(registry, self));
    }

    /// Has reports of the start delivered by the loop, not within the call.
    fn deliver_later(self) {
        let on = self.event_loop();
        if self.with_tree(|tree, _| tree.has_reports()) == Some(true) {
            with_registry(on, |registry| registry.has_reports = true);
            watcher_of(on).feed(on);
        }
    }

    fn invoke(self, name: *const c_char, events: c_int, status: c_int) {
        if let Some(callback) = get!(self.cb) {
            // SAFETY: the user's callback gets the handle it was registered for, and a name that
            // lives as long as the call.
            unsafe { callback(self.raw(), name, events, status) }
        }
    }
}

// What a loop has of inotify.

fn registry_of(on: Loop) -> *mut Registry {
    get!(on.inotify_watchers).cast()
}

/// Works on a registry that exists; `work` must not call back into C.
fn with_registry<R>(on: Loop, work: impl FnOnce(&mut Registry) -> R) -> R {
    let registry = registry_of(on);
    if registry.is_null() {
        crate::panic::misuse("the loop was closed, or overwritten");
    }
    // SAFETY: made by `ensure_registry`, used by this thread only, and `work` cannot come back here
    // since it does not leave Rust.
    work(unsafe { &mut *registry })
}

fn watcher_of(on: Loop) -> Io {
    // SAFETY: a member of the loop.
    unsafe { Io::from_ptr(addr!(on.inotify_read_watcher)) }
}

fn ensure_registry(on: Loop) -> Result {
    if registry_of(on).is_null() {
        let registry = alloc::boxed(Registry::new())?;
        set!(on.inotify_watchers = alloc::Box::into_raw(registry).cast());
    }
    if with_registry(on, |registry| registry.fd) != -1 {
        return Ok(());
    }
    open_instance(on)
}

fn open_instance(on: Loop) -> Result {
    let fd = inotify::open()?;
    with_registry(on, |registry| {
        registry.fd = fd;
        registry.instance += 1;
    });
    let io = watcher_of(on);
    io.init(Watcher::Inotify, -1);
    io.set_fd(on, fd)
        .inspect_err(|_| with_registry(on, Registry::close))?;
    io.start(on, ready::READABLE);
    set!(on.inotify_fd = fd);
    Ok(())
}

fn close_instance(on: Loop) {
    if with_registry(on, |registry| registry.fd) != -1 {
        watcher_of(on).close(on);
        with_registry(on, Registry::close);
        set!(on.inotify_fd = -1);
    }
}

/// Calls `each` for every started handle of the loop.
fn for_each_started(on: Loop, each: impl Fn(FsEvent)) {
    let mut next = on.handles().front();
    while let Some(link) = next {
        let handle = Handle::from_link(link);
        if handle.kind() == UV_FS_EVENT && handle.is_active() {
            // SAFETY: the type says what the memory is.
            each(unsafe { FsEvent::from_ptr(handle.raw().cast()) });
        }
        // Handles leave the list in the closing phase only.
        next = on.handles().after(link);
    }
}

/// Tells everybody who subscribed to the event's watch before it was read.
fn dispatch(on: Loop, event: &Event<'_>) {
    let newest = with_registry(on, |registry| registry.subscriptions.last_id());
    let mut id = 0;
    while let Some(one) = with_registry(on, |all| all.subscriptions.next(event.wd, id)) {
        if one.id > newest {
            return;
        }
        id = one.id;
        let handle = one.handle;
        if one.node == NO_NODE {
            handle.tell(event);
        } else {
            handle.with_tree(|tree, all| tree.on_event(all, handle, one.node, event));
            handle.deliver();
        }
    }
}

/// Events were lost.
fn on_overflow(on: Loop) {
    for_each_started(on, |handle| {
        handle.with_tree(|tree, registry| tree.review(registry, handle));
        handle.invoke(core::ptr::null(), UV_CHANGE as c_int, 0);
        handle.deliver();
    });
}

/// The inotify descriptor is readable, or a start has something to report.
pub(crate) fn on_readable(on: Loop) {
    if with_registry(on, |registry| core::mem::take(&mut registry.has_reports)) {
        for_each_started(on, FsEvent::deliver);
    }
    match read_events(on) {
        Ok(()) | Err(Errno::EAGAIN) => (),
        Err(error) => on_failure(on, error),
    }
    retry::schedule(on, false);
}

fn read_events(on: Loop) -> Result {
    for _ in 0..READ_BUDGET {
        let mut buffer = Buffer::new();
        let (fd, instance) = with_registry(on, |registry| (registry.fd, registry.instance));
        let events = buffer.read(fd)?;
        with_registry(on, |registry| registry.is_failing = false);
        for event in events {
            if event.is_overflow() {
                on_overflow(on);
            } else {
                dispatch(on, &event);
            }
            // A callback may fork: what is left is the parent's.
            if with_registry(on, |registry| registry.instance) != instance {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Events cannot be read at the moment.
fn on_failure(on: Loop, error: Errno) {
    watcher_of(on).back_off(on);
    if !with_registry(on, |registry| {
        core::mem::replace(&mut registry.is_failing, true)
    }) {
        for_each_started(on, |handle| {
            handle.invoke(core::ptr::null(), 0, error.code())
        });
    }
}

pub(crate) fn loop_cleanup(on: Loop) {
    let registry = registry_of(on);
    if registry.is_null() {
        return;
    }
    retry::end(on);
    close_instance(on);
    set!(on.inotify_watchers = core::ptr::null_mut());
    // SAFETY: made by `ensure_registry`, and not used from here on.
    drop(unsafe { alloc::Box::from_raw_in(registry, alloc::Heap) });
}

/// Watches everything anew after a fork: the inotify instance is shared with the parent. Returns
/// the first error, of a path that is gone, say; the handles after it are watched nevertheless.
pub(crate) fn loop_fork(on: Loop) -> Result {
    if registry_of(on).is_null() {
        return Ok(());
    }
    close_instance(on);
    open_instance(on)?;
    let first_error = core::cell::Cell::new(Ok(()));
    for_each_started(on, |handle| {
        let renewed = handle
            .with_tree(|tree, registry| tree.renew(registry, handle))
            .unwrap_or_else(|| {
                handle
                    .path()
                    .map_or(Ok(()), |path| handle.watch(path, false))
            });
        handle.deliver_later();
        first_error.set(first_error.get().and(renewed));
    });
    retry::schedule(on, false);
    first_error.get()
}

/// Copies a handle's path, terminated, to a buffer of `*size` bytes; `*size` becomes its length, or
/// with `UV_ENOBUFS` the room it needs.
///
/// # Safety
/// `size` must be readable and writable, `buffer` writable for that many bytes.
pub(crate) unsafe fn copy_path(path: &CStr, buffer: *mut c_char, size: *mut usize) -> Result {
    let bytes = path.to_bytes_with_nul();
    // SAFETY: the caller vouches for both.
    unsafe {
        if *size < bytes.len() {
            *size = bytes.len();
            return Err(Errno::ENOBUFS);
        }
        core::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), buffer, bytes.len());
        *size = bytes.len() - 1;
    }
    Ok(())
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

/// Watches `path`: a file, or a directory and its entries, or with the flag `UV_FS_EVENT_RECURSIVE` a
/// directory and everything below it. `cb` is called for each event, with the name of the entry
/// relative to the watched directory (a file's own name for a file), with `UV_RENAME` for what came,
/// went or was renamed and `UV_CHANGE` for what was changed. `UV_CHANGE` without a name means that
/// events were lost. A negative status says that a directory below could not be watched, such as
/// `UV_ENOSPC` for the system's limit; without a name it says that the watched directory itself, or the
/// events, cannot be read. That is told once and tried again; the handle goes on.
///
/// Returns 0 or an error: `UV_EINVAL` when it is started already, `UV_ENOENT`, `UV_EACCES`, `UV_ENOSPC`
/// (no more watches), `UV_EMFILE` (no more inotify instances).
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

/// Stops watching: the callback is not called any more. Returns 0, also for one not started.
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

/// Copies the path that is watched to `buffer`, which has room for `*size` bytes; `*size` becomes its
/// length without the terminator.
///
/// Returns 0 or an error: `UV_EINVAL` when the handle is not started, `UV_ENOBUFS` when the buffer is
/// too small, and then `*size` is what it takes with the terminator.
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
    if buffer.is_null() || size.is_null() || unsafe { *size } == 0 {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let event = unsafe { FsEvent::from_ptr(handle) }.expected();
    event
        .and_then(|event| event.path().ok_or(Errno::EINVAL))
        // SAFETY: common pointer contract.
        .inspect_err(|_| unsafe { *size = 0 })
        // SAFETY: common pointer contract.
        .and_then(|path| unsafe { copy_path(path, buffer, size) })
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
