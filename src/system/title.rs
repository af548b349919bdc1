//! The title of the process, which `ps` shows in place of its arguments.
//!
//! The kernel tells others what stands where it put the arguments of the program; so that is where
//! a title goes, cut to what was there, and the program goes on with a copy of its arguments.
//! The copy is one block of memory, freed with the library's other belongings.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_setup_args>

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::{Mutex, MutexGuard};

use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};

use super::buffer::Buffer;

/// What `uv_setup_args` finds out.
struct Title {
    /// Where the arguments were.
    area: *mut u8,
    /// How long they were, all terminators included.
    capacity: usize,
    /// How long the title is, without its terminator.
    length: usize,
    /// The copy of the arguments.
    arguments: *mut *mut c_char,
}

// SAFETY: the memory is the process's own, and only touched under the lock.
unsafe impl Send for Title {}

static TITLE: Mutex<Option<Title>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Title>> {
    TITLE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Title {
    fn text(&self) -> &[u8] {
        // SAFETY: the area begins with the title, and is written to under the lock only.
        unsafe { std::slice::from_raw_parts(self.area, self.length) }
    }

    fn set(&mut self, title: &[u8]) {
        self.length = title.len().min(self.capacity - 1);
        // SAFETY: the area has room for the capacity, and the title is shorter. It may be a part of
        // the area.
        unsafe {
            ptr::copy(title.as_ptr(), self.area, self.length);
            ptr::write_bytes(self.area.add(self.length), 0, self.capacity - self.length);
        }
    }
}

/// How many bytes the arguments take that follow each other in memory.
///
/// # Safety
/// `argv` must have `count` terminated strings, one at least.
unsafe fn measure(argv: *mut *mut c_char, count: usize) -> usize {
    // SAFETY: the caller vouches for the strings.
    let argument = |index| unsafe { CStr::from_ptr(*argv.add(index)) };
    let begin = argument(0).as_ptr();
    let mut size = 0;
    for text in (0..count).map(argument) {
        if text.as_ptr() != begin.wrapping_add(size) {
            break;
        }
        size += text.to_bytes_with_nul().len();
    }
    size
}

/// A copy of the arguments in one block of memory: the list, its end, the strings.
///
/// # Safety
/// `argv` must have `count` terminated strings.
unsafe fn copy_arguments(argv: *mut *mut c_char, count: usize) -> Result<*mut *mut c_char> {
    // SAFETY: the caller vouches for the strings.
    let arguments = || (0..count).map(|index| unsafe { CStr::from_ptr(*argv.add(index)) });
    let size: usize = arguments().map(|text| text.to_bytes_with_nul().len()).sum();
    let list = alloc::malloc((count + 1) * size_of::<*mut c_char>() + size).cast::<*mut c_char>();
    if list.is_null() {
        return Err(Errno::ENOMEM);
    }
    let mut next = list.wrapping_add(count + 1).cast::<c_char>();
    for (index, text) in arguments().enumerate() {
        let length = text.to_bytes_with_nul().len();
        // SAFETY: the block has room for the list, then for all strings.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), next, length);
            list.add(index).write(next);
        }
        next = next.wrapping_add(length);
    }
    // SAFETY: as above.
    unsafe { list.add(count).write(ptr::null_mut()) };
    Ok(list)
}

/// Frees the copy of the arguments; there is no title from then on.
pub(crate) fn release() {
    if let Some(title) = lock().take() {
        // SAFETY: the copy's block; that the program no longer uses it is the caller's care.
        unsafe { alloc::free(title.arguments.cast()) };
    }
}

// C entry points

/// Prepares for titles: to be called once, at the beginning of `main`. The program goes on with the
/// copy of its arguments that is returned, since a title is written over the ones it was given. The
/// copy is good until `uv_library_shutdown`.
///
/// Returns `argv` itself when there are no arguments, no memory, or when it has been called before.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_setup_args>
///
/// # Safety
/// `argc` and `argv` must be those of `main`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_setup_args(argc: c_int, argv: *mut *mut c_char) -> *mut *mut c_char {
    let mut title = lock();
    if argc <= 0 || title.is_some() {
        return argv;
    }
    let count = argc as usize;
    // SAFETY: common pointer contract.
    let Ok(arguments) = (unsafe { copy_arguments(argv, count) }) else {
        return argv;
    };
    // SAFETY: common pointer contract.
    *title = unsafe {
        Some(Title {
            area: (*argv).cast(),
            capacity: measure(argv, count),
            length: CStr::from_ptr(*argv).to_bytes().len(),
            arguments,
        })
    };
    arguments
}

