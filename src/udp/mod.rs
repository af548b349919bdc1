//! UDP sockets: making, binding and connecting them, and their options.
//!
//! A handle has no descriptor (−1) until it is bound, opened or, where that is documented, used. It
//! is active while it receives, and while requests of it have not called back. Closing closes the
//! descriptor at once; requests that are still queued get their callbacks with `UV_ECANCELED` right
//! before the close callback.
//!
//! Sending is in `send`, receiving in `receive`, multicast in `multicast`.
//!
//! <https://docs.libuv.org/en/v1.x/udp.html>

pub(crate) mod multicast;
pub(crate) mod receive;
pub(crate) mod send;

use core::ffi::{c_int, c_uint};

use crate::abi::*;
use crate::backend::ready;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::event_loop::io::{Io, Watcher, is_watched};
use crate::handle::{Handle, downcast, flags};
use crate::list::List;
use crate::net::sockaddr::Address;
use crate::sys::fd as descriptor;
use crate::sys::socket::{self, End, set_option};
use crate::sys::udp as datagram;
use crate::view::{container, get, member, set, upcast, view};
use crate::zeroed::zeroed;
use send::SendRequest;

view!(
    /// A UDP socket.
    Udp => uv_udp_t
);

// Basics for the other parts.
impl Udp {
    upcast!(handle: Handle);
    downcast!(pub(crate) of: UV_UDP);

    member!(io: Io = io_watcher);
    container!(pub(crate) from_io: Io in uv_udp_t.io_watcher);

    fn fd(self) -> c_int {
        self.io().fd()
    }

    fn event_loop(self) -> Loop {
        self.handle().event_loop()
    }

    fn is_open(self) -> bool {
        self.fd() != -1
    }

    fn is_connected(self) -> bool {
        self.handle().has(flags::UDP_CONNECTED)
    }

    /// `UV_EINVAL` for another kind of handle, which may have no descriptor where this one has it.
    #[inline]
    fn expected(self) -> Result<Udp> {
        self.handle().expect(UV_UDP).map(|()| self)
    }

    fn is_ipv6(self) -> bool {
        self.handle().has(flags::IPV6)
    }

    member!(
        /// Requests whose datagrams are not sent.
        unsent: List<SendRequest> = write_queue
    );
    member!(
        /// Requests whose callback is due.
        completed: List<SendRequest> = write_completed_queue
    );

    /// Whether requests wait for being sent or for their callback.
    fn has_requests(self) -> bool {
        get!(self.send_queue_count) != 0
    }

    /// Makes the handle inactive if it neither receives nor has requests.
    fn stop_if_idle(self) {
        if !self.is_receiving() && !self.has_requests() {
            self.handle().stop();
        }
    }

    /// Handles readiness, or the pending phase when a request is completed.
    pub(crate) fn on_io(self, readiness: u32) {
        let is_error = readiness & ready::ERROR != 0;
        if readiness & (ready::READABLE | ready::ERROR | ready::HANG_UP) != 0 {
            let received = self.receive();
            if is_error {
                self.receive_errors();
            } else if received.is_err() {
                // The error is not the network's, and so may last.
                self.io().back_off(self.event_loop());
            }
        }
        if readiness & (ready::WRITABLE | ready::ERROR | ready::HANG_UP) != 0 && self.is_open() {
            self.send_unsent();
            if is_error && !self.is_receiving() && !self.unsent().is_empty() {
                // The program does not receive them, and the poller would report them for ever.
                datagram::discard_errors(self.fd());
            }
            self.run_send_callbacks();
        }
    }

    pub(crate) fn close(self) {
        self.io().close(self.event_loop());
        self.handle().stop();
        if self.is_open() {
            descriptor::close_quietly(self.fd());
            set!(self.io_watcher.fd = -1);
        }
    }

    pub(crate) fn finish_close(self) {
        self.cancel_unsent();
        self.run_send_callbacks();
        set!(self.recv_cb = None);
        set!(self.alloc_cb = None);
    }
}

