//! Writing to streams.
//!
//! A write is tried at once if none waits before it; its callback still comes later, from the loop.
//! Writes that are done, or failed, move from `write_queue` to `write_completed_queue` in order.

use core::ffi::{c_int, c_uint};

use super::Stream;
use crate::abi::*;
use crate::backend::ready;
use crate::buffers;
use crate::errors::{Errno, IntoCode, Result};
use crate::handle::{Handle, flags};
use crate::list::{linked, local};
use crate::request::Request;
use crate::sys::socket;
use crate::view::{addr, get, set, upcast, view};

/// How many writes are made in a row before other watchers of the loop get their turn.
const WRITE_BUDGET: u32 = 32;

view!(
    /// A write in progress.
    Write => uv_write_t
);
linked!(link: Write in uv_write_t.queue);

impl Write {
    upcast!(request: Request);

    fn stream(self) -> Stream {
        // SAFETY: a stream outlives its requests.
        unsafe { Stream::from_ptr(get!(self.handle)) }
    }

    /// Copies the list of buffers, whose memory stays the user's.
    fn set_buffers(self, buffers: *const uv_buf_t, count: c_uint) -> Result {
        let room = get!(self.bufsml).len();
        // SAFETY: the user vouches for `count` buffers, and the request has that room.
        let copy = unsafe { buffers::keep(buffers, count, self.own_buffers(), room) }?;
        set!(self.bufs = copy);
        set!(self.nbufs = count);
        set!(self.write_index = 0);
        Ok(())
    }

    fn free_buffers(self) {
        let list = get!(self.bufs);
        set!(self.bufs = core::ptr::null_mut());
        // SAFETY: null or a copy made by `set_buffers`, which is forgotten above.
        unsafe { buffers::release(list, self.own_buffers()) };
    }

    /// The list within the request, with room for a few buffers.
    fn own_buffers(self) -> *mut uv_buf_t {
        addr!(self.bufsml).cast()
    }

    fn buffer(self, index: c_uint) -> *mut uv_buf_t {
        get!(self.bufs).wrapping_add(index as usize)
    }

    /// Bytes not yet written.
    fn remaining(self) -> usize {
        let index = get!(self.write_index);
        // SAFETY: the rest of the request's own list.
        unsafe { buffers::total(self.buffer(index), get!(self.nbufs) - index) }
    }

