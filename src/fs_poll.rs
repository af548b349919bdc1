//! Watching a path by querying its status in intervals.
//!
//! A start makes a *watch* on the heap: its timer, the request that queries the path, and the last
//! result. Stopping frees it. If a request is under way then, or a callback runs, the watch is
//! freed when that is done. The handle is closed when its last watch is gone, since the request
//! keeps the loop from being closed.
//!
//! <https://docs.libuv.org/en/v1.x/fs_poll.html>

use core::ffi::{CStr, c_char, c_int, c_uint};

use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::fs::{self, FsRequest};
use crate::handle::{Handle, flags};
use crate::observe::call_back;
use crate::text_buffer::TextBuffer;
use crate::timer::Timer;
use crate::view::{addr, get, member, owner, set, upcast, view};
use crate::zeroed::zeroed;

view!(
    /// A path watcher.
    FsPoll => uv_fs_poll_t
);

/// The last result of a query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Something,
    Failure(c_int),
}

/// The state of a path that is watched: one for each start of a handle.
pub(crate) struct Watched {
    /// Lives until its last watch is gone.
    handle: FsPoll,
    callback: uv_fs_poll_cb,
    interval: u64,
    /// When the query that is under way, or the last one, began: the loop's time in milliseconds.
    began: u64,
    seen: Seen,
    status: uv_stat_t,
    /// Terminated.
    path: alloc::Vec<u8>,
    timer: uv_timer_t,
    request: uv_fs_t,
    /// A request is under way, or the callback runs.
    is_busy: bool,
    is_stopped: bool,
    /// The watch of an earlier start of the handle, which is stopped.
    older: *mut Watched,
}

view!(
    /// A watch, in the library's own memory.
    Watch => Watched
);

impl FsPoll {
    upcast!(handle: Handle);

    /// `UV_EINVAL` for another kind of handle.
    #[inline]
    fn expected(self) -> Result<FsPoll> {
        self.handle().expect(UV_FS_POLL).map(|()| self)
    }

    fn newest(self) -> *mut Watched {
        get!(self.poll_ctx).cast()
    }

    /// The watch that was made last.
    fn watch(self) -> Option<Watch> {
        let newest = self.newest();
        // SAFETY: a watch lives as long as it is in its handle's list.
        (!newest.is_null()).then(|| unsafe { Watch::from_ptr(newest) })
    }

    fn copy_path_to(self, buffer: TextBuffer) -> Result {
        let watch = match self.expected() {
            Ok(poll) if poll.handle().is_active() => poll.watch(),
            _ => None,
        };
        let Some(watch) = watch else {
            buffer.leave_empty();
            return Err(Errno::EINVAL);
        };
        // SAFETY: terminated, and nothing ends the watch meanwhile.
        buffer.put(unsafe { CStr::from_ptr(watch.path()) }.to_bytes())
    }

    fn init(self, event_loop: Loop) {
        self.handle().init(event_loop, UV_FS_POLL);
        set!(self.poll_ctx = core::ptr::null_mut());
    }

    fn start(self, callback: uv_fs_poll_cb, path: &CStr, interval: c_uint) -> Result {
        let handle = self.handle();
        if handle.is_closing() || callback.is_none() {
            return Err(Errno::EINVAL);
        }
        if handle.is_active() {
            return Ok(());
        }
        let mut copy = alloc::vec();
        let bytes = path.to_bytes_with_nul();
        copy.try_reserve_exact(bytes.len())
            .map_err(|_| Errno::ENOMEM)?;
        copy.extend_from_slice(bytes);
        let watched = alloc::boxed(Watched {
            handle: self,
            callback,
            interval: u64::from(interval.max(1)),
            began: 0,
            seen: Seen::Nothing,
            status: NO_STATUS,
            path: copy,
            timer: zeroed(),
            request: zeroed(),
            is_busy: false,
            is_stopped: false,
            older: self.newest(),
        })?;
        // SAFETY: lives until `end`.
        let watch = unsafe { Watch::from_ptr(alloc::Box::into_raw(watched)) };
        set!(self.poll_ctx = watch.raw().cast());
        watch.init_timer();
        watch.query().inspect_err(|_| watch.end())?;
        handle.start();
        Ok(())
    }

