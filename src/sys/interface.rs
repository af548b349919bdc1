//! Network interfaces.

use super::cvt;

/// Whether an IPv6 address is valid on one link only.
pub(crate) fn is_link_local(address: &libc::in6_addr) -> bool {
    address.s6_addr[0] == 0xfe && address.s6_addr[1] & 0xc0 == 0x80
}

/// The scope of the first interface that has a link-local address; 0 without any.
pub(crate) fn link_local_scope() -> u32 {
    let mut list: *mut libc::ifaddrs = core::ptr::null_mut();
    // SAFETY: writes the list's head.
    if cvt(unsafe { libc::getifaddrs(&mut list) }).is_err() {
        return 0;
    }
    let mut scope = 0;
    let mut at = list;
    while !at.is_null() && scope == 0 {
        // SAFETY: the entries are live until the list is freed; an address is null or as long as
        // its family says.
        unsafe {
            let address = (*at).ifa_addr;
            if !address.is_null() && i32::from((*address).sa_family) == libc::AF_INET6 {
                let address = &*address.cast::<libc::sockaddr_in6>();
                if is_link_local(&address.sin6_addr) {
                    scope = address.sin6_scope_id;
                }
            }
            at = (*at).ifa_next;
        }
    }
    // SAFETY: came from getifaddrs, and is not used afterwards.
    unsafe { libc::freeifaddrs(list) };
    scope
}
