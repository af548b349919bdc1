//! Requests: what all of them have in common.
//!
//! A request is active from the call that takes it until its callback is about to run, and keeps
//! the loop alive meanwhile. Its memory is the caller's again when the callback runs.
//!
//! <https://docs.libuv.org/en/v1.x/request.html>

use core::ffi::{CStr, c_char, c_void};

use crate::abi::*;
use crate::event_loop::Loop;
use crate::observe::{self, Event};
use crate::view::{get, set, view};

view!(
    /// Any request.
    Request => uv_req_t
);

impl Request {
    /// Initialises the caller's memory as an active request. `data` is left alone.
    pub(crate) fn start(self, event_loop: Loop, kind: uv_req_type) {
        self.init(kind);
        event_loop.add_active_request();
        self.report(Event::RequestStarted, event_loop);
    }

    /// Reports an event of the request.
    #[inline(always)]
    fn report(self, event: Event, event_loop: Loop) {
        if observe::is_on() {
            self.report_now(event, event_loop);
        }
    }

    #[cold]
    #[inline(never)]
    fn report_now(self, event: Event, event_loop: Loop) {
        observe::report(event, self.kind(), self.raw(), event_loop.raw().addr());
    }

    /// Sets the type of a request that is not (yet) active.
    pub(crate) fn init(self, kind: uv_req_type) {
        set!(self.r#type = kind);
    }

    /// Ends the activity of a request, right before its callback.
    pub(crate) fn finish(self, event_loop: Loop) {
        event_loop.remove_active_request();
        self.report(Event::RequestEnded, event_loop);
    }

    pub(crate) fn kind(self) -> uv_req_type {
        get!(self.r#type)
    }
}

/// Names and sizes, by type.
const KINDS: [(uv_req_type, &CStr, usize); 10] = [
    (UV_REQ, c"req", size_of::<uv_req_t>()),
    (UV_CONNECT, c"connect", size_of::<uv_connect_t>()),
    (UV_WRITE, c"write", size_of::<uv_write_t>()),
    (UV_SHUTDOWN, c"shutdown", size_of::<uv_shutdown_t>()),
    (UV_UDP_SEND, c"udp_send", size_of::<uv_udp_send_t>()),
    (UV_FS, c"fs", size_of::<uv_fs_t>()),
    (UV_WORK, c"work", size_of::<uv_work_t>()),
    (
        UV_GETADDRINFO,
        c"getaddrinfo",
        size_of::<uv_getaddrinfo_t>(),
    ),
    (
        UV_GETNAMEINFO,
        c"getnameinfo",
        size_of::<uv_getnameinfo_t>(),
    ),
    (UV_RANDOM, c"random", size_of::<uv_random_t>()),
];

// C entry points

/// The size of a request type, for bindings that allocate without the header; `(size_t) -1` for
/// what is no request type.
///
/// <https://docs.libuv.org/en/v1.x/request.html#c.uv_req_size>
#[unsafe(no_mangle)]
pub extern "C" fn uv_req_size(r#type: uv_req_type) -> usize {
    KINDS
        .iter()
        .find(|row| row.0 == r#type)
        .map_or(usize::MAX, |row| row.2)
}

/// The user's own pointer, `req->data`.
///
/// <https://docs.libuv.org/en/v1.x/request.html#c.uv_req_get_data>
///
/// # Safety
/// `req` must point to a request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_req_get_data(req: *const uv_req_t) -> *mut c_void {
    // SAFETY: common pointer contract.
    let request = unsafe { Request::from_ptr(req) };
    get!(request.data)
}

/// Sets the user's own pointer, `req->data`.
///
/// <https://docs.libuv.org/en/v1.x/request.html#c.uv_req_set_data>
///
/// # Safety
/// `req` must point to a request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_req_set_data(req: *mut uv_req_t, data: *mut c_void) {
    // SAFETY: common pointer contract.
    let request = unsafe { Request::from_ptr(req) };
    set!(request.data = data);
}

/// The type of a request.
///
/// <https://docs.libuv.org/en/v1.x/request.html#c.uv_req_get_type>
///
/// # Safety
/// `req` must point to a request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_req_get_type(req: *const uv_req_t) -> uv_req_type {
    // SAFETY: common pointer contract.
    unsafe { Request::from_ptr(req) }.kind()
}

/// The name of a request type, such as `"write"`; `NULL` for what is no request type.
///
/// <https://docs.libuv.org/en/v1.x/request.html#c.uv_req_type_name>
#[unsafe(no_mangle)]
pub extern "C" fn uv_req_type_name(r#type: uv_req_type) -> *const c_char {
    KINDS
        .iter()
        .find(|row| row.0 == r#type)
        .map_or(core::ptr::null(), |row| row.1.as_ptr())
}