    /// Takes `count` bytes off the buffers; returns whether all are written.
    fn advance(self, mut count: usize) -> bool {
        set!(self.write_extra.nwritten = get!(self.write_extra.nwritten) + count);
        let (mut index, last) = (get!(self.write_index), get!(self.nbufs));
        while index < last {
            let buffer = self.buffer(index);
            // SAFETY: below the number of buffers, in the request's own copy of the list.
            let left = unsafe {
                let taken = count.min((*buffer).len);
                (*buffer).base = (*buffer).base.wrapping_add(taken);
                (*buffer).len -= taken;
                count -= taken;
                (*buffer).len
            };
            if left > 0 {
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
            self.free_buffers();
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
            set!(stream.write_queue_size = get!(stream.write_queue_size) - self.remaining());
            self.free_buffers();
        }
        Request::finish(stream.event_loop());
        if let Some(callback) = get!(self.cb) {
            // SAFETY: the user's callback gets the request it was registered with, which nothing
            // touches afterwards.
            unsafe { callback(self.raw(), get!(self.error)) }
        }
    }
}

impl Stream {
    /// Checks the arguments of a write, and whether the stream can be written to.
    fn check_write(
        self,
        buffers: *const uv_buf_t,
        count: c_uint,
        passed: Option<Handle>,
    ) -> Result {
        if count == 0 || count > c_int::MAX as c_uint {
            return Err(Errno::EINVAL);
        }
        // SAFETY: the user vouches for `count` buffers.
        unsafe { buffers::check_total(buffers, count) }?;
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
        buffers: *const uv_buf_t,
        count: c_uint,
        passed: *mut uv_stream_t,
        callback: uv_write_cb,
    ) -> Result {
        let passed_handle = handle_to_pass(passed, buffers, count)?;
        self.check_write(buffers, count, passed_handle)?;
        self.expected()?;
        // SAFETY: common pointer contract.
        let request = unsafe { Write::from_ptr(request) };
        request.set_buffers(buffers, count)?;
        let event_loop = self.event_loop();
        let was_empty = self.write_queue().is_empty();
        set!(request.cb = callback);
        set!(request.handle = self.raw());
        set!(request.send_handle = passed);
        set!(request.error = 0);
        set!(request.write_extra.nwritten = 0);
        request.request().start(event_loop, UV_WRITE);
        set!(self.write_queue_size = get!(self.write_queue_size) + request.remaining());
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
    fn try_write(
        self,
        buffers: *const uv_buf_t,
        count: c_uint,
        passed: *mut uv_stream_t,
    ) -> Result<c_int> {
        let stream = self.expected();
        let passed = handle_to_pass(passed, buffers, count)?;
        if stream.is_ok() && (self.connect_request().is_some() || !self.write_queue().is_empty()) {
            return Err(Errno::EAGAIN);
        }
        self.check_write(buffers, count, passed)?;
        stream?
            .send(buffers, count, passed)
            .map(|count| count as c_int)
    }

    fn send(
        self,
        buffers: *const uv_buf_t,
        count: c_uint,
        passed: Option<Handle>,
    ) -> Result<usize> {
        let (count, fd) = (count as usize, self.fd());
        let result = match passed {
            Some(passed) => {
                // The first of many buffers may be empty, and one call sends no more than those.
                let skip = empty_buffers(buffers, count as c_uint) as usize;
                let buffers = buffers.wrapping_add(skip);
                // SAFETY: the user vouches for the buffers until the write is done.
                unsafe { socket::send_with_fd(fd, buffers, count - skip, passed_fd(passed)?) }
            }
            // SAFETY: the user vouches for the buffers until the write is done.
            None => unsafe { socket::write_buffers(fd, buffers, count) },
        };
        match result {
            Err(Errno::ENOBUFS) => Err(Errno::EAGAIN),
            result => result,
        }
    }

    /// Writes as much of the queue as the descriptor takes, within the budget.
    pub(super) fn write_queued(self) {
        let event_loop = self.event_loop();
        let mut budget = WRITE_BUDGET;
        while let Some(request) = self.write_queue().front() {
            let index = get!(request.write_index);
            let count = get!(request.nbufs) - index;
            match self.send(request.buffer(index), count, request.send_handle()) {
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
fn handle_to_pass(
    passed: *mut uv_stream_t,
    buffers: *const uv_buf_t,
    count: c_uint,
) -> Result<Option<Handle>> {
    if passed.is_null() {
        return Ok(None);
    }
    if count > c_int::MAX as c_uint || empty_buffers(buffers, count) == count {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the user vouches for the handle until the write is done.
    Ok(Some(unsafe { Handle::from_ptr(passed.cast()) }))
}

/// How many of the leading buffers are empty.
fn empty_buffers(buffers: *const uv_buf_t, count: c_uint) -> c_uint {
    (0..count)
        // SAFETY: the user vouches for `count` buffers.
        .find(|&index| unsafe { (*buffers.wrapping_add(index as usize)).len } > 0)
        .unwrap_or(count)
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
    unsafe { Stream::from_ptr(handle) }
        .write(req, bufs, nbufs, core::ptr::null_mut(), cb)
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
    unsafe { Stream::from_ptr(handle) }
        .write(req, bufs, nbufs, send_handle, cb)
        .into_code()
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
    unsafe { Stream::from_ptr(handle) }
        .try_write(bufs, nbufs, core::ptr::null_mut())
        .into_code()
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
    unsafe { Stream::from_ptr(handle) }
        .try_write(bufs, nbufs, send_handle)
        .into_code()
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
