//! The handles that are not streams: caller-owned memory, fixed layout.

use core::ffi::{c_char, c_int, c_uint, c_void};

use super::*;

/// Private: a member of every handle that has no type name in libuv.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__handle_u {
    /// Private.
    pub fd: c_int,
    /// Private.
    pub reserved: [*mut c_void; 4],
}

/// Base of all handles.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_handle_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
}

/// See [`uv_handle_s`].
pub type uv_handle_t = uv_handle_s;

/// A UDP socket.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_udp_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Bytes queued and not yet sent. Read-only.
    pub send_queue_size: usize,
    /// Datagrams queued and not yet sent. Read-only.
    pub send_queue_count: usize,
    /// Private: called for a buffer before each read.
    pub alloc_cb: uv_alloc_cb,
    /// Private.
    pub recv_cb: uv_udp_recv_cb,
    /// Private: watches the descriptor.
    pub io_watcher: uv__io_t,
    /// Private: requests not yet written.
    pub write_queue: uv__queue,
    /// Private: requests whose callback is due.
    pub write_completed_queue: uv__queue,
}

/// See [`uv_udp_s`].
pub type uv_udp_t = uv_udp_s;

/// Watches a descriptor that is not the library's.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_poll_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Called when the descriptor is ready.
    pub poll_cb: uv_poll_cb,
    /// Private: watches the descriptor.
    pub io_watcher: uv__io_t,
}

/// See [`uv_poll_s`].
pub type uv_poll_t = uv_poll_s;

/// Private: a member of [`uv_timer_s`] that has no type name in libuv.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__timer_node {
    /// Private.
    pub heap: [*mut c_void; 3],
    /// Private: list link.
    pub queue: uv__queue,
}

/// Calls back after a time, once or repeatedly.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timer_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Private.
    pub timer_cb: uv_timer_cb,
    /// Private: place among the timers.
    pub node: uv__timer_node,
    /// Private: due time.
    pub timeout: u64,
    /// Private: period.
    pub repeat: u64,
    /// Private: orders timers that are due at once.
    pub start_id: u64,
}

/// See [`uv_timer_s`].
pub type uv_timer_t = uv_timer_s;

/// Calls back once an iteration, right before the loop polls.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_prepare_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Private.
    pub prepare_cb: uv_prepare_cb,
    /// Private: list link.
    pub queue: uv__queue,
}

/// See [`uv_prepare_s`].
pub type uv_prepare_t = uv_prepare_s;

/// Calls back once an iteration, right after the loop polled.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_check_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Private.
    pub check_cb: uv_check_cb,
    /// Private: list link.
    pub queue: uv__queue,
}

/// See [`uv_check_s`].
pub type uv_check_t = uv_check_s;

/// Calls back once an iteration and keeps the loop from blocking.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_idle_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Private.
    pub idle_cb: uv_idle_cb,
    /// Private: list link.
    pub queue: uv__queue,
}

/// See [`uv_idle_s`].
pub type uv_idle_t = uv_idle_s;

/// Wakes the loop from another thread.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_async_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Private.
    pub async_cb: uv_async_cb,
    /// Private: list link.
    pub queue: uv__queue,
    /// Private.
    pub pending: c_int,
}

/// See [`uv_async_s`].
pub type uv_async_t = uv_async_s;

/// A child process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_process_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Called when the process has ended.
    pub exit_cb: uv_exit_cb,
    /// Process id. Read-only.
    pub pid: c_int,
    /// Private: list link.
    pub queue: uv__queue,
    /// Private: how it ended.
    pub status: c_int,
}

/// See [`uv_process_s`].
pub type uv_process_t = uv_process_s;

/// Watches a file or directory for changes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_fs_event_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// The path it watches. Read-only.
    pub path: *mut c_char,
    /// Private: called for changes.
    pub cb: uv_fs_event_cb,
    /// Private.
    pub watchers: uv__queue,
    /// Private.
    pub wd: c_int,
}

/// See [`uv_fs_event_s`].
pub type uv_fs_event_t = uv_fs_event_s;

/// Watches a path by querying it at intervals.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_fs_poll_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Private.
    pub poll_ctx: *mut c_void,
}

/// See [`uv_fs_poll_s`].
pub type uv_fs_poll_t = uv_fs_poll_s;

/// Private: a member of [`uv_signal_s`] that has no type name in libuv.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv__signal_tree {
    /// Private.
    pub rbe_left: *mut uv_signal_s,
    /// Private.
    pub rbe_right: *mut uv_signal_s,
    /// Private.
    pub rbe_parent: *mut uv_signal_s,
    /// Private.
    pub rbe_color: c_int,
}

/// Watches for a signal.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_signal_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Its type. Read-only.
    pub r#type: uv_handle_type,
    /// Private: called when closing is done.
    pub close_cb: uv_close_cb,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub u: uv__handle_u,
    /// Private: next in the loop's list of closing handles.
    pub next_closing: *mut uv_handle_t,
    /// Private: state bits.
    pub flags: c_uint,
    /// Called for the signal.
    pub signal_cb: uv_signal_cb,
    /// The signal watched. Read-only.
    pub signum: c_int,
    /// Private.
    pub tree_entry: uv__signal_tree,
    /// Private.
    pub caught_signals: c_uint,
    /// Private.
    pub dispatched_signals: c_uint,
}

/// See [`uv_signal_s`].
pub type uv_signal_t = uv_signal_s;
