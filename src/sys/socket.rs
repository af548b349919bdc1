//! Sockets.

use std::ffi::c_int;

use super::cvt;
use crate::errors::Result;

pub(crate) fn get_option(fd: c_int, level: c_int, option: c_int) -> Result<c_int> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `value` has the length that is passed.
    cvt(unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &mut length) })?;
    Ok(value)
}

pub(crate) fn set_option(fd: c_int, level: c_int, option: c_int, value: c_int) -> Result {
    let length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `value` has the length that is passed.
    cvt(unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), length) }).map(drop)
}
