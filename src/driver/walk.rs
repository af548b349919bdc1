//! Walking over all handles of a loop.
//!
//! <https://docs.libuv.org/en/v1.x/loop.html#c.uv_walk>

use core::ffi::{c_int, c_void};

use super::lifecycle::default_loop;
use crate::abi::*;
use crate::event_loop::Loop;
use crate::handle::{self, Handle, flags};
use crate::observe::call_back;
use crate::zeroed::zeroed;

impl Loop {
    /// Calls `each` for every handle that is not internal. It may close and add handles. The list
    /// is rotated once, with a mark for its end, and is complete at any moment: a callback that
    /// forks relies on that.
    fn walk(self, each: impl Fn(Handle)) {
        self.expect_lists();
        let mut mark: uv_handle_t = zeroed();
        mark.flags = flags::INTERNAL;
        // SAFETY: outlives the walk, at the end of which it leaves the list.
        let mark = unsafe { Handle::from_ptr(&raw mut mark) };
        self.handles().push_back(mark);
        while let Some(handle) = self.handles().pop_front() {
            if handle == mark {
                return;
            }
            self.handles().push_back(handle);
            if !handle.has(flags::INTERNAL) {
                each(handle);
            }
        }
    }

    /// Prints the handles, one per line.
    ///
    /// # Safety
    /// `stream` must be open for writing.
    unsafe fn print(self, stream: *mut libc::FILE, only_active: bool) {
        self.expect_lists();
        for handle in self.handles().iter() {
            let is_mark_of_walk = handle.kind() == UV_UNKNOWN_HANDLE;
            if is_mark_of_walk || only_active && !handle.is_active() {
                continue;
            }
            let mark = |bit, letter: u8| c_int::from(if handle.has(bit) { letter } else { b'-' });
            let name = handle::type_name(handle.kind()).unwrap_or(c"<unknown>");
            // SAFETY: the format takes three characters, a string and a pointer; the caller vouches
            // for the stream.
            unsafe {
                libc::fprintf(
                    stream,
                    c"[%c%c%c] %-8s %p\n".as_ptr(),
                    mark(flags::REF, b'R'),
                    mark(flags::ACTIVE, b'A'),
                    mark(flags::INTERNAL, b'I'),
                    name.as_ptr(),
                    handle.raw(),
                )
            };
        }
    }
}

unsafe extern "C" {
    static stderr: *mut libc::FILE;
}

/// The loop, or the default loop for null.
///
/// # Safety
/// `event_loop` must be null or an initialised loop of this thread's.
unsafe fn or_default(event_loop: *mut uv_loop_t) -> Loop {
    let event_loop = if event_loop.is_null() {
        default_loop()
    } else {
        event_loop
    };
    // SAFETY: the caller vouches for the pointer; the default loop is initialised.
    unsafe { Loop::from_ptr(event_loop) }
}

fn stream_or_stderr(stream: *mut libc::FILE) -> *mut libc::FILE {
    if !stream.is_null() {
        return stream;
    }
    // SAFETY: libc initialises `stderr` before any code runs.
    unsafe { stderr }
}

// C entry points

/// Calls `walk_cb` with `arg` for every handle of the loop, closing ones included.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_walk>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_walk(r#loop: *mut uv_loop_t, walk_cb: uv_walk_cb, arg: *mut c_void) {
    let Some(callback) = walk_cb else { return };
    // SAFETY: common pointer contract.
    let event_loop = unsafe { Loop::from_ptr(r#loop) };
    // SAFETY: the user's callback gets a live handle and the pointer it was registered with.
    event_loop.walk(|handle| unsafe { call_back!(Walk: callback(handle.raw(), arg)) });
}

/// Prints all handles of the loop (`NULL`: the default loop) to `stream` (`NULL`: the standard
/// error), one per line, as `[RAI] type address`: referenced, active, internal.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_print_all_handles>
///
/// # Safety
/// `loop` must be null or initialised, `stream` null or open for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_print_all_handles(r#loop: *mut uv_loop_t, stream: *mut libc::FILE) {
    // SAFETY: common pointer contract.
    unsafe { or_default(r#loop).print(stream_or_stderr(stream), false) };
    crate::panic::keep_frame();
}

/// Prints the active handles of the loop, as `uv_print_all_handles` does.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_print_active_handles>
///
/// # Safety
/// `loop` must be null or initialised, `stream` null or open for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_print_active_handles(r#loop: *mut uv_loop_t, stream: *mut libc::FILE) {
    // SAFETY: common pointer contract.
    unsafe { or_default(r#loop).print(stream_or_stderr(stream), true) };
    crate::panic::keep_frame();
}
