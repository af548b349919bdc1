//! Socket addresses of the caller's.

use core::ffi::c_int;

use crate::errors::{Errno, Result};
use crate::sys::interface;

/// An IPv4 or IPv6 address of the caller's.
#[derive(Clone, Copy)]
pub(crate) struct Address(*const libc::sockaddr);

impl Address {
    /// Wraps an address; `UV_EINVAL` for null and other families.
    ///
    /// # Safety
    /// `address` must be null or as long as its family says, while the view is used.
    pub(crate) unsafe fn from_ptr(address: *const libc::sockaddr) -> Result<Address> {
        if address.is_null() {
            return Err(Errno::EINVAL);
        }
        let address = Address(address);
        match address.family() {
            libc::AF_INET | libc::AF_INET6 => Ok(address),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(crate) fn family(self) -> c_int {
        // SAFETY: contract of `from_ptr`.
        c_int::from(unsafe { (*self.0).sa_family })
    }

    pub(crate) fn as_ptr(self) -> *const libc::sockaddr {
        self.0
    }

    pub(crate) fn length(self) -> libc::socklen_t {
        let length = if self.family() == libc::AF_INET {
            size_of::<libc::sockaddr_in>()
        } else {
            size_of::<libc::sockaddr_in6>()
        };
        length as libc::socklen_t
    }

    /// Wraps an address of the library's, which has to outlive the view.
    pub(crate) fn from_v6(address: &libc::sockaddr_in6) -> Address {
        Address(core::ptr::from_ref(address).cast())
    }

    /// A copy of the address if it is link-local and does not say which link it means.
    pub(crate) fn without_scope(self) -> Option<libc::sockaddr_in6> {
        if self.family() != libc::AF_INET6 {
            return None;
        }
        // SAFETY: contract of `from_ptr`; the memory need not be aligned.
        let address = unsafe { self.0.cast::<libc::sockaddr_in6>().read_unaligned() };
        let unscoped = address.sin6_scope_id == 0 && interface::is_link_local(&address.sin6_addr);
        unscoped.then_some(address)
    }
}
