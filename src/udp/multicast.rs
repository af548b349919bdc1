//! UDP: multicast groups and options.
//!
//! <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_membership>

use std::ffi::{CStr, c_char, c_int};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::Udp;
use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::sys::socket::set_option;

/// An address as text gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Address {
    V4(Ipv4Addr),
    /// With the index of the interface that it names behind a `%`; 0 for none.
    V6(Ipv6Addr, u32),
}

fn parse(text: &CStr) -> Result<Address> {
    let bytes = text.to_bytes();
    let (address, zone) = match bytes.iter().position(|&byte| byte == b'%') {
        Some(at) => (&bytes[..at], &text[at + 1..]),
        None => (bytes, c""),
    };
    let address = std::str::from_utf8(address).map_err(|_| Errno::EINVAL)?;
    if zone.is_empty()
        && let Ok(v4) = address.parse()
    {
        return Ok(Address::V4(v4));
    }
    let v6 = address.parse().map_err(|_| Errno::EINVAL)?;
    Ok(Address::V6(v6, interface_index(zone)))
}

/// The interface of that name or number; 0, which lets the system choose, for what is none.
fn interface_index(zone: &CStr) -> u32 {
    if zone.is_empty() {
        return 0;
    }
    // SAFETY: reads the string.
    match unsafe { libc::if_nametoindex(zone.as_ptr()) } {
        0 => zone.to_str().ok().and_then(|n| n.parse().ok()).unwrap_or(0),
        index => index,
    }
}

/// The same of an interface's address, which may be left out and is of the group's family then.
///
/// # Safety
/// `text` must be null or a string.
unsafe fn parse_interface(text: *const c_char, group: Address) -> Result<Address> {
    let unspecified = match group {
        Address::V4(_) => Address::V4(Ipv4Addr::UNSPECIFIED),
        Address::V6(..) => Address::V6(Ipv6Addr::UNSPECIFIED, 0),
    };
    if text.is_null() {
        return Ok(unspecified);
    }
    // SAFETY: the caller vouches for the string.
    parse(unsafe { CStr::from_ptr(text) })
}

/// # Safety
/// `text` must be null or a string.
unsafe fn parse_required(text: *const c_char) -> Result<Address> {
    if text.is_null() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the caller vouches for the string.
    parse(unsafe { CStr::from_ptr(text) })
}

fn in_addr(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr {
        s_addr: u32::from_ne_bytes(address.octets()),
    }
}

fn in6_addr(address: Ipv6Addr) -> libc::in6_addr {
    libc::in6_addr {
        s6_addr: address.octets(),
    }
}

fn storage(address: Ipv6Addr, scope: u32) -> libc::sockaddr_storage {
    // SAFETY: all-zero is an address of no family.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let v6 = (&raw mut storage).cast::<libc::sockaddr_in6>();
    // SAFETY: the storage has size and alignment for every kind of address.
    unsafe {
        (*v6).sin6_family = libc::AF_INET6 as libc::sa_family_t;
        (*v6).sin6_addr = in6_addr(address);
        (*v6).sin6_scope_id = scope;
    }
    storage
}

/// The first for joining, the second for leaving.
fn choose(membership: uv_membership, join: c_int, leave: c_int) -> Result<c_int> {
    match membership {
        UV_JOIN_GROUP => Ok(join),
        UV_LEAVE_GROUP => Ok(leave),
        _ => Err(Errno::EINVAL),
    }
}

impl Udp {
    /// Sets an option that IPv4 and IPv6 have under different names.
    pub(super) fn set_ip_option(self, option4: c_int, option6: c_int, value: c_int) -> Result {
        if self.is_ipv6() {
            set_option(self.fd(), libc::IPPROTO_IPV6, option6, value)
        } else {
            set_option(self.fd(), libc::IPPROTO_IP, option4, value)
        }
    }

