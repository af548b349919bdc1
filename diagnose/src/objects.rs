//! What an instrument reads of the program's handles and requests: their types. The layouts are
//! those of `uv.h`.

use core::ffi::c_void;

use crate::events::Callback;

/// The beginning of every handle.
#[repr(C)]
struct Handle {
    data: *mut c_void,
    event_loop: *mut c_void,
    kind: u32,
}

/// The beginning of every request.
#[repr(C)]
struct Request {
    data: *mut c_void,
    kind: u32,
    reserved: [*mut c_void; 6],
}

/// The beginning of a file operation's request.
#[repr(C)]
struct Fs {
    request: Request,
    operation: i32,
}

/// Whether a callback of this kind gets a request. The others get a handle.
pub(crate) fn is_of_request(callback: u32) -> bool {
    callback >= Callback::Write as u32 && callback != Callback::UdpReceive as u32
}

/// The type of the object that a callback is given.
///
/// # Safety
/// The object must be live and of the kind that the callback gets.
pub(crate) unsafe fn kind(callback: u32, object: *const c_void) -> u32 {
    // SAFETY: the caller vouches for the object.
    unsafe {
        match is_of_request(callback) {
            true => (*object.cast::<Request>()).kind,
            false => (*object.cast::<Handle>()).kind,
        }
    }
}

/// The type of a request, and the operation if it is one of a file, else 0.
///
/// # Safety
/// The request must be live.
pub(crate) unsafe fn job(request: *const c_void) -> (u32, u32) {
    const FS: u32 = 6;
    // SAFETY: the caller vouches for the request, whose type says how long it is.
    unsafe {
        let kind = (*request.cast::<Request>()).kind;
        let operation = match kind {
            FS => (*request.cast::<Fs>()).operation,
            _ => 0,
        };
        (kind, operation as u32)
    }
}
