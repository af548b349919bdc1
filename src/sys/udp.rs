//! Datagram sockets.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use super::socket::{self, set_option};
use super::{retry, retry_size};
use crate::buffers::Buffers;
use crate::errors::{Errno, Result};
use crate::zeroed::zeroed;

/// The largest number of datagrams that one call sends or receives.
pub(crate) const DATAGRAM_BATCH: usize = 20;

/// Makes a connected socket one that sends to and receives from anywhere.
pub(crate) fn disconnect(fd: c_int) -> Result {
    let mut address: libc::sockaddr = zeroed();
    address.sa_family = libc::AF_UNSPEC as libc::sa_family_t;
    match socket::connect(fd, &address) {
        // Some systems return this although they have done it.
        Err(Errno::EAFNOSUPPORT) => Ok(()),
        result => result,
    }
}

pub(crate) fn is_connected(fd: c_int) -> bool {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::uninit();
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` has the length that is passed.
    unsafe { libc::getpeername(fd, address.as_mut_ptr().cast(), &mut length) == 0 }
}

/// Has the kernel report ICMP errors.
pub(crate) fn report_icmp_errors(fd: c_int, family: c_int) -> Result {
    if family == libc::AF_INET6 {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)
    } else {
        set_option(fd, libc::IPPROTO_IP, libc::IP_RECVERR, 1)
    }
}

/// The header of a message: the buffers of a datagram, and room for its peer's address or that
/// address.
pub(crate) fn header(
    peer: *mut libc::sockaddr,
    peer_length: libc::socklen_t,
    buffers: Buffers,
) -> libc::msghdr {
    let mut header: libc::msghdr = zeroed();
    header.msg_name = peer.cast();
    header.msg_namelen = peer_length;
    header.msg_iov = buffers.as_iovecs().cast_mut();
    header.msg_iovlen = buffers.count() as _;
    header
}

/// Maps the error of a send: a lack of room in the kernel passes, too, so it is `UV_EAGAIN`.
fn send_error(error: Errno) -> Errno {
    if error == Errno::ENOBUFS {
        Errno::EAGAIN
    } else {
        error
    }
}

/// A datagram to be sent. What it consists of is readable as long as this is used, for which the
/// makers of its buffers and of its address vouch.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Outgoing(libc::mmsghdr);

impl Outgoing {
    /// A datagram for the address at `peer`, or where that is null for the socket's peer.
    ///
    /// # Safety
    /// `peer` must be null or readable for `length` bytes, as long as the datagram is used.
    pub(crate) unsafe fn new(
        buffers: Buffers,
        peer: *const libc::sockaddr,
        length: libc::socklen_t,
    ) -> Outgoing {
        Outgoing(libc::mmsghdr {
            msg_hdr: header(peer.cast_mut(), length, buffers),
            msg_len: 0,
        })
    }
}

/// Up to as many datagrams as one call sends.
pub(crate) struct Batch {
    datagrams: [MaybeUninit<Outgoing>; DATAGRAM_BATCH],
    count: usize,
}

impl Batch {
    pub(crate) fn new() -> Batch {
        Batch {
            datagrams: [MaybeUninit::uninit(); DATAGRAM_BATCH],
            count: 0,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Adds a datagram, unless there are [`DATAGRAM_BATCH`] already.
    pub(crate) fn push(&mut self, datagram: Outgoing) {
        if let Some(place) = self.datagrams.get_mut(self.count) {
            place.write(datagram);
            self.count += 1;
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Outgoing] {
        let first = self.datagrams.as_mut_ptr().cast::<Outgoing>();
        // SAFETY: `push` has written that many.
        unsafe { core::slice::from_raw_parts_mut(first, self.count) }
    }

    /// Sends the datagrams, and returns how many of the leading ones were sent: at least one.
    pub(crate) fn send(&mut self, fd: c_int) -> Result<usize> {
        let datagrams = self.as_mut_slice();
        if datagrams.len() == 1 {
            return send_one_by_one(fd, datagrams);
        }
        let (list, count) = (datagrams.as_mut_ptr().cast(), datagrams.len() as _);
        // SAFETY: an `Outgoing` leads to readable memory only, and is nothing but its header.
        match retry(|| unsafe { libc::sendmmsg(fd, list, count, 0) }) {
            Err(error) if takes_single_calls_only(error) => send_one_by_one(fd, datagrams),
            result => result.map(|sent| sent as usize).map_err(send_error),
        }
    }
}

/// Sends one datagram.
pub(crate) fn send(fd: c_int, datagram: &Outgoing) -> Result<usize> {
    let header = &datagram.0.msg_hdr;
    // SAFETY: an `Outgoing` leads to readable memory only.
    retry_size(|| unsafe { libc::sendmsg(fd, header, 0) }).map_err(send_error)
}

/// Sends datagrams by a call each, and returns how many of the leading ones were sent: at least
/// one.
fn send_one_by_one(fd: c_int, datagrams: &[Outgoing]) -> Result<usize> {
    let mut sent = 0;
    for datagram in datagrams {
        match send(fd, datagram) {
            Ok(_) => sent += 1,
            Err(error) if sent == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(sent)
}

/// Whether an error of a call for many datagrams may mean that the call is not known: to a sandbox,
/// or to an old kernel. If it means that the network refuses a datagram, the call for one returns
/// it as well.
fn takes_single_calls_only(error: Errno) -> bool {
    matches!(error, Errno::EPERM | Errno::ENOSYS)
}

/// Receives one datagram, or with `MSG_ERRQUEUE` one error.
///
/// # Safety
/// The memory that the header points to must be writable.
pub(crate) unsafe fn receive(fd: c_int, header: &mut libc::msghdr, flags: c_int) -> Result<usize> {
    // SAFETY: the caller vouches for the header.
    retry_size(|| unsafe { libc::recvmsg(fd, header, flags) })
}

/// Receives up to as many datagrams as there are headers, of which there must be one.
///
/// # Safety
/// The memory that the headers point to must be writable.
pub(crate) unsafe fn receive_many(fd: c_int, headers: &mut [libc::mmsghdr]) -> Result<usize> {
    let (list, count) = (headers.as_mut_ptr(), headers.len() as _);
    // SAFETY: the caller vouches for the headers.
    match retry(|| unsafe { libc::recvmmsg(fd, list, count, 0, core::ptr::null_mut()) }) {
        Err(error) if takes_single_calls_only(error) => {
            let first = headers.first_mut().ok_or(error)?;
            // SAFETY: the caller vouches for the headers.
            first.msg_len = unsafe { receive(fd, &mut first.msg_hdr, 0) }? as _;
            Ok(1)
        }
        result => result.map(|received| received as usize),
    }
}

/// An error that the network reported.
pub(crate) struct Reported {
    pub(crate) error: Errno,
    /// The address of the host that reported it, of the error's family of IP addresses.
    pub(crate) offender: libc::sockaddr_storage,
}

/// Memory for the control data of an error; the kernel requires the alignment.
#[repr(C, align(8))]
pub(crate) struct Control([MaybeUninit<u8>; 512]);

impl Control {
    pub(crate) fn new() -> Control {
        Control([MaybeUninit::uninit(); 512])
    }

    pub(crate) fn attach(&mut self, header: &mut libc::msghdr) {
        header.msg_control = self.0.as_mut_ptr().cast();
        header.msg_controllen = self.0.len() as _;
    }
}

/// The network's error in the control data of a received header, if there is one.
///
/// # Safety
/// The header must be as [`receive`] left it, and what it points to alive.
pub(crate) unsafe fn reported_error(header: &libc::msghdr) -> Option<Reported> {
    // SAFETY: the kernel filled the header's control part, and the macros stay within it.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() };
    while let Some(part) = at {
        let kind = (part.cmsg_level, part.cmsg_type);
        if kind == (libc::IPPROTO_IP, libc::IP_RECVERR)
            || kind == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        {
            // SAFETY: a part of this kind has such a record for its data.
            return unsafe { read_error(part) };
        }
        // SAFETY: the kernel filled the control part, and the macros stay within it.
        at = unsafe { libc::CMSG_NXTHDR(header, part).as_ref() };
    }
    None
}

/// # Safety
/// `part` must be a control part with a `sock_extended_err` and the offender's address.
unsafe fn read_error(part: &libc::cmsghdr) -> Option<Reported> {
    // SAFETY: the caller vouches for the part.
    let data = unsafe { libc::CMSG_DATA(part) };
    // SAFETY: the caller vouches for the part; the record may be less aligned than its type.
    let record = unsafe { data.cast::<libc::sock_extended_err>().read_unaligned() };
    let is_error = matches!(
        record.ee_origin,
        libc::SO_EE_ORIGIN_LOCAL | libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6
    );
    let number = c_int::try_from(record.ee_errno).unwrap_or(0);
    if !is_error || number == 0 {
        return None;
    }
    let mut offender: libc::sockaddr_storage = zeroed();
    let skip = size_of::<libc::sock_extended_err>();
    // SAFETY: CMSG_LEN does arithmetic only.
    let before = unsafe { libc::CMSG_LEN(skip as u32) } as usize;
    let length = socket::control_bytes(part).saturating_sub(before);
    let length = length.min(size_of_val(&offender));
    // SAFETY: that many bytes of the part lie behind the record, and fit the storage.
    unsafe {
        core::ptr::copy_nonoverlapping(data.add(skip), (&raw mut offender).cast::<u8>(), length);
    }
    Some(Reported {
        error: Errno::from_system(number),
        offender,
    })
}

/// Discards the errors that the kernel has queued for a socket.
pub(crate) fn discard_errors(fd: c_int) {
    for _ in 0..DATAGRAM_BATCH {
        let mut header: libc::msghdr = zeroed();
        // SAFETY: the header points to nothing.
        if unsafe { receive(fd, &mut header, libc::MSG_ERRQUEUE) }.is_err() {
            return;
        }
    }
}

/// The address family of a socket that other code made.
pub(crate) fn family(fd: c_int) -> Result<c_int> {
    socket::get_option(fd, libc::SOL_SOCKET, libc::SO_DOMAIN)
}