// Making, binding and connecting.
impl Udp {
    /// Initialises the handle as `uv_udp_init_ex` does, with options that [`check_init`] has
    /// accepted.
    fn init(self, event_loop: Loop, options: c_uint) -> Result {
        let family = (options & 0xff) as c_int;
        let handle = self.handle();
        handle.init(event_loop, UV_UDP);
        set!(self.send_queue_size = 0);
        set!(self.send_queue_count = 0);
        set!(self.alloc_cb = None);
        set!(self.recv_cb = None);
        self.io().init(Watcher::Udp, -1);
        self.unsent().init();
        self.completed().init();
        if options & UV_UDP_RECVMMSG != 0 {
            handle.add(flags::UDP_RECVMMSG);
        }
        if family != libc::AF_UNSPEC {
            self.ensure_socket(family)
                .inspect_err(|_| handle.uninit())?;
        }
        Ok(())
    }

    fn adopt(self, fd: c_int, family: c_int) -> Result {
        self.io().set_fd(self.event_loop(), fd)?;
        if family == libc::AF_INET6 {
            self.handle().add(flags::IPV6);
        }
        Ok(())
    }

    /// Makes the socket, unless there is one.
    fn ensure_socket(self, family: c_int) -> Result {
        if self.is_open() {
            return Ok(());
        }
        if !matches!(family, libc::AF_INET | libc::AF_INET6) {
            return Err(Errno::EINVAL);
        }
        socket::socket(family, libc::SOCK_DGRAM)?.give(|fd| self.adopt(fd, family))
    }

