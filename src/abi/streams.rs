//! The handles that are streams: caller-owned memory, fixed layout.

use core::ffi::{c_char, c_int, c_uint, c_void};

use super::*;

/// A duplex byte stream: base of TCP, pipe and TTY handles.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_stream_s {
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
    /// Bytes queued and not yet written. Read-only.
    pub write_queue_size: usize,
    /// Private: called for a buffer before each read.
    pub alloc_cb: uv_alloc_cb,
    /// Private: receives what was read.
    pub read_cb: uv_read_cb,
    /// Private: the connection being made.
    pub connect_req: *mut uv_connect_t,
    /// Private: the shutdown waiting for the write queue.
    pub shutdown_req: *mut uv_shutdown_t,
    /// Private: watches the descriptor.
    pub io_watcher: uv__io_t,
    /// Private: requests not yet written.
    pub write_queue: uv__queue,
    /// Private: requests whose callback is due.
    pub write_completed_queue: uv__queue,
    /// Private: called for connections.
    pub connection_cb: uv_connection_cb,
    /// Private: an error to be reported by a later call.
    pub delayed_error: c_int,
    /// Private: a descriptor waiting for `uv_accept`.
    pub accepted_fd: c_int,
    /// Private: further descriptors waiting for `uv_accept`.
    pub queued_fds: *mut c_void,
}

/// See [`uv_stream_s`].
pub type uv_stream_t = uv_stream_s;

/// A TCP stream or server.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_tcp_s {
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
    /// Bytes queued and not yet written. Read-only.
    pub write_queue_size: usize,
    /// Private: called for a buffer before each read.
    pub alloc_cb: uv_alloc_cb,
    /// Private: receives what was read.
    pub read_cb: uv_read_cb,
    /// Private: the connection being made.
    pub connect_req: *mut uv_connect_t,
    /// Private: the shutdown waiting for the write queue.
    pub shutdown_req: *mut uv_shutdown_t,
    /// Private: watches the descriptor.
    pub io_watcher: uv__io_t,
    /// Private: requests not yet written.
    pub write_queue: uv__queue,
    /// Private: requests whose callback is due.
    pub write_completed_queue: uv__queue,
    /// Private: called for connections.
    pub connection_cb: uv_connection_cb,
    /// Private: an error to be reported by a later call.
    pub delayed_error: c_int,
    /// Private: a descriptor waiting for `uv_accept`.
    pub accepted_fd: c_int,
    /// Private: further descriptors waiting for `uv_accept`.
    pub queued_fds: *mut c_void,
}

/// See [`uv_tcp_s`].
pub type uv_tcp_t = uv_tcp_s;

/// A Unix domain socket, or a pipe or FIFO opened as a stream.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_pipe_s {
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
    /// Bytes queued and not yet written. Read-only.
    pub write_queue_size: usize,
    /// Private: called for a buffer before each read.
    pub alloc_cb: uv_alloc_cb,
    /// Private: receives what was read.
    pub read_cb: uv_read_cb,
    /// Private: the connection being made.
    pub connect_req: *mut uv_connect_t,
    /// Private: the shutdown waiting for the write queue.
    pub shutdown_req: *mut uv_shutdown_t,
    /// Private: watches the descriptor.
    pub io_watcher: uv__io_t,
    /// Private: requests not yet written.
    pub write_queue: uv__queue,
    /// Private: requests whose callback is due.
    pub write_completed_queue: uv__queue,
    /// Private: called for connections.
    pub connection_cb: uv_connection_cb,
    /// Private: an error to be reported by a later call.
    pub delayed_error: c_int,
    /// Private: a descriptor waiting for `uv_accept`.
    pub accepted_fd: c_int,
    /// Private: further descriptors waiting for `uv_accept`.
    pub queued_fds: *mut c_void,
    /// Non-zero when the pipe passes handles. Read-only.
    pub ipc: c_int,
    /// Private: the name it is bound to.
    pub pipe_fname: *const c_char,
}

/// See [`uv_pipe_s`].
pub type uv_pipe_t = uv_pipe_s;

/// A terminal.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_tty_s {
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
    /// Bytes queued and not yet written. Read-only.
    pub write_queue_size: usize,
    /// Private: called for a buffer before each read.
    pub alloc_cb: uv_alloc_cb,
    /// Private: receives what was read.
    pub read_cb: uv_read_cb,
    /// Private: the connection being made.
    pub connect_req: *mut uv_connect_t,
    /// Private: the shutdown waiting for the write queue.
    pub shutdown_req: *mut uv_shutdown_t,
    /// Private: watches the descriptor.
    pub io_watcher: uv__io_t,
    /// Private: requests not yet written.
    pub write_queue: uv__queue,
    /// Private: requests whose callback is due.
    pub write_completed_queue: uv__queue,
    /// Private: called for connections.
    pub connection_cb: uv_connection_cb,
    /// Private: an error to be reported by a later call.
    pub delayed_error: c_int,
    /// Private: a descriptor waiting for `uv_accept`.
    pub accepted_fd: c_int,
    /// Private: further descriptors waiting for `uv_accept`.
    pub queued_fds: *mut c_void,
    /// Private.
    pub orig_termios: libc::termios,
    /// Private: mode.
    pub mode: c_int,
}

/// See [`uv_tty_s`].
pub type uv_tty_t = uv_tty_s;
