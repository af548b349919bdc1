//! The process title: what `ps` shows is the memory of the program's arguments, which
//! `uv_setup_args` takes over.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_setup_args>

use std::ffi::{CStr, c_char, c_int};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::abi::*;
use crate::alloc;

/// The memory of the arguments, and what takes its place.
struct Title {
    start: *mut c_char,
    room: usize,
    length: usize,
    /// The arguments that the program goes on with. They are never freed, since nobody knows how
    /// long it looks at them; this keeps them from being taken for a leak.
    copy: *mut *mut c_char,
}

// SAFETY: the memory of the arguments is there as long as the process, and used under the lock.
unsafe impl Send for Title {}

static TITLE: Mutex<Title> = Mutex::new(Title {
    start: std::ptr::null_mut(),
    room: 0,
    length: 0,
    copy: std::ptr::null_mut(),
});

fn title() -> MutexGuard<'static, Title> {
    TITLE.lock().unwrap_or_else(PoisonError::into_inner)
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
            std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), place, bytes.len());
            list.add(index).write(place);
        }
        place = place.wrapping_add(bytes.len());
    }
    // SAFETY: the room for the end of the list.
    unsafe { list.add(count).write(std::ptr::null_mut()) };
    Some(list)
}

/// The room of the strings that lie one behind the other, as those of `main` do; a program may pass
/// others, and what is between them is not ours to write to.
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

/// With the library shut down there is no title any more. Whoever holds the lock at exit is gone.
pub(crate) fn forget() {
    if let Ok(mut title) = TITLE.try_lock() {
        title.start = std::ptr::null_mut();
    }
}

// C entry points

/// Takes the memory of the program's arguments over, for the process title; call it with those of
/// `main`. Returns the arguments, in other memory; `argv` itself when there is nothing to do, and at
/// later calls.
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
    let mut title = title();
    if !title.copy.is_null() {
        // What it took over is the title's; these may be any memory.
        return argv;
    }
    // SAFETY: common pointer contract.
    let Some(copy) = (unsafe { copy_arguments(count, argv) }) else {
        return argv;
    };
    // SAFETY: common pointer contract.
    unsafe {
        let first = *argv;
        title.start = first;
        title.copy = copy;
        title.room = room_of(count, argv);
        title.length = CStr::from_ptr(first).count_bytes();
    }
    copy
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
    let mut current = self::title();
    if current.start.is_null() {
        return UV_ENOBUFS;
    }
    let length = text.len().min(current.room.saturating_sub(1));
    // SAFETY: the arguments' memory has `room` bytes.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), current.start, length);
        std::ptr::write_bytes(current.start.add(length), 0, current.room - length);
        // What shows in `top` and as the name of this thread.
        libc::prctl(libc::PR_SET_NAME, current.start);
    }
    current.length = length;
    0
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
    let current = title();
    if current.start.is_null() || size <= current.length {
        return UV_ENOBUFS;
    }
    // SAFETY: there is room for the title and its terminator.
    unsafe {
        std::ptr::copy_nonoverlapping(current.start, buffer, current.length);
        *buffer.add(current.length) = 0;
    }
    0
}
