//! Finds out whether functions of libc's are its own, or those of a library (fakeroot, a sanitizer,
//! …) or program that replaces them.

use core::ffi::c_void;

use crate::zeroed::zeroed;

/// Whether all of these functions, as this library links to them, are in libc. Null stands for one
/// that libc does not have. `false` where that cannot be determined.
pub(crate) fn are_libcs_own(functions: &[*const c_void]) -> bool {
    // A function that no library replaces.
    let libc = base_of(libc::sysconf as *const _);
    libc.is_some()
        && functions
            .iter()
            .all(|function| function.is_null() || base_of(*function) == libc)
}

/// The address at which the file of a function is mapped.
fn base_of(function: *const c_void) -> Option<*mut c_void> {
    let mut info: libc::Dl_info = zeroed();
    // SAFETY: `info` is what is written.
    (unsafe { libc::dladdr(function, &mut info) } != 0).then_some(info.dli_fbase)
}
