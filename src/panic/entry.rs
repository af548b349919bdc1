//! Which public function of this library the calling program is in.

use core::ffi::{CStr, c_void};

/// Deeper than the library calls itself.
const DEPTH: usize = 64;

/// The innermost public function of this library on the stack; none where it cannot be told.
pub(super) fn function() -> Option<&'static CStr> {
    let mut addresses = [core::ptr::null_mut(); DEPTH];
    let count = walk(&mut addresses);
    addresses[..count]
        .iter()
        .filter_map(|address| symbol_at(address.addr().wrapping_sub(1)))
        .find(|symbol| symbol.to_bytes().starts_with(b"uv_"))
}

/// The return addresses on the stack, the innermost first. glibc loads the unwinder when it is
/// asked for this; who links to it has it loaded in every process.
#[cfg(target_env = "gnu")]
fn walk(addresses: &mut [*mut c_void; DEPTH]) -> usize {
    // SAFETY: writes at most as many addresses as there is room for.
    let count = unsafe { libc::backtrace(addresses.as_mut_ptr(), DEPTH as libc::c_int) };
    usize::try_from(count).unwrap_or(0)
}

/// The same by the unwinder, which std links to.
#[cfg(not(target_env = "gnu"))]
fn walk(addresses: &mut [*mut c_void; DEPTH]) -> usize {
    use core::ffi::c_int;

    #[repr(C)]
    struct Context {
        _opaque: [u8; 0],
    }
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            trace: extern "C" fn(*mut Context, *mut c_void) -> c_int,
            argument: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetIP(context: *mut Context) -> usize;
    }
    type Found<'a> = (&'a mut [*mut c_void; DEPTH], usize);

    extern "C" fn note(context: *mut Context, argument: *mut c_void) -> c_int {
        const GO_ON: c_int = 0;
        const STOP: c_int = 5;
        // SAFETY: `walk` passes what it has found, and looks at it only afterwards.
        let (addresses, count) = unsafe { &mut *argument.cast::<Found<'_>>() };
        let Some(place) = addresses.get_mut(*count) else {
            return STOP;
        };
        // SAFETY: the unwinder hands in a valid context.
        *place = core::ptr::without_provenance_mut(unsafe { _Unwind_GetIP(context) });
        *count += 1;
        GO_ON
    }

    let mut found: Found<'_> = (addresses, 0);
    // SAFETY: the callback gets back the pointer to `found`, which outlives the walk.
    unsafe { _Unwind_Backtrace(note, (&raw mut found).cast()) };
    found.1
}

fn symbol_at(address: usize) -> Option<&'static CStr> {
    // SAFETY: an all-zero Dl_info is a valid out parameter.
    let mut info: libc::Dl_info = unsafe { core::mem::zeroed() };
    // SAFETY: dladdr only looks the address up.
    let known = unsafe { libc::dladdr(address as *const c_void, &mut info) };
    if known == 0 || info.dli_sname.is_null() {
        return None;
    }
    // SAFETY: dladdr returned a symbol name of a loaded object, which stays loaded while the
    // process is about to abort.
    Some(unsafe { CStr::from_ptr(info.dli_sname) })
}
