//! UDP: sending.
//!
//! A request goes through two queues of its handle: `write_queue` until its datagram is sent, then
//! `write_completed_queue` until it calls back in the pending phase. The first request is sent
//! within the call. Those that come before it has called back wait for the pending phase, which
//! sends them in batches. Datagrams that the kernel does not take wait until the socket is
//! writable.
//!
//! The request and its copy of the list of buffers belong to the handle until the callback.

use core::ffi::{c_int, c_uint};

use super::Udp;
use crate::abi::*;
use crate::backend::ready;
use crate::buffers::{Buffers, KeptBuffers};
use crate::errors::{Errno, IntoCode, Result};
use crate::list::{linked, local};
use crate::net::sockaddr::Address;
use crate::observe::{self, Event, call_back};
use crate::request::Request;
use crate::sys::udp::{self, Batch, DATAGRAM_BATCH, Outgoing};
use crate::view::{addr, get, set, upcast, view};

view!(
    /// A datagram being sent.
    SendRequest => uv_udp_send_t
);
linked!(link: SendRequest in uv_udp_send_t.queue);

impl SendRequest {
    upcast!(request: Request);

    fn kept(self) -> KeptBuffers {
        let (list, count) = (addr!(self.bufs), addr!(self.nbufs));
        // SAFETY: members of a live request, whose list is set by `keep` when it is sent.
        unsafe { KeptBuffers::new(list, count, addr!(self.bufsml)) }
    }

    fn size(self) -> usize {
        self.kept().buffers().total()
    }

    fn keep_address(self, address: Option<Address>) {
        match address {
            Some(address) => set!(self.u.storage = address.copy()),
            None => set!(self.u.storage.ss_family = libc::AF_UNSPEC as libc::sa_family_t),
        }
    }

    fn datagram(self) -> Datagram {
        Datagram {
            buffers: self.kept().buffers(),
            // SAFETY: `keep_address` left an address of a known family, or of none.
            address: unsafe { Address::any_from_ptr(addr!(self.u.addr)) }.ok(),
        }
    }

    fn invoke(self, status: c_int) {
        if let Some(callback) = get!(self.send_cb) {
            // SAFETY: the user's callback gets the request it was given for, which nothing here
            // touches afterwards.
            unsafe { call_back!(UdpSend: callback(self.raw(), status)) }
        }
    }
}

/// A datagram to be sent: to the handle's peer if it has no address.
struct Datagram {
    buffers: Buffers,
    address: Option<Address>,
}

impl Datagram {
    fn outgoing(&self) -> Outgoing {
        let address = self.address;
        let (peer, length) =
            address.map_or((core::ptr::null(), 0), |to| (to.as_ptr(), to.length()));
        // SAFETY: the maker of the view vouches for the address while the datagram is sent.
        unsafe { Outgoing::new(self.buffers, peer, length) }
    }
}

impl Udp {
    /// Checks that a datagram may be sent to `address`, which may be null.
    ///
    /// # Safety
    /// `address` must be null or as long as its family says, while the result is used.
    unsafe fn destination(self, address: *const libc::sockaddr) -> Result<Option<Address>> {
        self.check_not_closing()?;
        match (address.is_null(), self.is_connected()) {
            (true, true) => Ok(None),
            (true, false) => Err(Errno::EDESTADDRREQ),
            (false, true) => Err(Errno::EISCONN),
            // SAFETY: the caller vouches for the address.
            (false, false) => unsafe { Address::any_from_ptr(address) }.map(Some),
        }
    }

    /// Checks a datagram, and makes a socket to send from if there is none.
    ///
    /// # Safety
    /// The requirements of [`Udp::destination`] apply.
    unsafe fn prepare_to_send(
        self,
        buffers: Buffers,
        address: *const libc::sockaddr,
    ) -> Result<Datagram> {
        buffers.check()?;
        // SAFETY: the caller vouches for the address.
        let address = unsafe { self.destination(address) }?;
        if let Some(address) = address {
            self.ensure_bound(address.family(), 0)?;
        }
        Ok(Datagram { buffers, address })
    }

