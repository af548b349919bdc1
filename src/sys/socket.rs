//! Sockets, and passing descriptors over them.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

use super::fd::{OwnedFd, own};
use super::{cvt, retry, retry_size, typed};
use crate::abi::uv_buf_t;
use crate::buffers::Buffers;
use crate::errors::{Errno, Result};
use crate::zeroed::zeroed;

pub(crate) fn get_option(fd: c_int, level: c_int, option: c_int) -> Result<c_int> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `value` has the length that is passed.
    cvt(unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &mut length) })?;
    Ok(value)
}

pub(crate) fn set_option<T>(fd: c_int, level: c_int, option: c_int, value: T) -> Result {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` has the length that is passed.
    cvt(unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), length) }).map(drop)
}

/// A non-blocking socket that is not inherited, above the standard descriptors.
pub(crate) fn socket(domain: c_int, kind: c_int) -> Result<OwnedFd> {
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    cvt(typed::socket(domain, kind, 0)).and_then(own)
}

/// A socket address of any kind.
///
/// # Safety
/// `raw` must give memory that is readable for that many bytes, as long as the value is borrowed.
pub(crate) unsafe trait SocketAddress {
    fn raw(&self) -> (*const libc::sockaddr, libc::socklen_t);
}

// SAFETY: the length is that of the type.
unsafe impl SocketAddress for libc::sockaddr {
    fn raw(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        (self, size_of::<libc::sockaddr>() as libc::socklen_t)
    }
}

pub(crate) fn bind(fd: c_int, address: &impl SocketAddress) -> Result {
    let (address, length) = address.raw();
    // SAFETY: contract of `SocketAddress`.
    cvt(unsafe { libc::bind(fd, address, length) }).map(drop)
}

/// Connects a socket to an address, or begins to.
pub(crate) fn connect(fd: c_int, address: &impl SocketAddress) -> Result {
    let (address, length) = address.raw();
    // SAFETY: contract of `SocketAddress`.
    retry(|| unsafe { libc::connect(fd, address, length) }).map(drop)
}

pub(crate) fn listen(fd: c_int, backlog: c_int) -> Result {
    cvt(typed::listen(fd, backlog)).map(drop)
}

/// Takes a connection; its descriptor is non-blocking, not inherited, above the standard ones.
pub(crate) fn accept(fd: c_int) -> Result<OwnedFd> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let null = core::ptr::null_mut();
    // SAFETY: no address is asked for.
    retry(|| unsafe { libc::accept4(fd, null, core::ptr::null_mut(), flags) }).and_then(own)
}

pub(crate) fn shut_down_writing(fd: c_int) -> Result {
    cvt(typed::shutdown(fd, libc::SHUT_WR)).map(drop)
}

/// Which end of a connection is asked for.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Own,
    Peer,
}

/// Writes the address of a socket's end to `name`, cut to `*length`, which becomes its full length.
///
/// # Safety
/// `name` must be writable for `*length` bytes.
pub(crate) unsafe fn name(
    fd: c_int,
    end: End,
    name: *mut libc::sockaddr,
    length: &mut libc::socklen_t,
) -> Result {
    // SAFETY: the caller vouches for the memory.
    let result = unsafe {
        match end {
            End::Own => libc::getsockname(fd, name, length),
            End::Peer => libc::getpeername(fd, name, length),
        }
    };
    cvt(result).map(drop)
}

/// Turns keep-alive off, or on with its times in seconds and its number of probes.
pub(crate) fn set_keepalive(fd: c_int, times: Option<(u32, u32, u32)>) -> Result {
    set_option(
        fd,
        libc::SOL_SOCKET,
        libc::SO_KEEPALIVE,
        c_int::from(times.is_some()),
    )?;
    if let Some((idle, interval, count)) = times {
        set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, idle as c_int)?;
        set_option(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_KEEPINTVL,
            interval as c_int,
        )?;
        set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, count as c_int)?;
    }
    Ok(())
}

pub(crate) fn set_nodelay(fd: c_int, on: bool) -> Result {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, c_int::from(on))
}

/// Makes closing the socket reset the connection.
pub(crate) fn reset_on_close(fd: c_int) -> Result {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    set_option(fd, libc::SOL_SOCKET, libc::SO_LINGER, linger)
}

/// A pair of connected sockets that are not inherited; `flags` may add `SOCK_NONBLOCK`.
pub(crate) fn pair(domain: c_int, kind: c_int, protocol: c_int) -> Result<[OwnedFd; 2]> {
    let mut fds = [-1; 2];
    let kind = kind | libc::SOCK_CLOEXEC;
    cvt(typed::socketpair(domain, kind, protocol, &mut fds))?;
    Ok(fds.map(OwnedFd::new))
}

/// The largest number of buffers that one call takes: the kernel's limit.
pub(crate) const IOV_MAX: usize = 1024;

/// The largest number of descriptors that one message has: the kernel's limit.
const MOST_FDS: usize = 253;

/// Room for a control message with that many descriptors.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; 64 + MOST_FDS * size_of::<c_int>()]);

impl Control {
    fn new() -> Control {
        Control([MaybeUninit::zeroed(); 64 + MOST_FDS * size_of::<c_int>()])
    }
}

fn message(buffers: Buffers, control: &mut Control) -> libc::msghdr {
    let mut header: libc::msghdr = zeroed();
    header.msg_iov = buffers.as_iovecs().cast_mut();
    header.msg_iovlen = buffers.count().min(IOV_MAX) as _;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Control>() as _;
    header
}

/// The length of a control message with its header, in bytes.
#[allow(clippy::unnecessary_cast, reason = "32 bits with musl")]
pub(super) fn control_bytes(header: &libc::cmsghdr) -> usize {
    header.cmsg_len as usize
}

/// Writes buffers to a Unix socket, and passes a descriptor with them; returns how many bytes were
/// written.
pub(crate) fn send_with_fd(fd: c_int, buffers: Buffers, passed: c_int) -> Result<usize> {
    let mut control = Control::new();
    let mut header = message(buffers, &mut control);
    let length = size_of::<c_int>() as u32;
    // SAFETY: the control buffer has room for a message with one descriptor.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(length) as _;
        let entry = libc::CMSG_FIRSTHDR(&header);
        (*entry).cmsg_level = libc::SOL_SOCKET;
        (*entry).cmsg_type = libc::SCM_RIGHTS;
        (*entry).cmsg_len = libc::CMSG_LEN(length) as _;
        libc::CMSG_DATA(entry)
            .cast::<c_int>()
            .write_unaligned(passed);
    }
    // SAFETY: the header points to buffers that the view's maker vouches for, and to `control`.
    retry_size(|| unsafe { libc::sendmsg(fd, &header, 0) })
}

/// The result of reading from a socket that passes descriptors.
pub(crate) struct Received {
    /// The number of bytes read.
    pub(crate) count: usize,
    /// Some descriptors were lost: the process could not get them.
    pub(crate) is_cut: bool,
}

/// Reads from a Unix socket. Each descriptor that was passed along is given to `each`.
///
/// # Safety
/// `buffer` must be writable for its length.
pub(crate) unsafe fn receive_with_fds(
    fd: c_int,
    buffer: &uv_buf_t,
    mut each: impl FnMut(OwnedFd),
) -> Result<Received> {
    let mut control = Control::new();
    // SAFETY: the caller vouches for the buffer.
    let mut header = message(unsafe { Buffers::one(buffer) }, &mut control);
    let room = header.msg_controllen;
    // SAFETY: the caller vouches for the buffer, and `header` points to what outlives the call.
    let count = retry_size(|| unsafe {
        header.msg_controllen = room;
        libc::recvmsg(fd, &mut header, libc::MSG_CMSG_CLOEXEC)
    })?;
    // SAFETY: the kernel filled the control buffer with well-formed messages, whose lengths say
    // how many descriptors each of them has.
    unsafe {
        let mut entry = libc::CMSG_FIRSTHDR(&header);
        while !entry.is_null() {
            if (*entry).cmsg_level == libc::SOL_SOCKET && (*entry).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(entry).cast::<c_int>();
                let bytes = control_bytes(&*entry) - libc::CMSG_LEN(0) as usize;
                for index in 0..bytes / size_of::<c_int>() {
                    each(OwnedFd::new(data.add(index).read_unaligned()));
                }
            }
            entry = libc::CMSG_NXTHDR(&header, entry);
        }
    }
    Ok(Received {
        count,
        is_cut: header.msg_flags & libc::MSG_CTRUNC != 0,
    })
}

/// Reads from a stream; returns how many bytes were read.
///
/// # Safety
/// `buffer` must be writable for its length.
pub(crate) unsafe fn read(fd: c_int, buffer: &uv_buf_t) -> Result<usize> {
    // SAFETY: the caller vouches for the buffer.
    retry_size(|| unsafe { libc::read(fd, buffer.base.cast::<c_void>(), buffer.len) })
}

/// Takes the error that is pending on a socket, such as that of a connection attempt.
pub(crate) fn take_error(fd: c_int) -> Result {
    match get_option(fd, libc::SOL_SOCKET, libc::SO_ERROR)? {
        0 => Ok(()),
        number => Err(Errno::from_system(number)),
    }
}
