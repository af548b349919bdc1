//! Writing to streams.
//!
//! A write is tried at once if none waits before it; its callback still comes later, from the loop.
//! Writes that are done, or failed, move from `write_queue` to `write_completed_queue` in order.

use core::ffi::{c_int, c_uint};

use super::Stream;
use crate::abi::*;
use crate::backend::ready;
use crate::buffers::{Buffers, KeptBuffers};
use crate::errors::{Errno, IntoCode, Result};
use crate::handle::{Handle, flags};
use crate::list::{linked, local};
use crate::observe::{self, Event, call_back};
use crate::panic::keep_frame;
use crate::request::Request;
use crate::sys::{file, socket};
use crate::view::{addr, get, pointee, set, upcast, view};

/// How many writes are made in a row before other watchers of the loop get their turn.
const WRITE_BUDGET: u32 = 32;

view!(
    /// A write in progress.
    Write => uv_write_t
);
linked!(link: Write in uv_write_t.queue);

impl Write {
    upcast!(request: Request);

    pointee!(stream: Stream = handle);

    fn kept(self) -> KeptBuffers {
        let (list, count) = (addr!(self.bufs), addr!(self.nbufs));
        // SAFETY: members of a live request, whose list is set by `keep` when it is started.
        unsafe { KeptBuffers::new(list, count, addr!(self.bufsml)) }
    }

    /// What is not yet written.
    fn rest(self) -> Buffers {
        self.kept().buffers().skip(get!(self.write_index) as usize)
    }

    /// Takes `count` bytes off the buffers; returns whether all are written.
    fn advance(self, mut count: usize) -> bool {
        set!(self.write_extra.nwritten = get!(self.write_extra.nwritten) + count);
        let (mut index, last) = (get!(self.write_index), get!(self.nbufs));
        while index < last {
            let at = get!(self.bufs).wrapping_add(index as usize);
            // SAFETY: below the number of buffers, in the request's own copy of the list.
            let mut buffer = unsafe { at.read() };
            let taken = count.min(buffer.len);
            buffer.base = buffer.base.wrapping_add(taken);
            buffer.len -= taken;
            count -= taken;
            // SAFETY: as above.
            unsafe { at.write(buffer) };
            if buffer.len > 0 {
                break;
            }
            index += 1;
        }
        set!(self.write_index = index);
        index == last
    }

    fn is_done(self) -> bool {
        get!(self.bufs).is_null() || get!(self.error) != 0
    }

    fn send_handle(self) -> Option<Handle> {
        let handle = get!(self.send_handle);
        // SAFETY: the user keeps a handle that is passed until the write is done.
        (!handle.is_null()).then(|| unsafe { Handle::from_ptr(handle.cast()) })
    }

    /// Moves a write that is done, or failed with `error`, to those whose callback is due. Bytes of
    /// a failed one that were not written count as queued until then.
    fn finish(self, error: c_int) {
        self.link().remove();
        set!(self.error = error);
        if error == 0 {
            self.kept().release();
        }
        self.stream().completed_writes().push_back(self);
    }

    /// Cancels a write that is not done; bytes that were written stay written.
    pub(crate) fn cancel(self) -> Result {
        if self.is_done() {
            return Ok(());
        }
        let stream = self.stream();
        if stream.handle().is_closing() {
            return Err(Errno::EBUSY);
        }
        self.finish(UV_ECANCELED);
        stream.io().feed(stream.event_loop());
        Ok(())
    }

    fn complete(self) {
        let stream = self.stream();
        if !get!(self.bufs).is_null() {
            set!(stream.write_queue_size = get!(stream.write_queue_size) - self.rest().total());
            self.kept().release();
        }
        self.request().finish(stream.event_loop());
        if let Some(callback) = get!(self.cb) {
            // SAFETY: the user's callback gets the request it was registered with, which nothing
            // touches afterwards.
            unsafe { call_back!(Write: callback(self.raw(), get!(self.error))) }
        }
    }
}

impl Stream {
    /// Checks the arguments of a write, and whether the stream can be written to.
    fn check_write(self, buffers: Buffers, passed: Option<Handle>) -> Result {
        buffers.check()?;
        if self.fd() == -1 {
            return Err(Errno::EBADF);
        }
        if !self.handle().has(flags::WRITABLE) {
            return Err(Errno::EPIPE);
        }
        if let Some(passed) = passed {
            if !self.passes_handles() {
                return Err(Errno::EINVAL);
            }
            passed_fd(passed)?;
        }
        Ok(())
    }