    fn stop(self) {
        if !self.handle().is_active() {
            return;
        }
        self.handle().stop();
        let Some(watch) = self.watch() else { return };
        watch.timer().stop();
        set!(watch.is_stopped = true);
        if !get!(watch.is_busy) {
            watch.end();
        }
    }

    /// The first half of closing. The handle itself schedules the second half, once its last watch
    /// is gone.
    pub(crate) fn close(self) {
        self.stop();
        if self.newest().is_null() {
            self.handle().close_soon();
        }
    }
}

const NO_STATUS: uv_stat_t = zeroed();

/// Whether two statuses are equal, but for the time of the last access.
fn is_unchanged(a: &uv_stat_t, b: &uv_stat_t) -> bool {
    let times = |s: &uv_stat_t| {
        [s.st_ctim, s.st_mtim, s.st_birthtim].map(|time| (time.tv_sec, time.tv_nsec))
    };
    let numbers = |s: &uv_stat_t| {
        [
            s.st_size, s.st_mode, s.st_uid, s.st_gid, s.st_ino, s.st_dev, s.st_flags, s.st_gen,
        ]
    };
    times(a) == times(b) && numbers(a) == numbers(b)
}

impl Watch {
    fn event_loop(self) -> Loop {
        let handle: FsPoll = get!(self.handle);
        handle.handle().event_loop()
    }

    member!(timer: Timer = timer);
    member!(request: FsRequest = request);

    /// Makes the timer, which is the library's own: it is not visible to the program and does not
    /// keep the loop alive.
    fn init_timer(self) {
        self.timer().init(self.event_loop());
        self.timer().handle().add(flags::INTERNAL);
        self.timer().handle().unreference();
    }

    /// The path, terminated.
    fn path(self) -> *const c_char {
        // SAFETY: the watch is live, and no other reference to it exists meanwhile.
        unsafe { (*self.raw()).path.as_ptr().cast() }
    }

    /// Starts a query of the path.
    fn query(self) -> Result {
        let event_loop = self.event_loop();
        set!(self.began = event_loop.now());
        let (request, path) = (addr!(self.request), self.path());
        // SAFETY: path and request live until the request is done.
        let code = unsafe { fs::stat(event_loop.raw(), request, path, Some(on_query)) };
        if code < 0 {
            return Err(Errno::from_code(code));
        }
        set!(self.is_busy = true);
        Ok(())
    }

    fn query_or_report(self) {
        if let Err(error) = self.query() {
            set!(self.is_busy = true);
            self.on_failure(error.code());
            self.wait_or_end();
        }
    }

    /// Handles the end of a query.
    fn on_result(self) {
        let result = get!(self.request.result) as c_int;
        let status = get!(self.request.statbuf);
        self.request().clean_up();
        if !get!(self.is_stopped) {
            if result < 0 {
                self.on_failure(result);
            } else {
                self.on_status(status);
            }
        }
        self.wait_or_end();
    }

    fn on_failure(self, code: c_int) {
        if get!(self.seen) != Seen::Failure(code) {
            set!(self.seen = Seen::Failure(code));
            self.invoke(code, get!(self.status), NO_STATUS);
        }
    }

    fn on_status(self, status: uv_stat_t) {
        let before = get!(self.status);
        let has_changed = match get!(self.seen) {
            Seen::Nothing => false,
            Seen::Something => !is_unchanged(&before, &status),
            Seen::Failure(_) => true,
        };
        set!(self.seen = Seen::Something);
        set!(self.status = status);
        if has_changed {
            self.invoke(0, before, status);
        }
    }

