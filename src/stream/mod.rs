//! Streams: what TCP sockets, pipes and terminals have in common.
//!
//! A stream has its descriptor from `open`, `bind`, `connect` or `accept` on. Then it is a server
//! that listens (`LISTENING`), or a connection being made (`connect_req`), or open in one or both
//! directions (`READABLE`, `WRITABLE`). It reads from `uv_read_start` until `uv_read_stop`, the end
//! of the stream or an error (`READING`). Writes wait in `write_queue`, done ones in
//! `write_completed_queue` until their callbacks run. A shutdown waits until both are empty.
//!
//! A connection, a write or a shutdown in progress gets its callback with `UV_ECANCELED` when the
//! stream is closed, before the stream's own close callback.
//!
//! <https://docs.libuv.org/en/v1.x/stream.html>

pub(crate) mod fd_passing;
pub(crate) mod pipe;
pub(crate) mod read;
mod server;
mod socket_file;
pub(crate) mod tcp;
pub(crate) mod tty;
mod tty_reset;
mod unix_name;
pub(crate) mod write;

use core::ffi::{c_char, c_int, c_uint};

use crate::abi::*;
use crate::backend::ready;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::event_loop::io::{FED, Io, Watcher};
use crate::handle::{Handle, downcast, flags};
use crate::list::{List, linked, local};
use crate::observe::call_back;
use crate::request::Request;
use crate::sys::{fd, socket};
use crate::view::{container, get, member, set, upcast, view};
pub(crate) use write::Write;

view!(
    /// A stream.
    Stream => uv_stream_t
);
view!(
    /// A connection being made.
    Connect => uv_connect_t
);
linked!(link: Connect in uv_connect_t.queue);
view!(
    /// A shutdown waiting for the writes before it.
    Shutdown => uv_shutdown_t
);

// State.
impl Stream {
    upcast!(pub(crate) handle: Handle);
    downcast!(pub(crate) of: UV_NAMED_PIPE | UV_TCP | UV_TTY);

    fn event_loop(self) -> Loop {
        self.handle().event_loop()
    }

    member!(pub(crate) io: Io = io_watcher);
    container!(pub(crate) from_io: Io in uv_stream_t.io_watcher);

    pub(crate) fn fd(self) -> c_int {
        self.io().fd()
    }

    member!(write_queue: List<Write> = write_queue);
    member!(completed_writes: List<Write> = write_completed_queue);

    /// The connection being made.
    fn connect_request(self) -> Option<Connect> {
        let request = get!(self.connect_req);
        // SAFETY: requests stay in place until their callback.
        (!request.is_null()).then(|| unsafe { Connect::from_ptr(request) })
    }

    fn shutdown_request(self) -> Option<Shutdown> {
        let request = get!(self.shutdown_req);
        // SAFETY: requests stay in place until their callback.
        (!request.is_null()).then(|| unsafe { Shutdown::from_ptr(request) })
    }

