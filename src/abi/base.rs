//! Small types that the others are built from.

use core::ffi::{c_char, c_int, c_uint, c_void};

use super::uv_loop_s;

/// Private: a link of a circular list.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv__queue {
    /// Private.
    pub next: *mut uv__queue,
    /// Private.
    pub prev: *mut uv__queue,
}

/// Private: a job of the thread pool.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv__work {
    /// Private.
    pub work: Option<unsafe extern "C" fn(*mut uv__work)>,
    /// Private.
    pub done: Option<unsafe extern "C" fn(*mut uv__work, c_int)>,
    /// Private: the loop it belongs to.
    pub r#loop: *mut uv_loop_s,
    /// Private.
    pub wq: uv__queue,
}

/// Private: watches one descriptor.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv__io_s {
    /// Private.
    pub bits: usize,
    /// Private.
    pub pending_queue: uv__queue,
    /// Private.
    pub watcher_queue: uv__queue,
    /// Private.
    pub pevents: c_uint,
    /// Private.
    pub events: c_uint,
    /// Private.
    pub fd: c_int,
}

/// Private: see [`uv__io_s`].
pub type uv__io_t = uv__io_s;

/// A piece of memory to read into or write from.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_buf_t {
    /// First byte.
    pub base: *mut c_char,
    /// Number of bytes.
    pub len: usize,
}

/// A library opened by `uv_dlopen`. Private.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_lib_t {
    /// Private.
    pub handle: *mut c_void,
    /// Private.
    pub errmsg: *mut c_char,
}

/// Private: the result of `uv_write_nwritten`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv__req_write_extra_s {
    /// Private.
    pub nwritten: usize,
}