    /// `UV_EINVAL` for a handle that is closing.
    fn check_not_closing(self) -> Result {
        if self.handle().is_closing() {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// Binds to any address of the family and a free port, unless there is a socket already.
    fn ensure_bound(self, family: c_int, options: c_uint) -> Result {
        if self.is_open() {
            return Ok(());
        }
        self.prepare(family, options)?;
        bind_anywhere(self.fd(), family)?;
        self.handle().add(flags::BOUND);
        Ok(())
    }

    /// Makes the socket and sets what must be set before it is bound.
    fn prepare(self, family: c_int, options: c_uint) -> Result {
        self.check_not_closing()?;
        self.ensure_socket(family)?;
        let fd = self.fd();
        if options & UV_UDP_LINUX_RECVERR != 0 {
            datagram::report_icmp_errors(fd, family)?;
        }
        set_reuse(fd, options)?;
        if options & UV_UDP_IPV6ONLY != 0 {
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        }
        Ok(())
    }

    /// Gives the handle an existing socket, such as one received from another process.
    pub(crate) fn open(self, fd: c_int) -> Result {
        self.open_with(fd, UV_UDP_REUSEADDR)
    }

    fn open_with(self, fd: c_int, options: c_uint) -> Result {
        self.check_not_closing()?;
        if self.is_open() {
            return Err(Errno::EBUSY);
        }
        self.expected()?;
        let event_loop = self.event_loop();
        if is_watched(event_loop, fd) {
            return Err(Errno::EEXIST);
        }
        descriptor::set_nonblocking(fd, true)?;
        set_reuse(fd, options)?;
        self.adopt(fd, datagram::family(fd).unwrap_or(libc::AF_UNSPEC))?;
        if datagram::is_connected(fd) {
            self.handle().add(flags::UDP_CONNECTED);
        }
        Ok(())
    }

    fn bind(self, address: Address, options: c_uint) -> Result {
        const KNOWN: c_uint =
            UV_UDP_IPV6ONLY | UV_UDP_REUSEADDR | UV_UDP_REUSEPORT | UV_UDP_LINUX_RECVERR;
        let family = address.family();
        if options & !KNOWN != 0 || options & UV_UDP_IPV6ONLY != 0 && family != libc::AF_INET6 {
            return Err(Errno::EINVAL);
        }
        self.prepare(family, options)?;
        bind_socket(self.fd(), address)?;
        if family == libc::AF_INET6 {
            self.handle().add(flags::IPV6);
        }
        self.handle().add(flags::BOUND);
        Ok(())
    }

    fn connect(self, address: Address) -> Result {
        if self.is_connected() {
            return Err(Errno::EISCONN);
        }
        self.ensure_bound(address.family(), 0)?;
        socket::connect(self.fd(), &address)?;
        self.handle().add(flags::UDP_CONNECTED);
        Ok(())
    }

    fn disconnect(self) -> Result {
        if !self.is_connected() {
            return Err(Errno::ENOTCONN);
        }
        datagram::disconnect(self.fd())?;
        self.handle().clear(flags::UDP_CONNECTED);
        Ok(())
    }

    /// # Safety
    /// `length` must be null or valid, `name` writable for that many bytes.
    unsafe fn name(self, end: End, name: *mut libc::sockaddr, length: *mut c_int) -> Result {
        let fd = self.handle().fileno()?;
        // SAFETY: the caller vouches for `length`.
        let length = unsafe { length.as_mut() }.ok_or(Errno::EINVAL)?;
        let mut size = libc::socklen_t::try_from(*length).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the caller vouches for `name`.
        unsafe { socket::name(fd, end, name, &mut size) }?;
        *length = size as c_int;
        Ok(())
    }
}

/// `UV_EINVAL` unless the options are a family and flags that `uv_udp_init_ex` takes.
fn check_init(options: c_uint) -> Result {
    let family = (options & 0xff) as c_int;
    let is_known = matches!(family, libc::AF_UNSPEC | libc::AF_INET | libc::AF_INET6);
    if is_known && options & !0xff & !UV_UDP_RECVMMSG == 0 {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// Binds a socket to an address. One of another family than the socket's is a wrong argument.
fn bind_socket(fd: c_int, address: Address) -> Result {
    match socket::bind(fd, &address) {
        Err(Errno::EAFNOSUPPORT) => Err(Errno::EINVAL),
        result => result,
    }
}

/// Binds a socket to any address of the family and a free port.
fn bind_anywhere(fd: c_int, family: c_int) -> Result {
    let mut anywhere: libc::sockaddr_storage = zeroed();
    anywhere.ss_family = family as libc::sa_family_t;
    // SAFETY: the storage has room for an address of any family, and outlives the view.
    let address = unsafe { Address::from_ptr((&raw const anywhere).cast()) }?;
    bind_socket(fd, address)
}

fn set_reuse(fd: c_int, options: c_uint) -> Result {
    if options & UV_UDP_REUSEADDR != 0 {
        set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    }
    if options & UV_UDP_REUSEPORT != 0 {
        set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    Ok(())
}

// C entry points

/// Makes `handle` a UDP socket, which is created when it is first needed. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_init(r#loop: *mut uv_loop_t, handle: *mut uv_udp_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle).init(Loop::from_ptr(r#loop), libc::AF_UNSPEC as c_uint) }
        .into_code()
}

/// Makes `handle` a UDP socket. The low eight bits of `flags` are an address family: `AF_INET` or
/// `AF_INET6` create the socket at once, `AF_UNSPEC` when it is first needed. `UV_UDP_RECVMMSG` may
/// be added: several datagrams are received at a time, if the buffers are multiples of 64 KiB.
///
/// Returns 0 or an error: `UV_EINVAL` for other families and flags, `UV_EMFILE`, `UV_ENFILE`,
/// `UV_ENOMEM`, `UV_EAFNOSUPPORT`.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_init_ex>
///
/// # Safety
/// The requirements of `uv_udp_init` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_init_ex(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_udp_t,
    flags: c_uint,
) -> c_int {
    check_init(flags)
        // SAFETY: common pointer contract.
        .and_then(|()| unsafe { Udp::from_ptr(handle).init(Loop::from_ptr(r#loop), flags) })
        .into_code()
}

/// Gives the handle an existing datagram socket, which becomes non-blocking. `SO_REUSEADDR` is set
/// on it; `uv_udp_open_ex` leaves that to the caller. The socket is the handle's from then on.
///
/// Returns 0 or an error: `UV_EBUSY` when the handle has a socket, `UV_EEXIST` when the loop
/// watches `sock` already, `UV_EBADF`, `UV_ENOTSOCK`.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_open>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_open(handle: *mut uv_udp_t, sock: uv_os_sock_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle) }.open(sock).into_code()
}

/// Gives the handle an existing datagram socket, which becomes non-blocking. `flags` says which
/// options are set on it: `UV_UDP_REUSEADDR` and `UV_UDP_REUSEPORT`, or 0 for none. The socket is
/// the handle's from then on.
///
/// Returns 0 or an error: `UV_EINVAL` for other flags, `UV_EBUSY` when the handle has a socket,
/// `UV_EEXIST` when the loop watches `sock` already, `UV_EBADF`, `UV_ENOTSOCK`.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_open_ex>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_open_ex(
    handle: *mut uv_udp_t,
    sock: uv_os_sock_t,
    flags: c_uint,
) -> c_int {
    if flags & !(UV_UDP_REUSEADDR | UV_UDP_REUSEPORT) != 0 {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle) }
        .open_with(sock, flags)
        .into_code()
}

/// Binds the socket to an IPv4 or IPv6 address. `flags`: `UV_UDP_IPV6ONLY`, `UV_UDP_REUSEADDR`
/// (several sockets may bind to the address; the last one receives, multicast reaches all),
/// `UV_UDP_REUSEPORT` (datagrams are distributed among them) and `UV_UDP_LINUX_RECVERR` (ICMP
/// errors are reported to the receive callback).
///
/// Returns 0 or an error: `UV_EINVAL` for a bound socket, another family or other flags,
/// `UV_EADDRINUSE`, `UV_EADDRNOTAVAIL`, `UV_EACCES`.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_bind>
///
/// # Safety
/// `handle` must be initialised, `addr` point to a `sockaddr_in` or `sockaddr_in6`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_bind(
    handle: *mut uv_udp_t,
    addr: *const libc::sockaddr,
    flags: c_uint,
) -> c_int {
    // SAFETY: common pointer contract.
    let (udp, address) = unsafe { (Udp::from_ptr(handle), Address::from_ptr(addr)) };
    udp.expected()
        .and_then(|udp| udp.bind(address?, flags))
        .into_code()
}

/// Connects the socket to one peer: datagrams are sent to it and received from it only. With `addr`
/// `NULL`, disconnects it.
///
/// Returns 0 or an error: `UV_EISCONN` when it is connected already, `UV_ENOTCONN` when it is to be
/// disconnected and is not connected, `UV_EINVAL` for another address family.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_connect>
///
/// # Safety
/// `handle` must be initialised, `addr` `NULL` or point to a `sockaddr_in` or `sockaddr_in6`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_connect(
    handle: *mut uv_udp_t,
    addr: *const libc::sockaddr,
) -> c_int {
    // SAFETY: common pointer contract.
    let udp = match unsafe { Udp::from_ptr(handle) }.expected() {
        Ok(udp) => udp,
        Err(error) => return error.code(),
    };
    if addr.is_null() {
        return udp.disconnect().into_code();
    }
    // SAFETY: common pointer contract.
    unsafe { Address::from_ptr(addr) }
        .and_then(|address| udp.connect(address))
        .into_code()
}

/// Writes the peer's address to `name`, cut to `*namelen` bytes, and its length to `*namelen`.
///
/// Returns 0 or an error: `UV_ENOTCONN` when not connected, `UV_EBADF` without a socket.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_getpeername>
///
/// # Safety
/// `handle` must be initialised, `name` writable for `*namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_getpeername(
    handle: *const uv_udp_t,
    name: *mut libc::sockaddr,
    namelen: *mut c_int,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle).name(End::Peer, name, namelen) }.into_code()
}

