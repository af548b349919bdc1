//! Files by descriptor: opening, reading, writing, copying.

use core::ffi::{CStr, c_char, c_int};

use super::fd::OwnedFd;
use super::socket::IOV_MAX;
use super::{cvt, cvt_size, large, retry, retry_size, typed};
use crate::abi::uv_buf_t;
use crate::buffers::{Buffers, MOST_BYTES};
use crate::errors::{Errno, Result};

/// Opens a file; the descriptor is not inherited by programs that are started.
pub(crate) fn open(path: &CStr, flags: c_int, mode: libc::mode_t) -> Result<OwnedFd> {
    retry(|| typed::open(path, flags | libc::O_CLOEXEC, mode)).map(OwnedFd::new)
}

/// Makes and opens a new file; its name replaces the `XXXXXX` that `template` ends with.
///
/// # Safety
/// `template` must be a terminated string in writable memory.
pub(crate) unsafe fn mkstemp(template: *mut c_char) -> Result<c_int> {
    // Not repeated when interrupted: the template has been written to by then.
    // SAFETY: the caller vouches for the template.
    cvt(unsafe { libc::mkostemp(template, libc::O_CLOEXEC) })
}

/// Reads into buffers, at `offset` or else at the file's own position. `EINTR` if a signal
/// interrupts the call before there is data. Of a list that is longer than one call transfers, the
/// first buffers are used: the kernel refuses a length that no memory has.
pub(crate) fn read(fd: c_int, buffers: Buffers, offset: Option<i64>) -> Result<usize> {
    let buffers = buffers.transferable();
    if buffers.count() == 1 {
        let one = buffers.get(0);
        let length = one.len.min(MOST_BYTES);
        // SAFETY: the maker of the view vouches for the buffers' memory.
        return cvt_size(unsafe {
            match offset {
                None => libc::read(fd, one.base.cast(), length),
                Some(at) => large::pread(fd, one.base.cast(), length, at),
            }
        });
    }
    let (vectors, some) = (buffers.as_iovecs(), buffers.count().min(IOV_MAX) as c_int);
    // SAFETY: the maker of the view vouches for the buffers' memory.
    cvt_size(unsafe {
        match offset {
            None => libc::readv(fd, vectors, some),
            Some(at) => large::preadv(fd, vectors, some, at),
        }
    })
}

/// Writes buffers, at `offset` or else at the file's own position; returns how many bytes were
/// written.
pub(crate) fn write(fd: c_int, buffers: Buffers, offset: Option<i64>) -> Result<usize> {
    if buffers.count() == 1 {
        let one = buffers.get(0);
        // SAFETY: the maker of the view vouches for the buffers' memory.
        return retry_size(|| unsafe {
            match offset {
                None => libc::write(fd, one.base.cast(), one.len),
                Some(at) => large::pwrite(fd, one.base.cast(), one.len, at),
            }
        });
    }
    let (vectors, some) = (buffers.as_iovecs(), buffers.count().min(IOV_MAX) as c_int);
    // SAFETY: the maker of the view vouches for the buffers' memory.
    retry_size(|| unsafe {
        match offset {
            None => libc::writev(fd, vectors, some),
            Some(at) => large::pwritev(fd, vectors, some, at),
        }
    })
}

/// Reads into memory of this library's, at `offset` or else at the file's own position.
pub(crate) fn read_slice(fd: c_int, into: &mut [u8], offset: Option<i64>) -> Result<usize> {
    let buffer = uv_buf_t {
        base: into.as_mut_ptr().cast(),
        len: into.len(),
    };
    // SAFETY: the buffer describes the slice.
    let buffers = unsafe { Buffers::one(&buffer) };
    loop {
        match read(fd, buffers, offset) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Writes memory of this library's at the file's own position.
pub(crate) fn write_slice(fd: c_int, from: &[u8]) -> Result<usize> {
    let buffer = uv_buf_t {
        base: from.as_ptr().cast_mut().cast(),
        len: from.len(),
    };
    // SAFETY: the buffer describes the slice, which is only read.
    write(fd, unsafe { Buffers::one(&buffer) }, None)
}

/// Blocks until a non-blocking descriptor takes data, or will report an error.
pub(crate) fn wait_until_writable(fd: c_int) -> Result {
    let mut watched = [libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    }];
    retry(|| typed::poll(&mut watched, -1)).map(drop)
}

/// Has the kernel copy bytes to `out`, from `offset`, or else from `from`'s own position, which
/// moves.
pub(crate) fn sendfile(
    out: c_int,
    from: c_int,
    offset: Option<i64>,
    count: usize,
) -> Result<usize> {
    retry_size(|| {
        let mut offset = offset;
        typed::sendfile(out, from, offset.as_mut(), count.min(MOST_BYTES))
    })
}

/// Has the file system copy bytes from `from`'s position to that of `out`.
pub(crate) fn copy_file_range(out: c_int, from: c_int, count: usize) -> Result<usize> {
    let count = count.min(MOST_BYTES);
    retry_size(|| typed::copy_file_range(from, None, out, None, count, 0))
}

/// Makes `out` a clone of `from`: both use one copy of the data until one of them changes.
pub(crate) fn clone(out: c_int, from: c_int) -> Result {
    // SAFETY: FICLONE takes a descriptor.
    retry(|| unsafe { libc::ioctl(out, libc::FICLONE, from) }).map(drop)
}

pub(crate) fn fsync(fd: c_int) -> Result {
    retry(|| typed::fsync(fd)).map(drop)
}

pub(crate) fn fdatasync(fd: c_int) -> Result {
    retry(|| typed::fdatasync(fd)).map(drop)
}

pub(crate) fn ftruncate(fd: c_int, length: i64) -> Result {
    retry(|| typed::ftruncate(fd, length)).map(drop)
}

pub(crate) fn fchmod(fd: c_int, mode: libc::mode_t) -> Result {
    retry(|| typed::fchmod(fd, mode)).map(drop)
}

pub(crate) fn fchown(fd: c_int, user: libc::uid_t, group: libc::gid_t) -> Result {
    retry(|| typed::fchown(fd, user, group)).map(drop)
}

/// Sets the times of last access and of last modification.
pub(crate) fn futimens(fd: c_int, times: &[libc::timespec; 2]) -> Result {
    retry(|| typed::futimens(fd, times)).map(drop)
}
