//! TCP sockets.
//!
//! The socket is made when its address family is known: by `uv_tcp_init_ex`, bind, connect or
//! listen. `UV_EADDRINUSE` of a bind is reported by the connect after it, as on Windows, and by
//! every listen.
//!
//! <https://docs.libuv.org/en/v1.x/tcp.html>

use core::ffi::{c_int, c_uint};

use super::{Connect, Stream};
use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::event_loop::io::is_watched;
use crate::handle::{Handle, downcast, flags};
use crate::net::sockaddr::Address;
use crate::sys::socket::{self, End};
use crate::sys::{fd, interface};
use crate::view::{get, set, upcast, view};

view!(
    /// A TCP handle.
    Tcp => uv_tcp_t
);

impl Tcp {
    upcast!(pub(super) stream: Stream);
    downcast!(pub(super) of: UV_TCP);

    fn handle(self) -> Handle {
        self.stream().handle()
    }

    /// `UV_EINVAL` for a handle that is no stream. Options apply to other streams as well.
    fn as_stream(self) -> Result<Tcp> {
        self.stream().expected().map(|_| self)
    }

    fn fd(self) -> c_int {
        self.stream().fd()
    }

    /// An error that an earlier call left for a later one.
    fn delayed_error(self) -> Result {
        match get!(self.delayed_error) {
            0 => Ok(()),
            code => Err(Errno::from_code(code)),
        }
    }

    fn init(self, event_loop: Loop, family: c_int) -> Result {
        self.stream().init(event_loop, UV_TCP);
        if family == libc::AF_UNSPEC {
            return Ok(());
        }
        self.make_socket(family, 0)
            .inspect_err(|_| self.handle().uninit())
    }

    /// Makes the socket unless there is one.
    fn make_socket(self, family: c_int, directions: c_uint) -> Result {
        if self.fd() != -1 {
            self.handle().add(directions);
            return Ok(());
        }
        socket::socket(family, libc::SOCK_STREAM)?.give(|fd| self.stream().open(fd, directions))
    }

    fn open(self, fd: c_int) -> Result {
        self.handle().expect_any()?;
        if is_watched(self.handle().event_loop(), fd) {
            return Err(Errno::EEXIST);
        }
        fd::set_nonblocking(fd, true)?;
        self.stream().expected()?;
        self.stream().open(fd, flags::READABLE | flags::WRITABLE)
    }

