//! Lists of buffers, which `uv_write`, `uv_udp_send` and `uv_fs_read` take: the copy that a
//! request keeps, and the sum of their lengths.

use core::ffi::c_uint;

use crate::abi::uv_buf_t;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::sys;

/// Copies a list of `count` buffers, but not what they point to. The copy is at `own`, if it fits
/// into its `room` buffers, or else in memory that [`release`] frees.
///
/// # Safety
/// `list` must be readable for `count` buffers, and `own` writable for `room`.
pub(crate) unsafe fn keep(
    list: *const uv_buf_t,
    count: c_uint,
    own: *mut uv_buf_t,
    room: usize,
) -> Result<*mut uv_buf_t> {
    let count = count as usize;
    let copy = if count <= room {
        own
    } else {
        alloc::calloc(count, size_of::<uv_buf_t>()).cast()
    };
    if copy.is_null() {
        return Err(Errno::ENOMEM);
    }
    // SAFETY: the caller vouches for `list`, and `copy` has room for as many.
    unsafe { core::ptr::copy_nonoverlapping(list, copy, count) };
    Ok(copy)
}

/// Frees a copy that [`keep`] made, unless it is the one at `own`.
///
/// # Safety
/// `copy` must be null, or come from `keep` with the same `own`; it is not used afterwards.
pub(crate) unsafe fn release(copy: *mut uv_buf_t, own: *mut uv_buf_t) {
    if copy != own {
        // SAFETY: `keep` has taken the memory, as the caller vouches.
        unsafe { alloc::free(copy.cast()) };
    }
}

/// The sum of the lengths of `count` buffers, in bytes; `usize::MAX` where it is larger.
///
/// # Safety
/// `list` must be readable for `count` buffers.
pub(crate) unsafe fn total(list: *const uv_buf_t, count: c_uint) -> usize {
    (0..count as usize)
        // SAFETY: the caller vouches for `count` buffers.
        .map(|index| unsafe { (*list.wrapping_add(index)).len })
        .fold(0, usize::saturating_add)
}

/// `EINVAL` for more bytes than one system call transfers: an `int` could not return the result.
///
/// # Safety
/// `list` must be readable for `count` buffers.
pub(crate) unsafe fn check_total(list: *const uv_buf_t, count: c_uint) -> Result {
    // SAFETY: the caller vouches for `count` buffers.
    sys::check_length(unsafe { total(list, count) })
}
