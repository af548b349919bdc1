//! UDP: multicast groups and options.
//!
//! <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_membership>

use core::ffi::{c_char, c_int};

use super::Udp;
use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::net::address;
use crate::sys::socket::set_option;
use crate::zeroed::zeroed;

/// An address that was parsed from text.
#[derive(Clone, Copy)]
enum IpAddress {
    V4(libc::in_addr),
    /// An address, and the index of the interface that is named behind a `%`; 0 for none: then the
    /// system chooses.
    V6(libc::in6_addr, u32),
}

const ANY_V4: IpAddress = IpAddress::V4(libc::in_addr { s_addr: 0 });
const ANY_V6: IpAddress = IpAddress::V6(libc::in6_addr { s6_addr: [0; 16] }, 0);

fn parse(text: &[u8]) -> Result<IpAddress> {
    if let Ok(v4) = address::parse_v4(text) {
        return Ok(IpAddress::V4(v4));
    }
    let scope = address::split_zone(text).1.map_or(0, address::scope_of);
    Ok(IpAddress::V6(address::parse_v6(text)?, scope))
}

/// Parses an interface's address. It may be null: then it is any address of the group's family.
///
/// # Safety
/// `text` must be null or a string.
unsafe fn parse_interface(text: *const c_char, group: IpAddress) -> Result<IpAddress> {
    if text.is_null() {
        return Ok(match group {
            IpAddress::V4(_) => ANY_V4,
            IpAddress::V6(..) => ANY_V6,
        });
    }
    // SAFETY: the caller vouches for the string.
    unsafe { parse_required(text) }
}

/// # Safety
/// `text` must be null or a string.
unsafe fn parse_required(text: *const c_char) -> Result<IpAddress> {
    // SAFETY: the caller vouches for the string.
    unsafe { address::text_bytes(text) }.and_then(parse)
}

fn storage(address: libc::in6_addr, scope: u32) -> libc::sockaddr_storage {
    let mut storage: libc::sockaddr_storage = zeroed();
    let v6 = (&raw mut storage).cast::<libc::sockaddr_in6>();
    // SAFETY: the storage has size and alignment for every kind of address.
    unsafe {
        (*v6).sin6_family = libc::AF_INET6 as libc::sa_family_t;
        (*v6).sin6_addr = address;
        (*v6).sin6_scope_id = scope;
    }
    storage
}

/// The option for a membership: `join` or `leave`. `UV_EINVAL` for other values.
fn choose(membership: uv_membership, join: c_int, leave: c_int) -> Result<c_int> {
    match membership {
        UV_JOIN_GROUP => Ok(join),
        UV_LEAVE_GROUP => Ok(leave),
        _ => Err(Errno::EINVAL),
    }
}

impl Udp {
    /// Sets an option that has different names for IPv4 and IPv6.
    pub(super) fn set_ip_option(self, option4: c_int, option6: c_int, value: c_int) -> Result {
        if self.is_ipv6() {
            set_option(self.fd(), libc::IPPROTO_IPV6, option6, value)
        } else {
            set_option(self.fd(), libc::IPPROTO_IP, option4, value)
        }
    }

