//! The loop and the unions that hold any handle or request.

use std::ffi::{c_int, c_uint, c_ulong, c_void};

use super::*;

/// Private: a member of `uv_loop_s` that has no type name in C.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__active_reqs {
    /// Private.
    pub unused: *mut c_void,
    /// Private.
    pub count: c_uint,
}

/// Private: a member of `uv_loop_s` that has no type name in C.
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
    /// Private.
    pub active_handles: c_uint,
    /// Private: link in the loop's list of handles.
    pub handle_queue: uv__queue,
    /// Private.
    pub active_reqs: uv__active_reqs,
    /// Private.
    pub internal_fields: *mut c_void,
    /// Private.
    pub stop_flag: c_uint,
    /// Private: state bits.
    pub flags: c_ulong,
    /// Private.
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
    /// Private.
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

/// Large enough for any handle.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv_any_handle {
    /// Private.
    pub r#async: uv_async_t,
    /// Private.
    pub check: uv_check_t,
    /// Private.
    pub fs_event: uv_fs_event_t,
    /// Private.
    pub fs_poll: uv_fs_poll_t,
    /// The handle the request runs on. Read-only.
    pub handle: uv_handle_t,
    /// Private.
    pub idle: uv_idle_t,
    /// Private.
    pub pipe: uv_pipe_t,
    /// Private.
    pub poll: uv_poll_t,
    /// Private.
    pub prepare: uv_prepare_t,
    /// Private.
    pub process: uv_process_t,
    /// Private.
    pub stream: uv_stream_t,
    /// Private.
    pub tcp: uv_tcp_t,
    /// Private.
    pub timer: uv_timer_t,
    /// Private.
    pub tty: uv_tty_t,
    /// Private.
    pub udp: uv_udp_t,
    /// Private.
    pub signal: uv_signal_t,
}

/// Large enough for any request.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv_any_req {
    /// Private.
    pub req: uv_req_t,
    /// Private.
    pub connect: uv_connect_t,
    /// Private.
    pub write: uv_write_t,
    /// Private.
    pub shutdown: uv_shutdown_t,
    /// Private.
    pub udp_send: uv_udp_send_t,
    /// Private.
    pub fs: uv_fs_t,
    /// Private.
    pub work: uv_work_t,
    /// Private.
    pub getaddrinfo: uv_getaddrinfo_t,
    /// Private.
    pub getnameinfo: uv_getnameinfo_t,
    /// Private.
    pub random: uv_random_t,
}