    fn set_membership(
        self,
        group: Address,
        interface: Address,
        membership: uv_membership,
    ) -> Result {
        match (group, interface) {
            (Address::V4(group), Address::V4(interface)) => {
                self.ensure_bound(libc::AF_INET, UV_UDP_REUSEADDR)?;
                let option = choose(
                    membership,
                    libc::IP_ADD_MEMBERSHIP,
                    libc::IP_DROP_MEMBERSHIP,
                )?;
                let request = libc::ip_mreq {
                    imr_multiaddr: in_addr(group),
                    imr_interface: in_addr(interface),
                };
                set_option(self.fd(), libc::IPPROTO_IP, option, request)
            }
            (Address::V6(group, _), Address::V6(_, index)) => {
                self.ensure_bound(libc::AF_INET6, UV_UDP_REUSEADDR)?;
                let option = choose(
                    membership,
                    libc::IPV6_ADD_MEMBERSHIP,
                    libc::IPV6_DROP_MEMBERSHIP,
                )?;
                let request = libc::ipv6_mreq {
                    ipv6mr_multiaddr: in6_addr(group),
                    ipv6mr_interface: index as _,
                };
                set_option(self.fd(), libc::IPPROTO_IPV6, option, request)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn set_source_membership(
        self,
        group: Address,
        interface: Address,
        source: Address,
        membership: uv_membership,
    ) -> Result {
        match (group, interface, source) {
            (Address::V4(group), Address::V4(interface), Address::V4(source)) => {
                self.ensure_bound(libc::AF_INET, UV_UDP_REUSEADDR)?;
                let (join, leave) = (
                    libc::IP_ADD_SOURCE_MEMBERSHIP,
                    libc::IP_DROP_SOURCE_MEMBERSHIP,
                );
                let request = libc::ip_mreq_source {
                    imr_multiaddr: in_addr(group),
                    imr_interface: in_addr(interface),
                    imr_sourceaddr: in_addr(source),
                };
                let option = choose(membership, join, leave)?;
                set_option(self.fd(), libc::IPPROTO_IP, option, request)
            }
            (Address::V6(group, scope), Address::V6(_, index), Address::V6(source, from)) => {
                self.ensure_bound(libc::AF_INET6, UV_UDP_REUSEADDR)?;
                let (join, leave) = (
                    libc::MCAST_JOIN_SOURCE_GROUP,
                    libc::MCAST_LEAVE_SOURCE_GROUP,
                );
                // Zero also between the fields: the kernel is handed all of it.
                // SAFETY: numbers and addresses, valid when zero.
                let mut request: libc::group_source_req = unsafe { std::mem::zeroed() };
                request.gsr_interface = index;
                request.gsr_group = storage(group, scope);
                request.gsr_source = storage(source, from);
                let option = choose(membership, join, leave)?;
                set_option(self.fd(), libc::IPPROTO_IPV6, option, request)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn set_multicast_interface(self, interface: Address) -> Result {
        match interface {
            Address::V4(address) => set_option(
                self.fd(),
                libc::IPPROTO_IP,
                libc::IP_MULTICAST_IF,
                in_addr(address),
            ),
            Address::V6(_, index) => set_option(
                self.fd(),
                libc::IPPROTO_IPV6,
                libc::IPV6_MULTICAST_IF,
                index as c_int,
            ),
        }
    }

    /// Some address of the socket's family.
    fn any_address(self) -> Address {
        if self.is_ipv6() {
            Address::V6(Ipv6Addr::UNSPECIFIED, 0)
        } else {
            Address::V4(Ipv4Addr::UNSPECIFIED)
        }
    }
}

// C entry points

/// Joins (`UV_JOIN_GROUP`) or leaves (`UV_LEAVE_GROUP`) the multicast group of that address, on the
/// interface of `interface_addr`: one of its addresses for IPv4, an address with `%` and the
/// interface's name for IPv6, or `NULL` for the system's choice. A handle without a socket is bound
/// to any address and a free port first.
///
/// Returns 0 or an error: `UV_EINVAL` for addresses that are none or do not fit, `UV_ENODEV`,
/// `UV_EADDRINUSE` when it has joined already, `UV_EADDRNOTAVAIL` when it has not.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_membership>
///
/// # Safety
/// `handle` must be initialised, the addresses strings, `interface_addr` may be `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_membership(
    handle: *mut uv_udp_t,
    multicast_addr: *const c_char,
    interface_addr: *const c_char,
    membership: uv_membership,
) -> c_int {
    // SAFETY: common pointer contract.
    let parsed = unsafe {
        parse_required(multicast_addr)
            .and_then(|group| Ok((group, parse_interface(interface_addr, group)?)))
    };
    // SAFETY: common pointer contract.
    let udp = unsafe { Udp::from_ptr(handle) };
    parsed
        .and_then(|(group, interface)| udp.set_membership(group, interface, membership))
        .into_code()
}

/// As `uv_udp_set_membership`, but only what comes from `source_addr` is received.
///
/// Returns 0 or an error, see there.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_source_membership>
///
/// # Safety
/// `handle` must be initialised, the addresses strings, `interface_addr` may be `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_source_membership(
    handle: *mut uv_udp_t,
    multicast_addr: *const c_char,
    interface_addr: *const c_char,
    source_addr: *const c_char,
    membership: uv_membership,
) -> c_int {
    // SAFETY: common pointer contract.
    let parsed = unsafe {
        parse_required(multicast_addr).and_then(|group| {
            let interface = parse_interface(interface_addr, group)?;
            Ok((group, interface, parse_required(source_addr)?))
        })
    };
    // SAFETY: common pointer contract.
    let udp = unsafe { Udp::from_ptr(handle) };
    parsed
        .and_then(|(group, interface, source)| {
            udp.set_source_membership(group, interface, source, membership)
        })
        .into_code()
}

/// Sets whether multicast that is sent is received on this machine as well (`on` 1 or 0).
///
/// Returns 0 or an error: `UV_EBADF` without a socket.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_multicast_loop>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_multicast_loop(handle: *mut uv_udp_t, on: c_int) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle) }
        .set_ip_option(libc::IP_MULTICAST_LOOP, libc::IPV6_MULTICAST_LOOP, on)
        .into_code()
}

/// Sets the time to live of multicast that is sent, 0 to 255 hops.
///
/// Returns 0 or an error: `UV_EINVAL` for another value, `UV_EBADF` without a socket.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_multicast_ttl>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_multicast_ttl(handle: *mut uv_udp_t, ttl: c_int) -> c_int {
    // SAFETY: common pointer contract.
    let udp = unsafe { Udp::from_ptr(handle) };
    if !(0..=255).contains(&ttl) {
        return UV_EINVAL;
    }
    udp.set_ip_option(libc::IP_MULTICAST_TTL, libc::IPV6_MULTICAST_HOPS, ttl)
        .into_code()
}

/// Sets the interface that multicast is sent from, by one of its addresses (for IPv6, one with `%`
/// and the interface's name); `NULL` for the system's choice.
///
/// Returns 0 or an error: `UV_EINVAL` for what is no address, `UV_EADDRNOTAVAIL`, `UV_ENODEV`,
/// `UV_EBADF` without a socket.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_multicast_interface>
///
/// # Safety
/// `handle` must be initialised, `interface_addr` `NULL` or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_multicast_interface(
    handle: *mut uv_udp_t,
    interface_addr: *const c_char,
) -> c_int {
    // SAFETY: common pointer contract.
    let udp = unsafe { Udp::from_ptr(handle) };
    // SAFETY: common pointer contract.
    unsafe { parse_interface(interface_addr, udp.any_address()) }
        .and_then(|interface| udp.set_multicast_interface(interface))
        .into_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        assert_eq!(
            parse(c"239.255.0.1"),
            Ok(Address::V4(Ipv4Addr::new(239, 255, 0, 1)))
        );
        let all_nodes = "ff02::1".parse().unwrap();
        assert_eq!(parse(c"ff02::1"), Ok(Address::V6(all_nodes, 0)));
        assert_eq!(
            parse(c"ff02::1%7777777"),
            Ok(Address::V6(all_nodes, 7777777))
        );
        assert_eq!(parse(c"ff02::1%"), Ok(Address::V6(all_nodes, 0)));
        assert_eq!(parse(c"ff02::1%no such"), Ok(Address::V6(all_nodes, 0)));
        for wrong in [
            c"",
            c"%lo",
            c"lo",
            c"1.2.3",
            c"1.2.3.4%lo",
            c"1.2.3.256",
            c"\xff",
        ] {
            assert_eq!(parse(wrong), Err(Errno::EINVAL), "{wrong:?}");
        }
    }
}
