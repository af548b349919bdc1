//! Random bytes for the program, from the system's generator.
//!
//! A request with a callback is the pool's until the callback is about to run, since the generator
//! may block until there is entropy. One without a callback is done at once, and needs neither
//! loop nor request.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_random>

use core::ffi::{c_int, c_uint, c_void};

use crate::abi::*;
use crate::errors::{IntoCode, Result};
use crate::event_loop::Loop;
use crate::observe::call_back;
use crate::request::Request;
use crate::sys::random as generator;
use crate::view::{get, pointee, set, upcast, view};

use super::pooled::{self, Pooled, has_job};

view!(
    /// A request for random bytes.
    Random => uv_random_t
);
has_job!(Random => uv_random_t);

impl Random {
    upcast!(request: Request);
    pointee!(event_loop: Loop = r#loop);

    fn start(self, event_loop: Loop, buffer: *mut c_void, length: usize, callback: uv_random_cb) {
        self.request().start(event_loop, UV_RANDOM);
        set!(self.r#loop = event_loop.raw());
        set!(self.status = 0);
        set!(self.buf = buffer);
        set!(self.buflen = length);
        set!(self.cb = callback);
        pooled::submit::<Random>(event_loop, self);
    }

    fn invoke(self, status: c_int, buffer: *mut c_void, length: usize) {
        if let Some(callback) = get!(self.cb) {
            // SAFETY: the user's callback gets the request and the buffer it was given for, which
            // nothing here touches afterwards.
            unsafe { call_back!(Random: callback(self.raw(), status, buffer, length)) }
        }
    }
}

impl Pooled for Random {
    type Request = Random;

    fn run(request: Random) {
        // SAFETY: the user lends the buffer until the callback.
        let result = unsafe { fill(get!(request.buf), get!(request.buflen)) };
        set!(request.status = result.into_code());
    }

    fn done(request: Random, status: c_int) {
        request.request().finish(request.event_loop());
        if status != 0 {
            set!(request.status = status);
        }
        request.invoke(
            get!(request.status),
            get!(request.buf),
            get!(request.buflen),
        );
    }
}

/// # Safety
/// `buffer` must be writable for `length` bytes.
unsafe fn fill(buffer: *mut c_void, length: usize) -> Result {
    // SAFETY: the caller vouches for the buffer.
    unsafe { generator::fill(core::ptr::slice_from_raw_parts_mut(buffer.cast(), length)) }
}

// C entry points

/// Fills `buf` with `buflen` bytes from the system's generator of strong random numbers. `flags`
/// must be 0.
///
/// `cb` is called with 0, `UV_ECANCELED` after `uv_cancel` or another error, and with the buffer.
/// If it is `NULL`, the call does the work itself, and neither `loop` nor `req` is used. In either
/// case it may take for ever if the system has not gathered entropy since it was started.
///
/// Returns 0 or an error: `UV_E2BIG` when `buflen` is larger than 0x7FFFFFFF, `UV_EINVAL` for other
/// flags, and those of the system when `cb` is `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_random>
///
/// # Safety
/// `buf` must be writable for `buflen` bytes. Unless `cb` is `NULL`, `loop` must be initialised,
/// and `req` and `buf` must stay in place until the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_random(
    r#loop: *mut uv_loop_t,
    req: *mut uv_random_t,
    buf: *mut c_void,
    buflen: usize,
    flags: c_uint,
    cb: uv_random_cb,
) -> c_int {
    if buflen > c_int::MAX as usize {
        return UV_E2BIG;
    }
    if flags != 0 {
        return UV_EINVAL;
    }
    if cb.is_none() {
        // SAFETY: common pointer contract.
        return unsafe { fill(buf, buflen) }.into_code();
    }
    // SAFETY: common pointer contract.
    let (event_loop, request) = unsafe { (Loop::from_ptr(r#loop), Random::from_ptr(req)) };
    request.start(event_loop, buf, buflen, cb);
    0
}
