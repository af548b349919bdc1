//! UDP: receiving.
//!
//! Before each receipt the program is asked for a buffer, which is handed back to it in the receive
//! callback whatever came of it. With `UV_UDP_RECVMMSG` one buffer takes several datagrams, a chunk
//! of it each (`UV_UDP_MMSG_CHUNK`), and is handed back by a last callback (`UV_UDP_MMSG_FREE`).
//!
//! Every callback may stop the receiving, start it anew with other callbacks, or close the handle,
//! so what it left is looked at after each one. Whatever it did, a buffer goes back to the receive
//! callback that was set when the buffer was asked for. Stopping or closing in the middle of a
//! buffer's chunks ends the datagrams there; the others of the buffer are lost.

use core::ffi::{c_int, c_uint, c_void};

use super::Udp;
use crate::abi::*;
use crate::backend::ready;
use crate::errors::{Errno, IntoCode, Result};
use crate::handle::flags;
use crate::sys::udp::{self as datagram, DATAGRAM_BATCH};
use crate::view::{get, set};

/// The largest datagram there is, and so the size of a chunk.
const CHUNK: usize = 64 * 1024;
/// How many datagrams are received before others get their turn.
const RECEIVE_BUDGET: usize = 32;

const NO_ADDRESS: *const libc::sockaddr = core::ptr::null();

/// A sender's address, which the kernel writes. It stays as it is, of no family, where the sender has
/// none, such as a Unix socket without a name.
// SAFETY: all-zero is an address of no family.
const NO_PEER: libc::sockaddr_storage = unsafe { core::mem::zeroed() };

/// The sender of a received datagram: never null, which would say that there was no datagram.
fn sender(header: &libc::msghdr) -> *const libc::sockaddr {
    header.msg_name.cast_const().cast()
}

/// Memory that the program lends for a receipt.
struct Lent {
    buffer: uv_buf_t,
    /// The callback that it goes back to.
    owner: uv_udp_recv_cb,
}

fn partial(header: &libc::msghdr) -> c_uint {
    if header.msg_flags & libc::MSG_TRUNC != 0 {
        UV_UDP_PARTIAL
    } else {
        0
    }
}

impl Udp {
    pub(super) fn is_receiving(self) -> bool {
        get!(self.recv_cb).is_some() && !self.handle().is_closing()
    }

    fn start_receiving(self, alloc: uv_alloc_cb, callback: uv_udp_recv_cb) -> Result {
        if alloc.is_none() || callback.is_none() {
            return Err(Errno::EINVAL);
        }
        self.check_not_closing()?;
        if self.is_receiving() {
            return Err(Errno::EALREADY);
        }
        self.ensure_bound(libc::AF_INET, 0)?;
        set!(self.alloc_cb = alloc);
        set!(self.recv_cb = callback);
        self.io().start(self.event_loop(), ready::READABLE);
        self.handle().start();
        Ok(())
    }

    fn stop_receiving(self) {
        self.io().stop(self.event_loop(), ready::READABLE);
        set!(self.alloc_cb = None);
        set!(self.recv_cb = None);
        if !self.handle().is_closing() {
            self.settle();
        }
    }

