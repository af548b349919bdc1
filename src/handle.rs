//! Handles: what all of them have in common.
//!
//! A handle is *active* while it does something (a timer that is started, a stream that reads),
//! and *referenced* unless `uv_unref` was called; the loop lives while it has a handle that is
//! both. `uv_close` makes a handle closing; in the loop's next closing phase it is closed, its
//! close callback runs, and the memory is the caller's again.
//!
//! <https://docs.libuv.org/en/v1.x/handle.html>

use core::ffi::{c_char, c_int, c_uint, c_void};

use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::list::{List, linked};
use crate::observe::{self, Event, call_back};
use crate::sys::socket;
use crate::view::{get, member, pointee, set, view};

/// The bits of `uv_handle_t.flags`. Programs are known to touch some of them (uvloop sets
/// [`flags::READABLE`]), so they have the values that they have in libuv.
pub(crate) mod flags {
    use core::ffi::c_uint;

    pub(crate) const CLOSING: c_uint = 0x0000_0001;
    pub(crate) const CLOSED: c_uint = 0x0000_0002;
    pub(crate) const ACTIVE: c_uint = 0x0000_0004;
    pub(crate) const REF: c_uint = 0x0000_0008;
    pub(crate) const INTERNAL: c_uint = 0x0000_0010;

    pub(crate) const LISTENING: c_uint = 0x0000_0040;
    pub(crate) const SHUT: c_uint = 0x0000_0200;
    pub(crate) const READ_EOF: c_uint = 0x0000_0800;
    pub(crate) const READING: c_uint = 0x0000_1000;
    pub(crate) const BOUND: c_uint = 0x0000_2000;
    pub(crate) const READABLE: c_uint = 0x0000_4000;
    pub(crate) const WRITABLE: c_uint = 0x0000_8000;
    pub(crate) const BLOCKING_WRITES: c_uint = 0x0010_0000;

    pub(crate) const TCP_NODELAY: c_uint = 0x0100_0000;
    pub(crate) const TCP_KEEPALIVE: c_uint = 0x0200_0000;
    /// The last bind failed, since the address is in use. libuv has no such bit.
    pub(crate) const TCP_BIND_FAILED: c_uint = 0x1000_0000;
    /// The normal settings of the terminal are kept in the handle. libuv has no such bit.
    pub(crate) const TTY_HAS_NORMAL: c_uint = 0x1000_0000;
    pub(crate) const IPV6: c_uint = 0x2000_0000;

    pub(crate) const UDP_CONNECTED: c_uint = 0x0200_0000;
    pub(crate) const UDP_RECVMMSG: c_uint = 0x0400_0000;

    pub(crate) const SIGNAL_ONE_SHOT: c_uint = 0x0200_0000;
    pub(crate) const PROCESS_REAP: c_uint = 0x1000_0000;
}

view!(
    /// Any handle.
    Handle => uv_handle_t
);
linked!(
    /// The link in the list of all handles of its loop.
    pub(crate) link: Handle in uv_handle_t.handle_queue
);

impl Loop {
    member!(
        /// All handles of the loop.
        pub(crate) handles: List<Handle> = handle_queue
    );
}

