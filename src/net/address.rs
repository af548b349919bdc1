//! Addresses as text and as socket addresses.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_ip4_addr>

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::panic::not_null;
use crate::sys::typed;
use crate::text::c_str;
use crate::zeroed::zeroed;

/// The size of a buffer for any address without its zone, in bytes.
const ADDRESS_TEXT_BYTES: usize = 64;

unsafe extern "C" {
    fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int;
    fn inet_ntop(
        family: c_int,
        address: *const c_void,
        text: *mut c_char,
        size: libc::socklen_t,
    ) -> *const c_char;
}

/// The parts of `address%zone`.
pub(crate) fn split_zone(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == b'%') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// `text` with a terminator, in a buffer of its own.
fn terminated(text: &[u8]) -> Result<[u8; ADDRESS_TEXT_BYTES]> {
    let mut buffer = [0; ADDRESS_TEXT_BYTES];
    if text.len() >= buffer.len() || text.contains(&0) {
        return Err(Errno::EINVAL);
    }
    buffer[..text.len()].copy_from_slice(text);
    Ok(buffer)
}

/// Parses an address of a family; an IPv4 address is the first four bytes of the result.
fn to_binary(family: c_int, text: &[u8]) -> Result<[u8; 16]> {
    let text = terminated(text)?;
    let mut address = [0; 16];
    // SAFETY: the text is terminated, and no family's addresses are longer.
    match unsafe { inet_pton(family, text.as_ptr().cast(), address.as_mut_ptr().cast()) } {
        1 => Ok(address),
        _ => Err(Errno::EINVAL),
    }
}

pub(crate) fn parse_v4(text: &[u8]) -> Result<libc::in_addr> {
    let [first, second, third, fourth, ..] = to_binary(libc::AF_INET, text)?;
    Ok(libc::in_addr {
        s_addr: u32::from_ne_bytes([first, second, third, fourth]),
    })
}

/// Parses an IPv6 address; a zone is ignored. `UV_EINVAL` for what is no address.
pub(crate) fn parse_v6(text: &[u8]) -> Result<libc::in6_addr> {
    let s6_addr = to_binary(libc::AF_INET6, split_zone(text).0)?;
    Ok(libc::in6_addr { s6_addr })
}

/// The index of the interface that a zone means, by name or number; 0 for one that is not known.
pub(crate) fn scope_of(zone: &[u8]) -> u32 {
    let Ok(name) = terminated(zone) else { return 0 };
    let index = CStr::from_bytes_until_nul(&name).map_or(0, typed::if_nametoindex);
    if index != 0 {
        return index;
    }
    if !zone.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    core::str::from_utf8(zone)
        .ok()
        .and_then(|zone| zone.parse().ok())
        .unwrap_or(0)
}

/// # Safety
/// `address` must be readable as what the family says, `text` writable for `size` bytes.
unsafe fn format(family: c_int, address: *const c_void, text: *mut c_char, size: usize) -> Result {
    if !matches!(family, libc::AF_INET | libc::AF_INET6) {
        return Err(Errno::EAFNOSUPPORT);
    }
    let address = not_null(address.cast_mut());
    let size = size.min(libc::socklen_t::MAX as usize) as libc::socklen_t;
    // SAFETY: the caller vouches for both.
    if unsafe { inet_ntop(family, address, text, size) }.is_null() {
        return Err(Errno::last());
    }
    Ok(())
}

/// The bytes of a text of the caller's; `UV_EINVAL` for null.
///
/// # Safety
/// `text` must be null or a terminated string, while the bytes are used.
pub(crate) unsafe fn text_bytes<'a>(text: *const c_char) -> Result<&'a [u8]> {
    // SAFETY: the caller vouches for the string.
    unsafe { c_str(text) }
        .map(CStr::to_bytes)
        .ok_or(Errno::EINVAL)
}

/// # Safety
/// `src` must be readable, `dst` writable for `size` bytes.
unsafe fn name_ip4(src: *const libc::sockaddr_in, dst: *mut c_char, size: usize) -> Result {
    // SAFETY: the caller vouches for the memory.
    unsafe {
        format(
            libc::AF_INET,
            (&raw const (*not_null(src.cast_mut())).sin_addr).cast(),
            dst,
            size,
        )
    }
}

/// # Safety
/// `src` must be readable, `dst` writable for `size` bytes.
unsafe fn name_ip6(src: *const libc::sockaddr_in6, dst: *mut c_char, size: usize) -> Result {
    // SAFETY: the caller vouches for the memory.
    unsafe {
        format(
            libc::AF_INET6,
            (&raw const (*not_null(src.cast_mut())).sin6_addr).cast(),
            dst,
            size,
        )
    }
}

// C entry points

/// Converts an IPv4 address as text, and a port, to a socket address.
///
/// Returns 0, or `UV_EINVAL` for what is no address.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_ip4_addr>
///
/// # Safety
/// `ip` must be a terminated string, `addr` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip4_addr(
    ip: *const c_char,
    port: c_int,
    addr: *mut libc::sockaddr_in,
) -> c_int {
    let mut address: libc::sockaddr_in = zeroed();
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = (port as u16).to_be();
    // SAFETY: common pointer contract.
    let parsed = unsafe { text_bytes(ip) }
        .and_then(parse_v4)
        .map(|ip| address.sin_addr = ip);
    // SAFETY: common pointer contract.
    unsafe { not_null(addr).write(address) };
    parsed.into_code()
}