/// Sets the title of the process, cut to the room that its arguments took, and the name of the
/// calling thread, of which the kernel takes 15 bytes. May be called on any thread.
///
/// Returns 0, `UV_ENOBUFS` when `uv_setup_args` has not been called, or `UV_EINVAL` for `NULL`.
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
    let mut process = lock();
    let Some(process) = process.as_mut() else {
        return UV_ENOBUFS;
    };
    // SAFETY: common pointer contract.
    process.set(unsafe { CStr::from_ptr(title) }.to_bytes());
    // SAFETY: reads no further than the terminator, which the area ends with at the latest.
    unsafe { libc::prctl(libc::PR_SET_NAME, process.area) };
    0
}

/// Stores the title of the process, at first its first argument, in `buffer`. May be called on any
/// thread.
///
/// Returns 0, `UV_EINVAL` when `buffer` is `NULL` or `size` is 0, or `UV_ENOBUFS` when it does not fit
/// or `uv_setup_args` has not been called.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_process_title>
///
/// # Safety
/// `buffer` must be null or writable for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_get_process_title(buffer: *mut c_char, size: usize) -> c_int {
    let mut size = size;
    // SAFETY: common pointer contract.
    unsafe { Buffer::new(buffer, &mut size) }
        .and_then(|buffer| match &*lock() {
            Some(title) => buffer.put(title.text()),
            None => Err(Errno::ENOBUFS),
        })
        .into_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arguments as the kernel lays them out.
    fn with_arguments(texts: &mut [u8], at: &[usize], test: impl FnOnce(*mut *mut c_char, usize)) {
        let begin = texts.as_mut_ptr().cast::<c_char>();
        let mut argv: Vec<_> = at.iter().map(|at| begin.wrapping_add(*at)).collect();
        test(argv.as_mut_ptr(), at.len());
    }

    #[test]
    fn the_room_is_what_the_arguments_take() {
        let mut texts = *b"ab\0c\0\0VAR=1\0";
        // SAFETY: terminated strings, here and below.
        with_arguments(&mut texts, &[0, 3, 5], |argv, count| unsafe {
            assert_eq!(measure(argv, count), 6);
            assert_eq!(measure(argv, 1), 3);
        });
        // Another order is not the kernel's: only the first is taken.
        // SAFETY: as above.
        with_arguments(&mut texts, &[3, 0], |argv, count| unsafe {
            assert_eq!(measure(argv, count), 2);
        });
    }

    #[test]
    fn arguments_are_copied_with_the_end_of_their_list() {
        let mut texts = *b"ab\0c\0";
        with_arguments(&mut texts, &[0, 3], |argv, count| {
            // SAFETY: terminated strings, and a copy of them.
            unsafe {
                let copy = copy_arguments(argv, count).unwrap();
                assert_eq!(CStr::from_ptr(*copy), c"ab");
                assert_eq!(CStr::from_ptr(*copy.add(1)), c"c");
                assert!((*copy.add(2)).is_null());
                alloc::free(copy.cast());
            }
        });
    }

    #[test]
    fn titles_are_cut_and_leave_nothing_behind() {
        let mut area = *b"program\0-x\0HOME=/\0";
        let mut title = Title {
            area: area.as_mut_ptr(),
            capacity: 11,
            length: 7,
            arguments: ptr::null_mut(),
        };
        assert_eq!(title.text(), b"program");
        title.set(b"a longer title");
        assert_eq!(title.text(), b"a longer t");
        title.set(b"");
        assert_eq!(title.text(), b"");
        title.set(b"short");
        assert_eq!(title.text(), b"short");
        assert_eq!(&area, b"short\0\0\0\0\0\0HOME=/\0");
    }
}