    fn write(
        self,
        request: *mut uv_write_t,
        buffers: Buffers,
        passed: *mut uv_stream_t,
        callback: uv_write_cb,
    ) -> Result {
        let passed_handle = handle_to_pass(passed, buffers)?;
        self.check_write(buffers, passed_handle)?;
        self.expected()?;
        // SAFETY: common pointer contract.
        let request = unsafe { Write::from_ptr(request) };
        request.kept().keep(buffers)?;
        set!(request.write_index = 0);
        let event_loop = self.event_loop();
        let was_empty = self.write_queue().is_empty();
        set!(request.cb = callback);
        set!(request.handle = self.raw());
        set!(request.send_handle = passed);
        set!(request.error = 0);
        set!(request.write_extra.nwritten = 0);
        request.request().start(event_loop, UV_WRITE);
        set!(self.write_queue_size = get!(self.write_queue_size) + request.rest().total());
        self.write_queue().push_back(request);
        if self.connect_request().is_some() {
            // The write waits until the connection is made.
        } else if was_empty {
            self.write_queued();
        } else {
            self.io().start(event_loop, ready::WRITABLE);
        }
        Ok(())
    }

    /// Writes without a request, if nothing waits before it.
    fn try_write(self, buffers: Buffers, passed: *mut uv_stream_t) -> Result<c_int> {
        let stream = self.expected();
        let passed = handle_to_pass(passed, buffers)?;
        if stream.is_ok() && (self.connect_request().is_some() || !self.write_queue().is_empty()) {
            return Err(Errno::EAGAIN);
        }
        self.check_write(buffers, passed)?;
        stream?.send(buffers, passed).map(|count| count as c_int)
    }

    fn send(self, buffers: Buffers, passed: Option<Handle>) -> Result<usize> {
        let result = match passed {
            Some(passed) => {
                // The first of many buffers may be empty, and one call sends no more than those.
                let buffers = buffers.skip(buffers.leading_empty());
                socket::send_with_fd(self.fd(), buffers, passed_fd(passed)?)
            }
            None => file::write(self.fd(), buffers, None),
        };
        match result {
            Ok(count) => {
                observe::report(Event::Sent, 0, self.raw(), count);
                Ok(count)
            }
            Err(Errno::ENOBUFS) => Err(Errno::EAGAIN),
            result => result,
        }
    }

    /// Writes as much of the queue as the descriptor takes, within the budget.
    pub(super) fn write_queued(self) {
        let event_loop = self.event_loop();
        let mut budget = WRITE_BUDGET;
        while let Some(request) = self.write_queue().front() {
            match self.send(request.rest(), request.send_handle()) {
                Ok(count) => {
                    set!(request.send_handle = core::ptr::null_mut());
                    set!(self.write_queue_size = get!(self.write_queue_size) - count);
                    if request.advance(count) {
                        request.finish(0);
                        self.io().feed(event_loop);
                        budget -= 1;
                        if budget > 0 {
                            continue;
                        }
                        break;
                    }
                }
                Err(Errno::EAGAIN) => {}
                Err(error) => {
                    request.finish(error.code());
                    self.io().stop(event_loop, ready::WRITABLE);
                    self.io().feed(event_loop);
                    return;
                }
            }
            if !self.handle().has(flags::BLOCKING_WRITES) {
                break;
            }
        }
        if !self.write_queue().is_empty() {
            self.io().start(event_loop, ready::WRITABLE);
        }
    }

    /// Calls back for the writes that are done.
    pub(super) fn run_write_callbacks(self) {
        if self.completed_writes().is_empty() {
            return;
        }
        local!(done);
        self.completed_writes().take(done);
        while let Some(request) = done.pop_front() {
            request.complete();
        }
    }

    /// Moves every waiting write to those whose callback is due.
    pub(super) fn cancel_writes(self) {
        while let Some(request) = self.write_queue().front() {
            request.finish(UV_ECANCELED);
        }
    }

    /// Marks the writes that wait now, for [`Stream::cancel_marked_writes`].
    pub(super) fn mark_waiting_writes(self) {
        for request in self.write_queue().iter() {
            set!(request.error = UV_ECANCELED);
        }
    }

    pub(super) fn cancel_marked_writes(self) {
        while let Some(request) = self.write_queue().front() {
            if get!(request.error) == 0 {
                return;
            }
            request.finish(UV_ECANCELED);
        }
    }
}

