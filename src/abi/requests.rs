//! The requests: caller-owned memory, fixed layout.

use core::ffi::{c_char, c_int, c_uint, c_void};

use super::*;

/// The length of a host's name that libc provides for, in bytes.
const NI_MAXHOST: usize = libc::NI_MAXHOST as usize;

/// Base of all requests.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_req_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
}

/// See [`uv_req_s`].
pub type uv_req_t = uv_req_s;

/// A shutdown of the writing side of a stream.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_shutdown_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
    /// The handle the request runs on. Read-only.
    pub handle: *mut uv_stream_t,
    /// Private: called on completion.
    pub cb: uv_shutdown_cb,
}

/// See [`uv_shutdown_s`].
pub type uv_shutdown_t = uv_shutdown_s;

/// A write to a stream.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_write_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
    /// Private: called on completion.
    pub cb: uv_write_cb,
    /// The handle passed along. Read-only.
    pub send_handle: *mut uv_stream_t,
    /// The handle the request runs on. Read-only.
    pub handle: *mut uv_stream_t,
    /// Private: list link.
    pub queue: uv__queue,
    /// Private: first buffer not fully written.
    pub write_index: c_uint,
    /// Private: the buffers.
    pub bufs: *mut uv_buf_t,
    /// Private: how many buffers.
    pub nbufs: c_uint,
    /// Private: outcome.
    pub error: c_int,
    /// Private: memory for a few buffers.
    pub bufsml: [uv_buf_t; 4],
}

/// See [`uv_write_s`].
pub type uv_write_t = uv_write_s;

/// Makes a connection.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_connect_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
    /// Private: called on completion.
    pub cb: uv_connect_cb,
    /// The handle the request runs on. Read-only.
    pub handle: *mut uv_stream_t,
    /// Private: list link.
    pub queue: uv__queue,
}

/// See [`uv_connect_s`].
pub type uv_connect_t = uv_connect_s;

/// Private: a member of [`uv_udp_send_s`] that has no type name in libuv.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__udp_addr {
    /// Private.
    pub addr: libc::sockaddr,
    /// Private.
    pub storage: libc::sockaddr_storage,
}

/// Sends a datagram.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_udp_send_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
    /// The handle the request runs on. Read-only.
    pub handle: *mut uv_udp_t,
    /// Private: called on completion.
    pub cb: uv_udp_send_cb,
    /// Private: list link.
    pub queue: uv__queue,
    /// Private.
    pub u: uv__udp_addr,
    /// Private: how many buffers.
    pub nbufs: c_uint,
    /// Private: the buffers.
    pub bufs: *mut uv_buf_t,
    /// Private: outcome.
    pub status: isize,
    /// Private.
    pub send_cb: uv_udp_send_cb,
    /// Private: memory for a few buffers.
    pub bufsml: [uv_buf_t; 4],
}

/// See [`uv_udp_send_s`].
pub type uv_udp_send_t = uv_udp_send_s;

/// A file system operation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_fs_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
    /// Which operation. Read-only.
    pub fs_type: uv_fs_type,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Private: called on completion.
    pub cb: uv_fs_cb,
    /// Outcome: a count, a descriptor, 0, or a `UV_E…` code.
    pub result: isize,
    /// The path found by `uv_fs_readlink` and `uv_fs_realpath`, or the result that other functions
    /// document.
    pub ptr: *mut c_void,
    /// The path the operation works on. Read-only.
    pub path: *const c_char,
    /// Result of the stat family.
    pub statbuf: uv_stat_t,
    /// Private: second path.
    pub new_path: *const c_char,
    /// Private: descriptor.
    pub file: uv_file,
    /// Private: flags of the operation.
    pub flags: c_int,
    /// Private: mode.
    pub mode: libc::mode_t,
    /// Private: how many buffers.
    pub nbufs: c_uint,
    /// Private: the buffers.
    pub bufs: *mut uv_buf_t,
    /// Private: offset.
    pub off: libc::off64_t,
    /// Private: user id.
    pub uid: uv_uid_t,
    /// Private: group id.
    pub gid: uv_gid_t,
    /// Private: access time.
    pub atime: f64,
    /// Private: modification time.
    pub mtime: f64,
    /// Private: link to the thread pool.
    pub work_req: uv__work,
    /// Private: memory for a few buffers.
    pub bufsml: [uv_buf_t; 4],
}

/// See [`uv_fs_s`].
pub type uv_fs_t = uv_fs_s;

/// Work on the thread pool.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_work_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Private.
    pub work_cb: uv_work_cb,
    /// Private.
    pub after_work_cb: uv_after_work_cb,
    /// Private: link to the thread pool.
    pub work_req: uv__work,
}

/// See [`uv_work_s`].
pub type uv_work_t = uv_work_s;

/// Resolves a name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_getaddrinfo_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Private: link to the thread pool.
    pub work_req: uv__work,
    /// Private: called on completion.
    pub cb: uv_getaddrinfo_cb,
    /// Private.
    pub hints: *mut libc::addrinfo,
    /// Private.
    pub hostname: *mut c_char,
    /// Private.
    pub service: *mut c_char,
    /// The addresses found.
    pub addrinfo: *mut libc::addrinfo,
    /// Private.
    pub retcode: c_int,
}

/// See [`uv_getaddrinfo_s`].
pub type uv_getaddrinfo_t = uv_getaddrinfo_s;

/// Resolves an address.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_getnameinfo_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Private: link to the thread pool.
    pub work_req: uv__work,
    /// Private.
    pub getnameinfo_cb: uv_getnameinfo_cb,
    /// Private.
    pub storage: libc::sockaddr_storage,
    /// Private: flags of the lookup.
    pub flags: c_int,
    /// The name found.
    pub host: [c_char; NI_MAXHOST],
    /// The service found.
    pub service: [c_char; 32],
    /// Private.
    pub retcode: c_int,
}

/// See [`uv_getnameinfo_s`].
pub type uv_getnameinfo_t = uv_getnameinfo_s;

/// Generates random bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_random_s {
    /// The user's own pointer; the library never touches it.
    pub data: *mut c_void,
    /// Its type. Read-only.
    pub r#type: uv_req_type,
    /// Private.
    pub reserved: [*mut c_void; 5],
    /// Private: the result of `uv_write_nwritten`.
    pub write_extra: uv__req_write_extra_s,
    /// The loop it belongs to. Read-only.
    pub r#loop: *mut uv_loop_t,
    /// Private: outcome.
    pub status: c_int,
    /// Private.
    pub buf: *mut c_void,
    /// Private.
    pub buflen: usize,
    /// Private: called on completion.
    pub cb: uv_random_cb,
    /// Private: link to the thread pool.
    pub work_req: uv__work,
}

/// See [`uv_random_s`].
pub type uv_random_t = uv_random_s;
