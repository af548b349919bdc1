//! Finds the public function of this library that the calling program is in.

use core::ffi::{CStr, c_int, c_void};

use crate::zeroed::zeroed;

/// More frames than the library's own calls have.
const MAX_FRAMES: usize = 64;

/// The innermost public function of this library on the stack; `None` if it cannot be found.
pub(super) fn function() -> Option<&'static CStr> {
    let mut addresses = [core::ptr::null_mut(); MAX_FRAMES];
    let count = walk(&mut addresses);
    addresses[..count]
        .iter()
        .filter_map(|address| symbol_at(address.addr().wrapping_sub(1)))
        .find(|symbol| symbol.to_bytes().starts_with(b"uv_"))
}

/// The return addresses on the stack, the innermost first. For this glibc loads the unwinder; a
/// library that links to the unwinder would load it in every process. There are none where libc has
/// no such function, as musl, or is linked into the program, where no function has a name either.
fn walk(addresses: &mut [*mut c_void; MAX_FRAMES]) -> usize {
    type Backtrace = unsafe extern "C" fn(*mut *mut c_void, c_int) -> c_int;
    // SAFETY: the name is terminated.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"backtrace".as_ptr()) };
    // SAFETY: null, or the function of that name, whose type this is.
    let backtrace: Option<Backtrace> = unsafe { core::mem::transmute(found) };
    let Some(backtrace) = backtrace else { return 0 };
    // SAFETY: writes at most as many addresses as there is room for.
    let count = unsafe { backtrace(addresses.as_mut_ptr(), MAX_FRAMES as c_int) };
    usize::try_from(count).unwrap_or(0)
}

fn symbol_at(address: usize) -> Option<&'static CStr> {
    let mut info: libc::Dl_info = zeroed();
    // SAFETY: dladdr does not access memory at the address.
    let known = unsafe { libc::dladdr(address as *const c_void, &mut info) };
    if known == 0 || info.dli_sname.is_null() {
        return None;
    }
    // SAFETY: dladdr returned a symbol name of a loaded object, which stays loaded while the
    // process is about to abort.
    Some(unsafe { CStr::from_ptr(info.dli_sname) })
}
