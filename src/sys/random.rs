//! The system's generator of strong random numbers.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{file, retry_size};
use crate::errors::{Errno, Result};

/// Fills a buffer. Blocks until the system has gathered entropy after its start.
///
/// # Safety
/// `buffer` must be writable.
pub(crate) unsafe fn fill(buffer: *mut [u8]) -> Result {
    // SAFETY: the caller vouches for the buffer, of which a part is passed on.
    let result = each_part(buffer, |at, room| unsafe {
        libc::getrandom(at.cast(), room, 0)
    });
    match result {
        // An old kernel, or a filter that does not know the call.
        Err(Errno::ENOSYS | Errno::EPERM) => fill_from_devices(buffer),
        result => result,
    }
}

/// Fills a buffer from the devices. `/dev/urandom` does not wait for entropy, so `/dev/random` is
/// read once before.
fn fill_from_devices(buffer: *mut [u8]) -> Result {
    static IS_SEEDED: AtomicBool = AtomicBool::new(false);
    if !IS_SEEDED.load(Relaxed) {
        let mut byte = [0u8];
        read_device(c"/dev/random", &raw mut byte[..])?;
        IS_SEEDED.store(true, Relaxed);
    }
    read_device(c"/dev/urandom", buffer)
}

fn read_device(path: &CStr, buffer: *mut [u8]) -> Result {
    let device = file::open(path, libc::O_RDONLY, 0)?.above_standard()?;
    // SAFETY: a part of the buffer, for which the caller of `fill` vouches.
    each_part(buffer, |at, room| unsafe {
        libc::read(device.raw(), at.cast(), room)
    })
}

/// Calls `fill`, which may fill only a part, until the buffer is full.
fn each_part(buffer: *mut [u8], fill: impl Fn(*mut u8, usize) -> isize) -> Result {
    let (start, length) = (buffer.cast::<u8>(), buffer.len());
    let mut filled = 0;
    while filled < length {
        match retry_size(|| fill(start.wrapping_add(filled), length - filled))? {
            0 => return Err(Errno::EIO),
            count => filled += count,
        }
    }
    Ok(())
}
