//! The process title. `ps` shows the memory of the program's arguments, which `uv_setup_args`
//! takes over.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_setup_args>

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};
use crate::panic::not_null;
use crate::sys::lock::Locked;

/// The memory of the arguments, and their copy.
struct Title {
    start: *mut c_char,
    room: usize,
    length: usize,
    /// The copy of the arguments, which the program uses. It is never freed, since the program may
    /// use it for ever. This pointer keeps it from being reported as a leak.
    copy: *mut *mut c_char,
}

// SAFETY: the memory of the arguments is there as long as the process, and used under the lock.
unsafe impl Send for Title {}

static TITLE: Locked<Title> = Locked::new(Title {
    start: core::ptr::null_mut(),
    room: 0,
    length: 0,
    copy: core::ptr::null_mut(),
});

/// Whether there ever was a title. Most processes end without one.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

impl Title {
    /// Takes over the memory of the arguments, unless that was done before. Returns the arguments
    /// that the program then uses.
    ///
    /// # Safety
    /// `argv` must have `count` terminated strings, at least one, that are used by nothing else.
    unsafe fn take_over(&mut self, count: usize, argv: *mut *mut c_char) -> *mut *mut c_char {
        if !self.copy.is_null() {
            // The title has its memory already; this may be any other memory.
            return argv;
        }
        // SAFETY: the caller vouches for the strings.
        let Some(copy) = (unsafe { copy_arguments(count, argv) }) else {
            return argv;
        };
        // SAFETY: the caller vouches for the list.
        self.start = unsafe { *argv };
        self.copy = copy;
        IS_TAKEN.store(true, SeqCst);
        // SAFETY: the caller vouches for the strings.
        self.room = unsafe { room_of(count, argv) };
        // SAFETY: the first of the strings.
        self.length = unsafe { CStr::from_ptr(self.start) }.count_bytes();
        copy
    }

    fn change(&mut self, text: &[u8]) -> Result {
        if self.start.is_null() {
            return Err(Errno::ENOBUFS);
        }
        let length = text.len().min(self.room.saturating_sub(1));
        // SAFETY: the arguments' memory has `room` bytes.
        unsafe {
            core::ptr::copy_nonoverlapping(text.as_ptr().cast(), self.start, length);
            core::ptr::write_bytes(self.start.add(length), 0, self.room - length);
            // This name shows in `top`, and is the name of this thread.
            libc::prctl(libc::PR_SET_NAME, self.start);
        }
        self.length = length;
        Ok(())
    }

    /// # Safety
    /// `buffer` must be writable for `size` bytes.
    unsafe fn copy_to(&self, buffer: *mut c_char, size: usize) -> Result {
        if self.start.is_null() || size <= self.length {
            return Err(Errno::ENOBUFS);
        }
        // SAFETY: the title and its terminator fit.
        unsafe {
            core::ptr::copy_nonoverlapping(self.start, buffer, self.length);
            *buffer.add(self.length) = 0;
        }
        Ok(())
    }
}

/// Copies the arguments to one block: the list of pointers, then the strings.
///
/// # Safety
/// `argv` must have `count` terminated strings.
unsafe fn copy_arguments(count: usize, argv: *mut *mut c_char) -> Option<*mut *mut c_char> {
    // SAFETY: the caller vouches for the list.
    let argument = |index: usize| unsafe { CStr::from_ptr(*argv.add(index)) };
    let strings: usize = (0..count)
        .map(|index| argument(index).count_bytes() + 1)
        .sum();
    let pointers = (count + 1) * size_of::<*mut c_char>();
    let list = alloc::malloc(pointers + strings).cast::<*mut c_char>();
    if list.is_null() {
        return None;
    }
    let mut place = list.wrapping_byte_add(pointers).cast::<c_char>();
    for index in 0..count {
        let bytes = argument(index).to_bytes_with_nul();
        // SAFETY: the block has room for all pointers and strings.
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), place, bytes.len());
            list.add(index).write(place);
        }
        place = place.wrapping_add(bytes.len());
    }
    // SAFETY: the block has memory for the end of the list.
    unsafe { list.add(count).write(core::ptr::null_mut()) };
    Some(list)
}

/// The size of the strings that are adjacent, as those of `main` are, in bytes. A program may pass
/// others, and what lies between them must not be written to.
///
/// # Safety
/// `argv` must have `count` terminated strings, at least one.
unsafe fn room_of(count: usize, argv: *mut *mut c_char) -> usize {
    // SAFETY: the caller vouches for the list.
    unsafe {
        let start = *argv;
        let mut end = start;
        for index in 0..count {
            let argument = *argv.add(index);
            if argument != end {
                break;
            }
            end = argument.add(CStr::from_ptr(argument).count_bytes() + 1);
        }
        end.addr() - start.addr()
    }
}

/// Drops the title when the library shuts down. A thread that has the lock at exit is gone.
pub(crate) fn forget() {
    if IS_TAKEN.load(SeqCst) {
        let _ = TITLE.try_with(|title| title.start = core::ptr::null_mut());
    }
}

/// Frees the lock in a forked child, which does not have the thread that took it.
pub(crate) fn reset_after_fork() {
    TITLE.reset();
}

// C entry points

/// Takes over the memory of the program's arguments for the process title; call it with those of
/// `main`. Returns the arguments, in other memory. Returns `argv` itself when there is nothing to
/// do, and at later calls.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_setup_args>
///
/// # Safety
/// They must be the arguments of `main`, which are not to be used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_setup_args(argc: c_int, argv: *mut *mut c_char) -> *mut *mut c_char {
    let Ok(count @ 1..) = usize::try_from(argc) else {
        return argv;
    };
    // SAFETY: common pointer contract.
    TITLE.with(|title| unsafe { title.take_over(count, not_null(argv)) })
}

/// Sets the process title, cut to the memory that the arguments had.
///
/// Returns 0 or an error: `UV_ENOBUFS` before `uv_setup_args`, `UV_EINVAL` for `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_set_process_title>
///
/// # Safety
/// `title` must be null or a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_set_process_title(title: *const c_char) -> c_int {
    if title.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let text = unsafe { CStr::from_ptr(title) }.to_bytes();
    TITLE.with(|title| title.change(text)).into_code()
}

/// Writes the process title to `buffer`, which has `size` bytes.
///
/// Returns 0 or an error: `UV_ENOBUFS` before `uv_setup_args` and for a buffer that is too small,
/// `UV_EINVAL` for none.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_process_title>
///
/// # Safety
/// `buffer` must be null or writable for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_get_process_title(buffer: *mut c_char, size: usize) -> c_int {
    if buffer.is_null() || size == 0 {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    TITLE
        .with(|title| unsafe { title.copy_to(buffer, size) })
        .into_code()
}
