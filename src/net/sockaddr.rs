//! Socket addresses of the caller's.

use core::ffi::c_int;

use crate::errors::{Errno, Result};
use crate::sys::interface;
use crate::sys::socket::SocketAddress;
use crate::zeroed::zeroed;

/// A socket address of the caller's: an IPv4 or IPv6 one, or where that is said, that of a Unix
/// domain socket.
#[derive(Clone, Copy)]
pub(crate) struct Address(*const libc::sockaddr);

impl Address {
    /// Wraps an IP address; `UV_EINVAL` for null and other families.
    ///
    /// # Safety
    /// `address` must be null or as long as its family says, while the view is used.
    pub(crate) unsafe fn from_ptr(address: *const libc::sockaddr) -> Result<Address> {
        // SAFETY: the caller vouches for the address.
        match unsafe { Address::any_from_ptr(address) }? {
            address if address.family() == libc::AF_UNIX => Err(Errno::EINVAL),
            address => Ok(address),
        }
    }

    /// Wraps an IP address, or that of a Unix domain socket; `UV_EINVAL` for null and other
    /// families.
    ///
    /// # Safety
    /// The requirements of [`Address::from_ptr`] apply.
    pub(crate) unsafe fn any_from_ptr(address: *const libc::sockaddr) -> Result<Address> {
        if address.is_null() {
            return Err(Errno::EINVAL);
        }
        let address = Address(address);
        match address.family() {
            libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX => Ok(address),
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
        let length = match self.family() {
            libc::AF_INET => size_of::<libc::sockaddr_in>(),
            libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
            _ => size_of::<libc::sockaddr_un>(),
        };
        length as libc::socklen_t
    }

    /// A copy of the address.
    pub(crate) fn copy(self) -> libc::sockaddr_storage {
        let mut storage: libc::sockaddr_storage = zeroed();
        let (from, to) = (self.0.cast::<u8>(), (&raw mut storage).cast::<u8>());
        // SAFETY: contract of `from_ptr`; the storage has room for every family.
        unsafe { core::ptr::copy_nonoverlapping(from, to, self.length() as usize) };
        storage
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

// SAFETY: contract of `from_ptr`: the address is as long as its family says.
unsafe impl SocketAddress for Address {
    fn raw(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        (self.0, self.length())
    }
}
