//! Program errors: one line that names the entry function and the mistake, then `abort()`.
//!
//! Nothing unwinds into C: every profile aborts on panic, and `extern "C"` functions would too.
//! The name of the entry function is found on the stack, so that calls pay nothing for it.

mod entry;
#[cfg(not(any(panic = "unwind", feature = "std")))]
mod handler;
#[cfg(any(panic = "unwind", feature = "std"))]
#[cfg_attr(test, allow(dead_code, reason = "unit tests keep their own hook"))]
mod hook;

use core::ffi::CStr;
use core::fmt::{Display, Write};
use core::panic::Location;

use crate::text::Text;

/// Ends the process because of a mistake in the calling program that no error code can report.
#[cold]
#[track_caller]
pub(crate) fn misuse(mistake: &'static str) -> ! {
    panic!("{mistake}")
}

/// The pointer; null, where none is allowed, ends the process.
#[inline]
#[track_caller]
pub(crate) fn not_null<T>(pointer: *mut T) -> *mut T {
    if pointer.is_null() {
        misuse("null pointer");
    }
    pointer
}

/// Called last in an entry point that would otherwise end in a jump to what it calls, and be gone
/// from the stack where its name is looked for.
#[inline(always)]
pub(crate) fn keep_frame() {
    // SAFETY: does nothing, but not before what comes before it.
    unsafe { core::arch::asm!("", options(nomem, nostack, preserves_flags)) };
}

/// Says what went wrong, and ends the process. No memory is taken: the heap may be what is broken.
/// (To tell `entry`, glibc may have taken some.)
fn end(entry: Option<&CStr>, message: impl Display, location: Option<&Location<'_>>) -> ! {
    let mut line = Text::<512>::new();
    let _ = line.write_str("oxuv: ");
    if let Some(entry) = entry {
        let _ = write!(line, "{}: ", entry.to_str().unwrap_or("uv_?"));
    }
    let _ = match location {
        Some(at) => writeln!(line, "{message} ({}:{})", at.file(), at.line()),
        None => writeln!(line, "{message}"),
    };
    let bytes = line.as_bytes();
    // SAFETY: reads the text.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
    // SAFETY: takes no arguments.
    unsafe { libc::abort() }
}