    fn bind(self, address: Address, options: c_uint) -> Result {
        let is_v6 = address.family() == libc::AF_INET6;
        if options & !(UV_TCP_IPV6ONLY | UV_TCP_REUSEPORT) != 0
            || options & UV_TCP_IPV6ONLY != 0 && !is_v6
        {
            return Err(Errno::EINVAL);
        }
        self.make_socket(address.family(), 0)?;
        let fd = self.fd();
        socket::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1 as c_int)?;
        if options & UV_TCP_REUSEPORT != 0 {
            socket::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1 as c_int)?;
        }
        if is_v6 {
            let only = c_int::from(options & UV_TCP_IPV6ONLY != 0);
            socket::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only)?;
        }
        let delayed = match socket::bind(fd, &address) {
            Ok(()) => 0,
            Err(Errno::EADDRINUSE) => UV_EADDRINUSE,
            // The handle has a socket of the other family.
            Err(Errno::EAFNOSUPPORT) => return Err(Errno::EINVAL),
            Err(error) => return Err(error),
        };
        set!(self.delayed_error = delayed);
        self.note(flags::TCP_BIND_FAILED, delayed != 0);
        self.handle().add(flags::BOUND);
        if is_v6 {
            self.handle().add(flags::IPV6);
        }
        Ok(())
    }

    pub(super) fn prepare_to_listen(self) -> Result {
        self.delayed_error()?;
        if self.handle().has(flags::TCP_BIND_FAILED) {
            // Reported to a connect before; the kernel would pick a random port.
            return Err(Errno::EADDRINUSE);
        }
        self.make_socket(libc::AF_INET, 0)
    }

    /// # Safety
    /// `request` must be writable.
    unsafe fn connect(
        self,
        request: *mut uv_connect_t,
        address: Address,
        callback: uv_connect_cb,
    ) -> Result {
        if self.handle().is_closing() {
            return Err(Errno::EINVAL);
        }
        if !get!(self.connect_req).is_null() {
            return Err(Errno::EALREADY);
        }
        let error = match self.delayed_error() {
            Err(error) => Some(error),
            Ok(()) => self.try_connect(address)?,
        };
        // SAFETY: the caller vouches for the request.
        let request = unsafe { Connect::from_ptr(request) };
        self.stream().begin_connect(request, error, callback);
        Ok(())
    }

    /// Starts to connect. A refusal that is known at once is returned, for the callback to report.
    fn try_connect(self, address: Address) -> Result<Option<Errno>> {
        self.make_socket(address.family(), flags::READABLE | flags::WRITABLE)?;
        let mut scoped = None;
        let address = match address.without_scope() {
            // The address does not say which link is meant: the first link-local one is used.
            Some(mut copy) => {
                copy.sin6_scope_id = interface::link_local_scope();
                Address::from_v6(scoped.insert(copy))
            }
            None => address,
        };
        match socket::connect(self.fd(), &address) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(None),
            Err(Errno::ECONNREFUSED) => Ok(Some(Errno::ECONNREFUSED)),
            Err(error) => Err(error),
        }
    }

    /// # Safety
    /// `length` must be null, or `name` writable for `*length` bytes.
    unsafe fn name(self, end: End, name: *mut libc::sockaddr, length: *mut c_int) -> Result {
        self.delayed_error()?;
        let fd = self.handle().fileno()?;
        // SAFETY: the caller vouches for `length`.
        let length = unsafe { length.as_mut() }.ok_or(Errno::EINVAL)?;
        let mut size = (*length).max(0) as libc::socklen_t;
        // SAFETY: the caller vouches for `name`.
        unsafe { socket::name(fd, end, name, &mut size) }?;
        *length = size as c_int;
        Ok(())
    }

    fn set_nodelay(self, on: bool) -> Result {
        if self.fd() != -1 {
            socket::set_nodelay(self.fd(), on)?;
        }
        self.note(flags::TCP_NODELAY, on);
        Ok(())
    }

    fn set_keepalive(self, times: Option<(c_uint, c_uint, c_uint)>) -> Result {
        if times.is_some_and(|(idle, interval, count)| idle < 1 || interval < 1 || count < 1) {
            return Err(Errno::EINVAL);
        }
        if self.fd() != -1 {
            socket::set_keepalive(self.fd(), times)?;
        }
        self.note(flags::TCP_KEEPALIVE, times.is_some());
        Ok(())
    }

    fn note(self, bit: c_uint, on: bool) {
        if on {
            self.handle().add(bit)
        } else {
            self.handle().clear(bit)
        }
    }

    fn close_reset(self, callback: uv_close_cb) -> Result {
        // A shutdown in progress ends the connection in an orderly way, which a reset would undo.
        if !get!(self.shutdown_req).is_null() {
            return Err(Errno::EINVAL);
        }
        socket::reset_on_close(self.fd())?;
        self.handle().close(callback, || self.close());
        Ok(())
    }

    pub(crate) fn close(self) {
        self.stream().close();
    }
}

// C entry points

/// Makes `handle` a TCP handle; its socket is made later. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_init(r#loop: *mut uv_loop_t, handle: *mut uv_tcp_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Tcp::from_ptr(handle).init(Loop::from_ptr(r#loop), libc::AF_UNSPEC) }.into_code()
}

/// Makes `handle` a TCP handle. The lower eight bits of `flags` are an address family: its socket
/// is made at once, or later for `AF_UNSPEC`.
///
/// Returns 0 or an error: `UV_EINVAL` for other families or bits, or that of making the socket,
/// such as `UV_EMFILE`.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_init_ex>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_init_ex(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_tcp_t,
    flags: c_uint,
) -> c_int {
    let family = flags as c_int;
    if !matches!(family, libc::AF_UNSPEC | libc::AF_INET | libc::AF_INET6) {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { Tcp::from_ptr(handle).init(Loop::from_ptr(r#loop), family) }.into_code()
}

/// Gives the handle an existing socket, which becomes non-blocking. Whether it is a TCP socket is
/// not checked.
///
/// Returns 0 or an error: `UV_EEXIST` when the loop watches it already, `UV_EBUSY` when the handle
/// has another one, `UV_EBADF`.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_open>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_open(handle: *mut uv_tcp_t, sock: uv_os_sock_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Tcp::from_ptr(handle) }.open(sock).into_code()
}

/// Turns `TCP_NODELAY` on or off: Nagle's algorithm off or on.
///
/// Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_nodelay>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_nodelay(handle: *mut uv_tcp_t, enable: c_int) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Tcp::from_ptr(handle) }
        .as_stream()
        .and_then(|tcp| tcp.set_nodelay(enable != 0))
        .into_code()
}

/// Turns keep-alive on or off, with the first probe after `delay` seconds of silence, and then up
/// to ten, one second apart.
///
/// Returns 0 or an error: `UV_EINVAL` when it is turned on with a delay of 0.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_keepalive>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_keepalive(
    handle: *mut uv_tcp_t,
    enable: c_int,
    delay: c_uint,
) -> c_int {
    let times = (enable != 0).then_some((delay, 1, 10));
    // SAFETY: common pointer contract.
    unsafe { Tcp::from_ptr(handle) }
        .as_stream()
        .and_then(|tcp| tcp.set_keepalive(times))
        .into_code()
}

/// Turns keep-alive on or off: probes start after `idle` seconds of silence, come every `intvl`
/// seconds, and after `cnt` without an answer the connection is lost.
///
/// Returns 0 or an error: `UV_EINVAL` when it is turned on with a number that is 0.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_keepalive_ex>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_keepalive_ex(
    handle: *mut uv_tcp_t,
    on: c_int,
    idle: c_uint,
    intvl: c_uint,
    cnt: c_uint,
) -> c_int {
    let times = (on != 0).then_some((idle, intvl, cnt));
    // SAFETY: common pointer contract.
    unsafe { Tcp::from_ptr(handle) }
        .as_stream()
        .and_then(|tcp| tcp.set_keepalive(times))
        .into_code()
}

