//! An object that is loaded on request: where it is, and a function of it.

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::text::c_str;
use crate::zeroed::zeroed;

/// The object's path beside this library, or beside a program that is linked to it statically.
const BESIDE: &CStr = c"/oxuv/liboxuv_diagnose.so";
/// The object's name where the dynamic linker looks for libraries.
const NAME: &CStr = c"liboxuv_diagnose.so";

// The C library has these; the crate `libc` does not know them on this system.
unsafe extern "C" {
    fn secure_getenv(name: *const c_char) -> *const c_char;
    fn dprintf(fd: c_int, format: *const c_char, ...) -> c_int;
}

/// Whether a variable of the environment is set and not empty. In a process that has more rights
/// than its user, such as a set-user-ID program, none is.
pub(crate) fn is_asked_for(variable: &CStr) -> bool {
    // SAFETY: the name is terminated. libuv reads its variables at such a time as well.
    let value = unsafe { c_str(secure_getenv(variable.as_ptr())) };
    value.is_some_and(|value| !value.is_empty())
}

/// Loads the object, for good, and returns the address of a function of it. If that fails, prints
/// why.
pub(crate) fn load(function: &CStr) -> Option<*mut c_void> {
    let beside = path_beside();
    // SAFETY: the names are terminated. The object's constructors are this project's.
    let address = unsafe {
        let mut object = core::ptr::null_mut();
        if let Some(path) = &beside {
            object = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        }
        if object.is_null() {
            object = libc::dlopen(NAME.as_ptr(), libc::RTLD_NOW);
        }
        match object.is_null() {
            true => object,
            false => libc::dlsym(object, function.as_ptr()),
        }
    };
    if address.is_null() {
        report_failure();
    }
    (!address.is_null()).then_some(address)
}

type Path = [c_char; libc::PATH_MAX as usize];

/// [`BESIDE`] in the folder of the object that this code is in; `None` where that is not known.
fn path_beside() -> Option<Path> {
    let mut info: libc::Dl_info = zeroed();
    // SAFETY: dladdr does not access memory at the address.
    let known = unsafe { libc::dladdr(path_beside as *const c_void, &mut info) };
    if known == 0 {
        return None;
    }
    // SAFETY: the name of a loaded object, which stays loaded meanwhile.
    let own = unsafe { c_str(info.dli_fname) }?.to_bytes();
    let folder = &own[..own.iter().rposition(|&byte| byte == b'/')?];
    let bytes = folder.iter().chain(BESIDE.to_bytes_with_nul());
    let mut path: Path = [0; libc::PATH_MAX as usize];
    if folder.len() + BESIDE.to_bytes_with_nul().len() > path.len() {
        return None;
    }
    for (to, &from) in path.iter_mut().zip(bytes) {
        *to = from as c_char;
    }
    Some(path)
}

fn report_failure() {
    // SAFETY: the message is null or a terminated string until the next call.
    unsafe {
        let reason = libc::dlerror();
        if !reason.is_null() {
            dprintf(
                libc::STDERR_FILENO,
                c"oxuv: nothing is diagnosed: %s\n".as_ptr(),
                reason,
            );
        }
    }
}