    /// Waits for the rest of the interval, or frees the watch if it was stopped meanwhile.
    fn wait_or_end(self) {
        if !get!(self.is_stopped) {
            let interval = get!(self.interval);
            let passed = self.event_loop().now().saturating_sub(get!(self.began));
            let rest = interval - passed % interval;
            if let Err(error) = self.timer().start(Some(on_timer), rest, 0) {
                self.on_failure(error.code());
            }
        }
        set!(self.is_busy = false);
        if get!(self.is_stopped) {
            self.end();
        }
    }

    fn invoke(self, code: c_int, before: uv_stat_t, now: uv_stat_t) {
        let handle: FsPoll = get!(self.handle);
        if let Some(callback) = get!(self.callback) {
            // SAFETY: the user's callback gets the handle it was registered for, and two structures
            // that live as long as the call.
            unsafe { call_back!(FsPoll: callback(handle.raw(), code, &before, &now)) }
        }
    }

    /// Frees the watch, and has a closing handle closed with the last one.
    fn end(self) {
        let handle: FsPoll = get!(self.handle);
        self.timer().stop();
        self.timer().handle().uninit();
        let mut at = addr!(handle.poll_ctx).cast::<*mut Watched>();
        // SAFETY: the links of a handle's watches are live, and this one is among them.
        unsafe {
            while *at != self.raw() {
                at = &raw mut (**at).older;
            }
            *at = get!(self.older);
        }
        // SAFETY: made by `start`, in no list any more, and not used from here on.
        drop(unsafe { alloc::Box::from_raw_in(self.raw(), alloc::Heap) });
        if handle.newest().is_null() && handle.handle().is_closing() {
            handle.handle().close_soon();
        }
    }
}

unsafe extern "C" fn on_query(request: *mut uv_fs_t) {
    // SAFETY: the request is a member of a watch, which lives until it is done.
    unsafe { Watch::from_ptr(owner!(request, Watched, request)) }.on_result();
}

unsafe extern "C" fn on_timer(timer: *mut uv_timer_t) {
    // SAFETY: the timer is a member of a watch, which stops it before it is freed.
    unsafe { Watch::from_ptr(owner!(timer, Watched, timer)) }.query_or_report();
}

// C entry points

/// Makes `handle` a path watcher that is not started. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/fs_poll.html#c.uv_fs_poll_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_init(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_fs_poll_t,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { FsPoll::from_ptr(handle).init(Loop::from_ptr(r#loop)) };
    0
}

/// Queries the status of the file at `path` every `interval` milliseconds, with stat(2). `poll_cb`
/// is called with the last status and the new one when anything but the time of the last access has
/// changed. If the query fails, it is called with a negative status, once until that changes. A
/// handle that is started already stays as it is.
///
/// Returns 0 or an error: `UV_EINVAL` when the handle is closing or `poll_cb` is `NULL`,
/// `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/fs_poll.html#c.uv_fs_poll_start>
///
/// # Safety
/// `handle` must be initialised, `path` a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_start(
    handle: *mut uv_fs_poll_t,
    poll_cb: uv_fs_poll_cb,
    path: *const c_char,
    interval: c_uint,
) -> c_int {
    if path.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe {
        FsPoll::from_ptr(handle)
            .expected()
            .and_then(|poll| poll.start(poll_cb, CStr::from_ptr(path), interval))
    }
    .into_code()
}

/// Stops watching: the callback is not called any more. Returns 0, also for a handle that is not
/// started.
///
/// <https://docs.libuv.org/en/v1.x/fs_poll.html#c.uv_fs_poll_stop>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_stop(handle: *mut uv_fs_poll_t) -> c_int {
    // SAFETY: common pointer contract.
    if let Ok(handle) = unsafe { FsPoll::from_ptr(handle) }.expected() {
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
/// <https://docs.libuv.org/en/v1.x/fs_poll.html#c.uv_fs_poll_getpath>
///
/// # Safety
/// `handle` must be initialised, `buffer` writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_getpath(
    handle: *mut uv_fs_poll_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        TextBuffer::new(buffer, size)
            .and_then(|buffer| FsPoll::from_ptr(handle).copy_path_to(buffer))
    }
    .into_code()
}