    /// Receives what is there, within the budget; an error if a receipt failed, which was told.
    pub(super) fn receive(self) -> Result {
        let mut budget = RECEIVE_BUDGET;
        while budget > 0 && self.is_receiving() {
            let Some(lent) = self.allocate() else {
                break;
            };
            let received = if self.handle().has(flags::UDP_RECVMMSG) {
                self.receive_chunks(&lent, budget)
            } else {
                self.receive_one(&lent)
            };
            match received {
                Ok(0) | Err(Errno::EAGAIN) => break,
                Ok(count) => budget = budget.saturating_sub(count),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Asks the program for a buffer. Without one, or if it stopped, closed or gave the receiving to
    /// another callback meanwhile, that is the end of it.
    fn allocate(self) -> Option<Lent> {
        let owner = get!(self.recv_cb);
        let mut buffer = uv_buf_t {
            base: core::ptr::null_mut(),
            len: 0,
        };
        if let Some(callback) = get!(self.alloc_cb) {
            // SAFETY: the user's callback gets the handle it was registered for, and a buffer to
            // fill in.
            unsafe { callback(self.raw().cast(), CHUNK, &mut buffer) };
        }
        let lent = Lent { buffer, owner };
        if !self.is_receiving_for(owner) {
            if !buffer.base.is_null() {
                self.hand_back(&lent, 0, 0);
            }
            return None;
        }
        if buffer.base.is_null() || buffer.len == 0 {
            self.hand_back(&lent, UV_ENOBUFS as isize, 0);
            return None;
        }
        Some(lent)
    }

    /// Whether it receives, and that callback is still the one to be told.
    fn is_receiving_for(self, callback: uv_udp_recv_cb) -> bool {
        let address = |callback: uv_udp_recv_cb| callback.map(|function| function as usize);
        self.is_receiving() && address(get!(self.recv_cb)) == address(callback)
    }

    /// Receives a datagram; how many that were.
    fn receive_one(self, lent: &Lent) -> Result<usize> {
        let mut peer = NO_PEER;
        let mut part = to_iovec(&lent.buffer);
        let mut header = header_for(&mut peer, &mut part);
        // SAFETY: the header points to `peer` and to the user's buffer.
        let size = unsafe { datagram::receive(self.fd(), &mut header, 0) }
            .inspect_err(|&error| self.report(lent, error))?;
        let (size, about) = (size as isize, partial(&header));
        self.invoke(lent.owner, size, &lent.buffer, sender(&header), about);
        Ok(1)
    }

    /// Receives datagrams into the chunks of one buffer; how many that were.
    fn receive_chunks(self, lent: &Lent, budget: usize) -> Result<usize> {
        let chunks = (lent.buffer.len / CHUNK).min(DATAGRAM_BATCH).min(budget);
        if chunks == 0 {
            self.hand_back(lent, UV_EINVAL as isize, 0);
            return Ok(0);
        }
        let mut peers = [NO_PEER; DATAGRAM_BATCH];
        let mut parts = [to_iovec(&lent.buffer); DATAGRAM_BATCH];
        let mut headers = [libc::mmsghdr {
            msg_hdr: datagram::header(core::ptr::null_mut(), 0, core::ptr::null_mut(), 0),
            msg_len: 0,
        }; DATAGRAM_BATCH];
        for at in 0..chunks {
            parts[at] = to_iovec(&chunk(&lent.buffer, at));
            headers[at].msg_hdr = header_for(&mut peers[at], &mut parts[at]);
        }
        let headers = &mut headers[..chunks];
        // SAFETY: the headers point to `peers` and to the chunks of the user's buffer.
        let received = match unsafe { datagram::receive_many(self.fd(), headers) } {
            Ok(0) => Err(Errno::EAGAIN),
            result => result,
        };
        let count = received.inspect_err(|&error| self.report(lent, error))?;
        let count = count.min(chunks);
        for (at, message) in headers[..count].iter().enumerate() {
            if !self.is_receiving() {
                break;
            }
            self.report_chunk(&chunk(&lent.buffer, at), message);
        }
        self.hand_back(lent, 0, UV_UDP_MMSG_FREE);
        Ok(count)
    }

    fn report_chunk(self, chunk: &uv_buf_t, message: &libc::mmsghdr) {
        let (header, size) = (&message.msg_hdr, message.msg_len as isize);
        let about = UV_UDP_MMSG_CHUNK | partial(header);
        self.invoke(get!(self.recv_cb), size, chunk, sender(header), about);
    }

    /// Receives the errors that the network reported (`UV_UDP_LINUX_RECVERR`).
    pub(super) fn receive_errors(self) {
        for _ in 0..RECEIVE_BUDGET {
            if !self.is_receiving() {
                return;
            }
            let Some(lent) = self.allocate() else {
                return;
            };
            let mut peer = NO_PEER;
            let mut part = to_iovec(&lent.buffer);
            let mut control = datagram::Control::new();
            let mut header = header_for(&mut peer, &mut part);
            control.attach(&mut header);
            // SAFETY: the header points to `peer`, `control` and to the user's buffer.
            let result = unsafe { datagram::receive(self.fd(), &mut header, libc::MSG_ERRQUEUE) };
            if let Err(error) = result {
                self.report(&lent, error);
                return;
            }
            // SAFETY: as the kernel left it.
            let Some(reported) = (unsafe { datagram::reported_error(&header) }) else {
                // A time stamp, say: nothing for this callback but the unused buffer.
                self.report(&lent, Errno::EAGAIN);
                continue;
            };
            let offender = (&raw const reported.offender).cast::<libc::sockaddr>();
            let address = if c_int::from(reported.offender.ss_family) == libc::AF_UNSPEC {
                sender(&header)
            } else {
                offender
            };
            let code = reported.error.code() as isize;
            self.invoke(
                lent.owner,
                code,
                &lent.buffer,
                address,
                UV_UDP_LINUX_RECVERR,
            );
        }
    }

    /// Hands a buffer back that nothing was received into: 0 says that there is nothing more.
    fn report(self, lent: &Lent, error: Errno) {
        if error == Errno::EBADF {
            // Closed behind the loop's back: there is nothing to wait for.
            self.stop_receiving();
        }
        match error {
            Errno::EAGAIN => self.hand_back(lent, 0, 0),
            error => self.hand_back(lent, error.code() as isize, 0),
        }
    }

    fn hand_back(self, lent: &Lent, code: isize, about: c_uint) {
        self.invoke(lent.owner, code, &lent.buffer, NO_ADDRESS, about);
    }

    fn invoke(
        self,
        callback: uv_udp_recv_cb,
        size: isize,
        buffer: &uv_buf_t,
        address: *const libc::sockaddr,
        about: c_uint,
    ) {
        if let Some(callback) = callback {
            // SAFETY: the user's callback gets the handle it was registered for, with a buffer
            // and an address that live as long as the call.
            unsafe { callback(self.raw(), size, buffer, address, about) }
        }
    }
}

fn to_iovec(buffer: &uv_buf_t) -> libc::iovec {
    libc::iovec {
        iov_base: buffer.base.cast::<c_void>(),
        iov_len: buffer.len,
    }
}

/// The part of a buffer for the datagram of that number.
fn chunk(buffer: &uv_buf_t, at: usize) -> uv_buf_t {
    uv_buf_t {
        base: buffer.base.wrapping_add(at * CHUNK),
        len: CHUNK,
    }
}

fn header_for(peer: &mut libc::sockaddr_storage, part: &mut libc::iovec) -> libc::msghdr {
    let room = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    datagram::header((&raw mut *peer).cast(), room, part, 1)
}

// C entry points

/// Starts to receive. Before each receipt `alloc_cb` is asked for a buffer; `recv_cb` gets what was
/// received, the sender, and flags: `UV_UDP_PARTIAL` (the buffer was too small, the rest is lost),
/// `UV_UDP_MMSG_CHUNK`, `UV_UDP_MMSG_FREE`, `UV_UDP_LINUX_RECVERR`. A size of 0 means an empty
/// datagram if there is a sender (of family `AF_UNSPEC` if it has no address), and otherwise that
/// there is nothing more to read; a negative one is an error, `UV_ENOBUFS` when there was no buffer.
/// With `UV_UDP_RECVMMSG`, a buffer below 64 KiB is refused with `UV_EINVAL`. A handle without a
/// socket is bound to any address and a free port first.
///
/// Returns 0 or an error: `UV_EALREADY` when it receives already, `UV_EINVAL` without callbacks.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_recv_start>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_recv_start(
    handle: *mut uv_udp_t,
    alloc_cb: uv_alloc_cb,
    recv_cb: uv_udp_recv_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle) }
        .expected()
        .and_then(|udp| udp.start_receiving(alloc_cb, recv_cb))
        .into_code()
}

/// Non-zero when several datagrams are received at a time: the handle was made with
/// `UV_UDP_RECVMMSG`, and the system can do it.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_using_recvmmsg>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_using_recvmmsg(handle: *const uv_udp_t) -> c_int {
    // SAFETY: common pointer contract.
    let udp = unsafe { Udp::from_ptr(handle) };
    udp.handle().has(flags::UDP_RECVMMSG).into()
}

/// Stops receiving: neither callback is called any more, but to hand back a buffer when it is
/// `alloc_cb` that stops, or `recv_cb` within a buffer's chunks. Returns 0, also if it did not
/// receive.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_recv_stop>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_recv_stop(handle: *mut uv_udp_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle) }
        .expected()
        .map(Udp::stop_receiving)
        .into_code()
}