    fn send(self, request: SendRequest, datagram: &Datagram, callback: uv_udp_send_cb) -> Result {
        request.kept().keep(datagram.buffers)?;
        request.keep_address(datagram.address);
        set!(request.handle = self.raw());
        set!(request.send_cb = callback);
        set!(request.status = 0);
        request.request().start(self.event_loop(), UV_UDP_SEND);

        let is_first = !self.has_requests();
        set!(self.send_queue_size = get!(self.send_queue_size).wrapping_add(request.size()));
        set!(self.send_queue_count = get!(self.send_queue_count) + 1);
        self.unsent().push_back(request);
        self.handle().start();
        if is_first {
            self.send_unsent();
        }
        if !self.io().wants(ready::WRITABLE) {
            self.io().feed(self.event_loop());
        }
        Ok(())
    }

    /// Sends the datagrams that the kernel takes; the rest waits until the socket is writable.
    pub(super) fn send_unsent(self) {
        while !self.unsent().is_empty() {
            match self.send_batch() {
                Ok(count) => (0..count).for_each(|_| self.complete_first(0)),
                Err(Errno::EAGAIN) => break,
                Err(error) => self.complete_first(error.code()),
            }
        }
        if self.unsent().is_empty() {
            self.io().stop(self.event_loop(), ready::WRITABLE);
        } else {
            self.io().start(self.event_loop(), ready::WRITABLE);
        }
    }

    fn send_batch(self) -> Result<usize> {
        let mut batch = Batch::new();
        for request in self.unsent().iter().take(DATAGRAM_BATCH) {
            batch.push(request.datagram().outgoing());
        }
        batch.send(self.fd())
    }

    fn complete_first(self, status: c_int) {
        if let Some(request) = self.unsent().pop_front() {
            set!(request.status = status as isize);
            if status == 0 {
                observe::report(Event::Sent, 0, self.raw(), request.size());
            }
            self.completed().push_back(request);
        }
    }

    pub(super) fn cancel_unsent(self) {
        while !self.unsent().is_empty() {
            self.complete_first(UV_ECANCELED);
        }
    }

    /// Calls back for the requests that are completed. Those that callbacks add wait for the next
    /// pending phase: otherwise sending from the callback would keep the loop from everything else.
    pub(super) fn run_send_callbacks(self) {
        let event_loop = self.event_loop();
        local!(due);
        self.completed().take(due);
        while let Some(request) = due.pop_front() {
            set!(self.send_queue_size = get!(self.send_queue_size).wrapping_sub(request.size()));
            set!(self.send_queue_count = get!(self.send_queue_count) - 1);
            request.kept().release();
            request.request().finish(event_loop);
            request.invoke(get!(request.status) as c_int);
        }
        self.stop_if_idle();
    }

    fn try_send(self, datagram: &Datagram) -> Result<c_int> {
        if self.has_requests() {
            return Err(Errno::EAGAIN);
        }
        let size = udp::send(self.fd(), &datagram.outgoing())?;
        observe::report(Event::Sent, 0, self.raw(), size);
        Ok(size as c_int)
    }