/// A handle as one of its own kind: `downcast!(of: UV_TCP);` in the `impl` of a view.
macro_rules! downcast {
    ($(#[$attribute:meta])* $visibility:vis $name:ident : $($kind:ident)|+) => {
        $(#[$attribute])*
        #[inline]
        $visibility fn $name(handle: $crate::handle::Handle) -> Option<Self> {
            let is_one = matches!(handle.kind(), $($kind)|+);
            // SAFETY: the type of a handle says what its memory is.
            is_one.then(|| unsafe { Self::from_ptr(handle.raw().cast()) })
        }
    };
}
pub(crate) use downcast;

impl Handle {
    /// Initialises the caller's memory as a referenced, inactive handle of the loop. `data` is
    /// left alone.
    pub(crate) fn init(self, event_loop: Loop, kind: uv_handle_type) {
        set!(self.r#loop = event_loop.raw());
        set!(self.r#type = kind);
        set!(self.flags = flags::REF);
        set!(self.next_closing = core::ptr::null_mut());
        event_loop.expect_lists();
        event_loop.handles().push_back(self);
        self.report(Event::HandleInitialised);
    }

    /// Reports an event of the handle.
    #[inline(always)]
    fn report(self, event: Event) {
        if observe::is_on() {
            self.report_now(event);
        }
    }

    #[cold]
    #[inline(never)]
    fn report_now(self, event: Event) {
        let event_loop = get!(self.r#loop).addr();
        observe::report(event, self.kind(), self.raw(), event_loop);
    }

    /// Removes a handle whose initialisation failed from the loop.
    pub(crate) fn uninit(self) {
        self.link().remove();
        self.report(Event::HandleDropped);
    }

    pointee!(pub(crate) event_loop: Loop = r#loop);

    pub(crate) fn kind(self) -> uv_handle_type {
        get!(self.r#type)
    }

    /// `UV_EINVAL` for a handle of another kind, and for memory that is no handle.
    #[inline]
    pub(crate) fn expect(self, kind: uv_handle_type) -> Result {
        if self.kind() == kind {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// `UV_EINVAL` for memory that is no handle.
    pub(crate) fn expect_any(self) -> Result {
        type_name(self.kind()).map(drop).ok_or(Errno::EINVAL)
    }

    pub(crate) fn has(self, bits: c_uint) -> bool {
        get!(self.flags) & bits != 0
    }

    pub(crate) fn add(self, bits: c_uint) {
        set!(self.flags = get!(self.flags) | bits);
    }

    pub(crate) fn clear(self, bits: c_uint) {
        set!(self.flags = get!(self.flags) & !bits);
    }

    pub(crate) fn is_closing(self) -> bool {
        self.has(flags::CLOSING | flags::CLOSED)
    }

    /// Whether the handle is active. A closing handle stays so until it was stopped.
    pub(crate) fn is_active(self) -> bool {
        self.has(flags::ACTIVE)
    }

    pub(crate) fn start(self) {
        if !self.is_active() {
            self.add(flags::ACTIVE);
            self.report(Event::HandleStarted);
            if self.has(flags::REF) {
                self.event_loop().add_active_handle();
            }
        }
    }

    pub(crate) fn stop(self) {
        if self.is_active() {
            self.clear(flags::ACTIVE);
            self.report(Event::HandleStopped);
            if self.has(flags::REF) {
                self.event_loop().remove_active_handle();
            }
        }
    }

    pub(crate) fn reference(self) {
        if self.has(flags::REF) {
            return;
        }
        self.add(flags::REF);
        if self.is_active() && !self.has(flags::CLOSING) {
            self.event_loop().add_active_handle();
        }
    }

    pub(crate) fn unreference(self) {
        if !self.has(flags::REF) {
            return;
        }
        self.clear(flags::REF);
        if self.is_active() && !self.has(flags::CLOSING) {
            self.event_loop().remove_active_handle();
        }
    }

    /// Begins to close the handle, which `undo` stops. A second close has no effect.
    pub(crate) fn close(self, callback: uv_close_cb, undo: impl FnOnce()) {
        if self.is_closing() {
            return;
        }
        set!(self.close_cb = callback);
        self.report(Event::HandleClosing);
        undo();
        self.add(flags::CLOSING);
        // An fs poll handle closes its timer, and is closed itself after that.
        if self.kind() != UV_FS_POLL {
            self.close_soon();
        }
    }

    /// Adds a closing handle to those that the next closing phase finishes.
    pub(crate) fn close_soon(self) {
        let event_loop = self.event_loop();
        set!(self.next_closing = event_loop.closing_handles());
        event_loop.set_closing_handles(self.raw());
    }

    pub(crate) fn invoke_close(self, callback: uv_close_cb) {
        self.report(Event::HandleClosed);
        if let Some(callback) = callback {
            // SAFETY: the user's callback gets the handle it was registered for, and nothing
            // here touches the handle afterwards.
            unsafe { call_back!(Close: callback(self.raw())) }
        }
    }

    /// The handle's descriptor, of those kinds that have one.
    pub(crate) fn fileno(self) -> Result<c_int> {
        let raw = self.raw();
        // SAFETY: in each arm the type says what the memory is.
        let fd = unsafe {
            match self.kind() {
                UV_TCP | UV_NAMED_PIPE | UV_TTY => (*raw.cast::<uv_stream_t>()).io_watcher.fd,
                UV_UDP => (*raw.cast::<uv_udp_t>()).io_watcher.fd,
                UV_POLL => (*raw.cast::<uv_poll_t>()).io_watcher.fd,
                _ => return Err(Errno::EINVAL),
            }
        };
        if self.is_closing() || fd == -1 {
            Err(Errno::EBADF)
        } else {
            Ok(fd)
        }
    }

    /// Reads (where `value` is 0) or sets a socket's buffer size.
    fn buffer_size(self, option: c_int, value: &mut c_int) -> Result {
        if !matches!(self.kind(), UV_TCP | UV_NAMED_PIPE | UV_UDP) {
            return Err(Errno::ENOTSUP);
        }
        let fd = self.fileno()?;
        if *value == 0 {
            *value = socket::get_option(fd, libc::SOL_SOCKET, option)?;
            return Ok(());
        }
        socket::set_option(fd, libc::SOL_SOCKET, option, *value)
    }
}

/// The name and the size of each type of handle.
const KINDS: [(uv_handle_type, &core::ffi::CStr, usize); 16] = [
    (UV_ASYNC, c"async", size_of::<uv_async_t>()),
    (UV_CHECK, c"check", size_of::<uv_check_t>()),
    (UV_FS_EVENT, c"fs_event", size_of::<uv_fs_event_t>()),
    (UV_FS_POLL, c"fs_poll", size_of::<uv_fs_poll_t>()),
    (UV_HANDLE, c"handle", size_of::<uv_handle_t>()),
    (UV_IDLE, c"idle", size_of::<uv_idle_t>()),
    (UV_NAMED_PIPE, c"pipe", size_of::<uv_pipe_t>()),
    (UV_POLL, c"poll", size_of::<uv_poll_t>()),
    (UV_PREPARE, c"prepare", size_of::<uv_prepare_t>()),
    (UV_PROCESS, c"process", size_of::<uv_process_t>()),
    (UV_STREAM, c"stream", size_of::<uv_stream_t>()),
    (UV_TCP, c"tcp", size_of::<uv_tcp_t>()),
    (UV_TIMER, c"timer", size_of::<uv_timer_t>()),
    (UV_TTY, c"tty", size_of::<uv_tty_t>()),
    (UV_UDP, c"udp", size_of::<uv_udp_t>()),
    (UV_SIGNAL, c"signal", size_of::<uv_signal_t>()),
];

/// The type's name, for listings and for `uv_handle_type_name`.
pub(crate) fn type_name(kind: uv_handle_type) -> Option<&'static core::ffi::CStr> {
    if kind == UV_FILE {
        return Some(c"file");
    }
    KINDS.iter().find(|row| row.0 == kind).map(|row| row.1)
}

// C entry points

/// The size of a handle type, for bindings that allocate without the header; `(size_t) -1` for
/// what is no handle type.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_handle_size>
#[unsafe(no_mangle)]
pub extern "C" fn uv_handle_size(r#type: uv_handle_type) -> usize {
    KINDS
        .iter()
        .find(|row| row.0 == r#type)
        .map_or(usize::MAX, |row| row.2)
}

/// The type of a handle.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_handle_get_type>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_handle_get_type(handle: *const uv_handle_t) -> uv_handle_type {
    // SAFETY: common pointer contract.
    unsafe { Handle::from_ptr(handle) }.kind()
}

/// The name of a handle type, such as `"tcp"`; `NULL` for what is no handle type.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_handle_type_name>
#[unsafe(no_mangle)]
pub extern "C" fn uv_handle_type_name(r#type: uv_handle_type) -> *const c_char {
    type_name(r#type).map_or(core::ptr::null(), |name| name.as_ptr())
}

/// The user's own pointer, `handle->data`.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_handle_get_data>
///
/// # Safety
/// `handle` must point to a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_handle_get_data(handle: *const uv_handle_t) -> *mut c_void {
    // SAFETY: common pointer contract.
    let handle = unsafe { Handle::from_ptr(handle) };
    get!(handle.data)
}

/// The loop that a handle belongs to.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_handle_get_loop>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_handle_get_loop(handle: *const uv_handle_t) -> *mut uv_loop_t {
    // SAFETY: common pointer contract.
    let handle = unsafe { Handle::from_ptr(handle) };
    get!(handle.r#loop)
}

/// Sets the user's own pointer, `handle->data`.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_handle_set_data>
///
/// # Safety
/// `handle` must point to a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_handle_set_data(handle: *mut uv_handle_t, data: *mut c_void) {
    // SAFETY: common pointer contract.
    let handle = unsafe { Handle::from_ptr(handle) };
    set!(handle.data = data);
}

/// References a handle, so that it keeps the loop alive while active. Doing so twice is as doing
/// so once.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_ref>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ref(handle: *mut uv_handle_t) {
    // SAFETY: common pointer contract.
    unsafe { Handle::from_ptr(handle) }.reference();
}

/// Unreferences a handle, so that it does not keep the loop alive. Doing so twice is as doing so
/// once.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_unref>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_unref(handle: *mut uv_handle_t) {
    // SAFETY: common pointer contract.
    unsafe { Handle::from_ptr(handle) }.unreference();
}

/// Non-zero when the handle is referenced.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_has_ref>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_has_ref(handle: *const uv_handle_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Handle::from_ptr(handle) }.has(flags::REF).into()
}

/// Non-zero when the handle is active: a timer that is started, a stream that reads, writes or
/// listens, any async handle, and so on. A closing handle is not active.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_is_active>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_is_active(handle: *const uv_handle_t) -> c_int {
    // SAFETY: common pointer contract.
    let handle = unsafe { Handle::from_ptr(handle) };
    (handle.is_active() && !handle.has(flags::CLOSING)).into()
}

/// Non-zero when the handle is closing or closed.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_is_closing>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_is_closing(handle: *const uv_handle_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Handle::from_ptr(handle) }.is_closing().into()
}

/// Writes the descriptor of a TCP, pipe, TTY, UDP or poll handle to `fd`.
///
/// Returns 0, `UV_EINVAL` for other handles and a null `fd`, or `UV_EBADF` when there is no
/// descriptor yet or the handle is closing. Do not close or change the descriptor.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_fileno>
///
/// # Safety
/// `handle` must be initialised, `fd` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fileno(handle: *const uv_handle_t, fd: *mut uv_os_fd_t) -> c_int {
    // SAFETY: common pointer contract.
    let (number, into) = unsafe { (Handle::from_ptr(handle).fileno(), fd.as_mut()) };
    match (number, into) {
        (Ok(number), Some(into)) => {
            *into = number;
            0
        }
        (Ok(_), None) => UV_EINVAL,
        (Err(error), _) => error.code(),
    }
}

/// Reads (where `*value` is 0) or sets the size in bytes of a socket's send buffer. Linux reports
/// twice the size that was set.
///
/// Returns 0 or an error: `UV_EINVAL` without a handle or `value`, `UV_ENOTSUP` for handles
/// without a socket, `UV_EBADF` without a descriptor.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_send_buffer_size>
///
/// # Safety
/// `handle` must be initialised, `value` null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_send_buffer_size(handle: *mut uv_handle_t, value: *mut c_int) -> c_int {
    if handle.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let (handle, value) = unsafe { (Handle::from_ptr(handle), value.as_mut()) };
    value
        .ok_or(Errno::EINVAL)
        .and_then(|value| handle.buffer_size(libc::SO_SNDBUF, value))
        .into_code()
}

/// Reads (where `*value` is 0) or sets the size in bytes of a socket's receive buffer. Linux
/// reports twice the size that was set.
///
/// Returns 0 or an error, as `uv_send_buffer_size` does.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_recv_buffer_size>
///
/// # Safety
/// `handle` must be initialised, `value` null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_recv_buffer_size(handle: *mut uv_handle_t, value: *mut c_int) -> c_int {
    if handle.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let (handle, value) = unsafe { (Handle::from_ptr(handle), value.as_mut()) };
    value
        .ok_or(Errno::EINVAL)
        .and_then(|value| handle.buffer_size(libc::SO_RCVBUF, value))
        .into_code()
}
