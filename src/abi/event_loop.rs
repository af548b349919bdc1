//! The loop and the unions for any handle or request.

use core::ffi::{c_int, c_uint, c_ulong, c_void};

use super::*;

/// Private: a member of [`uv_loop_s`] that has no type name in libuv.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__active_reqs {
    /// Private.
    pub unused: *mut c_void,
    /// Private.
    pub count: c_uint,
}

/// Private: a member of [`uv_loop_s`] that has no type name in libuv.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv__timer_heap {
    /// Private.
    pub min: *mut c_void,
    /// Private.
    pub nelts: c_uint,
}

/// An event loop.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_loop_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Private: number of active handles.
    pub active_handles: c_uint,
    /// Private: all handles.
    pub handle_queue: uv__queue,
    /// Private: number of active requests.
    pub active_reqs: uv__active_reqs,
    /// Private: further state.
    pub internal_fields: *mut c_void,
    /// Private: set by `uv_stop`.
    pub stop_flag: c_uint,
    /// Private: option bits.
    pub flags: c_ulong,
    /// Private: descriptor of the poller.
    pub backend_fd: c_int,
    /// Private.
    pub pending_queue: uv__queue,
    /// Private.
    pub watcher_queue: uv__queue,
    /// Private.
    pub watchers: *mut *mut uv__io_t,
    /// Private.
    pub nwatchers: c_uint,
    /// Private.
    pub nfds: c_uint,
    /// Private.
    pub wq: uv__queue,
    /// Private.
    pub wq_mutex: uv_mutex_t,
    /// Private.
    pub wq_async: uv_async_t,
    /// Private.
    pub cloexec_lock: uv_rwlock_t,
    /// Private.
    pub closing_handles: *mut uv_handle_t,
    /// Private.
    pub process_handles: uv__queue,
    /// Private.
    pub prepare_handles: uv__queue,
    /// Private.
    pub check_handles: uv__queue,
    /// Private.
    pub idle_handles: uv__queue,
    /// Private.
    pub async_handles: uv__queue,
    /// Private.
    pub async_unused: Option<unsafe extern "C" fn()>,
    /// Private.
    pub async_io_watcher: uv__io_t,
    /// Private.
    pub async_wfd: c_int,
    /// Private.
    pub timer_heap: uv__timer_heap,
    /// Private.
    pub timer_counter: u64,
    /// Private: the loop's clock in milliseconds.
    pub time: u64,
    /// Private.
    pub signal_pipefd: [c_int; 2],
    /// Private.
    pub signal_io_watcher: uv__io_t,
    /// Private.
    pub child_watcher: uv_signal_t,
    /// Private.
    pub emfile_fd: c_int,
    /// Private.
    pub inotify_read_watcher: uv__io_t,
    /// Private.
    pub inotify_watchers: *mut c_void,
    /// Private.
    pub inotify_fd: c_int,
}

/// See [`uv_loop_s`].
pub type uv_loop_t = uv_loop_s;

/// Memory for any handle.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv_any_handle {
    /// See [`uv_async_t`].
    pub r#async: uv_async_t,
    /// See [`uv_check_t`].
    pub check: uv_check_t,
    /// See [`uv_fs_event_t`].
    pub fs_event: uv_fs_event_t,
    /// See [`uv_fs_poll_t`].
    pub fs_poll: uv_fs_poll_t,
    /// See [`uv_handle_t`].
    pub handle: uv_handle_t,
    /// See [`uv_idle_t`].
    pub idle: uv_idle_t,
    /// See [`uv_pipe_t`].
    pub pipe: uv_pipe_t,
    /// See [`uv_poll_t`].
    pub poll: uv_poll_t,
    /// See [`uv_prepare_t`].
    pub prepare: uv_prepare_t,
    /// See [`uv_process_t`].
    pub process: uv_process_t,
    /// See [`uv_stream_t`].
    pub stream: uv_stream_t,
    /// See [`uv_tcp_t`].
    pub tcp: uv_tcp_t,
    /// See [`uv_timer_t`].
    pub timer: uv_timer_t,
    /// See [`uv_tty_t`].
    pub tty: uv_tty_t,
    /// See [`uv_udp_t`].
    pub udp: uv_udp_t,
    /// See [`uv_signal_t`].
    pub signal: uv_signal_t,
}

/// Memory for any request.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv_any_req {
    /// See [`uv_req_t`].
    pub req: uv_req_t,
    /// See [`uv_connect_t`].
    pub connect: uv_connect_t,
    /// See [`uv_write_t`].
    pub write: uv_write_t,
    /// See [`uv_shutdown_t`].
    pub shutdown: uv_shutdown_t,
    /// See [`uv_udp_send_t`].
    pub udp_send: uv_udp_send_t,
    /// See [`uv_fs_t`].
    pub fs: uv_fs_t,
    /// See [`uv_work_t`].
    pub work: uv_work_t,
    /// See [`uv_getaddrinfo_t`].
    pub getaddrinfo: uv_getaddrinfo_t,
    /// See [`uv_getnameinfo_t`].
    pub getnameinfo: uv_getnameinfo_t,
    /// See [`uv_random_t`].
    pub random: uv_random_t,
}