    /// `UV_EINVAL` for a handle that is no stream, which may have no descriptor where streams have
    /// it.
    #[inline]
    pub(super) fn expected(self) -> Result<Stream> {
        match self.handle().kind() {
            UV_TCP | UV_NAMED_PIPE | UV_TTY => Ok(self),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Makes the caller's memory a stream without a descriptor.
    pub(crate) fn init(self, event_loop: Loop, kind: uv_handle_type) {
        self.handle().init(event_loop, kind);
        set!(self.close_cb = None);
        set!(self.alloc_cb = None);
        set!(self.read_cb = None);
        set!(self.connection_cb = None);
        set!(self.connect_req = core::ptr::null_mut());
        set!(self.shutdown_req = core::ptr::null_mut());
        self.set_waiting_fd(None);
        self.set_lost_handles(None);
        set!(self.queued_fds = core::ptr::null_mut());
        set!(self.delayed_error = 0);
        set!(self.write_queue_size = 0);
        self.write_queue().init();
        self.completed_writes().init();
        self.io().init(Watcher::Stream, -1);
    }

    /// Gives the stream its descriptor, which stays the caller's if this fails.
    pub(crate) fn open(self, fd: c_int, directions: c_uint) -> Result {
        let current = self.fd();
        if current != -1 && current != fd {
            return Err(Errno::EBUSY);
        }
        if self.handle().kind() == UV_TCP {
            self.apply_delayed_options(fd)?;
        }
        self.io().set_fd(self.event_loop(), fd)?;
        self.handle().add(directions);
        Ok(())
    }

    /// Sets the options that were chosen before there was a socket.
    fn apply_delayed_options(self, fd: c_int) -> Result {
        if self.handle().has(flags::TCP_NODELAY) {
            socket::set_nodelay(fd, true)?;
        }
        if self.handle().has(flags::TCP_KEEPALIVE) {
            // The handle has no field for the times.
            socket::set_keepalive(fd, Some((60, 1, 10)))?;
        }
        Ok(())
    }

    /// Takes the error of a bind or a connect that a later call, or the connect callback, reports.
    fn take_delayed_error(self) -> Option<Errno> {
        let code = get!(self.delayed_error);
        set!(self.delayed_error = 0);
        (code < 0).then(|| Errno::from_code(code))
    }
}

// Connecting.
impl Stream {
    /// Registers a connection attempt. Its result comes with the descriptor's writability, or is
    /// `error` already. While another attempt is in progress the result is `UV_EALREADY`. If the
    /// stream is closing, the attempt is cancelled with all else. If it is closed, no callback
    /// comes any more.
    pub(crate) fn begin_connect(self, request: Connect, error: Option<Errno>, cb: uv_connect_cb) {
        if self.handle().has(flags::CLOSED) {
            return;
        }
        let event_loop = self.event_loop();
        set!(request.cb = cb);
        set!(request.handle = self.raw());
        request.others().init();
        request.request().start(event_loop, UV_CONNECT);
        if let Some(first) = self.connect_request() {
            first.others().push_back(request);
            if !self.handle().is_closing() {
                self.io().feed(event_loop);
            }
            return;
        }
        set!(self.connect_req = request.raw());
        match error {
            Some(_) if self.handle().is_closing() => {}
            Some(error) => {
                set!(self.delayed_error = error.code());
                self.io().feed(event_loop);
            }
            None => self.io().start(event_loop, ready::WRITABLE),
        }
    }

    fn finish_connect(self, request: Connect) {
        let outcome = match self.take_delayed_error() {
            Some(error) => Err(error),
            None => socket::take_error(self.fd()),
        };
        if outcome == Err(Errno::EINPROGRESS) {
            return;
        }
        let event_loop = self.event_loop();
        set!(self.connect_req = core::ptr::null_mut());
        if outcome.is_err() {
            self.mark_waiting_writes();
        }
        if outcome.is_err() || self.write_queue().is_empty() {
            self.io().stop(event_loop, ready::WRITABLE);
        }
        request.complete_all(event_loop, outcome.into_code());
        if self.fd() == -1 {
            return;
        }
        if outcome.is_err() {
            self.cancel_writes_of_failed_connection();
        }
        if self.fd() == -1 || self.connect_request().is_some() {
            return;
        }
        if self.shutdown_request().is_some() && self.write_queue().is_empty() {
            self.drain();
        }
    }

    /// Cancels the writes that waited for a connection that failed. Writes of the connect callback
    /// go on waiting if it has begun to connect anew.
    fn cancel_writes_of_failed_connection(self) {
        if self.connect_request().is_some() {
            self.cancel_marked_writes();
        } else {
            self.cancel_writes();
        }
        self.run_write_callbacks();
    }
}

impl Connect {
    upcast!(pub(crate) request: Request);

    member!(
        /// The attempts that were made while this one was in progress. They are linked by the same
        /// field of theirs.
        others: List<Connect> = queue
    );

    fn complete(self, event_loop: Loop, status: c_int) {
        self.request().finish(event_loop);
        if let Some(callback) = get!(self.cb) {
            // SAFETY: the user's callback gets the request it was registered with, which nothing
            // touches afterwards.
            unsafe { call_back!(Connect: callback(self.raw(), status)) }
        }
    }

    /// Completes this attempt, and then the others: they are refused, or cancelled if this one is.
    fn complete_all(self, event_loop: Loop, status: c_int) {
        local!(others);
        self.others().take(others);
        self.complete(event_loop, status);
        let is_cancelled = status == UV_ECANCELED;
        Connect::complete_each(
            event_loop,
            others,
            if is_cancelled { status } else { UV_EALREADY },
        );
    }

    fn complete_each(event_loop: Loop, others: List<Connect>, status: c_int) {
        while let Some(other) = others.pop_front() {
            other.complete(event_loop, status);
        }
    }
}

// Shutting down.
impl Stream {
    /// # Safety
    /// `request` must be writable, until its callback if this succeeds.
    unsafe fn shutdown(self, request: *mut uv_shutdown_t, callback: uv_shutdown_cb) -> Result {
        let handle = self.handle();
        if !handle.has(flags::WRITABLE)
            || handle.has(flags::SHUT)
            || self.shutdown_request().is_some()
            || handle.is_closing()
        {
            return Err(Errno::ENOTCONN);
        }
        // SAFETY: the caller vouches for the request.
        let request = unsafe { Shutdown::from_ptr(request) };
        let event_loop = self.event_loop();
        set!(request.handle = self.raw());
        set!(request.cb = callback);
        request.request().start(event_loop, UV_SHUTDOWN);
        set!(self.shutdown_req = request.raw());
        handle.clear(flags::WRITABLE);
        if self.write_queue().is_empty() {
            self.io().feed(event_loop);
        }
        Ok(())
    }

    /// Carries out the shutdown that waits, now that everything is written.
    fn drain(self) {
        let event_loop = self.event_loop();
        let closing = self.handle().is_closing();
        if !closing && !self.completed_writes().is_empty() {
            // These are writes of the callback that just ran; their callbacks come before that of
            // the shutdown.
            self.io().feed(event_loop);
            return;
        }
        if !closing {
            self.io().stop(event_loop, ready::WRITABLE);
        }
        let Some(request) = self.shutdown_request() else {
            return;
        };
        set!(self.shutdown_req = core::ptr::null_mut());
        let outcome = if closing {
            Err(Errno::ECANCELED)
        } else {
            socket::shut_down_writing(self.fd())
        };
        if outcome.is_ok() {
            self.handle().add(flags::SHUT);
        }
        request.complete(event_loop, outcome.into_code());
    }
}

impl Shutdown {
    upcast!(request: Request);

    fn complete(self, event_loop: Loop, status: c_int) {
        self.request().finish(event_loop);
        if let Some(callback) = get!(self.cb) {
            // SAFETY: the user's callback gets the request it was registered with, which nothing
            // touches afterwards.
            unsafe { call_back!(Shutdown: callback(self.raw(), status)) }
        }
    }
}

// Readiness and the end.
impl Stream {
    /// Handles readiness of the descriptor, or that the stream was fed.
    pub(crate) fn on_io(self, readiness: u32) {
        let is_fed = readiness & FED == FED;
        let is_server = self.handle().has(flags::LISTENING);
        if is_server && !is_fed {
            self.on_connection();
            return;
        }
        // A server has a connection attempt only if it failed, before the server listened or since.
        if let Some(request) = self.connect_request() {
            if is_fed && get!(self.delayed_error) == 0 {
                // The connection is still in progress. Other attempts are refused, and writes that
                // were cancelled meanwhile call back.
                local!(others);
                request.others().take(others);
                Connect::complete_each(self.event_loop(), others, UV_EALREADY);
                self.run_write_callbacks();
            } else {
                self.finish_connect(request);
            }
            return;
        }
        if is_server {
            return;
        }
        self.report_lost_handles();
        if readiness & (ready::READABLE | ready::ERROR | ready::HANG_UP) != 0 {
            self.read_available();
        }
        if self.fd() == -1 {
            return;
        }
        if readiness & (ready::WRITABLE | ready::ERROR | ready::HANG_UP) != 0 {
            self.write_queued();
            self.run_write_callbacks();
            if self.fd() != -1 && self.write_queue().is_empty() {
                self.drain();
            }
        }
    }

    /// The first half of closing: releases all descriptors.
    pub(crate) fn close(self) {
        let event_loop = self.event_loop();
        self.io().close(event_loop);
        self.stop_reading();
        self.handle().stop();
        self.handle().clear(flags::READABLE | flags::WRITABLE);
        let own = self.fd();
        if own != -1 {
            // The standard descriptors stay open: the next file opened would take the number of
            // one.
            if own > libc::STDERR_FILENO {
                fd::close_quietly(own);
            }
            set!(self.io_watcher.fd = -1);
        }
        self.close_received();
    }

    /// The second half of closing: calls back every request that waits.
    pub(crate) fn finish_close(self) {
        if let Some(request) = self.connect_request() {
            set!(self.connect_req = core::ptr::null_mut());
            request.complete_all(self.event_loop(), UV_ECANCELED);
        }
        self.cancel_writes();
        self.run_write_callbacks();
        self.drain();
    }
}

/// Frees the lock of the terminals' settings in a forked child.
pub(crate) fn reset_after_fork() {
    tty_reset::reset_after_fork();
}

// C entry points

/// A buffer of `len` bytes at `base`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_buf_init>
#[unsafe(no_mangle)]
pub extern "C" fn uv_buf_init(base: *mut c_char, len: c_uint) -> uv_buf_t {
    uv_buf_t {
        base,
        len: len as usize,
    }
}

/// Shuts down the writing side of a stream once all writes before it are done; `cb` gets the
/// result.
///
/// Returns 0, or `UV_ENOTCONN` when the stream is not writable (any more).
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_shutdown>
///
/// # Safety
/// `req` must be writable, `handle` initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_shutdown(
    req: *mut uv_shutdown_t,
    handle: *mut uv_stream_t,
    cb: uv_shutdown_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Stream::from_ptr(handle).shutdown(req, cb) }.into_code()
}