/// The handle that is to be passed, if any. `UV_EINVAL` without a byte to pass it with.
fn handle_to_pass(passed: *mut uv_stream_t, buffers: Buffers) -> Result<Option<Handle>> {
    if passed.is_null() {
        return Ok(None);
    }
    buffers.check_count()?;
    if buffers.leading_empty() == buffers.count() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the user vouches for the handle until the write is done.
    Ok(Some(unsafe { Handle::from_ptr(passed.cast()) }))
}

/// The descriptor of a handle that is to be passed.
fn passed_fd(passed: Handle) -> Result<c_int> {
    match passed.kind() {
        UV_NAMED_PIPE | UV_TCP | UV_UDP => passed.fileno(),
        _ => Err(Errno::EBADF),
    }
}

// C entry points

/// Writes buffers to a stream, in order; the memory they point to must stay until `cb` is called,
/// which gets 0 or an error.
///
/// Returns 0 or an error: `UV_EBADF` without a descriptor, `UV_EPIPE` when the stream is not
/// writable, `UV_EINVAL` without buffers or for more than 0x7ffff000 bytes, `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_write>
///
/// # Safety
/// `req` must be writable, `handle` initialised, `bufs` an array of `nbufs` buffers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_write(
    req: *mut uv_write_t,
    handle: *mut uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    cb: uv_write_cb,
) -> c_int {
    if nbufs == 0 {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let (stream, buffers) = unsafe { (Stream::from_ptr(handle), Buffers::new(bufs, nbufs)) };
    stream
        .write(req, buffers, core::ptr::null_mut(), cb)
        .into_code()
}

/// Writes buffers to a pipe as `uv_write` does, and passes `send_handle`, a TCP, pipe or UDP
/// handle, to the process at the other end. The pipe must be initialised for that, and the handle
/// stay open until `cb` is called.
///
/// Returns 0 or an error, as `uv_write` does; `UV_EINVAL` for a pipe that does not pass handles,
/// and for empty buffers, with which no handle can be passed; `UV_EBADF` for a handle without a
/// descriptor.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_write2>
///
/// # Safety
/// The requirements of `uv_write` apply; `send_handle` must be null or initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_write2(
    req: *mut uv_write_t,
    handle: *mut uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    send_handle: *mut uv_stream_t,
    cb: uv_write_cb,
) -> c_int {
    if nbufs == 0 {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let (stream, buffers) = unsafe { (Stream::from_ptr(handle), Buffers::new(bufs, nbufs)) };
    stream.write(req, buffers, send_handle, cb).into_code()
}

/// Writes what can be written at once, without a request.
///
/// Returns the number of bytes written, or an error: `UV_EAGAIN` when nothing can be written, or
/// writes wait already; or an error of `uv_write`.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_try_write>
///
/// # Safety
/// `handle` must be initialised, `bufs` an array of `nbufs` buffers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_try_write(
    handle: *mut uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
) -> c_int {
    // SAFETY: common pointer contract.
    let (stream, buffers) = unsafe { (Stream::from_ptr(handle), Buffers::new(bufs, nbufs)) };
    let result = stream.try_write(buffers, core::ptr::null_mut());
    keep_frame();
    result.into_code()
}

/// Writes what can be written at once, as `uv_try_write` does, and passes a handle, as `uv_write2`
/// does.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_try_write2>
///
/// # Safety
/// The requirements of `uv_try_write` apply; `send_handle` must be null or initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_try_write2(
    handle: *mut uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    send_handle: *mut uv_stream_t,
) -> c_int {
    // SAFETY: common pointer contract.
    let (stream, buffers) = unsafe { (Stream::from_ptr(handle), Buffers::new(bufs, nbufs)) };
    let result = stream.try_write(buffers, send_handle);
    keep_frame();
    result.into_code()
}

/// The number of bytes that a write has written; valid in its callback.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_write_nwritten>
///
/// # Safety
/// `req` must be a write that was started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_write_nwritten(req: *const uv_write_t) -> usize {
    // SAFETY: common pointer contract.
    let request = unsafe { Write::from_ptr(req) };
    get!(request.write_extra.nwritten)
}

/// Bytes that are queued for writing, `stream->write_queue_size`.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_stream_get_write_queue_size>
///
/// # Safety
/// `stream` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_stream_get_write_queue_size(stream: *const uv_stream_t) -> usize {
    // SAFETY: common pointer contract.
    let stream = unsafe { Stream::from_ptr(stream) };
    get!(stream.write_queue_size)
}
