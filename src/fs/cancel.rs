//! Cancelling an operation.

use super::files::Open;
use super::operation::Operation;
use super::request::FsRequest;
use crate::abi::*;
use crate::errors::{Errno, Result};
use crate::view::set;
use crate::work::pool;
use crate::work::pooled::HasJob;

/// Cancels a request that no worker has begun, or that was done inline and has not called back yet.
/// `UV_EBUSY` if it cannot be cancelled.
///
/// # Safety
/// `req` must be a request that was given to one of the `uv_fs_…` functions.
pub(crate) unsafe fn cancel(req: *mut uv_fs_t) -> Result {
    // SAFETY: the caller vouches for the pointer.
    let request = unsafe { FsRequest::from_ptr(req) };
    if request.is_synchronous() {
        // It was done before the call returned.
        return Err(Errno::EBUSY);
    }
    // SAFETY: the caller vouches for the request.
    unsafe { pool::cancel(request.job(), || undo(request)) }
}

/// Undoes an inline operation. All but an opening have left nothing but a status in the request.
fn undo(request: FsRequest) -> Result {
    if request.kind() == Open::KIND {
        Open::undo(request);
    }
    set!(request.ptr = core::ptr::null_mut());
    Ok(())
}
