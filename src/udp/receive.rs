//! UDP: receiving.
//!
//! Before each receipt the program is asked for a buffer, which is returned to it in the receive
//! callback, whatever the result. With `UV_UDP_RECVMMSG` one buffer takes several datagrams, each
//! in a chunk of it (`UV_UDP_MMSG_CHUNK`), and is returned by a last callback (`UV_UDP_MMSG_FREE`).
//!
//! Every callback may stop the receiving, start it anew with other callbacks, or close the handle.
//! So the state is read again after each one. In any case a buffer is returned to the receive
//! callback that was set when the buffer was asked for. Stopping or closing in the middle of a
//! buffer's chunks ends the datagrams there; the others of the buffer are lost.

use core::ffi::{c_int, c_uint};

use super::Udp;
use crate::abi::*;
use crate::backend::ready;
use crate::buffers::Buffers;
use crate::errors::{Errno, IntoCode, Result};
use crate::handle::flags;
use crate::observe::{self, Event, call_back};
use crate::sys::udp::{self as datagram, DATAGRAM_BATCH};
use crate::view::{get, set};
use crate::zeroed::zeroed;

/// The size of a chunk, in bytes: as large as any datagram.
const CHUNK_BYTES: usize = 64 * 1024;
/// How many datagrams are received before other watchers of the loop get their turn.
const RECEIVE_BUDGET: usize = 32;

const NO_ADDRESS: *const libc::sockaddr = core::ptr::null();

/// Memory for a sender's address, which the kernel writes. It stays as it is, of no family, where
/// the sender has no address, such as a Unix socket without a name.
const NO_PEER: libc::sockaddr_storage = zeroed();

/// The sender of a received datagram. Never null, which would mean that there was no datagram.
fn sender(header: &libc::msghdr) -> *const libc::sockaddr {
    header.msg_name.cast_const().cast()
}

