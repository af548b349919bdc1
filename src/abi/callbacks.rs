//! Callbacks from the library into C.

use core::ffi::{c_char, c_int, c_uint, c_void};

use super::*;

/// Takes the place of `malloc`.
pub type uv_malloc_func = Option<unsafe extern "C" fn(size: usize) -> *mut c_void>;

/// Takes the place of `realloc`.
pub type uv_realloc_func =
    Option<unsafe extern "C" fn(ptr: *mut c_void, size: usize) -> *mut c_void>;

/// Takes the place of `calloc`.
pub type uv_calloc_func = Option<unsafe extern "C" fn(count: usize, size: usize) -> *mut c_void>;

/// Takes the place of `free`.
pub type uv_free_func = Option<unsafe extern "C" fn(ptr: *mut c_void)>;

/// Asks for memory to read into: set `buf`, with any length. `suggested_size` is 65536 as a rule.
/// After a length of 0 or a null base the read callback reports `UV_ENOBUFS`.
pub type uv_alloc_cb = Option<
    unsafe extern "C" fn(handle: *mut uv_handle_t, suggested_size: usize, buf: *mut uv_buf_t),
>;

/// Bytes were read from a stream, or reading failed. `nread` is the number of bytes; 0 when
/// nothing could be read for now; `UV_EOF` at the end; or another `UV_E…` code. The callback must
/// free the memory of `buf`, which may be null when `nread` is negative.
pub type uv_read_cb =
    Option<unsafe extern "C" fn(stream: *mut uv_stream_t, nread: isize, buf: *const uv_buf_t)>;

/// A write is done. `status` is 0 or a `UV_E…` code.
pub type uv_write_cb = Option<unsafe extern "C" fn(req: *mut uv_write_t, status: c_int)>;

/// A connection is made, or failed to be. `status` is 0 or a `UV_E…` code.
pub type uv_connect_cb = Option<unsafe extern "C" fn(req: *mut uv_connect_t, status: c_int)>;

/// The writing side of a stream is shut down. `status` is 0 or a `UV_E…` code.
pub type uv_shutdown_cb = Option<unsafe extern "C" fn(req: *mut uv_shutdown_t, status: c_int)>;

/// A connection waits for `uv_accept`. `status` is 0 or a `UV_E…` code.
pub type uv_connection_cb = Option<unsafe extern "C" fn(server: *mut uv_stream_t, status: c_int)>;

/// A handle is closed: the library does not use its memory any more.
pub type uv_close_cb = Option<unsafe extern "C" fn(handle: *mut uv_handle_t)>;

/// A descriptor is ready. `events` are bits of `enum uv_poll_event`; `status` is 0 or a `UV_E…`
/// code.
pub type uv_poll_cb =
    Option<unsafe extern "C" fn(handle: *mut uv_poll_t, status: c_int, events: c_int)>;

/// A timer is due.
pub type uv_timer_cb = Option<unsafe extern "C" fn(handle: *mut uv_timer_t)>;

/// `uv_async_send` was called, once or several times.
pub type uv_async_cb = Option<unsafe extern "C" fn(handle: *mut uv_async_t)>;

/// The loop is about to poll.
pub type uv_prepare_cb = Option<unsafe extern "C" fn(handle: *mut uv_prepare_t)>;

/// The loop has polled.
pub type uv_check_cb = Option<unsafe extern "C" fn(handle: *mut uv_check_t)>;

/// The loop begins another iteration.
pub type uv_idle_cb = Option<unsafe extern "C" fn(handle: *mut uv_idle_t)>;

/// A process has ended, with an exit status or by a signal (else 0).
pub type uv_exit_cb =
    Option<unsafe extern "C" fn(process: *mut uv_process_t, exit_status: i64, term_signal: c_int)>;

/// Called by `uv_walk` for each handle; `arg` is the pointer that `uv_walk` was given.
pub type uv_walk_cb = Option<unsafe extern "C" fn(handle: *mut uv_handle_t, arg: *mut c_void)>;

/// A file system operation is done; its outcome is in `req->result`. Call `uv_fs_req_cleanup`
/// when the request is not needed any more.
pub type uv_fs_cb = Option<unsafe extern "C" fn(req: *mut uv_fs_t)>;

/// The work of a request; runs on a thread of the pool.
pub type uv_work_cb = Option<unsafe extern "C" fn(req: *mut uv_work_t)>;

/// Work is done; runs on the loop's thread. `status` is 0, or `UV_ECANCELED` after `uv_cancel`.
pub type uv_after_work_cb = Option<unsafe extern "C" fn(req: *mut uv_work_t, status: c_int)>;

/// A name was resolved, or that failed. `status` is 0 or a `UV_E…` code; release `res` with
/// `uv_freeaddrinfo`.
pub type uv_getaddrinfo_cb = Option<
    unsafe extern "C" fn(req: *mut uv_getaddrinfo_t, status: c_int, res: *mut libc::addrinfo),
>;

/// An address was resolved, or that failed. `status` is 0 or a `UV_E…` code; the names are fields
/// of the request.
pub type uv_getnameinfo_cb = Option<
    unsafe extern "C" fn(
        req: *mut uv_getnameinfo_t,
        status: c_int,
        hostname: *const c_char,
        service: *const c_char,
    ),
>;

/// Random bytes were generated, or that failed. `status` is 0 or a `UV_E…` code; `buf` is the one
/// that `uv_random` was given.
pub type uv_random_cb = Option<
    unsafe extern "C" fn(req: *mut uv_random_t, status: c_int, buf: *mut c_void, buflen: usize),
>;

/// A watched file or directory changed. `events` are bits of `enum uv_fs_event`; `filename` is
/// relative to the watched directory, and `NULL` when it is not known or when changes were lost
/// because there were too many of them. `status` is 0 or a `UV_E…` code.
pub type uv_fs_event_cb = Option<
    unsafe extern "C" fn(
        handle: *mut uv_fs_event_t,
        filename: *const c_char,
        events: c_int,
        status: c_int,
    ),
>;

/// The status of a path changed, or querying it failed. `status` is 0 or a `UV_E…` code. Both
/// results are valid during the callback only.
pub type uv_fs_poll_cb = Option<
    unsafe extern "C" fn(
        handle: *mut uv_fs_poll_t,
        status: c_int,
        prev: *const uv_stat_t,
        curr: *const uv_stat_t,
    ),
>;

/// A signal was delivered.
pub type uv_signal_cb = Option<unsafe extern "C" fn(handle: *mut uv_signal_t, signum: c_int)>;

/// A datagram is sent, or failed to be. `status` is 0 or a `UV_E…` code.
pub type uv_udp_send_cb = Option<unsafe extern "C" fn(req: *mut uv_udp_send_t, status: c_int)>;

/// A datagram was received, or receiving failed. `nread` is its length or a `UV_E…` code; 0 with a
/// null `addr` means that there is nothing more to read. `flags` are bits of `enum uv_udp_flags`.
/// The callback must free the memory of `buf`, unless `UV_UDP_MMSG_CHUNK` is set. `addr` is valid
/// during the callback only.
pub type uv_udp_recv_cb = Option<
    unsafe extern "C" fn(
        handle: *mut uv_udp_t,
        nread: isize,
        buf: *const uv_buf_t,
        addr: *const libc::sockaddr,
        flags: c_uint,
    ),
>;

/// The function of a thread; `arg` is the pointer that `uv_thread_create` was given.
pub type uv_thread_cb = Option<unsafe extern "C" fn(arg: *mut c_void)>;