/// Converts an IPv6 address as text, and a port, to a socket address. The text may end in `%` and
/// an interface, by name or number.
///
/// Returns 0, or `UV_EINVAL` for what is no address.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_ip6_addr>
///
/// # Safety
/// `ip` must be a terminated string, `addr` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip6_addr(
    ip: *const c_char,
    port: c_int,
    addr: *mut libc::sockaddr_in6,
) -> c_int {
    let mut address: libc::sockaddr_in6 = zeroed();
    address.sin6_family = libc::AF_INET6 as libc::sa_family_t;
    address.sin6_port = (port as u16).to_be();
    // SAFETY: common pointer contract.
    let parsed = unsafe { text_bytes(ip) }.and_then(|text| {
        address.sin6_addr = parse_v6(text)?;
        address.sin6_scope_id = split_zone(text).1.map_or(0, scope_of);
        Ok(())
    });
    // SAFETY: common pointer contract.
    unsafe { not_null(addr).write(address) };
    parsed.into_code()
}

/// Converts the IPv4 address of a socket address to text.
///
/// Returns 0, or `UV_ENOSPC` when `dst` is too small.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_ip4_name>
///
/// # Safety
/// `src` must be readable, `dst` writable for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip4_name(
    src: *const libc::sockaddr_in,
    dst: *mut c_char,
    size: usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { name_ip4(src, dst, size) }.into_code()
}

/// Converts the IPv6 address of a socket address to text.
///
/// Returns 0, or `UV_ENOSPC` when `dst` is too small.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_ip6_name>
///
/// # Safety
/// `src` must be readable, `dst` writable for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip6_name(
    src: *const libc::sockaddr_in6,
    dst: *mut c_char,
    size: usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { name_ip6(src, dst, size) }.into_code()
}

/// Converts the address of an IPv4 or IPv6 socket address to text.
///
/// Returns 0, `UV_ENOSPC` when `dst` is too small, or `UV_EAFNOSUPPORT` for other families.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_ip_name>
///
/// # Safety
/// `src` must be as long as its family says, `dst` writable for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip_name(
    src: *const libc::sockaddr,
    dst: *mut c_char,
    size: usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        match c_int::from((*not_null(src.cast_mut())).sa_family) {
            libc::AF_INET => name_ip4(src.cast(), dst, size),
            libc::AF_INET6 => name_ip6(src.cast(), dst, size),
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }
    .into_code()
}

/// Converts an address in its binary form to text.
///
/// Returns 0, `UV_ENOSPC` when `dst` is too small, or `UV_EAFNOSUPPORT` for other families.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_inet_ntop>
///
/// # Safety
/// `src` must be readable as the family's address, `dst` writable for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_inet_ntop(
    af: c_int,
    src: *const c_void,
    dst: *mut c_char,
    size: usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { format(af, src, dst, size) }.into_code()
}

/// Converts an address as text to its binary form; a zone behind an IPv6 address is ignored.
///
/// Returns 0, `UV_EINVAL` for what is no address, or `UV_EAFNOSUPPORT` for other families.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_inet_pton>
///
/// # Safety
/// `src` must be null or a terminated string, `dst` null or writable as the family's address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_inet_pton(af: c_int, src: *const c_char, dst: *mut c_void) -> c_int {
    if src.is_null() || dst.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract; the memory need not be aligned.
    unsafe {
        let text = text_bytes(src);
        match af {
            libc::AF_INET => text
                .and_then(parse_v4)
                .map(|ip| dst.cast::<libc::in_addr>().write_unaligned(ip)),
            libc::AF_INET6 => text
                .and_then(parse_v6)
                .map(|ip| dst.cast::<libc::in6_addr>().write_unaligned(ip)),
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }
    .into_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_what_follows_the_percent_sign() {
        assert_eq!(
            split_zone(b"fe80::1%eth0"),
            (&b"fe80::1"[..], Some(&b"eth0"[..]))
        );
        assert_eq!(split_zone(b"::1"), (&b"::1"[..], None));
        assert_eq!(split_zone(b"::1%"), (&b"::1"[..], Some(&b""[..])));
    }

    #[test]
    fn addresses_are_taken_strictly() {
        assert!(parse_v4(b"127.0.0.1").is_ok());
        for bad in [
            "",
            "127.0.0",
            "127.0.0.01.1",
            "256.0.0.1",
            "1.2.3.4 ",
            "0x7f.1",
        ] {
            assert_eq!(parse_v4(bad.as_bytes()).err(), Some(Errno::EINVAL), "{bad}");
        }
        assert!(parse_v6(b"fe80::1%lo").is_ok());
        assert!(parse_v6(b"::ffff:1.2.3.4").is_ok());
        for bad in ["", ":", "1::2::3", "12345::", "::1.2.3.4.5"] {
            assert_eq!(parse_v6(bad.as_bytes()).err(), Some(Errno::EINVAL), "{bad}");
        }
        assert_eq!(parse_v6(&[b'1'; 200]).err(), Some(Errno::EINVAL));
    }
}