/// A buffer of the program's for one receipt.
struct Provided {
    buffer: uv_buf_t,
    /// The callback that it is returned to.
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
            self.stop_if_idle();
        }
    }

    /// Receives what is there, within the budget; an error if a receipt failed, which was reported.
    pub(super) fn receive(self) -> Result {
        let mut budget = RECEIVE_BUDGET;
        while budget > 0 && self.is_receiving() {
            let Some(provided) = self.allocate() else {
                break;
            };
            let received = if self.handle().has(flags::UDP_RECVMMSG) {
                self.receive_chunks(&provided, budget)
            } else {
                self.receive_one(&provided)
            };
            match received {
                Ok(0) | Err(Errno::EAGAIN) => break,
                Ok(count) => budget = budget.saturating_sub(count),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Asks the program for a buffer. `None` without one, or if the program stopped, closed or
    /// registered another callback meanwhile.
    fn allocate(self) -> Option<Provided> {
        let owner = get!(self.recv_cb);
        let mut buffer = uv_buf_t {
            base: core::ptr::null_mut(),
            len: 0,
        };
        if let Some(callback) = get!(self.alloc_cb) {
            // SAFETY: the user's callback gets the handle it was registered for, and a buffer to
            // fill in.
            unsafe { call_back!(Alloc: callback(self.raw().cast(), CHUNK_BYTES, &mut buffer)) };
        }
        let provided = Provided { buffer, owner };
        if !self.is_receiving_for(owner) {
            if !buffer.base.is_null() {
                self.return_buffer(&provided, 0, 0);
            }
            return None;
        }
        if buffer.base.is_null() || buffer.len == 0 {
            self.return_buffer(&provided, UV_ENOBUFS as isize, 0);
            return None;
        }
        Some(provided)
    }

    /// Whether the handle receives, and `callback` is still the receive callback.
    fn is_receiving_for(self, callback: uv_udp_recv_cb) -> bool {
        let address = |callback: uv_udp_recv_cb| callback.map(|function| function as usize);
        self.is_receiving() && address(get!(self.recv_cb)) == address(callback)
    }

    /// Receives a datagram; returns how many there were.
    fn receive_one(self, provided: &Provided) -> Result<usize> {
        let mut peer = NO_PEER;
        let mut header = header_for(&mut peer, &provided.buffer);
        // SAFETY: the header points to `peer` and to the user's buffer.
        let size = unsafe { datagram::receive(self.fd(), &mut header, 0) }
            .inspect_err(|&error| self.report(provided, error))?;
        observe::report(Event::Received, 0, self.raw(), size);
        let (size, about) = (size as isize, partial(&header));
        self.invoke(
            provided.owner,
            size,
            &provided.buffer,
            sender(&header),
            about,
        );
        Ok(1)
    }

    /// Receives datagrams into the chunks of one buffer; returns how many there were.
    fn receive_chunks(self, provided: &Provided, budget: usize) -> Result<usize> {
        let chunks = (provided.buffer.len / CHUNK_BYTES)
            .min(DATAGRAM_BATCH)
            .min(budget);
        if chunks == 0 {
            self.return_buffer(provided, UV_EINVAL as isize, 0);
            return Ok(0);
        }
        let mut peers = [NO_PEER; DATAGRAM_BATCH];
        let mut parts = [provided.buffer; DATAGRAM_BATCH];
        let mut headers = [libc::mmsghdr {
            msg_hdr: zeroed(),
            msg_len: 0,
        }; DATAGRAM_BATCH];
        for at in 0..chunks {
            parts[at] = chunk(&provided.buffer, at);
            headers[at].msg_hdr = header_for(&mut peers[at], &parts[at]);
        }
        let headers = &mut headers[..chunks];
        // SAFETY: the headers point to `peers` and to the chunks of the user's buffer.
        let received = match unsafe { datagram::receive_many(self.fd(), headers) } {
            Ok(0) => Err(Errno::EAGAIN),
            result => result,
        };
        let count = received.inspect_err(|&error| self.report(provided, error))?;
        let count = count.min(chunks);
        for (at, message) in headers[..count].iter().enumerate() {
            if !self.is_receiving() {
                break;
            }
            self.report_chunk(&parts[at], message);
        }
        self.return_buffer(provided, 0, UV_UDP_MMSG_FREE);
        Ok(count)
    }

    fn report_chunk(self, chunk: &uv_buf_t, message: &libc::mmsghdr) {
        let (header, size) = (&message.msg_hdr, message.msg_len as isize);
        observe::report(Event::Received, 0, self.raw(), message.msg_len as usize);
        let about = UV_UDP_MMSG_CHUNK | partial(header);
        self.invoke(get!(self.recv_cb), size, chunk, sender(header), about);
    }

    /// Receives the errors that the network reported (`UV_UDP_LINUX_RECVERR`).
    pub(super) fn receive_errors(self) {
        for _ in 0..RECEIVE_BUDGET {
            if !self.is_receiving() {
                return;
            }
            let Some(provided) = self.allocate() else {
                return;
            };
            let mut peer = NO_PEER;
            let mut control = datagram::Control::new();
            let mut header = header_for(&mut peer, &provided.buffer);
            control.attach(&mut header);
            // SAFETY: the header points to `peer`, `control` and to the user's buffer.
            let result = unsafe { datagram::receive(self.fd(), &mut header, libc::MSG_ERRQUEUE) };
            if let Err(error) = result {
                self.report(&provided, error);
                return;
            }
            // SAFETY: as the kernel left it.
            let Some(reported) = (unsafe { datagram::reported_error(&header) }) else {
                // It is not an error, but a time stamp, for example: only the unused buffer is
                // returned.
                self.report(&provided, Errno::EAGAIN);
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
                provided.owner,
                code,
                &provided.buffer,
                address,
                UV_UDP_LINUX_RECVERR,
            );
        }
    }

    /// Returns a buffer that nothing was received into; `UV_EAGAIN` is reported as 0, nothing more
    /// to read.
    fn report(self, provided: &Provided, error: Errno) {
        if error == Errno::EBADF {
            // The descriptor was closed by other code: there is nothing to wait for.
            self.stop_receiving();
        }
        match error {
            Errno::EAGAIN => self.return_buffer(provided, 0, 0),
            error => self.return_buffer(provided, error.code() as isize, 0),
        }
    }

    fn return_buffer(self, provided: &Provided, code: isize, about: c_uint) {
        self.invoke(provided.owner, code, &provided.buffer, NO_ADDRESS, about);
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
            unsafe { call_back!(UdpReceive: callback(self.raw(), size, buffer, address, about)) }
        }
    }
}

/// The chunk of a buffer for the datagram of that number.
fn chunk(buffer: &uv_buf_t, at: usize) -> uv_buf_t {
    uv_buf_t {
        base: buffer.base.wrapping_add(at * CHUNK_BYTES),
        len: CHUNK_BYTES,
    }
}

fn header_for(peer: &mut libc::sockaddr_storage, buffer: &uv_buf_t) -> libc::msghdr {
    let room = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: the user provided the buffer, and the callers' headers do not outlive it.
    let buffers = unsafe { Buffers::one(buffer) };
    datagram::header((&raw mut *peer).cast(), room, buffers)
}

// C entry points

/// Starts to receive. Before each receipt `alloc_cb` is asked for a buffer. `recv_cb` gets what was
/// received, the sender, and flags: `UV_UDP_PARTIAL` (the buffer was too small, the rest is lost),
/// `UV_UDP_MMSG_CHUNK`, `UV_UDP_MMSG_FREE`, `UV_UDP_LINUX_RECVERR`. A size of 0 means an empty
/// datagram if there is a sender (of family `AF_UNSPEC` if it has no address). Without a sender it
/// means that there is nothing more to read. A negative size is an error, `UV_ENOBUFS` when there
/// was no buffer. With `UV_UDP_RECVMMSG`, a buffer below 64 KiB is refused with `UV_EINVAL`. A
/// handle without a socket is bound to any address and a free port first.
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

/// Stops receiving: neither callback is called any more. The exception is a buffer that has to be
/// returned, if `alloc_cb` stops, or `recv_cb` within a buffer's chunks. Returns 0, also if it did
/// not receive.
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
