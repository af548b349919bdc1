//! Shared libraries.
//!
//! <https://docs.libuv.org/en/v1.x/dll.html>

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::abi::*;
use crate::alloc;
use crate::panic::not_null;

/// Keeps the message of `dlerror` in the library object; returns whether there was an error.
///
/// # Safety
/// `lib` must be initialised.
unsafe fn keep_error(lib: *mut uv_lib_t) -> bool {
    // SAFETY: the caller vouches for the object; the message is a terminated string until the
    // next call.
    unsafe {
        alloc::free((*lib).errmsg.cast());
        (*lib).errmsg = core::ptr::null_mut();
        let message = libc::dlerror();
        if message.is_null() {
            return false;
        }
        (*lib).errmsg = alloc::duplicate(CStr::from_ptr(message)).unwrap_or(core::ptr::null_mut());
        true
    }
}

// C entry points

/// Opens a shared library, or, for a `NULL` name, the program itself.
///
/// Returns 0, or −1, in which case `uv_dlerror` has the reason. Call `uv_dlclose` in either case.
///
/// <https://docs.libuv.org/en/v1.x/dll.html#c.uv_dlopen>
///
/// # Safety
/// `filename` must be null or a terminated string, `lib` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_dlopen(filename: *const c_char, lib: *mut uv_lib_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        let lib = not_null(lib);
        libc::dlerror();
        let handle = libc::dlopen(filename, libc::RTLD_LAZY);
        lib.write(uv_lib_t {
            handle,
            errmsg: core::ptr::null_mut(),
        });
        if !handle.is_null() {
            return 0;
        }
        keep_error(lib);
    }
    -1
}

/// Closes a shared library, and frees its error message.
///
/// <https://docs.libuv.org/en/v1.x/dll.html#c.uv_dlclose>
///
/// # Safety
/// `lib` must come from `uv_dlopen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_dlclose(lib: *mut uv_lib_t) {
    // SAFETY: common pointer contract.
    unsafe {
        let lib = not_null(lib);
        alloc::free((*lib).errmsg.cast());
        (*lib).errmsg = core::ptr::null_mut();
        if !(*lib).handle.is_null() {
            libc::dlclose((*lib).handle);
            (*lib).handle = core::ptr::null_mut();
        }
    }
}

/// Writes the address of a symbol to `ptr`. A symbol may have the address `NULL`.
///
/// Returns 0, or −1 for a symbol that does not exist.
///
/// <https://docs.libuv.org/en/v1.x/dll.html#c.uv_dlsym>
///
/// # Safety
/// `lib` must come from `uv_dlopen`, `name` be a terminated string, `ptr` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_dlsym(
    lib: *mut uv_lib_t,
    name: *const c_char,
    ptr: *mut *mut c_void,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        libc::dlerror();
        let address = libc::dlsym((*not_null(lib)).handle, name);
        not_null(ptr).write(address);
        if address.is_null() && keep_error(lib) {
            -1
        } else {
            0
        }
    }
}

/// The message of a library's last error, or `"no error"`.
///
/// <https://docs.libuv.org/en/v1.x/dll.html#c.uv_dlerror>
///
/// # Safety
/// `lib` must come from `uv_dlopen`; the text is valid until the next call with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_dlerror(lib: *const uv_lib_t) -> *const c_char {
    // SAFETY: common pointer contract.
    let message = unsafe { (*not_null(lib.cast_mut())).errmsg };
    if message.is_null() {
        c"no error".as_ptr()
    } else {
        message
    }
}
