//! libc's resolver. Its calls may block until name servers answer.

use core::ffi::{c_char, c_int};

use crate::abi::*;
use crate::errors::{Errno, Result};

/// The addresses of a node or service. The result is to be freed with [`free_addresses`].
///
/// # Safety
/// `node` and `service` must be null or terminated, `hints` null or valid.
pub(crate) unsafe fn addresses(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
) -> Result<*mut libc::addrinfo> {
    let mut list = core::ptr::null_mut();
    // SAFETY: the caller vouches for the arguments; `list` outlives the call.
    check(unsafe { libc::getaddrinfo(node, service, hints, &mut list) })?;
    Ok(list)
}

/// # Safety
/// `list` must be null or come from [`addresses`], and not be used afterwards.
pub(crate) unsafe fn free_addresses(list: *mut libc::addrinfo) {
    if !list.is_null() {
        // SAFETY: the caller vouches for the list.
        unsafe { libc::freeaddrinfo(list) };
    }
}

/// Writes the names of an address, terminated, to the two buffers.
///
/// # Safety
/// `address` must point to an address of this length, the buffers be writable.
pub(crate) unsafe fn names(
    address: *const libc::sockaddr,
    length: libc::socklen_t,
    host: *mut [c_char],
    service: *mut [c_char],
    flags: c_int,
) -> Result {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe {
        libc::getnameinfo(
            address,
            length,
            host.cast(),
            host.len() as libc::socklen_t,
            service.cast(),
            service.len() as libc::socklen_t,
            flags,
        )
    })
}

/// The result of a call of the resolver, which has error numbers of its own.
fn check(number: c_int) -> Result {
    /// GNU names that the libc crate does not have.
    const EAI_ADDRFAMILY: c_int = -9;
    const EAI_CANCELED: c_int = -101;
    Err(Errno::from_code(match number {
        0 => return Ok(()),
        libc::EAI_SYSTEM => return Err(Errno::last()),
        libc::EAI_AGAIN => UV_EAI_AGAIN,
        libc::EAI_BADFLAGS => UV_EAI_BADFLAGS,
        libc::EAI_FAIL => UV_EAI_FAIL,
        libc::EAI_FAMILY => UV_EAI_FAMILY,
        libc::EAI_MEMORY => UV_EAI_MEMORY,
        libc::EAI_NODATA => UV_EAI_NODATA,
        libc::EAI_NONAME => UV_EAI_NONAME,
        libc::EAI_OVERFLOW => UV_EAI_OVERFLOW,
        libc::EAI_SERVICE => UV_EAI_SERVICE,
        libc::EAI_SOCKTYPE => UV_EAI_SOCKTYPE,
        EAI_ADDRFAMILY => UV_EAI_ADDRFAMILY,
        EAI_CANCELED => UV_EAI_CANCELED,
        _ => UV_EAI_FAIL,
    }))
}