    fn set_membership(
        self,
        group: IpAddress,
        interface: IpAddress,
        membership: uv_membership,
    ) -> Result {
        match (group, interface) {
            (IpAddress::V4(group), IpAddress::V4(interface)) => {
                self.ensure_bound(libc::AF_INET, UV_UDP_REUSEADDR)?;
                let option = choose(
                    membership,
                    libc::IP_ADD_MEMBERSHIP,
                    libc::IP_DROP_MEMBERSHIP,
                )?;
                let request = libc::ip_mreq {
                    imr_multiaddr: group,
                    imr_interface: interface,
                };
                set_option(self.fd(), libc::IPPROTO_IP, option, request)
            }
            (IpAddress::V6(group, _), IpAddress::V6(_, index)) => {
                self.ensure_bound(libc::AF_INET6, UV_UDP_REUSEADDR)?;
                let option = choose(
                    membership,
                    libc::IPV6_ADD_MEMBERSHIP,
                    libc::IPV6_DROP_MEMBERSHIP,
                )?;
                let request = libc::ipv6_mreq {
                    ipv6mr_multiaddr: group,
                    ipv6mr_interface: index as _,
                };
                set_option(self.fd(), libc::IPPROTO_IPV6, option, request)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn set_source_membership(
        self,
        group: IpAddress,
        interface: IpAddress,
        source: IpAddress,
        membership: uv_membership,
    ) -> Result {
        match (group, interface, source) {
            (IpAddress::V4(group), IpAddress::V4(interface), IpAddress::V4(source)) => {
                self.ensure_bound(libc::AF_INET, UV_UDP_REUSEADDR)?;
                let (join, leave) = (
                    libc::IP_ADD_SOURCE_MEMBERSHIP,
                    libc::IP_DROP_SOURCE_MEMBERSHIP,
                );
                let request = libc::ip_mreq_source {
                    imr_multiaddr: group,
                    imr_interface: interface,
                    imr_sourceaddr: source,
                };
                let option = choose(membership, join, leave)?;
                set_option(self.fd(), libc::IPPROTO_IP, option, request)
            }
            (IpAddress::V6(group, scope), IpAddress::V6(_, index), IpAddress::V6(source, from)) => {
                self.ensure_bound(libc::AF_INET6, UV_UDP_REUSEADDR)?;
                let (join, leave) = (
                    libc::MCAST_JOIN_SOURCE_GROUP,
                    libc::MCAST_LEAVE_SOURCE_GROUP,
                );
                // Zero also between the fields: the kernel reads all of it.
                let mut request: libc::group_source_req = zeroed();
                request.gsr_interface = index;
                request.gsr_group = storage(group, scope);
                request.gsr_source = storage(source, from);
                let option = choose(membership, join, leave)?;
                set_option(self.fd(), libc::IPPROTO_IPV6, option, request)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn set_multicast_interface(self, interface: IpAddress) -> Result {
        match interface {
            IpAddress::V4(address) => {
                set_option(self.fd(), libc::IPPROTO_IP, libc::IP_MULTICAST_IF, address)
            }
            IpAddress::V6(_, index) => set_option(
                self.fd(),
                libc::IPPROTO_IPV6,
                libc::IPV6_MULTICAST_IF,
                index as c_int,
            ),
        }
    }

    /// The unspecified address of the socket's family.
    fn any_address(self) -> IpAddress {
        if self.is_ipv6() { ANY_V6 } else { ANY_V4 }
    }
}

// C entry points

/// Joins (`UV_JOIN_GROUP`) or leaves (`UV_LEAVE_GROUP`) the multicast group of that address, on the
/// interface that `interface_addr` names. That is one of its addresses for IPv4, an address with
/// `%` and the interface's name for IPv6, or `NULL` for the system's choice. A handle without a
/// socket is bound to any address and a free port first.
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
    unsafe {
        parse_required(multicast_addr).and_then(|group| {
            let interface = parse_interface(interface_addr, group)?;
            let udp = Udp::from_ptr(handle).expected()?;
            udp.set_membership(group, interface, membership)
        })
    }
    .into_code()
}

/// Joins or leaves the multicast group of an address as `uv_udp_set_membership` does, but only to
/// receive what `source_addr` sends.
///
/// Returns 0 or an error of `uv_udp_set_membership`.
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
    unsafe {
        parse_required(multicast_addr).and_then(|group| {
            let interface = parse_interface(interface_addr, group)?;
            let source = parse_required(source_addr)?;
            let udp = Udp::from_ptr(handle).expected()?;
            udp.set_source_membership(group, interface, source, membership)
        })
    }
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
        .expected()
        .and_then(|udp| udp.set_ip_option(libc::IP_MULTICAST_LOOP, libc::IPV6_MULTICAST_LOOP, on))
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
    if !(0..=255).contains(&ttl) {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle) }
        .expected()
        .and_then(|udp| udp.set_ip_option(libc::IP_MULTICAST_TTL, libc::IPV6_MULTICAST_HOPS, ttl))
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
    let given = (!interface_addr.is_null()).then(|| unsafe { parse_required(interface_addr) });
    given
        .transpose()
        .and_then(|given| {
            // SAFETY: common pointer contract.
            let udp = unsafe { Udp::from_ptr(handle) }.expected()?;
            udp.set_multicast_interface(given.unwrap_or(udp.any_address()))
        })
        .into_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_distinguished() {
        let Ok(IpAddress::V4(v4)) = parse(b"239.255.0.1") else {
            panic!("no IPv4");
        };
        assert_eq!(v4.s_addr, u32::from_ne_bytes([239, 255, 0, 1]));
        for (text, scope) in [
            ("ff02::1", 0),
            ("ff02::1%7777777", 7_777_777),
            ("ff02::1%", 0),
            ("ff02::1%no such", 0),
        ] {
            let Ok(IpAddress::V6(v6, index)) = parse(text.as_bytes()) else {
                panic!("no IPv6: {text}");
            };
            assert_eq!((v6.s6_addr[0], v6.s6_addr[15], index), (0xff, 1, scope));
        }
        for wrong in ["", "%lo", "lo", "1.2.3", "1.2.3.4%lo", "1.2.3.256"] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(parse(b"\xff").is_err());
    }
}