/// Turns simultaneous accepts on or off, which means something on Windows only. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_simultaneous_accepts>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_simultaneous_accepts(
    handle: *mut uv_tcp_t,
    enable: c_int,
) -> c_int {
    let _ = (handle, enable);
    0
}

/// Binds the socket to a local address. `flags` may be `UV_TCP_IPV6ONLY`, which keeps IPv4 out, and
/// `UV_TCP_REUSEPORT`, which distributes the port's connections among several sockets.
///
/// Returns 0 or an error: `UV_EINVAL` for wrong flags or families. `UV_EADDRINUSE` is reported by
/// `uv_listen` or `uv_tcp_connect`.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_bind>
///
/// # Safety
/// `handle` must be initialised, `addr` an address as long as its family says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_bind(
    handle: *mut uv_tcp_t,
    addr: *const libc::sockaddr,
    flags: c_uint,
) -> c_int {
    // SAFETY: common pointer contract.
    let (tcp, address) = unsafe { (Tcp::from_ptr(handle), Address::from_ptr(addr)) };
    if tcp.handle().expect(UV_TCP).is_err() || tcp.handle().is_closing() {
        return UV_EINVAL;
    }
    address
        .and_then(|address| tcp.bind(address, flags))
        .into_code()
}

/// Writes the socket's own address to `name`, cut to `*namelen` bytes, which becomes its length.
///
/// Returns 0 or an error: `UV_EBADF` without a socket, or an earlier bind's.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_getsockname>
///
/// # Safety
/// `handle` must be initialised, `name` writable for `*namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_getsockname(
    handle: *const uv_tcp_t,
    name: *mut libc::sockaddr,
    namelen: *mut c_int,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Tcp::from_ptr(handle).name(End::Own, name, namelen) }.into_code()
}

/// Writes the peer's address to `name`, as `uv_tcp_getsockname` does.
///
/// Returns 0 or an error: `UV_ENOTCONN` without a peer, `UV_EBADF` without a socket, or an earlier
/// bind's.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_getpeername>
///
/// # Safety
/// `handle` must be initialised, `name` writable for `*namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_getpeername(
    handle: *const uv_tcp_t,
    name: *mut libc::sockaddr,
    namelen: *mut c_int,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Tcp::from_ptr(handle).name(End::Peer, name, namelen) }.into_code()
}

/// Closes the handle with a reset of the connection instead of an orderly end.
///
/// Returns 0 or an error: `UV_EINVAL` while a `uv_shutdown` is in progress, `UV_EBADF` without a
/// socket; the handle is not closing then.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_close_reset>
///
/// # Safety
/// The requirements of `uv_close` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_close_reset(handle: *mut uv_tcp_t, close_cb: uv_close_cb) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Tcp::from_ptr(handle) }
        .as_stream()
        .and_then(|tcp| tcp.close_reset(close_cb))
        .into_code()
}

/// Connects to an address; `cb` gets the result.
///
/// Returns 0 or an error: `UV_EALREADY` while connecting, `UV_EINVAL` for a closing handle or a
/// family that is not IPv4 or IPv6, or an error that the system reports at once.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_connect>
///
/// # Safety
/// `req` must be writable, `handle` initialised, `addr` an address as long as its family says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_connect(
    req: *mut uv_connect_t,
    handle: *mut uv_tcp_t,
    addr: *const libc::sockaddr,
    cb: uv_connect_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        let (tcp, address) = (Tcp::from_ptr(handle), Address::from_ptr(addr));
        tcp.handle()
            .expect(UV_TCP)
            .and(address)
            .and_then(|address| tcp.connect(req, address, cb))
    }
    .into_code()
}
