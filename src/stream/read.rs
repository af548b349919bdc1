//! Reading from streams.

use core::ffi::c_int;

use super::Stream;
use crate::abi::*;
use crate::backend::ready;
use crate::errors::{Errno, IntoCode, Result};
use crate::handle::flags;
use crate::observe::{self, Event, call_back};
use crate::sys::socket;
use crate::view::{get, set};

/// The size that is suggested to `alloc_cb` for a buffer, in bytes.
const SUGGESTED_BYTES: usize = 64 * 1024;
/// How many reads are made in a row before other watchers of the loop get their turn.
const READ_BUDGET: u32 = 32;

const NO_BUFFER: uv_buf_t = uv_buf_t {
    base: core::ptr::null_mut(),
    len: 0,
};

impl Stream {
    fn start_reading(self, alloc: uv_alloc_cb, callback: uv_read_cb) -> Result {
        let handle = self.handle();
        if alloc.is_none() || callback.is_none() || handle.is_closing() {
            return Err(Errno::EINVAL);
        }
        if handle.has(flags::READING) {
            return Err(Errno::EALREADY);
        }
        if !handle.has(flags::READABLE) || self.fd() == -1 {
            return Err(Errno::ENOTCONN);
        }
        handle.add(flags::READING);
        handle.clear(flags::READ_EOF);
        set!(self.alloc_cb = alloc);
        set!(self.read_cb = callback);
        self.io().start(self.event_loop(), ready::READABLE);
        handle.start();
        if self.lost_handles().is_some() {
            self.io().feed(self.event_loop());
        }
        Ok(())
    }

    pub(super) fn stop_reading(self) {
        if self.handle().has(flags::READING) {
            self.pause_reading();
            set!(self.alloc_cb = None);
            set!(self.read_cb = None);
        }
    }

    fn pause_reading(self) {
        self.handle().clear(flags::READING);
        self.io().stop(self.event_loop(), ready::READABLE);
        self.handle().stop();
    }

    fn is_reading(self) -> bool {
        self.handle().has(flags::READING)
    }

    /// Reads what is there, within the budget. Where the descriptor hung up, the end is read as
    /// well, after all pieces: a terminal, and a pipe that passes descriptors, return less than is
    /// there.
    pub(super) fn read_available(self) {
        // A descriptor that was left blocking is known to be ready for one read only.
        let budget = if self.handle().has(flags::BLOCKING_WRITES) {
            1
        } else {
            READ_BUDGET
        };
        for _ in 0..budget {
            if !self.is_reading() || !self.read_once() {
                break;
            }
        }
    }

    /// Reads once; returns whether there may be more.
    fn read_once(self) -> bool {
        let registered = get!(self.read_cb);
        let buffer = self.invoke_alloc();
        if !self.is_reading_for(registered) {
            // Reading has stopped, or another callback was registered: the buffer goes back unused.
            if !buffer.base.is_null() {
                self.invoke_callback(registered, 0, &buffer);
            }
            return true;
        }
        if buffer.base.is_null() || buffer.len == 0 {
            self.invoke_read(UV_ENOBUFS as isize, &buffer);
            return false;
        }
        match self.receive(&buffer) {
            Ok(0) => {
                self.end(&buffer);
                false
            }
            Ok(count) => {
                let partial = count < buffer.len;
                observe::report(Event::Received, 0, self.raw(), count);
                self.invoke_read(count as isize, &buffer);
                self.report_lost_handles();
                !partial
            }
            Err(Errno::EAGAIN) => {
                self.invoke_read(0, &buffer);
                false
            }
            Err(error) => {
                self.fail(error, &buffer);
                false
            }
        }
    }

    /// Whether the stream reads, and `callback` is still the read callback.
    fn is_reading_for(self, callback: uv_read_cb) -> bool {
        let address = |callback: uv_read_cb| callback.map(|function| function as usize);
        self.is_reading() && address(get!(self.read_cb)) == address(callback)
    }

    /// Reports to a reader that handles were lost which were passed with the data before. If
    /// reading has stopped, that is reported when it starts again.
    pub(super) fn report_lost_handles(self) {
        if !self.is_reading() {
            return;
        }
        if let Some(error) = self.take_lost_handles() {
            self.invoke_read(error.code() as isize, &NO_BUFFER);
        }
    }

    fn receive(self, buffer: &uv_buf_t) -> Result<usize> {
        if self.passes_handles() {
            return self.receive_handles(buffer);
        }
        // SAFETY: the user has just provided the buffer for this.
        unsafe { socket::read(self.fd(), buffer) }
    }

    fn fail(self, error: Errno, buffer: &uv_buf_t) {
        self.handle().clear(flags::READABLE | flags::WRITABLE);
        self.invoke_read(error.code() as isize, buffer);
        if self.is_reading() {
            self.pause_reading();
        }
    }

    fn end(self, buffer: &uv_buf_t) {
        self.handle().add(flags::READ_EOF);
        self.pause_reading();
        self.invoke_read(UV_EOF as isize, buffer);
    }

    fn invoke_alloc(self) -> uv_buf_t {
        let mut buffer = NO_BUFFER;
        if let Some(callback) = get!(self.alloc_cb) {
            // SAFETY: the user's callback gets the stream it was registered for, and a buffer in
            // this stack frame to fill in.
            unsafe { call_back!(Alloc: callback(self.raw().cast(), SUGGESTED_BYTES, &mut buffer)) }
        }
        buffer
    }

    fn invoke_read(self, count: isize, buffer: &uv_buf_t) {
        self.invoke_callback(get!(self.read_cb), count, buffer);
    }

    fn invoke_callback(self, callback: uv_read_cb, count: isize, buffer: &uv_buf_t) {
        if let Some(callback) = callback {
            // SAFETY: the user's callback gets the stream it was registered for, and the buffer
            // that was made for it.
            unsafe { call_back!(Read: callback(self.raw(), count, buffer)) }
        }
    }
}

// C entry points

/// Starts to read. `alloc_cb` is asked for a buffer before each read. `read_cb` gets what was read,
/// 0 when there was nothing after all, `UV_EOF` at the end, or an error; after the last two,
/// reading has stopped. Every buffer is returned to `read_cb`, with 0 also when `alloc_cb` stopped
/// the reading or closed the stream. A pipe that passes handles reads on after `UV_EMFILE` without
/// a buffer. That error means that a handle which came with the data before is lost, because there
/// was no descriptor for it.
///
/// Returns 0 or an error: `UV_EALREADY` while reading, `UV_ENOTCONN` when the stream is not
/// readable, `UV_EINVAL` when it is closing or a callback is `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_read_start>
///
/// # Safety
/// `stream` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_read_start(
    stream: *mut uv_stream_t,
    alloc_cb: uv_alloc_cb,
    read_cb: uv_read_cb,
) -> c_int {
    if stream.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { Stream::from_ptr(stream) }
        .start_reading(alloc_cb, read_cb)
        .into_code()
}

/// Stops reading. Returns 0, also for a stream that does not read.
///
/// <https://docs.libuv.org/en/v1.x/stream.html#c.uv_read_stop>
///
/// # Safety
/// `stream` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_read_stop(stream: *mut uv_stream_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Stream::from_ptr(stream) }.stop_reading();
    0
}
