//! Network interfaces.

use core::ffi::{CStr, c_int, c_uint};

use super::cvt;
use crate::errors::Result;

/// The addresses of the system's interfaces.
pub(crate) struct Addresses(*mut libc::ifaddrs);

impl Addresses {
    pub(crate) fn list() -> Result<Addresses> {
        let mut list = core::ptr::null_mut();
        // SAFETY: writes the list's head.
        cvt(unsafe { libc::getifaddrs(&mut list) })?;
        Ok(Addresses(list))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let next = |at: *const libc::ifaddrs| {
            // SAFETY: null, or an entry that is live as long as the list.
            unsafe { at.as_ref() }.map(Entry)
        };
        core::iter::successors(next(self.0), move |entry| next(entry.0.ifa_next))
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        // SAFETY: came from getifaddrs.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

/// A type of socket address.
///
/// # Safety
/// An address of this family must be as long as the type, all of whose bits are valid.
pub(crate) unsafe trait OfFamily {
    const FAMILY: c_int;
}

// SAFETY: the system's type for the family, which consists of numbers.
unsafe impl OfFamily for libc::sockaddr_in {
    const FAMILY: c_int = libc::AF_INET;
}

// SAFETY: the system's type for the family, which consists of numbers.
unsafe impl OfFamily for libc::sockaddr_in6 {
    const FAMILY: c_int = libc::AF_INET6;
}

// SAFETY: the system's type for the family, which consists of numbers.
unsafe impl OfFamily for libc::sockaddr_ll {
    const FAMILY: c_int = libc::AF_PACKET;
}

/// One address of an interface.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a>(&'a libc::ifaddrs);

impl<'a> Entry<'a> {
    /// The interface's name.
    pub(crate) fn name(self) -> &'a CStr {
        // SAFETY: names of the list are terminated.
        unsafe { CStr::from_ptr(self.0.ifa_name) }
    }

    /// The interface's flags, `IFF_…`.
    pub(crate) fn flags(self) -> c_uint {
        self.0.ifa_flags
    }

    pub(crate) fn family(self) -> Option<c_int> {
        // SAFETY: an address of the list is null or valid.
        unsafe { self.0.ifa_addr.as_ref() }.map(|address| c_int::from(address.sa_family))
    }

    /// The address, if it is of that type.
    pub(crate) fn address<T: OfFamily>(self) -> Option<T> {
        self.read(self.0.ifa_addr)
    }

    /// The mask that belongs to an address of that type.
    pub(crate) fn mask<T: OfFamily>(self) -> Option<T> {
        self.read(self.0.ifa_netmask)
    }

    fn read<T: OfFamily>(self, at: *const libc::sockaddr) -> Option<T> {
        let is_known = self.family() == Some(T::FAMILY) && !at.is_null();
        // SAFETY: addresses and masks of the list are as long as the entry's family says.
        is_known.then(|| unsafe { at.cast::<T>().read_unaligned() })
    }
}

/// Whether an IPv6 address is valid on one link only.
pub(crate) fn is_link_local(address: &libc::in6_addr) -> bool {
    address.s6_addr[0] == 0xfe && address.s6_addr[1] & 0xc0 == 0x80
}

/// The scope of the first interface that has a link-local address; 0 without any.
pub(crate) fn link_local_scope() -> u32 {
    let Ok(list) = Addresses::list() else {
        return 0;
    };
    list.iter()
        .filter_map(Entry::address::<libc::sockaddr_in6>)
        .filter(|address| is_link_local(&address.sin6_addr))
        .map(|address| address.sin6_scope_id)
        .find(|scope| *scope != 0)
        .unwrap_or(0)
}
