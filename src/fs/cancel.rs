//! Taking back an operation.

use super::files::Open;
use super::links::Readlink;
use super::operation::Operation;
use super::request::FsRequest;
use crate::abi::*;
use crate::errors::{Errno, Result};
use crate::view::{addr, set};
use crate::work::pool;

/// Takes a request back that no worker has begun with, or that was done inline and whose callback
/// is still to come.
///
/// # Safety
/// `req` must be a request that was given to one of the `uv_fs_…` functions.
pub(crate) unsafe fn cancel(req: *mut uv_fs_t) -> Result {
    // SAFETY: the caller vouches for the pointer.
    let request = unsafe { FsRequest::from_ptr(req) };
    if request.is_synchronous() {
        // Done before anybody could cancel it.
        return Err(Errno::EBUSY);
    }
    // SAFETY: an asynchronous request was submitted as that member.
    unsafe { pool::cancel(addr!(request.work_req), || undo(request)) }
}

/// Takes back what was done inline: a request knows its operation by its kind only. Others than
/// these have left nothing but a status in the request.
fn undo(request: FsRequest) -> Result {
    match request.kind() {
        Open::KIND => Open::undo(request),
        Readlink::KIND => Readlink::undo(request),
        _ => {}
    }
    set!(request.ptr = core::ptr::null_mut());
    Ok(())
}
