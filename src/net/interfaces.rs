//! Network interfaces and their addresses.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_interface_addresses>

use core::ffi::{CStr, c_char, c_int, c_uint};

use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};
use crate::panic::not_null;
use crate::sys::interface::{Addresses, Entry};
use crate::text_buffer::TextBuffer;
use crate::zeroed::zeroed;

/// Whether an entry is an address of an interface that works.
fn is_listed(entry: &Entry) -> bool {
    let works = (libc::IFF_UP | libc::IFF_RUNNING) as c_uint;
    entry.flags() & works == works && matches!(entry.family(), Some(libc::AF_INET | libc::AF_INET6))
}

/// The name without the label that an address may have after a colon.
fn without_label(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == b':').next().unwrap_or(name)
}

fn physical(list: &Addresses, of: &CStr) -> [c_char; 6] {
    let of = without_label(of.to_bytes());
    let link = list
        .iter()
        .filter(|entry| entry.name().to_bytes() == of)
        .find_map(Entry::address::<libc::sockaddr_ll>);
    let mut address = [0; 6];
    for (to, from) in address
        .iter_mut()
        .zip(link.iter().flat_map(|it| it.sll_addr))
    {
        *to = from as c_char;
    }
    address
}

fn describe(list: &Addresses, entry: Entry, name: *mut c_char) -> uv_interface_address_t {
    let mut description = uv_interface_address_t {
        name,
        phys_addr: physical(list, entry.name()),
        is_internal: c_int::from(entry.flags() & libc::IFF_LOOPBACK as c_uint != 0),
        address: zeroed(),
        netmask: zeroed(),
    };
    if let Some(address) = entry.address() {
        description.address.address4 = address;
        description.netmask.netmask4 = entry.mask().unwrap_or(zeroed());
    } else if let Some(address) = entry.address() {
        description.address.address6 = address;
        description.netmask.netmask6 = entry.mask().unwrap_or(zeroed());
    }
    description
}

/// The result for C: one block, with the addresses first and the names after them.
fn addresses() -> Result<(*mut uv_interface_address_t, usize)> {
    let list = Addresses::list()?;
    let count = list.iter().filter(is_listed).count();
    if count == 0 {
        return Ok((core::ptr::null_mut(), 0));
    }
    let names: usize = list
        .iter()
        .filter(is_listed)
        .map(|entry| entry.name().count_bytes() + 1)
        .sum();
    let size = count * size_of::<uv_interface_address_t>();
    let block = alloc::calloc(1, size + names).cast::<uv_interface_address_t>();
    if block.is_null() {
        return Err(Errno::ENOMEM);
    }
    let mut place = block.wrapping_byte_add(size).cast::<c_char>();
    for (at, entry) in list.iter().filter(is_listed).enumerate() {
        let bytes = entry.name().to_bytes_with_nul();
        // SAFETY: the block has room for all addresses and names.
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), place, bytes.len());
            block.add(at).write(describe(&list, entry, place));
        }
        place = place.wrapping_add(bytes.len());
    }
    Ok((block, count))
}

/// Writes an interface's name to a buffer.
fn put_name(index: c_uint, buffer: TextBuffer) -> Result {
    let mut name = [0u8; libc::IF_NAMESIZE + 1];
    // SAFETY: the buffer has room for a name.
    if unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) }.is_null() {
        return Err(Errno::last());
    }
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    buffer.put(&name[..length])
}

// C entry points

/// Lists the addresses of the network interfaces that are up, one entry for each; free it with
/// `uv_free_interface_addresses`.
///
/// Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_interface_addresses>
///
/// # Safety
/// Both must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_interface_addresses(
    addresses: *mut *mut uv_interface_address_t,
    count: *mut c_int,
) -> c_int {
    let (result, list, number) = match self::addresses() {
        Ok((list, number)) => (0, list, number),
        Err(error) => (error.code(), core::ptr::null_mut(), 0),
    };
    // SAFETY: common pointer contract.
    unsafe {
        not_null(addresses).write(list);
        not_null(count).write(number as c_int);
    }
    result
}

/// Frees what `uv_interface_addresses` listed.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_free_interface_addresses>
///
/// # Safety
/// The list must come from `uv_interface_addresses`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_free_interface_addresses(
    addresses: *mut uv_interface_address_t,
    count: c_int,
) {
    let _ = count;
    // SAFETY: common pointer contract; all is one block.
    unsafe { alloc::free(addresses.cast()) };
}

/// Writes the name of the interface with an index to `buffer`. `*size` is the buffer's size, and
/// becomes the name's length.
///
/// Returns 0 or an error: `UV_ENXIO` for an unknown index, `UV_ENOBUFS` with the size needed in
/// `*size`, `UV_EINVAL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_if_indextoname>
///
/// # Safety
/// `buffer` must be null or writable for `*size` bytes, `size` null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_if_indextoname(
    ifindex: c_uint,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { TextBuffer::new(buffer, size) }
        .and_then(|buffer| put_name(ifindex, buffer))
        .into_code()
}

/// Writes the name of the interface as a zone, which is behind the `%` of a link-local address. On
/// Unix it is the interface's name: see `uv_if_indextoname`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_if_indextoiid>
///
/// # Safety
/// `buffer` must be null or writable for `*size` bytes, `size` null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_if_indextoiid(
    ifindex: c_uint,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { TextBuffer::new(buffer, size) }
        .and_then(|buffer| put_name(ifindex, buffer))
        .into_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_not_part_of_the_interface() {
        assert_eq!(without_label(b"eth0:7"), b"eth0");
        assert_eq!(without_label(b"eth0"), b"eth0");
    }
}