/// Makes a bound stream listen; `cb` is called for each connection, which `uv_accept` takes.
/// `backlog` is how many connections the kernel may queue.
///
/// Returns 0 or an error: `UV_EADDRINUSE` (possibly of the bind before), `UV_EINVAL` for handles
/// that cannot listen.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_listen>
///
/// # Safety
/// `stream` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_listen(
    stream: *mut uv_stream_t,
    backlog: c_int,
    cb: uv_connection_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Stream::from_ptr(stream) }
        .listen(backlog, cb)
        .into_code()
}

/// Takes the connection that a connection callback reported, or a handle that was received over a
/// pipe, as `client`, an initialised handle of `server`'s loop. It succeeds once per callback.
///
/// Returns 0 or an error: `UV_EAGAIN` when there is none, `UV_EINVAL` for a wrong `client`.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_accept>
///
/// # Safety
/// Both must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_accept(server: *mut uv_stream_t, client: *mut uv_stream_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        Stream::from_ptr(server)
            .expected()
            .and_then(|server| server.accept(client))
    }
    .into_code()
}

/// Non-zero when the stream can be read from.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_is_readable>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_is_readable(handle: *const uv_stream_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Stream::from_ptr(handle) }
        .handle()
        .has(flags::READABLE)
        .into()
}

/// Non-zero when the stream can be written to.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_is_writable>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_is_writable(handle: *const uv_stream_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Stream::from_ptr(handle) }
        .handle()
        .has(flags::WRITABLE)
        .into()
}

/// Makes the descriptor under a stream blocking or not; callbacks still come from the loop.
///
/// Returns 0 or an error, such as `UV_EBADF`.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_stream_set_blocking>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_stream_set_blocking(
    handle: *mut uv_stream_t,
    blocking: c_int,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Stream::from_ptr(handle) }
        .expected()
        .and_then(|stream| fd::set_nonblocking(stream.fd(), blocking == 0))
        .into_code()
}