    /// # Safety
    /// The arrays must be readable for `all.count` elements, and those lead to buffers and
    /// addresses; `all.addresses` may be null.
    unsafe fn try_send_many(self, all: &Datagrams) -> Result<c_int> {
        self.check_not_closing()?;
        if !self.is_open() {
            return Err(Errno::EINVAL);
        }
        for at in 0..all.count {
            // SAFETY: the caller vouches for the arrays.
            unsafe { all.get(self, at) }?;
        }
        if self.has_requests() {
            return Err(Errno::EAGAIN);
        }
        let mut sent = 0;
        while sent < all.count {
            let mut batch = Batch::new();
            for at in (sent..all.count).take(DATAGRAM_BATCH) {
                // SAFETY: the caller vouches for the arrays.
                batch.push(unsafe { all.get(self, at) }?.outgoing());
            }
            match batch.send(self.fd()) {
                Ok(count) => {
                    sent += count;
                    if count < batch.count() {
                        break;
                    }
                }
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent as c_int)
    }
}

/// The arrays that `uv_udp_try_send2` takes.
struct Datagrams {
    count: usize,
    bufs: *mut *mut uv_buf_t,
    nbufs: *mut c_uint,
    addresses: *mut *mut libc::sockaddr,
}

impl Datagrams {
    /// # Safety
    /// `at` must be below the count, the arrays as `try_send_many` wants them.
    unsafe fn get(&self, from: Udp, at: usize) -> Result<Datagram> {
        // SAFETY: the caller vouches for the arrays.
        let buffers = unsafe { Buffers::new(*self.bufs.add(at), *self.nbufs.add(at)) };
        let address = if self.addresses.is_null() {
            core::ptr::null_mut()
        } else {
            // SAFETY: the caller vouches for the array.
            unsafe { *self.addresses.add(at) }
        };
        // SAFETY: the caller vouches for the address.
        let address = unsafe { from.destination(address) }?;
        buffers.check()?;
        Ok(Datagram { buffers, address })
    }
}

// C entry points

/// Sends the buffers as one datagram to `addr`, or, if the handle is connected, to its peer (`addr`
/// is `NULL` then). A handle without a socket is bound to any address and a free port first. The
/// list of buffers is copied; their contents must stay until `send_cb`, which gets the result.
///
/// Returns 0 or an error; after an error `send_cb` is not called: `UV_EDESTADDRREQ` without an
/// address when not connected, `UV_EISCONN` with one when connected, `UV_EINVAL` for no buffers or
/// another address family, `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_send>
///
/// # Safety
/// `handle` must be initialised, `req` writable and in place until the callback, `bufs` readable
/// for `nbufs` buffers, `addr` `NULL` or an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_send(
    req: *mut uv_udp_send_t,
    handle: *mut uv_udp_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    addr: *const libc::sockaddr,
    send_cb: uv_udp_send_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        Udp::from_ptr(handle).expected().and_then(|udp| {
            let datagram = udp.prepare_to_send(Buffers::new(bufs, nbufs), addr)?;
            udp.send(SendRequest::from_ptr(req), &datagram, send_cb)
        })
    }
    .into_code()
}

/// Sends the buffers as one datagram, as `uv_udp_send` does, but at once or not at all.
///
/// Returns the number of bytes sent, or an error: `UV_EAGAIN` when it cannot be sent now, or
/// requests of `uv_udp_send` are before it; `UV_EMSGSIZE`; or one of `uv_udp_send`.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_try_send>
///
/// # Safety
/// `handle` must be initialised, `bufs` readable for `nbufs` buffers, `addr` `NULL` or an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_try_send(
    handle: *mut uv_udp_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    addr: *const libc::sockaddr,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        Udp::from_ptr(handle).expected().and_then(|udp| {
            let datagram = udp.prepare_to_send(Buffers::new(bufs, nbufs), addr)?;
            udp.try_send(&datagram)
        })
    }
    .into_code()
}

/// Sends `count` datagrams, in order, as `uv_udp_try_send` sends one: the one at index i consists
/// of the `nbufs[i]` buffers at `bufs[i]` and goes to `addrs[i]`. The handle must be bound; `flags`
/// must be 0.
///
/// Returns how many of the leading datagrams were sent: 0 only if `count` is 0. Or an error, and
/// then none was: `UV_EAGAIN`, `UV_EINVAL`, or one of `uv_udp_try_send`.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_try_send2>
///
/// # Safety
/// `handle` must be initialised; the arrays must have `count` elements, and those be as
/// `uv_udp_try_send` wants them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_try_send2(
    handle: *mut uv_udp_t,
    count: c_uint,
    bufs: *mut *mut uv_buf_t,
    nbufs: *mut c_uint,
    addrs: *mut *mut libc::sockaddr,
    flags: c_uint,
) -> c_int {
    if flags != 0 || count > c_int::MAX as c_uint {
        return UV_EINVAL;
    }
    let all = Datagrams {
        count: count as usize,
        bufs,
        nbufs,
        addresses: addrs,
    };
    // SAFETY: common pointer contract.
    unsafe {
        Udp::from_ptr(handle)
            .expected()
            .and_then(|udp| udp.try_send_many(&all))
    }
    .into_code()
}

/// The number of bytes of requests that have not called back yet, `handle->send_queue_size`.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_get_send_queue_size>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_get_send_queue_size(handle: *const uv_udp_t) -> usize {
    // SAFETY: common pointer contract.
    let udp = unsafe { Udp::from_ptr(handle) };
    get!(udp.send_queue_size)
}

/// The number of requests that have not called back yet, `handle->send_queue_count`.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_get_send_queue_count>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_get_send_queue_count(handle: *const uv_udp_t) -> usize {
    // SAFETY: common pointer contract.
    let udp = unsafe { Udp::from_ptr(handle) };
    get!(udp.send_queue_count)
}