/// Writes the socket's own address to `name`, cut to `*namelen` bytes, and its length to
/// `*namelen`.
///
/// Returns 0 or an error: `UV_EBADF` without a socket.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_getsockname>
///
/// # Safety
/// `handle` must be initialised, `name` writable for `*namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_getsockname(
    handle: *const uv_udp_t,
    name: *mut libc::sockaddr,
    namelen: *mut c_int,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle).name(End::Own, name, namelen) }.into_code()
}

/// Allows (`on` 1) or forbids (0) sending to broadcast addresses.
///
/// Returns 0 or an error: `UV_EBADF` without a socket.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_broadcast>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_broadcast(handle: *mut uv_udp_t, on: c_int) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle) }
        .expected()
        .and_then(|udp| set_option(udp.fd(), libc::SOL_SOCKET, libc::SO_BROADCAST, on))
        .into_code()
}

/// Sets the time to live of what is sent, 1 to 255 hops.
///
/// Returns 0 or an error: `UV_EINVAL` for another value, `UV_EBADF` without a socket.
///
/// <https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_ttl>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_ttl(handle: *mut uv_udp_t, ttl: c_int) -> c_int {
    if !(1..=255).contains(&ttl) {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { Udp::from_ptr(handle) }
        .expected()
        .and_then(|udp| udp.set_ip_option(libc::IP_TTL, libc::IPV6_UNICAST_HOPS, ttl))
        .into_code()
}
