//! Cancelling requests, by kind.
//!
//! <https://docs.libuv.org/en/v1.x/request.html#c.uv_cancel>

use core::ffi::c_int;

use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::fs;
use crate::request::Request;
use crate::stream::Write;
use crate::work::pool;
use crate::work::queue::Job;

/// Cancels a request that no worker has started. `UV_EBUSY` where one has.
fn cancel(request: Request) -> Result {
    let raw = request.raw();
    // SAFETY: in each arm the type says what the memory is.
    unsafe {
        let work = match request.kind() {
            UV_FS => return fs::cancel(raw.cast()),
            UV_GETADDRINFO => &raw mut (*raw.cast::<uv_getaddrinfo_t>()).work_req,
            UV_GETNAMEINFO => &raw mut (*raw.cast::<uv_getnameinfo_t>()).work_req,
            UV_RANDOM => &raw mut (*raw.cast::<uv_random_t>()).work_req,
            UV_WORK => &raw mut (*raw.cast::<uv_work_t>()).work_req,
            UV_WRITE => return Write::from_ptr(raw.cast()).cancel(),
            _ => return Err(Errno::EINVAL),
        };
        // None of these jobs is done inline, so there is nothing to undo.
        pool::cancel(Job::from_ptr(work), || Ok(()))
    }
}

// C entry points

/// Cancels a pending file system, name, random, work or write request. Its callback runs in a
/// later iteration of the loop with `UV_ECANCELED`. A write may be done in part:
/// `uv_write_nwritten` returns how much. Cancelling a write that is done has no effect.
///
/// Returns 0 or an error: `UV_EBUSY` when the request is running or done (a write: when its stream
/// is closing), `UV_EINVAL` for other requests.
///
/// <https://docs.libuv.org/en/v1.x/request.html#c.uv_cancel>
///
/// # Safety
/// `req` must have been started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cancel(req: *mut uv_req_t) -> c_int {
    // SAFETY: common pointer contract.
    cancel(unsafe { Request::from_ptr(req) }).into_code()
}
