//! The environment, folders, and the program's own path.
//!
//! The environment is the process's. Like libc's own functions, these are not safe while another
//! thread changes it.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html>

use core::ffi::{CStr, c_char, c_int};

use super::identity;
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};
use crate::panic::not_null;
use crate::sys::{cvt, cvt_size};
use crate::text::{c_str, c_strs};
use crate::text_buffer::TextBuffer;

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// The value of a variable. It is valid until the environment is changed.
pub(super) fn variable(name: &CStr) -> Option<&'static [u8]> {
    // SAFETY: the name is terminated, and the value null or terminated.
    unsafe { c_str(libc::getenv(name.as_ptr())) }.map(CStr::to_bytes)
}

/// `name=value` as an item of its own memory; `None` for what has no `=`.
fn item(entry: &CStr) -> Option<Result<uv_env_item_t>> {
    let at = entry.to_bytes().iter().position(|byte| *byte == b'=')?;
    Some(alloc::duplicate(entry).map(|name| {
        let equals = name.wrapping_add(at);
        // SAFETY: within the copy.
        unsafe { *equals = 0 };
        uv_env_item_t {
            name,
            value: equals.wrapping_add(1),
        }
    }))
}

/// # Safety
/// The items must have been made by [`list_environment`], and be used no more.
unsafe fn free_items(items: *mut uv_env_item_t, count: usize) {
    for index in 0..count {
        // SAFETY: each name was allocated by `item`, and its value is in the same block.
        unsafe { alloc::free((*items.add(index)).name.cast()) };
    }
    // SAFETY: allocated by `list_environment`.
    unsafe { alloc::free(items.cast()) };
}

fn list_environment() -> Result<(*mut uv_env_item_t, usize)> {
    // SAFETY: read once; no other code changes it meanwhile.
    let list = unsafe { environ }.cast_const().cast();
    // SAFETY: libc's list of variables, ended by null; null itself after clearenv.
    let entries = || unsafe { c_strs(list) };
    let most = entries().count();
    let items = alloc::calloc(most.max(1), size_of::<uv_env_item_t>()).cast::<uv_env_item_t>();
    if items.is_null() {
        return Err(Errno::ENOMEM);
    }
    let mut count = 0;
    if most > 0 {
        for new in entries().take(most).filter_map(item) {
            match new {
                // SAFETY: below the number of entries.
                Ok(new) => unsafe { items.add(count).write(new) },
                Err(error) => {
                    // SAFETY: this many are made, and nothing refers to them.
                    unsafe { free_items(items, count) };
                    return Err(error);
                }
            }
            count += 1;
        }
    }
    Ok((items, count))
}

fn temporary_folder() -> &'static [u8] {
    let names = [c"TMPDIR", c"TMP", c"TEMP", c"TEMPDIR"];
    let path = names.into_iter().find_map(variable).unwrap_or(b"/tmp");
    match path {
        [start @ .., b'/'] if !start.is_empty() => start,
        path => path,
    }
}

/// Calls `work` with the current folder's path, of any length.
fn with_current_folder<R>(work: impl FnOnce(&[u8]) -> R) -> Result<R> {
    let mut memory: alloc::Vec<u8> = alloc::vec();
    let mut room = libc::PATH_MAX as usize;
    loop {
        memory.try_reserve_exact(room).map_err(|_| Errno::ENOMEM)?;
        let start = memory.as_mut_ptr().cast::<c_char>();
        // SAFETY: `room` bytes were reserved.
        if !unsafe { libc::getcwd(start, room) }.is_null() {
            // SAFETY: getcwd wrote a terminated string.
            let path = unsafe { CStr::from_ptr(start) }.to_bytes();
            return Ok(work(path));
        }
        match Errno::last() {
            Errno::ERANGE => room *= 2,
            error => return Err(error),
        }
    }
}

// C entry points

/// Writes the path of the running program to `buffer`, cut to `*size` bytes with its terminator.
/// `*size` becomes its length.
///
/// Returns 0 or an error: `UV_EINVAL` for null pointers or a size of 0.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_exepath>
///
/// # Safety
/// `buffer` must be writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_exepath(buffer: *mut c_char, size: *mut usize) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        let room = match TextBuffer::new(buffer, size) {
            Ok(buffer) => buffer.room() - 1,
            Err(error) => return error.code(),
        };
        let path = c"/proc/self/exe".as_ptr();
        let count = match room {
            0 => Ok(0),
            room => cvt_size(libc::readlink(path, buffer, room)),
        };
        count
            .map(|count| {
                *buffer.add(count) = 0;
                *size = count;
            })
            .into_code()
    }
}

/// Writes the current folder to `buffer`.
///
/// Returns 0 or an error: `UV_ENOBUFS` with the size needed in `*size`, `UV_EINVAL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_cwd>
///
/// # Safety
/// `buffer` must be writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cwd(buffer: *mut c_char, size: *mut usize) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { TextBuffer::new(buffer, size) }
        .and_then(|buffer| with_current_folder(|path| buffer.put(path))?)
        .into_code()
}

/// Changes the current folder. Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_chdir>
///
/// # Safety
/// `dir` must be a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_chdir(dir: *const c_char) -> c_int {
    // SAFETY: common pointer contract.
    cvt(unsafe { libc::chdir(dir) }).map(drop).into_code()
}

/// Writes the user's home folder to `buffer`: `HOME`, or what the user database says.
///
/// Returns 0 or an error: `UV_ENOBUFS` with the size needed in `*size`, `UV_EINVAL`, `UV_ENOENT`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_homedir>
///
/// # Safety
/// `buffer` must be writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_homedir(buffer: *mut c_char, size: *mut usize) -> c_int {
    // SAFETY: common pointer contract.
    let buffer = match unsafe { TextBuffer::new(buffer, size) } {
        Ok(buffer) => buffer,
        Err(error) => return error.code(),
    };
    match variable(c"HOME") {
        Some(home) => buffer.put(home),
        None => identity::with_home(|home| buffer.put(home)),
    }
    .into_code()
}

/// Writes the folder for temporary files to `buffer`: `TMPDIR`, `TMP`, `TEMP`, `TEMPDIR` or `/tmp`,
/// without a slash at its end.
///
/// Returns 0 or an error: `UV_ENOBUFS` with the size needed in `*size`, `UV_EINVAL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_tmpdir>
///
/// # Safety
/// `buffer` must be writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_tmpdir(buffer: *mut c_char, size: *mut usize) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { TextBuffer::new(buffer, size) }
        .and_then(|buffer| buffer.put(temporary_folder()))
        .into_code()
}

/// Lists the environment; free it with `uv_os_free_environ`.
///
/// Returns 0 or `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_environ>
///
/// # Safety
/// Both must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_environ(
    envitems: *mut *mut uv_env_item_t,
    count: *mut c_int,
) -> c_int {
    let (result, items, number) = match list_environment() {
        Ok((items, number)) => (0, items, number),
        Err(error) => (error.code(), core::ptr::null_mut(), 0),
    };
    // SAFETY: common pointer contract.
    unsafe {
        not_null(envitems).write(items);
        not_null(count).write(number as c_int);
    }
    result
}

/// Frees what `uv_os_environ` listed.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_free_environ>
///
/// # Safety
/// The list must come from `uv_os_environ`, with its count.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_free_environ(envitems: *mut uv_env_item_t, count: c_int) {
    if !envitems.is_null() {
        // SAFETY: common pointer contract.
        unsafe { free_items(envitems, count.max(0) as usize) };
    }
}

/// Writes the value of a variable to `buffer`.
///
/// Returns 0 or an error: `UV_ENOENT` when it is not set, `UV_ENOBUFS` with the size needed in
/// `*size`, `UV_EINVAL` for null pointers or a size of 0.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_getenv>
///
/// # Safety
/// `name` must be a terminated string, `buffer` writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_getenv(
    name: *const c_char,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    if name.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let (name, buffer) = unsafe { (CStr::from_ptr(name), TextBuffer::new(buffer, size)) };
    buffer
        .and_then(|buffer| buffer.put(variable(name).ok_or(Errno::ENOENT)?))
        .into_code()
}

/// Sets a variable. Returns 0 or an error: `UV_EINVAL` for null pointers and bad names,
/// `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_setenv>
///
/// # Safety
/// Both must be null or terminated strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_setenv(name: *const c_char, value: *const c_char) -> c_int {
    if name.is_null() || value.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    cvt(unsafe { libc::setenv(name, value, 1) })
        .map(drop)
        .into_code()
}

/// Removes a variable. Returns 0, also when it was not set, or `UV_EINVAL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_unsetenv>
///
/// # Safety
/// `name` must be null or a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_unsetenv(name: *const c_char) -> c_int {
    if name.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    cvt(unsafe { libc::unsetenv(name) }).map(drop).into_code()
}
